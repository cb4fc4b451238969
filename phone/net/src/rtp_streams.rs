//! Thousands of RTP streams on a few sockets, for load: one thread sends every packet in its time and checks all that
//! comes.
//!
//! Many streams leave from one socket, as those of a carrier's gateway do not, but the node cannot tell: that makes
//! batches of system calls, so that the generator costs less than what it measures. Packets are told apart by where
//! they come from, which is another port for each stream.
//!
//! Owner thread: one of its own; the owner of [`RtpStreams`]
//! only opens streams and reads totals.

mod batch;
mod engine;

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tandem_phone::measured::{Counts, Histogram, MeasuredStream};

use self::engine::{Engine, Sockets};

/// Things asked and not yet done; who asks for more waits.
const MAX_ASKED: usize = 1_024;

/// Names a stream.
pub type StreamId = u32;

enum Asked {
    Open(StreamId, Box<MeasuredStream>),
    Close(StreamId),
    /// Everybody is there.
    Settle,
    /// No packet leaves any more.
    Hush,
    Stop,
}

/// What all streams counted so far.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Of all streams together.
    pub counts: Counts,
    /// How long packets took, or how late they were; see [`MeasuredStream::hear`].
    pub delays: Histogram,
    /// How much later than due packets were sent: what the generator itself adds.
    pub late: Histogram,
    /// Packets the kernel did not take.
    pub not_sent: u64,
    /// Packets of no stream.
    pub strays: u64,
    /// RTCP packets that came.
    pub reports: u64,
}

impl Totals {
    /// These and those.
    pub fn add(&mut self, more: &Self) {
        self.counts.add(&more.counts);
        self.delays.add(&more.delays);
        self.late.add(&more.late);
        self.not_sent += more.not_sent;
        self.strays += more.strays;
        self.reports += more.reports;
    }
}

/// The streams.
pub struct RtpStreams {
    ask: SyncSender<Asked>,
    fresh: Arc<Mutex<Totals>>,
    thread: Option<JoinHandle<Vec<(StreamId, Counts)>>>,
}

impl RtpStreams {
    /// Binds these addresses, RTP, and the ports after them, RTCP.
    ///
    /// # Errors
    /// When one is taken, or there is no thread.
    pub fn start(locals: &[SocketAddr]) -> io::Result<Self> {
        let (ask, asked) = sync_channel(MAX_ASKED);
        let fresh = Arc::new(Mutex::new(Totals::default()));
        let (sockets, told) = (Sockets::bind(locals)?, Arc::clone(&fresh));
        let thread = std::thread::Builder::new()
            .name("streams".to_owned())
            .spawn(move || Engine::new(sockets, asked, told).run())?;
        Ok(Self { ask, fresh, thread: Some(thread) })
    }

    /// A stream begins; it must be at one of the addresses.
    pub fn open(&self, id: StreamId, stream: MeasuredStream) {
        self.ask(Asked::Open(id, Box::new(stream)));
    }

    /// A stream ends; what it counted stays in the totals.
    pub fn close(&self, id: StreamId) {
        self.ask(Asked::Close(id));
    }

    /// Everybody is there who is to be heard: from now on whoever is not is missed.
    pub fn settle(&self) {
        self.ask(Asked::Settle);
    }

    /// No packet leaves any more; those that come are counted.
    pub fn hush(&self) {
        self.ask(Asked::Hush);
    }

    /// What was counted since this was asked last.
    #[must_use]
    pub fn take_totals(&self) -> Totals {
        std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends it; what each open stream counted.
    #[must_use]
    pub fn finish(mut self) -> Vec<(StreamId, Counts)> {
        self.ask(Asked::Stop);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }

    fn ask(&self, what: Asked) {
        if let Err(TrySendError::Full(what)) = self.ask.try_send(what) {
            // The thread looks at it every half millisecond, or has gone.
            let _ = self.ask.send(what);
        }
    }
}

impl Drop for RtpStreams {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.ask(Asked::Stop);
            // Nobody asks any more what it counted.
            let _ = thread.join();
        }
    }
}
