//! Whatever calls took is given back: the ledger in the metrics returns to zero.

use std::time::{Duration, Instant};

use tandem_peers::{Scenario, Sipp};

use crate::support::{PATIENCE, node_with, records};

/// RFC 3261's timers keep transactions for 64·T1; a T1 fit for loopback makes that short.
#[test]
fn nothing_is_left_after_fifty_calls() {
    let mut node = node_with(|_, text| text.replace("t1_ms = 500", "t1_ms = 20"));
    let scenario = Scenario { calls: 50, rate: 50, ..Scenario::once("call", "+15550102") };
    Sipp::start(&scenario, &node.ports()).expect("SIPp starts").finish().expect("fifty calls");
    let deadline = Instant::now() + PATIENCE;
    let rest = loop {
        let ledger = node.metrics("tandem_ledger_").expect("metrics");
        assert_eq!(ledger.len(), 10, "{ledger:?}");
        if ledger.iter().all(|(_, value)| *value == 0.0) || Instant::now() > deadline {
            break ledger;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    };
    assert!(rest.iter().all(|(_, value)| *value == 0.0), "{rest:?}");
    assert_eq!(records(&mut node).len(), 50);
}
