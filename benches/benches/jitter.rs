//! The jitter buffer against buffers of a fixed delay, on generated paths:
//!
//! ```text
//! cargo bench -p tandem-benches --bench jitter [-- FILE.svg]
//! ```
//!
//! For each path and buffer: packets that came and were not heard, or for which something else was heard first, the mean delay that the buffer adds to that of the
//! fastest packets, and the score of the E-model (ITU-T G.107, for G.711 with concealment) that loss and delay come to.
//! What is lost on the path itself counts for all of them. The plot has the scores side by side; the last line is JSON.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::json;
use tandem_media::codec::{Codec, Rate};
use tandem_media::jitter::{DelayLimits, Kind, Playout};
use tandem_media::quality::mean_opinion_score;
use tandem_media::rtp::{HEADER_LEN, Header, Stamp};
use tandem_time::Instant;

const PTIME_US: u64 = 20_000;
/// Five minutes.
const PACKETS: u64 = 15_000;
const SEEDS: u64 = 4;

/// A path by its habits.
struct Path {
    name: &'static str,
    jitter_us: u64,
    loss_percent: u32,
    spike_us: u64,
    drift_ppm: i64,
}

const PATHS: [Path; 6] = [
    Path { name: "quiet", jitter_us: 2_000, loss_percent: 0, spike_us: 0, drift_ppm: 0 },
    Path { name: "jitter to 80 ms", jitter_us: 80_000, loss_percent: 0, spike_us: 0, drift_ppm: 0 },
    Path { name: "5 % in bursts", jitter_us: 20_000, loss_percent: 5, spike_us: 0, drift_ppm: 0 },
    Path { name: "200 ms spikes", jitter_us: 10_000, loss_percent: 0, spike_us: 200_000, drift_ppm: 0 },
    Path { name: "+200 ppm", jitter_us: 5_000, loss_percent: 0, spike_us: 0, drift_ppm: 200 },
    Path { name: "-200 ppm", jitter_us: 5_000, loss_percent: 0, spike_us: 0, drift_ppm: -200 },
];

/// What holds packets back.
#[derive(Clone, Copy)]
enum Buffer {
    Adaptive,
    /// Of the first packet's time and so many milliseconds more, by the listener's clock.
    Fixed(u64),
}

const BUFFERS: [(&str, Buffer); 4] = [
    ("adaptive", Buffer::Adaptive),
    ("fixed 40 ms", Buffer::Fixed(40)),
    ("fixed 80 ms", Buffer::Fixed(80)),
    ("fixed 160 ms", Buffer::Fixed(160)),
];

#[derive(Clone, Copy, Default)]
struct Outcome {
    late_percent: f64,
    delay_ms: f64,
    score: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut outcomes = Vec::new();
    println!("{:16} {:10} {:>12} {:>12} {:>7}", "path", "buffer", "not heard", "delay", "score");
    for path in &PATHS {
        let of_path = BUFFERS.map(|(name, buffer)| {
            let outcome = mean((0..SEEDS).map(|seed| listen(&arrivals(path, seed), buffer)));
            let Outcome { late_percent, delay_ms, score } = outcome;
            println!("{:16} {name:10} {late_percent:>10.2} % {delay_ms:>9.1} ms {score:>7.2}", path.name);
            outcome
        });
        outcomes.push(of_path);
    }
    if let Some(file) = std::env::args().skip(1).find(|it| it.ends_with(".svg")) {
        fs::write(&file, plot(&outcomes))?;
    }
    let rows = PATHS.iter().zip(&outcomes).map(|(path, of_path)| {
        let of_buffer = |(name, it): (&str, &Outcome)| {
            json!({ "buffer": name, "not_heard_percent": it.late_percent, "delay_ms": it.delay_ms, "score": it.score })
        };
        let names = BUFFERS.map(|(name, _)| name);
        json!({ "path": path.name, "buffers": names.into_iter().zip(of_path).map(of_buffer).collect::<Vec<_>>() })
    });
    println!("{}", json!(rows.collect::<Vec<_>>()));
    Ok(())
}

/// When each packet comes; none when it is lost.
fn arrivals(path: &Path, seed: u64) -> Vec<Option<u64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |limit: u64| (u64::from(rng.next_u32()) * limit.max(1)) >> 32;
    let (mut stalled_until, mut last, mut is_bad) = (0, 0, false);
    let packet = |number: u64| {
        let sent = (number * PTIME_US) as i64;
        let sent = (1_000_000 + sent + sent * path.drift_ppm / 1_000_000) as u64;
        if path.spike_us > 0 && below(500) == 0 {
            stalled_until = sent + path.spike_us;
        }
        // Bursts of three packets on average.
        is_bad = if is_bad { below(3) > 0 } else { below(300) < u64::from(path.loss_percent) };
        let jitter = below(path.jitter_us) * below(path.jitter_us) / path.jitter_us.max(1);
        let at = (sent + jitter).max(stalled_until).max(last);
        last = at;
        (!is_bad).then_some(at)
    };
    (0..PACKETS).map(packet).collect()
}

fn listen(arrivals: &[Option<u64>], buffer: Buffer) -> Outcome {
    let (played, delay_ms) = match buffer {
        Buffer::Adaptive => adaptive(arrivals),
        Buffer::Fixed(ms) => fixed(arrivals, ms * 1_000),
    };
    let came = arrivals.iter().flatten().count() as f64;
    let lost_percent = 100.0 * (1.0 - played / PACKETS as f64);
    let both_ways = Duration::from_secs_f64(2.0 * delay_ms.max(0.0) / 1_000.0);
    let score = mean_opinion_score(lost_percent as f32, Duration::ZERO, both_ways).into();
    Outcome { late_percent: 100.0 * (1.0 - played / came), delay_ms, score }
}

/// Packets heard, and how late they are after the fastest on average, in milliseconds.
fn fixed(arrivals: &[Option<u64>], delay_us: u64) -> (f64, f64) {
    let came =
        arrivals.iter().zip(0..).filter_map(|(at, number)| at.map(|at| at as i64 - number * PTIME_US as i64));
    let transits: Vec<i64> = came.collect();
    let heard_at = transits.first().copied().unwrap_or(0) + delay_us as i64;
    let played = transits.iter().filter(|transit| **transit <= heard_at).count();
    let fastest = transits.iter().copied().min().unwrap_or(0);
    (played as f64, (heard_at - fastest) as f64 / 1_000.0)
}

/// The same of ours, less what was filled while it waited.
fn adaptive(arrivals: &[Option<u64>]) -> (f64, f64) {
    let mut playout = Playout::new(Codec::Pcmu, Rate::Narrowband, DelayLimits::default());
    let mut packets = arrivals.iter().enumerate().filter_map(|(n, at)| at.map(|at| (n, at))).peekable();
    let end = arrivals.iter().flatten().last().copied().unwrap_or(0) + 400_000;
    let (mut delay, mut pulls) = (0.0, 0.0);
    for turn in (1_007_000..end).step_by(PTIME_US as usize) {
        while let Some((number, at)) = packets.next_if(|(_, at)| *at <= turn) {
            let mut packet = [0; HEADER_LEN + 160];
            let (sequence, timestamp) = (number as u16, number as u32 * 160);
            Stamp { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1 }.write(&mut packet);
            let Some(header) = Header::parse(&packet) else { continue };
            let now = Instant::from_nanos(at * 1_000);
            playout.insert(now, &header, false, Kind::Audio, &packet[header.payload()]);
        }
        let now = Instant::from_nanos(turn * 1_000);
        if let Some(ms) = playout.delay_ms(now) {
            delay += f64::from(ms);
            pulls += 1.0;
        }
        playout.pull(now, &mut [0; 160]);
    }
    // What was filled while a packet was waited for is missed as much as a packet.
    let tally = playout.tally();
    (tally.played as f64 - tally.filled as f64 / 2.0, delay / f64::max(pulls, 1.0))
}

fn mean(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let all: Vec<Outcome> = outcomes.collect();
    let of = |part: fn(&Outcome) -> f64| all.iter().map(part).sum::<f64>() / all.len() as f64;
    Outcome {
        late_percent: of(|it| it.late_percent),
        delay_ms: of(|it| it.delay_ms),
        score: of(|it| it.score),
    }
}

/// Scores as bars, a group for each path.
fn plot(outcomes: &[[Outcome; 4]]) -> String {
    const COLOURS: [&str; 4] = ["#1f6f8b", "#c9d6df", "#a6b1bb", "#7d8790"];
    const GROUP: usize = 130;
    let width = 60 + GROUP * outcomes.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} 330\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"330\" fill=\"white\"/>\n"
    );
    let height = |score: f64| (score - 1.0) * 65.0;
    for score in 1..=4 {
        let y = 270.0 - height(f64::from(score));
        let _ = writeln!(
            svg,
            "<path d=\"M40 {y}H{width}\" stroke=\"#eee\"/><text x=\"20\" y=\"{y}\">{score}</text>"
        );
    }
    for (group, (path, of_path)) in PATHS.iter().zip(outcomes).enumerate() {
        let left = 50 + group * GROUP;
        for (bar, (outcome, colour)) in of_path.iter().zip(COLOURS).enumerate() {
            let (x, tall) = (left + bar * 26, height(outcome.score));
            let y = 270.0 - tall;
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y:.1}\" width=\"22\" height=\"{tall:.1}\" fill=\"{colour}\"/>"
            );
            let label = format!("{:.0} ms, {:.1} %", outcome.delay_ms, outcome.late_percent);
            let _ = writeln!(
                svg,
                "<text transform=\"translate({} 265) rotate(-90)\" font-size=\"9\">{label}</text>",
                x + 14
            );
        }
        let _ = writeln!(svg, "<text x=\"{left}\" y=\"288\">{}</text>", path.name);
    }
    for (bar, ((name, _), colour)) in BUFFERS.iter().zip(COLOURS).enumerate() {
        let x = 50 + bar * 110;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"302\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"312\">{name}</text>", x + 18);
    }
    svg + "</svg>\n"
}
