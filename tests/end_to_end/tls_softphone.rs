//! An agent's softphone (baresip) signals over TLS: it is called on its own connection, both hear the other, and the
//! call goes on while the node takes another certificate.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::Signal;
use tandem_peers::{Authority, Baresip, Softphone, share_of_tone};
use tandem_phone::Phone;

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier, free_tcp, node_with, only_record, runtime, secured,
};

const AGENT_HZ: u16 = 700;

#[test]
fn a_call_over_tls_goes_on_while_the_certificate_is_replaced() {
    let at = free_tcp([127, 0, 0, 1]);
    let mut node = node_with(|folder, config| secured(folder, &config, at));
    let alice = Softphone {
        user: "1001",
        password: "alice-1001",
        address: Ipv4Addr::new(127, 0, 0, 27),
        tone_hz: f64::from(AGENT_HZ),
        transport: "tls",
        media_encryption: None,
    };
    let mut alice = Baresip::start(&alice, at).expect("baresip registers over TLS");
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551234", "+15550101", caller()).expect("a call");
    alice.wait_for("Call established").expect("alice is called and answers");
    carrier.hears(call, AGENT_HZ, Duration::from_secs(1), PATIENCE).expect("the caller hears alice");

    let renewed = Authority::new().and_then(|authority| authority.issue(&["node.example"]));
    renewed.and_then(|pair| pair.write(node.folder(), "node")).expect("another certificate");
    node.signal(Signal::SIGHUP).expect("the node lives");
    node.log_line("reloaded: changed certificates").expect("it is taken");

    carrier.hears(call, AGENT_HZ, Duration::from_secs(2), PATIENCE).expect("the caller still hears alice");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    carrier.ended(call, PATIENCE).expect("the call ends");
    alice.wait_for("terminated").expect("alice is hung up, on the old connection");
    let heard = alice.heard().expect("alice wrote down what she heard");
    assert!(share_of_tone(&heard, f64::from(CALLER_HZ)) > 0.8, "alice hears the caller's tone");
    let record = only_record(&mut node);
    assert_eq!((record.agent.as_deref(), record.end_side.as_str()), (Some("alice"), "party"));
    for leg in &record.legs {
        assert!(leg.packets_received > 100 && leg.packets_sent > 100, "{leg:#?}");
        assert_eq!(leg.packets_lost, 0, "{leg:#?}");
    }
}
