//! What is between TCP and SIP: nothing, or TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{HANDSHAKE_TIMEOUT, Link, Shared};
use crate::counters::count;

/// A connection that is ready to carry SIP.
pub(super) enum Channel {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Makes the connection.
pub(super) async fn connect(shared: &Shared, link: Link) -> io::Result<Channel> {
    let tls = shared.tls.load_full();
    let stream = open(link).await?;
    if !link.transport.is_secure() {
        return Ok(Channel::Plain(stream));
    }
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
    socket.connect(link.peer).await
}

/// Lets a client that has connected shake hands; `None` when it does not, or not in time.
pub(super) async fn accept(shared: &Shared, link: Link, stream: TcpStream) -> Option<Channel> {
    if !link.transport.is_secure() {
        return Some(Channel::Plain(stream));
    }
    let tls = shared.tls.load_full();
    let (trunk, server) = tls.accepting(link.peer.ip());
    let acceptor = TlsAcceptor::from(Arc::clone(server?));
    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            count(&shared.counters.tls_handshakes);
            Some(Channel::Tls(Box::new(stream.into())))
        }
        Ok(Err(error)) => {
            failed(shared, trunk, &error);
            None
        }
        Err(_) => {
            count(&shared.counters.tls_handshake_timeouts);
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
