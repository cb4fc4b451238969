//! How calls reach a carrier, and who we are to it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use super::{SOCKET_ADDRESS, parse_transport};
use crate::address::IpPrefix;
use crate::model::{Health, Route, RouteSet, SipListen, Transport, TrunkCredentials};
use crate::reader::{Names, Section};

/// The most destinations of a trunk, trunks of a route set, and route sets.
const MAX_ROUTES: usize = 16;
const MAX_TRUNKS_PER_SET: usize = 16;
const MAX_ROUTE_SETS: usize = 1_000;
/// The most entries of `failover_on` and `dead_on`.
const MAX_STATUSES: usize = 64;

const DESTINATION: &str = "a SIP URI such as \"sip:192.0.2.10:5060\" or \"sip:[2001:db8::1];transport=tcp\"";
const STATUSES: &str = "a list of final statuses and classes such as [\"408\", \"5xx\"]";

/// Timeouts, overload and other failures of the server itself (RFC 3263 §4.3), and a flow that is gone.
const FAILOVER_ON: [RangeInclusive<u16>; 3] = [408..=408, 430..=430, 500..=599];

/// What a proxy answers whose gateway is gone; all other answers say that somebody is there.
const DEAD_ON: [RangeInclusive<u16>; 2] = [408..=408, 503..=503];

/// Where calls to a trunk go: `peer` and `transport`, or its first route.
pub(super) fn read_peer(
    section: &Section<'_, '_>,
    listen: &[SipListen],
    routes: Option<&[Route]>,
) -> (Option<SocketAddr>, Option<Transport>) {
    section.know(&["peer", "transport"]);
    if section.has("route") {
        for key in ["peer", "transport"].into_iter().filter(|key| section.has(key)) {
            section.problem_here(format!("there are both {key} and routes"), format!("leave out {key}"));
        }
        let first = routes.and_then(<[Route]>::first);
        return (first.map(|route| route.address), first.map(|route| route.transport));
    }
    let peer = section.parsed("peer", SOCKET_ADDRESS, |text| text.parse::<SocketAddr>().ok());
    let transport =
        section.parsed_or("transport", "udp, tcp or tls", Transport::Udp, parse_carrier_transport);
    if let (Some(transport), Some(peer)) = (transport, peer) {
        check_listens(section, listen, transport, peer);
    }
    (peer, transport)
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
    if let Some((address, transport)) = to {
        check_listens(&section, listen, transport, address);
        let ip = address.ip();
        if sources.is_some_and(|sources| !sources.iter().any(|it| it.contains(ip))) {
            let message = format!("{ip} is none of the trunk's sources, so its answers would not be heard");
            section.problem_here(message, format!("add \"{ip}\" to sources"));
        }
    }
    section.finish();
    let (address, transport) = to?;
    let number = |number: u32| u16::try_from(number).ok();
    Some(Route {
        address,
        transport,
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
        let known = |(name, field): &&(String, _)| section.check_reference(name, field, "trunk", names);
        let trunks = entries.iter().filter(known).map(|(name, _)| name.clone()).collect();
        let name = section.new_name("name", names);
        section.finish();
        sets.extend(name.map(|name| RouteSet { name, trunks }));
    }
    sets
}

/// `sip:ADDRESS[:PORT][;transport=…]`; the port is the transport's own when it is not said (RFC 3261 §19.1.2).
fn parse_destination(text: &str) -> Option<(SocketAddr, Transport)> {
    let rest = text.strip_prefix("sip:")?;
    let (host, transport) = match rest.split_once(';') {
        None => (rest, Transport::Udp),
        Some((host, parameter)) => (host, parse_carrier_transport(parameter.strip_prefix("transport=")?)?),
    };
    let port = if transport == Transport::Tls { 5_061 } else { 5_060 };
    let bare = || {
        let ip = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        Some(SocketAddr::new(ip.parse().ok()?, port))
    };
    let address = host.parse().ok().or_else(bare)?;
    Some((address, transport))
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
fn check_listens(section: &Section<'_, '_>, listen: &[SipListen], transport: Transport, peer: SocketAddr) {
    let fits = |it: &SipListen| it.transport == transport && it.address.is_ipv4() == peer.is_ipv4();
    if !listen.is_empty() && !listen.iter().any(fits) {
        let version = if peer.is_ipv4() { "IPv4" } else { "IPv6" };
        let name = transport.name();
        let message = format!("nothing listens on {name} over {version}, so it could not answer");
        section.problem_here(message, format!("add \"{name}:ADDRESS:PORT\" to sip.listen"));
    }
}

/// The credentials of a trunk: none when it has neither user name nor password.
pub(super) fn read_credentials(section: &Section<'_, '_>) -> Option<Option<TrunkCredentials>> {
    const KEYS: [&str; 3] = ["username", "password", "realm"];
    section.know(&KEYS);
    if !KEYS.into_iter().any(|key| section.has(key)) {
        return Some(None);
    }
    let username = section.string("username", "the user name that the carrier gave you").map(|(it, _)| it);
    let password = section.string("password", "the password that the carrier gave you").map(|(it, _)| it);
    let realm = match section.has("realm") {
        true => section.string("realm", "the realm of the carrier's challenges").map(|(it, _)| Some(it)),
        false => Some(None),
    };
    Some(Some(TrunkCredentials { username: username?, password: password?, realm: realm? }))
}
