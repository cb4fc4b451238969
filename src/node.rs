//! One running node: its threads, sockets and store, wired together.
//!
//! ```text
//! UDP, streams (tokio) ─► inbox ─┐                 ┌──► transports
//! media threads ──► event rings ─┼─► core thread ──┼──► command rings
//! orders (reload, drain, …) ─────┘   Switch<…>     ├──► store's queue
//!                                                  └──► picture, for HTTP
//! ```

mod call_log;
mod changes;
mod clock;
mod core;
mod files;
mod picture;
pub(crate) mod recorder;
mod recording_orders;
pub(crate) mod wiring;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SysRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tandem_api::{ApiError, Server};
use tandem_control::ContactCentre;
use tandem_media_net::sys::{Urgency, make_current_thread_realtime};
use tandem_media_net::{DtlsIdentity, MediaHandle, MediaThreads, MediaThreadsConfig};
use tandem_sbc::UserAgent;
use tandem_sbc::user_agent::Fingerprint;
use tandem_sbc_net::{Bell, BindError, FilterState, Inbox, Resolver, Transports, Wake};
use tandem_store::{Closed, Store, StoreError};
use tandem_switch::{Ledger, Switch};
use tandem_time::Instant;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle as TaskHandle;

use self::call_log::CallLog;
pub(crate) use self::changes::Changes;
use self::clock::Clock;
use self::core::{Core, MediaLink, Order, Reload};
pub(crate) use self::core::{Seen, Tap, Way};
use self::picture::{Kept, NodeStatus, Picture};
use self::recorder::{KeptRecordings, Recorder};
use crate::configuration::Loaded;
use crate::speech::Speaker;

/// SIP messages that may wait for the core; more are dropped, as a busy network would.
const INBOX_CAPACITY: usize = 16_384;
/// Orders that may wait for the core.
const ORDER_CAPACITY: usize = 16;
/// How long a failing disk is given to take the last records when the node stops.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

/// Why a node does not start. The operator's to mend, each says how.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The HTTP address.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The store's file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A SIP address.
    #[error("{0}; free it, or change sip.listen")]
    Sip(#[from] BindError),
    /// The contact centre.
    #[error("{0}")]
    ContactCentre(tandem_control::ConfigError),
    /// Threads, or what they need.
    #[error("cannot start {what}: {source}")]
    Thread {
        /// Which.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// A running node. Stop it with [`Node::stop`].
pub(crate) struct Node {
    orders: SyncSender<Order>,
    core: JoinHandle<(Store, Recorder)>,
    bell: Arc<Bell>,
    media: MediaThreads,
    transports: Arc<Transports>,
    resolver: Arc<Resolver>,
    picture: watch::Receiver<Arc<Picture>>,
    api: TaskHandle<std::io::Result<()>>,
    stop_api: oneshot::Sender<()>,
    loaded: Loaded,
    /// What media threads show in handshakes, for as long as they run.
    certificate: Option<Fingerprint>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("node_name", &self.loaded.config.node_name).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts everything `loaded` says, on the tokio runtime this is called on. When something cannot be had,
    /// nothing is left running.
    pub(crate) async fn start(loaded: Loaded, tap: Option<Tap>) -> Result<Self, StartError> {
        let clock = Clock::start();
        let config = &loaded.config;
        let server = Server::bind(config.http_listen).await?;
        let (bell, wake) = wake_up()?;
        let (inbox, inbox_reader) = Inbox::new(INBOX_CAPACITY, Arc::clone(&wake));
        let (transports, datagrams) = Transports::bind(&wiring::transports(config, &loaded.tls), &inbox)?;
        let transports = Arc::new(transports);
        tell_about_filter(&transports.filter());
        let resolver = Arc::new(Resolver::new(&wiring::dns(config), &inbox));
        let speaker = start_speaker(config, &wake)?;
        let (recorder, recordings) = start_recorder(config, clock, &wake)?;
        let store = Store::open(&config.store_path, &config.node_name, clock.dates())?;
        let kept = Kept { counters: store.counters(), path: config.store_path.clone() };

        let (identity, certificate) = dtls_identity()?;
        let mut rng = seeded()?;
        let switch_config = wiring::switch(config, wiring::media_threads(config).0);
        files::make_room(switch_config.max_endpoints());
        let media = media_threads_config(config, &switch_config, (identity, rng.random()), clock, wake);
        let (media, handles) = start_media(&media)?;
        let switch = switch(&loaded, switch_config, certificate, &mut rng)?;
        let (orders, orders_received) = sync_channel(ORDER_CAPACITY);
        let first = Arc::new(Picture::of(&switch, Vec::new(), Instant::START, false));
        let (show, picture) = watch::channel(first);
        let core = Core {
            clock,
            switch,
            datagrams,
            inbox: inbox_reader,
            bell: Arc::clone(&bell),
            media: handles.into_iter().map(MediaLink::new).collect(),
            transports: Arc::clone(&transports),
            resolver: Arc::clone(&resolver),
            speaker,
            recorder,
            store,
            orders: orders_received,
            picture: show,
            picture_due: Instant::START,
            draining: false,
            tap,
        };
        let core = start_core(core, config.sip.realtime)?;
        let status = NodeStatus {
            media_io: media.io().clone(),
            started: clock.epoch(),
            picture: picture.clone(),
            transports: Arc::clone(&transports),
            store: kept,
            recordings,
            orders: orders.clone(),
            bell: Arc::clone(&bell),
        };
        let (stop_api, api) = start_api(server, status);
        Ok(Self {
            orders,
            core,
            bell,
            media,
            transports,
            resolver,
            picture,
            api,
            stop_api,
            loaded,
            certificate,
        })
    }

    /// Takes what may change of `loaded` while calls are up; says what changed, and what waits for a restart.
    pub(crate) fn reload(&mut self, mut loaded: Loaded) -> Changes {
        let changes = Changes::between(&self.loaded, &loaded);
        Changes::keep_what_needs_a_restart(&self.loaded.config, &mut loaded.config);
        let (threads, _) = wiring::media_threads(&loaded.config);
        let reload = Reload {
            switch: wiring::switch(&loaded.config, threads),
            user_agent: Arc::new(wiring::user_agent(&loaded.config, &loaded.rules, self.certificate)),
            prompts: loaded.prompts.clone(),
            contact_centre: loaded.contact_centre.clone(),
            speech: loaded.config.speech.clone(),
            recording: loaded.config.recording.clone(),
        };
        self.order(Order::Reload(Box::new(reload)));
        match self.transports.reload(&wiring::transports(&loaded.config, &loaded.tls)) {
            Ok(filter) => tell_about_filter(&filter),
            Err(error) => tracing::error!(%error, "the SIP transports go on as they were"),
        }
        self.resolver.reload(&wiring::dns(&loaded.config));
        self.loaded = loaded;
        changes
    }

    /// Takes no new calls from now on.
    pub(crate) fn drain(&self) {
        self.order(Order::Drain);
    }

    /// Ends every call there is.
    pub(crate) fn hang_up(&self) {
        self.order(Order::HangUp);
    }

    /// Waits until a draining node has no call left.
    pub(crate) async fn drained(&self) {
        let mut picture = self.picture.clone();
        // An error is a core that is gone, and its calls with it.
        let _ = picture.wait_for(Picture::is_drained).await;
    }

    /// Calls without a record yet.
    pub(crate) fn calls(&self) -> u64 {
        self.picture.borrow().calls()
    }

    /// What is in use, as it was a moment ago.
    pub(crate) fn ledger(&self) -> Ledger {
        self.picture.borrow().ledger()
    }

    /// Whether the core and the media threads do their work.
    pub(crate) fn is_well(&self) -> bool {
        self.picture.borrow().is_fresh() && self.media.all_running()
    }

    /// What it was told at the last start or reload.
    pub(crate) const fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Ends everything; calls still up are lost, records are not.
    pub(crate) async fn stop(self) -> Closed {
        self.order(Order::Stop);
        let Self { core, mut media, api, stop_api, transports, .. } = self;
        let ending = tokio::task::spawn_blocking(move || {
            let ended = core.join();
            media.stop();
            let closed = ended.map(|(store, recorder)| {
                recorder.stop();
                store.close(STORE_PATIENCE)
            });
            drop(transports);
            closed
        });
        // The server is gone when nobody listens to this any more.
        let _ = stop_api.send(());
        match ending.await {
            Ok(Ok(closed)) => {
                // A client that does not read its answer is not waited for.
                api.abort();
                closed
            }
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    fn order(&self, order: Order) {
        // A core that is gone, or too stuck to take orders, shows in `is_well`.
        if self.orders.try_send(order).is_err() {
            tracing::error!("the signalling core takes no orders");
        }
        self.bell.ring();
    }
}

/// What wakes the core, and a way to ring it for those who need not know what it is.
fn wake_up() -> Result<(Arc<Bell>, Wake), StartError> {
    let bell = Bell::new().map_err(|source| StartError::Thread { what: "the core's bell", source })?;
    let bell = Arc::new(bell);
    let rung = Arc::clone(&bell);
    Ok((bell, Arc::new(move || rung.ring())))
}

fn start_speaker(config: &tandem_config::Config, wake: &Wake) -> Result<Speaker, StartError> {
    let started = Speaker::start(config.speech.as_ref(), wake);
    started.map_err(|source| StartError::Thread { what: "the speakers", source })
}

/// Who writes recordings, and what there is of them.
fn start_recorder(
    config: &tandem_config::Config,
    clock: Clock,
    wake: &Wake,
) -> Result<(Recorder, Option<KeptRecordings>), StartError> {
    let recorder = Recorder::start(config.recording.as_ref(), clock.dates(), wake)
        .map_err(|source| StartError::Thread { what: "the recorder", source })?;
    let kept = recorder.kept();
    Ok((recorder, kept))
}

/// What media threads show in handshakes, and what peers are told to look for.
fn dtls_identity() -> Result<(DtlsIdentity, Option<Fingerprint>), StartError> {
    let identity = DtlsIdentity::generate()
        .map_err(|source| StartError::Thread { what: "a certificate for DTLS", source })?;
    let fingerprint = Fingerprint(identity.fingerprint().0);
    Ok((identity, Some(fingerprint)))
}

fn media_threads_config(
    config: &tandem_config::Config,
    switch: &tandem_switch::SwitchConfig,
    (identity, seed): (DtlsIdentity, [u8; 32]),
    clock: Clock,
    wake: Wake,
) -> MediaThreadsConfig {
    let (threads, pin_to) = wiring::media_threads(config);
    MediaThreadsConfig {
        threads,
        pin_to,
        realtime: config.rtp.realtime,
        io: wiring::media_io(config),
        other_address: config.rtp.other_address,
        max_endpoints: switch.max_endpoints(),
        seed,
        epoch: clock.epoch(),
        wake,
        dtls: Some(identity),
    }
}

fn start_media(config: &MediaThreadsConfig) -> Result<(MediaThreads, Vec<MediaHandle>), StartError> {
    let started = MediaThreads::start(config);
    let (threads, handles) =
        started.map_err(|source| StartError::Thread { what: "the media threads", source })?;
    let used = threads.io();
    tracing::info!(io = %used.io, reason = used.reason, "media threads have started");
    Ok((threads, handles))
}

/// The switch with its control plane, and without calls.
fn switch(
    loaded: &Loaded,
    config: tandem_switch::SwitchConfig,
    certificate: Option<Fingerprint>,
    rng: &mut ChaCha8Rng,
) -> Result<Switch<CallLog<ContactCentre>>, StartError> {
    let centre = ContactCentre::new(loaded.contact_centre.clone()).map_err(StartError::ContactCentre)?;
    let user_agent = UserAgent::new(
        Arc::new(wiring::user_agent(&loaded.config, &loaded.rules, certificate)),
        ChaCha8Rng::from_rng(rng),
    );
    Ok(Switch::new(config, user_agent, CallLog::new(centre), loaded.prompts.clone()))
}

/// A generator seeded by the system.
fn seeded() -> Result<ChaCha8Rng, StartError> {
    ChaCha8Rng::try_from_rng(&mut SysRng).map_err(|error| StartError::Thread {
        what: "the random generator",
        source: std::io::Error::other(error),
    })
}

/// The server runs until it is told to stop, or until nobody is left to tell it.
fn start_api(server: Server, status: NodeStatus) -> (oneshot::Sender<()>, TaskHandle<std::io::Result<()>>) {
    let (stop, stopped) = oneshot::channel();
    let serving = server.run(Arc::new(status), async {
        let _ = stopped.await;
    });
    (stop, tokio::spawn(serving))
}

fn start_core(core: Core, realtime: bool) -> Result<JoinHandle<(Store, Recorder)>, StartError> {
    let run = move || {
        if realtime && let Err(error) = make_current_thread_realtime(Urgency::Signalling) {
            tracing::info!(%error, "signalling runs in the usual class: others on its core can make it late");
        }
        core.run()
    };
    std::thread::Builder::new()
        .name("tandem-core".into())
        .spawn(run)
        .map_err(|source| StartError::Thread { what: "the signalling core", source })
}

fn tell_about_filter(filter: &FilterState) {
    match filter {
        FilterState::On { instructions } => tracing::debug!(instructions, "the kernel filters SIP sources"),
        // A failure has been told by the transports.
        FilterState::Off | FilterState::Failed(_) => {}
    }
}
