//! Numbers that lead straight to somebody at the carrier: the caller is answered when the party is, and not before.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_peers::{Scenario, Sipp};
use tandem_phone::{Answer, Manner, Phone};

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier_whose, node, node_with, only_record, runtime};

/// The demo's number, and where it leads.
const NUMBER: &str = "+15550111";
const PARTY: &str = "+15550199";
const PARTY_HZ: u16 = 900;
const RING: Duration = Duration::from_millis(300);

#[test]
fn caller_and_party_hear_each_other_until_the_party_hangs_up() {
    let (mut node, runtime) = (node(), runtime());
    let party = Manner { talk: Some(Duration::from_secs(3)), ..Manner::polite(PARTY_HZ, RING) };
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), party)]);

    let call = carrier.call("+15551111", NUMBER, caller()).expect("a call");
    let called = carrier.incoming(PATIENCE).expect("the party is rung");
    carrier.answered(call, PATIENCE).expect("the caller is answered");
    let talk = Duration::from_secs(1);
    carrier.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the party");
    carrier.hears(called, CALLER_HZ, talk, PATIENCE).expect("the party hears the caller");
    let reports = [carrier.ended(called, PATIENCE), carrier.ended(call, PATIENCE)];
    for report in reports {
        assert_eq!(report.expect("the call ends").status, 200);
    }

    let record = only_record(&mut node);
    assert_eq!((record.dialled.as_str(), record.legs.len()), (NUMBER, 2));
    let party = &record.legs[1];
    assert_eq!((party.party.as_str(), party.end_side.as_str()), (PARTY, "party"));
    assert!(record.legs.iter().all(|leg| leg.answered.is_some() && leg.packets_received > 50), "{record:#?}");
    assert!(party.answered <= record.legs[0].answered, "the caller is answered after the party");
    assert!(record.timeline.is_empty(), "no flow ran: {:#?}", record.timeline);
}

#[test]
fn the_caller_is_told_why_the_party_did_not_take_the_call() {
    let (mut node, runtime) = (node(), runtime());
    let busy =
        Manner { answer: Answer::Refuse { after: RING, status: 486 }, ..Manner::polite(PARTY_HZ, RING) };
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), busy)]);
    let call = carrier.call("+15551111", NUMBER, caller()).expect("a call");
    assert_eq!(carrier.ended(call, PATIENCE).expect("the call ends").status, 486);
    let record = only_record(&mut node);
    assert_eq!((record.end_cause.as_str(), record.answered), ("busy", None));
}

#[test]
fn the_party_stops_ringing_when_the_caller_gives_up() {
    let (mut node, runtime) = (node(), runtime());
    let ringing = Manner { answer: Answer::RingForEver, ..Manner::polite(PARTY_HZ, RING) };
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), ringing)]);
    let call = carrier.call("+15551111", NUMBER, caller()).expect("a call");
    let called = carrier.incoming(PATIENCE).expect("the party is rung");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller gives up");
    for leg in [call, called] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 487);
    }
    assert_eq!(only_record(&mut node).answered, None);
}

/// Caller and party have different ways to say keys; each gets the other's in its own, once.
#[test]
fn keys_go_from_tones_to_events_and_back() {
    let keys = |keys: &str| vec![(Duration::from_millis(700), keys.to_owned())];
    for (caller_events, party_events) in [(None, Some(101)), (Some(101), None)] {
        let (mut node, runtime) = (node(), runtime());
        let talk = Some(Duration::from_secs(3));
        let party =
            Manner { events: party_events, keys: keys("73*"), talk, ..Manner::polite(PARTY_HZ, RING) };
        let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), party)]);
        let manner = Manner { events: caller_events, keys: keys("15#"), ..caller() };
        let call = carrier.call("+15551111", NUMBER, manner).expect("a call");
        let called = carrier.incoming(PATIENCE).expect("the party is rung");
        let talk = Duration::from_millis(500);
        carrier.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the party");
        carrier.hears(called, CALLER_HZ, talk, PATIENCE).expect("the party hears the caller");
        let [called, call] = [called, call].map(|leg| carrier.ended(leg, PATIENCE).expect("the call ends"));
        let (with_events, pressed_by_other, with_tones, pressed_by_them) =
            if caller_events.is_some() { (call, "73*", called, "15#") } else { (called, "15#", call, "73*") };
        assert_eq!(with_events.received.digit_string(), pressed_by_other);
        assert_eq!(with_events.heard.digit_string(), "", "not as tones too");
        assert_eq!(with_tones.heard.digit_string(), pressed_by_them);
        let record = only_record(&mut node);
        assert!(record.legs.iter().all(|leg| leg.digits_received == 3), "{record:#?}");
    }
}

/// The offer and the answer are the two ends' own, so that they speak to each other and not to us.
#[test]
fn direct_media_takes_no_port_of_ours() {
    let mut node =
        node_with(|_, config| config.replace("to = \"+15550199\"", "to = \"+15550199\"\nmedia = \"direct\""));
    let runtime = runtime();
    let party = Manner::polite(PARTY_HZ, RING);
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), party)]);
    let call = carrier.call("+15551111", NUMBER, caller()).expect("a call");
    let called = carrier.incoming(PATIENCE).expect("the party is rung");
    let talk = Duration::from_secs(1);
    carrier.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the party");
    carrier.hears(called, CALLER_HZ, talk, PATIENCE).expect("the party hears the caller");
    for name in ["tandem_ledger_ports", "tandem_ledger_endpoints"] {
        let metric = node.metrics(name).expect("metrics");
        assert!(metric.iter().all(|(_, value)| *value == 0.0) && !metric.is_empty(), "{metric:?}");
    }
    assert!(node.metrics("tandem_ledger_legs").expect("metrics").iter().any(|(_, value)| *value == 2.0));
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    for leg in [call, called] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
    }
    let record = only_record(&mut node);
    assert!(record.answered.is_some() && record.legs.len() == 2, "{record:#?}");
    assert!(record.legs.iter().all(|leg| leg.media_path == "direct" && leg.codec.is_none()), "{record:#?}");
}

/// From one SIPp to another: what each says of its media reaches the other, early, in the answer and while it holds,
/// without a port of ours; with media of ours both are answered as well, and what can be heard early is (RFC 3960).
#[test]
fn sipp_calls_sipp_through_the_node() {
    for (media, caller, callee) in [
        ("direct", "direct-caller", "direct-callee"),
        ("anchored", "call", "agent-answers"),
        ("anchored", "early-caller", "early-callee"),
    ] {
        let mut node = node_with(|_, config| {
            config.replace("to = \"+15550199\"", &format!("to = \"+15550199\"\nmedia = \"{media}\""))
        });
        let ports = node.ports();
        let beside = SocketAddr::new(ports.carrier.ip(), ports.carrier.port() + 1);
        let callee = Scenario { media_ports: vec![41_000], ..Scenario::once(callee, "unused") };
        let caller = Scenario { media_ports: vec![40_000], ..Scenario::once(caller, NUMBER) };
        let callee = Sipp::start(&callee, &ports).expect("SIPp starts");
        let caller = Sipp::start_at(&caller, &ports, beside).expect("SIPp starts");
        caller.finish().expect("the caller's end saw what it should");
        callee.finish().expect("the callee's end too");
        let record = only_record(&mut node);
        assert!(record.answered.is_some() && record.legs.len() == 2, "{record:#?}");
        assert!(record.legs.iter().all(|leg| leg.media_path == media), "{record:#?}");
        let has_codec = record.legs.iter().all(|leg| leg.codec.is_some());
        assert_eq!(has_codec, media == "anchored", "{record:#?}");
    }
}
