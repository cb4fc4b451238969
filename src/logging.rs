//! Logs to standard error: text for people or JSON for machines.

use std::io::IsTerminal;

use tandem_config::{Log, LogFormat, LogLevel};
use tracing_subscriber::EnvFilter;

/// Starts logging as configured; `RUST_LOG` overrides the level.
pub(crate) fn start(log: Log) {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let to = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => to.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
        LogFormat::Json => to.json().flatten_event(true).init(),
    }
}
