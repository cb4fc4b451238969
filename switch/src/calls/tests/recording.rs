//! Recordings: who is recorded, what the record says of it, and that a disk that fails costs no call.

use std::collections::BTreeSet;
use std::time::Duration;

use tandem_control_api::{CallFact, CallId, Command, CommandError, Event, LegId, RecordAction};
use tandem_media as media;
use tandem_sbc::user_agent as ua;

use super::super::recording::BEEP;
use super::bench::{Bench, Endpoint, config, play};
use crate::{CallRecording, RecordingConfig, RecordingId, RecordingNews, SwitchConfig};

const TRUNK: &str = "carrier";

fn bench_with(max: usize, trunks: &[&str]) -> Bench {
    let trunks: BTreeSet<String> = trunks.iter().map(|trunk| (*trunk).to_owned()).collect();
    let recording = RecordingConfig { trunks, max, ..RecordingConfig::default() };
    Bench::with(SwitchConfig { recording: Some(recording), ..config() })
}

const fn record(leg: LegId, action: RecordAction) -> Command {
    Command::Record { leg, action }
}

/// What workers were told of recordings, in order.
fn told(bench: &Bench) -> Vec<&'static str> {
    let told = bench.media_commands.iter().filter_map(|command| match command {
        media::Command::Record { .. } => Some("record"),
        media::Command::PauseRecording { pause: true, .. } => Some("pause"),
        media::Command::PauseRecording { .. } => Some("resume"),
        media::Command::StopRecording { .. } => Some("stop"),
        _ => None,
    });
    told.collect()
}

/// The facts of recordings in the only call's record.
fn facts(mut bench: Bench) -> Vec<CallFact> {
    let session = bench.last_session();
    bench.peer_ends(session, 200);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
    let record = bench.told.iter().rev().find_map(|event| match event {
        Event::CallEnded { record, .. } => Some(record.clone()),
        _ => None,
    });
    record.expect("a record").timeline.into_iter().map(|entry| entry.fact).collect()
}

#[test]
fn a_leg_is_recorded_from_its_command_until_it_ends() {
    let mut bench = bench_with(1, &[]);
    let (_, _, leg) = bench.answered();
    for action in [RecordAction::Begin, RecordAction::Begin, RecordAction::Pause, RecordAction::Pause] {
        let command = bench.command(record(leg, action));
        assert_eq!(bench.ending(command), "ok");
    }
    bench.calls.handle_recording(bench.now, RecordingId(0), RecordingNews::Begun { file: "a.wav".into() });
    bench.command(record(leg, RecordAction::Resume));
    assert_eq!(told(&bench), ["record", "pause", "resume"], "each once");
    let facts = facts(bench);
    let started = CallFact::RecordingStarted { leg, file: "a.wav".into() };
    assert_eq!(facts, [CallFact::RecordingPaused { leg }, started, CallFact::RecordingResumed { leg }]);
}

#[test]
fn recordings_can_end_and_begin_again() {
    let mut bench = bench_with(2, &[]);
    let (_, _, leg) = bench.answered();
    for action in [RecordAction::Begin, RecordAction::End, RecordAction::End, RecordAction::Begin] {
        bench.command(record(leg, action));
    }
    assert_eq!(told(&bench), ["record", "stop", "record"]);
    assert_eq!(facts(bench), [CallFact::RecordingEnded { leg }]);
}

/// Whoever is recorded hears the others: the one who asks for a pause need not be the one who is recorded.
#[test]
fn what_is_asked_on_one_leg_goes_for_all_recordings_of_the_call() {
    let mut bench = bench_with(2, &[]);
    let (_, call, leg) = bench.answered();
    let (_, agent) = bench.dialled(call);
    bench.command(Command::Bridge { a: leg, b: agent });
    for recorded in [leg, agent] {
        bench.command(record(recorded, RecordAction::Begin));
    }
    for action in [RecordAction::Pause, RecordAction::Resume, RecordAction::End] {
        bench.command(record(agent, action));
    }
    let each = ["record", "pause", "resume", "stop"];
    assert_eq!(told(&bench), each.map(|word| [word; 2]).concat());
}

#[test]
fn one_key_begins_and_ends_a_recording_and_one_pauses_it_and_goes_on() {
    let mut bench = bench_with(1, &[]);
    let (_, _, leg) = bench.answered();
    let both = [RecordAction::PauseOrResume, RecordAction::BeginOrEnd];
    for action in [both[0], both[1], both[0], both[0], both[0], both[1], both[0]] {
        let command = bench.command(record(leg, action));
        assert_eq!(bench.ending(command), "ok");
    }
    assert_eq!(told(&bench), ["record", "pause", "resume", "pause", "stop"]);
}

#[test]
fn a_recording_is_changed_by_who_knows_the_call_alone() {
    let mut bench = bench_with(1, &[]);
    let now = bench.now;
    let nobody = CallId { index: 7, generation: 0 };
    let wrong = |state: &str| CommandError::WrongState { command: "record".into(), state: state.into() };
    assert_eq!(bench.calls.record_call(now, nobody, RecordAction::Begin), Err(CommandError::UnknownCall));
    bench.incoming();
    let call = bench.calls.call_named("call-0.0").expect("the one there is");
    assert_eq!(bench.calls.record_call(now, call, RecordAction::Begin), Err(wrong("not answered")));

    let mut bench = bench_with(1, &[]);
    let (_, call, _) = bench.answered();
    let mut change = |action| bench.calls.record_call(now, call, action);
    assert_eq!(change(RecordAction::Pause), Err(wrong("not recorded")));
    assert_eq!(change(RecordAction::Begin), Ok(CallRecording::Running));
    assert_eq!(change(RecordAction::Pause), Ok(CallRecording::Paused));
    assert_eq!(change(RecordAction::Pause), Ok(CallRecording::Paused), "asked twice, done once");
    assert_eq!(change(RecordAction::Resume), Ok(CallRecording::Running));
    assert_eq!(change(RecordAction::End), Ok(CallRecording::None));
    assert_eq!(change(RecordAction::End), Err(wrong("not recorded")));
    bench.drain();
    assert_eq!(told(&bench), ["record", "pause", "resume", "stop"]);
}

#[test]
fn a_disk_that_fails_is_told_once_and_costs_no_call() {
    let mut bench = bench_with(1, &[]);
    let (_, call, leg) = bench.answered();
    bench.command(record(leg, RecordAction::Begin));
    let reason = "no space left on device".to_owned();
    for _ in 0..2 {
        bench.calls.handle_recording(
            bench.now,
            RecordingId(0),
            RecordingNews::Failed { reason: reason.clone() },
        );
        bench.drain();
    }
    let events = bench.told.iter().filter(|event| matches!(event, Event::RecordingFailed { .. })).count();
    assert_eq!((events, bench.calls.counters().recordings_failed), (1, 1));
    assert!(bench.told.contains(&Event::RecordingFailed { call, leg, reason: reason.clone() }));
    assert_eq!(told(&bench), ["record", "stop"]);
    let command = bench.command(record(leg, RecordAction::Begin));
    assert_eq!(bench.ending(command), "ok", "another one may fare better");
    assert_eq!(facts(bench), [CallFact::RecordingFailed { leg, reason }]);
}

#[test]
fn there_are_as_many_recordings_as_there_may_be_and_none_without_a_place() {
    let mut bench = bench_with(1, &[]);
    let [(_, _, one), (_, _, other)] = [bench.answered(), bench.answered()];
    let ends = [one, other].map(|leg| {
        let command = bench.command(record(leg, RecordAction::Begin));
        bench.ending(command)
    });
    assert_eq!(ends, ["ok", "limit: recordings"]);
    let mut bench = Bench::with(SwitchConfig { recording: None, ..config() });
    let (_, _, leg) = bench.answered();
    let command = bench.command(record(leg, RecordAction::Begin));
    assert_eq!(bench.ending(command), "invalid: recording: the node keeps none");
}

/// Whoever calls whom, the caller is on the left: of two legs of the trunk it is the caller's that is recorded.
#[test]
fn one_leg_of_a_call_of_a_recorded_trunk_is_recorded() {
    let mut bench = bench_with(10, &[TRUNK]);
    let session = bench.incoming_from(ua::Source::Trunk(TRUNK.to_owned()), true);
    let (call, caller) = bench
        .told
        .iter()
        .rev()
        .find_map(
            |event| if let Event::CallOffered { call, leg, .. } = event { Some((*call, *leg)) } else { None },
        )
        .expect("offered");
    let (_, agent) = bench.dialled(call);
    assert_eq!(told(&bench), [""; 0], "the caller waits");
    bench.command(Command::Answer { leg: caller });
    bench.open_all();
    bench.session_event(ua::Event::Confirmed { session });
    bench
        .session_event(ua::Event::Media { session, audio: super::bench::audio(ua::AudioCodec::Pcmu).into() });
    assert_eq!(told(&bench), ["record"]);
    bench.command(Command::Bridge { a: caller, b: agent });
    assert_eq!(told(&bench), ["record"]);
}

/// How often the tone of a recording was to be heard, by how many endpoints.
fn beeps(bench: &Bench) -> usize {
    let is_beep = |command: &&media::Command| match command {
        media::Command::Play { segments, .. } => {
            matches!(segments[..], [media::Segment::Tone(media::Tone::Recording)])
        }
        _ => false,
    };
    bench.media_commands.iter().filter(is_beep).count()
}

#[test]
fn both_parties_hear_that_they_are_recorded_for_as_long_as_they_are() {
    let every = Duration::from_secs(15);
    let recording = RecordingConfig { max: 1, beep: true, beep_every: Some(every), ..Default::default() };
    let mut bench = Bench::with(SwitchConfig { recording: Some(recording), ..config() });
    let (_, call, leg) = bench.answered();
    let (_, agent) = bench.dialled(call);
    bench.command(Command::Bridge { a: leg, b: agent });
    bench.command(record(leg, RecordAction::Begin));
    assert_eq!(beeps(&bench), 2, "when it begins");
    bench.advance(every);
    assert_eq!(beeps(&bench), 4, "and every so often");
    bench.command(record(leg, RecordAction::Pause));
    assert_eq!(beeps(&bench), 6);
    bench.advance(every);
    assert_eq!(beeps(&bench), 6, "not while it pauses");
    bench.command(record(leg, RecordAction::Resume));
    bench.advance(every);
    assert_eq!(beeps(&bench), 10);
    let endpoint = bench.in_phase(Endpoint::Open)[0];
    let stale = bench.calls.counters().media_events_stale;
    let end = media::PlayEnd::Finished;
    bench.media_event(endpoint, media::Event::PlayEnded { endpoint, play: BEEP, end });
    assert_eq!(bench.calls.counters().media_events_stale, stale, "its end is awaited by nobody");
    bench.command(record(leg, RecordAction::End));
    bench.advance(every * 3);
    assert_eq!(beeps(&bench), 10);
}

#[test]
fn no_tone_comes_between_a_party_and_what_it_is_told() {
    let recording = RecordingConfig { max: 1, beep: true, ..Default::default() };
    let mut bench = Bench::with(SwitchConfig { recording: Some(recording), ..config() });
    let (_, _, leg) = bench.answered();
    let play = bench.command(play(leg));
    bench.command(record(leg, RecordAction::Begin));
    assert_eq!((beeps(&bench), bench.ending(play).as_str()), (0, "none"));
}
