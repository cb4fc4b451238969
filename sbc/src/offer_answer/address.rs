//! Where media goes: the addresses of a peer's description, and ours of each family (RFC 6157).

use std::net::{IpAddr, SocketAddr};

use super::Negotiation;
use crate::sdp::{Media, SessionDescription};

impl Negotiation {
    /// The same where we have an address of each family. What is said first is for a peer who is spoken to by IPv4, or by
    /// IPv6; what answers is as the offer (RFC 6157 §3.1).
    pub(crate) fn also_at(mut self, other: Option<IpAddr>, is_ipv4: bool) -> Self {
        self.other_address = other.filter(|other| other.is_ipv4() != self.local.rtp.is_ipv4());
        self.turn_to(is_ipv4);
        self
    }

    /// Goes on at our address of that family, if we have one.
    pub(super) fn turn_to(&mut self, is_ipv4: bool) {
        if self.local.rtp.is_ipv4() != is_ipv4
            && let Some(other) = self.other_address
        {
            self.other_address = Some(self.local.rtp.ip());
            self.local.rtp.set_ip(other);
        }
    }

    pub(super) fn can_speak_to(&self, remote: &SocketAddr) -> bool {
        remote.is_ipv4() == self.local.rtp.is_ipv4() || self.other_address.is_some()
    }

    /// Our addresses, the one of the peer's family first.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        std::iter::once(self.local.rtp.ip()).chain(self.other_address).collect()
    }
}

/// Whether all streams that a description asks for can be reached over that IP version.
pub(crate) fn is_reachable_over(description: &[u8], is_ipv4: bool) -> bool {
    // Nearly every call: no address of the other version, and nothing more to be read.
    if is_ipv4 && !has_ipv6_address(description) {
        return true;
    }
    let Ok(description) = SessionDescription::parse(description) else { return false };
    let mut streams = description.media.iter().filter(|media| media.port != 0);
    streams.all(|media| {
        let address = description.connection_of(media).and_then(|connection| connection.address.ip());
        // With ICE there may be others.
        media.attribute("candidate").is_some()
            || address.is_none_or(|it| it.is_unspecified() || it.is_ipv4() == is_ipv4)
    })
}

/// Whether a `c=` line has a colon, as addresses of IPv6 have and nothing else there (RFC 8866 §5.7).
fn has_ipv6_address(description: &[u8]) -> bool {
    let mut connections = description.split(|octet| *octet == b'\n').filter(|line| line.starts_with(b"c="));
    connections.any(|line| line.contains(&b':'))
}

/// Where an audio stream wants RTP; `None` when it is not one we can speak to.
pub(super) fn remote_address(description: &SessionDescription, media: &Media) -> Option<SocketAddr> {
    if media.kind != "audio" || media.port == 0 {
        return None;
    }
    let connection = description.connection_of(media)?;
    let address = connection.address.ip().filter(|address| !address.is_multicast())?;
    Some(SocketAddr::new(address, media.port))
}

/// RFC 3605, else the next port (RFC 3550 §11).
pub(super) fn remote_rtcp(media: &Media, remote_rtp: SocketAddr) -> SocketAddr {
    match media.rtcp() {
        Some(rtcp) => SocketAddr::new(rtcp.ip().unwrap_or(remote_rtp.ip()), rtcp.port),
        None => SocketAddr::new(remote_rtp.ip(), remote_rtp.port().saturating_add(1)),
    }
}
