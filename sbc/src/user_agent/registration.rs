//! REGISTER (RFC 3261 §10.3).

use tandem_time::Instant;

use super::serving::user_of;
use super::{Received, Source, UserAgent};
use crate::header::{Contact, Params};
use crate::lex;
use crate::message::HeaderName;
use crate::registrar::{
    Binding, ContactRequest, Contacts, Instance, Policy, Registration, RegistrationError,
};
use crate::transport::Hop;
use crate::uri::{Scheme, Uri};

/// RFC 5626.
pub(super) const OUTBOUND: &str = "outbound";

/// How often a phone is to keep its connection alive, in seconds (RFC 5626 §4.4).
const FLOW_TIMER: &str = "Flow-Timer";

/// RFC 3327.
pub(super) const PATH: &str = "path";

/// The most proxies between a phone and us; 400 beyond.
const PATH_MAX: usize = 8;

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
        let is_outbound = is_outbound(received, &registration);
        let is_direct = received.message.vias().count() <= 1;
        if is_outbound && !is_direct && !registration.path.last().is_some_and(|edge| keeps_flows(edge)) {
            // RFC 5626 §6, §11.6: what stands between could not keep the phone's flow.
            return self.refuse(now, received, 439);
        }
        let phones = &self.config.phones;
        let policy = Policy {
            min_expires: phones.min_expires,
            max_expires: phones.max_expires,
            max_contacts_per_user: self.config.limits.max_contacts_per_user,
        };
        match self.registrar.register(now, &user, registration, policy) {
            Ok(change) => {
                self.counters.registrations += 1;
                self.keep_in_reach(now, &user);
                self.confirm_registration(now, received, &user, is_outbound);
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
    fn confirm_registration(&mut self, now: Instant, received: Received<'_>, user: &str, is_outbound: bool) {
        let contact = |binding: &Binding| {
            let expires = (binding.expires - now).as_secs();
            let instance = binding.instance.as_ref().map(Instance::to_string).unwrap_or_default();
            format!("<{}>;expires={expires}{instance}", binding.uri)
        };
        let contacts: Vec<String> = self.registrar.bindings(user).iter().map(contact).collect();
        let has_path = received.message.has(HeaderName::Path);
        // RFC 5626 §4.4: how often, for those on streams; WebSocket has pings of its own, and those are ours.
        let transport = received.packet.transport;
        let keeps_alive = is_outbound && transport.is_reliable() && !transport.is_websocket();
        self.keep_flow_of(now, received, user, keeps_alive);
        let flow_timer = self.config.phones.flow_timer.filter(|_| keeps_alive);
        self.respond_with(now, received, 200, |builder| {
            // RFC 3327 §5.3: who registered sees by which way it will be called.
            let builder = if has_path {
                builder.copy(received.message, HeaderName::Path).header(HeaderName::Supported, PATH)
            } else {
                builder
            };
            // RFC 5626 §6: the phone is reached by its flow, and keeps it alive.
            let builder = if is_outbound { builder.header(HeaderName::Require, OUTBOUND) } else { builder };
            let builder = match flow_timer {
                Some(timer) => builder.extension(FLOW_TIMER, timer.as_secs()),
                None => builder,
            };
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
    let path = path(received)?;
    if listed.iter().any(is_sips) && !takes_sips(received, &listed, &path) {
        return None;
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
        path,
        hop: Hop {
            transport: packet.transport,
            local: packet.local,
            destination: packet.source,
            flow: packet.flow,
        },
    })
}

/// The way that a REGISTER has come by proxies which want to be on it (RFC 3327 §5.3), as a Route says it; `None` when it is
/// none of `sip` URIs, or too long.
fn path(received: Received<'_>) -> Option<Vec<String>> {
    let addresses = received.message.addresses(HeaderName::Path);
    let path: Option<Vec<String>> = addresses
        .take(PATH_MAX + 1)
        .map(|address| {
            let address = address.ok()?;
            let Ok(Uri::Sip(_)) = address.uri() else { return None };
            Some(format!("<{}>", std::str::from_utf8(address.uri_bytes).ok()?))
        })
        .collect();
    path.filter(|path| path.len() <= PATH_MAX)
}

/// RFC 5626 §5.1: an edge proxy that keeps a phone's flow says so in the URI that it adds.
fn keeps_flows(edge: &str) -> bool {
    let uri = Uri::parse(edge.trim_start_matches('<').trim_end_matches('>').as_bytes());
    uri.is_ok_and(|uri| uri.as_sip().is_some_and(|sip| sip.params.has("ob")))
}

/// RFC 5626 §6: a phone that knows of flows, and names its own.
fn is_outbound(received: Received<'_>, registration: &Registration) -> bool {
    let names_flow = match &registration.contacts {
        Contacts::Listed(listed) => listed.iter().any(|contact| contact.instance.is_some()),
        Contacts::Wildcard => false,
    };
    let asks = [HeaderName::Supported, HeaderName::Require];
    names_flow && asks.into_iter().any(|name| received.message.lists(name, OUTBOUND))
}

/// RFC 5630 §5.2: what is to be called as sips is registered so, over TLS, and so is the way to it (Path); a secure name must not
/// lead to a place that is not.
fn takes_sips(received: Received<'_>, listed: &[ContactRequest], path: &[String]) -> bool {
    let asked = Scheme::of(received.message.request_uri().map(|uri| uri.bytes()).unwrap_or_default());
    let is_way = path.iter().all(|proxy| proxy.starts_with("<sips:"));
    asked == Scheme::Sips && is_way && received.packet.transport.is_secure() && listed.iter().all(is_sips)
}

fn is_sips(contact: &ContactRequest) -> bool {
    Scheme::of(contact.uri.as_bytes()) == Scheme::Sips
}

/// RFC 5626 §4.2: both parameters, or it is a registration like any other.
fn instance(params: &Params<'_>) -> Option<Instance> {
    let id = params.unquoted("+sip.instance")?.into_owned();
    let reg_id = lex::decimal(params.value("reg-id")?)?;
    Some(Instance { id, reg_id })
}
