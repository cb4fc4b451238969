//! Agents on JsSIP, the library of browsers, over WebSocket (RFC 7118): registered, called, calling, and gone. Audio
//! is G.711 over plain RTP, since Node has no WebRTC.

use std::path::Path;
use std::time::Duration;

use tandem_peers::{Engine, Node, WebSocketAccount, WebSocketPhone};

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier, free_tcp, node_with, only_record, records, runtime, secured,
};

const AGENT_HZ: u16 = 700;

/// Alice, who listens for `listen_hz`.
fn alice(url: &str, authority: Option<&Path>, listen_hz: u16) -> WebSocketPhone {
    let account = WebSocketAccount {
        engine: Engine::Node,
        url,
        user: "1001",
        password: "alice-1001",
        realm: "tandem.demo",
        authority,
        tone_hz: AGENT_HZ,
        listen_hz,
    };
    WebSocketPhone::start(&account).expect("the phone registers")
}

/// A configuration whose phones over WebSocket have no WebRTC.
fn in_clear(config: &str) -> String {
    let (before, browsers) = config.split_once("[browsers]").expect("browsers");
    let browsers = browsers
        .replacen("srtp = \"required\"", "srtp = \"off\"", 1)
        .replacen("srtp_keys = \"dtls\"", "srtp_keys = \"sdes\"", 1)
        .replacen("ice = true", "ice = false", 1);
    format!("{before}[browsers]{browsers}")
}

/// A call from the carrier to alice, with both voices, ended by alice.
fn talk(node: &mut Node, alice: &mut WebSocketPhone) {
    let runtime = runtime();
    let carrier = carrier(&runtime, node);
    let call = carrier.call("+15551234", "+15550101", caller()).expect("a call");
    // RFC 7118 §5.2: her Contact is of no use to anybody; she is called on her connection.
    alice.wait_for("called by").expect("alice is called");
    alice.wait_for("confirmed").expect("her answer is acknowledged");
    carrier.hears(call, AGENT_HZ, Duration::from_secs(1), PATIENCE).expect("the caller hears alice");
    alice.wait_for("hears the tone").expect("alice hears the caller");
    alice.hang_up().expect("alice hangs up");
    alice.wait_for("ended by local").expect("her BYE is answered");
    carrier.ended(call, PATIENCE).expect("the caller is hung up");
    let record = only_record(node);
    assert_eq!((record.agent.as_deref(), record.end_side.as_str()), (Some("alice"), "control"));
    for leg in &record.legs {
        assert!(leg.packets_received > 40 && leg.packets_sent > 40, "{leg:#?}");
    }
}

#[test]
fn a_phone_in_a_page_is_called_and_hangs_up() {
    let at = free_tcp([127, 0, 0, 1]);
    let listen = format!("listen = [\"ws:{at}\", ");
    let mut node = node_with(|_, config| in_clear(&config).replacen("listen = [", &listen, 1));
    let mut alice = alice(&format!("ws://{at}"), None, CALLER_HZ);
    talk(&mut node, &mut alice);
}

#[test]
fn a_phone_in_a_page_is_called_within_tls() {
    let at = free_tcp([127, 0, 0, 1]);
    let mut node =
        node_with(|folder, config| secured(folder, &in_clear(&config), at).replace("tls:", "wss:"));
    let authority = node.folder().join("ca.pem");
    let mut alice = alice(&format!("wss://127.0.0.1:{}", at.port()), Some(&authority), CALLER_HZ);
    talk(&mut node, &mut alice);
}

/// The number gives her own voice back.
#[test]
fn a_phone_in_a_page_calls_a_number() {
    let at = free_tcp([127, 0, 0, 1]);
    let listen = format!("listen = [\"ws:{at}\", ");
    let mut node = node_with(|_, config| in_clear(&config).replacen("listen = [", &listen, 1));
    let mut alice = alice(&format!("ws://{at}"), None, AGENT_HZ);
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

/// It is available no longer than its connection is there.
#[test]
fn a_phone_in_a_page_that_is_gone_is_not_called() {
    let at = free_tcp([127, 0, 0, 1]);
    let listen = format!("listen = [\"ws:{at}\", ");
    let mut node = node_with(|_, config| in_clear(&config).replacen("listen = [", &listen, 1));
    let alice = alice(&format!("ws://{at}"), None, CALLER_HZ);
    let available = |node: &Node| {
        let agents = node.metrics("tandem_queue_available_agents{queue=\"sales\"}").expect("metrics");
        agents.first().map_or(0.0, |(_, count)| *count)
    };
    await_that(|| available(&node) == 1.0, "alice is available");
    drop(alice);
    // Her registration would have lasted another minute.
    await_that(|| available(&node) == 0.0, "alice is gone with her connection");
    assert!(records(&mut node).is_empty());
}

/// Asks until it is so; each question is a request to the node, which takes its time.
fn await_that(is_so: impl Fn() -> bool, what: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what}");
    }
}
