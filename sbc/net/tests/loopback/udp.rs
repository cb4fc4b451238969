//! Datagrams in and out.

use crate::node::{CARRIER, LISTED, Node, config, message, prefix, udp_from};
use tandem_sbc::transport::Transport;
use tandem_sbc_net::{BindError, Transports};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn a_datagram_comes_in_with_its_addresses_and_an_answer_goes_back() {
    let mut node = Node::start(&config(), 8);
    let peer = udp_from(LISTED).await;
    let local = node.address(Transport::Udp);
    peer.send_to(&message("a", 3), local).await.expect("sent");

    let packet = node.next_packet().await;
    assert_eq!((packet.local, packet.source), (local, peer.local_addr().expect("bound")));
    assert_eq!((packet.transport, packet.flow), (Transport::Udp, None));
    assert_eq!(packet.bytes, message("a", 3));

    node.send(Transport::Udp, packet.source, None, b"answer".to_vec()).expect("sent");
    let mut buffer = [0; 64];
    let (len, from) = peer.recv_from(&mut buffer).await.expect("received");
    assert_eq!((&buffer[..len], from), (&b"answer"[..], local));
    let counters = node.counters();
    assert_eq!((counters.udp_received, counters.udp_sent), (1, 1));
}

#[tokio::test]
async fn the_longest_datagram_is_whole() {
    let mut node = Node::start(&config(), 8);
    let peer = udp_from(LISTED).await;
    let longest = vec![b'x'; 65_507];
    peer.send_to(&longest, node.address(Transport::Udp)).await.expect("sent");
    assert_eq!(node.next_packet().await.bytes.len(), longest.len());
}

#[tokio::test]
async fn keep_alives_do_not_reach_the_core() {
    let mut node = Node::start(&config(), 8);
    let peer = udp_from(LISTED).await;
    for datagram in [&b"\r\n\r\n"[..], b"", b"\0", &message("a", 0)] {
        peer.send_to(datagram, node.address(Transport::Udp)).await.expect("sent");
    }
    assert_eq!(node.next_packet().await.bytes, message("a", 0));
    assert_eq!(node.counters().udp_keep_alives, 3);
}

#[tokio::test]
async fn a_full_inbox_drops_datagrams_and_counts_them() {
    const CAPACITY: usize = 4;
    let mut node = Node::start(&config(), CAPACITY);
    let peer = udp_from(LISTED).await;
    for number in 0..=CAPACITY {
        peer.send_to(&message(&number.to_string(), 0), node.address(Transport::Udp)).await.expect("sent");
    }
    while node.counters().udp_inbox_full == 0 {
        tokio::task::yield_now().await;
    }
    for number in 0..CAPACITY {
        assert_eq!(node.next_packet().await.bytes, message(&number.to_string(), 0));
    }
    assert!(node.poll().is_none());
    assert_eq!(node.counters().udp_inbox_full, 1);
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let node = Node::start(&config(), 8);
    let mut again = config();
    again.listen = node.transports.listening().to_vec();
    let (inbox, _reader) = tandem_sbc_net::Inbox::new(1, std::sync::Arc::new(|| {}));
    let error = Transports::bind(&again, &inbox).expect_err("the port is taken");
    assert!(matches!(error, BindError::Address { listen, .. } if listen == again.listen[0]));
    assert!(error.to_string().contains(&again.listen[0].address.to_string()), "{error}");
}

/// The core's thread is no thread of the runtime.
#[tokio::test]
async fn any_thread_can_send() {
    let node = Node::start(&config(), 8);
    let peer = udp_from(LISTED).await;
    let listener = tokio::net::TcpListener::bind((LISTED, 0)).await.expect("a free port");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let destination = peer.local_addr().expect("bound");
            node.send(Transport::Udp, destination, None, b"udp".to_vec()).expect("sent");
            let destination = listener.local_addr().expect("bound");
            node.send(Transport::Tcp, destination, None, b"tcp".to_vec()).expect("queued");
        });
    });
    let mut buffer = [0; 16];
    assert_eq!(peer.recv(&mut buffer).await.expect("received"), 3);
    let (mut stream, _) = listener.accept().await.expect("accepted");
    stream.read_exact(&mut buffer[..3]).await.expect("received");
    assert_eq!(&buffer[..3], b"tcp");
}

/// What phones send fills their own lane; carriers' messages find room, and take turns with the others.
#[tokio::test]
async fn a_flood_from_elsewhere_leaves_room_for_carriers() {
    let mut config = config();
    config.allowed.push(prefix(CARRIER, 32));
    let mut node = Node::start(&config, 4);
    let (flood, carrier) = (udp_from(LISTED).await, udp_from(CARRIER).await);
    for number in 0..20 {
        flood
            .send_to(&message(&format!("flood{number}"), 0), node.address(Transport::Udp))
            .await
            .expect("sent");
    }
    carrier.send_to(&message("carrier", 0), node.address(Transport::Udp)).await.expect("sent");
    let mut heard = vec![node.next_packet().await];
    while node.counters().udp_received < 21 {
        tokio::task::yield_now().await;
    }
    while let Some(tandem_sbc_net::Inbound::Packet(packet)) = node.poll() {
        heard.push(packet);
    }
    let place = heard.iter().position(|packet| packet.bytes == message("carrier", 0));
    assert!(place.is_some_and(|place| place <= 2), "{place:?} of {}", heard.len());
    assert!(node.counters().udp_inbox_full >= 15);
}
