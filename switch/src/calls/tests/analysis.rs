//! What answers a dialled leg: when its worker is told to listen, and what is told and kept of what it hears.

use std::time::Duration;

use tandem_control_api::{CallFact, CallId, Command, Event, LegId, ProgressRules, Verdict};
use tandem_media as media;
use tandem_media::progress as heard;
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::SessionId;

use super::bench::{Bench, audio, dial};

fn analyse(leg: LegId) -> Command {
    Command::Analyse { leg, rules: ProgressRules { max_time: Duration::from_secs(4), ..Default::default() } }
}

/// Whether the worker was told to listen to a party that has answered, or that it has, in order.
fn told(bench: &Bench) -> Vec<Option<bool>> {
    let told = bench.media_commands.iter().filter_map(|command| match command {
        media::Command::Analyse { is_answered, rules, .. } => {
            assert_eq!(rules.max_time, Duration::from_secs(4));
            Some(Some(*is_answered))
        }
        media::Command::Answered { .. } => Some(None),
        _ => None,
    });
    told.collect()
}

fn answered(bench: &mut Bench) {
    let session = bench.last_session();
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Answered { session });
}

fn dialled(bench: &mut Bench) -> (SessionId, CallId, LegId) {
    let (caller, call, _) = bench.answered();
    bench.command(dial(call));
    (caller, call, bench.created())
}

#[test]
fn a_leg_without_early_media_is_listened_to_from_the_answer_on() {
    let mut bench = Bench::new();
    let (_, _, leg) = dialled(&mut bench);
    let command = bench.command(analyse(leg));
    assert_eq!(bench.ending(command), "ok");
    bench.open_all();
    let session = bench.last_session();
    bench.session_event(ua::Event::Ringing { session });
    assert_eq!(told(&bench), []);
    bench.session_event(ua::Event::Answered { session });
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    assert_eq!(told(&bench), [Some(true)]);
}

#[test]
fn early_media_is_listened_to_and_the_answer_told() {
    let mut bench = Bench::new();
    let (_, _, leg) = dialled(&mut bench);
    bench.command(analyse(leg));
    bench.open_all();
    let session = bench.last_session();
    bench.session_event(ua::Event::EarlyMedia { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    assert_eq!(told(&bench), [Some(false)]);
    answered(&mut bench);
    assert_eq!(told(&bench), [Some(false), None], "once");
}

#[test]
fn what_is_found_is_told_and_kept() {
    let mut bench = Bench::new();
    let (caller, call, leg) = dialled(&mut bench);
    bench.open_all();
    let session = bench.last_session();
    answered(&mut bench);
    bench.command(analyse(leg));
    assert_eq!(told(&bench), [Some(true)], "asked for after the answer");
    let endpoint = bench.media_commands.iter().find_map(|command| match command {
        media::Command::Analyse { endpoint, .. } => Some(*endpoint),
        _ => None,
    });
    let endpoint = endpoint.expect("listened to");
    let after = Duration::from_millis(2_520);
    let kind = heard::EvidenceKind::Speech;
    let piece = heard::Evidence { at: Duration::ZERO, lasted: after, kind, level_dbm0: -18 };
    let finding = heard::Finding::Verdict { verdict: heard::Verdict::AnsweringMachine, after };
    bench.media_event(endpoint, media::Event::Progress { endpoint, finding, evidence: [piece].into() });
    let finding = heard::Finding::Beep { after: Duration::from_secs(9) };
    bench.media_event(endpoint, media::Event::Progress { endpoint, finding, evidence: Box::default() });
    let report = bench.told.iter().find_map(|event| match event {
        Event::ProgressFound { call: of, leg: on, report } if (*of, *on) == (call, leg) => {
            Some(report.clone())
        }
        _ => None,
    });
    let report = report.expect("the verdict is told");
    assert_eq!((report.verdict, report.after, report.evidence.len()), (Verdict::AnsweringMachine, after, 1));
    assert!(bench.told.contains(&Event::BeepAwaited { call, leg, heard: true }));
    bench.peer_ends(caller, 200);
    bench.peer_ends(session, 200);
    bench.close_all();
    let facts: Vec<_> = bench.records[0].timeline.iter().map(|entry| entry.fact.clone()).collect();
    assert_eq!(facts, [CallFact::ProgressFound { leg, report }, CallFact::BeepAwaited { leg, heard: true }]);
}
