//! What it costs to relay a packet, RTP to RTP and RTP to SRTP: a media thread against bare forwarders and rtpengine.
//!
//! `cargo bench -p tandem-benches --bench relay -- [--calls 100,400,800] [--seconds 4] [--rounds 3] [--realtime no] [--limit 100]
//! [--json FILE]`
//!
//! Every call has two parties that send 50 packets a second each. All subjects of a round run one after the other,
//! so that a noisy host disturbs each alike; medians over the rounds are what to read, and ratios more than figures.
//! With `--limit` each gets more and more calls, by so many a step, until packets are lost: the most it carries.
//!
//! A media thread that sends by io_uring takes 0.6 of rtpengine's processor time, and the bare forwarder with the same sockets
//! 0.57: three fifths of it are the kernel's sending, which on loopback goes as far as the receiver's socket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tandem_benches::relay::bare::{Bare, Style};
use tandem_benches::relay::ours::Ours;
use tandem_benches::relay::rtpengine::{self, RtpEngine};
use tandem_benches::relay::traffic::{Run, Traffic};
use tandem_benches::relay::{Placement, Protection, Relay};
use tandem_media_net::IoChoice;
use tandem_media_net::sys::{SendRing, Urgency, make_current_thread_realtime};

/// A media thread's ports.
const FIRST_PORT: u16 = 31_000;
/// rtpengine's.
const ENGINE_PORTS: (u16, u16) = (20_000, 60_000);
/// So many bad runs in a row are no accident of a shared host.
const BAD_RUNS: usize = 2;
/// Less than this share of what is due is a limit: of the parties when it is what they send, of the relay when it is what
/// comes through.
const IN_TIME: f64 = 0.98;
/// A media thread costs at most so much of the bare forwarder, that reads and writes batches as they come …
const RTP_WANTED: f64 = 1.25;
/// … and so much when one side of each call is under SRTP.
const SRTP_WANTED: f64 = 1.5;
/// … and so much of rtpengine.
const ENGINE_WANTED: f64 = 0.5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Bare(Style),
    Ours(Protection, IoChoice),
    RtpEngine(Protection),
}

impl Subject {
    const ALL: [Self; 12] = [
        Self::Bare(Style::Batched),
        Self::Bare(Style::Single),
        Self::Bare(Style::Gathering),
        Self::Bare(Style::GatheringBatched),
        Self::Bare(Style::Connected),
        Self::Bare(Style::Ring),
        Self::Ours(Protection::Neither, IoChoice::Mmsg),
        Self::Ours(Protection::Neither, IoChoice::IoUring),
        Self::Ours(Protection::OneSide, IoChoice::Mmsg),
        Self::Ours(Protection::OneSide, IoChoice::IoUring),
        Self::RtpEngine(Protection::Neither),
        Self::RtpEngine(Protection::OneSide),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Bare(Style::Batched) => "bare, recvmmsg",
            Self::Bare(Style::Single) => "bare, recvfrom",
            Self::Bare(Style::Gathering) => "bare, gathering, recvfrom",
            Self::Bare(Style::GatheringBatched) => "bare, gathering, recvmmsg",
            Self::Bare(Style::Connected) => "bare, gathering, connected",
            Self::Bare(Style::Ring) => "bare, gathering, io_uring",
            Self::Ours(Protection::Neither, IoChoice::IoUring) => "media thread, io_uring",
            Self::Ours(Protection::Neither, _) => "media thread, mmsg",
            Self::Ours(Protection::OneSide, IoChoice::IoUring) => "media thread, io_uring, SRTP",
            Self::Ours(Protection::OneSide, _) => "media thread, mmsg, SRTP",
            Self::RtpEngine(Protection::Neither) => "rtpengine",
            Self::RtpEngine(Protection::OneSide) => "rtpengine, SRTP",
        }
    }

    /// Whether somebody carries calls with it.
    const fn is_in_use(self) -> bool {
        !matches!(self, Self::Bare(_))
    }

    fn start(self, parties: &[SocketAddr], placement: Placement) -> io::Result<Box<dyn Relay>> {
        Ok(match self {
            Self::Bare(style) => Box::new(Bare::start(parties, style, placement)?),
            Self::Ours(protection, io) => {
                Box::new(Ours::start(parties, FIRST_PORT, (protection, io), placement)?)
            }
            Self::RtpEngine(protection) => {
                Box::new(RtpEngine::start(parties, ENGINE_PORTS, protection, placement)?)
            }
        })
    }
}

struct Arguments {
    calls: Vec<usize>,
    measured: Duration,
    rounds: usize,
    placement: Placement,
    /// Calls more in each step of looking for the most.
    limit: Option<usize>,
    json: Option<String>,
}

fn main() -> io::Result<()> {
    let mut arguments = Arguments::parse(std::env::args().skip(1))?;
    if arguments.placement.realtime && !may_be_realtime() {
        println!("the real-time class is not allowed here: delays are those of a shared host");
        arguments.placement.realtime = false;
    }
    let ring = SendRing::open();
    if let Err(error) = &ring {
        println!("io_uring cannot be had, so it is skipped: {error}");
    }
    let subjects: Vec<Subject> = Subject::ALL
        .into_iter()
        .filter(|subject| match subject {
            Subject::RtpEngine(_) => rtpengine::is_installed(),
            Subject::Bare(Style::Ring) | Subject::Ours(_, IoChoice::IoUring) => ring.is_ok(),
            Subject::Bare(_) | Subject::Ours(..) => true,
        })
        .collect();
    if !rtpengine::is_installed() {
        println!("rtpengine is not installed (Debian: rtpengine-daemon): skipped");
    }
    if let Some(step) = arguments.limit {
        return subjects.iter().filter(|it| it.is_in_use()).try_for_each(|it| limit(*it, step, &arguments));
    }
    let mut rows = Vec::new();
    for calls in &arguments.calls {
        let measured = measure(*calls, &subjects, &arguments)?;
        print_table(*calls, &measured);
        rows.extend(measured.iter().map(|(subject, runs)| json_row(*calls, *subject, runs)));
    }
    if let Some(file) = arguments.json {
        std::fs::write(file, format!("[\n{}\n]\n", rows.join(",\n")))?;
    }
    Ok(())
}

/// Tried on a thread of its own, so that this one stays as it is.
fn may_be_realtime() -> bool {
    let tried = std::thread::spawn(|| make_current_thread_realtime(Urgency::Audio));
    tried.join().is_ok_and(|made| made.is_ok())
}

/// Gives it more and more calls until packets are lost or come late, or the parties cannot send as many.
fn limit(subject: Subject, step: usize, arguments: &Arguments) -> io::Result<()> {
    let (mut most, mut cost) = (0, f64::NAN);
    for calls in (1..).map(|index| index * step) {
        let traffic = Traffic::bind(calls)?;
        let due = calls as f64 * 100.0 * arguments.measured.as_secs_f64();
        let mut failures = Vec::new();
        while failures.len() < BAD_RUNS {
            let relay = subject.start(traffic.parties(), arguments.placement)?;
            let run = traffic.run(&*relay, arguments.measured, arguments.placement)?;
            let through = run.packets as f64 / due;
            if run.sent_share < IN_TIME {
                failures.push(format!("the parties sent {:.0} % of what was due", run.sent_share * 100.0));
            } else if run.lost > 0 || through < IN_TIME {
                failures.push(format!("{} lost, {:.0} % through in time", run.lost, through * 100.0));
            } else {
                (most, cost) = (calls, run.cost());
                break;
            }
        }
        if failures.len() == BAD_RUNS {
            let (name, why) = (subject.name(), failures.join("; "));
            println!("{name}: {most} calls without loss ({cost:.2} µs/packet); with {calls}: {why}");
            return Ok(());
        }
    }
    Ok(())
}

fn measure(
    calls: usize,
    subjects: &[Subject],
    arguments: &Arguments,
) -> io::Result<Vec<(Subject, Vec<Run>)>> {
    let traffic = Traffic::bind(calls)?;
    let mut measured: Vec<(Subject, Vec<Run>)> = subjects.iter().map(|it| (*it, Vec::new())).collect();
    for _ in 0..arguments.rounds {
        for (subject, runs) in &mut measured {
            let relay = subject.start(traffic.parties(), arguments.placement)?;
            runs.push(traffic.run(&*relay, arguments.measured, arguments.placement)?);
        }
    }
    Ok(measured)
}

fn print_table(calls: usize, measured: &[(Subject, Vec<Run>)]) {
    let bound = |style| {
        let of = measured.iter().find(|(subject, _)| *subject == Subject::Bare(style));
        of.map_or(f64::NAN, |(_, runs)| median(runs, Run::cost))
    };
    println!("\n{calls} calls, {} packets/s in and out; medians of {}", calls * 100, measured[0].1.len());
    println!(
        "{:<29}{:>10}{:>10}{:>12}{:>8}{:>9}{:>9}{:>9}",
        "", "µs/packet", "x bare", "x gathering", "lost", "p50 µs", "p99 µs", "max µs"
    );
    for (subject, runs) in measured {
        let cost = median(runs, Run::cost);
        println!(
            "{:<29}{:>10.2}{:>10.2}{:>12.2}{:>8}{:>9.0}{:>9.0}{:>9.0}",
            subject.name(),
            cost,
            cost / bound(Style::Batched),
            cost / bound(Style::Gathering),
            median(runs, |run| run.lost as f64),
            median(runs, |run| micros(run.delay_p50)),
            median(runs, |run| micros(run.delay_p99)),
            median(runs, |run| micros(run.delay_max)),
        );
    }
    let wanted = [(Protection::Neither, RTP_WANTED), (Protection::OneSide, SRTP_WANTED)];
    let ways = [IoChoice::Mmsg, IoChoice::IoUring];
    for ((protection, wanted), io) in wanted.into_iter().flat_map(|it| ways.map(|io| (it, io))) {
        let cost = |subject: Subject| {
            let of = measured.iter().find(|(it, _)| *it == subject);
            of.map(|(_, runs)| median(runs, Run::cost))
        };
        let Some(ours) = cost(Subject::Ours(protection, io)) else { continue };
        let name = Subject::Ours(protection, io).name();
        let ratio = ours / bound(Style::Batched);
        let verdict = |ratio, wanted| if ratio <= wanted { "within" } else { "beyond" };
        print!("{name} / bare forwarder = {ratio:.2}, {} the {wanted} wanted", verdict(ratio, wanted));
        match cost(Subject::RtpEngine(protection)).map(|theirs| ours / theirs) {
            Some(ratio) => {
                println!("; / rtpengine = {ratio:.2}, {} {ENGINE_WANTED}", verdict(ratio, ENGINE_WANTED))
            }
            None => println!(),
        }
    }
}

fn json_row(calls: usize, subject: Subject, runs: &[Run]) -> String {
    let costs: Vec<String> = runs.iter().map(|run| format!("{:.3}", run.cost())).collect();
    format!(
        "  {{\"calls\": {calls}, \"subject\": \"{}\", \"us_per_packet\": [{}], \"lost\": {}, \"delay_p99_us\": {:.0}}}",
        subject.name(),
        costs.join(", "),
        median(runs, |run| run.lost as f64),
        median(runs, |run| micros(run.delay_p99)),
    )
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Arguments {
    fn parse(given: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut arguments = Self {
            calls: vec![100, 400, 800],
            measured: Duration::from_secs(4),
            rounds: 3,
            placement: Placement { parties_core: 0, relay_core: 1, realtime: true },
            limit: None,
            json: None,
        };
        let mut given = given;
        while let Some(name) = given.next() {
            if name == "--bench" {
                continue;
            }
            let value = given.next().ok_or_else(|| wrong(&name))?;
            match name.as_str() {
                "--calls" => {
                    arguments.calls = value
                        .split(',')
                        .map(str::parse)
                        .collect::<Result<_, _>>()
                        .map_err(|_| wrong(&name))?;
                }
                "--seconds" => {
                    arguments.measured = Duration::from_secs(value.parse().map_err(|_| wrong(&name))?);
                }
                "--rounds" => arguments.rounds = value.parse().map_err(|_| wrong(&name))?,
                "--realtime" => arguments.placement.realtime = value == "yes",
                "--limit" => {
                    let step = value.parse().ok().filter(|step| *step > 0);
                    arguments.limit = Some(step.ok_or_else(|| wrong(&name))?);
                }
                "--json" => arguments.json = Some(value),
                _ => return Err(wrong(&name)),
            }
        }
        Ok(arguments)
    }
}

fn wrong(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("what is {name}? See the head of benches/relay.rs"))
}
