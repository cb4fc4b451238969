//! Registered with a carrier whose registrar is Kamailio: calls come to us, by way of it, and none do when we have left.

use std::collections::BTreeMap;
use std::time::Duration;

use tandem_peers::{Node, Ports, Registrar};
use tandem_phone::PhoneConfig;
use tandem_phone_net::LivePhone;

use crate::support::{CALLER_HZ, PATIENCE, caller, node_with, records, runtime};

/// What the node is registered as, and what a call to it then asks for: the demo's echo.
pub(crate) const NUMBER: &str = "+15550103";

/// The demo's node, registered by way of `registrar`, a URI.
pub(crate) fn node(registrar: &str, more: &str) -> Node {
    node_with(|_, config| {
        let register = format!(
            "[[trunk.register]]\naor = \"sip:{NUMBER}@carrier.example\"\nregistrar = \"{registrar}\"\n\
             username = \"{NUMBER}\"\npassword = \"secret\"\n{more}\n\n# Trunks that stand in for each other,"
        );
        config.replacen("# Trunks that stand in for each other,", &register, 1)
    })
}

/// Somebody on the carrier's network, who calls by way of the registrar and then speaks with the node itself.
pub(crate) fn outside(runtime: &tokio::runtime::Runtime, registrar: &Registrar) -> LivePhone {
    let ports = Ports::free().expect("free ports");
    let config = PhoneConfig {
        user: "outside".to_owned(),
        address: ports.carrier,
        media_address: ports.carrier.ip(),
        media_ports: ports.carrier_rtp.0..=ports.carrier_rtp.1,
        server: registrar.address(),
        credentials: None,
        expires: Duration::from_secs(60),
        manner: caller(),
        numbers: BTreeMap::new(),
        lines: 4,
        listen_for: PhoneConfig::all_frequencies(),
    };
    LivePhone::start(runtime.handle(), config, 1).expect("the address is free")
}

/// RFC 3261 §10: 401, 423 and 200 of an implementation that is not ours, over UDP and TCP; a call comes and is heard; and
/// the node that stops is called no more.
#[test]
fn a_registered_node_is_called_until_it_stops() {
    for (transport, more) in [("udp", "expires_s = 30"), ("tcp", "outbound = true")] {
        let registrar = Registrar::start([127, 0, 0, 10], "secret").expect("Kamailio starts");
        let mut node = node(&format!("sip:{};transport={transport}", registrar.address()), more);
        node.log_line("registered").expect("it is told");
        let shown = node.http("/registrations").expect("an answer");
        assert!(shown.contains("\"registered\":true"), "{shown}");
        let runtime = runtime();
        let phone = outside(&runtime, &registrar);
        let call = phone.call("+15551111", NUMBER, caller()).expect("a call");
        phone.answered(call, PATIENCE).expect("the call is answered");
        let talk = Duration::from_millis(600);
        phone.hears(call, CALLER_HZ, talk, PATIENCE).expect("the caller hears itself");
        phone.act(move |phone, now| tandem_phone::Phone::hang_up(phone, now, call)).expect("it hangs up");
        assert_eq!(phone.ended(call, PATIENCE).expect("the call ends").status, 200);
        let records = records(&mut node);
        assert_eq!((records.len(), records[0].dialled.as_str(), records[0].end_status), (1, NUMBER, 200));
        assert!(records[0].legs[0].packets_received > 20, "{records:#?}");
        let call = phone.call("+15551111", NUMBER, caller()).expect("a call");
        assert_eq!(
            phone.ended(call, PATIENCE).expect("the call ends").status,
            404,
            "{transport}: it has left"
        );
    }
}

/// A wrong password is told once, with the status, and the node goes on.
#[test]
fn a_wrong_password_is_told() {
    let registrar = Registrar::start([127, 0, 0, 10], "another").expect("Kamailio starts");
    let mut node = node(&format!("sip:{};transport=udp", registrar.address()), "");
    let line = node.log_line("not registered").expect("it is told");
    assert!(line.contains("status=401"), "{line}");
    let registered = node.metrics("tandem_trunk_registered").expect("metrics");
    assert_eq!(registered.first().map(|(_, value)| *value), Some(0.0), "{registered:?}");
    assert!(records(&mut node).is_empty());
}
