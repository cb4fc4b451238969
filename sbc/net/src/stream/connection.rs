//! One connection: reads and frames, writes what is queued, ends when either does or when it is cut.

use std::io;
use std::sync::Arc;

use tandem_sbc::framing::{Frame, PONG, StreamFramer};
use tandem_sbc::message::ParseError;
use tandem_sbc::transport::{FlowId, TransportFailure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::channel::{self, Channel};
use super::line::{Half, Line, SipStream};
use super::table::Opening;
use super::{
    CLOSE_TIMEOUT, CONNECT_TIMEOUT, GATHERED_MAX, LOOK_AGAIN, Link, MESSAGE_TIMEOUT, Shared, WRITE_TIMEOUT,
    websocket,
};
use crate::counters::{add, count};
use crate::inbox::{Inbound, InboundPacket};

/// Bytes read at a time.
const READ: usize = 8 * 1024;

/// Makes the connection, then serves it. What is queued meanwhile is sent when it stands.
pub(super) async fn connect(shared: Arc<Shared>, link: Link, opening: Opening) {
    let flow = opening.flow;
    match timeout(CONNECT_TIMEOUT, channel::connect(&shared, link)).await {
        Ok(Ok(channel)) => {
            count(&shared.counters.tcp_connected);
            serve(&shared, link, opening, channel).await;
        }
        Ok(Err(_)) | Err(_) => {
            count(&shared.counters.tcp_connect_failures);
            shared.connections.close(flow);
            report(&shared, link, None).await;
        }
    }
}

/// Shakes hands with a client, then serves it.
pub(super) async fn accepted(shared: Arc<Shared>, link: Link, mut opening: Opening, stream: TcpStream) {
    let channel = tokio::select! {
        channel = channel::accept(&shared, link, stream) => channel,
        _ = &mut opening.cut => None,
    };
    match channel {
        Some(channel) => serve(&shared, link, opening, channel).await,
        // Nothing came on it, so that nobody has heard of it.
        None => shared.connections.close(opening.flow),
    }
}

/// Runs a connection to its end and tells the core that it is gone.
async fn serve(shared: &Shared, link: Link, opening: Opening, channel: Channel) {
    let flow = opening.flow;
    let is_known = match channel {
        Channel::Plain(stream) => exchange(shared, link, opening, SipStream::Plain(stream)).await,
        Channel::Tls(stream) => exchange(shared, link, opening, SipStream::Tls(stream)).await,
        Channel::WebSocket(socket) => websocket::exchange(shared, link, opening, *socket).await,
        Channel::SecureWebSocket(socket) => websocket::exchange(shared, link, opening, *socket).await,
    };
    shared.connections.close(flow);
    count(&shared.counters.tcp_closed);
    if !is_known {
        report(shared, link, Some(flow)).await;
    }
}

/// Reads and writes until one of them ends, or the connection is cut. Whether the core has cut it.
async fn exchange(shared: &Shared, link: Link, opening: Opening, stream: SipStream) -> bool {
    let Opening { flow, line, queue, cut } = opening;
    line.stands(stream);
    let mut half = Half(Arc::clone(&line));
    let reading = Reading { shared, link, flow, line: &line };
    let is_known = tokio::select! {
        () = reading.run(half.clone()) => false,
        () = write_queued(shared, &line, queue) => false,
        cut = cut => cut.is_ok(),
    };
    // RFC 8446 §6.1: TLS says that it ends. A peer that does not listen is not waited for.
    let _ = timeout(CLOSE_TIMEOUT, half.shutdown()).await;
    is_known
}

async fn report(shared: &Shared, link: Link, flow: Option<FlowId>) {
    let failure = TransportFailure { transport: link.transport, destination: link.peer, flow };
    shared.inbox.put(Inbound::Failure(failure)).await;
}

/// Writes what the core's thread could not.
async fn write_queued(shared: &Shared, line: &Arc<Line>, mut queue: mpsc::Receiver<Vec<u8>>) {
    let mut half = Half(Arc::clone(line));
    while let Some(message) = queue.recv().await {
        let (bytes, messages) = gathered(message, &mut queue);
        match timeout(WRITE_TIMEOUT, write(&mut half, &bytes)).await {
            Ok(Ok(())) => line.written(messages),
            Ok(Err(_)) => return,
            Err(_) => return count(&shared.counters.tcp_slow_readers),
        }
        (0..messages).for_each(|_| count(&shared.counters.tcp_sent));
    }
}

/// A message with those that wait behind it, and how many they are: what is written at once costs one record of TLS
/// (RFC 8446 §5.1) and one system call.
fn gathered(first: Vec<u8>, queue: &mut mpsc::Receiver<Vec<u8>>) -> (Vec<u8>, usize) {
    let (mut bytes, mut messages) = (first, 1);
    while bytes.len() < GATHERED_MAX
        && let Ok(next) = queue.try_recv()
    {
        bytes.extend_from_slice(&next);
        messages += 1;
    }
    (bytes, messages)
}

async fn write(writer: &mut Half, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    // TLS may keep what TCP had no room for.
    writer.flush().await
}

struct Reading<'a> {
    shared: &'a Shared,
    link: Link,
    flow: FlowId,
    line: &'a Line,
}

impl Reading<'_> {
    /// Reads until the peer ends the connection, says nothing for too long, or makes no sense.
    async fn run(&self, mut reader: Half) {
        let mut framer = StreamFramer::new();
        let mut buffer = [0; READ];
        let mut message_began: Option<Instant> = None;
        let mut heard = Instant::now();
        loop {
            let deadline = match message_began {
                Some(began) => began + MESSAGE_TIMEOUT,
                None => heard + self.line.patience(),
            };
            let looked_at = deadline.min(Instant::now() + LOOK_AGAIN);
            let len = match timeout_at(looked_at, reader.read(&mut buffer)).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(len)) => len,
                Err(_) if looked_at < deadline => continue,
                Err(_) => return count(&self.shared.counters.tcp_timeouts),
            };
            heard = Instant::now();
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
                // Answers enough are under way when there is no room for this one.
                Frame::Ping => {
                    // What the core has said and not flushed goes with it.
                    if let Ok(written) = self.line.send(PONG.to_vec()).and_then(|_| self.line.flush()) {
                        add(&self.shared.counters.tcp_sent, written);
                    }
                    count(&self.shared.counters.tcp_keep_alives);
                }
                Frame::Pong => hand_over(self.shared, self.link, self.flow, PONG.to_vec()).await,
                Frame::Message(message) => {
                    hand_over(self.shared, self.link, self.flow, message.to_vec()).await
                }
            }
        }
        Ok(())
    }
}

/// Gives a message to the core, as soon as it has room.
pub(super) async fn hand_over(shared: &Shared, link: Link, flow: FlowId, bytes: Vec<u8>) {
    count(&shared.counters.tcp_received);
    let Link { transport, local, peer } = link;
    let packet = InboundPacket { transport, local, source: peer, flow: Some(flow), bytes };
    shared.inbox.put(Inbound::Packet(packet)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_gathered_and_no_more() {
        let (sender, mut queue) = mpsc::channel(4);
        for size in [GATHERED_MAX - 2, 1, 7] {
            sender.try_send(vec![b'x'; size]).expect("there is room");
        }
        let first = queue.try_recv().expect("queued");
        let (bytes, messages) = gathered(first, &mut queue);
        assert_eq!(
            (bytes.len(), messages),
            (GATHERED_MAX + 6, 3),
            "one byte less than the maximum is not enough"
        );
        sender.try_send(vec![b'x'; GATHERED_MAX]).expect("there is room");
        sender.try_send(vec![b'x']).expect("there is room");
        let first = queue.try_recv().expect("queued");
        assert_eq!(gathered(first, &mut queue).1, 1);
    }
}
