//! The server and its routes.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use tokio::net::TcpListener;

use crate::Metric;
use crate::listener::{BoundedListener, MAX_CONNECTIONS};
use crate::metric::exposition;
use crate::recordings::{record, recording, recordings, recordings_of_call, recordings_of_day};

/// Where the picture of the node comes from. Everything must answer at once.
pub trait Status: Send + Sync + 'static {
    /// Whether calls are taken.
    fn health(&self) -> Health;
    /// Every metric.
    fn metrics(&self) -> Vec<Metric>;
    /// The destinations of trunks that are asked whether they are there.
    fn destinations(&self) -> Vec<Destination>;
    /// Our registrations with carriers.
    fn registrations(&self) -> Vec<Registration>;
    /// The sources that are not heard, the one that will be first at the front.
    fn bans(&self) -> Vec<BannedSource>;
    /// Has a source heard again.
    fn unban(&self, address: IpAddr) -> Unban;
    /// The recordings that are wanted, by what is said beside each; nothing on a node that keeps none. Reads from disk, as
    /// the next.
    fn recordings(&self, wanted: RecordingsWanted<'_>) -> Recordings;
    /// A recording, by the day whose folder it is in and its file's name, whatever those say. Reads from disk, too.
    fn recording(&self, day: &str, file: &str) -> Recording;
    /// Begins, pauses, resumes or ends the recording of a call that is up, by its identifier in logs or a SIP Call-ID. Asked
    /// on a thread that may wait.
    fn record(&self, call: &str, action: RecordingAction) -> RecordingStanding;
    /// The record of a call, by its identifier in logs, its row, or a SIP Call-ID. Reads from disk: asked on a thread that
    /// may wait.
    fn call(&self, name: &str) -> Recorded;
}

/// What is kept of a call that has ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// All of it, and its quality over time as SVG.
    Found {
        /// All of it.
        call: serde_json::Value,
        /// The plot.
        quality_svg: String,
    },
    /// There is no such call.
    Unknown,
    /// The store cannot be read.
    Unreadable,
}

/// Which recordings are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingsWanted<'a> {
    /// The latest of all.
    All,
    /// Those of a day: `2031-08-04`.
    Day(&'a str),
    /// Those of a call, by its identifier in logs, its row, or a SIP Call-ID.
    Call(&'a str),
}

/// The recordings that there are.
#[derive(Clone, Debug, PartialEq)]
pub enum Recordings {
    /// A list, the latest first.
    Listed(serde_json::Value),
    /// The node keeps none.
    NotKept,
    /// The disk does not say.
    Unreadable,
}

/// A recording's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// It is whole.
    Finished {
        /// Where it is.
        path: PathBuf,
        /// What it is, as HTTP names it.
        media_type: &'static str,
    },
    /// It goes on.
    Running,
    /// There is none of that name.
    Unknown,
    /// The node keeps none.
    NotKept,
}

/// What is to become of the recording of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingAction {
    /// It begins.
    Begin,
    /// Nothing is kept until it goes on.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    End,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingStanding {
    /// It is done: `running`, `paused` or `none` is how it stands now.
    Done(&'static str),
    /// There is no such call, or it is over.
    UnknownCall,
    /// The call is in no state for it, or the node keeps no recordings.
    Refused(String),
    /// As many calls are recorded as may be, or the core takes no orders at the moment.
    Busy(String),
}

/// A source that is not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BannedSource {
    /// Its address, or the first of its network.
    pub address: IpAddr,
    /// How many bits of it count.
    pub bits: u8,
    /// Why.
    pub reason: &'static str,
    /// For how long already.
    pub since: Duration,
    /// For how long still.
    pub left: Duration,
    /// Which of its bans this is, 1 for the first.
    pub times: u32,
    /// Whether phones that are registered there are heard on.
    pub spares_registered_phones: bool,
}

/// A destination of a trunk that is asked whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The trunk.
    pub trunk: String,
    /// Transport and address.
    pub destination: String,
    /// Whether calls go there.
    pub is_up: bool,
    /// For how long already.
    pub since: Duration,
    /// How often that has changed.
    pub changes: u64,
}

/// A registration of ours with a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The trunk.
    pub trunk: String,
    /// What is registered.
    pub aor: String,
    /// Whether the carrier has it.
    pub is_registered: bool,
    /// For how long that is so.
    pub since: Duration,
    /// The last final status; 0 when there was no answer.
    pub status: u16,
}

/// What became of the wish to hear a source again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unban {
    /// It will be, within a moment.
    Ordered,
    /// It is not banned.
    NotBanned,
    /// The core takes no orders at the moment.
    Busy,
}

/// Whether calls are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// How the node is.
    pub readiness: Readiness,
    /// The version that runs.
    pub version: &'static str,
    /// Since when.
    pub uptime: Duration,
    /// Calls up.
    pub calls: usize,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It takes calls.
    Ready,
    /// It finishes the calls it has and takes no more.
    Draining,
    /// The signalling core has not been heard of for too long.
    Stalled,
}

/// The API cannot be served. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for HTTP: {source}; free it, or change http.listen")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A bound server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// Binds `address`.
    ///
    /// # Errors
    /// When it is taken or not ours.
    pub async fn bind(address: SocketAddr) -> Result<Self, ApiError> {
        let listener =
            TcpListener::bind(address).await.map_err(|source| ApiError::Bind { address, source })?;
        Ok(Self { listener })
    }

    /// Serves until `stop` is done; requests under way are finished.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn run(
        self,
        status: Arc<dyn Status>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let listener = BoundedListener::new(self.listener, MAX_CONNECTIONS);
        axum::serve(listener, router(status)).with_graceful_shutdown(stop).await
    }
}

fn router(status: Arc<dyn Status>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/destinations", get(destinations))
        .route("/registrations", get(registrations))
        .route("/bans", get(bans))
        .route("/bans/{address}", delete(unban))
        .route("/recordings", get(recordings))
        .route("/recordings/{day}", get(recordings_of_day))
        .route("/recordings/{day}/{file}", get(recording))
        .route("/calls/{call}", get(call))
        .route("/calls/{call}/recordings", get(recordings_of_call))
        .route("/calls/{call}/recording/{action}", post(record))
        .route("/calls/{call}/quality.svg", get(quality_svg))
        .with_state(status)
}

/// The destinations that are asked whether they are there, as a list.
async fn destinations(State(status): State<Arc<dyn Status>>) -> Response {
    let destinations = status.destinations();
    let listed = destinations.iter().map(|it| {
        serde_json::json!({
            "trunk": it.trunk,
            "destination": it.destination,
            "up": it.is_up,
            "since_s": it.since.as_secs(),
            "changes": it.changes,
        })
    });
    Json(serde_json::Value::from_iter(listed)).into_response()
}

/// Our registrations with carriers, as a list.
async fn registrations(State(status): State<Arc<dyn Status>>) -> Response {
    let registrations = status.registrations();
    let listed = registrations.iter().map(|it| {
        serde_json::json!({
            "trunk": it.trunk,
            "aor": it.aor,
            "registered": it.is_registered,
            "since_s": it.since.as_secs(),
            "status": it.status,
        })
    });
    Json(serde_json::Value::from_iter(listed)).into_response()
}

/// The bans in force, as a list.
async fn bans(State(status): State<Arc<dyn Status>>) -> Response {
    let bans = status.bans();
    let listed = bans.iter().map(|ban| {
        let whole = if ban.address.is_ipv4() { 32 } else { 128 };
        let address = match ban.bits {
            bits if bits == whole => ban.address.to_string(),
            bits => format!("{}/{bits}", ban.address),
        };
        serde_json::json!({
            "address": address,
            "reason": ban.reason,
            "since_s": ban.since.as_secs(),
            "left_s": ban.left.as_secs(),
            "times": ban.times,
            "spares_registered_phones": ban.spares_registered_phones,
        })
    });
    Json(serde_json::Value::from_iter(listed)).into_response()
}

/// 202 when the ban of the address, or of its network, is about to end.
async fn unban(State(status): State<Arc<dyn Status>>, Path(address): Path<String>) -> Response {
    let Ok(address) = address.parse::<IpAddr>() else {
        let said = format!("{address:?} is no IP address");
        return (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "error": said }))).into_response();
    };
    let (code, error) = match status.unban(address) {
        Unban::Ordered => return StatusCode::ACCEPTED.into_response(),
        Unban::NotBanned => (StatusCode::NOT_FOUND, format!("{address} is not banned")),
        Unban::Busy => (StatusCode::SERVICE_UNAVAILABLE, "try again in a moment".to_owned()),
    };
    (code, Json(serde_json::json!({ "error": error }))).into_response()
}

/// A call that has ended.
async fn call(State(status): State<Arc<dyn Status>>, Path(name): Path<String>) -> Response {
    match recorded(status, name).await {
        Ok((call, _)) => Json(call).into_response(),
        Err(refused) => refused,
    }
}

/// How it was to be heard over time.
async fn quality_svg(State(status): State<Arc<dyn Status>>, Path(name): Path<String>) -> Response {
    match recorded(status, name).await {
        Ok((_, svg)) => ([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response(),
        Err(refused) => refused,
    }
}

async fn recorded(status: Arc<dyn Status>, name: String) -> Result<(serde_json::Value, String), Response> {
    let asked = name.clone();
    let found = tokio::task::spawn_blocking(move || status.call(&asked)).await;
    let (code, error) = match found {
        Ok(Recorded::Found { call, quality_svg }) => return Ok((call, quality_svg)),
        Ok(Recorded::Unknown) => (StatusCode::NOT_FOUND, format!("there is no record of a call {name:?}")),
        Ok(Recorded::Unreadable) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read".to_owned())
        }
    };
    Err((code, Json(serde_json::json!({ "error": error }))).into_response())
}

/// 200 while calls are taken, else 503, so that a load balancer needs to read no further.
async fn healthz(State(status): State<Arc<dyn Status>>) -> Response {
    let health = status.health();
    let (code, word) = match health.readiness {
        Readiness::Ready => (StatusCode::OK, "ok"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        Readiness::Stalled => (StatusCode::SERVICE_UNAVAILABLE, "stalled"),
    };
    let body = serde_json::json!({
        "status": word,
        "version": health.version,
        "uptime_s": health.uptime.as_secs(),
        "calls": health.calls,
    });
    (code, Json(body)).into_response()
}

async fn metrics(State(status): State<Arc<dyn Status>>) -> Response {
    match exposition(status.metrics()) {
        Ok(text) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
