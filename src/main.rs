//! The Tandem daemon and its command line.

mod configuration;
mod demo;
mod explain;
mod load;
mod logging;
mod node;
mod quality_plot;
mod replay;
mod rules;
mod scale;
mod serve;
mod speech;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Parser, Subcommand};

use crate::configuration::{Loaded, tls};

/// A call asks for memory three hundred times: glibc's own allocator takes a tenth of the processor time of signalling more.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Voice edge and contact centre: SIP trunks in, agents on the line.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the node until it is told to stop: SIGTERM drains, a second one ends at once, SIGHUP re-reads the
    /// configuration.
    Serve {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Checks a configuration with its flows and prompts; prints every mistake, or one line when there is none.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Runs a SIP message (`-` is standard input) through a trunk's rules and shows what each changes.
        #[arg(long, value_name = "MESSAGE-FILE")]
        rules: Option<PathBuf>,
        /// The trunk whose rules they are; may be left out when one trunk only has some.
        #[arg(long, requires = "rules", value_name = "NAME")]
        trunk: Option<String>,
        /// Whether the message comes from the trunk or leaves to it.
        #[arg(long, requires = "rules", value_enum, default_value = "in")]
        direction: rules::TrialDirection,
    },
    /// Runs a node with built-in phones on loopback: a carrier's call reaches an agent, every number of the demo is
    /// tried, and what was heard is verified.
    Demo {
        /// The configuration file.
        #[arg(long, value_name = "FILE", default_value = demo::DEFAULT_CONFIG)]
        config: PathBuf,
        /// Leaves the node running afterwards.
        #[arg(long)]
        keep: bool,
    },
    /// Plays what came to a node in a capture into a new one in virtual time; prints the ladder and a verdict, the
    /// same ones every time. Ends with 1 when there are problems, with 2 when nothing could be replayed.
    Replay(replay::Arguments),
    /// Tells a call of the store: its legs, what happened, and how it was to be heard in either direction.
    Explain(explain::Arguments),
    /// Places calls on a node, or registers, or floods it, at a rate; says how long each step took and what failed.
    Load(Box<load::Arguments>),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config } => serve::serve(&config),
        Command::Demo { config, keep } => demo::demo(&config, keep),
        Command::Check { config, rules: None, .. } => match Loaded::read(&config) {
            Ok(loaded) => check_dates(&config, &loaded),
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Command::Check { config, rules: Some(message), trunk, direction } => {
            match rules::try_rules(&config, &message, trunk.as_deref(), direction) {
                Ok(trial) => {
                    println!("{trial}");
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::FAILURE
                }
            }
        }
        Command::Load(arguments) => load::load(*arguments),
        Command::Explain(arguments) => match explain::explain(&arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Command::Replay(arguments) => match replay::replay(&arguments) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
        },
    }
}

/// The last check: certificates go bad by themselves.
fn check_dates(file: &Path, loaded: &Loaded) -> ExitCode {
    let (expired, expiring) = tls::out_of_date(&loaded.config, &loaded.tls, SystemTime::now());
    for warning in expired.iter().chain(&expiring) {
        eprintln!("{}: {warning}", file.display());
    }
    if !expired.is_empty() {
        return ExitCode::FAILURE;
    }
    println!("{}: ok: {}", file.display(), loaded.summary());
    ExitCode::SUCCESS
}
