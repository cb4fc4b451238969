//! Agents on the telephone network, reached over the trunk; SIPp is the agent's end of the carrier.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::{PATIENCE, caller, node_with, only_record, runtime};
use tandem_peers::{Node, Scenario, Sipp};
use tandem_phone::{Phone, PhoneConfig};
use tandem_phone_net::LivePhone;

const FLOW: &str = "\
start = \"wait\"

[activities.wait]
type = \"queue\"
queue = \"outside\"
exits = { failure = \"end\" }

[activities.end]
type = \"disconnect\"
";

/// A node whose number +15550105 leads to the queue of the agent at a telephone number.
fn node_with_outside_queue() -> Node {
    node_with_trunk("")
}

/// The same, with further keys of the trunk.
fn node_with_trunk(keys: &str) -> Node {
    node_with(|folder, config| {
        let config = config.replace("name = \"carrier-a\"", &format!("name = \"carrier-a\"\n{keys}"));
        std::fs::write(folder.join("flows/outside.toml"), FLOW).expect("the flow is written");
        let config = config.replace("name = \"outside\"", "name = \"outside\"\nring_timeout_s = 2");
        format!("{config}\n[[entry_point]]\nnumber = \"+15550105\"\nflow = \"outside\"\n")
    })
}

/// The caller's phone, at the carrier's address beside SIPp.
fn caller_beside(runtime: &tokio::runtime::Runtime, node: &Node) -> LivePhone {
    let ports = node.ports();
    let address = SocketAddr::new(ports.carrier.ip(), ports.carrier.port() + 1);
    let config = PhoneConfig {
        user: "caller".to_owned(),
        address,
        media_address: address.ip(),
        media_ports: ports.carrier_rtp.0..=ports.carrier_rtp.1,
        server: ports.sip,
        credentials: None,
        expires: Duration::from_secs(60),
        manner: caller(),
        numbers: std::collections::BTreeMap::new(),
        lines: 1,
        listen_for: PhoneConfig::all_frequencies(),
    };
    LivePhone::start(runtime.handle(), config, 2).expect("the caller's address is free")
}

#[test]
fn an_agent_at_a_number_answers_and_the_caller_hangs_up() {
    let mut node = node_with_outside_queue();
    let agent = Sipp::start(&Scenario::once("agent-answers", "unused"), &node.ports()).expect("SIPp starts");
    let runtime = runtime();
    let caller_phone = caller_beside(&runtime, &node);
    let call = caller_phone.call("+15551234", "+15550105", caller()).expect("a call");
    node.log_line("called party answered").expect("the agent answers");
    caller_phone.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    agent.finish().expect("the agent's end saw ACK and BYE");
    caller_phone.ended(call, PATIENCE).expect("the call ends");
    let record = only_record(&mut node);
    assert_eq!(record.agent.as_deref(), Some("zoe"));
    assert_eq!(record.legs[1].party, "+15550199");
}

/// RFC 3261 §22.2: SIPp checks the credentials of the INVITE, and those of the BYE.
#[test]
fn a_carrier_that_challenges_gets_credentials() {
    let mut node = node_with_trunk("username = \"us\"\npassword = \"secret\"");
    let agent =
        Sipp::start(&Scenario::once("agent-challenges", "unused"), &node.ports()).expect("SIPp starts");
    let runtime = runtime();
    let caller_phone = caller_beside(&runtime, &node);
    let call = caller_phone.call("+15551234", "+15550105", caller()).expect("a call");
    node.log_line("called party answered").expect("the agent answers");
    caller_phone.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    agent.finish().expect("the agent's end saw the right credentials");
    caller_phone.ended(call, PATIENCE).expect("the call ends");
    let record = only_record(&mut node);
    assert!(node.log().iter().all(|line| !line.contains("secret")), "the password is in no log");
    assert_eq!(record.agent.as_deref(), Some("zoe"));
    assert_eq!(record.legs[1].party, "+15550199");
}

#[test]
fn an_agent_who_does_not_answer_is_cancelled_and_the_caller_keeps_waiting() {
    let mut node = node_with_outside_queue();
    let agent = Sipp::start(&Scenario::once("agent-rings", "unused"), &node.ports()).expect("SIPp starts");
    let runtime = runtime();
    let caller_phone = caller_beside(&runtime, &node);
    let call = caller_phone.call("+15551234", "+15550105", caller()).expect("a call");
    agent.finish().expect("the agent's end saw CANCEL, and ACK to its 487");
    let waiting = caller_phone.ask(move |phone, _| phone.live_calls().count()).expect("the phone lives");
    assert_eq!(waiting, 1, "the caller still waits");
    caller_phone.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    caller_phone.ended(call, PATIENCE).expect("the call ends");
    let record = only_record(&mut node);
    assert_eq!((record.queue.as_deref(), record.agent.as_deref()), (Some("outside"), None));
    let missed: Vec<_> = record.timeline.iter().filter(|it| it.kind == "agent-missed").collect();
    assert_eq!(missed.len(), 1, "{:#?}", record.timeline);
}
