//! The registrar's bindings (RFC 3261 §10.3).
//!
//! Owner thread: the signalling core. This module must not know messages or who authenticated; it is handed what a
//! REGISTER asks for and says what stands after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use tandem_time::Instant;

use crate::source::IpPrefix;
use crate::transport::{FlowId, Hop, Transport};
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
    /// The proxies between, the nearest to us first (RFC 3327).
    pub(crate) path: Vec<String>,
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
    /// `+sip.instance` with `reg-id` (RFC 5626 §4.2), for phones that give them.
    pub(crate) instance: Option<Instance>,
}

/// One flow of one phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// The `+sip.instance` parameter.
    pub(crate) id: Vec<u8>,
    /// The `reg-id` parameter.
    pub(crate) reg_id: u32,
}

impl fmt::Display for Instance {
    /// As parameters of a Contact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = String::from_utf8_lossy(&self.id).replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, ";+sip.instance=\"{id}\";reg-id={}", self.reg_id)
    }
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
    /// The phone, when it says which it is.
    pub(crate) instance: Option<Instance>,
    /// Where it registered from.
    pub(crate) hop: Hop,
    /// The proxies between, the nearest to us first, as Route has them (RFC 3327 §5.3).
    pub(crate) path: Vec<String>,
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
    /// How many contacts were registered from each source.
    sources: BTreeMap<SocketAddr, u32>,
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

    /// Forgets that a connection lives. A contact that listens where it came from is reached by another connection;
    /// any other is behind NAT, in a browser or without a certificate of its own, and cannot be reached until it
    /// registers again (RFC 5626 §4.4, RFC 7118 §5.2).
    pub(crate) fn forget_flow(&mut self, flow: FlowId) -> Vec<Reachability> {
        let is_on_it = |binding: &Binding| binding.hop.flow == Some(flow);
        let users = self.users.iter().filter(|(_, bindings)| bindings.iter().any(is_on_it));
        let users: Vec<String> = users.map(|(user, _)| user.clone()).collect();
        let mut changes = Vec::new();
        for user in users {
            let mut left = self.bindings(&user).to_vec();
            left.retain(|binding| !is_on_it(binding) || listens_where_it_came_from(binding));
            for binding in left.iter_mut().filter(|binding| is_on_it(binding)) {
                binding.hop.flow = None;
            }
            changes.extend(self.replace(&user, left));
        }
        changes
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

    /// Whether somebody is registered from this very source.
    pub(crate) fn is_source(&self, source: SocketAddr) -> bool {
        self.sources.contains_key(&source)
    }

    /// Whether somebody is registered from an address of `prefix`.
    pub(crate) fn is_used(&self, prefix: IpPrefix) -> bool {
        let from = SocketAddr::new(prefix.address, 0);
        self.sources.range(from..).next().is_some_and(|(source, _)| prefix.contains(source.ip()))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    fn leave(&mut self, source: SocketAddr) {
        let Some(count) = self.sources.get_mut(&source) else { return };
        *count -= 1;
        if *count == 0 {
            self.sources.remove(&source);
        }
    }

    fn replace(&mut self, user: &str, bindings: Vec<Binding>) -> Option<Reachability> {
        let was = self.users.remove(user).unwrap_or_default();
        if let Some(due) = first_expiry(&was) {
            self.deadlines.remove(&(due, user.to_owned()));
        }
        if let Some(due) = first_expiry(&bindings) {
            self.deadlines.insert((due, user.to_owned()));
        }
        for binding in &was {
            self.leave(binding.hop.destination);
        }
        for binding in &bindings {
            *self.sources.entry(binding.hop.destination).or_default() += 1;
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
        let is_same = |binding: &Binding| {
            // RFC 5626 §6.3: a phone that comes again on another flow is known by its instance, not by its URI.
            let is_same_instance = contact.instance.is_some() && binding.instance == contact.instance;
            is_same_instance || is_same_uri(&binding.uri, &contact.uri)
        };
        if let Some(place) = bindings.iter().position(is_same) {
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
            instance: contact.instance.clone(),
            hop: registration.hop,
            path: registration.path.clone(),
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

/// Whether it could be reached without the connection it registered on: its Contact names the host it came from, and
/// needs neither a certificate nor a listener that browsers have not.
fn listens_where_it_came_from(binding: &Binding) -> bool {
    let Ok(Uri::Sip(uri)) = Uri::parse(binding.uri.as_bytes()) else { return false };
    binding.hop.transport == Transport::Tcp && uri.host.ip() == Some(binding.hop.destination.ip())
}

/// §19.1.4; what is registered as sips takes the place of the same as sip, and the other way round (RFC 5630 §5.1.1.1).
fn is_same_uri(left: &str, right: &str) -> bool {
    match (Uri::parse(left.as_bytes()), Uri::parse(right.as_bytes())) {
        (Ok(Uri::Sip(left)), Ok(Uri::Sip(right))) => left.is_same_place(&right),
        _ => left == right,
    }
}

fn is_out_of_order(binding: &Binding, registration: &Registration) -> bool {
    binding.call_id == registration.call_id && registration.cseq <= binding.cseq
}

#[cfg(test)]
mod tests;
