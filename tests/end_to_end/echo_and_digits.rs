//! The numbers that prove audio and digits on their own: an echo, and digits read back as tones.

use std::time::Duration;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node, only_record, runtime};
use tandem_phone::Phone;

#[test]
fn an_echo_returns_the_callers_audio_and_digits() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let mut manner = caller();
    manner.keys = vec![(Duration::from_millis(500), "42#".to_owned())];
    let call = carrier.call("+15551234", "+15550103", manner).expect("a call");
    carrier.hears(call, CALLER_HZ, Duration::from_secs(3), PATIENCE).expect("the caller hears himself");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    let report = carrier.ended(call, PATIENCE).expect("the call ends");
    let echoed: String = report.received.events.iter().map(|it| it.digit).collect();
    assert_eq!(echoed, "42#", "each key comes back once");
    let record = only_record(&mut node);
    assert_eq!(record.legs[0].digits_received, 3);
}

#[test]
fn four_digits_are_read_back_as_tones_and_the_call_ends() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let mut manner = caller();
    manner.keys = vec![(Duration::from_millis(500), "4711#".to_owned())];
    let call = carrier.call("+15551234", "+15550104", manner).expect("a call");
    let report = carrier.ended(call, PATIENCE).expect("the node hangs up");
    assert!(report.heard.digit_string().ends_with("4711"), "heard {}", report.heard.digit_string());
    let record = only_record(&mut node);
    assert_eq!((record.end_side.as_str(), record.end_status), ("control", 200));
    assert_eq!(record.legs[0].digits_received, 5);
}

/// A carrier that has no telephone-event: the keys are in the audio, and count.
#[test]
fn keys_that_come_as_tones_are_read_back() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let mut manner = caller();
    manner.events = None;
    manner.keys = vec![(Duration::from_millis(500), "4711#".to_owned())];
    let call = carrier.call("+15551234", "+15550104", manner).expect("a call");
    let report = carrier.ended(call, PATIENCE).expect("the node hangs up");
    assert!(report.heard.digit_string().ends_with("4711"), "heard {}", report.heard.digit_string());
    let record = only_record(&mut node);
    assert_eq!((record.end_side.as_str(), record.end_status), ("control", 200));
    assert_eq!(record.legs[0].digits_received, 5);
}
