//! What the core's thread and a connection's task share of the connection: what is to be sent, and the stream itself.
//!
//! The core's thread writes by itself as long as the peer reads, since waking a task for it costs more than writing does.
//! What the peer has no room for waits for the task. The lock is held for one read or write that does not wait.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsStream;

use super::CONNECTION_QUEUE;

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
}

/// The stream of a connection that stands, unless something is on top of it.
#[derive(Debug)]
struct Direct {
    stream: SipStream,
    /// Messages the task has yet to write, which come first.
    waiting: usize,
}

/// How a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Written.
    Now,
    /// Left to the task.
    Queued,
    /// Not at all: too much waits already.
    Overflow,
}

impl Line {
    /// One that does not stand yet, and what waits for it.
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<Vec<u8>>) {
        let (queue, waiting) = mpsc::channel(CONNECTION_QUEUE);
        (Arc::new(Self { queue, direct: Mutex::new(None) }), waiting)
    }

    /// Writes a message, or leaves it, or what is left of it, to the task.
    pub(super) fn send(&self, bytes: Vec<u8>) -> Sent {
        let mut direct = self.lock();
        let rest = match direct.as_mut() {
            Some(direct) if direct.waiting == 0 => match direct.stream.write_now(bytes) {
                None => return Sent::Now,
                Some(rest) => rest,
            },
            _ => bytes,
        };
        if self.queue.try_send(rest).is_err() {
            return Sent::Overflow;
        }
        if let Some(direct) = direct.as_mut() {
            direct.waiting += 1;
        }
        Sent::Queued
    }

    /// From now on the core's thread may write to `stream`.
    pub(super) fn stands(&self, stream: SipStream) {
        let mut direct = self.lock();
        let waiting = self.queue.max_capacity() - self.queue.capacity();
        *direct = Some(Direct { stream, waiting });
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
