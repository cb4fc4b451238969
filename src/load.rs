//! `tandem load`: calls, registrations and floods at a rate, against a node that is measured from outside.
//!
//! The traffic is `tandem-phone`'s, which shares no code with the node. New calls begin when they are due, whether or
//! not the node keeps up (an open loop); how late they began is told, so that a generator that is too slow cannot pass
//! for a node that is fast.
//!
//! Owner thread: the main one runs the traffic, another waits for Ctrl-C.

mod arguments;
mod calls;
mod cost;
mod media;
mod own_node;
mod pace;
mod parties;
mod percentiles;
mod plot;
mod process;
mod questions;
mod registrations;
mod run;
mod scenario;
mod summary;
mod tally;
mod users;
mod voices;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};

pub(crate) use self::arguments::Arguments;
use self::arguments::Plan;
use self::own_node::OwnNode;
use self::run::Run;
use self::summary::Summary;

/// Does what is asked: 0 when every threshold held, 1 when one was broken or nothing went well, 2 when nothing could
/// be done.
pub(crate) fn load(arguments: Arguments) -> ExitCode {
    if arguments.asks_for_list() {
        print!("{}", scenario::list());
        return ExitCode::SUCCESS;
    }
    match arguments.plan().and_then(run) {
        Ok(summary) if summary.passed => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(mut plan: Plan) -> Result<Summary, String> {
    let node = plan.start.then(|| OwnNode::start(&mut plan)).transpose();
    // It goes when everything has been told.
    let _node = node.map_err(|error| format!("cannot start a node: {error}"))?;
    let plan = &plan;
    let interrupted = Arc::new(AtomicUsize::new(0));
    watch_for_interruptions(Arc::clone(&interrupted))
        .map_err(|error| format!("cannot listen to signals: {error}"))?;
    let run = Run::new(plan, &interrupted).map_err(|error| error.to_string())?;
    let summary = run.go().map_err(|error| error.to_string())?;
    print!("{}", summary.text());
    if let Some(path) = &plan.json {
        let json = serde_json::to_string_pretty(&summary).map_err(|error| error.to_string())?;
        write(path, &json)?;
    }
    if let Some(path) = &plan.svg {
        write(path, &plot::draw(&summary))?;
    }
    Ok(summary)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Counts Ctrl-C and SIGTERM on a thread of its own, which ends with the process.
fn watch_for_interruptions(interrupted: Arc<AtomicUsize>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _context = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                interrupted.fetch_add(1, Ordering::Relaxed);
            }
        });
    })?;
    Ok(())
}
