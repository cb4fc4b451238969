//! SIGTERM: no new calls, those there are may end, then everything is written and the exit status is 0.

use std::time::Duration;

use nix::sys::signal::Signal;
use tandem_peers::Node;
use tandem_phone::{CallKey, Phone, Side};
use tandem_phone_net::LivePhone;
use tandem_store::Archive;

use crate::support::{PATIENCE, caller, carrier, node, node_with, runtime};

/// A call that is up.
fn call(carrier: &LivePhone) -> CallKey {
    let call = carrier.call("+15551234", "+15550102", caller()).expect("a call");
    carrier.answered(call, PATIENCE).expect("the node answers");
    call
}

fn archive(node: &Node) -> Archive {
    Archive::open(&node.folder().join("calls.db")).expect("the store opens")
}

#[test]
fn a_draining_node_lets_calls_end_and_takes_no_more() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let first = call(&carrier);
    node.signal(Signal::SIGTERM).expect("the node lives");
    node.log_line("draining").expect("it says so");

    let refused = carrier.call("+15551235", "+15550102", caller()).expect("a call");
    assert_eq!(carrier.ended(refused, PATIENCE).expect("it is refused").status, 503);
    let health = node.http("/healthz").expect("an answer");
    assert!(health.contains("\"status\":\"draining\"") && health.contains("\"calls\":1"), "{health}");

    carrier.act(move |phone, now| Phone::hang_up(phone, now, first)).expect("the caller hangs up");
    assert_eq!(carrier.ended(first, PATIENCE).expect("the call ends").by, Side::Ours);
    let ended = node.wait().expect("the node ends");
    assert_eq!(ended.code(), Some(0), "{}", node.log().join("\n"));
    let records = archive(&node).calls_after(0).expect("records");
    assert_eq!(records.len(), 1, "the refused call never was one: {records:#?}");
}

#[test]
fn calls_that_last_longer_than_the_drain_are_hung_up() {
    let mut node = node_with(|_, text| text.replace("drain_timeout_s = 60", "drain_timeout_s = 1"));
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = call(&carrier);
    node.signal(Signal::SIGTERM).expect("the node lives");
    assert_eq!(carrier.ended(call, PATIENCE).expect("the call ends").by, Side::Theirs);
    assert_eq!(node.wait().expect("the node ends").code(), Some(0));
    let records = archive(&node).calls_after(0).expect("records");
    assert_eq!((records[0].end_side.as_str(), records[0].end_cause.as_str()), ("switch", "node stops"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = call(&carrier);
    node.signal(Signal::SIGTERM).expect("the node lives");
    node.log_line("draining").expect("it says so");
    node.signal(Signal::SIGTERM).expect("the node lives");
    assert_eq!(carrier.ended(call, Duration::from_secs(5)).expect("the call ends").by, Side::Theirs);
    assert_eq!(node.wait().expect("the node ends").code(), Some(0));
    assert_eq!(archive(&node).calls_after(0).expect("records").len(), 1);
}
