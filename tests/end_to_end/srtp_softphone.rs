//! An agent's softphone (baresip) speaks SRTP, the carrier plain RTP: each hears the other. Keys are in the session
//! description (RFC 4568).

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node_with, only_record, runtime};
use tandem_peers::{Baresip, Softphone, share_of_tone};
use tandem_phone::Phone;

const AGENT_HZ: u16 = 700;

/// A call from the carrier to a phone that has `media_encryption`, where the operator says `policy`.
fn talk(policy: &str, media_encryption: Option<&'static str>, last: u8) {
    let mut node = node_with(|_, config| {
        let (before, phones) = config.split_once("[phones]").expect("the demo has phones");
        format!("{before}[phones]{}", phones.replacen("srtp = \"off\"", &format!("srtp = \"{policy}\""), 1))
    });
    let alice = Softphone {
        user: "1001",
        password: "alice-1001",
        address: Ipv4Addr::new(127, 0, 0, last),
        tone_hz: f64::from(AGENT_HZ),
        transport: "udp",
        media_encryption,
    };
    let mut alice = Baresip::start(&alice, node.ports().sip).expect("baresip registers");
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551234", "+15550101", caller()).expect("a call");
    if media_encryption.is_some() {
        alice.wait_for("SRTP is Enabled").expect("alice takes a key");
    }
    alice.wait_for("Call established").expect("alice is called and answers");
    carrier.hears(call, AGENT_HZ, Duration::from_secs(2), PATIENCE).expect("the caller hears alice");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    carrier.ended(call, PATIENCE).expect("the call ends");
    alice.wait_for("terminated").expect("alice is hung up");
    let heard = alice.heard().expect("alice wrote down what she heard");
    assert!(share_of_tone(&heard, f64::from(CALLER_HZ)) > 0.8, "alice hears the caller's tone");
    let record = only_record(&mut node);
    for leg in &record.legs {
        assert!(leg.packets_received > 50 && leg.packets_sent > 50, "{leg:#?}");
        assert_eq!(leg.packets_lost, 0, "{leg:#?}");
    }
}

#[test]
fn a_phone_that_must_speak_srtp_does() {
    talk("required", Some("srtp-mand"), 24);
}

#[test]
fn a_phone_that_can_speak_srtp_does_when_it_is_offered() {
    talk("offered", Some("srtp"), 25);
}

#[test]
fn a_phone_that_cannot_speak_srtp_talks_in_clear_when_it_is_offered() {
    talk("offered", None, 26);
}
