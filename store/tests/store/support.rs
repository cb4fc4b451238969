//! Records to store.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tandem_control_api::{
    CallFact, CallId, CallRecord, Direction, EndedBy, Heard, LegEnd, LegId, LegRecord, MediaStatistics,
    Origin, Party, QualityPoint, TimelineEntry,
};
use tandem_store::{NodeClock, Store};
use tandem_time::Instant;

/// 2026-11-21T09:00:00Z.
pub(crate) fn clock() -> NodeClock {
    NodeClock::starting_at(UNIX_EPOCH + Duration::from_secs(1_795_251_600))
}

/// A store on `path`.
pub(crate) fn open(path: &Path) -> Store {
    Store::open(path, "test", clock()).expect("a store")
}

/// An unanswered call that ended at once.
pub(crate) fn short_call(index: u32) -> Box<CallRecord> {
    let end = LegEnd { by: EndedBy::Control, status: 404, cause: "not found".into() };
    Box::new(CallRecord {
        id: CallId { index, generation: 0 },
        origin: Origin::Trunk("carrier-a".into()),
        from: Party { number: "+15550001".into(), ..Party::default() },
        dialled: "+15550999".into(),
        redirected: None,
        offered: Instant::from_millis(1_000),
        answered: None,
        ended: Instant::from_millis(1_010),
        legs: vec![leg(0, Direction::Inbound, "+15550001", end.clone())],
        end,
        legs_dropped: 0,
        timeline: Vec::new(),
        timeline_dropped: 0,
    })
}

/// A call through a menu and a queue to an agent: offered at 1 s, answered at 2 s, waiting from 10 s, connected at
/// 16 s, over at 20 s.
pub(crate) fn agent_call() -> Box<CallRecord> {
    let mut record = short_call(7);
    let party = LegEnd { by: EndedBy::Party, status: 200, cause: "normal".into() };
    let mut missed = leg(
        1,
        Direction::Outbound,
        "1002",
        LegEnd { by: EndedBy::Control, status: 487, cause: "no answer".into() },
    );
    missed.started = Instant::from_millis(10_500);
    let mut agent = leg(2, Direction::Outbound, "1001", LegEnd { by: EndedBy::Switch, ..party.clone() });
    (agent.started, agent.answered) = (Instant::from_millis(15_000), Some(Instant::from_millis(15_900)));
    (agent.ended, agent.media) = (Instant::from_millis(20_001), Some(media()));
    record.from.name = Some("Ada \"A\" Lovelace".into());
    record.dialled = "+15550100".into();
    record.answered = Some(Instant::from_millis(2_000));
    record.ended = Instant::from_millis(20_000);
    record.legs[0].end = party.clone();
    record.legs[0].media = Some(MediaStatistics::default());
    record.legs.extend([missed, agent]);
    record.end = party;
    record.timeline = [
        (2_000, CallFact::FlowStarted { flow: "menu".into() }),
        (9_000, CallFact::FlowStep { activity: "ask".into(), exit: "1".into() }),
        (9_500, CallFact::Variable { name: "tries".into(), value: "1".into() }),
        (10_000, CallFact::QueueEntered { queue: "sales".into() }),
        (10_500, CallFact::AgentOffered { agent: "bob".into() }),
        (14_000, CallFact::AgentMissed { agent: "bob".into(), reason: "no-answer".into() }),
        (15_000, CallFact::AgentOffered { agent: "alice".into() }),
        (16_000, CallFact::AgentAnswered { agent: "alice".into() }),
        (16_000, CallFact::QueueLeft { queue: "sales".into(), reason: "answered".into() }),
    ]
    .map(|(millis, fact)| TimelineEntry { at: Instant::from_millis(millis), fact })
    .into();
    record
}

fn leg(index: u32, direction: Direction, party: &str, end: LegEnd) -> LegRecord {
    LegRecord {
        id: LegId { index, generation: 0 },
        direction,
        party: party.into(),
        sip_call_id: format!("leg-{index}@example.com"),
        session_id: Some(format!("{index:032x};remote=00000000000000000000000000000000")),
        started: Instant::from_millis(1_000),
        ringing: None,
        answered: None,
        ended: Instant::from_millis(1_010),
        end,
        reason: None,
        media_path: tandem_control_api::MediaPath::Anchored,
        media: None,
    }
}

fn quality() -> Vec<QualityPoint> {
    let heard = Heard { loss_percent: 0.8, jitter_us: 400, mos: 4.25 };
    let point = |seconds: u64, sent| QualityPoint {
        at: Instant::from_millis(1_000 * seconds),
        received: Some(heard),
        sent,
        round_trip_us: Some(1_200),
    };
    vec![point(6, None), point(11, Some(Heard { mos: 3.5, ..heard }))]
}

fn media() -> MediaStatistics {
    MediaStatistics {
        codec: "PCMU".into(),
        packets_received: 250,
        packets_sent: 251,
        packets_lost: 2,
        packets_refused: 1,
        jitter_us: 400,
        jitter_max_us: 900,
        remote_loss_percent: Some(0.5),
        remote_jitter_us: Some(700),
        round_trip_us: Some(1_200),
        mos: Some(4.25),
        remote_mos: Some(3.5),
        quality: quality(),
        digits_received: 3,
    }
}
