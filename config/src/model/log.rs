//! How to log.

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least level that is written.
    pub level: LogLevel,
    /// One line of text, or one JSON object, an event.
    pub format: LogFormat,
}

/// Log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Failures that need somebody.
    Error,
    /// Also what may need somebody.
    Warn,
    /// Also each call's start, answer and end.
    Info,
    /// Also decisions.
    Debug,
    /// Everything.
    Trace,
}

/// Log formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}
