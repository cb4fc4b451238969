//! How a call was to be heard, in either direction: in the record, through the API, as text and as a plot.

use std::cmp::Ordering;
use std::process::Command;
use std::time::{Duration, Instant};

use tandem_peers::Node;
use tandem_phone::{Habit, Manner};
use tandem_store::{Archive, StoredHeard, StoredLeg};

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier_whose, node, node_with, only_record, runtime};

/// The demo's number, and where it leads.
const NUMBER: &str = "+15550111";
const PARTY: &str = "+15550199";
const PARTY_HZ: u16 = 900;

/// The worst of either way, and that there is something of it.
fn worst(leg: &StoredLeg) -> (f64, f64) {
    let least = |heard: fn(&tandem_store::StoredPoint) -> Option<StoredHeard>| {
        let scores: Vec<f64> = leg.quality.iter().filter_map(|point| Some(heard(point)?.mos)).collect();
        assert!(!scores.is_empty(), "{leg:#?}");
        scores.into_iter().fold(5.0, f64::min)
    };
    (least(|point| point.received), least(|point| point.sent))
}

/// What the API tells of a call, once it is kept.
fn told(node: &Node, path: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = node.request("GET", path).expect("the API answers");
        if let Some((head, body)) = answer.split_once("\r\n\r\n").filter(|(head, _)| head.contains(" 200 ")) {
            assert!(head.contains("application/json"), "{head}");
            return body.to_owned();
        }
        assert!(Instant::now() < deadline, "{answer}");
    }
}

/// Every tenth packet of the caller's is lost on its way here. The way back is as good as any.
#[test]
fn loss_in_one_direction_is_seen_in_that_direction_only() {
    let (mut node, runtime) = (node(), runtime());
    let party = Manner { talk: Some(Duration::from_secs(8)), ..Manner::polite(PARTY_HZ, Duration::ZERO) };
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), party)]);
    let caller = Manner { habits: vec![Habit::LosesSpeech { every: 10 }], ..caller() };
    let call = carrier.call("+15551111", NUMBER, caller).expect("a call");
    let called = carrier.incoming(PATIENCE).expect("the party is rung");
    let talk = Duration::from_millis(500);
    carrier.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the party");
    carrier
        .hears(called, CALLER_HZ, Duration::from_millis(150), PATIENCE)
        .expect("the party hears the caller");
    for leg in [called, call] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
    }
    let told = told(&node, "/calls/1");
    let archive = Archive::open(&node.folder().join("calls.db")).expect("the store opens");
    let record = archive.call_named("1").expect("it is read").expect("the record");
    let plotted = node.http(&format!("/calls/{}/quality.svg", record.legs[0].sip_call_id)).expect("a plot");
    assert!(node.stop().expect("the daemon ends").success());

    let [caller, party] = &record.legs[..] else { panic!("{record:#?}") };
    let ((from_caller, to_caller), (from_party, to_party)) = (worst(caller), worst(party));
    assert!(from_caller < 3.9 && to_party < 3.9, "a tenth is lost: {from_caller}, {to_party}");
    assert!(from_party > 4.2 && to_caller > 4.2, "nothing is lost: {from_party}, {to_caller}");
    assert!(caller.mos < party.mos && party.remote_mos < caller.remote_mos, "{record:#?}");
    assert!(caller.round_trip_us.is_some() && party.round_trip_us.is_some(), "{record:#?}");

    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    // What reads JSON may be off by the last bit.
    let same =
        |told: &serde_json::Value, kept: Option<f64>| (told.as_f64()? - kept?).abs().partial_cmp(&1e-9);
    assert_eq!(same(&told["legs"][0]["mos"], caller.mos), Some(Ordering::Less));
    let sent = party.quality[0].sent.map(|it| it.mos);
    assert_eq!(same(&told["legs"][1]["quality"][0]["sent"]["mos"], sent), Some(Ordering::Less));
    assert!(plotted.contains("<svg") && plotted.contains("from +15551111"), "{plotted}");

    let svg = node.folder().join("quality.svg");
    let explained = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["explain", &record.call, "--config"])
        .arg(node.folder().join("tandem.toml"))
        .arg("--svg")
        .arg(&svg)
        .output()
        .expect("tandem runs");
    let said = String::from_utf8_lossy(&explained.stdout);
    assert!(said.contains("+15551111 to +15550111") && said.matches("worst at").count() == 4, "{said}");
    assert_eq!(std::fs::read_to_string(&svg).expect("a plot"), plotted);
}

/// RFC 3611 §5.2: who asks for VoIP metrics is told, and asked in return; who is asked tells, and the record has what it said;
/// and our own offers ask where that is configured.
#[test]
fn who_asks_is_told_how_it_is_heard() {
    for (policy, caller_asks) in [("accept", true), ("offer", false)] {
        let mut node = node_with(|_, config| {
            config.replacen("rtcp_xr = \"accept\"", &format!("rtcp_xr = \"{policy}\""), 1)
        });
        let runtime = runtime();
        let talk = Some(Duration::from_secs(8));
        let party = Manner { talk, ..Manner::polite(PARTY_HZ, Duration::ZERO) };
        let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), party)]);
        let caller = Manner { rtcp_xr: caller_asks, ..caller() };
        let call = carrier.call("+15551111", NUMBER, caller).expect("a call");
        let called = carrier.incoming(PATIENCE).expect("the party is rung");
        let talk = Duration::from_millis(500);
        carrier.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the party");
        carrier.hears(called, CALLER_HZ, talk, PATIENCE).expect("the party hears the caller");
        let [party, caller] = [called, call].map(|leg| carrier.ended(leg, PATIENCE).expect("it ends"));
        assert_eq!([caller.status, party.status], [200; 2], "{policy}");
        let asked = [&caller, &party].map(|it| it.received.was_asked_for_metrics);
        assert_eq!(asked, [caller_asks, !caller_asks], "{policy}");
        // Who tells us is told, too.
        let told = [&caller, &party].map(|it| it.received.metrics > 0);
        assert_eq!(told, [caller_asks, !caller_asks], "{policy}: {:?}", [caller.received, party.received]);
        let record = only_record(&mut node);
        let said = record
            .legs
            .iter()
            .map(|leg| leg.remote_mos.is_some_and(|mos| (mos - 3.7).abs() < 0.01))
            .collect::<Vec<_>>();
        assert_eq!(said, [caller_asks, !caller_asks], "{policy}: {record:#?}");
    }
}
