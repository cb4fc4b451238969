//! What the core shows of itself, and how it becomes health and metrics.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant as WallInstant, SystemTime};

use tandem_api::{
    BannedSource, Destination, Health, Kind, Metric, Readiness, Recorded, Recording, RecordingAction,
    RecordingStanding, Recordings, RecordingsWanted, Registration, Sample, Status, Unban,
};
use tandem_control::{ContactCentre, QueueDepth};
use tandem_media_net::{CountersSnapshot as MediaCounters, IoInUse};
use tandem_sbc::user_agent::{
    Ban, BanReason, Counters as SignallingCounters, DestinationHealth, RegistrationState, Tally, Transport,
    TrunkUse,
};
use tandem_sbc_net::{Bell, Transports};
use tandem_store::Archive;
use tandem_switch::{Counters, Ledger, Switch};
use tandem_time::Instant;
use tokio::sync::watch;

use super::call_log::CallLog;
use super::core::Order;
use super::recorder::{self, KeptRecordings};
use super::recording_orders;
use crate::explain;

/// A core that has shown nothing for so long is stuck.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// The core at one moment.
#[derive(Debug)]
pub(crate) struct Picture {
    taken: WallInstant,
    now: Instant,
    draining: bool,
    ledger: Ledger,
    counters: Counters,
    signalling: SignallingCounters,
    trunks: Vec<TrunkUse>,
    destinations: Vec<DestinationHealth>,
    registrations: Vec<RegistrationState>,
    /// Registrations that are being given up.
    leaving: usize,
    overloaded: bool,
    bans: Vec<Ban>,
    tallies: BTreeMap<BanReason, Tally>,
    queues: Vec<(String, QueueDepth)>,
    /// Agents by state.
    agents: BTreeMap<&'static str, u64>,
    /// One of each media thread.
    media: Vec<MediaCounters>,
}

impl Picture {
    pub(super) fn of(
        switch: &Switch<CallLog<ContactCentre>>,
        media: Vec<MediaCounters>,
        now: Instant,
        draining: bool,
    ) -> Self {
        let centre = switch.plane().plane();
        let mut agents = BTreeMap::new();
        for (_, state) in centre.agent_states() {
            *agents.entry(state.name()).or_default() += 1;
        }
        Self {
            taken: WallInstant::now(),
            now,
            draining,
            ledger: switch.ledger(),
            counters: switch.counters().clone(),
            signalling: switch.signalling_counters(),
            trunks: switch.trunk_uses().collect(),
            destinations: switch.destinations().collect(),
            registrations: switch.registrations(now).collect(),
            leaving: switch.registrations_leaving(),
            overloaded: switch.is_overloaded(),
            bans: switch.bans().copied().collect(),
            tallies: switch.ban_tallies().clone(),
            queues: centre.queue_depths().map(|(name, depth)| (name.to_owned(), depth)).collect(),
            agents,
            media,
        }
    }

    /// Calls without a record yet.
    pub(crate) const fn calls(&self) -> u64 {
        self.counters.calls_offered.saturating_sub(self.counters.calls_ended)
    }

    /// What is in use.
    pub(crate) const fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// Whether new calls are refused.
    pub(crate) const fn is_draining(&self) -> bool {
        self.draining
    }

    /// Registrations that are being given up.
    pub(crate) const fn leaving(&self) -> usize {
        self.leaving
    }

    /// Whether a drain is done: no call is up, and carriers know that we are gone.
    pub(crate) fn is_drained(picture: &Arc<Self>) -> bool {
        picture.draining && picture.calls() == 0 && picture.leaving == 0
    }

    /// Whether the core has been heard of lately.
    pub(crate) fn is_fresh(&self) -> bool {
        self.taken.elapsed() < STALLED_AFTER
    }
}

/// The records of a node: how they are written, and where.
pub(super) struct Kept {
    pub(super) counters: Arc<tandem_store::Counters>,
    pub(super) path: PathBuf,
}

/// What HTTP shows of a node.
pub(super) struct NodeStatus {
    pub(super) media_io: IoInUse,
    pub(super) started: WallInstant,
    pub(super) picture: watch::Receiver<Arc<Picture>>,
    pub(super) transports: Arc<Transports>,
    pub(super) store: Kept,
    pub(super) recordings: Option<KeptRecordings>,
    pub(super) orders: SyncSender<Order>,
    pub(super) bell: Arc<Bell>,
}

impl Status for NodeStatus {
    fn health(&self) -> Health {
        let picture = self.picture.borrow();
        let readiness = match (picture.is_fresh(), picture.draining) {
            (false, _) => Readiness::Stalled,
            (true, true) => Readiness::Draining,
            (true, false) => Readiness::Ready,
        };
        Health {
            readiness,
            version: env!("CARGO_PKG_VERSION"),
            uptime: self.started.elapsed(),
            calls: usize::try_from(picture.calls()).unwrap_or(usize::MAX),
        }
    }

    fn destinations(&self) -> Vec<Destination> {
        let picture = self.picture.borrow();
        let shown = picture.destinations.iter().map(|it| Destination {
            trunk: it.trunk.to_string(),
            destination: destination_name(it),
            is_up: it.is_up,
            since: picture.now - it.since,
            changes: it.changes,
        });
        shown.collect()
    }

    fn registrations(&self) -> Vec<Registration> {
        let picture = self.picture.borrow();
        let shown = picture.registrations.iter().map(|it| Registration {
            trunk: it.trunk.to_string(),
            aor: it.aor.clone(),
            is_registered: it.is_registered,
            since: picture.now - it.since,
            status: it.status,
        });
        shown.collect()
    }

    fn bans(&self) -> Vec<BannedSource> {
        let picture = self.picture.borrow();
        let banned = picture.bans.iter().map(|ban| BannedSource {
            address: ban.prefix.address,
            bits: ban.prefix.bits,
            reason: ban.reason.name(),
            since: picture.now - ban.since,
            left: ban.until - picture.now,
            times: ban.times,
            spares_registered_phones: ban.spares_users,
        });
        banned.collect()
    }

    fn unban(&self, address: IpAddr) -> Unban {
        if !self.picture.borrow().bans.iter().any(|ban| ban.prefix.contains(address)) {
            return Unban::NotBanned;
        }
        let ordered = self.orders.try_send(Order::Unban(address));
        self.bell.ring();
        if ordered.is_ok() { Unban::Ordered } else { Unban::Busy }
    }

    fn recordings(&self, wanted: RecordingsWanted<'_>) -> Recordings {
        self.recordings.as_ref().map_or(Recordings::NotKept, |kept| kept.shown(wanted, &self.store.path))
    }

    fn recording(&self, day: &str, file: &str) -> Recording {
        self.recordings.as_ref().map_or(Recording::NotKept, |kept| kept.file(day, file))
    }

    fn record(&self, call: &str, action: RecordingAction) -> RecordingStanding {
        recording_orders::give(&self.orders, &self.bell, call, action)
    }

    fn call(&self, name: &str) -> Recorded {
        let found = Archive::open(&self.store.path).and_then(|archive| archive.call_named(name));
        match found {
            Ok(Some(call)) => {
                Recorded::Found { call: explain::as_json(&call), quality_svg: explain::quality_svg(&call) }
            }
            Ok(None) => Recorded::Unknown,
            Err(error) => {
                tracing::warn!(%error, "a call cannot be told");
                Recorded::Unreadable
            }
        }
    }

    fn metrics(&self) -> Vec<Metric> {
        let picture = Arc::clone(&self.picture.borrow());
        let mut metrics = ledger(&picture.ledger);
        metrics.extend(calls(&picture.counters));
        metrics.push(signalling(&picture.signalling));
        metrics.extend(admission(&picture));
        metrics.extend(destinations(&picture));
        metrics.push(registrations(&picture));
        metrics.extend(protection(&picture, &self.transports));
        metrics.extend(contact_centre(&picture));
        metrics.extend(media(&picture.media));
        metrics.push(media_io(&self.media_io));
        metrics.extend(transports(&self.transports));
        metrics.extend(store(&self.store.counters));
        metrics.extend(self.recordings.iter().flat_map(|kept| recorder::metrics(&kept.counters)));
        metrics
    }
}

/// Everything leased; all of it zero at rest.
fn ledger(ledger: &Ledger) -> Vec<Metric> {
    let gauge = |name, help, value: usize| Metric::single(name, help, Kind::Gauge, value as u64);
    vec![
        gauge("ledger_calls", "Calls not yet released", ledger.calls),
        gauge("ledger_legs", "Legs not yet released", ledger.legs),
        gauge("ledger_sessions", "SIP sessions not yet released", ledger.sessions),
        gauge("ledger_transactions", "SIP transactions under way", ledger.transactions),
        gauge("ledger_admissions", "Calls admitted by the limits", ledger.admissions),
        gauge("ledger_ports", "RTP port pairs leased", ledger.ports),
        gauge("ledger_endpoints", "Media endpoints not yet closed", ledger.endpoints),
        gauge("ledger_commands", "Commands of the control plane without an outcome", ledger.commands),
        gauge("ledger_timers", "Deadlines of legs and calls", ledger.timers),
        gauge("ledger_recordings", "Recordings of legs not yet released", ledger.recordings),
    ]
}

fn calls(counters: &Counters) -> Vec<Metric> {
    let refused = counters.calls_refused.iter().map(|(why, count)| sample([("reason", why.name())], *count));
    let ended = counters.legs_ended.iter().map(|(cause, count)| sample([("cause", cause.name())], *count));
    let verdicts = counters.verdicts.iter().map(|(verdict, count)| sample([("verdict", *verdict)], *count));
    let commands = counters
        .commands
        .iter()
        .map(|((command, outcome), count)| sample([("command", *command), ("outcome", *outcome)], *count));
    let refers = counters.refers.iter().map(|(word, count)| sample([("outcome", *word)], *count));
    vec![
        counter("calls_offered", "Calls the control plane was told of", counters.calls_offered),
        counter("calls_answered", "Calls whose caller was answered", counters.calls_answered),
        counter("calls_ended", "Calls whose record was made", counters.calls_ended),
        family("calls_refused", "Calls refused before the control plane was told", Kind::Counter, refused),
        family("legs_ended", "Legs ended", Kind::Counter, ended),
        family("call_progress", "What was found to answer calls", Kind::Counter, verdicts),
        family("commands", "Commands of the control plane, by how they ended", Kind::Counter, commands),
        family(
            "refers_sent",
            "Transfers that carriers were asked for, by what they said",
            Kind::Counter,
            refers,
        ),
        counter(
            "digits_not_sent",
            "Digits to be sent as INFO when too many waited",
            counters.digits_not_sent,
        ),
        counter(
            "codecs_asked",
            "Parties asked for another codec, to be transcoded no more",
            counters.codecs_asked,
        ),
        counter(
            "legs_unheard",
            "One-way audio: nothing came from a party that was sent to",
            counters.legs_unheard,
        ),
        counter("media_events_stale", "Media events that had crossed a command", counters.media_events_stale),
        counter("speech_asked", "Utterances to be rendered", counters.speech_asked),
        counter("speech_failed", "Utterances that could not be rendered", counters.speech_failed),
        counter("speech_late", "Plays that gave up waiting for words", counters.speech_late),
        counter("endpoints_failed", "Media endpoints that could not be opened", counters.endpoints_failed),
    ]
}

fn signalling(counters: &SignallingCounters) -> Metric {
    let events = counters.iter().map(|(event, count)| sample([("event", event)], count));
    family("sip_signalling", "What the user agent counted", Kind::Counter, events)
}

fn admission(picture: &Picture) -> Vec<Metric> {
    let calls = picture.trunks.iter().map(|it| sample([("trunk", &it.trunk)], it.calls.into()));
    let refused = picture.trunks.iter().flat_map(|it| {
        let labels = move |limit: &str| vec![("trunk", it.trunk.clone()), ("limit", limit.to_owned())];
        it.refused.iter().map(move |(limit, count)| Sample { labels: labels(limit.name()), value: *count })
    });
    let help = "Whether new calls are refused since messages wait too long";
    vec![
        family("trunk_calls", "Calls up on trunks, both ways", Kind::Gauge, calls),
        family("trunk_calls_refused", "Calls refused by a trunk's limits", Kind::Counter, refused),
        Metric::single("overloaded", help, Kind::Gauge, picture.overloaded.into()),
    ]
}

fn registrations(picture: &Picture) -> Metric {
    let samples = picture
        .registrations
        .iter()
        .map(|it| sample([("trunk", &*it.trunk), ("aor", it.aor.as_str())], it.is_registered.into()));
    family("trunk_registered", "Whether we are registered with a carrier", Kind::Gauge, samples)
}

fn destinations(picture: &Picture) -> Vec<Metric> {
    let of_each = |name, help, kind, value: fn(&DestinationHealth) -> u64| {
        let samples = picture.destinations.iter().map(|it| {
            sample([("trunk", &*it.trunk), ("destination", destination_name(it).as_str())], value(it))
        });
        family(name, help, kind, samples)
    };
    vec![
        of_each("trunk_destination_up", "Whether a destination answers OPTIONS", Kind::Gauge, |it| {
            it.is_up.into()
        }),
        of_each(
            "trunk_destination_changes",
            "How often a destination went down or came up",
            Kind::Counter,
            |it| it.changes,
        ),
    ]
}

/// As operators see it: `udp:192.0.2.10:5060`.
pub(super) fn destination_name(destination: &DestinationHealth) -> String {
    place(destination.transport, destination.address)
}

pub(super) fn place(transport: Transport, address: SocketAddr) -> String {
    format!("{}:{address}", transport.via_name().to_lowercase())
}

fn protection(picture: &Picture, transports: &Transports) -> Vec<Metric> {
    let mut dropped: BTreeMap<BanReason, u64> = transports.dropped_by_bans().collect();
    for (reason, tally) in &picture.tallies {
        *dropped.entry(*reason).or_default() += tally.dropped;
    }
    let by_reason = |reason: &BanReason, count| sample([("reason", reason.name())], count);
    let offences = picture.tallies.iter().map(|(reason, tally)| by_reason(reason, tally.offences));
    let bans = picture.tallies.iter().map(|(reason, tally)| by_reason(reason, tally.bans));
    let dropped = dropped.iter().map(|(reason, count)| by_reason(reason, *count));
    let help = "Packets of banned sources that were dropped; the kernel's filter drops the rest";
    vec![
        Metric::single("bans_active", "Sources that are not heard", Kind::Gauge, picture.bans.len() as u64),
        family("bans", "Bans", Kind::Counter, bans),
        family("offences", "What sources did wrong, trunks included", Kind::Counter, offences),
        family("ban_packets_dropped", help, Kind::Counter, dropped),
    ]
}

fn contact_centre(picture: &Picture) -> Vec<Metric> {
    let of_queues = |name, help, value: fn(&QueueDepth, Instant) -> u64| {
        let samples =
            picture.queues.iter().map(|(queue, depth)| sample([("queue", queue)], value(depth, picture.now)));
        family(name, help, Kind::Gauge, samples)
    };
    let agents = picture.agents.iter().map(|(state, count)| sample([("state", *state)], *count));
    vec![
        of_queues("queue_waiting", "Callers for whom no phone rings", |depth, _| depth.waiting as u64),
        of_queues("queue_offered", "Callers for whom an agent's phone rings", |depth, _| {
            depth.offered as u64
        }),
        of_queues("queue_available_agents", "Agents available to the queue", |depth, _| {
            depth.available_agents as u64
        }),
        of_queues("queue_oldest_wait_seconds", "How long the first in the queue has waited", |depth, now| {
            depth.oldest.map_or(0, |since| (now - since).as_secs())
        }),
        family("agents", "Agents", Kind::Gauge, agents),
    ]
}

fn media(threads: &[MediaCounters]) -> Vec<Metric> {
    let samples = threads.iter().enumerate().flat_map(|(thread, counters)| {
        let labels = move |event| vec![("thread", thread.to_string()), ("event", String::from(event))];
        counters.iter().map(move |(event, value)| Sample { labels: labels(event), value })
    });
    vec![family("media_events", "What media threads counted", Kind::Counter, samples)]
}

fn media_io(used: &IoInUse) -> Metric {
    let labels = vec![("io", used.io.to_string()), ("reason", used.reason.clone())];
    let help = "How media threads give packets to the kernel, and why so";
    family("media_io", help, Kind::Gauge, std::iter::once(Sample { labels, value: 1 }))
}

fn transports(transports: &Transports) -> Vec<Metric> {
    let counters = transports.counters().snapshot();
    let events = counters.iter().map(|(event, count)| sample([("event", event)], count));
    let connections = transports.connections() as u64;
    let mut metrics = vec![
        family("sip_events", "What the SIP transports counted", Kind::Counter, events),
        Metric::single(
            "sip_connections",
            "Connections: TCP, and what is on top of it",
            Kind::Gauge,
            connections,
        ),
    ];
    let certificates = transports.certificates();
    if !certificates.is_empty() {
        let help = "When each TLS certificate expires, in seconds since 1970";
        let expiries = certificates.iter().map(|certificate| {
            let since_1970 =
                certificate.not_after().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            sample([("file", certificate.file())], since_1970.as_secs())
        });
        metrics.push(family("tls_certificate_expiry_timestamp_seconds", help, Kind::Gauge, expiries));
    }
    if let Ok(drops) = transports.kernel_drops() {
        let help = "Datagrams the kernel dropped at the SIP sockets: unlisted sources, or no buffer";
        metrics.push(counter("sip_kernel_drops", help, drops));
    }
    metrics
}

fn store(counters: &tandem_store::Counters) -> Vec<Metric> {
    vec![
        counter("store_accepted", "Records taken for the store", counters.accepted.load(Relaxed)),
        counter(
            "store_refused",
            "Records lost since the store's queue was full",
            counters.refused.load(Relaxed),
        ),
        counter("store_written", "Records on disk", counters.written.load(Relaxed)),
        counter("store_failures", "Writes that failed and were tried again", counters.failures.load(Relaxed)),
        Metric::single(
            "store_waiting",
            "Records accepted and not yet on disk",
            Kind::Gauge,
            counters.waiting(),
        ),
    ]
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric::single(name, help, Kind::Counter, value)
}

fn family(
    name: &'static str,
    help: &'static str,
    kind: Kind,
    samples: impl Iterator<Item = Sample>,
) -> Metric {
    Metric { name, help, kind, samples: samples.collect() }
}

fn sample<const N: usize>(labels: [(&'static str, &str); N], value: u64) -> Sample {
    Sample { labels: labels.map(|(name, value)| (name, value.to_owned())).into(), value }
}
