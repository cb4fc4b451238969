//! One RTP stream each way: a tone and pressed digits out, everything counted and heard in.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rtp::header::Header;
use rtp::packet::Packet;
use webrtc_util::marshal::Unmarshal as _;

use crate::agreed::Agreed;
use crate::codec::Codec;
use crate::ear::Heard;
use crate::listening::Listening;
use crate::manner::{Manner, Media};
use crate::mouth::Mouth;
use crate::rtcp;
use crate::sdp::{AudioStream, COMFORT_NOISE, Direction};
use crate::secure::{CryptoLine, Protection};

/// Until something is agreed it is looked for so often.
const IDLE: Duration = Duration::from_millis(20);

/// Behind by more than this, time is let go: the machine slept.
const MAX_BURST: Duration = Duration::from_millis(100);

/// Telephone events kept.
const MAX_EVENTS: usize = 1_000;

/// By the event codes of RFC 4733 §3.2.
pub(crate) const DIGITS: &str = "0123456789*#ABCD";

/// A key the other side pressed, as telephone-event packets told (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardEvent {
    /// When its first packet came.
    pub at: Duration,
    /// Which.
    pub digit: char,
    /// The longest duration told, in timestamp units.
    pub duration: u16,
    /// How many packets told of it.
    pub packets: u16,
    /// How many of those had the end bit.
    pub end_packets: u16,
}

/// What came in, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// RTP packets.
    pub packets: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Sequence numbers that came again.
    pub duplicates: u64,
    /// Changes of the synchronisation source.
    pub ssrc_changes: u32,
    /// Sequence numbers that leapt by more than a burst of loss explains.
    pub sequence_leaps: u32,
    /// Audio packets whose timestamp did not follow the one before by the audio in between.
    pub timestamp_leaps: u32,
    /// How much audio the longest packet had.
    pub longest: Duration,
    /// And the shortest, if there was one.
    pub shortest: Option<Duration>,
    /// Packets from elsewhere than where the other side said it sends from.
    pub unexpected_source: u64,
    /// Packets of a payload type not agreed on, or no RTP at all.
    pub unusable: u64,
    /// Descriptions of pauses (RFC 3389).
    pub comfort_noise: u64,
    /// RTCP packets.
    pub rtcp: u64,
    /// How often it was told how it is heard (RFC 3611 §4.7), …
    pub metrics: u64,
    /// … and whether it was asked to tell.
    pub was_asked_for_metrics: bool,
    /// RTCP packets that do not add up (RFC 3550 §A.2).
    pub rtcp_invalid: u64,
    /// Keys pressed, in order.
    pub events: Vec<HeardEvent>,
}

impl Received {
    /// The keys pressed as a string.
    #[must_use]
    pub fn digit_string(&self) -> String {
        self.events.iter().map(|event| event.digit).collect()
    }
}

/// What went out, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// RTP packets.
    pub packets: u64,
    /// Keys pressed.
    pub digits: u32,
}

/// What both sides agreed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreement {
    remote: SocketAddr,
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    /// The codec in what we receive.
    our_payload_type: u8,
    /// telephone-event in what we send.
    pub(crate) event_payload_type: Option<u8>,
    /// telephone-event in what we receive.
    our_event_payload_type: Option<u8>,
    /// Whether pauses are described (RFC 3389).
    pub(crate) comfort_noise: bool,
    /// Whether the other side asks how it is heard.
    tells_metrics: bool,
    pub(crate) direction: Direction,
}

/// Both directions of a call's media.
#[derive(Debug)]
pub(crate) struct Stream {
    local: SocketAddr,
    speaks: bool,
    agreement: Option<Agreement>,
    /// The lines we offer, if any.
    cryptos: Vec<CryptoLine>,
    protection: Option<Protection>,
    mouth: Mouth,
    ears: Listening,
    received: Received,
    /// Of `received.events`, in the same order.
    event_timestamps: Vec<u32>,
    last: Option<LastPacket>,
    reports: Reports,
}

/// What the next RTCP report needs.
#[derive(Debug, Default)]
struct Reports {
    next_at: Option<Duration>,
    /// The middle of the NTP time of the other side's last sender report, and when it came.
    last_sender_report: Option<(u32, Duration)>,
    /// Packets and losses at our last report.
    before: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
struct LastPacket {
    ssrc: u32,
    highest: u16,
    /// How often the sequence number wrapped.
    cycles: u16,
    /// Bit n: `highest − n` has come.
    seen: u64,
    /// Sequence number and timestamp that would follow the last audio packet.
    audio: Option<(u16, u32)>,
}

impl Stream {
    pub(crate) fn new(rng: &mut ChaCha8Rng, local: SocketAddr, manner: &Manner, listen_for: &[u16]) -> Self {
        let mouth = Mouth::new(rng, manner);
        let cryptos = CryptoLine::draw(rng, manner.srtp);
        let ears = Listening::new(listen_for);
        Self {
            local,
            speaks: manner.media == Media::Spoken,
            agreement: None,
            cryptos,
            protection: None,
            mouth,
            ears,
            received: Received::default(),
            event_timestamps: Vec::new(),
            last: None,
            reports: Reports::default(),
        }
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn cryptos(&self) -> &[CryptoLine] {
        &self.cryptos
    }

    /// Media flows as `ours` and `theirs` say together; false when they have no codec in common, or one of them no key.
    pub(crate) fn agree(&mut self, now: Duration, ours: &AudioStream, theirs: &AudioStream) -> bool {
        let ours_of = |(theirs, codec): &(u8, Codec)| Some((*codec, *theirs, ours.number_of(*codec)?));
        let common = theirs.codecs.iter().find_map(ours_of);
        let Some((codec, payload_type, our_payload_type)) = common else { return false };
        if !self.protect(ours, theirs) {
            return false;
        }
        let direction = match (ours.direction, theirs.direction.seen_from_the_other_side()) {
            (Direction::SendReceive, narrower) => narrower,
            (narrower, Direction::SendReceive) => narrower,
            (ours, theirs) if ours == theirs => ours,
            _ => Direction::Inactive,
        };
        self.received.was_asked_for_metrics |= theirs.rtcp_xr;
        self.agreement = Some(Agreement {
            remote: theirs.rtp,
            codec,
            payload_type,
            our_payload_type,
            event_payload_type: ours.event_of(codec).and(theirs.event_of(codec)),
            our_event_payload_type: ours.event_of(codec),
            comfort_noise: ours.comfort_noise && theirs.comfort_noise && codec != Codec::Opus,
            tells_metrics: theirs.rtcp_xr,
            direction,
        });
        if self.speaks {
            self.mouth.next_at.get_or_insert(now);
            self.reports.next_at.get_or_insert(now + rtcp::INTERVAL);
        }
        true
    }

    fn protect(&mut self, ours: &AudioStream, theirs: &AudioStream) -> bool {
        let pair = |ours: &CryptoLine| {
            theirs.cryptos.iter().find(|theirs| ours.pairs_with(theirs)).map(|theirs| (ours.clone(), theirs))
        };
        let before = self.protection.take();
        self.protection = ours
            .cryptos
            .iter()
            .find_map(pair)
            .and_then(|(ours, theirs)| Protection::following(before, &ours, theirs));
        let secure = ours.secure_profile || theirs.secure_profile;
        ours.secure_profile == theirs.secure_profile && (self.protection.is_some() || !secure)
    }

    /// What was agreed, for who sends and hears instead of this.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        let agreement = self.agreement?;
        Some(Agreed {
            local: self.local,
            remote: agreement.remote,
            codec: agreement.codec,
            payload_type: agreement.payload_type,
            keys: self.protection.as_ref().map(Protection::keys),
        })
    }

    /// No packet leaves any more.
    pub(crate) fn close(&mut self) {
        self.mouth.next_at = None;
        self.reports.next_at = None;
    }

    /// Presses keys one after the other; returns how many were taken.
    pub(crate) fn press(&mut self, digits: &str) -> usize {
        self.mouth.press(digits)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        [self.mouth.next_at, self.reports.next_at].into_iter().flatten().min()
    }

    /// The packets that are due. `send` is told the local port's distance from the even one.
    pub(crate) fn handle_timeout(&mut self, now: Duration, mut send: impl FnMut(u16, SocketAddr, Vec<u8>)) {
        if self.reports.next_at.is_some_and(|at| at <= now) {
            self.reports.next_at = Some(now + rtcp::INTERVAL);
            if let Some(Agreement { mut remote, .. }) = self.agreement {
                remote.set_port(remote.port() | 1);
                let report = self.report(now);
                let report = match &mut self.protection {
                    None => Some(report),
                    Some(protection) => protection.protect_report(&report),
                };
                if let Some(report) = report {
                    send(1, remote, report);
                }
            }
        }
        let Some(mut at) = self.mouth.next_at else { return };
        if at + MAX_BURST < now {
            at = now;
        }
        while at <= now {
            let Some(agreement) = self.agreement else {
                at += IDLE;
                continue;
            };
            let (packet, time) = self.mouth.speak(&agreement);
            at += time;
            let packet = match &mut self.protection {
                None => packet,
                Some(protection) => packet.and_then(|packet| protection.protect(&packet)),
            };
            if let Some(packet) = packet {
                send(0, agreement.remote, packet);
            }
        }
        self.mouth.next_at = Some(at);
    }

    pub(crate) fn handle_packet(&mut self, now: Duration, source: SocketAddr, bytes: &[u8]) {
        let clear;
        let mut bytes = match &mut self.protection {
            None => bytes,
            Some(protection) => {
                clear = protection.unprotect(bytes);
                clear.as_deref().unwrap_or_default()
            }
        };
        let (Ok(packet), Some(agreement)) = (Packet::unmarshal(&mut bytes), self.agreement) else {
            self.received.unusable += 1;
            return;
        };
        if source != agreement.remote {
            self.received.unexpected_source += 1;
        }
        self.received.packets += 1;
        if !self.count(&packet.header) {
            return;
        }
        let number = packet.header.payload_type;
        if Some(number) == agreement.our_event_payload_type {
            self.ears.pass(&packet.header);
            self.hear_event(now, &packet);
        } else if number == COMFORT_NOISE && agreement.comfort_noise {
            self.ears.pass(&packet.header);
            self.received.comfort_noise += 1;
            if let Some(last) = &mut self.last {
                last.audio = None;
            }
        } else if number == agreement.payload_type || number == agreement.our_payload_type {
            self.hear_audio(now, agreement.codec, &packet);
        } else {
            self.received.unusable += 1;
        }
    }

    /// A packet to the odd port.
    pub(crate) fn handle_report(&mut self, now: Duration, bytes: &[u8]) {
        let clear;
        let bytes = match &mut self.protection {
            None => bytes,
            Some(protection) => {
                clear = protection.unprotect_report(bytes);
                clear.as_deref().unwrap_or_default()
            }
        };
        match rtcp::read(bytes) {
            Some(told) => {
                self.received.rtcp += 1;
                let ours = |about: &&u32| **about == self.mouth.ssrc();
                self.received.metrics += told.metrics_of.iter().filter(ours).count() as u64;
                if let Some(middle) = told.sender_report {
                    self.reports.last_sender_report = Some((middle, now));
                }
            }
            None => self.received.rtcp_invalid += 1,
        }
    }

    fn report(&mut self, now: Duration) -> Vec<u8> {
        let packets = u32::try_from(self.mouth.sent().packets).unwrap_or(u32::MAX);
        let sender = rtcp::Sender {
            ssrc: self.mouth.ssrc(),
            rtp_timestamp: self.mouth.timestamp(),
            packets,
            octets: self.mouth.octets(),
        };
        let (came, lost) = (self.received.packets, self.received.lost);
        let (came_since, lost_since) =
            (came - self.reports.before.0, lost.saturating_sub(self.reports.before.1));
        self.reports.before = (came, lost);
        let (last_report, delay) = match self.reports.last_sender_report {
            Some((middle, at)) => (middle, rtcp::middle_ntp(now - at)),
            None => (0, 0),
        };
        let block = self.last.map(|last| rtcp::Block {
            ssrc: last.ssrc,
            fraction_lost: u8::try_from(lost_since * 256 / (came_since + lost_since).max(1))
                .unwrap_or(u8::MAX),
            cumulative_lost: u32::try_from(lost).unwrap_or(u32::MAX),
            highest_sequence: u32::from(last.cycles) << 16 | u32::from(last.highest),
            last_report,
            delay,
        });
        let tells = self.agreement.is_some_and(|agreement| agreement.tells_metrics);
        rtcp::write(now, sender, block, tells)
    }

    /// What came in so far.
    pub(crate) const fn received(&self) -> &Received {
        &self.received
    }

    pub(crate) const fn sent(&self) -> &Sent {
        self.mouth.sent()
    }

    pub(crate) const fn heard(&self) -> &Heard {
        self.ears.heard()
    }

    pub(crate) fn into_parts(self) -> (Received, Sent, Heard) {
        (self.received, *self.mouth.sent(), self.ears.into_heard())
    }

    /// Loss, order and source by the header (RFC 3550 §A.1); false for a duplicate.
    fn count(&mut self, header: &Header) -> bool {
        const MAX_DROPOUT: u16 = 3_000;
        const MAX_MISORDER: u16 = 64;
        let fresh = LastPacket {
            ssrc: header.ssrc,
            highest: header.sequence_number,
            cycles: 0,
            seen: 1,
            audio: None,
        };
        let Some(last) = &mut self.last else {
            self.last = Some(fresh);
            return true;
        };
        if last.ssrc != header.ssrc {
            self.received.ssrc_changes += 1;
            self.last = Some(fresh);
            return true;
        }
        let ahead = header.sequence_number.wrapping_sub(last.highest);
        let behind = last.highest.wrapping_sub(header.sequence_number);
        if ahead != 0 && ahead < MAX_DROPOUT {
            self.received.lost += u64::from(ahead) - 1;
            last.seen = last.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            last.cycles = last.cycles.wrapping_add(u16::from(header.sequence_number < last.highest));
            last.highest = header.sequence_number;
            true
        } else if behind < MAX_MISORDER {
            let bit = 1_u64 << behind;
            if last.seen & bit != 0 {
                self.received.duplicates += 1;
                return false;
            }
            last.seen |= bit;
            self.received.reordered += 1;
            self.received.lost = self.received.lost.saturating_sub(1);
            true
        } else {
            self.received.sequence_leaps += 1;
            *last = fresh;
            true
        }
    }

    fn hear_audio(&mut self, now: Duration, codec: Codec, packet: &Packet) {
        let (sequence, timestamp) = (packet.header.sequence_number, packet.header.timestamp);
        if let Some(last) = &mut self.last {
            if last.audio.is_some_and(|(next, due)| next == sequence && due != timestamp) {
                self.received.timestamp_leaps += 1;
            }
            let samples = codec.samples_in(&packet.payload);
            let length = samples * codec.ticks_per_sample();
            last.audio = Some((sequence.wrapping_add(1), timestamp.wrapping_add(length)));
            let time = Duration::from_micros(u64::from(samples) * 125);
            self.received.longest = self.received.longest.max(time);
            self.received.shortest = Some(self.received.shortest.map_or(time, |shortest| shortest.min(time)));
        }
        self.ears.hear(now, codec, packet);
    }

    /// Packets of one event have its first packet's timestamp (RFC 4733 §2.2.2).
    fn hear_event(&mut self, now: Duration, packet: &Packet) {
        let [code, flags, high, low] = *packet.payload.as_ref() else {
            self.received.unusable += 1;
            return;
        };
        let Some(digit) = DIGITS.chars().nth(usize::from(code)) else {
            self.received.unusable += 1;
            return;
        };
        let duration = u16::from_be_bytes([high, low]);
        let end = u16::from(flags >> 7);
        let timestamp = packet.header.timestamp;
        if let Some(last) = &mut self.last {
            last.audio = None;
        }
        let known = self.event_timestamps.iter().rposition(|known| *known == timestamp);
        if let Some(event) = known.and_then(|n| self.received.events.get_mut(n)) {
            event.duration = event.duration.max(duration);
            event.packets += 1;
            event.end_packets += end;
        } else if self.received.events.len() < MAX_EVENTS {
            self.event_timestamps.push(timestamp);
            self.received.events.push(HeardEvent { at: now, digit, duration, packets: 1, end_packets: end });
        }
    }
}
