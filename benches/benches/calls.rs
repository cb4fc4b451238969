//! Calls through the whole daemon, SIPp as the carrier, on one machine:
//!
//! ```text
//! cargo bench -p tandem-benches --bench calls [-- prompt rate memory]
//! ```
//!
//! * `prompt`: 300 concurrent calls hear a prompt; no packet lost or late by the kernel's receive time;
//! * `rate`: 2,000 calls answered and released at 300 calls/s, none failed;
//! * `memory`: what an idle call costs, and what a second wave of 10,000 calls leaves behind that a first did not.

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use tandem_benches::sink::{LATE, Sink};
use tandem_peers::{Node, Scenario, Sipp};

type Outcome = Result<bool, Box<dyn Error>>;
type Run = (&'static str, fn() -> Outcome);

const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);
const FIRST_PORT: u16 = 40_000;

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let runs: [Run; 3] = [("prompt", prompt), ("rate", rate), ("memory", memory)];
    let mut held = true;
    for (name, run) in runs {
        if !asked.is_empty() && !asked.iter().any(|it| it == name) {
            continue;
        }
        match run() {
            Ok(good) => held &= good,
            Err(error) => {
                println!("{name}: {error}");
                held = false;
            }
        }
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn prompt() -> Outcome {
    const CALLS: u16 = 300;
    const HOLD: Duration = Duration::from_secs(20);
    let node = Node::release()?;
    let sink = Sink::start(CARRIER, FIRST_PORT, CALLS)?;
    let cpu = node.process().cpu()?;
    start(&node, u32::from(CALLS), 100, HOLD, CALLS)?.finish()?;
    let cpu = node.process().cpu()? - cpu;
    let heard = sink.finish()?;
    let call_seconds = f64::from(CALLS) * HOLD.as_secs_f64();
    println!(
        "prompt: {} of {CALLS} streams, {} packets, {} lost, {} later than {} ms (worst {:.1} ms); \
         {:.2} CPU-s per 1,000 call-seconds",
        heard.streams,
        heard.packets,
        heard.lost,
        heard.late,
        LATE.as_millis(),
        heard.worst.as_secs_f64() * 1e3,
        cpu.as_secs_f64() / call_seconds * 1e3,
    );
    Ok(heard.streams == usize::from(CALLS) && heard.lost == 0 && heard.late == 0)
}

fn rate() -> Outcome {
    const CALLS: u32 = 2_000;
    const RATE: u32 = 300;
    let node = Node::release()?;
    let cpu = node.process().cpu()?;
    idle(&node, CALLS, RATE, Duration::from_secs(1))?.finish()?;
    let cpu = node.process().cpu()? - cpu;
    println!(
        "rate: {CALLS} calls of 1 s at {RATE} calls/s, none failed; {:.2} CPU-s per 1,000 calls with their prompt",
        cpu.as_secs_f64() / f64::from(CALLS) * 1e3,
    );
    Ok(true)
}

fn memory() -> Outcome {
    const HELD: u32 = 1_000;
    const WAVE: u32 = 10_000;
    let node = Node::release()?;
    let cold = node.process().resident()?;
    // Warm: threads, code and tables exist before anything is compared.
    idle(&node, HELD, 200, Duration::from_secs(1))?.finish()?;
    let before = settled(&node)?;
    let carrier = idle(&node, HELD, 200, Duration::from_secs(12))?;
    await_metric(&node, "tandem_ledger_calls", f64::from(HELD))?;
    let held = node.process().resident()?;
    carrier.finish()?;
    let per_call = held.saturating_sub(before) / u64::from(HELD);

    let mut waves = Vec::new();
    for _ in 0..2 {
        idle(&node, WAVE, 300, Duration::from_millis(500))?.finish()?;
        waves.push(settled(&node)?);
    }
    let growth = (waves[1] as f64 - waves[0] as f64) / waves[0] as f64 * 100.0;
    println!(
        "memory: {per_call} bytes per call of {HELD} held; KiB at rest: {} cold, {} warm, {} and {} after {WAVE} \
         calls each ({growth:+.1} %)",
        cold / 1_024,
        before / 1_024,
        waves[0] / 1_024,
        waves[1] / 1_024,
    );
    Ok(per_call <= 20 * 1_024 && growth <= 5.0)
}

/// Resident memory once everything is given back.
fn settled(node: &Node) -> Result<u64, Box<dyn Error>> {
    settle(node)?;
    // The allocator gives its pages back just after the ledger shows zero.
    pause();
    Ok(node.process().resident()?)
}

/// Calls whose media nobody listens to.
fn idle(node: &Node, calls: u32, rate: u32, hold: Duration) -> std::io::Result<Sipp> {
    const PORTS: u16 = 1_000;
    start(node, calls, rate, hold, PORTS)
}

fn start(node: &Node, calls: u32, rate: u32, hold: Duration, ports: u16) -> std::io::Result<Sipp> {
    let media_ports = (0..ports).map(|index| FIRST_PORT + 2 * index).collect();
    let scenario = Scenario { calls, rate, pause: hold, media_ports, ..Scenario::once("call", "+15550102") };
    Sipp::start(&scenario, &node.ports())
}

/// Waits until the ledger is zero: every SIP transaction has run out too.
fn settle(node: &Node) -> Result<(), Box<dyn Error>> {
    const PATIENCE_S: u32 = 60;
    for _ in 0..PATIENCE_S {
        if node.metrics("tandem_ledger_")?.iter().all(|(_, value)| *value == 0.0) {
            return Ok(());
        }
        pause();
    }
    Err(format!("the ledger is not zero after {PATIENCE_S} s: {:?}", node.metrics("tandem_ledger_")?).into())
}

fn await_metric(node: &Node, name: &str, value: f64) -> Result<(), Box<dyn Error>> {
    const PATIENCE_S: u32 = 30;
    for _ in 0..PATIENCE_S {
        if node.metrics(name)?.iter().any(|(_, now)| *now >= value) {
            return Ok(());
        }
        pause();
    }
    Err(format!("{name} did not reach {value}: {:?}", node.metrics(name)?).into())
}

fn pause() {
    std::thread::park_timeout(Duration::from_secs(1));
}
