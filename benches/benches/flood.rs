//! What a flood costs those who have nothing to do with it, as a ratio to no flood in the same run:
//!
//! ```text
//! cargo bench -p tandem-benches --bench flood [-- SECONDS]
//! ```
//!
//! The daemon's release build with the demo's configuration. Some calls are up and hear their own voice while a
//! carrier makes new ones all the time: first in quiet, then under 50,000 datagrams of junk a second from unlisted and
//! listed sources. For each: RTP packets that established calls lost, new calls that were answered, and the node's CPU.
//! The flood itself needs most of a core: on a machine of two it is part of the burden. The last line is JSON.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use tandem_peers::Node;
use tandem_phone::{CallKey, Event, Junk, JunkKind, Manner, Phone, PhoneConfig, Report};
use tandem_phone_net::LivePhone;

/// Datagrams a second, from all sources together.
const FLOOD: u64 = 50_000;
/// Nobody knows the first two; phones may register from the others.
const SOURCES: [&str; 4] = ["127.0.0.98", "127.0.0.99", "127.0.0.26", "127.0.0.27"];
/// Different datagrams of each source.
const KINDS: usize = 512;
/// Calls that are up all the time.
const ESTABLISHED: usize = 20;
/// New calls a second.
const NEW_A_SECOND: u32 = 10;
const ECHO: &str = "+15550103";
const CALLER_HZ: u16 = 500;
const PATIENCE: Duration = Duration::from_secs(20);
/// What is asked of us: of the calls completed in quiet, so many are under a flood, and no packet is lost.
const COMPLETED_WANTED: f64 = 1.0;

/// What was seen in one phase.
#[derive(Clone, Copy, Debug, Default)]
struct Phase {
    begun: u32,
    completed: u32,
    rtp_received: u64,
    rtp_lost: u64,
    junk: u64,
    cpu_s: f64,
}

fn main() -> ExitCode {
    let seconds = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(10);
    match run(Duration::from_secs(seconds)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("flood: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the flood was borne.
fn run(long: Duration) -> Result<bool, Box<dyn Error>> {
    let node = Node::release()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let carrier = carrier(&runtime, &node)?;
    let quiet = phase(&node, &carrier, long, false)?;
    let flooded = phase(&node, &carrier, long, true)?;
    let ratio = f64::from(flooded.completed) / f64::from(quiet.completed.max(1));
    let is_borne = ratio >= COMPLETED_WANTED && flooded.rtp_lost == 0;
    for (name, it) in [("quiet", quiet), ("flooded", flooded)] {
        println!(
            "{name:>8}: {} of {} new calls completed; {} RTP packets heard, {} lost; {:.0} datagrams of junk a second; \
             node {:.2} CPU-s",
            it.completed,
            it.begun,
            it.rtp_received,
            it.rtp_lost,
            it.junk as f64 / long.as_secs_f64(),
            it.cpu_s
        );
    }
    println!("completion under flood: {ratio:.3} of quiet, {COMPLETED_WANTED} wanted; {}", verdict(is_borne));
    println!(
        "{}",
        json!({ "quiet": told(quiet), "flooded": told(flooded), "ratio": ratio, "borne": is_borne })
    );
    Ok(is_borne)
}

const fn verdict(is_borne: bool) -> &'static str {
    if is_borne { "ok" } else { "MISSED" }
}

fn told(phase: Phase) -> Value {
    let Phase { begun, completed, rtp_received, rtp_lost, junk, cpu_s } = phase;
    json!({
        "begun": begun, "completed": completed, "rtp_received": rtp_received, "rtp_lost": rtp_lost, "junk": junk,
        "cpu_s": cpu_s,
    })
}

fn carrier(runtime: &tokio::runtime::Runtime, node: &Node) -> std::io::Result<LivePhone> {
    let ports = node.ports();
    let config = PhoneConfig {
        user: "carrier".to_owned(),
        address: ports.carrier,
        media_address: ports.carrier.ip(),
        media_ports: ports.carrier_rtp.0..=ports.carrier_rtp.1,
        server: ports.sip,
        credentials: None,
        expires: Duration::from_secs(60),
        manner: caller(None),
        numbers: BTreeMap::new(),
        lines: 1_000,
        listen_for: vec![CALLER_HZ],
    };
    LivePhone::start(runtime.handle(), config, 1)
}

/// Speaks its tone; hangs up after `talk`.
fn caller(talk: Option<Duration>) -> Manner {
    Manner { talk, ..Manner::polite(CALLER_HZ, Duration::ZERO) }
}

/// Calls are up and others begin, for so long, with or without a flood.
fn phase(
    node: &Node,
    carrier: &LivePhone,
    long: Duration,
    is_flooded: bool,
) -> Result<Phase, Box<dyn Error>> {
    let mut established = Vec::new();
    for _ in 0..ESTABLISHED {
        let call = carrier.call("+15551000", ECHO, caller(None))?;
        carrier.answered(call, PATIENCE)?;
        established.push(call);
    }
    let (flood, cpu) = (is_flooded.then(|| Flood::start(node)).transpose()?, node.process().cpu()?);
    let mut phase = Phase::default();
    let (pace, begin) = (Duration::from_secs(1) / NEW_A_SECOND, Instant::now());
    let mut ended = BTreeMap::new();
    while begin.elapsed() < long {
        carrier.call("+15552000", ECHO, caller(Some(Duration::from_millis(500))))?;
        phase.begun += 1;
        collect(carrier, begin + pace * phase.begun, &mut ended, usize::MAX);
    }
    let cpu_s = (node.process().cpu()? - cpu).as_secs_f64();
    collect(carrier, Instant::now() + PATIENCE, &mut ended, phase.begun as usize);
    let junk = flood.map_or(0, Flood::stop);
    for call in &established {
        let call = *call;
        carrier.act(move |phone, now| Phone::hang_up(phone, now, call))?;
    }
    collect(carrier, Instant::now() + PATIENCE, &mut ended, phase.begun as usize + established.len());
    let was_up = |call: &CallKey| ended.get(call);
    let is_completed =
        |report: &&Report| report.status == 200 && report.heard.time_of_tone(CALLER_HZ) > Duration::ZERO;
    let completed = ended.iter().filter(|(call, _)| !established.contains(call)).map(|(_, report)| report);
    let reports = || established.iter().filter_map(was_up);
    if reports().count() < ESTABLISHED {
        return Err(format!("{} of {ESTABLISHED} established calls were heard of", reports().count()).into());
    }
    Ok(Phase {
        completed: u32::try_from(completed.filter(is_completed).count())?,
        rtp_received: reports().map(|report| report.received.packets).sum(),
        rtp_lost: reports().map(|report| report.received.lost).sum(),
        junk,
        cpu_s,
        ..phase
    })
}

/// The reports of calls that end until a time, or until there are enough.
fn collect(carrier: &LivePhone, until: Instant, ended: &mut BTreeMap<CallKey, Report>, enough: usize) {
    while ended.len() < enough {
        let left = until.saturating_duration_since(Instant::now());
        match carrier.next_event(left) {
            Ok(Event::Ended { call, report }) => {
                ended.insert(call, *report);
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// A thread that sends junk from every source in turn.
struct Flood {
    running: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Flood {
    fn start(node: &Node) -> Result<Self, Box<dyn Error>> {
        let sip = node.ports().sip;
        let mut junk = Junk::new(ChaCha8Rng::seed_from_u64(1), sip);
        let mut sources: Vec<(UdpSocket, Vec<Vec<u8>>)> = Vec::new();
        for source in SOURCES {
            let local: SocketAddr = format!("{source}:5060").parse()?;
            let kinds = JunkKind::ALL.iter().cycle().take(KINDS);
            let datagrams = kinds.map(|(_, kind)| junk.next(*kind, local)).collect();
            sources.push((UdpSocket::bind(local)?, datagrams));
        }
        let (running, sent) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
        let thread = std::thread::spawn({
            let (running, sent) = (Arc::clone(&running), Arc::clone(&sent));
            move || pour(&sources, sip, &running, &sent)
        });
        Ok(Self { running, sent, thread })
    }

    /// How much it was.
    fn stop(self) -> u64 {
        self.running.store(false, Ordering::Relaxed);
        // A thread that panicked has told why.
        let _ = self.thread.join();
        self.sent.load(Ordering::Relaxed)
    }
}

/// As many datagrams as are due each millisecond.
fn pour(sources: &[(UdpSocket, Vec<Vec<u8>>)], sip: SocketAddr, running: &AtomicBool, sent: &AtomicU64) {
    let begin = Instant::now();
    let mut turn = 0_usize;
    while running.load(Ordering::Relaxed) {
        let due = begin.elapsed().as_millis() as u64 * FLOOD / 1_000;
        while sent.load(Ordering::Relaxed) < due {
            let (socket, datagrams) = &sources[turn % sources.len()];
            // A full buffer of ours is no matter.
            let _ = socket.send_to(&datagrams[turn / sources.len() % datagrams.len()], sip);
            turn += 1;
            sent.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
