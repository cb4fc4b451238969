//! The media of a call whose signalling somebody else does.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::codec::Codec;
use crate::ear::Heard;
use crate::manner::Manner;
use crate::sdp::{AudioStream, Direction};
use crate::stream::{Received, Stream};

/// telephone-event in what SIPp's scenarios offer.
const EVENT_PAYLOAD_TYPE: u8 = 101;

/// One stream each way without a call: it waits for the first packet of G.711 or G.722, takes its source for the other side,
/// and from then on speaks its tone to it, in that codec.
#[derive(Debug)]
pub struct Line {
    stream: Stream,
    other_side: Option<SocketAddr>,
}

impl Line {
    /// A line at `local` with the voice `hz`, that tells the frequencies of `listen_for` apart.
    #[must_use]
    pub fn new(mut rng: ChaCha8Rng, local: SocketAddr, hz: u16, listen_for: &[u16]) -> Self {
        let manner = Manner::polite(hz, Duration::ZERO);
        Self { stream: Stream::new(&mut rng, local, &manner, listen_for), other_side: None }
    }

    /// Takes an RTP packet.
    pub fn handle_rtp(&mut self, now: Duration, source: SocketAddr, bytes: &[u8]) {
        if self.other_side.is_none()
            && let Some(codec) = codec_of(bytes)
        {
            self.other_side = Some(source);
            let stream =
                |rtp| AudioStream::offer(rtp, &[codec], Some(EVENT_PAYLOAD_TYPE), Direction::SendReceive);
            self.stream.agree(now, &stream(self.stream.local()), &stream(source));
        }
        self.stream.handle_packet(now, source, bytes);
    }

    /// Sends what is due by `now`.
    pub fn handle_timeout(&mut self, now: Duration, mut send: impl FnMut(SocketAddr, Vec<u8>)) {
        self.stream.handle_timeout(now, |distance, destination, bytes| {
            if distance == 0 {
                send(destination, bytes);
            }
        });
    }

    /// When [`Line::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.stream.poll_timeout()
    }

    /// Presses keys one after the other, as telephone-events (RFC 4733).
    pub fn press(&mut self, digits: &str) {
        self.stream.press(digits);
    }

    /// What was heard so far.
    #[must_use]
    pub const fn heard(&self) -> &Heard {
        self.stream.heard()
    }

    /// What came in so far.
    #[must_use]
    pub const fn received(&self) -> &Received {
        self.stream.received()
    }
}

/// The codec of an RTP packet, by its static payload type (RFC 3551 §6).
fn codec_of(packet: &[u8]) -> Option<Codec> {
    let payload_type = packet.get(1)? & 0x7f;
    Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type))
}
