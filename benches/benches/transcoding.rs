//! What a call between Opus and G.711 costs in the media worker, as a ratio to libopus alone in the same run:
//!
//! ```text
//! cargo bench -p tandem-benches --bench transcoding
//! ```
//!
//! One party speaks Opus, the other PCMU, both all the time. Bare is libopus decoding the one's packets and encoding the
//! other's samples, at the rate and with the settings that the worker has; the worker does that too, and all else: RTP,
//! the jitter buffer, the schedule, G.711. Rounds alternate and the best of each counts. The last line is JSON.

use std::f64::consts::TAU;
use std::hint::black_box;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant as Clock};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::json;
use tandem_media::codec::{Decoder, Encoder, OpusParameters, Rate};
use tandem_media::rtp::{HEADER_LEN, Stamp};
use tandem_media::{Channel, Codec, Command, EndpointId, IoRequest, StreamParameters, Worker};
use tandem_time::Instant;

const PTIME: Duration = Duration::from_millis(20);
/// Packets of a round, each way: 20 s.
const PACKETS: usize = 1_000;
const ROUNDS: usize = 7;
/// What is asked of us.
const RATIO_WANTED: f64 = 1.15;

const OPUS: Codec = Codec::Opus(OpusParameters {
    in_band_fec: true,
    dtx: false,
    constant_bitrate: false,
    max_average_bitrate: OpusParameters::MAX_BITRATE,
    max_playback_rate_hz: 48_000,
});

fn main() -> ExitCode {
    let speech = speech();
    let packets = opus_packets(&speech);
    let (mut bare, mut worker) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        bare = bare.min(bare_round(&speech, &packets));
        worker = worker.min(worker_round(&speech, &packets));
    }
    let us = |round: Duration| round.as_secs_f64() * 1e6 / PACKETS as f64;
    let ratio = us(worker) / us(bare);
    println!(
        "libopus alone {:.1} µs each 20 ms of a call, the worker {:.1} µs: {ratio:.3} times",
        us(bare),
        us(worker)
    );
    let is_met = ratio <= RATIO_WANTED;
    println!("{}", json!({ "bare_us": us(bare), "worker_us": us(worker), "ratio": ratio, "met": is_met }));
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A voice that goes up and down, at 8 kHz.
fn speech() -> Vec<i16> {
    let sample = |n: usize| {
        let t = n as f64 / 8_000.0;
        let pitch = 130.0 + 30.0 * (TAU * 0.7 * t).sin();
        let voiced: f64 = (1..12).map(|k| (TAU * pitch * f64::from(k) * t).sin() / f64::from(k)).sum();
        (voiced * (0.6 + 0.4 * (TAU * 2.3 * t).sin()) * 5_000.0) as i16
    };
    (0..PACKETS * 160).map(sample).collect()
}

fn opus_packets(speech: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(OPUS, Rate::Narrowband);
    let packet = |frame: &[i16]| {
        let mut payload = vec![0; 480];
        let len = encoder.encode(frame, &mut payload);
        payload.truncate(len);
        payload
    };
    speech.chunks(160).map(packet).collect()
}

/// Our encoder and decoder of Opus are nothing but calls of libopus.
fn bare_round(speech: &[i16], packets: &[Vec<u8>]) -> Duration {
    let (mut encoder, mut decoder) =
        (Encoder::new(OPUS, Rate::Narrowband), Decoder::new(OPUS, Rate::Narrowband));
    let begun = Clock::now();
    for (frame, packet) in speech.chunks(160).zip(packets) {
        let mut samples = [0; 960];
        black_box(decoder.decode(packet, &mut samples));
        let mut payload = [0; 480];
        black_box(encoder.encode(frame, &mut payload));
    }
    begun.elapsed()
}

/// A call in a worker, under virtual time.
struct Call {
    worker: Worker,
    now: Instant,
}

fn party(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 10], 30_000 + 2 * index as u16))
}

impl Call {
    fn new() -> Self {
        let worker = Worker::new(ChaCha8Rng::seed_from_u64(1), 2);
        let mut call = Self { worker, now: Instant::from_millis(1_000) };
        let a = call.open(0, OPUS, 111);
        let b = call.open(1, Codec::Pcmu, 0);
        call.worker.handle_command(call.now, Command::Bridge { a, b });
        call
    }

    fn open(&mut self, index: u32, codec: Codec, number: u8) -> EndpointId {
        let endpoint = EndpointId { index, generation: 1 };
        let local = SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * index as u16));
        self.worker.handle_command(self.now, Command::Open { endpoint, local });
        assert!(matches!(self.worker.poll_io(), Some(IoRequest::Bind { .. })));
        self.worker.handle_bound(self.now, endpoint, true);
        let stream = StreamParameters {
            send_payload_type: number,
            receive_payload_type: number,
            send_event_payload_type: None,
            receive_event_payload_type: None,
            event_clock_hz: codec.clock_hz(),
            ..StreamParameters::new(party(index), codec, 0)
        };
        self.worker.handle_command(self.now, Command::Configure { endpoint, stream });
        endpoint
    }

    fn packet(&mut self, index: u32, number: usize, payload_type: u8, clock: u32, payload: &[u8]) {
        let mut buffer = [0; 1_500];
        let timestamp = number as u32 * clock;
        Stamp { marker: false, payload_type, sequence: number as u16, timestamp, ssrc: index }
            .write(&mut buffer);
        buffer[HEADER_LEN..HEADER_LEN + payload.len()].copy_from_slice(payload);
        let endpoint = EndpointId { index, generation: 1 };
        let (now, len) = (self.now, HEADER_LEN + payload.len());
        self.worker.handle_packet(now, endpoint, Channel::Rtp, party(index), &mut buffer, len);
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.worker.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.worker.handle_timeout(self.now);
            while black_box(self.worker.poll_transmit()).is_some() {}
            while self.worker.poll_event().is_some() {}
        }
        self.now = until;
    }
}

fn worker_round(speech: &[i16], packets: &[Vec<u8>]) -> Duration {
    let mut call = Call::new();
    let mut law = Encoder::new(Codec::Pcmu, Rate::Narrowband);
    let characters = |frame: &[i16]| {
        let mut payload = [0; 160];
        law.encode(frame, &mut payload);
        payload
    };
    let characters: Vec<[u8; 160]> = speech.chunks(160).map(characters).collect();
    let begun = Clock::now();
    for (number, (packet, characters)) in packets.iter().zip(&characters).enumerate() {
        call.packet(0, number, 111, 960, packet);
        call.packet(1, number, 0, 160, characters);
        call.pass(PTIME);
    }
    let took = begun.elapsed();
    let made = call.worker.counters().frames_transcoded;
    assert!(made as usize >= 2 * PACKETS - 10, "both hear each other all the time: {made} frames");
    took
}
