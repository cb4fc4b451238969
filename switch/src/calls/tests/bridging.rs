//! What legs hear: plays, collections, bridges.

use tandem_control_api::{CollectRules, Command, Event, Prompt, Repeat};
use tandem_media as media;
use tandem_sbc::user_agent as ua;

use super::bench::{Bench, Endpoint, play, rules};

fn digits(text: &str) -> media::DigitString {
    let mut digits = media::DigitString::default();
    for symbol in text.chars() {
        assert!(digits.push(media::Digit::from_char(symbol).unwrap()));
    }
    digits
}

#[test]
fn a_play_and_a_collection_end_as_the_worker_says() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let endpoint = bench.endpoint();
    let play = bench.command(play(leg));
    let collect = bench.command(Command::Collect { leg, rules: rules() });
    let (play_id, end) = (media::PlayId(1), media::PlayEnd::BargedIn);
    bench.media_event(endpoint, media::Event::PlayEnded { endpoint, play: play_id, end });
    assert_eq!(bench.ending(play), "played BargedIn");
    let end = media::CollectEnd::Terminator;
    let collected =
        || media::Event::Collected { endpoint, collect: media::CollectId(1), digits: digits("12"), end };
    bench.media_event(endpoint, collected());
    assert_eq!(bench.ending(collect), "collected \"12\" Terminator");
    bench.media_event(endpoint, collected());
    assert_eq!(bench.calls.counters().media_events_stale, 1, "a second report is nobody's");
}

#[test]
fn a_replaced_play_or_collection_ends_as_stopped_and_its_late_report_is_nobodys() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let endpoint = bench.endpoint();
    let first = bench.command(play(leg));
    let second = bench.command(play(leg));
    assert_eq!(bench.ending(first), "played Stopped");
    let end = media::PlayEnd::Stopped;
    bench.media_event(endpoint, media::Event::PlayEnded { endpoint, play: media::PlayId(1), end });
    assert_eq!(bench.ending(second), "none");
    let first = bench.command(Command::Collect { leg, rules: rules() });
    let second = bench.command(Command::Collect { leg, rules: rules() });
    assert_eq!(bench.ending(first), "collected \"\" Stopped");
    let (collect, end) = (media::CollectId(1), media::CollectEnd::Stopped);
    bench.media_event(endpoint, media::Event::Collected { endpoint, collect, digits: digits("9"), end });
    assert_eq!(bench.ending(second), "none");
}

#[test]
fn stop_ends_play_and_collection_and_is_done_when_there_is_neither() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let (play, collect) = (bench.command(play(leg)), bench.command(Command::Collect { leg, rules: rules() }));
    let stop = bench.command(Command::Stop { leg });
    assert_eq!(bench.ending(play), "played Stopped");
    assert_eq!(bench.ending(collect), "collected \"\" Stopped");
    assert_eq!(bench.ending(stop), "ok");
    let again = bench.command(Command::Stop { leg });
    assert_eq!(bench.ending(again), "ok");
    assert_eq!(bench.asked.iter().filter(|asked| *asked == "stop").count(), 1);
}

#[test]
fn fewer_digits_than_asked_for_are_reported_as_they_are() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let endpoint = bench.endpoint();
    let rules = CollectRules { min_digits: 3, ..rules() };
    let collect = bench.command(Command::Collect { leg, rules });
    let end = media::CollectEnd::InterDigitTimeout;
    bench.media_event(
        endpoint,
        media::Event::Collected { endpoint, collect: media::CollectId(1), digits: digits("1"), end },
    );
    assert_eq!(bench.ending(collect), "collected \"1\" InterDigitTimeout");
}

#[test]
fn digits_are_told_except_those_of_a_sensitive_collection() {
    let mut bench = Bench::new();
    let (_, call, leg) = bench.answered();
    let endpoint = bench.endpoint();
    let digit = media::Digit::from_char('7').unwrap();
    let told = |bench: &Bench| {
        let digit = Event::Digit { call, leg, digit: '7' };
        bench.told.iter().filter(|event| **event == digit).count()
    };
    bench.media_event(endpoint, media::Event::Digit { endpoint, digit });
    assert_eq!(told(&bench), 1);
    bench.command(Command::Collect { leg, rules: rules() });
    bench.media_event(endpoint, media::Event::Digit { endpoint, digit });
    assert_eq!(told(&bench), 2);
    bench.command(Command::Collect { leg, rules: CollectRules { sensitive: true, ..rules() } });
    bench.media_event(endpoint, media::Event::Digit { endpoint, digit });
    assert_eq!(told(&bench), 2, "a card number is nobody's business");
}

/// A key that came in an INFO goes where those go that came in RTP; one for a leg without media goes nowhere.
#[test]
fn a_key_that_came_in_sip_is_the_worker_s() {
    let mut bench = Bench::new();
    let (session, _, _) = bench.answered();
    let endpoint = bench.endpoint();
    bench.asked.clear();
    bench.session_event(tandem_sbc::user_agent::Event::Digit { session, digit: '7' });
    assert_eq!(bench.asked, ["digit"]);
    let digit = media::Digit::from_char('7').unwrap();
    let sent = bench.media_commands.last();
    assert!(matches!(sent, Some(media::Command::Digit { endpoint: to, digit: key })
        if *to == endpoint && *key == digit));
    let (early, ..) = bench.offered();
    bench.session_event(tandem_sbc::user_agent::Event::Digit { session: early, digit: '7' });
    assert_eq!(bench.asked, ["digit"]);
}

#[test]
fn a_bridge_ends_what_both_legs_heard() {
    let mut bench = Bench::new();
    let (_, call, caller) = bench.answered();
    let (_, agent) = bench.dialled(call);
    let music = bench.command(play(caller));
    let whisper = bench.command(play(agent));
    let collect = bench.command(Command::Collect { leg: agent, rules: rules() });
    bench.asked.clear();
    let bridge = bench.command(Command::Bridge { a: caller, b: agent });
    assert_eq!(bench.ending(music), "played Stopped");
    assert_eq!(bench.ending(whisper), "played Stopped");
    assert_eq!(bench.ending(collect), "collected \"\" Stopped");
    assert_eq!(bench.ending(bridge), "ok");
    assert_eq!(bench.asked, ["bridge"]);
    let again = bench.command(Command::Bridge { a: agent, b: caller });
    assert_eq!(bench.ending(again), "ok", "they are");
    assert_eq!(bench.asked, ["bridge"], "and nothing more is to be done");
}

#[test]
fn legs_are_bridged_only_within_their_call_and_only_once() {
    let mut bench = Bench::new();
    let (_, call, caller) = bench.answered();
    let (_, agent) = bench.dialled(call);
    let (_, _, stranger) = bench.answered();
    let other_call = bench.command(Command::Bridge { a: caller, b: stranger });
    assert_eq!(bench.ending(other_call), "different-calls");
    bench.command(Command::Bridge { a: caller, b: agent });
    let (_, second_agent) = bench.dialled(call);
    for (a, b) in [(caller, second_agent), (second_agent, caller), (caller, caller)] {
        let bridge = bench.command(Command::Bridge { a, b });
        assert_eq!(bench.ending(bridge), "wrong-state", "parted first, by the control plane");
    }
}

#[test]
fn when_a_bridged_leg_ends_the_other_is_for_itself_again() {
    let mut bench = Bench::new();
    let (_, call, caller) = bench.answered();
    let (session, agent) = bench.dialled(call);
    bench.command(Command::Bridge { a: caller, b: agent });
    bench.asked.clear();
    bench.peer_ends(session, 200);
    assert_eq!(bench.asked, ["unbridge", "close"]);
    let music = bench.command(play(caller));
    assert_eq!(bench.ending(music), "none", "it plays");
}

#[test]
fn an_echo_is_a_leg_bridged_to_itself() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let bridge = bench.command(Command::Bridge { a: leg, b: leg });
    assert_eq!(bench.ending(bridge), "ok");
    let endpoint = bench.endpoint();
    assert!(matches!(
        bench.media_commands.last(),
        Some(media::Command::Bridge { a, b }) if (*a, *b) == (endpoint, endpoint)
    ));
    let unbridge = bench.command(Command::Unbridge { leg });
    assert_eq!(bench.ending(unbridge), "ok");
    let play = bench.command(play(leg));
    assert_eq!(bench.ending(play), "none", "it plays");
}

#[test]
fn prompts_become_segments_in_order() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let prompts = vec![
        Prompt::Named("welcome".to_owned()),
        Prompt::Digits("1*#a".to_owned()),
        Prompt::Tone(tandem_control_api::Tone::Beep),
        Prompt::Silence(std::time::Duration::from_secs(1)),
    ];
    bench.command(Command::Play {
        leg,
        prompts,
        repeat: Repeat::Forever,
        barge_in: tandem_control_api::BargeIn::Never,
    });
    let Some(media::Command::Play { segments, times, barge_in, .. }) = bench.media_commands.last() else {
        panic!("not played")
    };
    assert_eq!((*times, *barge_in), (None, media::BargeIn::Never));
    assert!(matches!(
        &segments[..],
        [
            media::Segment::Audio(audio),
            media::Segment::Digits(digits),
            media::Segment::Tone(media::Tone::Beep),
            media::Segment::Silence(_)
        ] if audio.samples().len() == 800 && **digits == *"1*#a"
    ));
}

#[test]
fn what_cannot_be_played_or_collected_is_said_and_the_old_play_goes_on() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let music = bench.command(play(leg));
    let try_play = |bench: &mut Bench, prompts: Vec<Prompt>| {
        let id = bench.command(Command::Play {
            leg,
            prompts,
            repeat: Repeat::Forever,
            barge_in: tandem_control_api::BargeIn::Never,
        });
        bench.ending(id)
    };
    assert_eq!(try_play(&mut bench, vec![Prompt::Named("missing".to_owned())]), "unknown-prompt");
    assert_eq!(try_play(&mut bench, vec![Prompt::Digits("12x".to_owned())]), "unknown-prompt");
    assert_eq!(try_play(&mut bench, Vec::new()), "invalid: prompts: nothing to play");
    let silence = vec![Prompt::Silence(std::time::Duration::ZERO)];
    assert_eq!(try_play(&mut bench, silence), "invalid: prompts: nothing to play");
    assert_eq!(bench.ending(music), "none");
    for (rules, field) in [
        (CollectRules { max_digits: 0, min_digits: 0, ..rules() }, "max_digits"),
        (CollectRules { max_digits: 65, ..rules() }, "max_digits"),
        (CollectRules { min_digits: 5, ..rules() }, "min_digits"),
        (CollectRules { terminators: "x".to_owned(), ..rules() }, "terminators"),
    ] {
        let collect = bench.command(Command::Collect { leg, rules });
        assert_eq!(bench.ending(collect), format!("invalid: {field}"));
    }
    let most = bench.command(Command::Collect { leg, rules: CollectRules { max_digits: 64, ..rules() } });
    assert_eq!(bench.ending(most), "none");
}

#[test]
fn the_other_legs_endpoint_is_the_one_bridged() {
    let mut bench = Bench::new();
    let (_, call, caller) = bench.answered();
    let (_, agent) = bench.dialled(call);
    bench.command(Command::Bridge { a: caller, b: agent });
    let open = bench.in_phase(Endpoint::Open);
    assert!(matches!(
        bench.media_commands.last(),
        Some(media::Command::Bridge { a, b }) if (*a, *b) == (open[0], open[1])
    ));
}

/// A key goes to the other party in SIP when its media has no telephone events, once; else the relay has it.
#[test]
fn a_key_is_sent_in_sip_to_who_takes_no_events() {
    for (takes_events, is_bridged) in [(true, true), (false, true), (false, false)] {
        let mut bench = Bench::new();
        let (caller, call, leg) = bench.answered();
        let (session, agent) = bench.dialled(call);
        let events = takes_events.then_some(101);
        let audio = ua::NegotiatedAudio {
            send_event_payload_type: events,
            receive_event_payload_type: events,
            ..super::bench::audio(ua::AudioCodec::Pcmu)
        };
        bench.session_event(ua::Event::Media { session, audio: audio.into() });
        if is_bridged {
            bench.command(Command::Bridge { a: leg, b: agent });
        }
        let endpoint = *bench.endpoints.keys().next().expect("the caller's");
        bench.asked.clear();
        bench.media_event(
            endpoint,
            media::Event::Digit { endpoint, digit: media::Digit::from_event(5).unwrap() },
        );
        let expected: &[&str] = if is_bridged && !takes_events { &["send 5"] } else { &[] };
        assert_eq!(bench.asked, expected);
        // One that comes in SIP goes to the worker, which tells of it as of any other.
        bench.asked.clear();
        bench.session_event(ua::Event::Digit { session: caller, digit: '6' });
        assert_eq!(bench.asked, ["digit"]);
    }
}

/// Of phones alone, whose keys may be a code for us; a carrier's callers have none.
#[test]
fn a_key_that_may_be_a_code_goes_on_in_sip_when_it_is_none() {
    let config = crate::SwitchConfig { feature_codes: [digits("*3")].into(), ..super::bench::config() };
    let mut bench = Bench::with(config);
    let session = bench.incoming_from(ua::Source::Trunk("carrier".to_owned()), true);
    let offered = bench.told.iter().find_map(|event| match event {
        Event::CallOffered { call, leg, .. } => Some((*call, *leg)),
        _ => None,
    });
    let (call, caller) = offered.expect("offered");
    bench.command(Command::Answer { leg: caller });
    bench.open_all();
    bench.session_event(ua::Event::Confirmed { session });
    let without =
        ua::NegotiatedAudio { send_event_payload_type: None, ..super::bench::audio(ua::AudioCodec::Pcmu) };
    bench.session_event(ua::Event::Media { session, audio: without.into() });
    let (_, agent) = bench.dialled(call);
    let held_back: Vec<_> = bench
        .media_commands
        .iter()
        .filter_map(|command| match command {
            media::Command::HoldBack { endpoint, codes } if !codes.is_empty() => Some(*endpoint),
            _ => None,
        })
        .collect();
    let endpoint = *held_back.first().expect("the phone's");
    assert!(held_back.iter().all(|other| *other == endpoint), "nobody else's: {held_back:?}");
    bench.command(Command::Bridge { a: caller, b: agent });
    bench.asked.clear();
    let digit = media::Digit::from_char('*').expect("a digit");
    bench.media_event(endpoint, media::Event::Digit { endpoint, digit });
    assert!(bench.told.contains(&Event::Digit { call, leg: agent, digit: '*' }), "it is told at once");
    assert_eq!(bench.asked, [""; 0]);
    bench.media_event(endpoint, media::Event::KeyPassed { endpoint, digit });
    assert_eq!(bench.asked, ["send *"]);
}
