//! How calls reach a carrier, and who we are to it.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::addresses::check_destination;
use super::{ordered, parse_transport};
use crate::address::IpPrefix;
use crate::model::{Dns, Domain, Health, Route, RouteSet, SipListen, Target, Transport, TrunkCredentials};
use crate::reader::{Names, Section};

/// The most destinations of a trunk, trunks of a route set, and route sets.
const MAX_ROUTES: usize = 16;
const MAX_TRUNKS_PER_SET: usize = 16;
const MAX_ROUTE_SETS: usize = 1_000;
/// The most entries of `failover_on` and `dead_on`.
const MAX_STATUSES: usize = 64;

/// The most DNS servers.
const MAX_SERVERS: usize = 8;

const PEER: &str =
    "an address and a port such as \"127.0.0.1:5060\", or a name such as \"sip.carrier.example\"";
const SERVERS: &str = "a list of addresses such as [\"192.0.2.53\", \"127.0.0.1:5353\"]";
const DESTINATION: &str = "a SIP URI such as \"sip:192.0.2.10:5060\", \"sip:[2001:db8::1];transport=tcp\", \
    \"sip:carrier.example\" or \"sips:carrier.example\"";
const STATUSES: &str = "a list of final statuses and classes such as [\"408\", \"5xx\"]";

/// Timeouts, overload and other failures of the server itself (RFC 3263 §4.3), and a flow that is gone.
const FAILOVER_ON: [RangeInclusive<u16>; 3] = [408..=408, 430..=430, 500..=599];

/// What a proxy answers whose gateway is gone; all other answers say that somebody is there.
const DEAD_ON: [RangeInclusive<u16>; 2] = [408..=408, 503..=503];

/// Where calls to a trunk go: `peer` and `transport`, or its first route.
pub(super) fn read_peer(
    section: &Section<'_, '_>,
    listen: &[SipListen],
    sources: Option<&[IpPrefix]>,
    routes: Option<&[Route]>,
) -> Option<Target> {
    section.know(&["peer", "transport"]);
    if section.has("route") {
        for key in ["peer", "transport"].into_iter().filter(|key| section.has(key)) {
            section.problem_here(format!("there are both {key} and routes"), format!("leave out {key}"));
        }
        return routes.and_then(<[Route]>::first).map(|route| route.to.clone());
    }
    let host = section.parsed("peer", PEER, parse_peer);
    let transport = section
        .parsed_or("transport", "udp, tcp or tls", None, |text| parse_carrier_transport(text).map(Some));
    let peer = target(host?, transport?);
    check_listens(section, listen, &peer, peer.transport());
    check_destination(section, "peer", &peer, listen, sources);
    Some(peer)
}

/// The destinations of a trunk that has several.
pub(super) fn read_routes(
    section: &Section<'_, '_>,
    listen: &[SipListen],
    sources: Option<&[IpPrefix]>,
) -> Option<Vec<Route>> {
    let entries = section.tables("route", "to", MAX_ROUTES);
    entries.into_iter().map(|section| read_route(section, listen, sources)).collect()
}

fn read_route(section: Section<'_, '_>, listen: &[SipListen], sources: Option<&[IpPrefix]>) -> Option<Route> {
    let to = section.parsed("to", DESTINATION, parse_destination);
    let priority = section.integer_or("priority", 0..=65_535, 1);
    let weight = section.integer_or("weight", 0..=65_535, 1);
    let failover_after = section.millis_or("failover_after_ms", 100..=60_000, 4_000);
    let health = read_health(&section);
    let (to, is_sips) = (to.as_ref().map(|it| it.target.clone()), to.is_some_and(|it| it.is_sips));
    if let Some(to) = &to {
        let transport = if is_sips { Some(Transport::Tls) } else { to.transport() };
        check_listens(&section, listen, to, transport);
        check_destination(&section, "to", to, listen, sources);
    }
    section.finish();
    let number = |number: u32| u16::try_from(number).ok();
    Some(Route {
        to: to?,
        is_sips,
        priority: number(priority?)?,
        weight: number(weight?)?,
        failover_after: failover_after?,
        health: health?,
    })
}

/// Final responses after which the next destination is tried. 1xx and 2xx are no failures, and 6xx speak for the callee
/// wherever it is (RFC 3261 §21.6).
pub(super) fn read_failover_on(section: &Section<'_, '_>) -> Option<Vec<RangeInclusive<u16>>> {
    read_statuses(section, "failover_on", &FAILOVER_ON)
}

/// How destinations are asked whether they are there: `Some(None)` when they are not, `None` when it is wrong.
pub(super) fn read_health(section: &Section<'_, '_>) -> Option<Option<Health>> {
    section.know(&["health"]);
    if !section.has("health") {
        return Some(None);
    }
    let section = section.table("health");
    let interval = section.seconds_or("interval_s", 1..=3_600, 30);
    let failures = section.integer_or("failures", 1..=100, 3);
    let successes = section.integer_or("successes", 1..=100, 2);
    let dead_on = read_statuses(&section, "dead_on", &DEAD_ON);
    section.finish();
    Some(Some(Health {
        interval: interval?,
        failures: u8::try_from(failures?).ok()?,
        successes: u8::try_from(successes?).ok()?,
        dead_on: dead_on?,
    }))
}

fn read_statuses(
    section: &Section<'_, '_>,
    key: &'static str,
    usual: &[RangeInclusive<u16>],
) -> Option<Vec<RangeInclusive<u16>>> {
    section.know(&[key]);
    if !section.has(key) {
        return Some(usual.to_vec());
    }
    let entries = section.strings(key, STATUSES, MAX_STATUSES)?;
    let mut statuses = Vec::new();
    for (text, field) in &entries {
        match parse_statuses(text) {
            Some(range) => statuses.push(range),
            None => section.problem(
                field,
                format!("found {text:?}"),
                "write a status from 300 to 599, \"3xx\", \"4xx\" or \"5xx\"".to_owned(),
            ),
        }
    }
    Some(statuses)
}

/// Trunks that stand in for each other; a route set is called like a trunk, so that it takes a name among theirs.
pub(super) fn read_route_sets(root: &Section<'_, '_>, names: &mut Names) -> Vec<RouteSet> {
    let mut sets = Vec::new();
    for section in root.tables("route_set", "name", MAX_ROUTE_SETS) {
        let expected = "a list of trunks, the preferred one first";
        let entries = section.strings("trunks", expected, MAX_TRUNKS_PER_SET);
        if entries.as_ref().is_some_and(Vec::is_empty) {
            let message = "trunks is empty, so nothing could be called";
            section.problem_here(message.into(), format!("write {expected}"));
        }
        let entries = entries.unwrap_or_default();
        let is_trunk = |name: &str| !sets.iter().any(|set: &RouteSet| set.name == name);
        for (name, field) in entries.iter().filter(|(name, _)| !is_trunk(name)) {
            section.problem(field, format!("{name:?} is a route set"), "write the trunks of it".into());
        }
        for (index, (name, field)) in entries.iter().enumerate() {
            if entries.iter().take(index).any(|(other, _)| other == name) {
                section.problem(field, format!("{name:?} stands here twice"), "remove one".into());
            }
        }
        let known = |(name, field): &&(String, _)| section.check_reference(name, field, "trunk", names);
        let trunks = entries.iter().filter(known).map(|(name, _)| name.clone()).collect();
        let name = section.new_name("name", names);
        section.finish();
        sets.extend(name.map(|name| RouteSet { name, trunks }));
    }
    sets
}

/// A host as it is written, with its port if it has one.
enum Host {
    Address(IpAddr, Option<u16>),
    Name(String, Option<u16>),
}

/// A destination as a URI says it.
pub(super) struct Destination {
    pub(super) target: Target,
    /// Whether TLS is asked for on every hop.
    pub(super) is_sips: bool,
}

/// `sip:HOST[:PORT][;transport=…]`, or `sips:HOST[:PORT]`.
pub(super) fn parse_destination(text: &str) -> Option<Destination> {
    if let Some(host) = text.strip_prefix("sips:") {
        let target = match parse_host(host)? {
            // RFC 3263 §4.1: DNS says how, among what keeps to TLS.
            Host::Name(name, port) => Target::Domain(Domain { name, port, transport: None }),
            address => target(address, Some(Transport::Tls)),
        };
        return Some(Destination { target, is_sips: true });
    }
    let rest = text.strip_prefix("sip:")?;
    let (host, transport) = match rest.split_once(';') {
        None => (rest, None),
        Some((host, parameter)) => {
            (host, Some(parse_carrier_transport(parameter.strip_prefix("transport=")?)?))
        }
    };
    Some(Destination { target: target(parse_host(host)?, transport), is_sips: false })
}

/// `ADDRESS:PORT`, or `NAME[:PORT]`.
fn parse_peer(text: &str) -> Option<Host> {
    parse_host(text).filter(|host| !matches!(host, Host::Address(_, None)))
}

fn parse_host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() > 0).then(|| Host::Address(address.ip(), Some(address.port())));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse() {
        return Some(Host::Address(ip, None));
    }
    let (name, port) = match text.split_once(':') {
        None => (text, None),
        Some((name, port)) => (name, Some(port.parse().ok().filter(|port| *port > 0)?)),
    };
    parse_name(name).map(|name| Host::Name(name, port))
}

/// A host name (RFC 3261 §25.1): labels of letters, digits and hyphens, the last of which begins with a letter.
fn parse_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = name.rsplit('.').next().unwrap_or_default();
    let is_name = name.len() <= 253
        && name.split('.').all(is_label)
        && top.starts_with(|first: char| first.is_ascii_alphabetic());
    is_name.then_some(name)
}

/// An address is reached over UDP when nothing is said, and at the transport's own port (RFC 3261 §19.1.2); of a name
/// DNS says what is not said.
fn target(host: Host, transport: Option<Transport>) -> Target {
    match host {
        Host::Address(ip, port) => {
            let transport = transport.unwrap_or(Transport::Udp);
            let usual = if transport == Transport::Tls { 5_061 } else { 5_060 };
            Target::Address { address: SocketAddr::new(ip, port.unwrap_or(usual)), transport }
        }
        Host::Name(name, port) => Target::Domain(Domain { name, port, transport }),
    }
}

/// How names of carriers are looked up.
pub(super) fn read_dns(section: Section<'_, '_>) -> Option<Dns> {
    section.know(&["servers"]);
    let servers = if section.has("servers") { read_servers(&section) } else { Some(Vec::new()) };
    let timeout = section.millis_or("timeout_ms", 100..=20_000, 2_000);
    let min_ttl = section.seconds_or("min_ttl_s", 1..=3_600, 10);
    let max_ttl = section.seconds_or("max_ttl_s", 1..=604_800, 3_600);
    let max_negative_ttl = section.seconds_or("max_negative_ttl_s", 1..=86_400, 300);
    if let (Some(min), Some(max)) = (min_ttl, max_ttl) {
        ordered(&section, ("min_ttl_s", min), ("max_ttl_s", max));
    }
    section.finish();
    Some(Dns {
        servers: servers?,
        timeout: timeout?,
        min_ttl: min_ttl?,
        max_ttl: max_ttl?,
        max_negative_ttl: max_negative_ttl?,
    })
}

fn read_servers(section: &Section<'_, '_>) -> Option<Vec<SocketAddr>> {
    let mut servers = Vec::new();
    for (text, field) in section.strings("servers", SERVERS, MAX_SERVERS)? {
        let port_53 = || Some(SocketAddr::new(text.parse().ok()?, 53));
        match text.parse().ok().or_else(port_53) {
            Some(server) => servers.push(server),
            None => section.problem(&field, format!("found {text:?}"), "write an address".to_owned()),
        }
    }
    Some(servers)
}

/// Carriers speak no WebSocket.
fn parse_carrier_transport(text: &str) -> Option<Transport> {
    parse_transport(text).filter(|it| !matches!(it, Transport::Ws | Transport::Wss))
}

fn parse_statuses(text: &str) -> Option<RangeInclusive<u16>> {
    match text {
        "3xx" => Some(300..=399),
        "4xx" => Some(400..=499),
        "5xx" => Some(500..=599),
        _ => {
            text.parse().ok().filter(|status| (300..600).contains(status)).map(|status: u16| status..=status)
        }
    }
}

/// Our own address for the trunk's transport stands in Via and Contact.
fn check_listens(
    section: &Section<'_, '_>,
    listen: &[SipListen],
    peer: &Target,
    transport: Option<Transport>,
) {
    let fits = |it: &SipListen| {
        transport.is_none_or(|transport| transport == it.transport)
            && peer.address().is_none_or(|address| address.is_ipv4() == it.address.is_ipv4())
    };
    if listen.is_empty() || listen.iter().any(fits) {
        return;
    }
    let name = transport.unwrap_or(Transport::Udp).name();
    let version = match peer.address() {
        Some(address) if address.is_ipv4() => " over IPv4",
        Some(_) => " over IPv6",
        None => "",
    };
    let message = format!("nothing listens on {name}{version}, so it could not answer");
    section.problem_here(message, format!("add \"{name}:ADDRESS:PORT\" to sip.listen"));
}

/// The credentials of a trunk: none when it has neither user name nor password.
pub(super) fn read_credentials(section: &Section<'_, '_>) -> Option<Option<TrunkCredentials>> {
    const KEYS: [&str; 3] = ["username", "password", "realm"];
    section.know(&KEYS);
    if !KEYS.into_iter().any(|key| section.has(key)) {
        return Some(None);
    }
    let username = section.string("username", "the user name that the carrier gave you").map(|(it, _)| it);
    let password = section.secret("password", "the password that the carrier gave you");
    let realm = match section.has("realm") {
        true => section.string("realm", "the realm of the carrier's challenges").map(|(it, _)| Some(it)),
        false => Some(None),
    };
    Some(Some(TrunkCredentials { username: username?, password: password?, realm: realm? }))
}
