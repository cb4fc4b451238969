//! What is said to a party other than by relaying packets: encoded here, out of samples of a play or of what the bridged
//! party says in another codec.

use std::net::SocketAddr;

use tandem_time::Instant;

use super::{Endpoint, Inbound, MAX_PACKET_LEN, MAX_PTIME, Payload};
use crate::codec::silence::Saved;
use crate::codec::{Codec, Encoder, MAX_PAYLOAD_LEN, Rate, comfort_noise};
use crate::counters::Counters;
use crate::jitter::{DelayLimits, Kind, Playout};
use crate::rtp::{HEADER_LEN, Stamp};
use crate::schedule::Schedule;

/// A conversation with a bridged party whose packets are of no use to this one as they are.
#[derive(Debug)]
pub(super) struct Conversation {
    /// Of what this party says.
    codec: Codec,
    playout: Playout,
    /// Whether its keys' tones are kept from the other one, who has them another way.
    mutes_keys: bool,
    /// When this party hears the other one.
    schedule: Schedule,
}

impl Conversation {
    pub(super) const fn turn_at(&self) -> Instant {
        self.schedule.tick_at()
    }
}

/// How one end of a bridge gets to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    /// The rate at which the parties' audio meets; none when packets are relayed.
    pub(crate) rate: Option<Rate>,
    /// Whether telephone-events are relayed.
    pub(crate) relays_events: bool,
}

impl Endpoint {
    /// How this party's packets get to another one: as they are wherever both have agreed on the same, and each sends
    /// packets that the other may be sent.
    pub(crate) fn join_with(&self, other: &Self) -> Option<Join> {
        let (ours, theirs) = (self.packets.usual(), other.packets.usual());
        let (one, other) = (&self.agreed.as_ref()?.stream, &other.agreed.as_ref()?.stream);
        let is_relayed = one.codec.is_relayed_to(other.codec)
            && one.comfort_noise == other.comfort_noise
            && one.packet_times.take(theirs, one.ptime)
            && other.packet_times.take(ours, other.ptime);
        let rate = (!is_relayed).then(|| one.codec.rate().min(other.codec.rate()));
        Some(Join { rate, relays_events: is_relayed && one.event_clock_hz == other.event_clock_hz })
    }

    /// Whether tones go to the party as they are.
    pub(crate) fn hears_tones(&self) -> bool {
        self.agreed.as_ref().is_none_or(|agreed| agreed.hears_tones())
    }

    /// Takes how the bridged party is to be reached. A conversation under way goes on if it can.
    pub(crate) fn join(&mut self, now: Instant, join: Join, mutes_keys: bool) {
        self.relays_events = join.relays_events;
        let codec = self.agreed.as_ref().map(|agreed| agreed.stream.codec);
        let (Some(rate), Some(codec)) = (join.rate, codec) else {
            if self.conversation.take().is_some() {
                self.outgoing.resynchronise();
            }
            return;
        };
        match &mut self.conversation {
            Some(same) if same.codec == codec && same.playout.rate() == rate => same.mutes_keys = mutes_keys,
            other => {
                let playout = Playout::new(codec, rate, DelayLimits::default());
                let schedule = Schedule::new(now.max(self.free_at));
                *other = Some(Box::new(Conversation { codec, playout, mutes_keys, schedule }));
                self.outgoing.resynchronise();
            }
        }
    }

    /// Keeps a packet of the party's for whom it talks to.
    #[inline]
    pub(crate) fn converse(&mut self, now: Instant, inbound: &Inbound, packet: &[u8]) {
        let has_codes = self.has_codes();
        let Some(conversation) = &mut self.conversation else { return };
        let kind = match inbound.payload {
            Payload::Audio(_) if inbound.is_key && (conversation.mutes_keys || has_codes) => Kind::Muted,
            Payload::Audio(_) => Kind::Audio,
            Payload::ComfortNoise => Kind::ComfortNoise,
            Payload::TelephoneEvent(_) => Kind::Skipped,
        };
        let payload = packet.get(inbound.header.payload()).unwrap_or_default();
        conversation.playout.insert(now, &inbound.header, inbound.restarted, kind, payload);
    }

    /// Whether packets of the bridged party are not relayed to this one.
    #[inline]
    pub(crate) const fn converses(&self) -> bool {
        self.conversation.is_some()
    }

    pub(super) fn take_turn(&mut self, now: Instant, counters: &mut Counters) {
        let ptime = self.ptime();
        let Some(conversation) = &mut self.conversation else { return };
        if conversation.schedule.tick_at() > now {
            return;
        }
        let tick = conversation.schedule.tick(now, ptime);
        counters.frames_late += tick.late;
        counters.frames_skipped += tick.skipped;
        if tick.skipped > 0 {
            self.outgoing.resynchronise();
        }
    }

    pub(super) fn has_turn(&self) -> bool {
        self.conversation.as_ref().is_some_and(|it| it.schedule.has_frame())
    }

    /// Takes a turn at which the party hears the one it is bridged to: when, and how many samples.
    pub(crate) fn next_turn(&mut self) -> Option<(Instant, usize)> {
        let ptime = self.ptime();
        let conversation = self.conversation.as_mut()?;
        let at = conversation.schedule.take_frame(ptime)?;
        Some((at, conversation.playout.rate().samples_in(ptime)))
    }

    /// What the party says next; false when that is nothing.
    pub(crate) fn say(&mut self, now: Instant, samples: &mut [i16], counters: &mut Counters) -> bool {
        let Some(conversation) = &mut self.conversation else { return false };
        let before = *conversation.playout.tally();
        let says = conversation.playout.pull(now, samples);
        let after = conversation.playout.tally();
        counters.packets_concealed += after.concealed - before.concealed + after.starved - before.starved;
        says
    }

    /// Packets of the party's that came and could not be heard: too late for their turn, or too many.
    pub(super) fn discarded(&self) -> u64 {
        let conversation = self.conversation.as_ref().map(|conversation| conversation.playout.tally());
        let tally = conversation.or_else(|| self.seat.as_ref().map(|seat| seat.tally()));
        tally.map_or(0, |tally| tally.late + tally.skipped)
    }

    /// Writes a packet of what the bridged party says.
    pub(crate) fn hear(
        &mut self,
        at: Instant,
        samples: Option<&[i16]>,
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(SocketAddr, usize)> {
        let rate = self.conversation.as_ref()?.playout.rate();
        match samples {
            _ if self.playing.is_some() || self.keying.is_down() => None,
            Some(samples) => self.write_audio(at, samples, rate, buffer),
            // A line that is told its silence does not go dead.
            None if self.silence.is_some() => {
                let silence = [0; Rate::Wideband.samples_in(MAX_PTIME)];
                let silence = silence.get(..rate.samples_in(self.ptime()))?;
                self.write_audio(at, silence, rate, buffer)
            }
            None => {
                self.outgoing.resynchronise();
                None
            }
        }
    }

    /// Writes a packet of what is coded already; nothing is sent for nothing.
    pub(super) fn write_music(
        &mut self,
        at: Instant,
        coded: Option<&[u8]>,
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(SocketAddr, usize)> {
        let agreed = self.agreed.as_ref()?;
        let destination = agreed.send_to()?;
        let Some(coded) = coded else {
            self.outgoing.resynchronise();
            return None;
        };
        buffer.get_mut(HEADER_LEN..HEADER_LEN + coded.len())?.copy_from_slice(coded);
        let ticks = agreed.packet_ticks;
        let stamp = self.outgoing.generate(at, ticks, agreed.stream.send_payload_type);
        stamp.write(buffer);
        self.record_heard(at, &stamp, true, buffer.get(..HEADER_LEN + coded.len())?);
        let len = self.guard.protect_rtp(buffer, HEADER_LEN + coded.len())?;
        self.outgoing.sent(coded.len());
        Some((destination, len))
    }

    /// Writes a packet of samples, when it is to be sent.
    pub(super) fn write_audio(
        &mut self,
        at: Instant,
        samples: &[i16],
        rate: Rate,
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(SocketAddr, usize)> {
        let agreed = self.agreed.as_ref()?;
        let destination = agreed.send_to()?;
        let codec = agreed.stream.codec;
        let ticks = samples.len() as u32 * (codec.clock_hz() / 1_000) / (rate.hz() / 1_000);
        if let Some(saver) = &mut self.silence {
            match saver.judge(samples, agreed.stream.ptime) {
                Saved::Nothing { begins: false } => {}
                Saved::Nothing { begins: true } => self.outgoing.resynchronise(),
                Saved::All => return None,
                Saved::Described(noise) => {
                    let told = if rate == codec.rate() { noise.len() } else { 1 };
                    return self.write_silence(at, ticks, noise.get(..told)?, buffer);
                }
            }
        }
        let loss_percent = self.rtcp.recent_loss_percent() as u8;
        let encoder = self.encoder.get_or_insert_with(|| {
            let mut encoder = Encoder::new(codec, rate);
            encoder.expect_loss(loss_percent);
            encoder
        });
        encoder.set_rate(rate);
        let payload = buffer.get_mut(HEADER_LEN..HEADER_LEN + MAX_PAYLOAD_LEN)?;
        let octets = encoder.encode(samples, payload);
        if octets == 0 {
            self.outgoing.resynchronise();
            return None;
        }
        let stamp = self.outgoing.generate(at, ticks, agreed.stream.send_payload_type);
        stamp.write(buffer);
        self.record_heard(at, &stamp, true, buffer.get(..HEADER_LEN + octets)?);
        let len = self.guard.protect_rtp(buffer, HEADER_LEN + octets)?;
        self.outgoing.sent(octets);
        Some((destination, len))
    }

    /// From now on the party is told its silence, or sent it.
    pub(super) fn save_silence(&mut self, is_told: bool) {
        let saver = self.silence.take();
        self.silence = is_told.then(|| saver.unwrap_or_default());
    }

    /// Writes a packet that describes the noise of a pause: it begins no talkspurt, and the one after it does, if that is
    /// none (RFC 3389 §4, RFC 3551 §4.1).
    fn write_silence(
        &mut self,
        at: Instant,
        ticks: u32,
        noise: &[u8],
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(SocketAddr, usize)> {
        let destination = self.agreed.as_ref()?.send_to()?;
        buffer.get_mut(HEADER_LEN..HEADER_LEN + noise.len())?.copy_from_slice(noise);
        let stamp = self.outgoing.generate(at, ticks, comfort_noise::PAYLOAD_TYPE);
        let stamp = Stamp { marker: false, ..stamp };
        stamp.write(buffer);
        self.outgoing.resynchronise();
        self.record_heard(at, &stamp, false, buffer.get(..HEADER_LEN + noise.len())?);
        let len = self.guard.protect_rtp(buffer, HEADER_LEN + noise.len())?;
        self.outgoing.sent(noise.len());
        Some((destination, len))
    }
}
