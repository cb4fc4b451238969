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
