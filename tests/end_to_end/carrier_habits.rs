//! Carriers that call us, as they are: slow, lossy, rude and wrong. Each file of `tests/sipp/habits` says which habit it stands for;
//! whatever it is, the call is heard both ways or refused, ends once, leaves one record and nothing else.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::called_habits;
use crate::support::{CALLER_HZ, GREETING_AND_ECHO, greeting, node_with, records};
use tandem_peers::{Node, Scenario, Sipp};
use tandem_phone::Received;
use tandem_phone_net::LiveLine;
use tandem_store::StoredCall;

/// What becomes of a call with a habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is answered, the caller hears the node and itself, and hangs up.
    Heard,
    /// It is answered, the node hears the caller's keys, says them again in packets of so many milliseconds, and
    /// hangs up.
    ReadBack(u64),
    /// It is answered, and the caller is gone before there is anything to hear.
    Brief,
    /// It gets as far as a record, and this status.
    Ends(u16),
    /// It is refused before it is a call.
    Refused,
}
use Outcome::{Brief, Ends, Heard, ReadBack, Refused};

/// Callers' habits, by file.
const CALLERS: &[(&str, Outcome)] = &[
    ("habits/a-law-only", Heard),
    ("habits/address-per-stream", Heard),
    ("habits/bare-description", Heard),
    ("habits/bye-after-ack", Brief),
    ("habits/bye-twice", Heard),
    ("habits/called-by-nobodys-number", Ends(404)),
    ("habits/calls-on-hold", ReadBack(20)),
    ("habits/compact-names", Heard),
    (CONTACT_ELSEWHERE, ReadBack(20)),
    ("habits/delayed-offer", Heard),
    ("habits/encrypted-unasked", Refused),
    ("habits/foreign-tag", Heard),
    ("habits/g729-first", Heard),
    ("habits/hold-inactive", Heard),
    ("habits/hold-sendonly", Heard),
    ("habits/hold-zero-address", Heard),
    ("habits/ice-and-mux", Heard),
    ("habits/impossible-reinvite", Heard),
    ("habits/long-packets", ReadBack(40)),
    ("habits/many-headers", Heard),
    ("habits/multipart-body", Heard),
    ("habits/no-codec-in-common", Refused),
    ("habits/no-max-forwards", Heard),
    ("habits/no-telephone-event", Heard),
    ("habits/number-goes-back", Heard),
    ("habits/odd-name", Heard),
    ("habits/odd-spelling", Heard),
    ("habits/options-in-call", Heard),
    ("habits/options-ping", Heard),
    ("habits/reason-in-bye", Heard),
    ("habits/refresh-without-offer", Heard),
    ("habits/same-offer-again", Heard),
    ("habits/strange-scheme", Refused),
    ("habits/telephone-uri", Heard),
    ("habits/two-proxies", ReadBack(20)),
    ("habits/unknown-body", Refused),
    ("habits/unknown-method", Heard),
    ("habits/unknown-requirement", Refused),
    ("habits/video-too", Heard),
    ("habits/withheld-number", Heard),
    ("habits/worn-out", Refused),
    ("habits/wrong-via", Heard),
];

/// Scenarios that run at a time.
const AT_A_TIME: usize = 8;

/// Of G.711.
const SAMPLES_PER_MS: u64 = 8;

/// Says the keys pressed as tones, and good-bye.
const READS_BACK: &str = "\
start = \"ask\"

[variables]
digits = \"\"

[activities.ask]
type = \"collect\"
prompts = [\"enter-digits\"]
min_digits = 4
max_digits = 4
variable = \"digits\"
exits = { done = \"read\", timeout = \"end\", invalid = \"end\" }

[activities.read]
type = \"play-digits\"
variable = \"digits\"
exits = { done = \"good-bye\" }

[activities.good-bye]
type = \"play\"
prompts = [\"goodbye\"]
exits = { done = \"end\" }

[activities.end]
type = \"disconnect\"
";

const READ_BACK: &str = "+15550107";
const KEYS: &str = "1470";

/// The habit whose call is released at another port than it began at.
const CONTACT_ELSEWHERE: &str = "habits/contact-elsewhere";
/// How far apart the two ports are.
const ELSEWHERE: u16 = 100;

fn greeting_node() -> Node {
    node_with(|folder, config| {
        let config = greeting(folder, &config);
        std::fs::write(folder.join("flows/reads-back.toml"), READS_BACK).expect("the flow is written");
        format!("{config}\n[[entry_point]]\nnumber = \"{READ_BACK}\"\nflow = \"reads-back\"\n")
    })
}

#[test]
fn every_habit_of_a_caller_is_borne() {
    let mut node = greeting_node();
    let mut trouble = Vec::new();
    for group in CALLERS.chunks(AT_A_TIME) {
        let calls: Vec<Call> =
            (0..).zip(group).map(|(place, it)| Call::start(&node, place, it.0, it.1)).collect();
        trouble.extend(calls.into_iter().flat_map(Call::finish));
    }
    let records = records(&mut node);
    for (name, outcome) in CALLERS {
        trouble.extend(misrecorded(name, *outcome, &records));
    }
    assert!(trouble.is_empty(), "{}", trouble.join("\n"));
}

#[test]
fn every_scenario_of_the_folder_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp/habits");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder")
        .filter_map(|entry| Some(format!("habits/{}", entry.ok()?.path().file_stem()?.to_str()?)))
        .collect();
    let called = called_habits::CALLED.iter().map(|habit| habit.0);
    let run: BTreeSet<String> = CALLERS.iter().map(|it| it.0).chain(called).map(str::to_owned).collect();
    assert_eq!(files, run);
}

/// A scenario under way, with the caller's voice and ear beside it.
struct Call {
    name: &'static str,
    outcome: Outcome,
    sipp: Sipp,
    elsewhere: Option<Sipp>,
    line: LiveLine,
}

impl Call {
    /// From a port of its own at the carrier's address.
    fn start(node: &Node, place: u16, name: &'static str, outcome: Outcome) -> Self {
        let mut ports = node.ports();
        let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0 + 2 * place);
        let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
        if matches!(outcome, ReadBack(_)) {
            line.press(KEYS);
        }
        ports.carrier.set_port(ports.carrier.port() + 1 + place);
        let number = match outcome {
            Ends(404) => "+15559998",
            ReadBack(_) => READ_BACK,
            _ => GREETING_AND_ECHO,
        };
        let scenario = Scenario {
            pause: Duration::from_millis(1_500),
            media_ports: vec![audio.port()],
            ..Scenario::once(name, number)
        };
        let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
        ports.carrier.set_port(ports.carrier.port() + ELSEWHERE);
        let elsewhere = (name == CONTACT_ELSEWHERE)
            .then(|| Sipp::start(&Scenario::once("release-elsewhere", "unused"), &ports))
            .transpose()
            .expect("another SIPp starts");
        Self { name, outcome, sipp, elsewhere, line }
    }

    /// What was not as it should be.
    fn finish(self) -> Vec<String> {
        let Self { name, outcome, sipp, elsewhere, line } = self;
        let sipps = [Some(sipp), elsewhere].into_iter().flatten();
        let mut trouble: Vec<String> =
            sipps.filter_map(|it| it.finish().err().map(|error| format!("{name}: {error}"))).collect();
        let (received, heard) = line.heard();
        let (own_voice, keys) = (heard.time_of_tone(CALLER_HZ), heard.digit_string());
        let is_heard = match outcome {
            Heard => own_voice > Duration::from_millis(300) && keys.contains('5'),
            ReadBack(ptime_ms) => keys == KEYS && packet_ms(&received, &heard) > ptime_ms * 3 / 4,
            Brief | Ends(_) | Refused => true,
        };
        if !is_heard {
            trouble
                .push(format!("{name}: heard {own_voice:?} of its own voice, keys {keys:?}, {received:?}"));
        }
        trouble
    }
}

/// How long the packets lasted on the average, in milliseconds; of the last ones is not counted what is not heard yet.
fn packet_ms(received: &Received, heard: &tandem_phone::Heard) -> u64 {
    let samples: u64 = heard.windows.iter().map(|window| u64::from(window.samples)).sum();
    samples / SAMPLES_PER_MS / received.packets.max(1)
}

/// What is wrong with the record of a scenario's call, which its Call-ID tells.
fn misrecorded(name: &str, outcome: Outcome, records: &[StoredCall]) -> Vec<String> {
    let stem = name.trim_start_matches("habits/");
    let of_it = |it: &&StoredCall| {
        it.legs.first().is_some_and(|leg| leg.sip_call_id.starts_with(&format!("{stem}-")))
    };
    let found: Vec<&StoredCall> = records.iter().filter(of_it).collect();
    let [record] = &found[..] else {
        let expected = usize::from(outcome != Refused);
        let wrong = format!("{name}: {} records instead of {expected}", found.len());
        return if found.len() == expected { Vec::new() } else { vec![wrong] };
    };
    let leg = &record.legs[0];
    let was_answered = record.answered.is_some();
    let is_right = match outcome {
        Heard | ReadBack(_) => {
            let by = if outcome == Heard { "party" } else { "control" };
            let packets = leg.packets_received.min(leg.packets_sent);
            was_answered && packets > 25 && record.end_status == 200 && record.end_side == by
        }
        Brief => record.end_side == "party",
        Ends(status) => record.end_status == status && !was_answered,
        Refused => false,
    };
    let wrong = format!(
        "{name}: answered {was_answered}, ended by {} with {}, {} packets came, {} went",
        record.end_side, record.end_status, leg.packets_received, leg.packets_sent
    );
    if is_right { Vec::new() } else { vec![wrong] }
}
