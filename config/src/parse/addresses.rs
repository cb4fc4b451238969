//! Addresses that cannot be what they are written for: ours that are given away already, and carriers' that nobody would be
//! heard from. What could not be bound, or would never work, is told with the configuration.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use crate::address::IpPrefix;
use crate::model::{SipListen, Target, Transport};
use crate::reader::{Field, Section};

/// TCP knows nothing of what is on top of it: a port is one listener's. `before` are those above it.
pub(super) fn check_listener(
    section: &Section<'_, '_>,
    field: &Field<'_, '_>,
    entry: &SipListen,
    before: &[SipListen],
) {
    let takes_it = |it: &&SipListen| *it != entry && is_stream(it) && it.address == entry.address;
    let other = before.iter().find(takes_it).filter(|_| is_stream(entry) && entry.address.port() > 0);
    if let Some(other) = other {
        let message = format!("{:?} has that port already", other.to_string());
        section.problem(field, message, "write another port".into());
    }
}

/// So is that of HTTP.
pub(super) fn check_http(section: &Section<'_, '_>, address: SocketAddr, listen: &[SipListen]) {
    let takes_it = |it: &&SipListen| {
        let is_same = it.address.ip() == address.ip()
            || (address.ip().is_unspecified() && it.address.is_ipv4() == address.is_ipv4());
        is_stream(it) && is_same && it.address.port() == address.port()
    };
    if let Some(other) = listen.iter().find(takes_it).filter(|_| address.port() > 0) {
        let message = format!("{:?} of sip.listen has that port already", other.to_string());
        section.problem_at("listen", message, "write another port".into());
    }
}

/// A datagram's port is SIP's or RTP's.
pub(super) fn check_rtp(
    section: &Section<'_, '_>,
    addresses: &[IpAddr],
    ports: &RangeInclusive<u16>,
    listen: &[SipListen],
) {
    let is_among = |it: &&SipListen| {
        !is_stream(it) && addresses.contains(&it.address.ip()) && ports.contains(&it.address.port())
    };
    if let Some(other) = listen.iter().find(is_among) {
        let message = format!("{:?} of sip.listen is among them", other.to_string());
        section.problem_at("ports", message, "write a range without that port".into());
    }
}

/// Where a carrier is: not where we are, and where we listen to.
pub(super) fn check_destination(
    section: &Section<'_, '_>,
    key: &'static str,
    to: &Target,
    listen: &[SipListen],
    sources: Option<&[IpPrefix]>,
) {
    let Some(address) = to.address() else { return };
    let is_ours = |it: &&SipListen| it.address == address && Some(it.transport) == to.transport();
    if let Some(own) = listen.iter().find(is_ours) {
        let message =
            format!("{:?} of sip.listen is our own, so what goes there comes back", own.to_string());
        return section.problem_at(key, message, "write the carrier's address".into());
    }
    let ip = address.ip();
    if sources.is_some_and(|sources| !sources.iter().any(|it| it.contains(ip))) {
        let message = format!("{ip} is none of the trunk's sources, so its answers would not be heard");
        section.problem_at(key, message, format!("add \"{ip}\" to sources"));
    }
}

fn is_stream(listen: &SipListen) -> bool {
    listen.transport != Transport::Udp
}
