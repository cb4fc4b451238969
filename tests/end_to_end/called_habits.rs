//! Carriers that we call, as they are: each file of `tests/sipp/habits` says which habit it stands for. Whatever it is,
//! caller and called party hear each other or the caller is told why not; the call ends once, at both ends, and
//! leaves one record.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use tandem_peers::{Node, Ports, Scenario, Sipp};
use tandem_phone::{CallKey, Event, Manner, Report, Side};
use tandem_phone_net::{LiveLine, LivePhone};
use tandem_store::StoredCall;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node_with, records, runtime};

/// What becomes of a call to a carrier with a habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is answered, the two hear each other, and the caller hangs up.
    Heard,
    /// The same, and the called party hangs up.
    Left,
    /// It is answered, and the called party is gone before there is anything to hear.
    Brief,
    /// The caller is told this status.
    Ends(u16),
    /// The caller gives up while it rings.
    GivenUp,
}
use Outcome::{Brief, Ends, GivenUp, Heard, Left};

/// Called carriers' habits, by file.
pub(crate) const CALLED: &[(&str, Outcome)] = &[
    ("habits/announces-then-refuses", Ends(484)),
    ("habits/answer-crosses-cancel", GivenUp),
    ("habits/answers-before-it-rings", Heard),
    ("habits/answers-compactly", Heard),
    ("habits/answers-in-a-law", Heard),
    ("habits/answers-in-g729", Ends(488)),
    ("habits/answers-in-parts", Heard),
    ("habits/answers-on-hold", Heard),
    ("habits/answers-through-proxies", Heard),
    ("habits/answers-too-late", Ends(408)),
    ("habits/answers-unannounced", Heard),
    ("habits/answers-with-newcomers", Ends(603)),
    ("habits/answers-without-description", Ends(488)),
    ("habits/answers-without-tag", Heard),
    ("habits/asks-options", Heard),
    ("habits/cancel-unanswered", GivenUp),
    ("habits/describes-early-only", Heard),
    ("habits/ends-as-cancelled", GivenUp),
    ("habits/engaged", Ends(486)),
    ("habits/exists-nowhere", Ends(604)),
    ("habits/gateway-times-out", Ends(504)),
    ("habits/hangs-up", Left),
    ("habits/holds-and-returns", Heard),
    ("habits/leaves-at-once", Brief),
    ("habits/moves-when-it-answers", Heard),
    ("habits/never-answers-bye", Heard),
    ("habits/never-content", Ends(403)),
    ("habits/never-says-a-word", Ends(408)),
    ("habits/number-gone", Ends(410)),
    ("habits/number-unknown", Ends(404)),
    ("habits/out-of-reach", Ends(480)),
    ("habits/progress-before-answer", Heard),
    ("habits/reinvites-at-once", Heard),
    ("habits/reinvites-without-description", Heard),
    ("habits/repeats-its-answer", Heard),
    ("habits/rings-on-and-on", Heard),
    ("habits/rings-without-tag", Heard),
    ("habits/several-ring", Heard),
    ("habits/slow-to-try", Heard),
    ("habits/swamped", Ends(500)),
    ("habits/turns-away", Ends(603)),
    ("habits/two-answer", Heard),
    ("habits/wants-credentials", Heard),
];

/// Calls at a time.
const AT_A_TIME: usize = 11;

/// The called parties' voice.
const PARTY_HZ: u16 = 900;

/// How long a caller talks, and how long it waits for an answer when it is to give up.
const TALK: Duration = Duration::from_secs(2);
const SHORT_PATIENCE: Duration = Duration::from_millis(600);

/// What a party hears of the other at least.
const HEARD: Duration = Duration::from_millis(500);

/// A node with a trunk, and a number that leads straight to it, for each habit. RFC 3261's T1 is that of a LAN, so
/// that 64·T1, which some habits make us wait, is short.
fn node_with_trunks() -> Node {
    node_with(|_, config| {
        let port = carrier_port(&config);
        let mut config = config.replace("t1_ms = 500", "t1_ms = 100");
        for (number, (name, _)) in (1..).zip(CALLED) {
            let (address, dialled) = (address(number), dialled(number));
            let trunk = format!(
                "\n[[trunk]]\nname = \"{name}\"\nsources = [\"{address}\"]\npeer = \"{address}:{port}\"\n\
                 username = \"us\"\npassword = \"secret\"\n\
                 \n[[entry_point]]\nnumber = \"{dialled}\"\ntrunk = \"{name}\"\n"
            );
            config.push_str(&trunk.replace("habits/", ""));
        }
        config
    })
}

/// The port of carrier-a, which the others share at addresses of their own.
fn carrier_port(config: &str) -> u16 {
    let (_, rest) = config.split_once("peer = \"127.0.0.10:").expect("carrier-a");
    rest.split('"').next().and_then(|port| port.parse().ok()).expect("its port")
}

/// Where the carrier with a habit is.
fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, number)
}

/// The number that leads there.
fn dialled(number: u8) -> String {
    format!("+15557770{number:02}")
}

#[test]
fn every_habit_of_a_called_carrier_is_borne() {
    let (mut node, runtime) = (node_with_trunks(), runtime());
    let phone = carrier(&runtime, &node);
    let mut trouble = String::new();
    let habits: Vec<(u8, Habit)> = (1..).zip(CALLED.iter().copied()).collect();
    for group in habits.chunks(AT_A_TIME) {
        let calls: Vec<Call> = group.iter().map(|habit| Call::start(&node, &phone, habit)).collect();
        let reports = ended(&phone, calls.len());
        for call in calls {
            call.finish(&reports, &mut trouble);
        }
    }
    let records = records(&mut node);
    for (number, (name, outcome)) in &habits {
        let of_it: Vec<_> = records.iter().filter(|record| record.dialled == dialled(*number)).collect();
        match of_it[..] {
            [record] => misrecorded(name, *outcome, record, &mut trouble),
            _ => writeln!(trouble, "{name}: {} records", of_it.len()).expect("a string takes it"),
        }
    }
    assert!(trouble.is_empty(), "{trouble}");
}

type Habit = (&'static str, Outcome);

/// The reports of the next calls that end.
fn ended(phone: &LivePhone, calls: usize) -> BTreeMap<CallKey, Report> {
    let deadline = Instant::now() + PATIENCE;
    let mut reports = BTreeMap::new();
    while reports.len() < calls {
        match phone.next_event(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Ended { call, report }) => {
                reports.insert(call, *report);
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    reports
}

/// A call to a carrier with a habit: its SIPp, and the called party's voice and ear beside it.
struct Call {
    name: &'static str,
    outcome: Outcome,
    call: CallKey,
    sipp: Sipp,
    line: LiveLine,
}

impl Call {
    fn start(node: &Node, phone: &LivePhone, (number, (name, outcome)): &(u8, Habit)) -> Self {
        let ports = node.ports();
        let carrier = SocketAddrV4::new(address(*number), ports.carrier.port());
        let audio = SocketAddr::from((*carrier.ip(), ports.carrier_rtp.0));
        let line = LiveLine::start(audio, PARTY_HZ).expect("the party's audio address is free");
        let scenario = Scenario { media_ports: vec![audio.port()], ..Scenario::once(name, "unused") };
        let mut sipp =
            Sipp::start(&scenario, &Ports { carrier: carrier.into(), ..ports }).expect("SIPp starts");
        sipp.listens(carrier, PATIENCE).expect("SIPp listens");
        let manner = match outcome {
            GivenUp => Manner { patience: Some(SHORT_PATIENCE), ..caller() },
            Left => caller(),
            _ => Manner { talk: Some(TALK), ..caller() },
        };
        let call = phone.call("+15551111", &dialled(*number), manner).expect("a call");
        Self { name, outcome: *outcome, call, sipp, line }
    }

    /// Notes what was not as it should be.
    fn finish(self, reports: &BTreeMap<CallKey, Report>, trouble: &mut String) {
        let Self { name, outcome, call, sipp, line } = self;
        if let Err(error) = sipp.finish() {
            writeln!(trouble, "{name}: {error}").expect("a string takes it");
        }
        let Some(report) = reports.get(&call) else {
            return writeln!(trouble, "{name}: the caller's end is missing").expect("a string takes it");
        };
        let caller_heard = report.heard.time_of_tone(PARTY_HZ);
        let party_heard = line.heard().1.time_of_tone(CALLER_HZ);
        let both_heard = caller_heard >= HEARD && party_heard >= HEARD;
        let is_right = match outcome {
            Heard => both_heard && (report.status, report.by) == (200, Side::Ours),
            Left => both_heard && (report.status, report.by) == (200, Side::Theirs),
            Brief => (report.status, report.by) == (200, Side::Theirs),
            Ends(status) => report.finals == [status] && report.answered.is_none(),
            GivenUp => report.finals == [487] && report.answered.is_none(),
        };
        if !is_right {
            let (by, finals) = (report.by, &report.finals);
            writeln!(
                trouble,
                "{name}: not {outcome:?}: the caller heard {caller_heard:?}, the party {party_heard:?}; \
                 finals {finals:?}, ended by {by:?}"
            )
            .expect("a string takes it");
        }
    }
}

/// Notes what is wrong with the record of a call.
fn misrecorded(name: &str, outcome: Outcome, record: &StoredCall, trouble: &mut String) {
    let both_answered = record.legs.iter().all(|leg| leg.answered.is_some());
    let both_spoke = record.legs.iter().all(|leg| leg.packets_received.min(leg.packets_sent) > 25);
    let (by, status) = (record.end_side.as_str(), record.end_status);
    let is_right = record.legs.len() == 2
        && match outcome {
            Heard => both_answered && both_spoke && (by, status) == ("party", 200),
            Left => both_answered && both_spoke && (by, status) == ("control", 200),
            Brief => (by, status) == ("control", 200) && record.legs[1].answered.is_some(),
            Ends(told) => (by, status) == ("control", told) && record.answered.is_none(),
            GivenUp => (by, status) == ("party", 487) && record.answered.is_none(),
        };
    if !is_right {
        writeln!(trouble, "{name}: not {outcome:?}: {record:#?}").expect("a string takes it");
    }
}
