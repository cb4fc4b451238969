//! Starting and stopping media threads, and the handles by which the signalling core talks to them.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst, fence};
use std::thread::JoinHandle;
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use ringbuf::traits::{Consumer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use tandem_media::{Command, Event, Worker};

use crate::counters::{Counters, add_shared};
use crate::handshakes::{DtlsIdentity, Handshakes};
use crate::io::{self, IoChoice, IoInUse};
use crate::sys::{SendRing, WakeFd};
use crate::thread::MediaThread;

/// Commands, and events, that may wait between the core and one media thread.
pub const RING_CAPACITY: usize = 1024;

/// The most media threads.
pub const MAX_THREADS: usize = 256;

/// Called on a media thread after it has put events into its ring: tells the core's thread to look. Must be quick
/// and must not block, for instance [`std::thread::Thread::unpark`].
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// How media threads are started.
#[derive(Clone)]
pub struct MediaThreadsConfig {
    /// How many threads, 1 to [`MAX_THREADS`].
    pub threads: usize,
    /// The cores they are pinned to, one after the other, from the start again when there are more threads. Empty:
    /// not pinned. A core that cannot be had is logged and not fatal.
    pub pin_to: Vec<usize>,
    /// Whether packets go before whatever else runs on those cores (SCHED_RR), as far as the process may ask for it.
    /// A refusal is logged and not fatal.
    pub realtime: bool,
    /// Our address of the other family than that of the endpoints' own: each is there too, at the same ports.
    pub other_address: Option<IpAddr>,
    /// How packets are given to the kernel.
    pub io: IoChoice,
    /// Endpoints a thread can hold; also the bound of [`tandem_media::EndpointId`]'s `index`.
    pub max_endpoints: usize,
    /// Where SSRCs and first sequence numbers come from. Random in production.
    pub seed: [u8; 32],
    /// The instant that [`tandem_time::Instant::START`] stands for; the whole node has one.
    pub epoch: Instant,
    /// Tells the core's thread that there are events.
    pub wake: Wake,
    /// What is shown in DTLS handshakes; without it there are none, and who asks for one gets no media.
    pub dtls: Option<DtlsIdentity>,
}

impl fmt::Debug for MediaThreadsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaThreadsConfig")
            .field("threads", &self.threads)
            .field("pin_to", &self.pin_to)
            .field("realtime", &self.realtime)
            .field("io", &self.io)
            .field("max_endpoints", &self.max_endpoints)
            .finish_non_exhaustive()
    }
}

/// The running threads. Dropping it stops them.
#[derive(Debug)]
pub struct MediaThreads {
    running: Vec<Running>,
    io: IoInUse,
}

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    /// Taken when the thread is joined.
    join: Option<JoinHandle<()>>,
}

/// What the threads on both ends of the rings see.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Set by the media thread before it waits: a command must then be followed by a wake-up.
    pub(crate) sleeping: AtomicBool,
    pub(crate) stop: AtomicBool,
    pub(crate) wake: WakeFd,
    pub(crate) counters: Counters,
}

/// The core's ends of one media thread's rings.
pub struct MediaHandle {
    commands: HeapProd<Command>,
    events: HeapCons<Event>,
    shared: Arc<Shared>,
}

/// The command ring is full, or the thread is gone. Here is the command back.
#[derive(Debug, thiserror::Error)]
#[error("the media thread's command ring is full")]
pub struct RingFull(pub Command);

impl MediaThreads {
    /// Starts the threads and gives a handle to each.
    ///
    /// # Errors
    /// When `threads` is out of range, the process has no thread or descriptor left, or io_uring is asked for and
    /// cannot be had.
    pub fn start(config: &MediaThreadsConfig) -> std::io::Result<(Self, Vec<MediaHandle>)> {
        if config.threads == 0 || config.threads > MAX_THREADS {
            return Err(Error::new(ErrorKind::InvalidInput, "media threads out of range"));
        }
        let (io, mut rings) = io::choose(config.io, config.threads)?;
        let mut threads = Self { running: Vec::with_capacity(config.threads), io };
        let mut handles = Vec::with_capacity(config.threads);
        for index in 0..config.threads {
            let (running, handle) = start_one(config, index, rings.pop())?;
            threads.running.push(running);
            handles.push(handle);
        }
        Ok((threads, handles))
    }

    /// How packets are given to the kernel, and why so.
    #[must_use]
    pub fn io(&self) -> &IoInUse {
        &self.io
    }

    /// Each thread's totals.
    pub fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.running.iter().map(|running| &running.shared.counters)
    }

    /// Whether every thread still runs: false after [`MediaThreads::stop`], or when one has failed.
    #[must_use]
    pub fn all_running(&self) -> bool {
        self.running.iter().all(|running| running.join.as_ref().is_some_and(|join| !join.is_finished()))
    }

    /// Stops the threads, closes their sockets and waits for their end. Events not yet read are lost.
    pub fn stop(&mut self) {
        for running in &self.running {
            running.shared.stop.store(true, SeqCst);
            running.shared.wake.signal();
        }
        for running in &mut self.running {
            if let Some(join) = running.join.take()
                && join.join().is_err()
            {
                tracing::error!("a media thread had panicked");
            }
        }
    }
}

impl Drop for MediaThreads {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_one(
    config: &MediaThreadsConfig,
    index: usize,
    ring: Option<SendRing>,
) -> std::io::Result<(Running, MediaHandle)> {
    let (commands_in, commands_out) = HeapRb::new(RING_CAPACITY).split();
    let (events_in, events_out) = HeapRb::new(RING_CAPACITY).split();
    let shared = Arc::new(Shared {
        sleeping: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        wake: WakeFd::new()?,
        counters: Counters::default(),
    });
    let mut rng = ChaCha8Rng::from_seed(config.seed);
    rng.set_stream(index as u64);
    let worker = Worker::new(rng, config.max_endpoints);
    let handshakes = match &config.dtls {
        Some(identity) => Some(Handshakes::start(identity, Arc::clone(&shared), format!("dtls-{index}"))?),
        None => None,
    };
    let rings = (commands_out, events_in);
    let thread = MediaThread::new(worker, rings, Arc::clone(&shared), handshakes, ring, config)?;
    let pin_to = config.pin_to.get(index.checked_rem(config.pin_to.len()).unwrap_or(0)).copied();
    let join =
        std::thread::Builder::new().name(format!("media-{index}")).spawn(move || thread.run(pin_to))?;
    let running = Running { shared: Arc::clone(&shared), join: Some(join) };
    Ok((running, MediaHandle { commands: commands_in, events: events_out, shared }))
}

impl MediaHandle {
    /// Hands a command to the thread. Never blocks.
    ///
    /// # Errors
    /// When the ring is full; counted. Read events, then try again: a thread whose events are not read takes no
    /// commands.
    #[expect(clippy::result_large_err, reason = "the command goes back by value, as std's channels do it")]
    pub fn send(&mut self, command: Command) -> Result<(), RingFull> {
        if let Err(command) = self.commands.try_push(command) {
            add_shared(&self.shared.counters.command_ring_full, 1);
            return Err(RingFull(command));
        }
        // Pairs with the fence in `MediaThread::wait`: either we see that it sleeps, or it sees the command.
        fence(SeqCst);
        if self.shared.sleeping.load(Relaxed) && self.shared.sleeping.swap(false, Relaxed) {
            self.shared.wake.signal();
        }
        Ok(())
    }

    /// The next event, if any. Never blocks.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.try_pop()
    }

    /// The thread's totals.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

impl fmt::Debug for MediaHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaHandle").finish_non_exhaustive()
    }
}
