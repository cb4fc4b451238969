//! HTTP: `GET /healthz`, `GET /metrics`, `GET /destinations`, `GET /registrations`, `GET /bans`, `DELETE /bans/ADDRESS`,
//! `GET /recordings`, `GET /recordings/DAY`, `GET /recordings/DAY/FILE`, `GET /calls/CALL`, `GET /calls/CALL/quality.svg`,
//! `GET /calls/CALL/recordings` and `POST /calls/CALL/recording/ACTION`.
//!
//! Runs as a task of the shell. It asks a [`Status`] for a picture that the signalling core left behind; it must
//! never wait for the core, nor the core for it.

mod listener;
mod metric;
mod recordings;
mod server;

pub use metric::{Kind, Metric, Sample};
pub use server::{
    ApiError, BannedSource, Destination, Health, Readiness, Recorded, Recording, RecordingAction,
    RecordingStanding, Recordings, RecordingsWanted, Registration, Server, Status, Unban,
};
