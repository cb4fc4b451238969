//! The media worker as a state machine: packets, commands and time in; packets, socket requests and events out.
//!
//! ```text
//! shell: for each command     worker.handle_command(now, command)
//!        for each packet      match worker.handle_packet(now, endpoint, channel, source, &mut buffer, len) { … }
//!        when the time comes  worker.handle_timeout(now)
//!        after each           drain poll_io, poll_transmit, poll_event
//! ```

use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use crate::{Command, EndpointId, Event};

/// One of an endpoint's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The even port.
    Rtp,
    /// The odd port.
    Rtcp,
}

/// What becomes of a received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Send the first `len` bytes of the same buffer, rewritten in place, out of `endpoint`'s RTP socket.
    Forward {
        /// Whose socket.
        endpoint: EndpointId,
        /// To whom.
        destination: SocketAddr,
        /// How many bytes.
        len: usize,
    },
    /// Nothing to send: consumed, or refused and counted.
    Done,
}

/// A packet the worker made, in a buffer of its own that lives until the next call.
#[derive(Debug)]
pub struct Transmit<'a> {
    /// Whose socket.
    pub endpoint: EndpointId,
    /// Which of the two.
    pub channel: Channel,
    /// To whom.
    pub destination: SocketAddr,
    /// What.
    pub bytes: &'a [u8],
}

/// What the worker needs of whoever owns the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoRequest {
    /// Bind a pair; answer with [`Worker::handle_bound`].
    Bind {
        /// For which endpoint.
        endpoint: EndpointId,
        /// The RTP address; RTCP is the next port.
        local: SocketAddr,
    },
    /// Close the pair; [`Event::Closed`] follows by itself.
    Unbind {
        /// Whose pair.
        endpoint: EndpointId,
    },
}

/// All endpoints of one media thread.
#[derive(Debug)]
pub struct Worker {
    _rng: ChaCha8Rng,
}

impl Worker {
    /// A worker with no endpoint. `rng` gives SSRCs and first sequence numbers.
    #[must_use]
    pub fn new(rng: ChaCha8Rng, _max_endpoints: usize) -> Self {
        Self { _rng: rng }
    }

    /// Takes a command.
    pub fn handle_command(&mut self, _now: Instant, _command: Command) {}

    /// Takes the outcome of an [`IoRequest::Bind`].
    pub fn handle_bound(&mut self, _now: Instant, _endpoint: EndpointId, _bound: bool) {}

    /// Takes a packet of `len` bytes at the start of `buffer`, which may be rewritten in place.
    pub fn handle_packet(
        &mut self,
        _now: Instant,
        _endpoint: EndpointId,
        _channel: Channel,
        _source: SocketAddr,
        _buffer: &mut [u8],
        _len: usize,
    ) -> Disposition {
        Disposition::Done
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// When [`Worker::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next socket request.
    pub fn poll_io(&mut self) -> Option<IoRequest> {
        None
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        None
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
}
