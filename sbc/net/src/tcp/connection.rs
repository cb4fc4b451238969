//! One connection: reads and frames, writes what is queued, ends when either does or when it is cut.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tandem_sbc::framing::{Frame, PONG, StreamFramer};
use tandem_sbc::message::ParseError;
use tandem_sbc::transport::{FlowId, Transport, TransportFailure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::table::Opening;
use super::{CONNECT_TIMEOUT, MESSAGE_TIMEOUT, Shared, WRITE_TIMEOUT};
use crate::counters::count;
use crate::inbox::{Inbound, InboundPacket};

/// Bytes read at a time.
const READ: usize = 8 * 1024;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// Makes the connection, then serves it. What is queued meanwhile is sent when it stands.
pub(super) async fn connect(shared: Arc<Shared>, link: Link, opening: Opening) {
    let flow = opening.flow;
    match timeout(CONNECT_TIMEOUT, open(link)).await {
        Ok(Ok(stream)) => {
            count(&shared.counters.tcp_connected);
            serve(shared, link, opening, stream).await;
        }
        Ok(Err(_)) | Err(_) => {
            count(&shared.counters.tcp_connect_failures);
            shared.connections.close(flow);
            report(&shared, link.peer, None).await;
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

/// Runs a connection to its end and tells the core that it is gone.
pub(super) async fn serve(shared: Arc<Shared>, link: Link, opening: Opening, stream: TcpStream) {
    let Opening { flow, queue, cut } = opening;
    // SIP messages are small and each is complete: none should wait for the next (RFC 896 does not help here).
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (pongs, pongs_due) = mpsc::channel(1);
    let reading = Reading { shared: &shared, link, flow, pongs };
    tokio::select! {
        () = reading.run(reader) => {}
        () = write_queued(&shared, writer, queue, pongs_due) => {}
        _ = cut => {}
    }
    shared.connections.close(flow);
    count(&shared.counters.tcp_closed);
    report(&shared, link.peer, Some(flow)).await;
}

async fn report(shared: &Shared, destination: SocketAddr, flow: Option<FlowId>) {
    let failure = TransportFailure { transport: Transport::Tcp, destination, flow };
    shared.inbox.put(Inbound::Failure(failure)).await;
}

async fn write_queued(
    shared: &Shared,
    mut writer: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Vec<u8>>,
    mut pongs_due: mpsc::Receiver<()>,
) {
    loop {
        let (bytes, counter) = tokio::select! {
            message = queue.recv() => match message {
                Some(message) => (Cow::Owned(message), &shared.counters.tcp_sent),
                None => return,
            },
            Some(()) = pongs_due.recv() => (Cow::Borrowed(PONG), &shared.counters.tcp_keep_alives),
        };
        match timeout(WRITE_TIMEOUT, writer.write_all(&bytes)).await {
            Ok(Ok(())) => count(counter),
            Ok(Err(_)) => return,
            Err(_) => return count(&shared.counters.tcp_slow_readers),
        }
    }
}

struct Reading<'a> {
    shared: &'a Shared,
    link: Link,
    flow: FlowId,
    pongs: mpsc::Sender<()>,
}

impl Reading<'_> {
    /// Reads until the peer ends the connection, says nothing for too long, or makes no sense.
    async fn run(&self, mut reader: OwnedReadHalf) {
        let mut framer = StreamFramer::new();
        let mut buffer = [0; READ];
        let mut message_began: Option<Instant> = None;
        loop {
            let deadline = match message_began {
                Some(began) => began + MESSAGE_TIMEOUT,
                None => Instant::now() + self.shared.limits.idle_timeout,
            };
            let len = match timeout_at(deadline, reader.read(&mut buffer)).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(len)) => len,
                Err(_) => return count(&self.shared.counters.tcp_timeouts),
            };
            framer.push(buffer.get(..len).unwrap_or_default());
            if self.take_frames(&mut framer).await.is_err() {
                return count(&self.shared.counters.tcp_framing_errors);
            }
            message_began = framer.is_partial().then(|| message_began.unwrap_or_else(Instant::now));
        }
    }

    /// Hands whole messages to the core. Waiting for room there means that no more is read: the peer is held back.
    async fn take_frames(&self, framer: &mut StreamFramer) -> Result<(), ParseError> {
        while let Some(frame) = framer.next_frame()? {
            match frame {
                // One answer is under way when there is no room for this one.
                Frame::Ping => drop(self.pongs.try_send(())),
                Frame::Pong => {}
                Frame::Message(message) => {
                    count(&self.shared.counters.tcp_received);
                    let packet = InboundPacket {
                        transport: Transport::Tcp,
                        local: self.link.local,
                        source: self.link.peer,
                        flow: Some(self.flow),
                        bytes: message.to_vec(),
                    };
                    self.shared.inbox.put(Inbound::Packet(packet)).await;
                }
            }
        }
        Ok(())
    }
}
