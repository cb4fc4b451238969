//! A worker in virtual time, with every packet and event it gives; parties speak through the `rtp` crate.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
pub(crate) use tandem_media::codec::g711::Law;
use tandem_media::*;
use tandem_time::Instant;
use webrtc_util::marshal::{Marshal, Unmarshal};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const PTIME: Duration = Duration::from_millis(20);
pub(crate) const EVENT_PT: u8 = 101;

/// A packet that left.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) endpoint: EndpointId,
    pub(crate) channel: Channel,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn rtp(&self) -> ::rtp::packet::Packet {
        assert_eq!(self.channel, Channel::Rtp);
        ::rtp::packet::Packet::unmarshal(&mut self.bytes.as_slice()).expect("a valid packet")
    }
}

pub(crate) struct Bench {
    pub(crate) worker: Worker,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<Event>,
    /// Of sockets, but for those of connections.
    pub(crate) requests: Vec<IoRequest>,
    /// Whom sockets were to be connected to.
    pub(crate) connections: Vec<(EndpointId, Option<SocketAddr>)>,
}

impl Bench {
    pub(crate) fn new(max_endpoints: usize) -> Self {
        Self::seeded(max_endpoints, 1)
    }

    pub(crate) fn seeded(max_endpoints: usize, seed: u64) -> Self {
        let worker = Worker::new(ChaCha8Rng::seed_from_u64(seed), max_endpoints);
        let now = Instant::from_millis(1_000);
        Self { worker, now, sent: vec![], events: vec![], requests: vec![], connections: vec![] }
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.worker.handle_command(self.now, command);
        self.drain();
    }

    /// Opens an endpoint in slot `index` and agrees `stream`.
    pub(crate) fn open(&mut self, index: u32, stream: StreamParameters) -> EndpointId {
        let endpoint = EndpointId { index, generation: 1 };
        self.command(Command::Open { endpoint, local: local(index) });
        assert_eq!(self.requests.pop(), Some(IoRequest::Bind { endpoint, local: local(index) }));
        self.worker.handle_bound(self.now, endpoint, true);
        self.drain();
        assert_eq!(self.events.pop(), Some(Event::Opened { endpoint }));
        self.command(Command::Configure { endpoint, stream });
        endpoint
    }

    /// A packet arrives; what is relayed of it.
    pub(crate) fn packet(&mut self, endpoint: EndpointId, source: SocketAddr, packet: &[u8]) -> Option<Sent> {
        self.packet_on(Channel::Rtp, endpoint, source, packet)
    }

    pub(crate) fn packet_on(
        &mut self,
        channel: Channel,
        endpoint: EndpointId,
        source: SocketAddr,
        packet: &[u8],
    ) -> Option<Sent> {
        let mut buffer = [0; 2_048];
        buffer[..packet.len()].copy_from_slice(packet);
        let now = self.now;
        let disposition =
            self.worker.handle_packet(now, endpoint, channel, source, &mut buffer, packet.len());
        let relayed = match disposition {
            Disposition::Forward { endpoint, destination, len } => {
                let bytes = buffer[..len].to_vec();
                Some(Sent { at: now, endpoint, channel: Channel::Rtp, destination, bytes })
            }
            Disposition::Answer { len } => {
                let bytes = buffer[..len].to_vec();
                self.sent.push(Sent { at: now, endpoint, channel, destination: source, bytes });
                None
            }
            Disposition::Handshake | Disposition::Done => None,
        };
        self.sent.extend(relayed.clone());
        self.drain();
        relayed
    }

    /// Lets time pass, waking the worker whenever it asks for it.
    pub(crate) fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.worker.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.worker.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    pub(crate) fn drain(&mut self) {
        while let Some(request) = self.worker.poll_io() {
            match request {
                IoRequest::Connect { endpoint, remote } => self.connections.push((endpoint, remote)),
                other => self.requests.push(other),
            }
        }
        while let Some(transmit) = self.worker.poll_transmit() {
            self.sent.push(Sent {
                at: self.now,
                endpoint: transmit.endpoint,
                channel: transmit.channel,
                destination: transmit.destination,
                bytes: transmit.bytes.to_vec(),
            });
        }
        while let Some(event) = self.worker.poll_event() {
            self.events.push(event);
        }
    }

    /// RTP that left an endpoint so far; forgets it.
    pub(crate) fn take_rtp(&mut self, endpoint: EndpointId) -> Vec<Sent> {
        let taken =
            self.sent.extract_if(.., |sent| sent.endpoint == endpoint && sent.channel == Channel::Rtp);
        taken.collect()
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn refused(&self, why: Refusal) -> u64 {
        self.worker.counters().refused(why)
    }
}

pub(crate) fn local(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * index as u16))
}

/// The party of the endpoint in slot `index`.
pub(crate) fn party(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 10], 30_000 + 2 * index as u16))
}

pub(crate) fn rtcp_of(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port() + 1)
}

/// PCMU and telephone-event both ways with the party of slot `index`.
pub(crate) fn stream(index: u32) -> StreamParameters {
    StreamParameters {
        remote_rtcp: rtcp_of(party(index)),
        send_event_payload_type: Some(EVENT_PT),
        receive_event_payload_type: Some(EVENT_PT),
        ..StreamParameters::new(party(index), Codec::Pcmu, 0)
    }
}

/// The same in A-law.
pub(crate) fn alaw_stream(index: u32) -> StreamParameters {
    StreamParameters { codec: Codec::Pcma, send_payload_type: 8, receive_payload_type: 8, ..stream(index) }
}

/// A party's RTP stream.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
}

impl Source {
    pub(crate) fn new(ssrc: u32, payload_type: u8) -> Self {
        Self { ssrc, sequence: (ssrc as u16).wrapping_mul(7), timestamp: ssrc.wrapping_mul(77), payload_type }
    }

    /// The next packet of 20 ms.
    pub(crate) fn audio(&mut self, payload: &[u8]) -> Vec<u8> {
        let bytes = self.at(self.payload_type, self.timestamp, false, payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        bytes
    }

    /// A press: updates every 20 ms of a key held for `updates` × 20 ms, then the end thrice (RFC 4733 §2.5.1).
    pub(crate) fn press(&mut self, digit: char, updates: u16) -> Vec<Vec<u8>> {
        let event = Digit::from_char(digit).expect("a digit").event();
        let mut packets = vec![];
        for update in 1..=updates + 3 {
            let (end, duration) = (update > updates, update.min(updates + 1) * 160);
            let [high, low] = duration.to_be_bytes();
            let payload = [event, if end { 0x8a } else { 0x0a }, high, low];
            packets.push(self.at(EVENT_PT, self.timestamp, update == 1, &payload));
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.timestamp = self.timestamp.wrapping_add(u32::from(updates + 3) * 160);
        packets
    }

    fn at(&self, payload_type: u8, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        let header = ::rtp::header::Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        let packet = ::rtp::packet::Packet { header, payload: Bytes::copy_from_slice(payload) };
        packet.marshal().expect("a valid packet").to_vec()
    }
}

/// A press as a party would send it, a packet every 20 ms.
pub(crate) fn press(
    bench: &mut Bench,
    endpoint: EndpointId,
    from: SocketAddr,
    source: &mut Source,
    digit: char,
) {
    for packet in source.press(digit, 4) {
        bench.packet(endpoint, from, &packet);
        bench.run(PTIME);
    }
}

pub(crate) fn audio_of_ms(milliseconds: usize) -> std::sync::Arc<Audio> {
    std::sync::Arc::new(Audio::from_samples(vec![1_000; milliseconds * 8]))
}

pub(crate) fn play(endpoint: EndpointId, play: u64, segments: Vec<Segment>) -> Command {
    Command::Play {
        endpoint,
        play: PlayId(play),
        segments: segments.into(),
        times: Some(1),
        barge_in: BargeIn::Never,
    }
}

pub(crate) fn rules(max_digits: u8, terminators: &str) -> CollectRules {
    CollectRules {
        max_digits,
        terminators: Terminators::parse(terminators).expect("digits"),
        first_digit_timeout: Duration::from_secs(5),
        inter_digit_timeout: Duration::from_secs(3),
        clear_typeahead: false,
        sensitive: false,
    }
}

pub(crate) fn digits(text: &str) -> DigitString {
    let mut digits = DigitString::default();
    for symbol in text.chars() {
        assert!(digits.push(Digit::from_char(symbol).expect("a digit")));
    }
    digits
}

/// Decodes G.711 payloads one after the other.
pub(crate) fn decode(codec: Law, packets: &[Sent]) -> Vec<i16> {
    packets.iter().flat_map(|sent| sent.rtp().payload.to_vec()).map(|octet| codec.decode(octet)).collect()
}

/// The power of one frequency in samples, in dBm0 (Goertzel); a sine of G.711's full scale has +3.17.
pub(crate) fn level_dbm0(samples: &[i16], frequency_hz: f64) -> f64 {
    let phase = std::f64::consts::TAU * frequency_hz / 8_000.0;
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        (one, two) = (f64::from(*sample) + 2.0 * phase.cos() * one - two, one);
    }
    let power = one * one + two * two - 2.0 * phase.cos() * one * two;
    let peak = 2.0 * power.max(1e-9).sqrt() / samples.len() as f64;
    20.0 * (peak / 32_124.0).log10() + 3.17
}
