//! What the core's thread and a connection's task share of the connection: what is to be sent, and the stream itself.
//!
//! The core's thread writes by itself as long as the peer reads, since waking a task for it costs more than writing does.
//! What it says in one go is written at once: a message costs neither a system call nor a record of TLS (RFC 8446 §5.1) of
//! its own. What the peer has no room for waits for the task. The lock is held for one read or write that does not wait.

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsStream;

use super::{CONNECTION_QUEUE, GATHERED_MAX};

/// A stream that carries SIP as it is.
#[derive(Debug)]
pub(super) enum SipStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection as its senders see it, whether it stands already or not.
#[derive(Debug)]
pub(super) struct Line {
    queue: mpsc::Sender<Vec<u8>>,
    direct: Mutex<Option<Direct>>,
    /// How long the peer may say nothing, in milliseconds.
    patience_ms: AtomicU64,
}

/// The stream of a connection that stands, unless something is on top of it.
#[derive(Debug)]
struct Direct {
    stream: SipStream,
    gathered: Gathered,
    /// Messages the task has yet to write, which come first.
    waiting: usize,
}

/// Messages to be written at once.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    messages: u64,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is the first that waits for [`Line::flush`].
    First,
    /// It waits with those before it.
    Waits,
    /// So much waits now that it is to be flushed at once.
    Full,
}

/// Too much waits already for the peer to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Line {
    /// One that does not stand yet, and what waits for it.
    pub(super) fn new(patience: Duration) -> (Arc<Self>, mpsc::Receiver<Vec<u8>>) {
        let (queue, waiting) = mpsc::channel(CONNECTION_QUEUE);
        let line = Self { queue, direct: Mutex::new(None), patience_ms: AtomicU64::default() };
        line.bear_with(patience);
        (Arc::new(line), waiting)
    }

    /// The peer may say nothing for so long from now on.
    pub(super) fn bear_with(&self, patience: Duration) {
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.patience_ms.store(patience_ms, Relaxed);
    }

    /// How long the peer may say nothing.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.load(Relaxed))
    }

    /// Takes a message: for the next flush, or for the task when it has to write others first.
    pub(super) fn send(&self, bytes: Vec<u8>) -> Result<Sent, Overflow> {
        match self.lock().as_mut() {
            Some(direct) if direct.waiting == 0 => Ok(direct.gathered.push(bytes)),
            Some(direct) => self.leave(direct, bytes).map(|()| Sent::Waits),
            None => self.queue.try_send(bytes).map(|()| Sent::Waits).map_err(|_| Overflow),
        }
    }

    /// Writes what was sent, and leaves to the task what the peer has no room for; how many messages are written.
    pub(super) fn flush(&self) -> Result<u64, Overflow> {
        let mut direct = self.lock();
        let Some(direct) = direct.as_mut() else { return Ok(0) };
        let Gathered { bytes, messages } = mem::take(&mut direct.gathered);
        if messages == 0 {
            return Ok(0);
        }
        match direct.stream.write_now(bytes) {
            None => Ok(messages),
            // The task counts what it writes as one.
            Some(rest) => self.leave(direct, rest).map(|()| messages - 1),
        }
    }

    fn leave(&self, direct: &mut Direct, bytes: Vec<u8>) -> Result<(), Overflow> {
        self.queue.try_send(bytes).map_err(|_| Overflow)?;
        direct.waiting += 1;
        Ok(())
    }

    /// From now on the core's thread may write to `stream`.
    pub(super) fn stands(&self, stream: SipStream) {
        let mut direct = self.lock();
        let waiting = self.queue.max_capacity() - self.queue.capacity();
        *direct = Some(Direct { stream, gathered: Gathered::default(), waiting });
    }

    /// The task has written so many messages.
    pub(super) fn written(&self, messages: usize) {
        if let Some(direct) = self.lock().as_mut() {
            direct.waiting = direct.waiting.saturating_sub(messages);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Direct>> {
        self.direct.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll<T>(&self, poll: impl FnOnce(Pin<&mut SipStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match self.lock().as_mut() {
            Some(direct) => poll(Pin::new(&mut direct.stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Gathered {
    fn push(&mut self, message: Vec<u8>) -> Sent {
        self.messages += 1;
        if self.bytes.is_empty() {
            self.bytes = message;
        } else {
            self.bytes.extend_from_slice(&message);
        }
        match self.bytes.len() {
            GATHERED_MAX.. => Sent::Full,
            _ if self.messages == 1 => Sent::First,
            _ => Sent::Waits,
        }
    }
}

/// The task's hold on the stream, to read from it and to write to it.
#[derive(Clone, Debug)]
pub(super) struct Half(pub(super) Arc<Line>);

impl AsyncRead for Half {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll(|stream| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Half {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll(|stream| stream.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(|stream| stream.poll_shutdown(context))
    }
}

impl SipStream {
    /// What the peer has no room for now; nothing of it when it is an error, which the task will meet too.
    fn write_now(&mut self, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        // The task does not write now, so that nobody else waits for room.
        let mut nobody = Context::from_waker(Waker::noop());
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *self).poll_write(&mut nobody, rest) {
                Poll::Ready(Ok(len)) if len > 0 => written += len,
                Poll::Ready(_) | Poll::Pending => return Some(bytes.split_off(written)),
            }
        }
        // TLS may keep what TCP has no room for.
        match Pin::new(self).poll_flush(&mut nobody) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(_)) | Poll::Pending => Some(Vec::new()),
        }
    }
}

impl AsyncRead for SipStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for SipStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_gathered_and_no_more() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.push(vec![b'x'; GATHERED_MAX - 2]), Sent::First);
        assert_eq!(gathered.push(vec![b'x']), Sent::Waits, "one byte less than the maximum is not enough");
        assert_eq!(gathered.push(vec![b'x']), Sent::Full);
    }
}
