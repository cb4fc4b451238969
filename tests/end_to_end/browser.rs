//! An agent in a page: JsSIP in Chromium, over WSS, with the browser's own WebRTC (RFC 8827): DTLS-SRTP, ICE, and
//! RTCP on RTP's port.

use std::time::Duration;

use tandem_peers::{Engine, Node, WebSocketAccount, WebSocketPhone};

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier, free_tcp, node_with, only_record, runtime, secured,
};

const AGENT_HZ: u16 = 700;

/// A node, and alice in a browser, who listens for `listen_hz`.
fn node_and_alice(listen_hz: u16) -> (Node, WebSocketPhone) {
    let at = free_tcp([127, 0, 0, 1]);
    let node = node_with(|folder, config| secured(folder, &config, at).replace("tls:", "wss:"));
    let account = WebSocketAccount {
        engine: Engine::Chromium,
        url: &format!("wss://127.0.0.1:{}", at.port()),
        user: "1001",
        password: "alice-1001",
        realm: "tandem.demo",
        authority: None,
        tone_hz: AGENT_HZ,
        listen_hz,
    };
    let alice = WebSocketPhone::start(&account).expect("the page registers");
    (node, alice)
}

#[test]
fn a_carrier_s_caller_and_an_agent_in_a_browser_hear_each_other() {
    let (mut node, mut alice) = node_and_alice(CALLER_HZ);
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551234", "+15550101", caller()).expect("a call");
    alice.wait_for("called by").expect("alice is called");
    alice.wait_for("confirmed").expect("her answer is acknowledged");
    carrier.hears(call, AGENT_HZ, Duration::from_secs(1), PATIENCE).expect("the caller hears alice");
    alice.wait_for("hears the tone").expect("alice hears the caller");
    alice.press('5').expect("alice presses a key");
    carrier.hears(call, AGENT_HZ, Duration::from_secs(3), PATIENCE).expect("the talk goes on");
    alice.hang_up().expect("alice hangs up");
    alice.wait_for("ended by local").expect("her BYE is answered");
    let report = carrier.ended(call, PATIENCE).expect("the caller is hung up");
    // JsSIP says keys in SIP (INFO).
    assert_eq!(report.received.digit_string(), "5");
    let record = only_record(&mut node);
    assert_eq!((record.agent.as_deref(), record.end_side.as_str()), (Some("alice"), "control"));
    for leg in &record.legs {
        assert!(leg.packets_received > 40 && leg.packets_sent > 40, "{leg:#?}");
    }
}

/// The number gives her own voice back.
#[test]
fn an_agent_in_a_browser_calls_a_number() {
    let (mut node, mut alice) = node_and_alice(AGENT_HZ);
    alice.call("+15550103").expect("alice calls");
    alice.wait_for("confirmed").expect("the node answers");
    alice.wait_for("hears the tone").expect("alice hears herself");
    alice.hang_up().expect("alice hangs up");
    alice.wait_for("ended by local").expect("her BYE is answered");
    let record = only_record(&mut node);
    assert_eq!((record.from.as_str(), record.dialled.as_str()), ("1001", "+15550103"));
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
    let [leg] = &record.legs[..] else { panic!("one leg: {:#?}", record.legs) };
    assert!(leg.packets_received > 10 && leg.packets_sent > 10, "{leg:#?}");
}
