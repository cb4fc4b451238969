//! The jitter buffer against buffers of a fixed delay, on generated paths.
//!
//! For each path and buffer: how much of the time something else was heard than what was said (lost, late, left out, or
//! not here yet), how long after it was said it was heard on average, less the packet's own time, and the score of the
//! E-model (ITU-T G.107, for G.711 with concealment) that both come to. What is lost on the path itself counts for all
//! of them.

use std::f64::consts::TAU;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tandem_media::codec::g711::Law;
use tandem_media::codec::{Codec, Rate};
use tandem_media::jitter::{DelayLimits, Kind, Playout};
use tandem_media::quality::{Conditions, Impairment};
use tandem_media::rtp::{HEADER_LEN, Header, Stamp};
use tandem_time::Instant;

const PTIME_US: u64 = 20_000;
const FRAME: usize = 160;
const START_US: u64 = 1_000_000;
/// Five minutes.
const PACKETS: u64 = 15_000;
const SEEDS: u64 = 4;

/// A path by its habits.
#[derive(Debug)]
pub struct Path {
    /// What it is called.
    pub name: &'static str,
    jitter_us: u64,
    loss_percent: u32,
    spike_us: u64,
    drift_ppm: i64,
}

/// The paths.
pub const PATHS: [Path; 6] = [
    Path { name: "quiet", jitter_us: 2_000, loss_percent: 0, spike_us: 0, drift_ppm: 0 },
    Path { name: "jitter to 80 ms", jitter_us: 80_000, loss_percent: 0, spike_us: 0, drift_ppm: 0 },
    Path { name: "5 % in bursts", jitter_us: 20_000, loss_percent: 5, spike_us: 0, drift_ppm: 0 },
    Path { name: "200 ms spikes", jitter_us: 10_000, loss_percent: 0, spike_us: 200_000, drift_ppm: 0 },
    Path { name: "+200 ppm", jitter_us: 5_000, loss_percent: 0, spike_us: 0, drift_ppm: 200 },
    Path { name: "-200 ppm", jitter_us: 5_000, loss_percent: 0, spike_us: 0, drift_ppm: -200 },
];

/// What holds packets back.
#[derive(Clone, Copy, Debug)]
pub enum Buffer {
    /// Ours.
    Adaptive,
    /// Of the first packet's time and so many milliseconds more, by the listener's clock.
    Fixed(u64),
}

/// The buffers, ours first.
pub const BUFFERS: [(&str, Buffer); 4] = [
    ("adaptive", Buffer::Adaptive),
    ("fixed 40 ms", Buffer::Fixed(40)),
    ("fixed 80 ms", Buffer::Fixed(80)),
    ("fixed 160 ms", Buffer::Fixed(160)),
];

/// What is heard of a path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// How much of the time something else is.
    pub missed_percent: f64,
    /// How late.
    pub delay_ms: f64,
    /// The mean opinion score.
    pub score: f64,
}

/// The mean of several runs of a path with a buffer.
#[must_use]
pub fn outcome(path: &Path, buffer: Buffer) -> Outcome {
    mean((0..SEEDS).map(|seed| listen(&trips(path, seed), buffer)))
}

/// A packet: when it was sent, and when it comes; none when it is lost. In microseconds.
#[derive(Clone, Copy)]
struct Trip {
    sent: u64,
    came: Option<u64>,
}

fn trips(path: &Path, seed: u64) -> Vec<Trip> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |limit: u64| (u64::from(rng.next_u32()) * limit.max(1)) >> 32;
    let (mut stalled_until, mut last, mut is_bad) = (0, 0, false);
    let packet = |number: u64| {
        let sent = (number * PTIME_US) as i64;
        let sent = (START_US as i64 + sent + sent * path.drift_ppm / 1_000_000) as u64;
        if path.spike_us > 0 && below(500) == 0 {
            stalled_until = sent + path.spike_us;
        }
        // Bursts of three packets on average.
        is_bad = if is_bad { below(3) > 0 } else { below(300) < u64::from(path.loss_percent) };
        let jitter = below(path.jitter_us) * below(path.jitter_us) / path.jitter_us.max(1);
        let came = (sent + jitter).max(stalled_until).max(last);
        last = came;
        Trip { sent, came: (!is_bad).then_some(came) }
    };
    (0..PACKETS).map(packet).collect()
}

fn listen(trips: &[Trip], buffer: Buffer) -> Outcome {
    let (missed_percent, delay_ms) = match buffer {
        Buffer::Adaptive => adaptive(trips),
        Buffer::Fixed(ms) => fixed(trips, ms * 1_000),
    };
    let conditions = Conditions {
        loss_percent: missed_percent as f32,
        round_trip: Duration::from_secs_f64(2.0 * delay_ms.max(0.0) / 1_000.0),
        ..Conditions::default()
    };
    let score = conditions.mean_opinion_score(Impairment::G711).into();
    Outcome { missed_percent, delay_ms, score }
}

/// The first packet waits so long, and those after it are heard at the listener's pace or not at all.
fn fixed(trips: &[Trip], delay_us: u64) -> (f64, f64) {
    let first = trips.iter().find_map(|trip| trip.came).unwrap_or(0) + delay_us;
    let heard: Vec<u64> = (0..)
        .zip(trips)
        .map(|(number, trip)| (first + number * PTIME_US, trip))
        .filter(|(turn, trip)| trip.came.is_some_and(|came| came <= *turn))
        .map(|(turn, trip)| turn - trip.sent)
        .collect();
    let delay_ms = heard.iter().sum::<u64>() as f64 / 1_000.0 / heard.len().max(1) as f64;
    (100.0 * (1.0 - heard.len() as f64 / trips.len() as f64), delay_ms)
}

/// What was made up for what had not come, or left out since too much had.
fn adaptive(trips: &[Trip]) -> (f64, f64) {
    let mut playout = Playout::new(Codec::Pcmu, Rate::Narrowband, DelayLimits::default());
    let speech = speech();
    let mut packets =
        trips.iter().enumerate().filter_map(|(number, trip)| Some((number, trip.came?))).peekable();
    let end = trips.iter().rev().find_map(|trip| trip.came).unwrap_or(0);
    let (mut delay, mut pulls) = (0.0, 0.0);
    for turn in (START_US + 7_000..end).step_by(PTIME_US as usize) {
        while let Some((number, came)) = packets.next_if(|(_, came)| *came <= turn) {
            let mut packet = [0; HEADER_LEN + FRAME];
            let (sequence, timestamp) = (number as u16, (number * FRAME) as u32);
            Stamp { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1 }.write(&mut packet);
            let Some(header) = Header::parse(&packet) else { continue };
            let said = &speech[number % (speech.len() / FRAME) * FRAME..][..FRAME];
            playout.insert(Instant::from_nanos(came * 1_000), &header, false, Kind::Audio, said);
        }
        let now = Instant::from_nanos(turn * 1_000);
        if let Some(ms) = playout.delay_ms(now) {
            delay += f64::from(ms);
            pulls += 1.0;
        }
        playout.pull(now, &mut [0; FRAME]);
    }
    let tally = playout.tally();
    let missed = tally.made_up as f64 / FRAME as f64 + tally.skipped as f64;
    (100.0 * missed / trips.len() as f64, delay / f64::max(pulls, 1.0))
}

/// Half a minute that sounds and pauses as speech does: voiced syllables whose pitch glides, consonants, silence.
fn speech() -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut below = |limit: u32| ((u64::from(rng.next_u32()) * u64::from(limit)) >> 32) as u32;
    let mut samples = Vec::new();
    while samples.len() < 30 * 8_000 {
        let (consonant, vowel, pitch_hz) = (40 + below(60), 100 + below(160), f64::from(90 + below(140)));
        samples.extend((0..consonant * 8).map(|_| below(1_600) as i16 - 800));
        let mut phase = 0.0;
        samples.extend((0..vowel * 8).map(|at| {
            let part = f64::from(at) / f64::from(vowel * 8);
            phase += TAU * pitch_hz * (1.1 - 0.2 * part) / 8_000.0;
            let wave: f64 =
                (1..=8).map(|harmonic| (phase * f64::from(harmonic)).sin() / f64::from(harmonic)).sum();
            (wave * 6_000.0 * (std::f64::consts::PI * part).sin()) as i16
        }));
        let pause_ms = if below(6) == 0 { 400 + below(800) } else { below(60) };
        samples.extend((0..pause_ms * 8).map(|_| below(20) as i16 - 10));
    }
    samples.into_iter().map(|sample| Law::Pcmu.encode(sample)).collect()
}

fn mean(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let all: Vec<Outcome> = outcomes.collect();
    let of = |part: fn(&Outcome) -> f64| all.iter().map(part).sum::<f64>() / all.len() as f64;
    Outcome {
        missed_percent: of(|it| it.missed_percent),
        delay_ms: of(|it| it.delay_ms),
        score: of(|it| it.score),
    }
}
