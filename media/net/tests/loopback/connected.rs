//! Sockets that are connected to the only party that is believed.

use std::net::{SocketAddr, UdpSocket};

use tandem_media::{Command, EndpointId, Event};

use crate::node::{Node, Party, endpoint, stream, with_every_io};

/// A phone that hears itself, and has been heard once: its socket is connected.
fn settled() -> (Node, Party, EndpointId, SocketAddr) {
    let mut node = Node::start();
    let (phone, a) = (Party::new(1), endpoint(0, 1));
    let local = node.open(a, &phone);
    node.send(Command::Bridge { a, b: a });
    node.settle();
    phone.speak(local, 0, 0x10);
    phone.hear();
    assert!(matches!(node.event(), Event::MediaStarted { .. }));
    node.settle();
    (node, phone, a, local)
}

/// Sends something there until ICMP says that nobody has it, which is so when the socket is connected to somebody else.
fn is_refused(stranger: &UdpSocket, to: SocketAddr) -> bool {
    stranger.connect(to).expect("a route");
    (0..10_000).any(|_| stranger.send(b"anything").is_err())
}

#[test]
fn a_stranger_does_not_reach_who_has_been_heard() {
    with_every_io(|| {
        let (node, phone, _, local) = settled();
        let stranger = UdpSocket::bind("127.0.0.3:0").expect("a free port");
        assert!(is_refused(&stranger, local));
        phone.speak(local, 1, 0x11);
        assert_eq!(phone.hear().1.payload, vec![0x11; 160]);
        assert_eq!(node.counters().packets_received, 2, "the phone's");
        assert_eq!(node.handle.counters().refused().map(|(_, count)| count).sum::<u64>(), 0);
    });
}

#[test]
fn who_moves_by_a_new_agreement_is_heard_where_it_is_then() {
    with_every_io(|| {
        let (mut node, phone, a, local) = settled();
        let elsewhere = Party::new(2);
        node.send(Command::Configure { endpoint: a, stream: stream(elsewhere.address()) });
        node.settle();
        for number in 0..5 {
            elsewhere.speak(local, number, 0x22);
            let (from, heard) = elsewhere.hear();
            assert_eq!((from, heard.payload), (local, vec![0x22; 160]));
        }
        node.send(Command::Configure { endpoint: a, stream: stream(phone.address()) });
        node.settle();
        phone.speak(local, 9, 0x33);
        assert_eq!(phone.hear().1.payload, vec![0x33; 160]);
    });
}

/// RFC 1122 §4.1.3.3: the errors of a port at which nobody listens, as while a phone restarts, cost no packet once somebody
/// does again.
#[test]
fn a_party_that_is_away_for_a_while_hears_all_that_is_sent_when_it_is_back() {
    with_every_io(|| {
        let mut node = Node::start();
        let (alice, bob) = (Party::new(0xa), Party::new(0xb));
        let (a, b) = (endpoint(0, 1), endpoint(1, 1));
        let (to_alice, to_bob) = (node.open(a, &alice), node.open(b, &bob));
        node.send(Command::Bridge { a, b });
        node.settle();
        bob.speak(to_bob, 0, 0xbb);
        assert_eq!(alice.hear().1.payload, vec![0xbb; 160]);
        assert!(matches!(node.event(), Event::MediaStarted { .. }));
        node.settle();
        let at = bob.address();
        drop(bob);
        let mut number = 0;
        // The kernel tells of so many a second only, whoever else sends to nobody.
        while node.counters().icmp_errors == 0 {
            alice.speak(to_alice, number, 0xaa);
            number += 1;
            node.until(|counters| counters.packets_sent > u64::from(number));
        }
        let bob = Party::at(at, 0xb);
        for number in number..number + 20 {
            alice.speak(to_alice, number, number as u8);
            assert_eq!(bob.hear().1.payload, vec![number as u8; 160]);
            bob.speak(to_bob, number, 0xbb);
            assert_eq!(alice.hear().1.payload, vec![0xbb; 160]);
        }
        assert_eq!(node.counters().send_failures, 0);
    });
}
