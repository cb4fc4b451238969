//! Calls from one carrier straight through to another, without media, as many as there can be:
//!
//! ```text
//! cargo bench -p tandem-benches --bench signalling [-- tandem kamailio tls]
//! ```
//!
//! The daemon's release build with `config/bench/b2bua.toml` between two SIPp on one machine, and Kamailio as a
//! record-routing stateful proxy in its place when it is installed. For each: the highest rate at which no call fails
//! and none waits for a retransmission, what 1,000 calls cost, how long an INVITE stays inside at half that rate (at 1,500 a
//! second at most), and the memory at the end. Then what the same calls cost over TLS, made by `tandem load straight`. The last line is
//! JSON.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use tandem_benches::signalling::{Carriers, Kamailio, Load, Secure, Subject, Tap, Traffic};
use tandem_peers::Node;

/// Rates that are tried, in order, until calls fail.
const RATES: [u32; 9] = [1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 5_000, 6_000];
/// How long calls are made at each.
const SECONDS: u32 = 10;
/// How long each call lasts.
const HOLD: Duration = Duration::from_millis(500);
/// What is asked of us.
const RATE_WANTED: f64 = 3_000.0;
const CPU_WANTED: f64 = 0.20;
const STAY_WANTED: Duration = Duration::from_millis(2);
const TLS_WANTED: f64 = 1.5;
/// The node's configuration.
const SAMPLE: &str = "config/bench/b2bua.toml";

/// What was measured of one subject.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    name: &'static str,
    /// Calls a second without a failure.
    rate: f64,
    /// CPU-seconds of 1,000 calls at that rate.
    cpu: f64,
    /// How long an INVITE stays inside at half that rate, or of [`RATE_WANTED`] if that is less.
    p50: Duration,
    p99: Duration,
    /// Resident memory before and after, in MiB.
    cold: f64,
    warm: f64,
}

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let is_asked = |name: &str| asked.is_empty() || asked.iter().any(|it| it == name);
    match run(is_asked("tandem"), is_asked("kamailio"), is_asked("tls")) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("signalling: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether we are as fast as we should.
fn run(tandem: bool, kamailio: bool, tls: bool) -> Result<bool, Box<dyn Error>> {
    let mut all = Vec::new();
    if kamailio {
        match Kamailio::start()? {
            Some(kamailio) => all.push(measure(&kamailio)?),
            None => println!("Kamailio is not installed (Debian's `kamailio`): nothing to compare with"),
        }
    }
    if tandem {
        let node = Node::release_of(SAMPLE)?;
        all.push(measure(&node)?);
    }
    let secure = if tls { Some(Secure::measure(SAMPLE)?) } else { None };
    print_table(&all);
    if let Some(it) = secure {
        println!(
            "tandem, by `tandem load straight`: {:.3} CPU-s per 1,000 calls over UDP, {:.3} over TLS: {:.2} times, {} \
             failed",
            it.udp,
            it.tls,
            it.ratio(),
            it.failed
        );
    }
    let ours = all.iter().find(|it| it.name == "tandem");
    let is_good =
        |it: &Measured| it.rate >= 0.97 * RATE_WANTED && it.cpu <= CPU_WANTED && it.p99 <= STAY_WANTED;
    let tls = secure.map(|it| {
        let costs = json!({ "udp": it.udp, "tls": it.tls, "ratio": it.ratio(), "failed": it.failed });
        ("tls_cpu_seconds_per_1000_calls", costs)
    });
    println!("{}", Value::from_iter(all.iter().map(|it| (it.name, as_json(it))).chain(tls)));
    let is_cheap = |it: Secure| it.ratio() <= TLS_WANTED && it.failed == 0;
    Ok(ours.is_none_or(is_good) && secure.is_none_or(is_cheap))
}

fn measure(subject: &dyn Subject) -> Result<Measured, Box<dyn Error>> {
    let carriers = Carriers::start()?;
    let mut measured = Measured { name: subject.name(), cold: mebibytes(subject)?, ..Measured::default() };
    for rate in RATES {
        let load = Load { rate, calls: rate * SECONDS, hold: HOLD };
        let (traffic, cpu) = call(subject, &carriers, load)?;
        let held = traffic.failed == 0 && traffic.rate >= 0.95 * f64::from(rate);
        println!(
            "{:9} {rate:5} calls/s asked, {:7.1} made, {} failed, {} retransmissions, {cpu:.3} CPU-s per 1,000 calls{}",
            subject.name(),
            traffic.rate,
            traffic.failed,
            traffic.retransmissions,
            if held { "" } else { ": too many" },
        );
        if !held {
            break;
        }
        (measured.rate, measured.cpu) = (traffic.rate, cpu);
    }
    measured.warm = mebibytes(subject)?;
    // Half of what is wanted: near its limit the generator, on the same cores, is what takes long.
    let half = (measured.rate.min(RATE_WANTED) / 2.0) as u32;
    if half == 0 {
        return Ok(measured);
    }
    let tap = Tap::start(subject.address())?;
    call(subject, &carriers, Load { rate: half, calls: half * SECONDS, hold: HOLD })?;
    let stays = tap.finish()?;
    (measured.p50, measured.p99) = (percentile(&stays, 50), percentile(&stays, 99));
    Ok(measured)
}

/// Makes calls, and says what 1,000 of them cost.
fn call(subject: &dyn Subject, carriers: &Carriers, load: Load) -> io::Result<(Traffic, f64)> {
    let before = subject.cpu()?;
    let traffic = carriers.call(subject.address(), load)?;
    let cpu = subject.cpu()? - before;
    Ok((traffic, cpu.as_secs_f64() * 1e3 / f64::from(load.calls.max(1))))
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

fn mebibytes(subject: &dyn Subject) -> io::Result<f64> {
    Ok(subject.resident()? as f64 / f64::from(1 << 20))
}

fn print_table(all: &[Measured]) {
    println!(
        "| | calls/s without a failure | CPU-s per 1,000 calls | INVITE inside, p50 | p99 | MiB cold | MiB after |"
    );
    println!("|---|---|---|---|---|---|---|");
    for it in all {
        println!(
            "| {} | {:.0} | {:.3} | {:.2} ms | {:.2} ms | {:.1} | {:.1} |",
            it.name,
            it.rate,
            it.cpu,
            millis(it.p50),
            millis(it.p99),
            it.cold,
            it.warm
        );
    }
    if let [theirs, ours] = all {
        println!(
            "| {} / {} | {:.2} | {:.2} | {:.2} | {:.2} | | |",
            ours.name,
            theirs.name,
            ours.rate / theirs.rate,
            ours.cpu / theirs.cpu,
            millis(ours.p50) / millis(theirs.p50),
            millis(ours.p99) / millis(theirs.p99)
        );
    }
}

fn as_json(it: &Measured) -> Value {
    json!({
        "calls_per_second": it.rate,
        "cpu_seconds_per_1000_calls": it.cpu,
        "invite_inside_p50_ms": millis(it.p50),
        "invite_inside_p99_ms": millis(it.p99),
        "resident_cold_mib": it.cold,
        "resident_after_mib": it.warm,
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
