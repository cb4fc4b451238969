//! Batched datagrams.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use tandem_media_net::sys::{BATCH, Batch, Epoll, MAX_PACKET, Outgoing, Ready, dropped_by_kernel};

fn pair(address: &str) -> (UdpSocket, UdpSocket) {
    let bind = || UdpSocket::bind((address, 0)).expect("a free port");
    let (a, b) = (bind(), bind());
    a.set_nonblocking(true).expect("set");
    b.set_nonblocking(true).expect("set");
    (a, b)
}

#[test]
fn a_batch_is_received_and_sent_in_order_with_its_addresses() {
    for address in ["127.0.0.1", "::1"] {
        let (from, to) = pair(address);
        let destination = to.local_addr().expect("bound");
        for number in 0..=BATCH {
            from.send_to(&vec![number as u8; 10 + number], destination).expect("sent");
        }
        let mut batch = Batch::default();
        assert_eq!(batch.receive(&to).expect("packets"), BATCH);
        for number in 0..BATCH {
            let packet = batch.packet(number).expect("received");
            assert_eq!((packet.len, packet.source), (10 + number, from.local_addr().expect("bound")));
            assert_eq!(packet.buffer[..packet.len], vec![number as u8; 10 + number]);
        }
        // Back in the other order, cut to the first five octets.
        let back: Vec<Outgoing> = (0..BATCH)
            .rev()
            .map(|index| Outgoing { index, len: 5, destination: from.local_addr().expect("bound") })
            .collect();
        assert_eq!(batch.send(&to, &back), BATCH);
        let mut buffer = [0; 64];
        for number in (0..BATCH).rev() {
            assert_eq!(from.recv_from(&mut buffer).expect("sent back"), (5, destination));
            assert_eq!(buffer[..5], [number as u8; 5]);
        }
        assert_eq!(batch.receive(&to).expect("the one left over"), 1);
        assert_eq!(batch.receive(&to).expect_err("none left").kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_packet_that_is_too_long_shows() {
    let (from, to) = pair("127.0.0.1");
    let destination = to.local_addr().expect("bound");
    let mut batch = Batch::default();
    for len in [MAX_PACKET, MAX_PACKET + 1, 9000] {
        for read in [Batch::receive, Batch::receive_one] {
            from.send_to(&vec![1; len], destination).expect("sent");
            assert_eq!(read(&mut batch, &to).expect("a packet"), 1);
            assert_eq!(batch.packet(0).expect("received").len > MAX_PACKET, len > MAX_PACKET);
        }
    }
}

#[test]
fn what_the_kernel_drops_for_want_of_buffer_is_counted() {
    const SENT: u32 = 2000;
    let (from, to) = pair("127.0.0.1");
    assert_eq!(dropped_by_kernel(&to).expect("known"), 0);
    for _ in 0..SENT {
        from.send_to(&[1; 1000], to.local_addr().expect("bound")).expect("sent");
    }
    let mut batch = Batch::default();
    let mut received = 0;
    while let Ok(count) = batch.receive(&to) {
        received += count as u32;
    }
    assert!(received < SENT);
    assert_eq!(dropped_by_kernel(&to).expect("known"), SENT - received);
}

#[test]
fn a_wait_reports_what_is_readable_until_it_is_read() {
    let (from, to) = pair("127.0.0.1");
    let (epoll, mut ready) = (Epoll::new().expect("a descriptor"), Ready::default());
    epoll.watch(&from, 1).expect("watched");
    epoll.watch(&to, 2).expect("watched");
    epoll.wait(&mut ready, Some(Duration::ZERO)).expect("waited");
    assert!(ready.is_empty());
    from.send_to(b"x", to.local_addr().expect("bound")).expect("sent");
    for _ in 0..2 {
        epoll.wait(&mut ready, None).expect("waited");
        assert_eq!((ready.len(), ready.token(0), ready.token(1)), (1, Some(2), None));
    }
    Batch::default().receive(&to).expect("a packet");
    epoll.wait(&mut ready, Some(Duration::from_micros(1))).expect("waited");
    assert!(ready.is_empty());
}
