//! Digits, from packets to collections.

use tandem_media::*;

use crate::support::*;

fn collect(endpoint: EndpointId, collect: u64, rules: CollectRules) -> Command {
    Command::Collect { endpoint, collect: CollectId(collect), rules }
}

fn collected(endpoint: EndpointId, collect: u64, text: &str, end: CollectEnd) -> Event {
    Event::Collected { endpoint, collect: CollectId(collect), digits: digits(text), end }
}

#[test]
fn pressed_keys_are_collected_once_each_until_the_terminator() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(collect(endpoint, 3, rules(8, "#")));
    let mut caller = Source::new(5, 0);
    for digit in "1442#".chars() {
        press(&mut bench, endpoint, party(0), &mut caller, digit);
    }
    let events = bench.take_events();
    let keys = events.iter().filter(|event| matches!(event, Event::Digit { .. })).count();
    assert_eq!(keys, 5);
    assert_eq!(events.last(), Some(&collected(endpoint, 3, "1442", CollectEnd::Terminator)));
}

/// A key that came in SIP (INFO) counts like one that came in RTP, for barge-in and type-ahead too.
#[test]
fn keys_that_came_by_another_way_are_collected() {
    let mut caller = Caller::new();
    let endpoint = caller.endpoint;
    let digit = Digit::from_char('1').unwrap();
    caller.play(1, 5_000, true);
    caller.bench.command(Command::Digit { endpoint, digit });
    assert!(
        caller.bench.take_events().contains(&Event::PlayEnded {
            endpoint,
            play: PlayId(1),
            end: PlayEnd::BargedIn
        }),
        "barged in"
    );
    caller.collect(2, rules(3, "#"));
    caller.keys("2");
    caller.bench.command(Command::Digit { endpoint, digit });
    assert_eq!(
        caller.bench.take_events().last(),
        Some(&collected(endpoint, 2, "121", CollectEnd::MaxDigits))
    );
}

/// A caller at an endpoint of its own.
struct Caller {
    bench: Bench,
    endpoint: EndpointId,
    source: Source,
}

impl Caller {
    fn new() -> Self {
        let mut bench = Bench::new(2);
        let endpoint = bench.open(0, stream(0));
        Self { bench, endpoint, source: Source::new(3, 0) }
    }

    /// Keys, one each 140 ms.
    fn keys(&mut self, keys: &str) {
        for key in keys.chars() {
            press(&mut self.bench, self.endpoint, party(0), &mut self.source, key);
        }
    }

    fn collect(&mut self, id: u64, rules: CollectRules) {
        self.bench.command(collect(self.endpoint, id, rules));
    }

    fn play(&mut self, id: u64, ms: usize, barge_in: bool) {
        let barge_in = if barge_in { BargeIn::Digit } else { BargeIn::Never };
        let segments = [Segment::Audio(audio_of_ms(ms))].into();
        let (endpoint, play) = (self.endpoint, PlayId(id));
        self.bench.command(Command::Play { endpoint, play, segments, times: Some(1), barge_in });
    }

    /// What was collected, as `id:digits:end`, and plays, as `id:end`; keys told, as themselves.
    fn told(&mut self) -> Vec<String> {
        let events = self.bench.take_events().into_iter().filter_map(|event| match event {
            Event::Collected { collect, digits, end, .. } => Some(format!("{}:{digits}:{end:?}", collect.0)),
            Event::PlayEnded { play, end, .. } => Some(format!("{}:{end:?}", play.0)),
            Event::Digit { digit, .. } => Some(digit.as_char().to_string()),
            _ => None,
        });
        events.collect()
    }
}

#[test]
fn a_collection_ends_with_its_last_digit() {
    let mut caller = Caller::new();
    caller.collect(1, rules(2, "#"));
    caller.keys("12");
    assert_eq!(caller.told(), ["1", "2", "1:12:MaxDigits"]);
}

#[test]
fn the_first_digit_is_waited_for_from_now_or_from_the_end_of_the_play() {
    let mut caller = Caller::new();
    caller.collect(1, rules(2, "#"));
    caller.bench.run(MS * 4_999);
    assert_eq!(caller.told(), [""; 0]);
    caller.bench.run(MS);
    assert_eq!(caller.told(), ["1::FirstDigitTimeout"]);

    for collect_first in [true, false] {
        if collect_first {
            caller.collect(2, rules(2, "#"));
        }
        caller.play(7, 10_000, true);
        if !collect_first {
            caller.collect(2, rules(2, "#"));
        }
        caller.bench.run(MS * 10_020);
        assert_eq!(caller.told(), ["7:Finished"]);
        caller.bench.run(MS * 4_960);
        assert_eq!(caller.told(), [""; 0]);
        caller.bench.run(MS * 40);
        assert_eq!(caller.told(), ["2::FirstDigitTimeout"]);
    }
}

#[test]
fn each_further_digit_is_waited_for_from_the_end_of_the_press_before() {
    let mut caller = Caller::new();
    caller.collect(1, rules(4, "#"));
    for packet in caller.source.press('1', 300) {
        caller.bench.packet(caller.endpoint, party(0), &packet);
        caller.bench.run(PTIME);
    }
    assert_eq!(caller.told(), ["1"], "a key held for six seconds is no pause");
    caller.bench.run(MS * 2_900);
    assert_eq!(caller.told(), [""; 0]);
    caller.bench.run(MS * 100);
    assert_eq!(caller.told(), ["1:1:InterDigitTimeout"]);
}

#[test]
fn a_digit_ends_a_play_that_may_be_barged_into_and_no_other() {
    let mut caller = Caller::new();
    caller.play(1, 5_000, true);
    caller.collect(1, rules(4, "#"));
    caller.keys("1");
    assert_eq!(caller.told(), ["1", "1:BargedIn"]);
    caller.play(2, 100, false);
    caller.keys("2#");
    assert_eq!(caller.told(), ["2", "2:Finished", "#", "1:12:Terminator"]);
}

#[test]
fn digits_keyed_ahead_are_taken_first_and_end_the_prompt_they_answer() {
    let mut caller = Caller::new();
    caller.keys("123");
    caller.told();
    caller.play(1, 5_000, true);
    caller.collect(1, rules(2, ""));
    assert_eq!(caller.told(), ["1:BargedIn", "1:12:MaxDigits"]);
    caller.collect(2, rules(2, ""));
    caller.keys("4");
    assert_eq!(caller.told(), ["4", "2:34:MaxDigits"]);
    caller.keys("5");
    caller.collect(3, CollectRules { clear_typeahead: true, ..rules(1, "") });
    caller.keys("6");
    assert_eq!(caller.told(), ["5", "6", "3:6:MaxDigits"]);
}

#[test]
fn a_terminator_after_a_full_collection_does_not_reach_the_next_menu() {
    let mut caller = Caller::new();
    caller.collect(1, rules(2, "#"));
    caller.keys("12#");
    caller.collect(2, rules(1, ""));
    caller.keys("3");
    assert_eq!(caller.told(), ["1", "2", "1:12:MaxDigits", "#", "3", "2:3:MaxDigits"]);

    caller.collect(3, rules(2, "#"));
    caller.keys("12");
    caller.play(3, 5_000, true);
    caller.collect(4, rules(1, ""));
    caller.keys("#");
    assert_eq!(caller.told(), ["1", "2", "3:12:MaxDigits", "#"], "nor does it end its prompt");
    caller.keys("#");
    assert_eq!(caller.told(), ["#", "3:BargedIn", "4:#:MaxDigits"], "a second one is meant");
}

#[test]
fn a_terminator_long_after_a_full_collection_is_a_key_like_any_other() {
    let mut caller = Caller::new();
    caller.collect(1, rules(1, "#"));
    caller.keys("1");
    caller.bench.run(MS * 2_000);
    caller.collect(2, rules(1, ""));
    caller.keys("#");
    assert_eq!(caller.told(), ["1", "1:1:MaxDigits", "#", "2:#:MaxDigits"]);
}

#[test]
fn all_keyed_ahead_a_terminator_that_follows_a_full_collection_is_its_own() {
    let mut caller = Caller::new();
    caller.keys("12#34#");
    caller.told();
    caller.collect(1, rules(2, "#"));
    caller.collect(2, rules(2, "#"));
    caller.collect(3, rules(2, "#"));
    assert_eq!(caller.told(), ["1:12:MaxDigits", "2:34:MaxDigits"]);
}

#[test]
fn sensitive_digits_are_told_only_as_a_whole() {
    let mut caller = Caller::new();
    caller.collect(1, CollectRules { sensitive: true, ..rules(2, "#") });
    caller.keys("12#");
    assert_eq!(caller.told(), ["1:12:MaxDigits"]);
}

#[test]
fn no_debug_output_tells_which_digits_were_keyed() {
    let shown = |keys: &str, last: char| {
        let mut caller = Caller::new();
        caller.keys(keys);
        caller.told();
        caller.collect(2, CollectRules { sensitive: true, ..rules(4, "#") });
        caller.keys(keys);
        let down = caller.source.press(last, 4);
        caller.bench.packet(caller.endpoint, party(0), &down[0]);
        let played_back = Segment::Digits(keys.into());
        format!("{:?} {:?} {played_back:?}", caller.bench.events, caller.bench.worker)
    };
    assert_eq!(shown("9", '8'), shown("1", '2'));
    assert!(shown("9", '8').contains("DigitString(3 digits)"), "while it is under way");
}

#[test]
fn a_collection_holds_64_digits_and_type_ahead_too() {
    let mut caller = Caller::new();
    let most = "1234567890123456789012345678901234567890123456789012345678901234";
    assert_eq!(most.len(), usize::from(CollectRules::MAX_DIGITS));
    caller.keys(most);
    assert_eq!(caller.bench.worker.counters().digits_dropped, 0);
    caller.keys("9");
    assert_eq!(caller.bench.worker.counters().digits_dropped, 1);
    caller.told();
    caller.collect(1, rules(255, ""));
    assert_eq!(caller.told(), [format!("1:{most}:MaxDigits")]);
}

#[test]
fn a_collection_is_replaced_stopped_and_ended_by_a_bridge_with_one_event_each() {
    let mut caller = Caller::new();
    let other = caller.bench.open(1, stream(1));
    caller.collect(1, rules(4, "#"));
    caller.keys("1");
    caller.collect(2, rules(4, "#"));
    caller.bench.command(Command::Stop { endpoint: caller.endpoint });
    caller.collect(3, rules(4, "#"));
    caller.bench.command(Command::Bridge { a: other, b: caller.endpoint });
    caller.bench.run(MS * 60_000);
    assert_eq!(caller.told(), ["1", "1:1:Stopped", "2::Stopped", "3::Stopped"]);
}

#[test]
fn keys_of_a_bridged_party_are_meant_for_the_other_one() {
    let mut caller = Caller::new();
    let other = caller.bench.open(1, stream(1));
    caller.bench.command(Command::Bridge { a: other, b: caller.endpoint });
    caller.keys("12");
    caller.bench.command(Command::Unbridge { endpoint: other });
    caller.told();
    caller.collect(1, rules(1, ""));
    caller.keys("3");
    assert_eq!(caller.told(), ["3", "1:3:MaxDigits"]);
}

#[test]
fn a_collection_of_no_digits_ends_at_once() {
    let mut caller = Caller::new();
    caller.collect(1, rules(0, "#"));
    assert_eq!(caller.told(), ["1::MaxDigits"]);
}

#[test]
fn keys_that_nobody_drains_are_dropped_and_counted() {
    let mut caller = Caller::new();
    for _ in 0..10 {
        let packet = caller.source.press('1', 2).swap_remove(0);
        let mut buffer = packet.clone();
        let (now, endpoint) = (caller.bench.now, caller.endpoint);
        caller.bench.worker.handle_packet(now, endpoint, Channel::Rtp, party(0), &mut buffer, packet.len());
    }
    caller.bench.drain();
    // Four events an endpoint; the first is that media started.
    assert_eq!((caller.told().len(), caller.bench.worker.counters().events_dropped), (7, 3));
    caller.collect(1, rules(20, ""));
    caller.bench.run(MS * 5_000);
    assert_eq!(caller.told(), ["1:1111111111:InterDigitTimeout"], "but they were collected");
}
