//! What is kept of a call comes back as it was, with what it adds up to.

use crate::support;

use std::time::Duration;

use tandem_store::{Archive, Closed, StoredHeard, StoredPoint};

#[test]
fn a_call_comes_back_with_its_legs_and_timeline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/calls.db");
    let store = support::open(&path);
    store.keep(support::agent_call()).unwrap();
    assert_eq!(store.close(Duration::ZERO), Closed { written: 1, lost: 0 });

    let calls = Archive::open(&path).unwrap().calls_after(0).unwrap();
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!((call.call.as_str(), call.origin.as_str()), ("call-7.0", "carrier-a"));
    assert_eq!((call.from.as_str(), call.dialled.as_str()), ("+15550001", "+15550100"));
    assert_eq!(call.started, "2026-11-21T09:00:01.000Z");
    assert_eq!(call.answered.as_deref(), Some("2026-11-21T09:00:02.000Z"));
    assert_eq!((call.ended.as_str(), call.duration_ms), ("2026-11-21T09:00:20.000Z", 19_000));
    assert_eq!((call.end_side.as_str(), call.end_status, call.end_cause.as_str()), ("party", 200, "normal"));

    let agent = call.legs.last().unwrap();
    assert_eq!((call.legs.len(), agent.direction.as_str(), agent.party.as_str()), (3, "outbound", "1001"));
    assert_eq!((agent.packets_received, agent.packets_sent, agent.packets_lost), (250, 251, 2));
    assert_eq!((agent.codec.as_deref(), agent.mos, agent.digits_received), (Some("PCMU"), Some(4.25), 3));
    assert!(
        agent
            .session_id
            .as_deref()
            .is_some_and(|id| id.ends_with(";remote=00000000000000000000000000000000"))
    );
    assert_eq!((agent.remote_loss_percent, agent.remote_mos), (Some(0.5), Some(3.5)));
    let heard = StoredHeard { loss_percent: 0.8, jitter_ms: 0.4, mos: 4.25 };
    let first = StoredPoint { at_s: 5.0, received: Some(heard), sent: None, round_trip_ms: Some(1.2) };
    let sent = Some(StoredHeard { mos: 3.5, ..heard });
    assert_eq!(agent.quality, [first, StoredPoint { at_s: 10.0, sent, ..first }]);
    assert_eq!(
        (call.legs[0].codec.as_deref(), call.legs[0].quality.len()),
        (None, 0),
        "nothing was negotiated"
    );

    let steps: Vec<_> =
        call.timeline.iter().map(|fact| (fact.kind.as_str(), fact.subject.as_str())).collect();
    assert_eq!(steps[1], ("flow-step", "ask"));
    assert_eq!(call.timeline[1].detail.as_deref(), Some("1"));
    assert_eq!(steps.last(), Some(&("queue-left", "sales")));
}

#[test]
fn waiting_and_talking_are_added_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.db");
    let store = support::open(&path);
    store.keep(support::agent_call()).unwrap();
    let mut abandoned = support::agent_call();
    abandoned.timeline.truncate(4);
    store.keep(abandoned).unwrap();
    assert_eq!(store.close(Duration::ZERO).lost, 0);

    let calls = Archive::open(&path).unwrap().calls_after(0).unwrap();
    let [connected, abandoned] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!((connected.flow.as_deref(), connected.queue.as_deref()), (Some("menu"), Some("sales")));
    assert_eq!(
        (connected.agent.as_deref(), connected.wait_ms, connected.talk_ms),
        (Some("alice"), 6_000, 4_000)
    );
    assert_eq!((abandoned.agent.as_deref(), abandoned.wait_ms, abandoned.talk_ms), (None, 10_000, 0));
}

#[test]
fn runs_follow_each_other_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.db");
    for _ in 0..2 {
        let store = support::open(&path);
        store.keep(support::short_call(0)).unwrap();
        assert_eq!(store.close(Duration::ZERO).lost, 0);
    }
    let archive = Archive::open(&path).unwrap();
    let calls = archive.calls_after(0).unwrap();
    assert_eq!(calls.len(), 2);
    assert_eq!(archive.newest().unwrap(), calls[1].id);
    assert_eq!(archive.calls_after(calls[0].id).unwrap(), calls[1..]);
}
