//! What happens when a ring is full.

use std::sync::{Arc, Mutex};

use tandem_media::{Command, Event};
use tandem_media_net::RING_CAPACITY;

use crate::node::{MAX_ENDPOINTS, Node, endpoint, local_port};

/// A command that is answered by an event at once: there is no such endpoint.
fn refused(number: u32) -> Command {
    Command::Open { endpoint: endpoint(MAX_ENDPOINTS as u32, number), local: local_port() }
}

#[test]
fn a_full_command_ring_gives_the_command_back() {
    let busy = Arc::new(Mutex::new(()));
    let held = busy.lock().expect("not poisoned");
    let wake = Arc::clone(&busy);
    // The thread stops where it tells of its first event.
    let mut node = Node::start_with(Arc::new(move || drop(wake.lock().expect("not poisoned"))));
    node.send(refused(0));
    while node.handle.poll_event().is_none() {
        std::thread::yield_now();
    }
    for number in 0..RING_CAPACITY {
        node.handle.send(refused(number as u32)).expect("room up to the maximum");
    }
    let given_back = node.handle.send(refused(77)).expect_err("one past the maximum").0;
    assert!(matches!(given_back, Command::Open { endpoint, .. } if endpoint.generation == 77));
    assert_eq!(node.counters().command_ring_full, 1);
    drop(held);
    node.until(|counters| counters.wakeups > 0);
}

#[test]
fn events_that_find_no_room_wait_and_hold_commands_back() {
    let mut node = Node::start();
    let mut sent: u32 = 0;
    // The thread takes commands until the ring of events is full and one more event waits.
    let accepted = 2 * RING_CAPACITY as u32 + 1;
    while sent < accepted {
        match node.handle.send(refused(sent)) {
            Ok(()) => sent += 1,
            Err(_) => std::thread::yield_now(),
        }
    }
    node.until(|counters| counters.event_ring_full > 0);
    node.handle.send(refused(sent)).expect_err("commands are held back");

    for number in 0..accepted {
        let endpoint = endpoint(MAX_ENDPOINTS as u32, number);
        assert_eq!(node.event(), Event::OpenFailed { endpoint }, "none lost, in order");
    }
    assert_eq!(node.counters().events_dropped, 0);
}
