//! Streams: framing, reuse of connections, their limits and their ends.

use std::time::Duration;

use crate::node::{LISTED, Node, config, message};
use tandem_sbc::transport::{FlowOrder, Transport};
use tandem_sbc_net::{CONNECTION_QUEUE, TcpLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// More messages than the inbox, the framer and the kernel's buffers can hold together.
const FLOOD: usize = 20_000;

async fn read_exactly(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).await.expect("the peer wrote so much");
    bytes
}

#[tokio::test]
async fn an_answer_goes_back_on_the_flow() {
    let mut node = Node::start(&config(), 8);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    peer.write_all(&message("a", 10)).await.expect("written");

    let packet = node.next_packet().await;
    assert_eq!((packet.transport, packet.local), (Transport::Tcp, node.address(Transport::Tcp)));
    assert_eq!(packet.source, peer.local_addr().expect("bound"));
    assert_eq!(packet.bytes, message("a", 10));

    // RFC 3261 §18.2.2: on the connection the request came on, whatever the destination says.
    let elsewhere = "127.0.0.99:5060".parse().expect("an address");
    node.send(Transport::Tcp, elsewhere, packet.flow, b"answer".to_vec()).expect("queued");
    assert_eq!(read_exactly(&mut peer, 6).await, b"answer");
    // Without a flow, the connection that the destination has.
    node.send(Transport::Tcp, packet.source, None, b"again".to_vec()).expect("queued");
    assert_eq!(read_exactly(&mut peer, 5).await, b"again");
    assert_eq!(node.transports.connections(), 1);
}

#[tokio::test]
async fn messages_are_framed_however_they_are_cut() {
    let mut node = Node::start(&config(), 64);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    peer.set_nodelay(true).expect("set");
    let three = [message("a", 0), message("b", 2000), message("c", 1)];
    peer.write_all(&three.concat()).await.expect("written");
    for expected in &three {
        assert_eq!(&node.next_packet().await.bytes, expected);
    }
    for byte in message("d", 5) {
        peer.write_all(&[byte]).await.expect("written");
        tokio::task::yield_now().await;
    }
    assert_eq!(node.next_packet().await.bytes, message("d", 5));
}

/// RFC 5626 §3.5.1: a double CRLF is answered by a single one. Whether one of ours was is for the core to know.
#[tokio::test]
async fn pings_are_answered_and_go_no_further_and_pongs_are_told() {
    let mut node = Node::start(&config(), 8);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    peer.write_all(b"\r\n\r\n").await.expect("written");
    assert_eq!(read_exactly(&mut peer, 2).await, b"\r\n");
    peer.write_all(&message("a", 0)).await.expect("written");
    assert_eq!(node.next_packet().await.bytes, message("a", 0));
    assert_eq!(node.counters().tcp_keep_alives, 1);
    peer.write_all(b"\r\n").await.expect("written");
    assert_eq!(node.next_packet().await.bytes, b"\r\n");
}

#[tokio::test]
async fn what_is_no_sip_message_ends_the_connection() {
    let mut node = Node::start(&config(), 8);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let failure = node.next_failure().await;
    assert_eq!(failure.destination, peer.local_addr().expect("bound"));
    assert!(failure.flow.is_some());
    assert_eq!((node.counters().tcp_framing_errors, node.transports.connections()), (1, 0));
}

#[tokio::test]
async fn a_connection_is_made_once_and_used_again() {
    let mut node = Node::start(&config(), 8);
    let listener = TcpListener::bind((LISTED, 0)).await.expect("a free port");
    let destination = listener.local_addr().expect("bound");
    node.send(Transport::Tcp, destination, None, message("a", 0)).expect("queued");
    node.send(Transport::Tcp, destination, None, message("b", 0)).expect("queued");
    let (mut peer, from) = listener.accept().await.expect("accepted");
    assert_eq!(from.ip(), node.address(Transport::Tcp).ip());
    let both = [message("a", 0), message("b", 0)].concat();
    assert_eq!(read_exactly(&mut peer, both.len()).await, both);

    peer.write_all(&message("c", 0)).await.expect("written");
    let packet = node.next_packet().await;
    assert_eq!((packet.bytes, packet.source), (message("c", 0), destination));
    assert_eq!((node.counters().tcp_connected, node.counters().tcp_sent), (1, 2));
}

/// RFC 5626 §4.4.1: one that the core takes for dead carries nothing any more, and its end is no news.
#[tokio::test]
async fn a_connection_that_the_core_closes_is_not_used_again() {
    let mut node = Node::start(&config(), 8);
    let listener = TcpListener::bind((LISTED, 0)).await.expect("a free port");
    let destination = listener.local_addr().expect("bound");
    node.send(Transport::Tcp, destination, None, message("a", 0)).expect("queued");
    let (mut dead, _) = listener.accept().await.expect("accepted");
    dead.write_all(&message("b", 0)).await.expect("written");
    let flow = node.next_packet().await.flow.expect("of a connection");
    node.transports.see_to(FlowOrder::Close(flow));
    node.send(Transport::Tcp, destination, Some(flow), message("c", 0)).expect("queued");
    let (mut alive, _) = listener.accept().await.expect("another one");
    let message_c = message("c", 0);
    assert_eq!(read_exactly(&mut alive, message_c.len()).await, message_c);
    read_exactly(&mut dead, message("a", 0).len()).await;
    assert_eq!(dead.read(&mut [0; 1]).await.expect("an end"), 0);
    alive.write_all(&message("d", 0)).await.expect("written");
    assert_eq!(node.next_packet().await.bytes, message("d", 0), "before any word of the first one");
    assert_eq!(node.transports.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_reported() {
    let mut node = Node::start(&config(), 8);
    let closed = {
        let listener = TcpListener::bind((LISTED, 0)).await.expect("a free port");
        listener.local_addr().expect("bound")
    };
    node.send(Transport::Tcp, closed, None, message("a", 0)).expect("queued");
    let failure = node.next_failure().await;
    assert_eq!((failure.transport, failure.destination, failure.flow), (Transport::Tcp, closed, None));
    assert_eq!((node.counters().tcp_connect_failures, node.transports.connections()), (1, 0));
}

#[tokio::test]
async fn the_end_of_a_connection_is_reported_and_the_next_message_opens_another() {
    let mut node = Node::start(&config(), 8);
    let listener = TcpListener::bind((LISTED, 0)).await.expect("a free port");
    let destination = listener.local_addr().expect("bound");
    node.send(Transport::Tcp, destination, None, message("a", 0)).expect("queued");
    let (first, _) = listener.accept().await.expect("accepted");
    drop(first);
    let failure = node.next_failure().await;
    assert_eq!(failure.destination, destination);
    let gone = failure.flow;
    assert!(gone.is_some());

    node.send(Transport::Tcp, destination, gone, message("b", 0)).expect("queued");
    let (mut second, _) = listener.accept().await.expect("accepted");
    assert_eq!(read_exactly(&mut second, message("b", 0).len()).await, message("b", 0));
}

#[tokio::test]
async fn a_full_inbox_stops_reading_and_loses_nothing() {
    let mut node = Node::start(&config(), 2);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    let flood: Vec<u8> = (0..FLOOD).flat_map(|number| message(&number.to_string(), 1000)).collect();
    let mut written = 0;
    // The peer can write until every buffer on the way is full, and no more: not a byte moves in a whole second.
    while let Ok(len) = tokio::time::timeout(Duration::from_secs(1), peer.write(&flood[written..])).await {
        written += len.expect("the connection lives");
    }
    assert!(written < flood.len());
    let rest = flood[written..].to_vec();
    let writing = tokio::spawn(async move {
        peer.write_all(&rest).await.expect("the core reads again");
        peer
    });
    for number in 0..FLOOD {
        assert_eq!(node.next_packet().await.bytes, message(&number.to_string(), 1000));
    }
    writing.await.expect("no panic");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut() {
    let mut node = Node::start(&config(), 8);
    let listener = TcpListener::bind((LISTED, 0)).await.expect("a free port");
    let destination = listener.local_addr().expect("bound");
    let mut queued = 0;
    let failure = loop {
        match node.send(Transport::Tcp, destination, None, message("a", 60_000)) {
            Ok(()) => queued += 1,
            Err(failure) => break failure,
        }
        // Lets the writer run until the kernel's buffers are full too.
        tokio::task::yield_now().await;
    };
    assert!(queued >= CONNECTION_QUEUE);
    assert!(failure.flow.is_some());
    assert_eq!(node.next_failure().await, failure);
    assert_eq!((node.counters().tcp_slow_readers, node.transports.connections()), (1, 0));
}

#[tokio::test]
async fn what_a_slow_reader_has_no_room_for_comes_later_whole_and_in_order() {
    let mut node = Node::start(&config(), 8);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    peer.write_all(&message("a", 0)).await.expect("written");
    let packet = node.next_packet().await;
    node.overwhelm(packet, &mut peer).await;
}

#[tokio::test]
async fn what_is_said_in_one_go_is_written_at_once() {
    let mut node = Node::start(&config(), 8);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    peer.write_all(&message("a", 0)).await.expect("written");
    let packet = node.next_packet().await;
    let messages = [message("a", 0), message("b", 10), message("c", 0)];
    for message in &messages {
        node.gather(Transport::Tcp, packet.source, packet.flow, message.clone()).expect("there is room");
    }
    assert_eq!(node.counters().tcp_sent, 0, "not yet");
    node.transports.flush();
    assert_eq!(node.counters().tcp_sent, 3);
    let mut read = vec![0; messages.concat().len() + 1];
    let len = peer.read(&mut read).await.expect("written");
    assert_eq!(read[..len], messages.concat(), "one read finds them all");
    node.transports.flush();
    assert_eq!(node.counters().tcp_sent, 3, "nothing is written twice");

    // A ping's answer takes along what waits, and that is counted.
    node.gather(Transport::Tcp, packet.source, packet.flow, message("d", 0)).expect("there is room");
    peer.write_all(b"\r\n\r\n").await.expect("written");
    let both = [message("d", 0), b"\r\n".to_vec()].concat();
    assert_eq!(read_exactly(&mut peer, both.len()).await, both);
    assert_eq!(node.counters().tcp_sent, 5);
}

/// On a runtime that has not run yet nothing leaves the queue.
#[tokio::test]
async fn a_connection_queue_holds_its_maximum_and_not_one_more() {
    let node = Node::start(&config(), 8);
    let destination = "127.0.0.10:5060".parse().expect("an address");
    for _ in 0..CONNECTION_QUEUE {
        node.send(Transport::Tcp, destination, None, message("a", 0)).expect("queued");
    }
    node.send(Transport::Tcp, destination, None, message("a", 0)).expect_err("one too many");
}

#[tokio::test]
async fn connections_are_limited_in_all_and_by_source() {
    let mut config = config();
    config.allowed.push(crate::node::prefix("127.0.0.11", 32));
    config.tcp = TcpLimits { max_connections: 3, max_connections_per_source: 2, ..TcpLimits::default() };
    let mut node = Node::start(&config, 8);
    let mut kept = Vec::new();
    for source in [LISTED, LISTED, "127.0.0.11"] {
        let mut peer = node.connect_from(source).await.expect("connected");
        peer.write_all(&message("a", 0)).await.expect("written");
        node.next_packet().await;
        kept.push(peer);
    }
    for source in [LISTED, "127.0.0.11"] {
        let mut peer = node.connect_from(source).await.expect("the kernel connects");
        let end = peer.read(&mut [0; 1]).await.expect_err("reset");
        assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!((node.counters().tcp_over_limit, node.transports.connections()), (2, 3));

    // One that ends makes room.
    drop(kept.pop());
    node.next_failure().await;
    let mut peer = node.connect_from("127.0.0.11").await.expect("connected");
    peer.write_all(&message("b", 0)).await.expect("written");
    assert_eq!(node.next_packet().await.bytes, message("b", 0));
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_is_closed() {
    let mut config = config();
    config.tcp.idle_timeout = Duration::from_millis(50);
    let mut node = Node::start(&config, 8);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    assert_eq!(peer.read(&mut [0; 1]).await.expect("an orderly end"), 0);
    assert!(node.next_failure().await.flow.is_some());
    assert_eq!(node.counters().tcp_timeouts, 1);
}
