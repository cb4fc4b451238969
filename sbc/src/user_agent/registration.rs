//! REGISTER (RFC 3261 §10.3).

use tandem_time::Instant;

use super::serving::user_of;
use super::{Received, Source, UserAgent};
use crate::header::{Contact, Params};
use crate::lex;
use crate::message::HeaderName;
use crate::registrar::{ContactRequest, Contacts, Instance, Policy, Registration, RegistrationError};
use crate::transport::Hop;
use crate::uri::Uri;

/// The most Contacts of one REGISTER; 400 beyond.
const CONTACTS_MAX: usize = 16;

impl UserAgent {
    pub(super) fn handle_register(&mut self, now: Instant, received: Received<'_>) {
        if !received.peer.is_phone() {
            return self.refuse(now, received, 403);
        }
        let Some(Source::User(user)) = self.authenticate(now, received) else { return };
        // §10.3 step 4: users register themselves only.
        if user_of(&received.essentials.to).as_deref() != Some(&user) {
            return self.refuse(now, received, 403);
        }
        let Some(registration) = registration(received) else { return self.refuse(now, received, 400) };
        let phones = &self.config.phones;
        let policy = Policy {
            min_expires: phones.min_expires,
            max_expires: phones.max_expires,
            max_contacts_per_user: self.config.limits.max_contacts_per_user,
        };
        match self.registrar.register(now, &user, registration, policy) {
            Ok(change) => {
                self.counters.registrations += 1;
                self.confirm_registration(now, received, &user);
                if let Some(change) = change {
                    self.tell_reachability(change);
                }
            }
            Err(RegistrationError::TooBrief { min_expires_s }) => {
                self.respond_with(now, received, 423, |builder| {
                    builder.header(HeaderName::MinExpires, min_expires_s)
                });
            }
            Err(RegistrationError::BadWildcard) => self.refuse(now, received, 400),
            Err(RegistrationError::OutOfOrder) => self.refuse(now, received, 500),
        }
    }

    /// §10.3 step 8: 200 lists what is bound now.
    fn confirm_registration(&mut self, now: Instant, received: Received<'_>, user: &str) {
        let contacts: Vec<String> = self
            .registrar
            .bindings(user)
            .iter()
            .map(|binding| format!("<{}>;expires={}", binding.uri, (binding.expires - now).as_secs()))
            .collect();
        self.respond_with(now, received, 200, |builder| {
            contacts.iter().fold(builder, |builder, contact| builder.header(HeaderName::Contact, contact))
        });
    }
}

/// What a REGISTER asks for; `None` when it makes no sense.
fn registration(received: Received<'_>) -> Option<Registration> {
    let packet = received.packet;
    let mut listed = Vec::new();
    let mut has_wildcard = false;
    for (index, contact) in received.message.contacts().enumerate() {
        let contact = contact.ok().filter(|_| index < CONTACTS_MAX)?;
        match contact {
            Contact::Star => has_wildcard = true,
            Contact::Address(address) => {
                let Ok(Uri::Sip(_)) = address.uri() else { return None };
                let uri = std::str::from_utf8(address.uri_bytes).ok()?.to_owned();
                listed.push(ContactRequest {
                    uri,
                    expires_s: contact.expires(),
                    instance: instance(&address.params),
                });
            }
        }
    }
    let contacts = match (has_wildcard, listed.is_empty()) {
        (true, true) => Contacts::Wildcard,
        (true, false) => return None,
        (false, _) => Contacts::Listed(listed),
    };
    Some(Registration {
        call_id: received.essentials.call_id.to_owned(),
        cseq: received.essentials.cseq.number,
        expires_s: received.message.number(HeaderName::Expires).ok().flatten(),
        contacts,
        hop: Hop {
            transport: packet.transport,
            local: packet.local,
            destination: packet.source,
            flow: packet.flow,
        },
    })
}

/// RFC 5626 §4.2: both parameters, or it is a registration like any other.
fn instance(params: &Params<'_>) -> Option<Instance> {
    let id = params.unquoted("+sip.instance")?.into_owned();
    let reg_id = lex::decimal(params.value("reg-id")?)?;
    Some(Instance { id, reg_id })
}
