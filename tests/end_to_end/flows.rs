//! Our own connection to a carrier that we are registered with (RFC 5626): kept alive as often as the registrar wants, and
//! made anew when it is gone, or when it only seems to be there. The registrar is Kamailio, behind a relay that goes bad.

use std::time::Duration;

use tandem_peers::{Capture, Node, Registrar, Relay};
use tandem_phone::Phone;
use tokio::runtime::Runtime;

use crate::registering::{NUMBER, node, outside};
use crate::support::{CALLER_HZ, PATIENCE, caller, only_record, runtime};

const HOST: [u8; 4] = [127, 0, 0, 10];

/// Somebody calls the node by way of the registrar and hears itself: the registration is good for something.
fn call(runtime: &Runtime, registrar: &Registrar, node: &mut Node) {
    let phone = outside(runtime, registrar);
    let call = phone.call("+15551111", NUMBER, caller()).expect("a call");
    phone.hears(call, CALLER_HZ, Duration::from_millis(600), PATIENCE).expect("the caller hears itself");
    phone.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("it hangs up");
    assert_eq!(phone.ended(call, PATIENCE).expect("the call ends").status, 200);
    let record = only_record(node);
    assert_eq!((record.dialled.as_str(), record.end_status), (NUMBER, 200));
    assert!(record.legs[0].packets_received > 20 && record.legs[0].packets_sent > 20, "{record:#?}");
}

fn counted(node: &Node, event: &str) -> f64 {
    let events = node.metrics("tandem_sip_signalling_total").expect("metrics");
    let label = format!("\"{event}\"");
    events.iter().find(|(name, _)| name.contains(&label)).expect("a counter").1
}

/// §3.5.1, §4.4.1: pings as often as Flow-Timer says, answered by Kamailio. §4.5: a connection that ends is made anew at
/// once, and so is one on which nothing comes back within ten seconds, though nobody has ended it.
#[test]
fn a_flow_is_kept_alive_and_made_anew() {
    let registrar = Registrar::start_with_flows(HOST, "secret", 1).expect("Kamailio starts");
    let relay = Relay::start(HOST, registrar.address()).expect("a free port");
    let mut node = node(&format!("sip:{};transport=tcp", relay.address()), "outbound = true");
    node.log_line("registered").expect("it is told");
    relay.kept_alive(2, PATIENCE).expect("pings are answered");
    assert_eq!((relay.connections(), counted(&node, "flows_lost")), (1, 0.0));
    relay.cut();
    node.log_line("not registered").expect("it is told");
    node.log_line("registered").expect("over another connection");
    relay.connected(2, PATIENCE).expect("another connection");
    relay.kept_alive(4, PATIENCE).expect("which is kept alive as well");
    relay.mute();
    node.log_line("not registered").expect("nothing comes back");
    node.log_line("registered").expect("over a third connection");
    assert_eq!((relay.connections(), counted(&node, "flows_lost")), (3, 2.0));
    call(&runtime(), &registrar, &mut node);
}

/// §3.5: over UDP only a NAT needs anything, and gets line ends, which nobody answers.
#[test]
fn a_mapping_is_kept_over_udp() {
    let registrar = Registrar::start(HOST, "secret").expect("Kamailio starts");
    let capture = Capture::start_at(registrar.address().port()).expect("tshark captures on loopback");
    let mut node = node(&format!("sip:{};transport=udp", registrar.address()), "keep_alive_s = 5");
    node.log_line("registered").expect("it is told");
    let deadline = std::time::Instant::now() + PATIENCE;
    while counted(&node, "keep_alives_sent") < 1.0 {
        assert!(std::time::Instant::now() < deadline, "a keep-alive is sent");
    }
    let from = node.ports().sip;
    call(&runtime(), &registrar, &mut node);
    let passed = capture.finish().expect("the capture is read");
    let is_ping = |bytes: &[u8]| bytes == b"\r\n\r\n";
    let pings = passed.iter().filter(|it| it.source == from && it.destination == registrar.address());
    assert!(pings.filter(|it| is_ping(&it.bytes)).count() >= 1, "line ends to the registrar");
}

/// §4.4.2: with a registrar that knows of flows it is STUN's requests over UDP, which Kamailio answers.
#[test]
fn a_flow_over_udp_is_kept_alive_by_stun() {
    let registrar = Registrar::start_with_flows(HOST, "secret", 1).expect("Kamailio starts");
    let mut node = node(&format!("sip:{};transport=udp", registrar.address()), "outbound = true");
    node.log_line("registered").expect("it is told");
    let deadline = std::time::Instant::now() + PATIENCE;
    while counted(&node, "keep_alives") < 3.0 {
        assert!(std::time::Instant::now() < deadline, "they are answered");
    }
    assert!(counted(&node, "keep_alives_sent") >= 3.0);
    assert_eq!((counted(&node, "flows_lost"), counted(&node, "stray_responses")), (0.0, 0.0));
    call(&runtime(), &registrar, &mut node);
}
