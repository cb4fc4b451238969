//! What was agreed about an endpoint's stream, and the paths of its packets.

use std::net::SocketAddr;

use crate::latch::Latch;
use crate::{Direction, InBand, StreamParameters};

/// What offer and answer agreed, and where packets come from and go.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) stream: StreamParameters,
    /// Ticks of a packet of ours.
    pub(super) packet_ticks: u32,
    pub(super) rtp: Latch,
    pub(super) rtcp: Latch,
}

impl Agreed {
    pub(super) const fn may_receive(&self) -> bool {
        matches!(self.stream.direction, Direction::SendReceive | Direction::ReceiveOnly)
    }

    /// Whether dual tones go to the party as they are; else their keys go to it by another way, and it would have
    /// them twice.
    pub(super) const fn hears_tones(&self) -> bool {
        match self.stream.in_band {
            InBand::Sounds => self.stream.send_event_payload_type.is_none(),
            InBand::Heard => false,
            InBand::HeardAndSent => true,
        }
    }

    /// The only place from which packets can be believed until something else is agreed; checks of ICE come from
    /// anywhere (RFC 8445 §7.3).
    #[inline]
    pub(super) fn settled_at(&self) -> Option<SocketAddr> {
        if self.stream.ice.is_some() { None } else { self.rtp.fixed_at() }
    }

    /// Where packets may go now; nowhere while the party's address is a placeholder (RFC 3264 §8.4) or it does
    /// not want them.
    #[inline]
    pub(super) fn send_to(&self) -> Option<SocketAddr> {
        let wanted = matches!(self.stream.direction, Direction::SendReceive | Direction::SendOnly);
        let open = wanted && self.rtp.is_open() && is_reachable(self.rtp.destination());
        open.then(|| self.rtp.destination())
    }

    /// The party may have moved, so a latch is open again; until it speaks it is where it was.
    pub(super) fn keep_path_of(&mut self, before: &Self) {
        if self.stream.ice.is_some() && before.stream.ice == self.stream.ice {
            // No new checks are due: it was no restart (RFC 8445 §4, "ICE restart").
            (self.rtp, self.rtcp) = (before.rtp, before.rtcp);
        } else if before.stream.remote_rtp == self.stream.remote_rtp
            && before.stream.latch == self.stream.latch
        {
            self.rtp.follow(before.rtp.destination());
            self.rtcp.follow(before.rtcp.destination());
        }
    }

    /// An authentic packet came from `source`.
    #[inline]
    pub(super) fn believe(&mut self, source: SocketAddr) {
        if self.rtp.fix(source) {
            let as_signalled = source == self.stream.remote_rtp;
            self.rtcp.follow(if as_signalled { self.stream.remote_rtcp } else { next_port(source) });
        }
    }

    pub(super) fn report_to(&self) -> Option<SocketAddr> {
        let latch = if self.stream.rtcp_mux { &self.rtp } else { &self.rtcp };
        Some(latch.destination()).filter(|address| latch.is_open() && is_reachable(*address))
    }
}

pub(super) fn is_reachable(address: SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified()
}

/// Where RTCP goes by default (RFC 3550 §11).
fn next_port(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1))
}
