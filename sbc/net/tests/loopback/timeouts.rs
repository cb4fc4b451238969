//! What ends by itself, in a time that moves whenever nothing else is left to do.

use std::time::Duration;

use crate::node::{LISTED, Node, UNLISTED, config, message};
use tandem_sbc::transport::{FlowOrder, Transport};
use tandem_sbc_net::{CONNECT_TIMEOUT, CONNECTION_QUEUE, MESSAGE_TIMEOUT, TransportsConfig, WRITE_TIMEOUT};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Longer than every timeout here.
const HOUR: Duration = Duration::from_secs(3_600);

fn patient() -> TransportsConfig {
    let mut config = config();
    config.tcp.idle_timeout = HOUR;
    config
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_end_ends_the_connection() {
    let mut node = Node::start(&patient(), 8);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    peer.write_all(b"OPTIONS sip:a SIP/2.0\r\n").await.expect("written");
    let began = Instant::now();
    node.next_failure().await;
    assert!((MESSAGE_TIMEOUT..HOUR).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!((node.counters().tcp_timeouts, node.transports.connections()), (1, 0));
}

/// To a port whose filter lets our SYN vanish.
#[tokio::test(start_paused = true)]
async fn a_connection_nobody_answers_is_given_up() {
    let silent = Node::start(&TransportsConfig { kernel_filter: true, ..config() }, 8);
    let mut node = Node::start(&patient(), 8);
    let destination = silent.address(Transport::Tcp);
    let began = Instant::now();
    node.send(Transport::Tcp, destination, None, message("a", 0)).expect("queued");
    let failure = node.next_failure().await;
    assert_eq!((failure.destination, failure.flow), (destination, None));
    assert!((CONNECT_TIMEOUT..HOUR).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(node.counters().tcp_connect_failures, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_written_ends_the_connection() {
    let mut node = Node::start(&patient(), 8);
    let listener = TcpListener::bind((UNLISTED, 0)).await.expect("a free port");
    let destination = listener.local_addr().expect("bound");
    let began = Instant::now();
    node.send(Transport::Tcp, destination, None, message("a", 0)).expect("queued");
    let (_peer, _) = listener.accept().await.expect("accepted");
    // Together more than the kernel buffers for a peer that does not read.
    for _ in 1..CONNECTION_QUEUE {
        node.send(Transport::Tcp, destination, None, vec![b'x'; 1 << 20]).expect("queued");
    }
    let failure = node.next_failure().await;
    assert_eq!(failure.destination, destination);
    assert!((WRITE_TIMEOUT..HOUR).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(node.counters().tcp_slow_readers, 1);
}

/// Longer than others for a phone that is registered on it, less long for one that has promised to say something (RFC 5626
/// §4.4.1); whatever comes begins it anew.
#[tokio::test(start_paused = true)]
async fn the_core_says_how_long_a_connection_may_be_silent() {
    let seconds = Duration::from_secs;
    let mut config = config();
    config.tcp.idle_timeout = seconds(60);
    for (order, silence) in [
        (FlowOrder::Keep as fn(_, _) -> _, seconds(600)),
        (FlowOrder::Keep, seconds(60)),
        (FlowOrder::Expect, seconds(600)),
        (FlowOrder::Expect, seconds(20)),
    ] {
        let mut node = Node::start(&config, 8);
        let mut peer = node.connect_from(LISTED).await.expect("connected");
        peer.write_all(&message("a", 0)).await.expect("written");
        let flow = node.next_packet().await.flow.expect("of a connection");
        node.transports.see_to(order(flow, silence));
        peer.write_all(b"\r\n\r\n").await.expect("written");
        peer.read_exact(&mut [0; 2]).await.expect("an answer to the ping");
        let began = Instant::now();
        assert_eq!(node.next_failure().await.flow, Some(flow));
        // It is looked every so often whether that is still so.
        let looked = silence..silence + seconds(15);
        assert!(looked.contains(&(began.elapsed() + seconds(1))), "{silence:?}: {:?}", began.elapsed());
    }
}

/// Less than the time of any other connection is none of a phone that is registered.
#[tokio::test(start_paused = true)]
async fn no_registered_phone_is_cut_sooner_than_others() {
    let mut config = config();
    config.tcp.idle_timeout = HOUR;
    let mut node = Node::start(&config, 8);
    let mut peer = node.connect_from(LISTED).await.expect("connected");
    peer.write_all(&message("a", 0)).await.expect("written");
    let flow = node.next_packet().await.flow.expect("of a connection");
    node.transports.see_to(FlowOrder::Keep(flow, Duration::from_secs(90)));
    let began = Instant::now();
    node.next_failure().await;
    assert!(began.elapsed() + Duration::from_secs(1) >= HOUR, "{:?}", began.elapsed());
}
