//! Who is heard: the allow-list in user space and in the kernel.

use std::io::ErrorKind;

use crate::node::{CARRIER, LISTED, Node, UNLISTED, config, message, prefix, udp_from};
use tandem_sbc::ban::BanReason;
use tandem_sbc::source::IpPrefix;
use tandem_sbc::transport::Transport;
use tandem_sbc_net::{FilterError, FilterState, Inbound, PacketRates, TransportsConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn listing(allowed: &[IpPrefix]) -> TransportsConfig {
    TransportsConfig { allowed: allowed.to_vec(), ..config() }
}

fn filtered() -> TransportsConfig {
    TransportsConfig { kernel_filter: true, ..config() }
}

/// Sends from both; the socket's queue is in order, so when the second arrives the first was dealt with.
async fn send_unlisted_then_listed(node: &mut Node) {
    let (unlisted, listed) = (udp_from(UNLISTED).await, udp_from(LISTED).await);
    unlisted.send_to(&message("unlisted", 0), node.address(Transport::Udp)).await.expect("sent");
    listed.send_to(&message("listed", 0), node.address(Transport::Udp)).await.expect("sent");
    assert_eq!(node.next_packet().await.bytes, message("listed", 0));
}

#[tokio::test]
async fn an_unlisted_datagram_costs_one_counter() {
    let mut node = Node::start(&config(), 8);
    send_unlisted_then_listed(&mut node).await;
    assert_eq!((node.counters().udp_unlisted, node.counters().udp_received), (1, 1));
}

#[tokio::test]
async fn with_the_kernels_filter_an_unlisted_datagram_does_not_get_so_far() {
    let mut node = Node::start(&filtered(), 8);
    assert!(matches!(node.transports.filter(), FilterState::On { .. }));
    send_unlisted_then_listed(&mut node).await;
    assert_eq!((node.counters().udp_unlisted, node.counters().udp_received), (0, 1));
    assert_eq!(node.transports.kernel_drops().expect("proc"), 1);
}

#[tokio::test]
async fn an_unlisted_connection_is_reset() {
    let node = Node::start(&config(), 8);
    let mut peer = node.connect_from(UNLISTED).await.expect("the kernel connects");
    let end = peer.read(&mut [0; 1]).await.expect_err("reset");
    assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    assert_eq!((node.counters().tcp_unlisted, node.transports.connections()), (1, 0));
}

/// On loopback a handshake is over when the SYN has been sent, so one that is still waiting after a later one is
/// done was never answered.
#[tokio::test]
async fn with_the_kernels_filter_an_unlisted_syn_vanishes() {
    let mut node = Node::start(&filtered(), 8);
    let address = node.address(Transport::Tcp);
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{UNLISTED}:0").parse().expect("an address")).expect("bound");
    let connecting = socket.connect(address);
    tokio::pin!(connecting);
    tokio::select! {
        biased;
        result = &mut connecting => panic!("the unlisted source was answered: {result:?}"),
        () = tokio::task::yield_now() => {}
    }
    let mut listed = node.connect_from(LISTED).await.expect("connected");
    listed.write_all(&message("listed", 0)).await.expect("written");
    assert_eq!(node.next_packet().await.bytes, message("listed", 0));
    tokio::select! {
        biased;
        result = &mut connecting => panic!("the unlisted source was answered: {result:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(node.counters().tcp_unlisted, 0);
}

#[tokio::test]
async fn a_reload_counts_at_once_and_cuts_who_is_listed_no_more() {
    for config in [config(), filtered()] {
        let mut node = Node::start(&config, 8);
        let mut peer = node.connect_from(LISTED).await.expect("connected");
        peer.write_all(&message("before", 0)).await.expect("written");
        node.next_packet().await;

        node.transports.reload(&listing(&[prefix(UNLISTED, 32)])).expect("reloaded");
        let end = peer.read(&mut [0; 1]).await;
        assert_eq!(end.unwrap_or(0), 0, "cut");
        node.next_failure().await;

        let (was, now) = (udp_from(LISTED).await, udp_from(UNLISTED).await);
        was.send_to(&message("was", 0), node.address(Transport::Udp)).await.expect("sent");
        now.send_to(&message("now", 0), node.address(Transport::Udp)).await.expect("sent");
        assert_eq!(node.next_packet().await.bytes, message("now", 0));
    }
}

#[tokio::test]
async fn a_reload_leaves_the_connections_that_we_made() {
    let mut node = Node::start(&filtered(), 8);
    let listener = tokio::net::TcpListener::bind((LISTED, 0)).await.expect("a free port");
    let destination = listener.local_addr().expect("bound");
    node.send(Transport::Tcp, destination, None, message("a", 0)).expect("queued");
    let (mut peer, _) = listener.accept().await.expect("accepted");
    node.transports.reload(&listing(&[])).expect("reloaded");
    peer.write_all(&message("b", 0)).await.expect("written");
    assert_eq!(node.next_packet().await.bytes, message("b", 0));
}

#[tokio::test]
async fn a_list_too_long_for_the_kernel_is_kept_in_user_space() {
    let mut config = filtered();
    // Four instructions a prefix, eight around them, 4096 in all.
    let longest = (4096 - 8) / 4;
    config.allowed = (0..longest - 1).map(|n| prefix(&format!("10.{}.{}.0", n / 256, n % 256), 24)).collect();
    config.allowed.push(prefix(LISTED, 32));
    let mut node = Node::start(&config, 8);
    assert_eq!(node.transports.filter(), FilterState::On { instructions: 4096 });
    send_unlisted_then_listed(&mut node).await;
    assert_eq!(node.counters().udp_unlisted, 0);

    config.allowed.push(prefix("192.0.2.1", 32));
    let state = node.transports.reload(&listing(&config.allowed)).expect("reloaded");
    assert_eq!(state, FilterState::Failed(FilterError::TooLong { instructions: 4100 }));
    send_unlisted_then_listed(&mut node).await;
    assert_eq!(node.counters().udp_unlisted, 1);
}

#[tokio::test]
async fn ipv6_prefixes_count_in_the_kernel_too() {
    for (bits, heard) in [(128, true), (0, true), (127, true)] {
        let mut config = filtered();
        config.listen.truncate(1);
        config.listen[0].address = "[::1]:0".parse().expect("an address");
        config.allowed = vec![prefix("2001:db8:aaaa:bbbb::", 64), prefix("::1", bits)];
        let mut node = Node::start(&config, 8);
        let peer = udp_from("::1").await;
        peer.send_to(&message("a", 0), node.address(Transport::Udp)).await.expect("sent");
        assert_eq!(node.next_packet().await.bytes == message("a", 0), heard);

        node.transports
            .reload(&listing(&[prefix("2001:db8:aaaa:bbbb::", 64), prefix("::2", 127)]))
            .expect("reloaded");
        peer.send_to(&message("b", 0), node.address(Transport::Udp)).await.expect("sent");
        while node.transports.kernel_drops().expect("proc") == 0 {
            tokio::task::yield_now().await;
        }
        assert!(node.poll().is_none());
    }
}

/// A banned source is dropped unread, in the kernel too when that is asked; a reload changes nothing, lifting does.
#[tokio::test]
async fn a_banned_source_is_not_heard_until_it_is_lifted() {
    for config in [config(), filtered()] {
        let mut node = Node::start(&config, 8);
        let mut connected = node.connect_from(LISTED).await.expect("connected");
        connected.write_all(&message("before", 0)).await.expect("written");
        node.next_packet().await;
        node.transports.ban(prefix(LISTED, 32), BanReason::Malformed);
        node.transports.refresh_filter();
        assert_eq!(connected.read(&mut [0; 1]).await.unwrap_or(0), 0, "its connection is cut");
        node.next_failure().await;

        let listed = [prefix(LISTED, 32), prefix(CARRIER, 32)];
        let reloaded = TransportsConfig { allowed: listed.to_vec(), ..config.clone() };
        node.transports.reload(&reloaded).expect("reloaded");
        let (banned, other) = (udp_from(LISTED).await, udp_from(CARRIER).await);
        banned.send_to(&message("banned", 0), node.address(Transport::Udp)).await.expect("sent");
        other.send_to(&message("other", 0), node.address(Transport::Udp)).await.expect("sent");
        assert_eq!(node.next_packet().await.bytes, message("other", 0));
        let in_kernel = if config.kernel_filter { 1 } else { 0 };
        assert_eq!(node.transports.kernel_drops().expect("proc"), in_kernel);
        assert_eq!(node.counters().udp_banned, 1 - in_kernel);

        node.transports.lift(prefix(LISTED, 32));
        node.transports.refresh_filter();
        banned.send_to(&message("lifted", 0), node.address(Transport::Udp)).await.expect("sent");
        assert_eq!(node.next_packet().await.bytes, message("lifted", 0));
    }
}

/// What one source sends too much is dropped unread, and told of; others are heard.
#[tokio::test]
async fn who_sends_too_much_is_heard_in_part_only() {
    let mut config = config();
    config.allowed.push(prefix(CARRIER, 32));
    config.rates = PacketRates { carrier: 100_000, other: 3 };
    let mut node = Node::start(&config, 64);
    let (flood, carrier) = (udp_from(LISTED).await, udp_from(CARRIER).await);
    for _ in 0..10 {
        flood.send_to(&message("flood", 0), node.address(Transport::Udp)).await.expect("sent");
        carrier.send_to(&message("carrier", 0), node.address(Transport::Udp)).await.expect("sent");
    }
    while node.counters().udp_received + node.counters().udp_over_rate < 20 {
        tokio::task::yield_now().await;
    }
    let mut heard = Vec::new();
    let mut told = 0;
    while let Some(inbound) = node.poll() {
        match inbound {
            Inbound::Packet(packet) => heard.push(packet.bytes),
            Inbound::OverRate { source, .. } => {
                assert_eq!(source, flood.local_addr().expect("bound"));
                told += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    let of_carrier = heard.iter().filter(|bytes| **bytes == message("carrier", 0)).count();
    assert_eq!((of_carrier, told), (10, 1));
    assert!((3..=4).contains(&(heard.len() - of_carrier)), "{}", heard.len());
}
