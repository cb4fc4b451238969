//! Reads records back.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row};

use crate::StoreError;
use crate::quality::{self, StoredPoint};

/// The most calls one reading returns.
const MAX_CALLS: u32 = 10_000;

/// A store opened for reading, beside whoever writes it.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    connection: Connection,
}

/// A call as stored. Dates are UTC, ISO 8601.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCall {
    /// Its row, growing with time.
    pub id: i64,
    /// The identifier in logs.
    pub call: String,
    /// The trunk's or user's name.
    pub origin: String,
    /// Who called; empty when withheld.
    pub from: String,
    /// What was dialled.
    pub dialled: String,
    /// Whether the caller wanted not to be known.
    pub from_withheld: bool,
    /// Who had sent it on before it came to us; empty when that one wanted not to be known.
    pub redirected_by: Option<String>,
    /// Why it had been sent on.
    pub redirect_reason: Option<String>,
    /// When it was offered.
    pub started: String,
    /// When the caller was answered.
    pub answered: Option<String>,
    /// When it ended.
    pub ended: String,
    /// From start to end.
    pub duration_ms: i64,
    /// Who ended the caller's leg: `party`, `control` or `switch`.
    pub end_side: String,
    /// Why.
    pub end_cause: String,
    /// The final SIP status.
    pub end_status: u16,
    /// The first flow.
    pub flow: Option<String>,
    /// The last queue.
    pub queue: Option<String>,
    /// In queues, all together.
    pub wait_ms: i64,
    /// The last agent who answered.
    pub agent: Option<String>,
    /// With agents, all together.
    pub talk_ms: i64,
    /// The legs, the caller's first.
    pub legs: Vec<StoredLeg>,
    /// What happened, in order.
    pub timeline: Vec<StoredFact>,
}

/// A leg as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredLeg {
    /// `inbound` or `outbound`.
    pub direction: String,
    /// The other party.
    pub party: String,
    /// The SIP Call-ID.
    pub sip_call_id: String,
    /// What it was called from end to end (Session-ID), if either side said.
    pub session_id: Option<String>,
    /// When it began.
    pub started: String,
    /// When it was answered.
    pub answered: Option<String>,
    /// When it ended.
    pub ended: String,
    /// Who ended it.
    pub end_side: String,
    /// The final SIP status.
    pub end_status: u16,
    /// The codec, if media was agreed.
    pub codec: Option<String>,
    /// RTP packets accepted from the party.
    pub packets_received: i64,
    /// RTP packets sent to the party.
    pub packets_sent: i64,
    /// Packets of the party that never came.
    pub packets_lost: i64,
    /// Interarrival jitter, microseconds.
    pub jitter_us: i64,
    /// What the party lost of ours by its last report, in percent.
    pub remote_loss_percent: Option<f64>,
    /// Interarrival jitter of ours by its last report, microseconds.
    pub remote_jitter_us: Option<i64>,
    /// There and back, microseconds.
    pub round_trip_us: Option<i64>,
    /// Estimated listening quality of what the party sent.
    pub mos: Option<f64>,
    /// The same of what it was sent.
    pub remote_mos: Option<f64>,
    /// Both over time.
    pub quality: Vec<StoredPoint>,
    /// Digits received.
    pub digits_received: i64,
    /// Which way its media went: `anchored` or `direct`.
    pub media_path: String,
    /// Why its party ended it, if it said: `Q.850;cause=17`.
    pub reason: Option<String>,
}

/// An entry of the timeline as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFact {
    /// When.
    pub at: String,
    /// `flow-started`, `flow-step`, `queue-entered`, `agent-answered`, …
    pub kind: String,
    /// The flow, activity, variable, queue or agent.
    pub subject: String,
    /// The exit, value or reason.
    pub detail: Option<String>,
}

impl Archive {
    /// Opens the store at `path`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Database { path: path.to_owned(), source };
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// The row of the newest call; 0 when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn newest(&self) -> Result<i64, StoreError> {
        self.connection
            .query_row("SELECT coalesce(max(id), 0) FROM calls", [], |row| row.get(0))
            .map_err(|source| self.failed(source))
    }

    /// The calls whose row is greater than `after`, the oldest first; 10,000 at most.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn calls_after(&self, after: i64) -> Result<Vec<StoredCall>, StoreError> {
        self.read_calls(after).map_err(|source| self.failed(source))
    }

    /// The latest call that a name is of: its row, its identifier in logs, or the SIP Call-ID of one of its legs.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn call_named(&self, name: &str) -> Result<Option<StoredCall>, StoreError> {
        self.read_named(name).map_err(|source| self.failed(source))
    }

    fn read_named(&self, name: &str) -> rusqlite::Result<Option<StoredCall>> {
        let row: Option<i64> = self.connection.query_row(
            "SELECT max(id) FROM calls WHERE id = ?2 OR call = ?1 \
             OR id IN (SELECT call_id FROM legs WHERE sip_call_id = ?1)",
            (name, name.parse::<i64>().ok()),
            |row| row.get(0),
        )?;
        let Some(row) = row else { return Ok(None) };
        let read = self.connection.query_row("SELECT * FROM calls WHERE id = ?1", [row], read_call);
        let mut call = read?;
        self.complete(&mut call)?;
        Ok(Some(call))
    }

    fn read_calls(&self, after: i64) -> rusqlite::Result<Vec<StoredCall>> {
        let mut calls = self
            .connection
            .prepare_cached("SELECT * FROM calls WHERE id > ?1 ORDER BY id LIMIT ?2")?
            .query_map((after, MAX_CALLS), read_call)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        calls.iter_mut().try_for_each(|call| self.complete(call))?;
        Ok(calls)
    }

    /// Adds a call's legs and timeline.
    fn complete(&self, call: &mut StoredCall) -> rusqlite::Result<()> {
        call.legs = self
            .connection
            .prepare_cached("SELECT * FROM legs WHERE call_id = ?1 ORDER BY position")?
            .query_map([call.id], read_leg)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        call.timeline = self
            .connection
            .prepare_cached("SELECT * FROM timeline WHERE call_id = ?1 ORDER BY position")?
            .query_map([call.id], read_fact)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(())
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), source }
    }
}

fn read_call(row: &Row<'_>) -> rusqlite::Result<StoredCall> {
    Ok(StoredCall {
        id: row.get("id")?,
        call: row.get("call")?,
        origin: row.get("origin")?,
        from: row.get("from_number")?,
        dialled: row.get("dialled")?,
        from_withheld: row.get("from_withheld")?,
        redirected_by: row.get("redirected_by")?,
        redirect_reason: row.get("redirect_reason")?,
        started: row.get("started")?,
        answered: row.get("answered")?,
        ended: row.get("ended")?,
        duration_ms: row.get("duration_ms")?,
        end_side: row.get("end_side")?,
        end_cause: row.get("end_cause")?,
        end_status: row.get("end_status")?,
        flow: row.get("flow")?,
        queue: row.get("queue")?,
        wait_ms: row.get("wait_ms")?,
        agent: row.get("agent")?,
        talk_ms: row.get("talk_ms")?,
        legs: Vec::new(),
        timeline: Vec::new(),
    })
}

fn read_leg(row: &Row<'_>) -> rusqlite::Result<StoredLeg> {
    let count = |column: &str| row.get::<_, Option<i64>>(column).map(Option::unwrap_or_default);
    Ok(StoredLeg {
        direction: row.get("direction")?,
        party: row.get("party")?,
        sip_call_id: row.get("sip_call_id")?,
        session_id: row.get("session_id")?,
        started: row.get("started")?,
        answered: row.get("answered")?,
        ended: row.get("ended")?,
        end_side: row.get("end_side")?,
        end_status: row.get("end_status")?,
        codec: row.get("codec")?,
        packets_received: count("packets_received")?,
        packets_sent: count("packets_sent")?,
        packets_lost: count("packets_lost")?,
        jitter_us: count("jitter_us")?,
        remote_loss_percent: row.get("remote_loss_percent")?,
        remote_jitter_us: row.get("remote_jitter_us")?,
        round_trip_us: row.get("round_trip_us")?,
        mos: row.get("mos")?,
        remote_mos: row.get("remote_mos")?,
        quality: quality::read(row.get::<_, Option<String>>("quality")?.as_deref()),
        digits_received: count("digits_received")?,
        media_path: row.get("media_path")?,
        reason: row.get("reason")?,
    })
}

fn read_fact(row: &Row<'_>) -> rusqlite::Result<StoredFact> {
    Ok(StoredFact {
        at: row.get("at")?,
        kind: row.get("kind")?,
        subject: row.get("subject")?,
        detail: row.get("detail")?,
    })
}
