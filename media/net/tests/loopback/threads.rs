//! Sockets and threads come and go.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use tandem_media::{Command, Event};
use tandem_media_net::{MAX_THREADS, MediaThreads};

use crate::node::{Node, Party, config, endpoint, local_port, with_every_io};

/// An even port whose successor is free as well, both taken.
fn taken_pair() -> (UdpSocket, UdpSocket) {
    loop {
        let rtp = local_port();
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
        if let (Ok(rtp), Ok(rtcp)) = (UdpSocket::bind(rtp), UdpSocket::bind(rtcp)) {
            return (rtp, rtcp);
        }
    }
}

#[test]
fn a_pair_of_which_either_port_is_taken_fails_to_open() {
    with_every_io(|| {
        let mut node = Node::start();
        let endpoint = endpoint(0, 1);
        let (rtp, rtcp) = taken_pair();
        let local = rtp.local_addr().expect("bound");
        node.send(Command::Open { endpoint, local });
        assert_eq!(node.event(), Event::OpenFailed { endpoint });
        drop(rtp);
        node.send(Command::Open { endpoint, local });
        assert_eq!(node.event(), Event::OpenFailed { endpoint });
        drop(rtcp);
        node.send(Command::Open { endpoint, local });
        assert_eq!(node.event(), Event::Opened { endpoint });
        let counters = node.counters();
        assert_eq!((counters.pairs_refused, counters.pairs_bound), (2, 1));
    });
}

#[test]
fn who_hears_that_an_endpoint_is_closed_finds_its_ports_free() {
    with_every_io(|| {
        let mut node = Node::start();
        let (phone, endpoint) = (Party::new(1), endpoint(0, 1));
        let local = node.open(endpoint, &phone);
        UdpSocket::bind(local).expect_err("in use");
        node.send(Command::Close { endpoint });
        assert!(matches!(node.event(), Event::Closed { .. }));
        UdpSocket::bind(local).expect("free");
        UdpSocket::bind(SocketAddr::new(local.ip(), local.port() + 1)).expect("free");
        node.until(|counters| counters.pairs_closed == 1);
    });
}

#[test]
fn a_packet_for_the_last_use_of_a_slot_does_not_reach_the_next() {
    with_every_io(|| {
        let mut node = Node::start();
        let phone = Party::new(1);
        let first = node.open(endpoint(0, 1), &phone);
        node.send(Command::Close { endpoint: endpoint(0, 1) });
        assert!(matches!(node.event(), Event::Closed { .. }));
        let second = node.open(endpoint(0, 2), &phone);
        node.send(Command::Bridge { a: endpoint(0, 2), b: endpoint(0, 2) });
        node.settle();
        phone.speak(first, 0, 0x11);
        phone.speak(second, 0, 0x22);
        assert_eq!(phone.hear().1.payload, vec![0x22; 160]);
    });
}

#[test]
fn stopping_closes_the_sockets_and_ends_the_threads() {
    with_every_io(|| {
        let mut node = Node::start();
        let local = node.open(endpoint(0, 1), &Party::new(1));
        assert!(node.threads.all_running());
        node.threads.stop();
        assert!(!node.threads.all_running());
        UdpSocket::bind(local).expect("free");
    });
}

#[test]
fn as_many_threads_as_asked_for_each_with_its_handle() {
    with_every_io(|| {
        let mut config = config(Arc::new(|| {}));
        config.threads = 3;
        config.pin_to = vec![0];
        let (threads, handles) = MediaThreads::start(&config).expect("three threads");
        assert_eq!((handles.len(), threads.counters().count()), (3, 3));
        for threads in [0, MAX_THREADS + 1] {
            config.threads = threads;
            assert!(MediaThreads::start(&config).is_err());
        }
    });
}

#[test]
fn a_core_that_does_not_exist_is_not_fatal() {
    with_every_io(|| {
        let mut config = config(Arc::new(|| {}));
        config.pin_to = vec![usize::MAX];
        let (threads, _handles) = MediaThreads::start(&config).expect("a thread");
        assert!(threads.all_running());
    });
}
