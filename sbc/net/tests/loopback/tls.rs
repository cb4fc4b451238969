//! TLS: who is spoken to, by which certificate, and what becomes of it in a reload.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tandem_sbc::transport::Transport;
use tandem_sbc::user_agent::ListenAddress;
use tandem_sbc_net::{
    Certificate, HANDSHAKE_TIMEOUT, PeerName, PemError, TlsConfig, TlsTrunk, TransportsConfig,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::certificates::{Authority, Pair};
use crate::node::{LISTED, Node, config, message, prefix};

/// A trunk that `authority` vouches for.
fn trunk(authority: &Authority, name: &str) -> TlsTrunk {
    TlsTrunk {
        name: "carrier-a".to_owned(),
        sources: vec![prefix(LISTED, 32)],
        peers: Vec::new(),
        authorities: authority.authorities(),
        peer_name: PeerName::Domain(name.to_owned()),
        needs_certificate: false,
        certificate: None,
    }
}

fn listening(tls: TlsConfig) -> TransportsConfig {
    let address = "127.0.0.1:0".parse().expect("an address");
    let listen = vec![ListenAddress { transport: Transport::Tls, address }];
    TransportsConfig { listen, tls, ..config() }
}

/// A client that trusts `authority` and shows `own`.
fn client(authority: &Authority, own: Option<&Pair>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_root_certificates(authority.roots());
    match own {
        Some(pair) => builder.with_client_auth_cert(pair.chain(), pair.key()).expect("a pair"),
        None => builder.with_no_client_auth(),
    }
}

/// Connects from [`LISTED`] and asks for `name`.
async fn connect(node: &Node, client: ClientConfig, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(LISTED.parse().expect("an address"), 0))?;
    let stream = socket.connect(node.address(Transport::Tls)).await?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(client)).connect(name, stream).await
}

/// Whether a client with `own` gets through to a trunk that must show a certificate for `carrier.example`.
async fn is_let_in(authority: &Authority, own: Option<&Pair>) -> (bool, Node) {
    let ours = authority.issue(&["node.example"]);
    let trunk = TlsTrunk { needs_certificate: true, ..trunk(authority, "carrier.example") };
    let tls = TlsConfig { certificates: vec![ours.ours()], trunks: vec![trunk] };
    let node = Node::start(&listening(tls), 8);
    let mut let_in = false;
    if let Ok(mut peer) = connect(&node, client(authority, own), "node.example").await {
        // In TLS 1.3 the client hears of its refusal only after its own handshake.
        let _ = peer.write_all(b"\r\n\r\n").await;
        let_in = matches!(peer.read(&mut [0; 2]).await, Ok(2));
    }
    (let_in, node)
}

#[tokio::test]
async fn a_message_comes_and_its_answer_goes_back_on_the_flow() {
    let authority = Authority::new();
    let ours = authority.issue(&["node.example"]);
    let tls = TlsConfig { certificates: vec![ours.ours()], trunks: Vec::new() };
    let mut node = Node::start(&listening(tls), 8);
    let mut peer = connect(&node, client(&authority, None), "node.example").await.expect("a handshake");
    peer.write_all(&message("a", 10)).await.expect("written");
    let packet = node.next_packet().await;
    assert_eq!((packet.transport, packet.local), (Transport::Tls, node.address(Transport::Tls)));
    assert_eq!(packet.bytes, message("a", 10));
    node.send(Transport::Tls, packet.source, packet.flow, b"answer".to_vec()).expect("queued");
    let mut answer = [0; 6];
    peer.read_exact(&mut answer).await.expect("it is answered");
    assert_eq!(&answer, b"answer");
    assert_eq!((node.counters().tls_handshakes, node.counters().tls_handshake_failures), (1, 0));

    // RFC 8446 §6.1: the end is said, not only done.
    node.transports.reload(&TransportsConfig { allowed: Vec::new(), ..config() }).expect("reloaded");
    assert_eq!(peer.read(&mut [0; 1]).await.expect("an orderly end"), 0);
}

#[tokio::test]
async fn what_a_slow_reader_has_no_room_for_comes_later_whole_and_in_order() {
    let authority = Authority::new();
    let tls = TlsConfig { certificates: vec![authority.issue(&["node.example"]).ours()], trunks: Vec::new() };
    let mut node = Node::start(&listening(tls), 8);
    let mut peer = connect(&node, client(&authority, None), "node.example").await.expect("a handshake");
    peer.write_all(&message("a", 0)).await.expect("written");
    let packet = node.next_packet().await;
    node.overwhelm(packet, &mut peer).await;
}

/// RFC 6066 §3.
#[tokio::test]
async fn the_server_name_picks_the_certificate_and_the_first_is_for_all_others() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(&["a.example"]), authority.issue(&["b.example", "*.c.example"]));
    let tls = TlsConfig { certificates: vec![first.ours(), second.ours()], trunks: Vec::new() };
    let node = Node::start(&listening(tls), 8);
    for (name, expected) in [("a.example", &first), ("b.example", &second), ("x.c.example", &second)] {
        let peer = connect(&node, client(&authority, None), name).await.expect("a handshake");
        assert_eq!(peer.get_ref().1.peer_certificates(), Some(expected.chain().as_slice()), "{name}");
    }
    connect(&node, client(&authority, None), "other.example")
        .await
        .expect_err("the first is not for this name");
}

/// RFC 5922 §7: the name of a SIP domain in the client's certificate.
#[tokio::test]
async fn a_trunk_is_let_in_by_its_own_certificate_only() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let fitting = authority.issue(&["sip:carrier.example", "whatever.example"]);
    let (let_in, node) = is_let_in(&authority, Some(&fitting)).await;
    assert!(let_in);
    assert_eq!((node.counters().tls_peers_refused, node.transports.connections()), (0, 1));

    for (what, own) in [
        ("another name", authority.issue(&["other.example"])),
        ("a wildcard", authority.issue(&["*.example"])),
        ("another authority", stranger.issue(&["carrier.example"])),
        ("expired", authority.issue_expired(&["carrier.example"])),
    ] {
        let (let_in, node) = is_let_in(&authority, Some(&own)).await;
        assert!(!let_in, "{what}");
        let counters = node.counters();
        assert_eq!((counters.tls_peers_refused, counters.tls_handshake_failures), (1, 1), "{what}");
    }
    let (let_in, node) = is_let_in(&authority, None).await;
    assert!(!let_in);
    assert_eq!(node.counters().tls_handshake_failures, 1, "it showed none");
}

/// A server with `pair`, which the node is to reach as `carrier.example`; what it gets of the message.
async fn reaches(authority: &Authority, pair: &Pair) -> (bool, Node) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(pair.chain(), pair.key())
        .expect("a pair");
    let listener = TcpListener::bind((LISTED, 0)).await.expect("a free port");
    let destination = listener.local_addr().expect("bound");
    let trunks = vec![TlsTrunk { peers: vec![destination], ..trunk(authority, "carrier.example") }];
    let ours = authority.issue(&["node.example"]);
    let mut node = Node::start(&listening(TlsConfig { certificates: vec![ours.ours()], trunks }), 8);
    node.send(Transport::Tls, destination, None, message("a", 0)).expect("queued");
    let (stream, _) = listener.accept().await.expect("accepted");
    let Ok(mut stream) = TlsAcceptor::from(Arc::new(server)).accept(stream).await else {
        let failure = node.next_failure().await;
        assert_eq!((failure.transport, failure.destination), (Transport::Tls, destination));
        return (false, node);
    };
    let mut bytes = message("a", 0);
    let came = stream.read_exact(&mut bytes).await.is_ok() && bytes == message("a", 0);
    (came, node)
}

#[tokio::test]
async fn a_server_is_spoken_to_when_its_certificate_names_it() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (reached, node) = reaches(&authority, &authority.issue(&["carrier.example"])).await;
    assert!(reached);
    assert_eq!((node.counters().tls_handshakes, node.counters().tcp_connected), (1, 1));
    for (what, pair) in [
        ("another name", authority.issue(&["other.example"])),
        ("a wildcard", authority.issue(&["*.example"])),
        ("another authority", stranger.issue(&["carrier.example"])),
        ("expired", authority.issue_expired(&["carrier.example"])),
    ] {
        let (reached, node) = reaches(&authority, &pair).await;
        assert!(!reached, "{what}");
        let counters = node.counters();
        assert_eq!((counters.tls_peers_refused, counters.tcp_connect_failures), (1, 1), "{what}");
    }
}

#[tokio::test]
async fn a_reload_is_for_new_connections_and_old_ones_go_on() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(&["node.example"]), authority.issue(&["node.example"]));
    let tls = |pair: &Pair| TlsConfig { certificates: vec![pair.ours()], trunks: Vec::new() };
    let mut node = Node::start(&listening(tls(&first)), 8);
    let mut old = connect(&node, client(&authority, None), "node.example").await.expect("a handshake");
    node.transports.reload(&listening(tls(&second))).expect("reloaded");
    let new = connect(&node, client(&authority, None), "node.example").await.expect("a handshake");
    assert_eq!(old.get_ref().1.peer_certificates(), Some(first.chain().as_slice()));
    assert_eq!(new.get_ref().1.peer_certificates(), Some(second.chain().as_slice()));
    old.write_all(&message("a", 0)).await.expect("it lives");
    assert_eq!(node.next_packet().await.bytes, message("a", 0));
}

/// RFC 5922 §7.1 over IPv6, where the peer has an address and no name.
#[tokio::test]
async fn a_server_is_reached_over_ipv6_by_its_address() {
    let authority = Authority::new();
    let pair = authority.issue(&["sip:[::1]"]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(pair.chain(), pair.key())
        .expect("a pair");
    let listener = TcpListener::bind("[::1]:0").await.expect("a free port");
    let destination = listener.local_addr().expect("bound");
    let peer_name = PeerName::Address(destination.ip());
    let trunks =
        vec![TlsTrunk { peers: vec![destination], peer_name, ..trunk(&authority, "unused.example") }];
    let address = "[::1]:0".parse().expect("an address");
    let config = TransportsConfig {
        listen: vec![ListenAddress { transport: Transport::Tls, address }],
        tls: TlsConfig { certificates: vec![authority.issue(&["node.example"]).ours()], trunks },
        ..config()
    };
    let node = Node::start(&config, 8);
    node.send(Transport::Tls, destination, None, message("a", 0)).expect("queued");
    let (stream, from) = listener.accept().await.expect("accepted");
    assert_eq!(from.ip(), node.address(Transport::Tls).ip());
    let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await.expect("a handshake");
    let mut bytes = vec![0; message("a", 0).len()];
    stream.read_exact(&mut bytes).await.expect("it came");
    assert_eq!(bytes, message("a", 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_shake_hands_is_cut() {
    let authority = Authority::new();
    let tls = TlsConfig { certificates: vec![authority.issue(&["node.example"]).ours()], trunks: Vec::new() };
    let node = Node::start(&listening(tls), 8);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(LISTED.parse().expect("an address"), 0)).expect("bound");
    let mut peer = socket.connect(node.address(Transport::Tls)).await.expect("connected");
    let began = Instant::now();
    assert_eq!(peer.read(&mut [0; 1]).await.expect("an end"), 0);
    let patience = HANDSHAKE_TIMEOUT..HANDSHAKE_TIMEOUT + Duration::from_secs(1);
    assert!(patience.contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!((node.counters().handshake_timeouts, node.transports.connections()), (1, 0));
}

#[test]
fn files_that_are_of_no_use_are_told_apart() {
    let authority = Authority::new();
    let (one, other) = (authority.issue(&["a.example"]), authority.issue(&["b.example"]));
    let read = |chain: &str, key: &str| {
        Certificate::from_pem("test.pem".to_owned(), chain.as_bytes(), key.as_bytes()).map(drop)
    };
    let ((certificate, key), (_, other_key)) = (one.pem(), other.pem());
    assert_eq!(read(certificate, key), Ok(()));
    assert_eq!(read(certificate, other_key), Err(PemError::Mismatch));
    assert_eq!(read(key, key), Err(PemError::NoCertificate));
    assert_eq!(read(certificate, certificate), Err(PemError::NoKey));
    assert_eq!(read(&certificate.repeat(16), key), Ok(()));
    assert_eq!(read(&certificate.repeat(17), key), Err(PemError::TooMany(16)));
}
