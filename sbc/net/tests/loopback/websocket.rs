//! SIP over WebSocket (RFC 7118), spoken to by a client of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rand::{Rng, RngExt, SeedableRng};
use tandem_sbc::message::limits::MAX_MESSAGE;
use tandem_sbc::transport::Transport;
use tandem_sbc::user_agent::ListenAddress;
use tandem_sbc_net::{
    CONNECTION_QUEUE, HANDSHAKE_TIMEOUT, TlsConfig, TransportsConfig, WEBSOCKET_PING, WEBSOCKET_SILENCE,
    WRITE_TIMEOUT,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::certificates::Authority;
use crate::node::{LISTED, Node, config, message};

fn listening() -> TransportsConfig {
    let address = "127.0.0.1:0".parse().expect("an address");
    TransportsConfig { listen: vec![ListenAddress { transport: Transport::Ws, address }], ..config() }
}

async fn tcp(node: &Node, transport: Transport) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(LISTED.parse().expect("an address"), 0)).expect("bound");
    socket.connect(node.address(transport)).await.expect("connected")
}

/// Asks for an upgrade with these headers.
async fn upgrade<S>(
    stream: S,
    headers: &[(&'static str, &str)],
) -> Result<(WebSocketStream<S>, Response), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = "ws://node.example/".into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).expect("a value"));
    }
    client_async(request, stream).await
}

const SIP: (&str, &str) = ("Sec-WebSocket-Protocol", "sip");

async fn phone(node: &Node) -> WebSocketStream<TcpStream> {
    upgrade(tcp(node, Transport::Ws).await, &[SIP]).await.expect("an upgrade").0
}

async fn refused(node: &Node, headers: &[(&'static str, &str)]) -> u16 {
    match upgrade(tcp(node, Transport::Ws).await, headers).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("a refusal was due, not {error}"),
        Ok(_) => panic!("a refusal was due"),
    }
}

/// RFC 7118 §5: a message is text or binary, and goes back on the connection it came on.
#[tokio::test]
async fn a_message_of_either_kind_comes_and_its_answer_goes_back() {
    let mut node = Node::start(&listening(), 8);
    let mut phone = phone(&node).await;
    let text = String::from_utf8(message("a", 10)).expect("text");
    for sent in [Message::text(text.clone()), Message::binary(text.clone())] {
        phone.send(sent).await.expect("sent");
        let packet = node.next_packet().await;
        assert_eq!((packet.transport, packet.local), (Transport::Ws, node.address(Transport::Ws)));
        assert_eq!(packet.bytes, text.as_bytes());
        node.send(Transport::Ws, packet.source, packet.flow, b"answer".to_vec()).expect("queued");
        node.send(Transport::Ws, packet.source, packet.flow, vec![0xff]).expect("queued");
        let mut answers = Vec::new();
        while answers.len() < 2 {
            match phone.next().await.expect("it lives").expect("a message") {
                Message::Ping(_) => {}
                other => answers.push(other),
            }
        }
        assert_eq!(answers, [Message::text("answer"), Message::binary(vec![0xff])], "text where it is UTF-8");
    }
    assert_eq!((node.counters().ws_handshakes, node.counters().tcp_received), (1, 2));
    phone.close(None).await.expect("closed");
    assert!(node.next_failure().await.flow.is_some());
}

/// RFC 7118 §4.1, and the operator's list of pages.
#[tokio::test]
async fn who_asks_for_another_subprotocol_or_from_another_page_is_refused() {
    let mut config = listening();
    config.websocket_origins = vec!["https://desk.example".to_owned()];
    let node = Node::start(&config, 8);
    let stream = tcp(&node, Transport::Ws).await;
    let headers = [("Sec-WebSocket-Protocol", "chat, sip"), ("Origin", "https://desk.example")];
    let (_phone, response) = upgrade(stream, &headers).await.expect("an upgrade");
    assert_eq!(response.headers().get("Sec-WebSocket-Protocol"), Some(&HeaderValue::from_static("sip")));

    assert_eq!(refused(&node, &[]).await, 400);
    assert_eq!(refused(&node, &[("Sec-WebSocket-Protocol", "chat")]).await, 400);
    assert_eq!(refused(&node, &[SIP, ("Origin", "https://evil.example")]).await, 403);
    assert_eq!((node.counters().ws_handshakes, node.counters().ws_refused), (1, 3));

    config.websocket_origins.clear();
    node.transports.reload(&config).expect("reloaded");
    upgrade(tcp(&node, Transport::Ws).await, &[SIP, ("Origin", "https://evil.example")])
        .await
        .expect("any page");
}

/// RFC 7118 §6 with RFC 5626 §3.5.1.
#[tokio::test]
async fn keep_alives_are_answered_and_go_no_further() {
    let mut node = Node::start(&listening(), 8);
    let mut phone = phone(&node).await;
    phone.send(Message::text("\r\n\r\n")).await.expect("sent");
    let pong = loop {
        match phone.next().await.expect("it lives").expect("a message") {
            Message::Ping(_) => {}
            other => break other,
        }
    };
    assert_eq!(pong, Message::text("\r\n"));
    phone.send(Message::binary(message("a", 0))).await.expect("sent");
    assert_eq!(node.next_packet().await.bytes, message("a", 0));
}

#[tokio::test]
async fn a_message_of_the_longest_comes_and_one_byte_more_ends_the_connection() {
    let mut node = Node::start(&listening(), 8);
    let mut phone = phone(&node).await;
    phone.send(Message::binary(vec![b'x'; MAX_MESSAGE])).await.expect("sent");
    assert_eq!(node.next_packet().await.bytes.len(), MAX_MESSAGE);
    phone.send(Message::binary(vec![b'x'; MAX_MESSAGE + 1])).await.expect("sent");
    node.next_failure().await;
    assert_eq!((node.counters().tcp_framing_errors, node.transports.connections()), (1, 0));
}

#[tokio::test]
async fn it_is_spoken_within_tls_too() {
    let authority = Authority::new();
    let address = "127.0.0.1:0".parse().expect("an address");
    let tls = TlsConfig { certificates: vec![authority.issue(&["node.example"]).ours()], trunks: Vec::new() };
    let listen = vec![ListenAddress { transport: Transport::Wss, address }];
    let mut node = Node::start(&TransportsConfig { listen, tls, ..config() }, 8);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("node.example").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let stream = connector.connect(name, tcp(&node, Transport::Wss).await).await.expect("a handshake");
    let (mut phone, _) = upgrade(stream, &[SIP]).await.expect("an upgrade");
    phone.send(Message::binary(message("a", 0))).await.expect("sent");
    assert_eq!(node.next_packet().await.transport, Transport::Wss);
    assert_eq!((node.counters().tls_handshakes, node.counters().ws_handshakes), (1, 1));
}

/// There is nothing that could be connected to.
#[tokio::test]
async fn a_phone_whose_connection_is_gone_cannot_be_reached() {
    let mut node = Node::start(&listening(), 8);
    let destination = "127.0.0.10:5060".parse().expect("an address");
    node.send(Transport::Ws, destination, None, b"x".to_vec()).expect("queued");
    let failure = node.next_failure().await;
    assert_eq!((failure.transport, failure.destination, failure.flow), (Transport::Ws, destination, None));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_ask_for_its_upgrade_is_cut() {
    let node = Node::start(&listening(), 8);
    let mut peer = tcp(&node, Transport::Ws).await;
    peer.write_all(b"GET / HTTP/1.1\r\n").await.expect("written");
    let began = Instant::now();
    assert_eq!(peer.read(&mut [0; 1]).await.expect("an end"), 0);
    let patience = HANDSHAKE_TIMEOUT..HANDSHAKE_TIMEOUT + Duration::from_secs(1);
    assert!(patience.contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!((node.counters().handshake_timeouts, node.transports.connections()), (1, 0));
}

/// RFC 6455 §5.5.2: who reads answers pings, and who does not read is gone.
#[tokio::test(start_paused = true)]
async fn a_silent_client_stays_while_it_answers_pings_and_no_longer() {
    let mut node = Node::start(&listening(), 8);
    let mut phone = phone(&node).await;
    let began = Instant::now();
    while began.elapsed() < 2 * WEBSOCKET_SILENCE {
        let ping = phone.next().await.expect("it lives").expect("a message");
        assert!(matches!(ping, Message::Ping(_)), "{ping:?}");
        phone.flush().await.expect("answered");
    }
    assert_eq!(node.transports.connections(), 1);
    let last = Instant::now();
    node.next_failure().await;
    let patience = WEBSOCKET_SILENCE..WEBSOCKET_SILENCE + WEBSOCKET_PING;
    assert!(patience.contains(&last.elapsed()), "{:?}", last.elapsed());
    assert_eq!((node.counters().tcp_timeouts, node.transports.connections()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut() {
    let mut node = Node::start(&listening(), 8);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(LISTED.parse().expect("an address"), 0)).expect("bound");
    socket.set_recv_buffer_size(4_096).expect("set");
    let stream = socket.connect(node.address(Transport::Ws)).await.expect("connected");
    let (mut phone, _) = upgrade(stream, &[SIP]).await.expect("an upgrade");
    phone.send(Message::binary(message("a", 0))).await.expect("sent");
    let packet = node.next_packet().await;
    let began = Instant::now();
    // Together more than the kernel buffers for a peer that does not read.
    for _ in 0..CONNECTION_QUEUE {
        node.send(Transport::Ws, packet.source, packet.flow, vec![b'x'; MAX_MESSAGE]).expect("queued");
    }
    node.next_failure().await;
    assert!((WRITE_TIMEOUT..2 * WRITE_TIMEOUT).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(node.counters().tcp_slow_readers, 1);
}

/// Frames with bits turned and pieces cut: each connection ends or goes on, and the next one works.
#[tokio::test]
async fn mangled_frames_end_their_own_connection_at_worst() {
    const CONNECTIONS: u64 = 300;
    let mut node = Node::start(&listening(), 4_096);
    for seed in 0..CONNECTIONS {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut stream = phone(&node).await.into_inner();
        let mut frames = Vec::new();
        for _ in 0..4 {
            // A masked frame with a zero mask (RFC 6455 §5.2): text of 40 bytes.
            frames.extend([0x81, 0x80 | 40, 0, 0, 0, 0]);
            frames.extend([b'x'; 40]);
        }
        for _ in 0..rng.random_range(1..6) {
            let place = rng.random_range(0..frames.len());
            frames[place] ^= 1 << rng.random_range(0..8);
        }
        frames.truncate(rng.random_range(1..=frames.len()));
        frames.extend((0..rng.random_range(0..8)).map(|_| (rng.next_u32() & 0xff) as u8));
        let _ = stream.write_all(&frames).await;
        drop(stream);
    }
    let mut sane = phone(&node).await;
    sane.send(Message::binary(message("sane", 0))).await.expect("sent");
    loop {
        match node.next().await {
            tandem_sbc_net::Inbound::Packet(packet) if packet.bytes == message("sane", 0) => break,
            tandem_sbc_net::Inbound::Packet(packet) => assert!(packet.bytes.len() <= MAX_MESSAGE),
            _ => {}
        }
    }
    assert_eq!(node.counters().ws_handshakes, CONNECTIONS + 1);
}
