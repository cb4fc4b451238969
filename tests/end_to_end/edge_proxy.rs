//! A phone behind an edge proxy, which is Kamailio: it registers through it (Path, RFC 3327) and is called along the same way.

use std::time::Duration;

use tandem_peers::{EdgeProxy, free_port, free_rtp_ports};
use tandem_phone::{Credentials, Manner, Phone, PhoneConfig};
use tandem_phone_net::LivePhone;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node, only_record, runtime};

const ALICE_HZ: u16 = 700;
const TALK: Duration = Duration::from_secs(1);

#[test]
fn a_phone_behind_a_proxy_is_called_by_its_way() {
    let (mut node, runtime) = (node(), runtime());
    let proxy = EdgeProxy::start([127, 0, 0, 28], node.ports().sip).expect("Kamailio starts");
    let host = [127, 0, 0, 29];
    let media_ports = free_rtp_ports(host).expect("free ports");
    let address = free_port(host).expect("a free port");
    let config = PhoneConfig {
        user: "1001".to_owned(),
        address,
        media_address: address.ip(),
        media_ports: media_ports.0..=media_ports.1,
        // It knows the proxy, and the node only by what it does.
        server: proxy.address(),
        credentials: Some(Credentials { user: "1001".to_owned(), password: "alice-1001".to_owned() }),
        expires: Duration::from_secs(60),
        manner: Manner::polite(ALICE_HZ, Duration::from_millis(200)),
        numbers: std::collections::BTreeMap::new(),
        lines: 2,
        listen_for: PhoneConfig::all_frequencies(),
    };
    let alice = LivePhone::start(runtime.handle(), config, 29).expect("its address is free");
    alice.register(PATIENCE).expect("it registers through the proxy");
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551111", "+15550101", caller()).expect("a call");
    let rung = alice.incoming(PATIENCE).expect("alice is rung through the proxy");
    carrier.hears(call, ALICE_HZ, TALK, PATIENCE).expect("the caller hears alice");
    alice.hears(rung, CALLER_HZ, TALK, PATIENCE).expect("alice hears the caller");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    let report = alice.ended(rung, PATIENCE).expect("alice is hung up through the proxy");
    assert!(report.acknowledged && report.status == 200, "{report:?}");
    let sent = node.metrics("tandem_sip_signalling_total").expect("metrics");
    let again = sent.iter().find(|(name, _)| name.contains("\"retransmissions_sent\"")).expect("a counter");
    assert_eq!(again.1, 0.0, "everything arrived by the way that it took");
    let record = only_record(&mut node);
    assert_eq!((record.agent.as_deref(), record.end_status), (Some("alice"), 200), "{record:#?}");
    assert!(record.legs.iter().all(|leg| leg.packets_received > 25), "{record:#?}");
}
