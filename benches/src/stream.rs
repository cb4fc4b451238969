//! What the parties of the media benches agree on, where a bench says nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_media::{Codec, Direction, InBand, LatchPolicy, Security, StreamParameters};

/// A party in clear with keys as events: 20 ms packets, and RTCP that is not counted (RFC 5761: on the same port, though nobody has
/// agreed on it).
#[must_use]
pub fn stream(party: SocketAddr, codec: Codec) -> StreamParameters {
    StreamParameters {
        remote_rtp: party,
        remote_rtcp: party,
        codec,
        send_payload_type: 0,
        receive_payload_type: 0,
        send_event_payload_type: Some(101),
        receive_event_payload_type: Some(101),
        event_clock_hz: 8_000,
        comfort_noise: false,
        in_band: InBand::Sounds,
        direction: Direction::SendReceive,
        ptime: Duration::from_millis(20),
        latch: LatchPolicy::Signalled,
        media_timeout: None,
        rtcp_mux: false,
        extended_reports: tandem_media::ExtendedReports::InReturn,
        security: Security::Plain,
        ice: None,
    }
}
