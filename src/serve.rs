//! `tandem serve`: a node until it is told to stop.

use std::future::pending;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::configuration::{Loaded, tls};
use crate::logging;
use crate::node::Node;

/// How long calls that were hung up may take to say so.
const HANG_UP_PATIENCE: Duration = Duration::from_secs(2);

/// How often the certificates' dates are looked at.
const DATES_EVERY: Duration = Duration::from_secs(86_400);

/// Runs a node on the configuration at `path`.
pub(crate) fn serve(path: &Path) -> ExitCode {
    let loaded = match Loaded::read(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    logging::start(loaded.config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome =
        runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(run(path, loaded)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(path: &Path, loaded: Loaded) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| format!("cannot listen to signals: {error}"))?;
    let mut node = Node::start(loaded, None).await.map_err(|error| error.to_string())?;
    tell(&[NotifyState::Ready]);
    let config = &node.loaded().config;
    tracing::info!(node = %config.node_name, config = %path.display(), http = %config.http_listen, "ready");

    let mut watchdog = Watchdog::new();
    let mut dates = interval(DATES_EVERY);
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Reload => reload(&mut node, path),
                Asked::Stop => break,
            },
            () = watchdog.due() => watchdog.pet(&node),
            _ = dates.tick() => warn_of_dates(node.loaded()),
        }
    }
    tell(&[NotifyState::Stopping]);
    drain(&node, &mut signals, &mut watchdog).await;
    let closed = node.stop().await;
    tracing::info!(records = closed.written, "stopped");
    match closed.lost {
        0 => Ok(()),
        lost => Err(format!("{lost} call records could not be written")),
    }
}

/// Takes no new calls, waits for those there are, hangs up the last ones; a second signal makes it short.
async fn drain(node: &Node, signals: &mut Signals, watchdog: &mut Watchdog) {
    let patience = node.loaded().config.drain_timeout;
    node.drain();
    tracing::info!(timeout_s = patience.as_secs(), "draining");
    if !wait_drained(node, patience, signals, watchdog).await {
        tracing::warn!("hanging up the calls that are left");
        node.hang_up();
        wait_drained(node, HANG_UP_PATIENCE, signals, watchdog).await;
    }
}

/// Whether the last call ended in time, and nobody asked for haste.
async fn wait_drained(
    node: &Node,
    patience: Duration,
    signals: &mut Signals,
    watchdog: &mut Watchdog,
) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        tokio::select! {
            () = node.drained() => return true,
            () = sleep_until(deadline) => return false,
            asked = signals.next() => match asked {
                // What is about to end needs no new configuration.
                Asked::Reload => {}
                Asked::Stop => return false,
            },
            () = watchdog.due() => watchdog.pet(node),
        }
    }
}

fn reload(node: &mut Node, path: &Path) {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
    let loaded =
        Loaded::read(path).and_then(|new| new.without_expired_news(node.loaded(), SystemTime::now()));
    match loaded {
        Ok(loaded) => {
            tracing::info!("reloaded: {}", node.reload(loaded));
            warn_of_dates(node.loaded());
        }
        Err(error) => {
            for mistake in error.to_string().lines() {
                tracing::error!("not reloaded: {mistake}");
            }
        }
    }
    tell(&[NotifyState::Ready]);
}

/// A certificate goes bad by itself, and with it every connection that is to come.
fn warn_of_dates(loaded: &Loaded) {
    let (expired, expiring) = tls::out_of_date(&loaded.config, &loaded.tls, SystemTime::now());
    for warning in expired.iter().chain(&expiring) {
        tracing::warn!("{warning}");
    }
}

/// Tells the service manager, if there is one.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
        }
    }
}

/// What a signal asks for.
enum Asked {
    Reload,
    Stop,
}

/// Tells the service manager twice in its interval that the node is well; says nothing when it is not.
struct Watchdog(Option<tokio::time::Interval>);

impl Watchdog {
    fn new() -> Self {
        Self(sd_notify::watchdog_enabled().filter(|period| !period.is_zero()).map(|period| {
            let mut ticks = interval(period / 2);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    async fn due(&mut self) {
        match &mut self.0 {
            Some(ticks) => drop(ticks.tick().await),
            None => pending().await,
        }
    }

    fn pet(&self, node: &Node) {
        if node.is_well() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}
