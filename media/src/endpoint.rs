//! One open endpoint: what it receives, what it sends, and what it is asked to play and collect.

mod agreed;
mod codes;
mod collision;
mod ear;
mod history;
mod keys;
mod listening;
mod one_way;
mod plays;
mod recorded;
mod seated;
mod security;
mod sending;
mod settled;
mod voice;

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use agreed::Agreed;
use codes::Codes;
use collision::Collision;
use ear::Ear;
use history::History;
pub(crate) use keys::Way;
use keys::{Listener, Pressed};
use listening::Listening;
use one_way::OneWay;
use recorded::Recording;
use settled::Place;
use voice::Conversation;

use crate::codec::silence::SilenceSaver;
use crate::codec::{Encoder, MAX_PAYLOAD_LEN, Rate, comfort_noise};
use crate::collector::Collector;
use crate::counters::{Counters, Refusal};
use crate::event_queue::EventQueue;
use crate::keying::Keying;
use crate::latch::Latch;
use crate::mix::Seat;
use crate::outgoing::Outgoing;
use crate::packet_time::Measured;
use crate::playing::Playing;
use crate::protection::Guard;
use crate::reception::{Arrival, Reception};
use crate::rtcp::MAX_COMPOUND_LEN;
use crate::rtcp_session::RtcpSession;
use crate::rtp::{HEADER_LEN, Header};
use crate::srtp::MAX_TRAILER_LEN;
use crate::telephone_event::{EventBlock, PressDetector};
use crate::{Codec, Digit, Direction, EndpointId, Event, HandshakeId, InBand, StreamParameters};

/// The audio of a packet before anything was agreed.
const DEFAULT_PTIME: Duration = Duration::from_millis(20);
/// Packets carry at least so much audio …
const MIN_PTIME: Duration = Duration::from_millis(10);
/// … and at most so much, whatever was agreed.
const MAX_PTIME: Duration = Duration::from_millis(60);
/// Octets of the longest packet a worker makes.
pub(crate) const MAX_PACKET_LEN: usize = HEADER_LEN + MAX_PAYLOAD_LEN + MAX_TRAILER_LEN;
const _: () = assert!(MAX_PACKET_LEN >= MAX_COMPOUND_LEN + MAX_TRAILER_LEN);

/// The watch over a party that should send.
#[derive(Clone, Copy, Debug)]
enum Watch {
    /// Nothing is expected, or it may stay away.
    Off,
    /// Reported when nothing came for so long.
    On(Duration),
    /// Reported; on again with the next packet.
    Reported(Duration),
}

/// A packet from the party that may be relayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inbound {
    header: Header,
    /// Octets of the packet, without SRTP's trailer.
    len: usize,
    payload: Payload,
    restarted: bool,
    /// A key went down with it.
    pub(crate) pressed: Option<(Digit, Way)>,
    /// Its audio is a key, or may become one.
    is_key: bool,
    /// The party's packets are of another length than they were.
    pub(crate) resized: bool,
    /// Whether the endpoint's deadline may have changed.
    pub(crate) rescheduled: bool,
    /// Where it came from is the only source from now on.
    pub(crate) settles: bool,
}

#[derive(Clone, Copy, Debug)]
enum Payload {
    Audio(Codec),
    ComfortNoise,
    TelephoneEvent(EventBlock),
}

/// The endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: EndpointId,
    /// The other end of the bridge; itself for an echo.
    pub(crate) bridge: Option<EndpointId>,
    /// In a conference.
    seat: Option<Box<Seat>>,
    /// Whether it is in the worker's outbox.
    pub(crate) queued: bool,
    agreed: Option<Agreed>,
    guard: Guard,
    /// The handshake begun last.
    handshake: HandshakeId,
    /// Where the party's handshake comes from; its RTP is believed from there when it is done.
    handshake_source: Option<SocketAddr>,
    place: Place,
    outgoing: Outgoing,
    collision: Collision,
    reception: Reception,
    /// How much audio the party's packets have.
    packets: Measured,
    presses: PressDetector,
    /// Listens for keys in the audio.
    in_band: Option<Box<Listener>>,
    /// Finds out what answers.
    listening: Option<Box<Listening>>,
    /// The latest key that the party pressed.
    pressed: Option<Pressed>,
    codes: Option<Box<Codes>>,
    collector: Collector,
    /// Keys to be pressed for the party to hear.
    keying: Keying,
    playing: Option<Box<Playing>>,
    /// Listens for the party's voice, which ends what plays.
    ear: Option<Box<Ear>>,
    /// Of what is made here for the party; none before there was anything.
    encoder: Option<Encoder>,
    /// Of a party that is told its silence.
    silence: Option<Box<SilenceSaver>>,
    /// With a bridged party whose packets are not for this one as they are.
    conversation: Option<Box<Conversation>>,
    /// Whether telephone-events of the bridged party are relayed as they are.
    relays_events: bool,
    recording: Option<Box<Recording>>,
    /// No frame may be due earlier: the latest one of the play before still sounds.
    free_at: Instant,
    rtcp: RtcpSession,
    /// Of its quality, from when media was agreed.
    history: Option<History>,
    report_due: bool,
    watch: Watch,
    one_way: OneWay,
    /// Whether its latest packet was one after which a sender that saves silence may pause.
    announces_pause: bool,
    heard_at: Instant,
    media_started: bool,
    packets_refused: u64,
    digits_received: u32,
}

impl Endpoint {
    pub(crate) fn new(now: Instant, id: EndpointId, rng: &mut ChaCha8Rng) -> Self {
        Self {
            id,
            bridge: None,
            seat: None,
            queued: false,
            agreed: None,
            guard: Guard::Plain,
            handshake: HandshakeId::default(),
            handshake_source: None,
            place: Place::Abroad,
            outgoing: Outgoing::new(rng),
            collision: Collision::None,
            reception: Reception::default(),
            packets: Measured::default(),
            presses: PressDetector::default(),
            in_band: None,
            listening: None,
            pressed: None,
            codes: None,
            collector: Collector::default(),
            keying: Keying::default(),
            playing: None,
            ear: None,
            encoder: None,
            silence: None,
            conversation: None,
            relays_events: true,
            recording: None,
            free_at: now,
            rtcp: RtcpSession::new(rng),
            history: None,
            report_due: false,
            watch: Watch::Off,
            one_way: OneWay::Off,
            announces_pause: false,
            heard_at: now,
            media_started: false,
            packets_refused: 0,
            digits_received: 0,
        }
    }

    // Commands.

    /// Takes what was agreed; whether a handshake is to begin.
    pub(crate) fn configure(
        &mut self,
        now: Instant,
        mut stream: StreamParameters,
        rng: &mut ChaCha8Rng,
    ) -> bool {
        stream.ptime = stream.codec.fit_ptime(stream.ptime.clamp(MIN_PTIME, MAX_PTIME));
        let clock_hz = stream.codec.clock_hz();
        self.outgoing.set_clock(clock_hz);
        self.reception.set_clock(clock_hz);
        self.presses.set_clock(stream.event_clock_hz);
        if self.encoder.as_ref().is_some_and(|encoder| encoder.codec() != stream.codec) {
            self.encoder = None;
        }
        self.save_silence(stream.comfort_noise);
        let latch = |signalled| match stream.ice {
            None => Latch::new(signalled, stream.latch),
            Some(_) => Latch::unchecked(signalled),
        };
        let mut agreed = Agreed {
            rtp: latch(stream.remote_rtp),
            rtcp: latch(stream.remote_rtcp),
            packet_ticks: stream.ptime.as_millis() as u32 * (clock_hz / 1_000),
            stream,
        };
        let before = self.agreed.take();
        if let Some(before) = &before {
            agreed.keep_path_of(before);
        }
        let begins = self.secure(before.map(|before| before.stream.security), &agreed.stream.security, rng);
        self.watch = match agreed.stream.media_timeout {
            Some(timeout) if agreed.may_receive() => Watch::On(timeout),
            _ => Watch::Off,
        };
        self.one_way = OneWay::expect(now, agreed.stream.direction == Direction::SendReceive);
        self.in_band = match agreed.stream.in_band {
            InBand::Sounds => None,
            InBand::Heard | InBand::HeardAndSent => {
                let before = self.in_band.take().filter(|listener| listener.codec() == agreed.stream.codec);
                Some(before.unwrap_or_else(|| Box::new(Listener::new(agreed.stream.codec))))
            }
        };
        self.heard_at = now;
        self.outgoing.resynchronise();
        if self.ear.as_ref().is_some_and(|ear| ear.codec() != agreed.stream.codec) {
            self.ear = Some(Box::new(Ear::new(agreed.stream.codec)));
        }
        self.rtcp.start(now, agreed.stream.extended_reports, rng);
        self.history.get_or_insert_with(|| History::new(now, &self.reception));
        self.agreed = Some(agreed);
        self.resettle();
        begins
    }

    /// The rate of what the party hears; of the telephone before anything is agreed.
    pub(crate) fn codec_rate(&self) -> Rate {
        self.agreed.as_ref().map_or(Rate::Narrowband, |agreed| agreed.stream.codec.rate())
    }

    pub(crate) fn bridge(&mut self, now: Instant, other: EndpointId, events: &mut EventQueue) {
        self.stop(now, events);
        self.collector.forget_typed_ahead();
        self.forget_codes();
        self.outgoing.resynchronise();
        self.bridge = Some(other);
    }

    pub(crate) fn unbridge(&mut self) {
        self.bridge = None;
        self.conversation = None;
        self.outgoing.resynchronise();
    }

    /// Whether the party is owed a goodbye: it was sent something, and can be reached (RFC 3550 §6.3.7).
    pub(crate) fn owes_goodbye(&self) -> bool {
        let known = self.outgoing.packets() > 0 || self.rtcp.has_reported();
        known && self.agreed.as_ref().is_some_and(|agreed| agreed.report_to().is_some())
    }

    // Packets.

    /// Takes an RTP packet.
    #[inline]
    pub(crate) fn receive_rtp(
        &mut self,
        now: Instant,
        source: SocketAddr,
        packet: &mut [u8],
        counters: &mut Counters,
        events: &mut EventQueue,
    ) -> Result<Inbound, Refusal> {
        let mut inbound = match self.check_rtp(now, source, packet) {
            Ok(inbound) => inbound,
            Err(refusal) => {
                self.packets_refused += 1;
                return Err(refusal);
            }
        };
        counters.rtp_received += 1;
        if !self.media_started {
            self.media_started = true;
            events.push(Event::MediaStarted { endpoint: self.id, source });
        }
        match inbound.payload {
            Payload::TelephoneEvent(block) => {
                inbound.rescheduled = true;
                inbound.pressed = self.receive_event(now, &inbound.header, block, counters, events);
            }
            Payload::Audio(codec) => {
                let payload = packet.get(inbound.header.payload()).unwrap_or_default();
                inbound.resized = self.packets.take(codec, payload);
                if let Some(listener) = self.in_band.take() {
                    self.listen(now, listener, packet, &mut inbound, counters, events);
                }
                self.listen_on(now, packet, &mut inbound, events);
            }
            Payload::ComfortNoise => {}
        }
        self.hear_voice(now, packet, &mut inbound, events);
        self.record_said(now, &inbound, packet);
        self.converse(now, &inbound, packet);
        self.confer(now, &inbound, packet);
        Ok(inbound)
    }

    #[inline]
    fn check_rtp(&mut self, now: Instant, source: SocketAddr, packet: &mut [u8]) -> Result<Inbound, Refusal> {
        let agreed = self.agreed.as_mut().ok_or(Refusal::NotAgreed)?;
        if !agreed.rtp.admits(source) {
            return Err(Refusal::Source);
        }
        let len = self.guard.unprotect_rtp(packet)?;
        let packet = packet.get(..len).ok_or(Refusal::Malformed)?;
        let header = Header::parse(packet).ok_or(Refusal::Malformed)?;
        if !agreed.may_receive() {
            return Err(Refusal::Direction);
        }
        let payload = if header.payload_type == agreed.stream.receive_payload_type {
            Payload::Audio(agreed.stream.codec)
        } else if Some(header.payload_type) == agreed.stream.receive_event_payload_type {
            let block = packet.get(header.payload()).and_then(EventBlock::parse);
            Payload::TelephoneEvent(block.ok_or(Refusal::Malformed)?)
        } else if agreed.stream.comfort_noise && header.payload_type == comfort_noise::PAYLOAD_TYPE {
            Payload::ComfortNoise
        } else {
            return Err(Refusal::PayloadType);
        };
        agreed.believe(source);
        let restarted =
            match self.reception.receive(now, &header, !matches!(payload, Payload::TelephoneEvent(_))) {
                Arrival::Counted => false,
                Arrival::Restarted => {
                    self.presses.restart();
                    true
                }
                Arrival::Suspect => return Err(Refusal::SequenceJump),
            };
        self.heard_at = now;
        self.announces_pause = payload.announces_pause(header.payload().len(), self.announces_pause);
        let mut rescheduled = self.one_way.heard(now) | self.collides(header.ssrc);
        if let Watch::Reported(timeout) = self.watch {
            self.watch = Watch::On(timeout);
            rescheduled = true;
        }
        let settles = self.settle(source);
        Ok(Inbound {
            header,
            len,
            payload,
            restarted,
            pressed: None,
            is_key: false,
            resized: false,
            rescheduled,
            settles,
        })
    }

    /// Relays a packet of the bridged party to this one, rewritten in place; where it goes and its length, none when
    /// it is not to be sent.
    #[inline]
    pub(crate) fn relay(
        &mut self,
        now: Instant,
        inbound: &Inbound,
        buffer: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        let sent = self.stamp_relayed(now, inbound, buffer);
        if sent.is_none() && inbound.restarted {
            self.outgoing.resynchronise();
        }
        sent
    }

    #[inline]
    fn stamp_relayed(
        &mut self,
        now: Instant,
        inbound: &Inbound,
        buffer: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        let agreed = self.agreed.as_ref()?;
        let destination = agreed.send_to()?;
        if self.playing.is_some() || self.keying.is_down() {
            return None;
        }
        let hides_key = inbound.is_key && !agreed.hears_tones();
        if hides_key && agreed.stream.codec.law().is_none() {
            // No octets are silence whatever came before them: the party's own concealment fills the gap.
            return None;
        }
        let payload_type = match inbound.payload {
            Payload::Audio(_) => agreed.stream.send_payload_type,
            Payload::ComfortNoise => comfort_noise::PAYLOAD_TYPE,
            Payload::TelephoneEvent(_) if !self.relays_events => return None,
            Payload::TelephoneEvent(_) => agreed.stream.send_event_payload_type?,
        };
        let ticks = agreed.packet_ticks;
        let stamp = self.outgoing.relay(now, &inbound.header, inbound.restarted, ticks, payload_type)?;
        let len = inbound.header.strip(buffer.get_mut(..inbound.len)?, inbound.len)?;
        let packet = buffer.get_mut(..len)?;
        let payload = packet.get_mut(HEADER_LEN..)?;
        if let Payload::Audio(codec) = inbound.payload
            && let (Some(theirs), Some(ours)) = (codec.law(), agreed.stream.codec.law())
        {
            if hides_key {
                payload.fill(theirs.silence());
            }
            theirs.transcode(ours, payload);
        }
        let octets = payload.len();
        stamp.rewrite(packet);
        self.record_relayed(now, inbound, &stamp, buffer.get(..len)?);
        let len = self.guard.protect_rtp(buffer, len)?;
        self.outgoing.sent(octets);
        Some((destination, len))
    }

    /// Whether a packet to the RTP port is RTCP (RFC 5761 §4).
    #[inline]
    pub(crate) fn is_muxed_rtcp(&self, packet: &[u8]) -> bool {
        matches!(packet.get(1), Some(192..=223))
            && self.agreed.as_ref().is_some_and(|agreed| agreed.stream.rtcp_mux)
    }

    /// Takes an RTCP packet.
    pub(crate) fn receive_rtcp(
        &mut self,
        now: Instant,
        source: SocketAddr,
        packet: &mut [u8],
    ) -> Result<(), Refusal> {
        let received = self.check_rtcp(now, source, packet);
        if received.is_err() {
            self.packets_refused += 1;
        }
        received
    }

    fn check_rtcp(&mut self, now: Instant, source: SocketAddr, packet: &mut [u8]) -> Result<(), Refusal> {
        let agreed = self.agreed.as_mut().ok_or(Refusal::NotAgreed)?;
        let latch = if agreed.stream.rtcp_mux { &mut agreed.rtp } else { &mut agreed.rtcp };
        if !latch.admits(source) {
            return Err(Refusal::Source);
        }
        let len = self.guard.unprotect_rtcp(packet)?;
        let packet = packet.get(..len).ok_or(Refusal::Malformed)?;
        if !self.rtcp.receive(now, packet, &self.outgoing) {
            return Err(Refusal::Malformed);
        }
        if let Some(encoder) = &mut self.encoder {
            encoder.expect_loss(self.rtcp.recent_loss_percent() as u8);
        }
        latch.fix(source);
        Ok(())
    }

    // Time.

    /// When [`Endpoint::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let silence = match self.watch {
            Watch::On(timeout) => Some(self.heard_at + timeout),
            Watch::Off | Watch::Reported(_) => None,
        };
        let tick = self.playing.as_deref().map(Playing::tick_at);
        let key = self.keys_deadline();
        let turn = self.conversation.as_ref().map(|conversation| conversation.turn_at());
        let listening = self.listening.as_ref().map(|listening| listening.deadline());
        let one_way = self.one_way.deadline();
        let point = self.history.as_ref().map(History::deadline);
        let collision = self.collision.is_seen().then_some(self.heard_at);
        let own = [tick, turn, key, self.collector.deadline(), self.rtcp.deadline(), point];
        let heard = [listening, one_way, collision, silence];
        own.into_iter().chain(heard).flatten().min()
    }

    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        rng: &mut ChaCha8Rng,
        counters: &mut Counters,
        events: &mut EventQueue,
    ) {
        self.leave_collision(rng);
        self.tick(now, counters, events);
        self.take_turn(now, counters);
        self.time_keys(now);
        let outcome = self.collector.timeout(now);
        self.report(outcome, events);
        self.watch_one_way(now, counters, events);
        self.listen_in_silence(now, events);
        if self.rtcp.take_due(now, rng) {
            self.report_due = true;
        }
        self.measure(now);
        if let Watch::On(timeout) = self.watch
            && self.heard_at + timeout <= now
        {
            self.watch = Watch::Reported(timeout);
            self.unsettle();
            events.push(Event::MediaTimeout { endpoint: self.id });
        }
    }

    fn ptime(&self) -> Duration {
        self.agreed.as_ref().map_or(DEFAULT_PTIME, |agreed| agreed.stream.ptime)
    }
}
