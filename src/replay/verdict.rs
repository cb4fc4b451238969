//! What is to be said about a capture: for people, and for machines.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use tandem_control_api::{CallFact, CallId, CallRecord, LegRecord};

use super::audio::StreamWatch;
use super::packet::Skipped;
use super::player::Played;
use super::witness::Witness;

/// Legs shorter than this may well be silent.
const SHORTEST_TALK: Duration = Duration::from_secs(1);
/// Streams as long as this have something to be heard in them.
const LONG_SILENCE_MS: u64 = 5_000;
/// Loss beyond this is heard (ITU-T G.113: G.711 without concealment).
const MAX_LOSS_PERCENT: u64 = 1;

/// The verdict. Times are milliseconds since the first packet of the capture.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// What was read and played.
    packets: Packets,
    /// Calls that ended, in the order they did.
    calls: Vec<Call>,
    /// Calls that were still up at the end of the capture.
    calls_up: u64,
    /// RTP streams of the parties.
    streams: Vec<Stream>,
    /// RTP streams to them.
    sent: Vec<Stream>,
    /// What is wrong, one sentence each. Empty when all is well.
    problems: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Packets {
    sip: u64,
    media: u64,
    media_without_port: u64,
    foreign: u64,
    broken_streams: u64,
    skipped: Skipped,
}

#[derive(Debug, PartialEq, Serialize)]
struct Call {
    from: String,
    dialled: String,
    offered_ms: u64,
    answered_ms: Option<u64>,
    ended_ms: u64,
    ended_by: String,
    status: u16,
    cause: String,
    queue: Option<String>,
    agent: Option<String>,
    digits: String,
}

/// One direction of a party's media.
#[derive(Debug, PartialEq, Serialize)]
struct Stream {
    /// The party.
    party: String,
    /// The port of the node.
    port: u16,
    payload_type: u8,
    packets: u64,
    lost: u64,
    jitter_us: u32,
    jitter_max_us: u32,
    /// By loss and jitter.
    mos: Option<f32>,
    /// Telephone-events.
    keys: u32,
    /// How much of it was decoded.
    heard_ms: u64,
    silent_percent: u8,
}

impl Verdict {
    pub(super) fn of(played: &Played, skipped: Skipped, witness: &Witness) -> Self {
        let counts = played.counts;
        let streams = played.streams.iter().map(|((party, port), watch)| Stream::of(*party, *port, watch));
        let sent = played.sent.iter().map(|((port, party), watch)| Stream::of(*party, *port, watch));
        Self {
            packets: Packets {
                sip: counts.sip,
                media: counts.media,
                media_without_port: counts.media_without_port,
                foreign: counts.foreign,
                broken_streams: counts.broken_streams,
                skipped,
            },
            calls: played.node.records().iter().map(|it| Call::of(it, witness)).collect(),
            calls_up: played.node.calls_up(),
            streams: streams.collect(),
            sent: sent.collect(),
            problems: problems(played),
        }
    }

    /// Whether nothing is wrong.
    pub(super) const fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Stream {
    fn of(party: SocketAddr, port: u16, watch: &StreamWatch) -> Self {
        Self {
            party: party.to_string(),
            port,
            payload_type: watch.payload_type,
            packets: watch.packets,
            lost: watch.reception.lost(),
            jitter_us: watch.reception.jitter_us(),
            jitter_max_us: watch.reception.jitter_max_us(),
            mos: watch.mos(),
            keys: watch.keys(),
            heard_ms: watch.heard_ms(),
            silent_percent: watch.silent_percent(),
        }
    }
}

impl fmt::Display for Stream {
    /// What of it is to be heard.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mos) = self.mos {
            write!(f, "MOS {mos:.1}, ")?;
        }
        match self.heard_ms {
            0 => write!(f, "not decoded")?,
            ms => {
                write!(f, "{:.1} s to be heard, {} % of it silent", ms as f64 / 1_000.0, self.silent_percent)?
            }
        }
        if self.keys > 0 { write!(f, ", {} keys", self.keys) } else { Ok(()) }
    }
}

impl Call {
    fn of(record: &CallRecord, witness: &Witness) -> Self {
        let ms = |at: tandem_time::Instant| at.as_millis();
        let last = |wanted: fn(&CallFact) -> Option<&str>| {
            record.timeline.iter().rev().find_map(|entry| wanted(&entry.fact)).map(str::to_owned)
        };
        Self {
            from: record.from.number.clone(),
            dialled: record.dialled.clone(),
            offered_ms: ms(record.offered),
            answered_ms: record.answered.map(ms),
            ended_ms: ms(record.ended),
            ended_by: format!("{:?}", record.end.by).to_lowercase(),
            status: record.end.status,
            cause: record.end.cause.clone(),
            queue: last(|fact| match fact {
                CallFact::QueueEntered { queue } => Some(queue),
                _ => None,
            }),
            agent: last(|fact| match fact {
                CallFact::AgentAnswered { agent } => Some(agent),
                _ => None,
            }),
            digits: witness.digits(record.id).to_owned(),
        }
    }
}

fn problems(played: &Played) -> Vec<String> {
    let mut problems = Vec::new();
    if played.counts.sip + played.counts.media == 0 {
        problems.push(
            "nothing in it came to this node: is it the configuration of the node that was captured?"
                .to_owned(),
        );
    }
    for fault in &played.parse_errors {
        let at = fault.at.as_secs_f64();
        problems.push(format!("{at:.3}: unreadable SIP from {}: {}", fault.source, fault.error));
    }
    problems.extend(played.unanswered.iter().map(|request| format!("no final answer to {request}")));
    for record in played.node.records() {
        problems.extend(record.legs.iter().flat_map(|leg| one_way(record.id, leg)));
    }
    let came =
        played.streams.iter().map(|((party, port), watch)| (watch, format!("from {party} to port {port}")));
    let went =
        played.sent.iter().map(|((port, party), watch)| (watch, format!("from port {port} to {party}")));
    problems.extend(came.chain(went).filter_map(|(watch, way)| silence(watch, &way)));
    problems.extend(played.missing.iter().map(|said| format!("no longer said: {said}")));
    problems.extend(played.added.iter().map(|said| format!("said in addition: {said}")));
    for ((source, port), watch) in &played.streams {
        let (lost, expected) = (watch.reception.lost(), watch.reception.expected());
        if lost.saturating_mul(100) > expected.saturating_mul(MAX_LOSS_PERCENT) {
            problems.push(format!("loss: {lost} of {expected} packets from {source} to port {port}"));
        }
    }
    if played.counts.too_late > 0 {
        let packets = played.counts.too_late;
        problems
            .push(format!("{packets} packets are dated more than a day after the first and were not played"));
    }
    if played.counts.broken_streams > 0 {
        problems.push(format!("bytes are missing of {} TCP streams", played.counts.broken_streams));
    }
    problems
}

fn one_way(call: CallId, leg: &LegRecord) -> Option<String> {
    let media = leg.media.as_ref()?;
    if leg.ended - leg.answered? < SHORTEST_TALK {
        return None;
    }
    let party = &leg.party;
    match (media.packets_received, media.packets_sent) {
        (0, 0) => Some(format!("no audio: {call}, {party}")),
        (0, _) => Some(format!("one-way audio: {call}, nothing came from {party}")),
        (_, 0) => Some(format!("one-way audio: {call}, nothing was sent to {party}")),
        _ => None,
    }
}

/// Packets come, and nothing is to be heard in them: a dead microphone, or a codec that is not what was agreed.
fn silence(watch: &StreamWatch, way: &str) -> Option<String> {
    let heard_ms = watch.heard_ms();
    let is_silent = heard_ms >= LONG_SILENCE_MS && watch.silent_percent() >= 99;
    is_silent.then(|| format!("silence: nothing is to be heard {way} in {} s", heard_ms / 1_000))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packets = &self.packets;
        let skipped = packets.skipped;
        writeln!(f, "packets: {} SIP, {} media, {} foreign", packets.sip, packets.media, packets.foreign)?;
        if packets.media_without_port > 0 {
            writeln!(
                f,
                "         {} media packets for a port that was not open",
                packets.media_without_port
            )?;
        }
        if skipped != Skipped::default() {
            writeln!(
                f,
                "skipped: {} of other link types, {} malformed, {} IP fragments, {} of other protocols",
                skipped.link_types, skipped.malformed, skipped.ip_fragments, skipped.other_protocols
            )?;
        }
        for call in &self.calls {
            write!(f, "call:    {} to {}, ", or_withheld(&call.from), call.dialled)?;
            match call.answered_ms {
                Some(answered) => write!(f, "answered for {} ms", call.ended_ms.saturating_sub(answered))?,
                None => write!(f, "not answered")?,
            }
            write!(f, ", ended by {}: {} ({})", call.ended_by, call.cause, call.status)?;
            for (what, value) in [("queue", &call.queue), ("agent", &call.agent)] {
                if let Some(value) = value {
                    write!(f, ", {what} {value}")?;
                }
            }
            let digits = if call.digits.is_empty() { "none" } else { &call.digits };
            writeln!(f, ", digits {digits}")?;
        }
        if self.calls_up > 0 {
            writeln!(f, "calls:   {} still up at the end of the capture", self.calls_up)?;
        }
        for stream in &self.streams {
            writeln!(
                f,
                "stream:  {} to port {}, payload type {}: {} packets, {} lost, jitter {} µs, at most {} µs",
                stream.party,
                stream.port,
                stream.payload_type,
                stream.packets,
                stream.lost,
                stream.jitter_us,
                stream.jitter_max_us
            )?;
            writeln!(f, "         {stream}")?;
        }
        for stream in &self.sent {
            let Stream { party, port, payload_type, packets, .. } = stream;
            writeln!(
                f,
                "sent:    port {port} to {party}, payload type {payload_type}: {packets} packets, {stream}"
            )?;
        }
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        writeln!(f, "verdict: {}", if self.is_clean() { "all is well" } else { "there are problems" })
    }
}

fn or_withheld(number: &str) -> &str {
    if number.is_empty() { "(withheld)" } else { number }
}
