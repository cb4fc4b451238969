//! The media worker as a state machine: packets, commands and time in; packets, socket requests and events out.
//!
//! ```text
//! shell: for each command     worker.handle_command(now, command)
//!        for each packet      match worker.handle_packet(now, endpoint, channel, source, &mut buffer, len) { … }
//!        when the time comes  worker.handle_timeout(now)
//!        after each           drain poll_io, poll_transmit, poll_event
//! ```
//!
//! An endpoint lives in the slot that its id names:
//!
//! ```text
//!        Open           bound             Close, and the party was sent something   timeout (at once)
//! Free ───────► Binding ─────► Opened ─────────────────────────────────► Leaving ─────────► Free, Closed
//!                │   │            └─ Close otherwise ─► Free, Closed    (RTCP BYE)
//!                │   └─ not bound ─► Free, OpenFailed
//!                └─ Close ─► Abandoned ── bound ─► Free, Closed; not bound ─► Free, OpenFailed
//!
//!       TakeOver            bound              HandOver
//! Free ─────────► Arriving ──────► Opened ────────────────► Free, HandedOver
//!                    └─ not bound ─► Free, Closed
//! ```
//!
//! A bridge on one end names the other; both are changed together, so neither ever names an endpoint that is not
//! open. So with a seat in a conference and the room (see [`conferences`]). Commands for slots that are not `Opened`
//! are ignored and counted, except `Close` of one that is being bound.

mod bridging;
mod conferences;
mod moving;

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use crate::codec::MAX_FRAME_SAMPLES;
use crate::counters::{Counters, Refusal};
use crate::deadlines::Deadlines;
use crate::endpoint::{Endpoint, MAX_PACKET_LEN};
use crate::event_queue::{EventQueue, pop_front};
use crate::mix::Rooms;
use crate::music::Music;
use crate::player::Player;
use crate::stun;
use crate::{Command, DtlsParameters, EndpointId, Event, HandshakeId, HandshakeOutcome, StreamParameters};

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
    /// Send the first `len` bytes of the same buffer back to where the packet came from, out of the same socket.
    Answer {
        /// How many bytes.
        len: usize,
    },
    /// Hand it to the endpoint's handshake, which [`IoRequest::Handshake`] began.
    Handshake,
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
    /// Begin a DTLS handshake as [`Worker::handshake`] says, or begin it anew; give it the packets of
    /// [`Disposition::Handshake`], send its own out of the RTP socket to [`Worker::handshake_destination`], and end
    /// it with [`Worker::handle_handshake`] or when the pair is closed.
    Handshake {
        /// For which endpoint.
        endpoint: EndpointId,
    },
    /// Connect the RTP socket to the only one who is believed from now on, or, with none, to nobody: it hears everybody
    /// again. It spares work and nothing depends on it.
    Connect {
        /// Whose socket.
        endpoint: EndpointId,
        /// To whom.
        remote: Option<SocketAddr>,
    },
    /// Close the pair; [`Event::Closed`] follows by itself.
    Unbind {
        /// Whose pair.
        endpoint: EndpointId,
    },
}

/// Where an endpoint's life is; see the diagram above.
#[derive(Debug)]
enum Slot {
    Free,
    Binding(EndpointId),
    Abandoned(EndpointId),
    /// From another worker; being bound.
    Arriving(Box<Endpoint>),
    Opened(Box<Endpoint>),
    Leaving(Box<Endpoint>),
}

/// All endpoints of one media thread.
#[derive(Debug)]
pub struct Worker {
    rng: ChaCha8Rng,
    now: Instant,
    slots: Box<[Slot]>,
    taken: usize,
    deadlines: Deadlines,
    /// Slots that have packets to send, each once.
    outbox: VecDeque<u32>,
    requests: VecDeque<IoRequest>,
    events: EventQueue,
    counters: Counters,
    rooms: Rooms,
    music: Music,
    buffer: Box<[u8; MAX_PACKET_LEN]>,
    /// A frame on its way from one party to another.
    samples: Box<[i16; MAX_FRAME_SAMPLES]>,
}

impl Worker {
    /// A worker with no endpoint. `rng` gives SSRCs and first sequence numbers.
    #[must_use]
    pub fn new(rng: ChaCha8Rng, max_endpoints: usize) -> Self {
        Self {
            rng,
            now: Instant::START,
            slots: std::iter::repeat_with(|| Slot::Free).take(max_endpoints).collect(),
            taken: 0,
            // Rooms come after the endpoints; each has somebody in it.
            deadlines: Deadlines::new(2 * max_endpoints),
            outbox: VecDeque::with_capacity(max_endpoints),
            requests: VecDeque::with_capacity(max_endpoints),
            events: EventQueue::new(max_endpoints),
            counters: Counters::default(),
            rooms: Rooms::new(),
            music: Music::default(),
            buffer: Box::new([0; MAX_PACKET_LEN]),
            samples: Box::new([0; MAX_FRAME_SAMPLES]),
        }
    }

    /// Endpoints that hold a slot: bound, being bound or leaving.
    #[must_use]
    pub const fn endpoints(&self) -> usize {
        self.taken
    }

    /// Totals for metrics.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes a command.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        self.now = now;
        let done = match command {
            Command::Open { endpoint, local } => self.open(endpoint, local),
            Command::Close { endpoint } => self.close(endpoint),
            Command::HandOver { endpoint } => self.hand_over(endpoint),
            Command::TakeOver { endpoint, local, parcel } => self.take_over(endpoint, local, parcel),
            Command::Bridge { a, b } => self.bridge(a, b),
            Command::Unbridge { endpoint } => self.part(endpoint),
            Command::Join { endpoint, conference, audience } => {
                self.join_conference(endpoint, conference, audience)
            }
            Command::Voice { endpoint, to, gain } => self.voice(endpoint, to, gain),
            Command::Announce { conference, segments } => self.rooms.announce(conference, segments),
            Command::Configure { endpoint, stream } => self.configure(now, endpoint, stream),
            Command::Play { endpoint, play, segments, times, barge_in } => {
                self.change(endpoint, |endpoint, events, _| {
                    let player = Player::new(play, segments, times, barge_in, endpoint.codec_rate());
                    endpoint.play(now, player, events);
                })
            }
            Command::Collect { endpoint, collect, rules } => {
                self.change(endpoint, |endpoint, events, _| endpoint.collect(now, collect, rules, events))
            }
            Command::Digit { endpoint, digit } => self.digit(endpoint, digit),
            Command::HoldBack { endpoint, codes } => self.change(endpoint, |it, _, _| it.hold_back(codes)),
            Command::Analyse { endpoint, rules, is_answered } => {
                self.change(endpoint, |endpoint, _, _| endpoint.analyse(now, rules, is_answered))
            }
            Command::Answered { endpoint } => self.change(endpoint, |endpoint, _, _| endpoint.answered()),
            Command::Record { endpoint, tap } => self.change(endpoint, |it, _, _| it.record(now, tap)),
            Command::PauseRecording { endpoint, pause } => {
                self.change(endpoint, |endpoint, _, _| endpoint.pause_recording(now, pause))
            }
            Command::StopRecording { endpoint } => {
                self.change(endpoint, |endpoint, _, _| endpoint.stop_recording(now))
            }
            Command::Stop { endpoint } => {
                self.change(endpoint, |endpoint, events, _| endpoint.stop(now, events))
            }
        };
        if done.is_none() {
            self.counters.commands_ignored += 1;
        }
    }

    /// Takes the outcome of an [`IoRequest::Bind`].
    pub fn handle_bound(&mut self, now: Instant, endpoint: EndpointId, bound: bool) {
        self.now = now;
        let Some(slot) = self.slots.get_mut(endpoint.index as usize) else { return };
        if let Slot::Arriving(arriving) = slot
            && arriving.id == endpoint
        {
            return self.arrive(endpoint, bound);
        }
        match (&*slot, bound) {
            (Slot::Binding(id), true) if *id == endpoint => {
                *slot = Slot::Opened(Box::new(Endpoint::new(now, endpoint, &mut self.rng)));
                self.events.push(Event::Opened { endpoint });
            }
            (Slot::Abandoned(id), true) if *id == endpoint => {
                self.requests.push_back(IoRequest::Unbind { endpoint });
                self.free(endpoint);
                self.events.push(Event::Closed { endpoint, statistics: Default::default() });
            }
            (Slot::Binding(id) | Slot::Abandoned(id), false) if *id == endpoint => {
                self.free(endpoint);
                self.events.push(Event::OpenFailed { endpoint });
            }
            _ => {}
        }
    }

    /// The handshake under way and what it has to know, while one is agreed on.
    #[must_use]
    pub fn handshake(&mut self, endpoint: EndpointId) -> Option<(HandshakeId, &DtlsParameters)> {
        opened(&mut self.slots, endpoint)?.handshake()
    }

    /// Where a handshake's packets go; nowhere before a check has shown the way, when the party uses ICE.
    #[must_use]
    pub fn handshake_destination(&mut self, endpoint: EndpointId) -> Option<SocketAddr> {
        opened(&mut self.slots, endpoint)?.handshake_destination()
    }

    /// Takes what came of a handshake; nothing happens when another one has begun since.
    pub fn handle_handshake(
        &mut self,
        now: Instant,
        endpoint: EndpointId,
        handshake: HandshakeId,
        outcome: HandshakeOutcome,
    ) {
        self.now = now;
        // The endpoint may have closed meanwhile.
        let _ = self.change(endpoint, |endpoint, events, rng| {
            endpoint.finish_handshake(handshake, outcome, rng, events);
        });
    }

    /// Takes a packet of `len` bytes at the start of `buffer`, which may be rewritten in place. To be relayed under
    /// SRTP it needs room behind it, [`crate::srtp::MAX_TRAILER_LEN`] at most.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        endpoint: EndpointId,
        channel: Channel,
        source: SocketAddr,
        buffer: &mut [u8],
        len: usize,
    ) -> Disposition {
        self.now = now;
        let handled = match (channel, buffer.first()) {
            // RFC 7983 §7.
            (_, Some(first)) if stun::is_stun(*first) => {
                self.handle_check(endpoint, channel, source, buffer, len)
            }
            (Channel::Rtp, Some(20..=63)) => self.handle_dtls(endpoint, source),
            (Channel::Rtp, _) => self.handle_rtp(now, endpoint, source, buffer, len),
            (Channel::Rtcp, _) => self.handle_rtcp(now, endpoint, source, buffer, len),
        };
        handled.unwrap_or_else(|refusal| {
            self.counters.refuse(refusal);
            Disposition::Done
        })
    }

    #[inline]
    fn handle_rtp(
        &mut self,
        now: Instant,
        id: EndpointId,
        source: SocketAddr,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<Disposition, Refusal> {
        let packet = buffer.get_mut(..len).ok_or(Refusal::Malformed)?;
        let endpoint = opened(&mut self.slots, id).ok_or(Refusal::UnknownEndpoint)?;
        if endpoint.is_muxed_rtcp(packet) {
            return self.handle_rtcp(now, id, source, buffer, len);
        }
        let inbound = endpoint.receive_rtp(now, source, packet, &mut self.counters, &mut self.events)?;
        if inbound.rescheduled {
            self.deadlines.set(id.index, endpoint.deadline());
        }
        if inbound.settles {
            self.requests.push_back(IoRequest::Connect { endpoint: id, remote: Some(source) });
        }
        let Some(peer) = endpoint.bridge else { return Ok(Disposition::Done) };
        let (mut converses, keeps) = (endpoint.converses(), peer != id && endpoint.keeps(&inbound));
        if inbound.resized {
            converses = self.repacketise(id, &inbound, packet);
        }
        if let Some((digit, way)) = inbound.pressed {
            self.offer_key(id, peer, digit, way);
        }
        if converses || keeps && self.skip_relayed(peer) {
            return Ok(Disposition::Done);
        }
        let relayed = opened(&mut self.slots, peer).and_then(|peer| peer.relay(now, &inbound, buffer));
        let Some((destination, len)) = relayed else {
            self.counters.not_relayed += 1;
            return Ok(Disposition::Done);
        };
        self.counters.rtp_sent += 1;
        Ok(Disposition::Forward { endpoint: peer, destination, len })
    }

    fn handle_rtcp(
        &mut self,
        now: Instant,
        id: EndpointId,
        source: SocketAddr,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<Disposition, Refusal> {
        let packet = buffer.get_mut(..len).ok_or(Refusal::Malformed)?;
        let endpoint = opened(&mut self.slots, id).ok_or(Refusal::UnknownEndpoint)?;
        endpoint.receive_rtcp(now, source, packet)?;
        self.counters.rtcp_received += 1;
        Ok(Disposition::Done)
    }

    fn handle_check(
        &mut self,
        id: EndpointId,
        channel: Channel,
        source: SocketAddr,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<Disposition, Refusal> {
        let endpoint = opened(&mut self.slots, id).ok_or(Refusal::UnknownEndpoint)?;
        let was_reachable = endpoint.handshake_destination().is_some();
        let len = endpoint.receive_check(channel, source, buffer, len)?;
        if endpoint.dtls().is_some() && !was_reachable && endpoint.handshake_destination().is_some() {
            self.requests.push_back(IoRequest::Handshake { endpoint: id });
        }
        Ok(Disposition::Answer { len })
    }

    fn handle_dtls(&mut self, id: EndpointId, source: SocketAddr) -> Result<Disposition, Refusal> {
        let endpoint = opened(&mut self.slots, id).ok_or(Refusal::UnknownEndpoint)?;
        endpoint.receive_handshake(source).map(|()| Disposition::Handshake)
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        while let Some(index) = self.deadlines.pop_due(now) {
            if let Some(room) = (index as usize).checked_sub(self.slots.len()) {
                self.mix(now, room as u32);
                continue;
            }
            match self.slots.get_mut(index as usize) {
                Some(Slot::Opened(endpoint)) => {
                    endpoint.handle_timeout(now, &mut self.rng, &mut self.counters, &mut self.events);
                    self.deadlines.set(index, endpoint.deadline());
                    self.requests.extend(disconnection(endpoint));
                    if endpoint.has_packet() && !std::mem::replace(&mut endpoint.queued, true) {
                        self.outbox.push_back(index);
                    }
                    if let (id, Some(peer)) = (endpoint.id, endpoint.bridge) {
                        self.let_go(id, peer);
                    }
                }
                Some(Slot::Leaving(endpoint)) => {
                    let (endpoint, statistics) = (endpoint.id, endpoint.statistics(now));
                    self.requests.push_back(IoRequest::Unbind { endpoint });
                    self.free(endpoint);
                    self.events.push(Event::Closed { endpoint, statistics });
                }
                _ => {}
            }
        }
    }

    /// When [`Worker::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.earliest()
    }

    /// The next socket request.
    pub fn poll_io(&mut self) -> Option<IoRequest> {
        pop_front(&mut self.requests)
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        while let Some(index) = self.outbox.front().copied() {
            if let Some(spoken) = self.next_spoken(index) {
                self.counters.rtp_sent += 1;
                let bytes = self.buffer.get(..spoken.len).unwrap_or_default();
                let (endpoint, destination) = (spoken.endpoint, spoken.destination);
                return Some(Transmit { endpoint, channel: Channel::Rtp, destination, bytes });
            }
            let made = match self.slots.get_mut(index as usize) {
                Some(Slot::Opened(endpoint)) => {
                    let made = {
                        let room = &mut self.buffer;
                        endpoint.next_packet(self.now, &mut self.music, &mut self.counters, room)
                    };
                    if !endpoint.has_packet() {
                        endpoint.queued = false;
                        pop_front(&mut self.outbox);
                    }
                    made.map(|made| (endpoint.id, made))
                }
                Some(Slot::Leaving(endpoint)) => {
                    pop_front(&mut self.outbox);
                    endpoint.queued = false;
                    let made = endpoint.write_report(self.now, true, &mut self.buffer);
                    made.map(|made| (endpoint.id, made))
                }
                _ => {
                    pop_front(&mut self.outbox);
                    None
                }
            };
            let Some((endpoint, (channel, destination, len))) = made else { continue };
            match channel {
                Channel::Rtp => self.counters.rtp_sent += 1,
                Channel::Rtcp => self.counters.rtcp_sent += 1,
            }
            let bytes = self.buffer.get(..len).unwrap_or_default();
            return Some(Transmit { endpoint, channel, destination, bytes });
        }
        None
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    // Commands; each gives none when it does not apply.

    fn open(&mut self, endpoint: EndpointId, local: SocketAddr) -> Option<()> {
        match self.slots.get_mut(endpoint.index as usize) {
            Some(slot @ Slot::Free) if local.port() < u16::MAX => {
                *slot = Slot::Binding(endpoint);
                self.taken += 1;
                self.requests.push_back(IoRequest::Bind { endpoint, local });
            }
            Some(slot) if slot.id() == Some(endpoint) => return None,
            _ => self.events.push(Event::OpenFailed { endpoint }),
        }
        Some(())
    }

    fn close(&mut self, id: EndpointId) -> Option<()> {
        let now = self.now;
        self.part(id);
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.id() == Some(id))?;
        match std::mem::replace(slot, Slot::Free) {
            Slot::Binding(_) | Slot::Arriving(_) => *slot = Slot::Abandoned(id),
            Slot::Opened(mut endpoint) => {
                endpoint.stop(now, &mut self.events);
                endpoint.stop_recording(now);
                if endpoint.owes_goodbye() && !std::mem::replace(&mut endpoint.queued, true) {
                    self.outbox.push_back(id.index);
                }
                // At `now`: the goodbye is drained before the next input, and then the sockets close.
                self.deadlines.set(id.index, Some(now));
                *slot = Slot::Leaving(endpoint);
            }
            same => {
                *slot = same;
                return None;
            }
        }
        Some(())
    }

    fn configure(&mut self, now: Instant, id: EndpointId, stream: StreamParameters) -> Option<()> {
        let mut begins = false;
        self.change(id, |endpoint, _, rng| {
            begins = endpoint.configure(now, stream, rng) && endpoint.handshake_destination().is_some();
        })?;
        if begins {
            self.requests.push_back(IoRequest::Handshake { endpoint: id });
        }
        self.join(id);
        self.retune(id);
        Some(())
    }

    /// Changes an endpoint and its deadline.
    fn change(
        &mut self,
        id: EndpointId,
        change: impl FnOnce(&mut Endpoint, &mut EventQueue, &mut ChaCha8Rng),
    ) -> Option<()> {
        let endpoint = opened(&mut self.slots, id)?;
        change(endpoint, &mut self.events, &mut self.rng);
        self.requests.extend(disconnection(endpoint));
        self.deadlines.set(id.index, endpoint.deadline());
        Some(())
    }

    fn free(&mut self, id: EndpointId) {
        if let Some(slot) = self.slots.get_mut(id.index as usize) {
            *slot = Slot::Free;
            self.taken -= 1;
            self.deadlines.set(id.index, None);
        }
    }
}

/// Of a party that may no longer be where it was.
fn disconnection(endpoint: &mut Endpoint) -> Option<IoRequest> {
    endpoint.take_left().then_some(IoRequest::Connect { endpoint: endpoint.id, remote: None })
}

impl Slot {
    const fn id(&self) -> Option<EndpointId> {
        match self {
            Self::Free => None,
            Self::Binding(id) | Self::Abandoned(id) => Some(*id),
            Self::Arriving(endpoint) | Self::Opened(endpoint) | Self::Leaving(endpoint) => Some(endpoint.id),
        }
    }

    fn opened(&mut self) -> Option<&mut Endpoint> {
        match self {
            Self::Opened(endpoint) => Some(endpoint),
            _ => None,
        }
    }
}

/// The open endpoint of an id.
#[inline]
fn opened(slots: &mut [Slot], id: EndpointId) -> Option<&mut Endpoint> {
    match slots.get_mut(id.index as usize)? {
        Slot::Opened(endpoint) if endpoint.id == id => Some(endpoint),
        _ => None,
    }
}
