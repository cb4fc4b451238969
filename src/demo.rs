//! `tandem demo`: the node on real sockets with built-in phones around it, every number tried, and a verdict.
//!
//! The phones are `tandem-phone`'s, which shares no code with the node. What they heard decides, not what the node
//! says of itself; its records are then held against that.

mod cast;
mod ladder;
mod paint;
mod scenes;
mod verdict;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use tandem_config::{Log, LogFormat, LogLevel};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use self::cast::Cast;
use self::ladder::Ladder;
use self::paint::Paint;
use self::verdict::Verdict;
use crate::configuration::Loaded;
use crate::logging;
use crate::node::{Node, Seen};

/// The demo's configuration, seen from the repository.
pub(crate) const DEFAULT_CONFIG: &str = "config/demo/tandem.toml";

/// SIP messages that may wait to be printed.
const TAP_CAPACITY: usize = 4_096;

/// Runs the demo on the configuration at `path`; afterwards the node stays when it is to be kept.
pub(crate) fn demo(path: &Path, keep: bool) -> ExitCode {
    match run(path, keep) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything held.
fn run(path: &Path, keep: bool) -> Result<bool, String> {
    if !path.is_file() {
        let path = path.display();
        return Err(format!(
            "{path} is not here; run from the repository's folder, or name it with --config"
        ));
    }
    let loaded = Loaded::read(path).map_err(|error| error.to_string())?;
    // The ladder is what there is to see; RUST_LOG shows more.
    logging::start(Log { level: LogLevel::Warn, format: LogFormat::Text });
    let runtime = Runtime::new().map_err(|error| format!("cannot start threads: {error}"))?;
    let cast = Cast::of(&loaded.config)?;
    let paint = Paint::for_output();
    let (tap, seen) = sync_channel::<Seen>(TAP_CAPACITY);
    let began = Instant::now();
    let store = loaded.config.store_path.clone();
    let node = runtime.block_on(Node::start(loaded, Some(tap))).map_err(|error| error.to_string())?;

    let ladder = Arc::new(Ladder::begin(paint, cast.carrier_lifeline(), cast.agent_lifeline()));
    let printer = {
        let ladder = Arc::clone(&ladder);
        thread::spawn(move || seen.iter().for_each(|message| ladder.message(&message)))
    };
    let mut verdict = Verdict::new(paint);
    scenes::play(
        &scenes::Stage { runtime: &runtime, cast: &cast, ladder: &ladder, node: &node, store: &store },
        &mut verdict,
    );
    let held = verdict.print(began.elapsed());
    if keep {
        cast.invite_guests();
        runtime.block_on(interrupted());
    }
    let closed = runtime.block_on(async {
        node.drain();
        node.hang_up();
        // Guests who are still on the line get a record too.
        let _ = timeout(scenes::PATIENCE, node.drained()).await;
        node.stop().await
    });
    // The node is gone, and the tap with it: the printer has printed all there was.
    let _ = printer.join();
    Ok(held && closed.lost == 0)
}

async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
