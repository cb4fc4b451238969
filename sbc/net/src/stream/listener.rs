//! Accepting connections: the allow-list first, then the limits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tandem_sbc::user_agent::ListenAddress;
use tokio::net::{TcpListener, TcpStream};

use super::connection;
use super::{Link, Shared};
use crate::counters::count;

/// Connections the kernel keeps for us to accept.
const BACKLOG: i32 = 1024;

/// How long to wait when accepting fails, which is for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A restart must not wait for the connections of the last run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

pub(super) async fn run(listener: Arc<TcpListener>, listen: ListenAddress, shared: Arc<Shared>) {
    let ListenAddress { transport, address: local } = listen;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(stream, Link { transport, local, peer }, &shared),
            Err(error) => {
                tracing::warn!(%local, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(stream: TcpStream, link: Link, shared: &Arc<Shared>) {
    if !shared.allowed.allows(link.peer.ip()) {
        count(&shared.counters.tcp_unlisted);
        return reset(&stream);
    }
    let Some(opening) = shared.connections.accept((link.transport, link.peer)) else {
        count(&shared.counters.tcp_over_limit);
        return reset(&stream);
    };
    count(&shared.counters.tcp_accepted);
    tokio::spawn(connection::accepted(Arc::clone(shared), link, opening, stream));
}

/// Dropped with no time to linger, a connection ends in RST: no state is left on our side.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
