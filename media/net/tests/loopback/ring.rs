//! Packets that leave together, by io_uring; nothing is asserted where it is not allowed.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use socket2::SockRef;
use tandem_media::codec::g711::Law;
use tandem_media::{Audio, BargeIn, Command, Event, PlayId, Segment};
use tandem_media_net::sys::{MAX_PACKET, RING_CAPACITY, SendRing, Sent};
use tandem_media_net::{Io, IoChoice, MediaThreads};

use crate::node::{Node, Party, config, endpoint, with_every_io};

/// A ring, and a socket that is connected to another one.
fn ring() -> Option<(SendRing, UdpSocket, UdpSocket)> {
    let ring = SendRing::open().ok()?;
    let bind = || UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let (from, to) = (bind(), bind());
    from.connect(to.local_addr().expect("bound")).expect("connected");
    to.set_nonblocking(true).expect("set");
    Some((ring, from, to))
}

#[test]
fn what_waits_is_sent_in_order_when_it_is_submitted() {
    let Some((mut ring, from, to)) = ring() else { return };
    for round in 0..3 {
        for number in 0..RING_CAPACITY {
            assert!(!ring.is_full());
            assert!(ring.push(&from, None, &vec![number as u8; 1 + number * round]));
        }
        assert!(ring.is_full() && !ring.push(&from, None, b"one more"));
        assert_eq!(to.recv(&mut [0]).expect_err("not yet").kind(), ErrorKind::WouldBlock);
        let all = Sent { taken: RING_CAPACITY as u64, ..Sent::default() };
        assert_eq!(ring.submit().expect("submitted"), all);
        let mut buffer = [0; MAX_PACKET];
        for number in 0..RING_CAPACITY {
            let len = to.recv(&mut buffer).expect("sent");
            assert_eq!(buffer[..len], vec![number as u8; 1 + number * round]);
        }
    }
    assert!(ring.is_empty());
    assert_eq!(ring.submit().expect("nothing to do"), Sent::default());
}

#[test]
fn a_packet_goes_where_it_is_addressed_to_whatever_the_socket_is_connected_to() {
    for host in ["127.0.0.1", "::1"] {
        let Ok(mut ring) = SendRing::open() else { return };
        let [from, here, there] = [0; 3].map(|port| UdpSocket::bind((host, port)).expect("a free port"));
        let at = |socket: &UdpSocket| socket.local_addr().expect("bound");
        if !ring.push(&from, Some(at(&there)), b"unconnected") {
            // Before Linux 6.1.
            return;
        }
        ring.submit().expect("submitted");
        from.connect(at(&here)).expect("connected");
        assert!(ring.push(&from, None, b"connected") && ring.push(&from, Some(at(&there)), b"elsewhere"));
        assert_eq!(ring.submit().expect("submitted").taken, 2);
        let heard = |socket: &UdpSocket| {
            let mut buffer = [0; 32];
            let (len, source) = socket.recv_from(&mut buffer).expect("sent");
            assert_eq!(source, at(&from));
            String::from_utf8(buffer[..len].to_vec()).expect("text")
        };
        assert_eq!([heard(&here), heard(&there), heard(&there)], ["connected", "unconnected", "elsewhere"]);
    }
}

#[test]
fn the_longest_packet_has_room_and_one_octet_more_has_not() {
    let Some((mut ring, from, to)) = ring() else { return };
    assert!(!ring.push(&from, None, &[1; MAX_PACKET + 1]));
    assert!(ring.push(&from, None, &[2; MAX_PACKET]));
    ring.submit().expect("submitted");
    let mut buffer = [0; MAX_PACKET + 1];
    assert_eq!(to.recv(&mut buffer).expect("sent"), MAX_PACKET);
}

/// RFC 1122 §4.1.3.3: the error of one packet is told to the next, which is then sent all the same.
#[test]
fn an_error_told_by_icmp_costs_no_other_packet() {
    let Some((mut ring, from, to)) = ring() else { return };
    let at = to.local_addr().expect("bound");
    drop(to);
    let mut told = 0;
    while told == 0 {
        assert!(ring.push(&from, None, b"to nobody"));
        told = ring.submit().expect("submitted").told_by_icmp;
    }
    let to = UdpSocket::bind(at).expect("free again");
    for packet in [b"a", b"b", b"c"] {
        assert!(ring.push(&from, None, packet));
    }
    let sent = ring.submit().expect("submitted");
    assert_eq!((sent.taken, sent.failed), (3, 0));
    let mut heard: Vec<u8> = (0..3)
        .map(|_| {
            let mut buffer = [0];
            to.recv(&mut buffer).expect("sent");
            buffer[0]
        })
        .collect();
    heard.sort_unstable();
    assert_eq!(heard, b"abc");
}

#[test]
fn what_the_kernel_will_not_take_is_counted_and_the_rest_is_sent() {
    let Some((mut ring, from, to)) = ring() else { return };
    let mute = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    mute.connect(to.local_addr().expect("bound")).expect("connected");
    SockRef::from(&mute).shutdown(std::net::Shutdown::Write).expect("shut down");
    let gone = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    assert!(ring.push(&mute, None, b"no") && ring.push(&from, None, b"yes") && ring.push(&gone, None, b"no"));
    drop(gone);
    assert_eq!(ring.submit().expect("submitted"), Sent { taken: 1, failed: 2, told_by_icmp: 0 });
    let mut buffer = [0; 8];
    assert_eq!(to.recv(&mut buffer).expect("sent"), 3);
}

/// Packets of a player and the end of its endpoint, in as few turns as can be.
#[test]
fn no_packet_is_lost_and_no_socket_is_another_s_when_endpoints_come_and_go() {
    with_every_io(|| {
        let mut node = Node::start();
        for generation in 1..60 {
            let parties = [Party::new(1), Party::new(2)];
            let places = [0, 1].map(|index| {
                let endpoint = endpoint(index as u32, generation);
                (endpoint, node.open(endpoint, &parties[index]), &parties[index])
            });
            for (_, local, party) in &places {
                party.speak(*local, 0, 0xff);
                assert!(matches!(node.event(), Event::MediaStarted { .. }));
            }
            for ((endpoint, ..), sample) in places.iter().zip([100, 20_000]) {
                let (endpoint, audio) = (*endpoint, Arc::new(Audio::from_samples(vec![sample; 160])));
                let segments: Arc<[Segment]> = [Segment::Audio(audio)].into();
                let (play, barge_in) = (PlayId(1), BargeIn::Never);
                node.send(Command::Play { endpoint, play, segments, times: Some(1), barge_in });
            }
            for ((_, local, party), sample) in places.iter().zip([100, 20_000]) {
                let (from, heard) = party.hear();
                assert_eq!((from, heard.payload), (*local, vec![Law::Pcmu.encode(sample); 160]));
            }
            for index in 0..2 {
                node.send(Command::Close { endpoint: endpoint(index, generation) });
            }
            let mut closed = 0;
            while closed < 2 {
                closed += usize::from(matches!(node.event(), Event::Closed { .. }));
            }
        }
        let counters = node.counters();
        assert_eq!(counters.send_failures, 0);
    });
}

#[test]
fn each_choice_says_what_it_came_to() {
    let start = |io| {
        let mut config = config(Arc::new(|| {}));
        config.io = io;
        MediaThreads::start(&config).map(|(threads, _)| threads.io().clone())
    };
    let mmsg = start(IoChoice::Mmsg).expect("always there");
    assert_eq!((mmsg.io, mmsg.reason.as_str()), (Io::Mmsg, "it is configured"));
    let auto = start(IoChoice::Auto).expect("always there");
    if SendRing::open().is_ok() {
        assert_eq!((auto.io, auto.reason.as_str()), (Io::IoUring, "the kernel allows it"));
        assert_eq!(start(IoChoice::IoUring).expect("allowed").io, Io::IoUring);
    } else {
        assert_eq!(auto.io, Io::Mmsg);
        assert!(auto.reason.starts_with("io_uring cannot be had: "), "{}", auto.reason);
        assert!(start(IoChoice::IoUring).is_err());
    }
}

/// More packets in a turn than one system call takes, of more legs than one.
#[test]
fn a_turn_of_many_packets_is_sent_whole() {
    const EACH: u16 = 3 * RING_CAPACITY as u16;
    with_every_io(|| {
        let mut node = Node::start();
        let parties = [Party::new(1), Party::new(2)];
        let legs: Vec<(SocketAddr, _)> = parties
            .iter()
            .enumerate()
            .map(|(index, party)| {
                let endpoint = endpoint(index as u32, 1);
                let local = node.open(endpoint, party);
                node.send(Command::Bridge { a: endpoint, b: endpoint });
                (local, party)
            })
            .collect();
        node.settle();
        for number in 0..EACH {
            for (local, party) in &legs {
                party.speak(*local, number, number as u8);
            }
        }
        for (local, party) in &legs {
            for number in 0..EACH {
                let (from, heard) = party.hear();
                assert_eq!((from, heard.payload), (*local, vec![number as u8; 160]), "in order");
            }
        }
        node.until(|counters| counters.packets_sent == 2 * u64::from(EACH));
    });
}
