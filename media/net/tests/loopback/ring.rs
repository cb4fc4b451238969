//! Packets that leave together, by io_uring; nothing is asserted where it is not allowed.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;

use socket2::SockRef;
use tandem_media::codec::g711::Law;
use tandem_media::{self as media, Audio, BargeIn, Event, PlayId, Segment};
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
                node.send(media::Command::Play { endpoint, play, segments, times: Some(1), barge_in });
            }
            for ((_, local, party), sample) in places.iter().zip([100, 20_000]) {
                let (from, heard) = party.hear();
                assert_eq!((from, heard.payload), (*local, vec![Law::Pcmu.encode(sample); 160]));
            }
            for index in 0..2 {
                node.send(media::Command::Close { endpoint: endpoint(index, generation) });
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
                node.send(media::Command::Bridge { a: endpoint, b: endpoint });
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

/// Says that a test has its process to itself.
const ALONE: &str = "TANDEM_TEST_ALONE";

/// A kernel that takes nothing by io_uring any more, as when a filter is laid upon a running process: whoever talks goes on
/// talking, and not one packet is missing. In a process of its own, since what is forbidden stays so.
#[test]
fn a_ring_that_fails_in_mid_run_costs_no_packet() {
    if std::env::var_os(ALONE).is_none() {
        let this = std::env::current_exe().expect("this test");
        let name = "ring::a_ring_that_fails_in_mid_run_costs_no_packet";
        let done = Command::new(this).args([name, "--exact"]).env(ALONE, "1").output().expect("run");
        return assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    }
    let core = std::thread::current();
    let mut config = config(Arc::new(move || core.unpark()));
    config.io = IoChoice::Auto;
    let (threads, mut handles) = MediaThreads::start(&config).expect("a thread");
    let expected = if SendRing::open().is_ok() { Io::IoUring } else { Io::Mmsg };
    assert_eq!(threads.io().io, expected);
    let mut node = Node { threads, handle: handles.pop().expect("a handle") };
    let party = Party::new(1);
    let endpoint = endpoint(0, 1);
    let local = node.open(endpoint, &party);
    node.send(media::Command::Bridge { a: endpoint, b: endpoint });
    node.settle();
    let mut number = 0;
    let mut talk = || {
        for _ in 0..100 {
            party.speak(local, number, number as u8);
            number += 1;
        }
        for expected in number - 100..number {
            let (from, heard) = party.hear();
            assert_eq!((from, heard.payload), (local, vec![expected as u8; 160]));
        }
    };
    talk();
    forbid(libc::SYS_io_uring_enter);
    talk();
    // Each once, whichever way it went.
    node.until(|counters| counters.packets_sent == 200 + counters.rtcp_sent && counters.send_failures == 0);
}

/// Answers a system call with EPERM from now on, on all threads of the process (seccomp(2)).
#[allow(unsafe_code, reason = "std has no call that installs a filter of system calls")]
fn forbid(system_call: libc::c_long) {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut filter = [
        // The number of the call is the first word of `seccomp_data`.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            jf: 1,
            ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, system_call as u32)
        },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs()),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its statements outlive the calls, which copy them.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_TSYNC);
        assert_eq!(libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program), 0);
    }
}
