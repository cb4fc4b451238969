//! Transfers by a party that is not ours: SIPp calls, wants its other parties put together and checks what it is told; a
//! carrier is called and heard, or is SIPp too and joins its calls by itself.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_peers::{Node, Ports, Scenario, Sipp};
use tandem_phone::{Answer, CallKey, Habit, Manner, Phone};
use tandem_phone_net::{LiveLine, LivePhone};
use tandem_store::{StoredCall, StoredLeg};

use crate::support::{CALLER_HZ, PATIENCE, carrier_whose, node_with, only_record, records, runtime};

/// Where the demo's number +15550111 leads, and one more.
const FIRST: (&str, u16) = ("+15550199", 900);
const SECOND: (&str, u16) = ("+15550198", 700);
const TARGET: (&str, u16) = ("+15550177", 1_150);
const STRAIGHT: &str = "+15550111";
const TALK: Duration = Duration::from_secs(1);

/// A node with two media threads, whose trunk has more keys.
fn node(keys: &str) -> Node {
    node_with(|_, config| {
        let config = config.replacen("threads = 0 ", "threads = 2 ", 1);
        let config = config.replacen("max_forwards = 70 ", &format!("{keys}\nmax_forwards = 70 "), 1);
        format!(
            "{config}\n[[entry_point]]\nnumber = \"+15550112\"\ntrunk = \"carrier-a\"\nto = \"{}\"\n",
            SECOND.0
        )
    })
}

fn answers(number: (&str, u16)) -> (String, Manner) {
    (number.0.to_owned(), Manner::polite(number.1, Duration::from_millis(300)))
}

/// SIPp beside the carrier, and the caller's voice.
fn transferor(name: &'static str, ports: &Ports) -> (Sipp, LiveLine) {
    let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0);
    let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
    let scenario = Scenario {
        pause: TALK,
        media_ports: vec![audio.port()],
        // Its Call-ID stands in a URI, in which an @ would be escaped.
        options: &["-cid_str", "first-%u-%p"],
        ..Scenario::once(name, STRAIGHT)
    };
    let beside = SocketAddr::new(ports.carrier.ip(), ports.carrier.port() + 1);
    (Sipp::start_at(&scenario, ports, beside).expect("SIPp starts"), line)
}

fn facts<'a>(record: &'a StoredCall, kind: &str) -> Vec<&'a str> {
    let facts = record.timeline.iter().filter(|fact| fact.kind == kind);
    facts.filter_map(|fact| fact.detail.as_deref()).collect()
}

fn leg<'a>(record: &'a StoredCall, party: (&str, u16)) -> &'a StoredLeg {
    record.legs.iter().find(|leg| leg.party == party.0).unwrap_or_else(|| panic!("{party:?}: {record:#?}"))
}

/// Both hear each other, and one of them hangs up.
fn talk_and_hang_up(carrier: &LivePhone, parties: [(CallKey, (&str, u16)); 2]) {
    let [(a, at_a), (b, at_b)] = parties;
    carrier.hears(a, at_b.1, TALK, PATIENCE).expect("the one hears the other");
    carrier.hears(b, at_a.1, TALK, PATIENCE).expect("the other hears the one");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, b)).expect("one hangs up");
    for call in [b, a] {
        assert_eq!(carrier.ended(call, PATIENCE).expect("the call ends").status, 200);
    }
}

/// RFC 5589 §7.3, RFC 5359 §2.5: two calls at two media threads become one; the transferor is told, gets BYE in both, and
/// the two it had put together talk. A carrier that is asked to join them and does not know how changes nothing.
#[test]
fn two_parties_are_put_together() {
    for (keys, referred) in [("", &[][..]), ("refer_out_attended = true", &["refused 501"])] {
        let (mut node, runtime) = (node(keys), runtime());
        let carrier = carrier_whose(&runtime, &node, [answers(FIRST), answers(SECOND)]);
        let (sipp, line) = transferor("transfers/attended", &node.ports());
        let first = carrier.incoming(PATIENCE).expect("the first party is called");
        let second = carrier.incoming(PATIENCE).expect("the second party is called");
        sipp.finish().expect("told, and hung up twice");
        let (received, heard) = line.heard();
        assert!(heard.time_of_tone(SECOND.1) > TALK / 2, "it has talked to the second: {received:?}");
        talk_and_hang_up(&carrier, [(first, FIRST), (second, SECOND)]);
        let records = records(&mut node);
        let [kept, left] = &records[..] else { panic!("two calls: {records:#?}") };
        let (kept, left) = if kept.legs.len() == 3 { (kept, left) } else { (left, kept) };
        assert_eq!((kept.dialled.as_str(), left.legs.len()), (STRAIGHT, 1), "{records:#?}");
        assert_eq!((facts(kept, "leg-joined").len(), facts(left, "leg-left").len()), (1, 1), "{records:#?}");
        assert_eq!(facts(kept, "transferred"), ["to +15550112: answered"], "{kept:#?}");
        assert_eq!(facts(kept, "referred"), referred, "{kept:#?}");
        for party in [FIRST, SECOND] {
            let leg = leg(kept, party);
            assert!(leg.packets_received > 50 && leg.end_status == 200, "{leg:#?}");
        }
        assert_eq!((kept.end_cause.as_str(), left.end_cause.as_str()), ("normal", "transferred"));
    }
}

/// The carrier joins its two calls by itself, says so, and is hung up on in both; until then the two hear each other through
/// the node.
#[test]
fn a_carrier_joins_its_calls() {
    let mut node = node("refer_out_attended = true");
    let ports = node.ports();
    let audio = |number: u16| SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0 + number);
    let lines =
        [(4, FIRST.1), (8, SECOND.1)].map(|(port, hz)| LiveLine::start(audio(port), hz).expect("free"));
    let scenario = Scenario {
        calls: 2,
        pause: 2 * TALK,
        media_ports: vec![audio(4).port(), audio(8).port()],
        ..Scenario::once("transfers/joined", "unused")
    };
    let called = Sipp::start(&scenario, &ports).expect("SIPp starts");
    let (sipp, _line) = transferor("transfers/attended", &ports);
    sipp.finish().expect("told, and hung up twice");
    called.finish().expect("asked to replace one call by the other, and both ended");
    for (line, hz) in lines.iter().zip([SECOND.1, FIRST.1]) {
        let (received, heard) = line.heard();
        assert!(heard.time_of_tone(hz) > TALK, "they hear each other meanwhile: {received:?}");
    }
    let records = records(&mut node);
    let kept = records.iter().find(|record| record.legs.len() == 3).expect("the call that went on");
    assert_eq!(facts(kept, "referred"), ["taken"], "{kept:#?}");
    for party in [FIRST, SECOND] {
        assert_eq!(leg(kept, party).end_side, "switch", "{kept:#?}");
    }
}

/// Busy, or not answered in time: the transferor is told which, and goes on talking to whom it had wanted to transfer.
#[test]
fn a_transfer_that_fails_is_taken_back() {
    let busy = Answer::Refuse { after: TALK, status: 486 };
    for (answer, status) in [(busy, 486), (Answer::RingForEver, 408)] {
        let (mut node, runtime) = (node("max_ringing_s = 2"), runtime());
        let target = Manner { answer, ..Manner::polite(TARGET.1, Duration::ZERO) };
        let carrier = carrier_whose(&runtime, &node, [answers(FIRST), (TARGET.0.to_owned(), target)]);
        let (sipp, line) = transferor("transfers/given-back", &node.ports());
        let party = carrier.incoming(PATIENCE).expect("the party is called");
        sipp.finish().expect("told that it rings, and that it failed");
        assert_eq!(carrier.ended(party, PATIENCE).expect("the call ends").status, 200);
        let (received, heard) = line.heard();
        let talked = 3 * TALK / 2;
        assert!(heard.time_of_tone(FIRST.1) > talked, "it hears the party before and after: {received:?}");
        let record = only_record(&mut node);
        assert_eq!(facts(&record, "transferred"), [format!("to {}: failed", TARGET.0)], "{record:#?}");
        assert_eq!(leg(&record, TARGET).end_status, status, "{record:#?}");
        let spoken = leg(&record, FIRST);
        assert!(spoken.packets_received > 125 && spoken.end_side == "control", "{record:#?}");
    }
}

/// The transferor hangs up in the middle (RFC 5057 §4.2), or holds when its REFER is accepted: the party and the target talk
/// all the same.
#[test]
fn a_transferor_does_not_wait() {
    for name in ["transfers/leaves", "transfers/crossed"] {
        let (mut node, runtime) = (node(""), runtime());
        let slow = Habit::Slow(Duration::from_millis(300));
        let target = Manner { habits: vec![slow], ..answers(TARGET).1 };
        let carrier = carrier_whose(&runtime, &node, [answers(FIRST), (TARGET.0.to_owned(), target)]);
        let (sipp, _line) = transferor(name, &node.ports());
        let party = carrier.incoming(PATIENCE).expect("the party is called");
        let target = carrier.incoming(PATIENCE).expect("the target is called");
        sipp.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
        talk_and_hang_up(&carrier, [(party, FIRST), (target, TARGET)]);
        let record = only_record(&mut node);
        assert_eq!(
            facts(&record, "transferred"),
            [format!("to {}: answered", TARGET.0)],
            "{name}: {record:#?}"
        );
        let ended_by = if name.ends_with("leaves") { "party" } else { "switch" };
        assert_eq!(record.legs[0].end_side, ended_by, "{name}: {record:#?}");
        for party in [FIRST, TARGET] {
            assert!(leg(&record, party).packets_received > 50, "{name}: {record:#?}");
        }
    }
}
