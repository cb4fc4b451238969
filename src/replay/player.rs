//! Plays what came to the captured node into the replayed one, at the times it came.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tandem_media::rtp;
use tandem_sbc::message::{HeaderIndex, HeaderName, Message};
use tandem_sbc::user_agent::{FlowId, Packet, Transport};
use tandem_time::Instant;

use super::audio::StreamWatch;
use super::correspondence::{Correspondence, describe, label};
use super::ladder::Ladder;
use super::node::{MediaSent, Node, Sent};
use super::traffic::{Arrival, ArrivalKind, Traffic};
use super::transactions::Transactions;
use crate::configuration::Loaded;

/// How long the node is watched after the last packet.
const AFTERMATH: Duration = Duration::from_secs(1);
/// Deadlines that may pass at one instant; more would be a machine that does not move.
const MAX_TURNS: usize = 10_000;
/// Faults of one kind that are kept.
const MAX_FAULTS: usize = 1_000;
/// How much of a UUID the ladder shows.
const SHORT_UUID: usize = 8;

/// Everything that was seen.
pub(super) struct Played {
    pub(super) node: Node,
    pub(super) ladder: Ladder,
    pub(super) streams: BTreeMap<(SocketAddr, u16), StreamWatch>,
    /// What the node has sent, from which port and to whom.
    pub(super) sent: BTreeMap<(u16, SocketAddr), StreamWatch>,
    pub(super) parse_errors: Vec<ParseFault>,
    pub(super) unanswered: Vec<String>,
    pub(super) missing: Vec<String>,
    pub(super) added: Vec<String>,
    pub(super) counts: Counts,
}

/// What was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sip: u64,
    pub(super) media: u64,
    /// Media for a port that the replayed node did not have at that time.
    pub(super) media_without_port: u64,
    pub(super) foreign: u64,
    pub(super) too_late: u64,
    pub(super) broken_streams: u64,
}

/// A message that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParseFault {
    pub(super) at: Duration,
    pub(super) source: SocketAddr,
    pub(super) error: String,
}

/// How a message came.
struct Way {
    transport: Transport,
    local: SocketAddr,
    source: SocketAddr,
    flow: Option<FlowId>,
}

/// The replay under way.
pub(super) struct Player<'a> {
    loaded: &'a Loaded,
    correspondence: Correspondence,
    transactions: Transactions,
    played: Played,
}

impl<'a> Player<'a> {
    pub(super) fn new(loaded: &'a Loaded, node: Node) -> Self {
        Self {
            loaded,
            correspondence: Correspondence::default(),
            transactions: Transactions::default(),
            played: Played {
                node,
                ladder: Ladder::new(&loaded.config),
                streams: BTreeMap::new(),
                sent: BTreeMap::new(),
                parse_errors: Vec::new(),
                unanswered: Vec::new(),
                missing: Vec::new(),
                added: Vec::new(),
                counts: Counts::default(),
            },
        }
    }

    /// Plays all of it.
    pub(super) fn play(mut self, traffic: Traffic) -> Played {
        self.correspondence = Correspondence::new(traffic.said);
        self.played.counts.foreign = traffic.foreign;
        self.played.counts.too_late = traffic.too_late;
        self.played.counts.broken_streams = traffic.broken_streams;
        let mut now = Instant::START;
        for arrival in traffic.arrivals {
            now = Instant::START + arrival.at;
            self.wait_until(now);
            self.arrive(now, arrival);
            self.note_what_was_said(now);
        }
        self.wait_until(now + AFTERMATH);
        self.played.unanswered = self.transactions.unanswered();
        self.played.missing = self.correspondence.missing();
        self.played
    }

    fn wait_until(&mut self, until: Instant) {
        let (mut at, mut turns) = (Instant::START, 0);
        while let Some(due) = self.played.node.poll_timeout().filter(|due| *due <= until) {
            turns = if due > at { 0 } else { turns + 1 };
            if turns == MAX_TURNS {
                return;
            }
            at = at.max(due);
            self.played.node.handle_timeout(at);
            self.note_what_was_said(at);
        }
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        let Arrival { source, kind, .. } = arrival;
        match kind {
            ArrivalKind::Sip { transport, local, flow, bytes } => {
                self.sip(now, Way { transport, local, source, flow }, &bytes);
            }
            ArrivalKind::Media { port, bytes } => self.media(now, source, port, &bytes),
        }
    }

    fn sip(&mut self, now: Instant, way: Way, bytes: &[u8]) {
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return;
        }
        self.played.counts.sip += 1;
        let users = &self.loaded.config.phones.users;
        let password =
            |name: &str| users.iter().find(|user| user.name == name).map(|user| user.password.clone());
        let bytes = self.correspondence.translate(bytes, password);
        let mut headers = HeaderIndex::new();
        let parsed = Message::parse(&bytes, &mut headers);
        let step = match &parsed {
            Ok(message) => {
                self.transactions.passed(message, false);
                if let Err(error) = message.essentials() {
                    self.fault(now, way.source, error.to_string());
                }
                step_of(message)
            }
            Err(malformed) => {
                self.fault(now, way.source, malformed.error.to_string());
                "unreadable".to_owned()
            }
        };
        self.played.ladder.came(now, way.source, step);
        let Way { transport, local, source, flow } = way;
        self.played.node.handle_sip(now, Packet { transport, local, source, flow, bytes: &bytes });
    }

    fn fault(&mut self, now: Instant, source: SocketAddr, error: String) {
        if self.played.parse_errors.len() < MAX_FAULTS {
            self.played.parse_errors.push(ParseFault { at: now.since_start(), source, error });
        }
    }

    fn media(&mut self, now: Instant, source: SocketAddr, captured_port: u16, bytes: &[u8]) {
        self.played.counts.media += 1;
        if captured_port.is_multiple_of(2)
            && let Some(header) = rtp::Header::parse(bytes)
        {
            let payload_type = header.payload_type;
            let stream = self.played.streams.entry((source, captured_port)).or_insert_with(|| {
                self.played.ladder.came(now, source, format!("RTP, payload type {payload_type}"));
                StreamWatch::new(payload_type)
            });
            stream.take(now, &header, bytes);
        }
        let taken = self
            .correspondence
            .port(captured_port)
            .is_some_and(|port| self.played.node.handle_media(now, port, source, bytes));
        if !taken {
            self.played.counts.media_without_port += 1;
        }
    }

    fn note_what_was_said(&mut self, now: Instant) {
        for (at, note) in self.played.node.witness_mut().take_notes() {
            self.played.ladder.note(at, note);
        }
        for sent in self.played.node.take_sent() {
            match sent {
                Sent::Sip(transmit) => self.said(now, &transmit.bytes, transmit.destination),
                Sent::Media(media) => self.sent(now, &media),
            }
        }
    }

    /// Only the first packet is a step of the ladder.
    fn sent(&mut self, now: Instant, media: &MediaSent) {
        let Some(header) = rtp::Header::parse(&media.bytes) else { return };
        let payload_type = header.payload_type;
        let stream = self.played.sent.entry((media.port, media.destination)).or_insert_with(|| {
            self.played.ladder.went(now, media.destination, format!("RTP, payload type {payload_type}"));
            StreamWatch::new(payload_type)
        });
        stream.take(now, &header, &media.bytes);
    }

    fn said(&mut self, now: Instant, bytes: &[u8], destination: SocketAddr) {
        let mut headers = HeaderIndex::new();
        let Ok(message) = Message::parse(bytes, &mut headers) else { return };
        self.transactions.passed(&message, true);
        self.played.ladder.went(now, destination, step_of(&message));
        let provisional = message.status().is_some_and(|status| status < 200);
        if !self.correspondence.learn(bytes, destination)
            && !provisional
            && self.played.added.len() < MAX_FAULTS
        {
            self.played.added.extend(describe(bytes, destination));
        }
    }
}

/// A message as the ladder shows it: what it is, and how the sides of its communication begin (RFC 7989).
fn step_of(message: &Message<'_>) -> String {
    let value = message.value(HeaderName::SessionId).and_then(|value| std::str::from_utf8(value).ok());
    let Some(value) = value else { return label(message) };
    let (local, rest) = value.split_once(';').unwrap_or((value, ""));
    let remote = rest.split(';').find_map(|param| param.trim().strip_prefix("remote=")).unwrap_or_default();
    let short = |uuid: &str| uuid.chars().take(SHORT_UUID).collect::<String>();
    format!("{} {{{}/{}}}", label(message), short(local), short(remote))
}
