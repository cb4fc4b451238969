//! What is between TCP and SIP: nothing, TLS, WebSocket, or both.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{SockRef, TcpKeepalive};
use tandem_sbc::transport::Transport;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_tungstenite::WebSocketStream;

use super::{HANDSHAKE_TIMEOUT, Link, PROBE_AFTER, PROBE_EVERY, PROBES, Shared, websocket};
use crate::counters::count;

/// A connection that is ready to carry SIP.
pub(super) enum Channel {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    WebSocket(Box<WebSocketStream<TcpStream>>),
    SecureWebSocket(Box<WebSocketStream<TlsStream<TcpStream>>>),
}

/// Makes the connection.
pub(super) async fn connect(shared: &Shared, link: Link) -> io::Result<Channel> {
    match link.transport {
        Transport::Tls => {}
        Transport::Tcp => return Ok(Channel::Plain(open(link).await?)),
        // Browsers cannot be connected to.
        Transport::Udp | Transport::Ws | Transport::Wss => return Err(io::ErrorKind::Unsupported.into()),
    }
    let tls = shared.tls.load_full();
    let stream = open(link).await?;
    let trunk = tls.connecting(link.peer).ok_or(io::ErrorKind::NotFound)?;
    let connector = TlsConnector::from(Arc::clone(&trunk.client));
    match connector.connect(trunk.server_name.clone(), stream).await {
        Ok(stream) => {
            count(&shared.counters.tls_handshakes);
            Ok(Channel::Tls(Box::new(stream.into())))
        }
        Err(error) => {
            failed(shared, Some(&trunk.name), &error);
            Err(error)
        }
    }
}

async fn open(link: Link) -> io::Result<TcpStream> {
    let socket = if link.peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !link.local.ip().is_unspecified() {
        socket.bind(SocketAddr::new(link.local.ip(), 0))?;
    }
    let stream = socket.connect(link.peer).await?;
    prepare(&stream);
    Ok(stream)
}

/// What cannot be set is done without.
fn prepare(stream: &TcpStream) {
    // SIP messages are small and each is complete: none should wait for the next (RFC 896 does not help here).
    let _ = stream.set_nodelay(true);
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY).with_retries(PROBES);
    let _ = SockRef::from(stream).set_tcp_keepalive(&probes);
}

/// Lets a client that has connected shake hands; `None` when it does not, or not in time.
pub(super) async fn accept(shared: &Shared, link: Link, stream: TcpStream) -> Option<Channel> {
    prepare(&stream);
    if link.transport == Transport::Tcp {
        return Some(Channel::Plain(stream));
    }
    let patience = timeout(HANDSHAKE_TIMEOUT, shake_hands(shared, link, stream));
    patience.await.unwrap_or_else(|_| {
        count(&shared.counters.handshake_timeouts);
        None
    })
}

async fn shake_hands(shared: &Shared, link: Link, stream: TcpStream) -> Option<Channel> {
    Some(match link.transport {
        Transport::Tls => Channel::Tls(Box::new(accept_tls(shared, link, stream).await?)),
        Transport::Wss => {
            let stream = accept_tls(shared, link, stream).await?;
            Channel::SecureWebSocket(Box::new(websocket::accept(shared, stream).await?))
        }
        Transport::Ws => Channel::WebSocket(Box::new(websocket::accept(shared, stream).await?)),
        Transport::Udp | Transport::Tcp => Channel::Plain(stream),
    })
}

async fn accept_tls(shared: &Shared, link: Link, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    let tls = shared.tls.load_full();
    let (trunk, server) = tls.accepting(link.peer.ip());
    match TlsAcceptor::from(Arc::clone(server?)).accept(stream).await {
        Ok(stream) => {
            count(&shared.counters.tls_handshakes);
            Some(stream.into())
        }
        Err(error) => {
            failed(shared, trunk, &error);
            None
        }
    }
}

/// What a phone does wrong is counted, what a trunk does wrong is also said.
fn failed(shared: &Shared, trunk: Option<&str>, error: &io::Error) {
    count(&shared.counters.tls_handshake_failures);
    if let Some(trunk) = trunk {
        shared.refusals.failed(trunk, error);
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// RFC 5382 REQ-5: a NAT may forget a connection on which nothing goes; and who has vanished is found out.
    #[tokio::test]
    async fn tcp_asks_whether_a_silent_peer_is_there() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let connecting = TcpStream::connect(listener.local_addr().expect("bound"));
        let (stream, _) = tokio::join!(connecting, listener.accept());
        let stream = stream.expect("connected");
        prepare(&stream);
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), PROBE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), PROBE_EVERY);
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), PROBES);
    }
}
