//! Conferences: who is in them, how their media goes, and what stays of them.

use std::time::Duration;

use tandem_control_api::{
    CallFact, CallId, Command, CommandError, Event, LegId, Level, Prompt, Role, Tone, TransferTo,
};
use tandem_media as media;
use tandem_media::{Audience, EndpointId, Gain};
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::SessionId;

use super::bench::{Bench, Session, audio, config, play, transfer};
use crate::SwitchConfig;

/// A caller and two others, all answered; the caller and the first of them talk.
struct Scene {
    bench: Bench,
    call: CallId,
    caller: (SessionId, LegId),
    agent: (SessionId, LegId),
    third: (SessionId, LegId),
}

fn three() -> Scene {
    three_at(Bench::new())
}

fn three_at(mut bench: Bench) -> Scene {
    let (session, call, leg) = bench.answered();
    let agent = bench.dialled(call);
    let third = bench.dialled(call);
    bench.command(Command::Bridge { a: leg, b: agent.1 });
    bench.asked.clear();
    bench.media_commands.clear();
    Scene { bench, call, caller: (session, leg), agent, third }
}

const fn join(leg: LegId, call: CallId, role: Role) -> Command {
    Command::Join { leg, call, role, announce: Vec::new() }
}

impl Scene {
    fn join(&mut self, leg: LegId, role: Role) {
        let command = self.bench.command(join(leg, self.call, role));
        assert_eq!(self.bench.ending(command), "ok");
    }

    /// All three confer.
    fn conferring() -> Self {
        let mut scene = three();
        for leg in [scene.caller.1, scene.agent.1, scene.third.1] {
            scene.join(leg, Role::Party);
        }
        scene.asked();
        scene
    }

    fn asked(&mut self) -> Vec<String> {
        self.bench.media_commands.clear();
        std::mem::take(&mut self.bench.asked)
    }

    /// Who is heard by whom, as the worker was told last.
    fn audiences(&mut self) -> Vec<(EndpointId, Audience)> {
        let seats = self.bench.media_commands.drain(..).filter_map(|command| match command {
            media::Command::Join { endpoint, audience, .. } => Some((endpoint, audience)),
            _ => None,
        });
        seats.collect()
    }

    fn wind_up(mut self) -> Bench {
        self.bench.hand_over_all();
        self.bench.open_all();
        for session in self.bench.sessions.keys().copied().collect::<Vec<_>>() {
            if self.bench.sessions.get(&session) == Some(&Session::Up) {
                self.bench.peer_ends(session, 200);
            }
        }
        self.bench.close_all();
        self.bench.release_all();
        self.bench.assert_at_rest();
        self.bench
    }
}

#[test]
fn three_are_mixed_and_two_are_relayed_again() {
    let mut scene = three();
    scene.join(scene.caller.1, Role::Party);
    assert_eq!(scene.asked(), ["unbridge", "join", "voice"], "alone at first");
    scene.join(scene.agent.1, Role::Party);
    assert_eq!(scene.asked(), ["bridge"], "for two nothing is mixed");
    scene.join(scene.third.1, Role::Party);
    assert_eq!(scene.asked(), ["join", "join", "join", "voice", "voice", "voice"]);
    // The caller hangs up on them, and they go on.
    let (session, leg) = scene.caller;
    scene.bench.peer_ends(session, 200);
    assert_eq!(scene.asked(), ["unbridge", "bridge", "close"]);
    scene.bench.command(Command::Unbridge { leg: scene.third.1 });
    assert_eq!(scene.asked(), ["unbridge", "join", "voice"]);
    let (call, agent, third) = (scene.call, scene.agent.1, scene.third.1);
    let bench = scene.wind_up();
    let record = bench.records.iter().find(|record| record.id == call).expect("a record");
    let facts: Vec<&CallFact> = record.timeline.iter().map(|entry| &entry.fact).collect();
    let party = |of| {
        let found = record.legs.iter().find(|leg| leg.id == of);
        found.expect("a leg of the call").party.clone()
    };
    let joined = |leg| CallFact::ConferenceJoined { leg, party: party(leg), role: "party".to_owned() };
    let left = |leg| CallFact::ConferenceLeft { leg, party: party(leg) };
    assert_eq!(
        facts,
        [&joined(leg), &joined(agent), &joined(third), &left(leg), &left(third), &left(agent)],
        "who was when in it"
    );
}

#[test]
fn a_supervisor_listens_coaches_and_joins_in() {
    let mut scene = three();
    let (caller, agent, supervisor) = (scene.caller.1, scene.agent.1, scene.third.1);
    for leg in [caller, agent] {
        scene.join(leg, Role::Party);
    }
    for (role, audience) in [
        (Role::Monitor, |_: &[EndpointId]| Audience::Nobody),
        (Role::Coach { leg: agent }, |seats: &[EndpointId]| Audience::One(seats[1])),
        (Role::Party, |_: &[EndpointId]| Audience::Everybody),
    ] as [(Role, fn(&[EndpointId]) -> Audience); 3]
    {
        scene.audiences();
        scene.join(supervisor, role);
        let seats = scene.audiences();
        let endpoints: Vec<EndpointId> = seats.iter().map(|(endpoint, _)| *endpoint).collect();
        let heard: Vec<Audience> = seats.iter().map(|(_, audience)| *audience).collect();
        assert_eq!(heard, [Audience::Everybody, Audience::Everybody, audience(&endpoints)], "{role:?}");
    }
    // Who is coached leaves: its coach is heard by nobody.
    scene.join(supervisor, Role::Coach { leg: agent });
    scene.audiences();
    scene.bench.peer_ends(scene.agent.0, 200);
    let heard: Vec<Audience> = scene.audiences().into_iter().map(|(_, audience)| audience).collect();
    assert_eq!(heard, [Audience::Everybody, Audience::Nobody]);
    scene.wind_up();
}

/// The listener goes: the two are relayed, as before it came.
#[test]
fn without_its_listener_a_call_is_relayed() {
    let mut scene = three();
    for leg in [scene.caller.1, scene.agent.1] {
        scene.join(leg, Role::Party);
    }
    scene.join(scene.third.1, Role::Monitor);
    scene.asked();
    scene.bench.peer_ends(scene.third.0, 200);
    assert_eq!(scene.asked(), ["unbridge", "bridge", "close"]);
    scene.wind_up();
}

#[test]
fn a_leg_of_another_call_moves_and_its_call_ends() {
    let mut scene = three();
    for leg in [scene.caller.1, scene.agent.1] {
        scene.join(leg, Role::Party);
    }
    let (session, other, leg) = scene.bench.answered();
    scene.audiences();
    scene.bench.told.clear();
    scene.join(leg, Role::Monitor);
    let moved = Event::LegMoved { call: scene.call, leg, from: other };
    assert_eq!(scene.bench.told.first(), Some(&moved));
    let is_its_end = |event: &Event| matches!(event, Event::CallEnded { call, .. } if *call == other);
    assert!(scene.bench.told.iter().any(is_its_end));
    // It was at the other worker: until it is here, the two talk without it.
    assert_eq!(scene.audiences().len(), 2);
    scene.bench.hand_over_all();
    scene.bench.open_all();
    assert_eq!(scene.audiences().len(), 3);
    scene.bench.peer_ends(session, 200);
    let call = scene.call;
    let bench = scene.wind_up();
    let record = |id| bench.records.iter().find(|record| record.id == id).expect("a record");
    assert_eq!(record(other).legs.len(), 0);
    assert_eq!(record(other).end.cause, "moved");
    assert_eq!(record(call).legs.len(), 4);
    let facts = &record(other).timeline;
    assert!(facts.iter().any(|entry| entry.fact == CallFact::LegLeft { leg, to: call }));
}

#[test]
fn the_other_party_of_who_moves_stays_and_hears_nothing() {
    let mut scene = three();
    scene.join(scene.caller.1, Role::Party);
    let (_, other, caller) = scene.bench.answered();
    let (_, party) = scene.bench.dialled(other);
    scene.bench.command(Command::Bridge { a: caller, b: party });
    scene.join(caller, Role::Party);
    let command = scene.bench.command(play(party));
    assert_eq!(scene.bench.ending(command), "none", "it plays");
    scene.wind_up();
}

#[test]
fn plays_end_when_a_leg_joins_and_a_tone_tells_the_others() {
    let mut scene = Scene::conferring();
    scene.bench.command(Command::Unbridge { leg: scene.third.1 });
    let command = scene.bench.command(play(scene.third.1));
    scene.asked();
    let announce = vec![Prompt::Tone(Tone::Entry)];
    scene.bench.command(Command::Join { leg: scene.third.1, call: scene.call, role: Role::Party, announce });
    assert_eq!(scene.bench.ending(command), "played Stopped");
    assert_eq!(scene.asked(), ["join", "join", "join", "voice", "voice", "voice", "announce"]);
    scene.wind_up();
}

#[test]
fn levels_are_for_all_or_for_one_and_two_that_differ_are_mixed() {
    let mut scene = three();
    let (a, b) = (scene.caller.1, scene.agent.1);
    for leg in [a, b] {
        scene.join(leg, Role::Party);
    }
    scene.asked();
    let mute = scene.bench.command(Command::SetLevel { leg: a, to: None, level: Level::Muted });
    assert_eq!(scene.bench.ending(mute), "ok");
    let gains = |bench: &Bench| {
        let gain = |command: &media::Command| match command {
            media::Command::Voice { gain, .. } => Some(*gain),
            _ => None,
        };
        bench.media_commands.iter().filter_map(gain).collect::<Vec<_>>()
    };
    assert_eq!(gains(&scene.bench), [Gain::MUTED, Gain::UNITY]);
    scene.asked();
    scene.bench.command(Command::SetLevel { leg: a, to: Some(b), level: Level::Decibels(-6) });
    let quieter = Gain::from_decibels(-6).expect("in range");
    assert_eq!(gains(&scene.bench), [Gain::MUTED, quieter, Gain::UNITY]);
    scene.asked();
    scene.bench.command(Command::SetLevel { leg: a, to: None, level: Level::Decibels(0) });
    assert_eq!(scene.asked(), ["bridge"], "as they came: relayed");
    for (to, level) in
        [(None, Level::Decibels(21)), (Some(a), Level::Muted), (Some(scene.third.1), Level::Muted)]
    {
        let command = scene.bench.command(Command::SetLevel { leg: a, to, level });
        assert!(scene.bench.ending(command).starts_with("invalid"), "{to:?} {level:?}");
    }
    let outside =
        scene.bench.command(Command::SetLevel { leg: scene.third.1, to: None, level: Level::Muted });
    assert_eq!(scene.bench.ending(outside), "wrong-state");
    scene.wind_up();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut scene = three();
    let (caller, agent, third) = (scene.caller.1, scene.agent.1, scene.third.1);
    let nobody_to_coach = scene.bench.command(join(third, scene.call, Role::Coach { leg: agent }));
    assert!(scene.bench.ending(nobody_to_coach).starts_with("invalid"));
    scene.bench.command(Command::Bridge { a: third, b: third });
    let echo = scene.bench.command(join(third, scene.call, Role::Party));
    assert_eq!(scene.bench.ending(echo), "wrong-state");
    let nowhere = CallId { index: 77, generation: 0 };
    let unknown = scene.bench.command(join(caller, nowhere, Role::Party));
    assert_eq!(scene.bench.ending(unknown), "unknown-call");
    scene.bench.command(transfer(agent, caller));
    let transferring = scene.bench.command(join(agent, scene.call, Role::Party));
    assert_eq!(scene.bench.ending(transferring), "wrong-state");
    scene.bench.open_all();
    scene.wind_up();

    let mut scene = Scene::conferring();
    for command in [
        Command::Bridge { a: scene.caller.1, b: scene.agent.1 },
        Command::Transfer { leg: scene.agent.1, transferee: scene.caller.1, to: TransferTo::Control },
        play(scene.caller.1),
    ] {
        let command = scene.bench.command(command);
        assert_eq!(scene.bench.ending(command), "wrong-state");
    }
    scene.wind_up();
}

#[test]
fn no_call_gets_more_legs_by_joining_than_it_may_have() {
    let mut scene = three_at(Bench::with(SwitchConfig { max_legs_per_call: 4, ..config() }));
    scene.join(scene.caller.1, Role::Party);
    for is_allowed in [true, false] {
        let (_, _, leg) = scene.bench.answered();
        let command = scene.bench.command(join(leg, scene.call, Role::Monitor));
        let expected = if is_allowed { None } else { Some("legs in the call".to_owned()) };
        let found = match scene.bench.outcome(command) {
            Some(Err(CommandError::Limit(what))) => Some(what.clone()),
            _ => None,
        };
        assert_eq!(found, expected);
    }
    scene.wind_up();
}

#[test]
fn a_conference_has_a_limit() {
    let most = media::ConferenceId::MAX_MEMBERS;
    let mut bench =
        Bench::with(SwitchConfig { max_legs_per_call: u8::MAX, media_ports: 20_000..=20_199, ..config() });
    let (session, call, leg) = bench.answered();
    let mut legs = vec![leg];
    legs.extend((0..most).map(|_| bench.dialled(call).1));
    let endings: Vec<String> = legs
        .iter()
        .map(|leg| {
            let command = bench.command(join(*leg, call, Role::Party));
            bench.ending(command)
        })
        .collect();
    assert!(endings[..most].iter().all(|ending| ending == "ok"));
    assert_eq!(endings[most], "limit: legs in the conference");
    let agent = (session, leg);
    Scene { bench, call, caller: agent, agent, third: agent }.wind_up();
}

/// A member whose media ceases is hung up on; the others go on.
#[test]
fn a_member_without_media_leaves() {
    let mut scene = Scene::conferring();
    let endpoint = scene.bench.in_phase(super::bench::Endpoint::Open)[2];
    scene.bench.media_event(endpoint, media::Event::MediaTimeout { endpoint });
    let asked = scene.asked();
    assert_eq!(asked, ["unbridge", "bridge", "hang up: no media", "close"]);
    scene.wind_up();
}

/// Keys of a member are told; of two that are relayed they go on in signalling to who takes them so.
#[test]
fn keys_of_two_that_are_left_go_on() {
    let mut scene = three();
    let info = ua::NegotiatedAudio {
        send_event_payload_type: None,
        receive_event_payload_type: None,
        dtmf: ua::Dtmf::Info,
        ..audio(ua::AudioCodec::Pcmu)
    };
    scene.bench.session_event(ua::Event::Media { session: scene.agent.0, audio: info.into() });
    let pressed = |scene: &mut Scene| {
        scene.asked();
        let endpoint = scene.bench.in_phase(super::bench::Endpoint::Open)[0];
        let digit = media::Digit::from_event(5).expect("a digit");
        scene.bench.media_event(endpoint, media::Event::Digit { endpoint, digit });
        assert!(matches!(scene.bench.told.last(), Some(Event::Digit { digit: '5', .. })));
        scene.asked()
    };
    for leg in [scene.caller.1, scene.agent.1, scene.third.1] {
        scene.join(leg, Role::Party);
    }
    assert_eq!(pressed(&mut scene), Vec::<String>::new());
    scene.bench.command(Command::Unbridge { leg: scene.third.1 });
    assert_eq!(pressed(&mut scene), ["send 5"]);
    scene.wind_up();
}

/// The grace after the caller's leaving is for planes that have forgotten the call; who confers is not.
#[test]
fn a_conference_that_the_control_plane_forgot_ends_after_its_caller() {
    let mut scene = Scene::conferring();
    scene.bench.peer_ends(scene.caller.0, 200);
    scene.asked();
    scene.bench.advance(Duration::from_secs(10));
    let asked = scene.asked();
    assert_eq!(asked.iter().filter(|it| it.starts_with("hang up")).count(), 2, "{asked:?}");
    scene.wind_up();
}
