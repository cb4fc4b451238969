//! The registrar's bindings (RFC 3261 §10.3).
//!
//! Owner thread: the signalling core. This module must not know messages or who authenticated; it is handed what a
//! REGISTER asks for and says what stands after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tandem_time::Instant;

use crate::transport::{FlowId, Hop};
use crate::uri::Uri;

/// What an operator decides about registrations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) min_expires: Duration,
    pub(crate) max_expires: Duration,
    pub(crate) max_contacts_per_user: u8,
}

/// What a REGISTER asks for.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    /// The Expires header, in seconds.
    pub(crate) expires_s: Option<u32>,
    pub(crate) contacts: Contacts,
    /// The way back to where it came from.
    pub(crate) hop: Hop,
}

/// The Contact headers of a REGISTER.
#[derive(Clone, Debug)]
pub(crate) enum Contacts {
    /// `*`: all of them.
    Wildcard,
    /// These; none asks only what there is.
    Listed(Vec<ContactRequest>),
}

/// One Contact of a REGISTER.
#[derive(Clone, Debug)]
pub(crate) struct ContactRequest {
    /// The URI as written.
    pub(crate) uri: String,
    /// The `expires` parameter, in seconds.
    pub(crate) expires_s: Option<u32>,
}

/// Why a REGISTER changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegistrationError {
    /// 423: shorter than we keep anything.
    TooBrief {
        /// What Min-Expires says, in seconds.
        min_expires_s: u32,
    },
    /// 400: `*` with a lifetime, or beside another Contact.
    BadWildcard,
    /// 500: a later request of the same client came before it (§10.3 step 7).
    OutOfOrder,
}

/// Where a user can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The Contact URI as written.
    pub(crate) uri: String,
    /// Where it registered from.
    pub(crate) hop: Hop,
    /// When it is forgotten.
    pub(crate) expires: Instant,
    call_id: String,
    cseq: u32,
}

/// A user's first contact came, or its last one went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reachability {
    pub(crate) user: String,
    pub(crate) reachable: bool,
}

/// All users' contacts.
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    /// The latest refreshed last.
    users: BTreeMap<String, Vec<Binding>>,
    /// When each user's first contact expires.
    deadlines: BTreeSet<(Instant, String)>,
}

impl Registrar {
    /// Does what a REGISTER of `user` asks for, whole or not at all (§10.3 steps 6 and 7).
    pub(crate) fn register(
        &mut self,
        now: Instant,
        user: &str,
        registration: Registration,
        policy: Policy,
    ) -> Result<Option<Reachability>, RegistrationError> {
        let before = self.bindings(user).to_vec();
        let after = match &registration.contacts {
            Contacts::Wildcard => without_all(&before, &registration)?,
            Contacts::Listed(contacts) => {
                with_contacts(now, before.clone(), contacts, &registration, policy)?
            }
        };
        Ok(self.replace(user, after))
    }

    /// A user's contacts, the latest refreshed last.
    pub(crate) fn bindings(&self, user: &str) -> &[Binding] {
        self.users.get(user).map(Vec::as_slice).unwrap_or_default()
    }

    /// Forgets that a connection lives: its contacts are reached by their address from now on.
    pub(crate) fn forget_flow(&mut self, flow: FlowId) {
        for binding in self.users.values_mut().flatten() {
            if binding.hop.flow == Some(flow) {
                binding.hop.flow = None;
            }
        }
    }

    /// Forgets users that are no longer configured.
    pub(crate) fn retain(&mut self, configured: impl Fn(&str) -> bool) -> Vec<Reachability> {
        let gone: Vec<String> = self.users.keys().filter(|user| !configured(user)).cloned().collect();
        gone.iter().filter_map(|user| self.replace(user, Vec::new())).collect()
    }

    /// Forgets what has expired by `now`, one user a call.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Reachability> {
        while let Some((due, user)) = self.deadlines.first().filter(|(due, _)| *due <= now).cloned() {
            self.deadlines.remove(&(due, user.clone()));
            let left = self.bindings(&user).iter().filter(|binding| binding.expires > now).cloned().collect();
            if let Some(change) = self.replace(&user, left) {
                return Some(change);
            }
        }
        None
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    fn replace(&mut self, user: &str, bindings: Vec<Binding>) -> Option<Reachability> {
        let was = self.users.remove(user).unwrap_or_default();
        if let Some(due) = first_expiry(&was) {
            self.deadlines.remove(&(due, user.to_owned()));
        }
        if let Some(due) = first_expiry(&bindings) {
            self.deadlines.insert((due, user.to_owned()));
        }
        let reachable = !bindings.is_empty();
        let changed = was.is_empty() == reachable;
        if reachable {
            self.users.insert(user.to_owned(), bindings);
        }
        changed.then(|| Reachability { user: user.to_owned(), reachable })
    }
}

fn first_expiry(bindings: &[Binding]) -> Option<Instant> {
    bindings.iter().map(|binding| binding.expires).min()
}

/// §10.3 step 6: `*` needs `Expires: 0`, and removes what the ordering rule lets it.
fn without_all(before: &[Binding], registration: &Registration) -> Result<Vec<Binding>, RegistrationError> {
    if registration.expires_s != Some(0) {
        return Err(RegistrationError::BadWildcard);
    }
    if before.iter().any(|binding| is_out_of_order(binding, registration)) {
        return Err(RegistrationError::OutOfOrder);
    }
    Ok(Vec::new())
}

/// §10.3 step 7.
fn with_contacts(
    now: Instant,
    mut bindings: Vec<Binding>,
    contacts: &[ContactRequest],
    registration: &Registration,
    policy: Policy,
) -> Result<Vec<Binding>, RegistrationError> {
    for contact in contacts {
        let lifetime = lifetime(contact, registration, policy)?;
        if let Some(place) = bindings.iter().position(|binding| is_same_uri(&binding.uri, &contact.uri)) {
            if bindings.get(place).is_some_and(|binding| is_out_of_order(binding, registration)) {
                return Err(RegistrationError::OutOfOrder);
            }
            bindings.remove(place);
        }
        if lifetime.is_zero() {
            continue;
        }
        if bindings.len() >= usize::from(policy.max_contacts_per_user.max(1)) {
            bindings.remove(0);
        }
        bindings.push(Binding {
            uri: contact.uri.clone(),
            hop: registration.hop,
            expires: now + lifetime,
            call_id: registration.call_id.clone(),
            cseq: registration.cseq,
        });
    }
    Ok(bindings)
}

/// The lifetime granted; zero removes the contact.
fn lifetime(
    contact: &ContactRequest,
    registration: &Registration,
    policy: Policy,
) -> Result<Duration, RegistrationError> {
    let asked = contact.expires_s.or(registration.expires_s);
    let Some(asked) = asked.map(|seconds| Duration::from_secs(seconds.into())) else {
        return Ok(policy.max_expires);
    };
    if !asked.is_zero() && asked < policy.min_expires {
        let min_expires_s = u32::try_from(policy.min_expires.as_secs()).unwrap_or(u32::MAX);
        return Err(RegistrationError::TooBrief { min_expires_s });
    }
    Ok(asked.min(policy.max_expires))
}

/// §19.1.4.
fn is_same_uri(left: &str, right: &str) -> bool {
    match (Uri::parse(left.as_bytes()), Uri::parse(right.as_bytes())) {
        (Ok(Uri::Sip(left)), Ok(Uri::Sip(right))) => left.is_equivalent(&right),
        _ => left == right,
    }
}

fn is_out_of_order(binding: &Binding, registration: &Registration) -> bool {
    binding.call_id == registration.call_id && registration.cseq <= binding.cseq
}

#[cfg(test)]
mod tests;
