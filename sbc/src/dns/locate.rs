//! From a name to the servers behind it, by what DNS has said so far (RFC 3263 §4.1 and §4.2).

use std::net::{IpAddr, SocketAddr};

use super::{Domain, Names, Question, Record, RecordKind};
use crate::transport::Transport;

/// The most servers behind one name; the rest are not looked at.
pub(crate) const SERVERS_MAX: usize = 32;

/// Whether we can speak a transport over an IP version; what we cannot is not asked for.
pub(crate) type Speaks<'a> = &'a dyn Fn(Transport, IpVersion) -> bool;

/// IP versions, as far as they decide which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IpVersion {
    V4,
    V6,
}

/// What is known of a name.
#[derive(Debug, Default)]
pub(crate) struct Located {
    /// The servers, in the order of the transports that their domain prefers; among those of one transport the order
    /// is still to be drawn.
    pub(crate) servers: Vec<Server>,
    /// Everything that had to be known on the way, known or not.
    pub(crate) questions: Vec<Question>,
}

/// A server behind a name, with the words of RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) transport: Transport,
    /// By NAPTR, or by us: servers of a lower rank come first.
    pub(crate) rank: u16,
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    /// Of one host, in the order to be tried.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// A transport to try for a name.
struct Service {
    transport: Transport,
    /// Where its SRV records are.
    name: String,
}

/// Follows a name through NAPTR, SRV and addresses as far as they are known.
pub(crate) fn locate(names: &Names, domain: &Domain, speaks: Speaks<'_>) -> Located {
    let mut walk = Walk { names, speaks, located: Located::default() };
    walk.domain(domain);
    walk.located.servers.truncate(SERVERS_MAX);
    walk.located
}

struct Walk<'a> {
    names: &'a Names,
    speaks: Speaks<'a>,
    located: Located,
}

impl<'a> Walk<'a> {
    fn domain(&mut self, domain: &Domain) {
        let Domain { name, port, transport } = domain;
        if let Some(port) = *port {
            // §4.1, §4.2: whoever names a port means that host itself.
            return self.host(transport.unwrap_or(self.usual()), 0, (0, 0), name, port);
        }
        let services = match *transport {
            Some(transport) => Some(vec![service_of(transport, name)]),
            None => self.services(name),
        };
        let Some(services) = services else { return };
        let mut is_known = true;
        let mut has_srv = false;
        for (rank, service) in (0..).zip(&services) {
            match self.records(&service.name, RecordKind::Srv) {
                Some([]) => {}
                Some(records) => {
                    has_srv = true;
                    self.srv(service.transport, rank, records);
                }
                None => is_known = false,
            }
        }
        if is_known && !has_srv {
            // §4.1, §4.2: without SRV records the name is a host's.
            let transport = transport.unwrap_or(self.usual());
            self.host(transport, 0, (0, 0), name, transport.default_port());
        }
    }

    /// §4.1: the transports of a domain, the preferred one first. `None` while that is not known.
    fn services(&mut self, name: &str) -> Option<Vec<Service>> {
        let question = Question { name: name.to_owned(), kind: RecordKind::Naptr };
        let is_unanswered = self.names.is_unanswered(&question);
        let records = match self.records(name, RecordKind::Naptr) {
            Some(records) => records,
            // Servers that do not know NAPTR do not always say so: then it counts as if there were none.
            None if is_unanswered => &[],
            None => return None,
        };
        let mut found = Vec::new();
        for record in records {
            let Record::Naptr { order, preference, flags, service, replacement } = record else { continue };
            let transport = match service.to_ascii_uppercase().as_str() {
                "SIP+D2U" => Transport::Udp,
                "SIP+D2T" => Transport::Tcp,
                // TLS is what an operator asks for, not what a zone decides.
                "SIPS+D2T" if self.usual() == Transport::Tls => Transport::Tls,
                _ => continue,
            };
            if flags.eq_ignore_ascii_case("s") && self.speaks_at_all(transport) {
                found.push((*order, *preference, Service { transport, name: replacement.clone() }));
            }
        }
        found.sort_by_key(|(order, preference, _)| (*order, *preference));
        if !found.is_empty() {
            return Some(found.into_iter().map(|(.., service)| service).collect());
        }
        let ours: &[Transport] = match self.usual() {
            Transport::Tls => &[Transport::Tls],
            _ => &[Transport::Udp, Transport::Tcp],
        };
        let ours = ours.iter().filter(|it| self.speaks_at_all(**it));
        Some(ours.map(|transport| service_of(*transport, name)).collect())
    }

    /// What is spoken where nothing else is said (§4.1): TLS when that is all that may be.
    fn usual(&self) -> Transport {
        let is_clear = self.speaks_at_all(Transport::Udp) || self.speaks_at_all(Transport::Tcp);
        if !is_clear && self.speaks_at_all(Transport::Tls) { Transport::Tls } else { Transport::Udp }
    }

    fn srv(&mut self, transport: Transport, rank: u16, records: &'a [Record]) {
        for record in records {
            if let Record::Srv { priority, weight, port, target } = record
                && !target.is_empty()
            {
                self.host(transport, rank, (*priority, *weight), target, *port);
            }
        }
    }

    fn host(
        &mut self,
        transport: Transport,
        rank: u16,
        (priority, weight): (u16, u16),
        name: &str,
        port: u16,
    ) {
        let versions = [(IpVersion::V4, RecordKind::A), (IpVersion::V6, RecordKind::Aaaa)];
        let mut addresses = Vec::new();
        for (_, kind) in versions.into_iter().filter(|(version, _)| (self.speaks)(transport, *version)) {
            let records = self.records(name, kind).unwrap_or_default();
            addresses.extend(records.iter().filter_map(address).map(|ip| SocketAddr::new(ip, port)));
        }
        if !addresses.is_empty() {
            self.located.servers.push(Server { transport, rank, priority, weight, addresses });
        }
    }

    fn records(&mut self, name: &str, kind: RecordKind) -> Option<&'a [Record]> {
        let question = Question { name: name.to_owned(), kind };
        let known = self.names.known(&question);
        self.located.questions.push(question);
        known
    }

    fn speaks_at_all(&self, transport: Transport) -> bool {
        (self.speaks)(transport, IpVersion::V4) || (self.speaks)(transport, IpVersion::V6)
    }
}

fn address(record: &Record) -> Option<IpAddr> {
    match record {
        Record::Address(address) => Some(*address),
        _ => None,
    }
}

/// §4.1 and §4.2, RFC 2782: `_service._proto.name`.
fn service_of(transport: Transport, name: &str) -> Service {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp | Transport::Ws => "_sip._tcp",
        Transport::Tls | Transport::Wss => "_sips._tcp",
    };
    Service { transport, name: format!("{prefix}.{name}") }
}
