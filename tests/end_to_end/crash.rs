//! A node that is killed leaves whole records, and the next one goes on with them.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tandem_peers::{Configuration, Node, Ports, Scenario, Sipp};
use tandem_store::Archive;

use crate::support::records;

#[test]
fn a_killed_node_leaves_no_half_call() {
    let binary = Path::new(env!("CARGO_BIN_EXE_tandem"));
    let ports = Ports::free().expect("free ports");
    let configuration = Configuration::new(&ports, |_, text| text).expect("a configuration");
    let store = configuration.folder().join("calls.db");
    let mut node = Node::run(binary, ports, configuration).expect("the daemon is ready");
    let pause = Duration::from_millis(100);
    let calls = Scenario { calls: 400, rate: 100, pause, ..Scenario::once("call", "+15550102") };
    let sipp = Sipp::start(&calls, &ports).expect("SIPp starts");
    // In the middle of the load: some calls are over, some up, some yet to come.
    for _ in 0..100 {
        node.log_line("call ended").expect("calls end");
    }
    node.signal(Signal::SIGKILL).expect("the node lives");
    assert!(!node.wait().expect("it is gone").success());
    drop(sipp);

    let before = Archive::open(&store).expect("the store opens").calls_after(0).expect("records");
    assert!(!before.is_empty(), "what ended well before was on disk");
    for call in &before {
        assert_eq!(call.legs.len(), 1, "{call:#?}");
        assert!(call.timeline.iter().any(|fact| fact.kind == "flow-started"), "{call:#?}");
    }

    let mut again = Node::run(binary, ports, node.into_configuration()).expect("the daemon starts again");
    let one = Sipp::start(&Scenario::once("call", "+15550102"), &ports).expect("SIPp starts");
    one.finish().expect("a call");
    assert_eq!(records(&mut again).len(), before.len() + 1);
}
