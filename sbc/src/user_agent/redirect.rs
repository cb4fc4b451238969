//! 3xx of carriers (RFC 3261 §8.1.3.4, §21.3): a refusal like any other, or followed where the operator allows it.
//!
//! A redirection chooses whom we call and at whose cost, so that it leads to trunks and numbers that are allowed, and to
//! none twice.

use std::cmp::Reverse;
use std::net::SocketAddr;

use super::route::Way;
use super::session::{Peer, Phase};
use super::{Received, RouteConfig, SessionId, Target, TrunkConfig, UserAgent};
use crate::header::Contact;
use crate::transport::Transport;
use crate::uri::{Scheme, SipUri, Uri};

/// The most Contacts of a 3xx that are looked at.
const CONTACTS_MAX: usize = 16;

/// The longest number.
const NUMBER_MAX: usize = 20;

/// Where 3xx of a trunk may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectPolicy {
    /// How often one call is redirected.
    pub max: u8,
    /// To these trunks: to their sources, or to names that they are called by.
    pub trunks: Vec<String>,
    /// What numbers begin with that may be called; any when empty.
    pub prefixes: Vec<String>,
}

impl UserAgent {
    /// Takes a 3xx to an INVITE of ours: where it leads takes the place of what was left to try.
    pub(super) fn take_redirection(&mut self, id: SessionId, received: Received<'_>, status: u16) {
        let Some(session) = self.sessions.get(id) else { return };
        let Peer::Trunk(name) = &session.peer else { return };
        let Some(policy) = self.trunk(name).and_then(|trunk| trunk.redirects.clone()) else { return };
        // §21.3: 305 and 380 ask for something else.
        let ways = if matches!(status, 300..=302) { self.redirected(&policy, received) } else { Vec::new() };
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Phase::Calling(calling) = &mut session.phase else { return };
        let is_followed = calling.plan.as_mut().is_some_and(|plan| plan.redirect(policy.max, ways));
        if is_followed {
            self.counters.redirects_followed += 1;
        } else {
            self.counters.redirects_refused += 1;
        }
    }

    /// Where the Contacts of a 3xx lead that are allowed, the preferred one first (§20.10).
    fn redirected(&mut self, policy: &RedirectPolicy, received: Received<'_>) -> Vec<Way> {
        let contacts = received.message.contacts().take(CONTACTS_MAX).flatten();
        let mut targets: Vec<(Reverse<u16>, String, Vec<u8>)> = Vec::new();
        for contact in contacts {
            let q = contact.q_thousandths().unwrap_or(1_000);
            let Contact::Address(address) = contact else { continue };
            let number = address.uri().ok().and_then(|uri| number_of(&uri));
            let is_allowed = |number: &String| {
                policy.prefixes.is_empty() || policy.prefixes.iter().any(|prefix| number.starts_with(prefix))
            };
            if let Some(number) = number.filter(is_allowed) {
                targets.push((Reverse(q), number, address.uri_bytes.to_vec()));
            }
        }
        targets.sort_by_key(|(q, ..)| *q);
        let mut ways = Vec::new();
        for (_, number, uri) in targets {
            let Ok(Uri::Sip(uri)) = Uri::parse(&uri) else { continue };
            for name in &policy.trunks {
                let Some(trunk) = self.trunk(name).cloned() else { continue };
                ways.extend(self.ways_by(&trunk, &uri).into_iter().map(|way| way.to(number.clone())));
            }
        }
        ways
    }

    /// The ways to a URI that is a trunk's: at one of its sources, or by a name that it is called by.
    fn ways_by(&mut self, trunk: &TrunkConfig, uri: &SipUri<'_>) -> Vec<Way> {
        let scheme = Scheme::of(uri.bytes);
        let transport = match uri.params.token("transport").map(str::to_ascii_lowercase).as_deref() {
            // RFC 5630 §3.1.4: of sips, tcp is what carries TLS.
            None | Some("tcp" | "tls") if scheme == Scheme::Sips => Transport::Tls,
            None | Some("udp") => Transport::Udp,
            Some("tcp") => Transport::Tcp,
            Some("tls") => Transport::Tls,
            Some(_) => return Vec::new(),
        };
        if !scheme.allows(transport) {
            return Vec::new();
        }
        if let Some(ip) = uri.host.ip() {
            let address = SocketAddr::new(ip, uri.port.unwrap_or(transport.default_port()));
            let is_listed = trunk.sources.iter().any(|prefix| prefix.contains(ip));
            let route = RouteConfig { scheme, ..RouteConfig::to(Target::Address { address, transport }) };
            return if is_listed { self.ways_to(trunk, &route) } else { Vec::new() };
        }
        let host = uri.host.to_string();
        let is_it = |to: &Target| to.domain().is_some_and(|domain| domain.name.eq_ignore_ascii_case(&host));
        let route = trunk.destinations().into_iter().find(|route| is_it(&route.to));
        let ways = route.map_or_else(Vec::new, |route| self.ways_to(trunk, &route));
        ways.into_iter().filter_map(|way| way.with(scheme)).collect()
    }
}

/// The number that a `sip:` or `sips:` URI asks for, if it is one.
fn number_of(uri: &Uri<'_>) -> Option<String> {
    uri.as_sip()?;
    let user = uri.user()?;
    // §19.1.6: parameters of a telephone number do not belong to the number.
    let number = user.split(';').next().unwrap_or_default();
    let digits = number.strip_prefix('+').unwrap_or(number);
    let is_number = (1..=NUMBER_MAX).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| number.to_owned())
}
