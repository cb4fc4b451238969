//! SIPp as the carrier: what carriers do, well and badly, and that nothing is left of it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::{
    CALLER_HZ, GREETING_AND_ECHO, greeting, heard_greeting_and_echo, node, node_with, records,
};
use tandem_peers::{Scenario, Sipp};
use tandem_phone_net::LiveLine;
use tandem_store::StoredCall;

/// Runs a scenario against a node of its own and returns the records.
fn run(scenario: &Scenario) -> Vec<StoredCall> {
    let mut node = node();
    let sipp = Sipp::start(scenario, &node.ports()).expect("SIPp starts");
    sipp.finish().unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    records(&mut node)
}

#[test]
fn a_call_is_answered_and_released() {
    for options in [&[][..], &["-t", "t1"][..]] {
        let mut node = node_with(|folder, config| greeting(folder, &config));
        let ports = node.ports();
        let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0);
        let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
        let scenario = Scenario {
            options,
            pause: Duration::from_millis(1_500),
            media_ports: vec![audio.port()],
            ..Scenario::once("call", GREETING_AND_ECHO)
        };
        let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
        sipp.finish().unwrap_or_else(|error| panic!("{options:?}: {error}"));
        heard_greeting_and_echo(&line);
        let records = records(&mut node);
        let [record] = &records[..] else { panic!("one record: {records:#?}") };
        assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
    }
}

#[test]
fn an_early_hang_up_leaves_nothing() {
    let records = run(&Scenario { calls: 20, rate: 100, ..Scenario::once("early-hang-up", "+15550101") });
    assert_eq!(records.len(), 20);
    assert!(records.iter().all(|it| it.end_side == "party" && it.agent.is_none()), "{records:#?}");
}

/// RFC 3261 §13.3.1.4: a 200 to INVITE is sent again until its ACK comes.
#[test]
fn an_answer_is_repeated_until_it_is_acknowledged() {
    let mut node = node();
    let sipp = Sipp::start(&Scenario::once("late-ack", "+15550102"), &node.ports()).expect("SIPp starts");
    sipp.finish().expect("the late ACK is taken");
    let counted = node.metrics("tandem_sip_signalling_total").expect("metrics");
    let sent = counted.iter().find(|(name, _)| name.contains("retransmissions_sent")).expect("a counter");
    // T1 and 2·T1 after the first: 0.5 and 1.5 s, before the ACK at 1.8 s.
    assert_eq!(sent.1, 2.0, "{counted:?}");
    let records = records(&mut node);
    assert_eq!((records.len(), records[0].end_status), (1, 200));
}

/// RFC 3261 §9: the CANCEL may cross the answer; either way the call ends once.
#[test]
fn a_cancelled_call_ends_once() {
    let records = run(&Scenario { calls: 20, rate: 50, ..Scenario::once("cancel", "+15550101") });
    assert_eq!(records.len(), 20);
    assert!(records.iter().all(|it| it.end_side == "party"), "{records:#?}");
}

#[test]
fn an_unknown_number_is_not_found() {
    let records = run(&Scenario::once("not-found", "+15559998"));
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].end_status, 404);
}

#[test]
fn a_hundred_calls_at_once_are_all_answered() {
    let pause = Duration::from_secs(2);
    let records = run(&Scenario { calls: 100, rate: 1_000, pause, ..Scenario::once("call", "+15550102") });
    assert_eq!(records.len(), 100);
    assert!(records.iter().all(|it| it.answered.is_some() && it.end_status == 200), "{records:#?}");
}

/// RFC 3261 §17.2.1: a repeated INVITE is answered again and starts nothing.
#[test]
fn retransmissions_start_nothing_new() {
    let lossy = &["-lost", "20", "-max_retrans", "20"];
    let scenario = Scenario { calls: 20, rate: 20, options: lossy, ..Scenario::once("call", "+15550102") };
    let records = run(&scenario);
    assert_eq!(records.len(), 20, "as many calls as the carrier made");
}

/// RFC 3325: what a trusted carrier asserts, in its form of numbers, and with its Privacy.
#[test]
fn numbers_are_understood_as_the_carrier_writes_them() {
    let shown: &[&str] = &["-key", "privacy", "none", "-key", "caller", "0000"];
    let withheld: &[&str] = &["-key", "privacy", "id", "-key", "caller", "anonymous"];
    for (options, from) in [(shown, "+15551234"), (withheld, "")] {
        let mut node = node_with(|_, config| {
            let trunk = "name = \"carrier-a\"\nnumbers = { country = \"US\", e164_without_plus = true }";
            config.replace("name = \"carrier-a\"", trunk).replacen(
                "trust_identity = false",
                "trust_identity = true",
                1,
            )
        });
        let scenario = Scenario { options, ..Scenario::once("identified", "15550102") };
        let sipp = Sipp::start(&scenario, &node.ports()).expect("SIPp starts");
        sipp.finish().unwrap_or_else(|error| panic!("{options:?}: {error}"));
        let records = records(&mut node);
        let [record] = &records[..] else { panic!("one record: {records:#?}") };
        assert_eq!((record.from.as_str(), record.dialled.as_str()), (from, "+15550102"), "{options:?}");
        assert_eq!(record.from_withheld, from.is_empty(), "{options:?}");
        let sent_on = (record.redirected_by.as_deref(), record.redirect_reason.as_deref());
        assert_eq!(sent_on, (Some("+15550199"), Some("unconditional")), "{options:?}");
        assert!(record.legs[0].packets_sent > 10, "the prompt was played: {record:#?}");
    }
}

/// RFC 6086 in its older usage: digits in SIP both ways, each once; none are offered as telephone events.
#[test]
fn digits_in_sip_come_back_in_sip() {
    let mut node = node_with(|_, config| config.replacen("dtmf = \"rfc4733\"", "dtmf = \"info\"", 1));
    let sipp = Sipp::start(&Scenario::once("info-echo", "+15550103"), &node.ports()).expect("SIPp starts");
    sipp.finish().expect("each key comes back once");
    let records = records(&mut node);
    let [record] = &records[..] else { panic!("one record: {records:#?}") };
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
    assert_eq!(record.legs[0].digits_received, 2, "{record:#?}");
}
