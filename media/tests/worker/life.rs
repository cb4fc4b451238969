//! Endpoints from open to closed, and what a command means to one that is not open.

use std::net::SocketAddr;

use tandem_media::*;

use crate::support::*;

fn id(index: u32, generation: u32) -> EndpointId {
    EndpointId { index, generation }
}

#[test]
fn a_worker_holds_as_many_endpoints_as_it_was_made_for_and_no_more() {
    let mut bench = Bench::new(2);
    bench.open(0, stream(0));
    bench.open(1, stream(1));
    assert_eq!(bench.worker.endpoints(), 2);
    let one_more = id(2, 1);
    bench.command(Command::Open { endpoint: one_more, local: local(2) });
    assert_eq!(bench.take_events(), [Event::OpenFailed { endpoint: one_more }]);
    assert_eq!(bench.worker.endpoints(), 2);
    assert!(bench.requests.is_empty());
}

#[test]
fn a_port_that_cannot_be_bound_leaves_nothing_behind() {
    let mut bench = Bench::new(1);
    let endpoint = id(0, 1);
    bench.command(Command::Open { endpoint, local: local(0) });
    bench.worker.handle_bound(bench.now, endpoint, false);
    bench.drain();
    assert_eq!(bench.take_events(), [Event::OpenFailed { endpoint }]);
    assert_eq!(bench.worker.endpoints(), 0);
}

#[test]
fn the_last_port_has_no_rtcp_port_and_is_refused() {
    let mut bench = Bench::new(1);
    let endpoint = id(0, 1);
    let local = SocketAddr::from(([127, 0, 0, 1], u16::MAX));
    bench.command(Command::Open { endpoint, local });
    assert_eq!(bench.take_events(), [Event::OpenFailed { endpoint }]);
}

#[test]
fn closing_says_goodbye_then_unbinds_then_reports() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(100))]));
    bench.run(MS * 50);
    bench.sent.clear();
    bench.command(Command::Close { endpoint });
    let goodbye = bench.sent.pop().unwrap();
    assert_eq!((goodbye.channel, goodbye.destination), (Channel::Rtcp, rtcp_of(party(0))));
    assert!(bench.requests.is_empty(), "the sockets stay open until the goodbye is sent");
    bench.run(MS);
    assert_eq!(bench.requests, [IoRequest::Unbind { endpoint }]);
    let events = bench.take_events();
    let [Event::PlayEnded { end: PlayEnd::Stopped, .. }, Event::Closed { statistics, .. }] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(statistics.packets_sent, 3);
    assert_eq!(bench.worker.endpoints(), 0);
    assert_eq!(bench.worker.poll_timeout(), None, "nothing is left to wait for");
}

#[test]
fn closing_one_that_sent_nothing_is_silent() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(Command::Close { endpoint });
    bench.run(MS);
    assert!(bench.sent.is_empty(), "RFC 3550 §6.3.7");
    assert!(matches!(bench.take_events()[..], [Event::Closed { .. }]));
}

#[test]
fn closing_while_being_bound_ends_in_one_event() {
    for (bound, unbinds) in [(true, 1), (false, 0)] {
        let mut bench = Bench::new(1);
        let endpoint = id(0, 1);
        bench.command(Command::Open { endpoint, local: local(0) });
        bench.requests.clear();
        bench.command(Command::Close { endpoint });
        bench.worker.handle_bound(bench.now, endpoint, bound);
        bench.drain();
        let events = bench.take_events();
        match bound {
            true => assert!(matches!(events[..], [Event::Closed { .. }])),
            false => assert_eq!(events, [Event::OpenFailed { endpoint }]),
        }
        assert_eq!((bench.requests.len(), bench.worker.endpoints()), (unbinds, 0));
    }
}

#[test]
fn a_slot_is_used_again_by_the_next_generation_only_after_closing() {
    let mut bench = Bench::new(1);
    let first = bench.open(0, stream(0));
    let second = id(0, 2);
    bench.command(Command::Open { endpoint: second, local: local(0) });
    assert_eq!(bench.take_events(), [Event::OpenFailed { endpoint: second }]);
    bench.command(Command::Close { endpoint: first });
    bench.run(MS);
    bench.take_events();
    bench.command(Command::Open { endpoint: second, local: local(0) });
    bench.worker.handle_bound(bench.now, second, true);
    bench.drain();
    assert_eq!(bench.take_events(), [Event::Opened { endpoint: second }]);
    let stale = Source::new(1, 0).audio(&[0; 160]);
    assert_eq!(bench.packet(first, party(0), &stale).map(|sent| sent.endpoint), None);
    assert_eq!(bench.refused(Refusal::UnknownEndpoint), 1);
}

/// Every command to an endpoint that is free, being bound, leaving, or of another generation.
#[test]
fn commands_to_what_is_not_open_are_ignored_and_counted() {
    let commands = |endpoint: EndpointId| {
        [
            Command::Configure { endpoint, stream: stream(0) },
            Command::Bridge { a: endpoint, b: endpoint },
            Command::Unbridge { endpoint },
            play(endpoint, 1, vec![Segment::Audio(audio_of_ms(20))]),
            Command::Collect { endpoint, collect: CollectId(1), rules: rules(1, "") },
            Command::Stop { endpoint },
            Command::Close { endpoint },
        ]
    };
    let ignores = |bench: &mut Bench, endpoint, count: usize| {
        let before = bench.worker.counters().commands_ignored;
        commands(endpoint).into_iter().take(count).for_each(|command| bench.command(command));
        assert_eq!(bench.worker.counters().commands_ignored - before, count as u64);
        assert_eq!(bench.take_events(), []);
    };
    let mut bench = Bench::new(2);
    ignores(&mut bench, id(0, 1), 7);
    ignores(&mut bench, id(u32::MAX, 1), 7);
    bench.command(Command::Open { endpoint: id(0, 1), local: local(0) });
    ignores(&mut bench, id(0, 1), 6); // but not its close
    let open = bench.open(1, stream(1));
    ignores(&mut bench, id(1, 2), 7);
    bench.command(play(open, 1, vec![Segment::Audio(audio_of_ms(20))]));
    bench.run(MS);
    bench.command(Command::Close { endpoint: open });
    bench.take_events();
    ignores(&mut bench, open, 7); // it is saying goodbye
}

#[test]
fn a_bridge_ends_with_either_end_and_names_nobody_afterwards() {
    let mut bench = Bench::new(3);
    let [a, b, c] = [0, 1, 2].map(|index| bench.open(index, stream(index)));
    let mut alice = Source::new(1, 0);
    bench.command(Command::Bridge { a, b });
    bench.command(Command::Bridge { a, b: c });
    assert_eq!(bench.packet(a, party(0), &alice.audio(&[1; 160])).unwrap().endpoint, c);
    let mut bob = Source::new(2, 0);
    assert!(bench.packet(b, party(1), &bob.audio(&[1; 160])).is_none(), "b lost its bridge to a");
    bench.command(Command::Close { endpoint: c });
    assert!(bench.packet(a, party(0), &alice.audio(&[1; 160])).is_none());
    bench.command(Command::Unbridge { endpoint: a });
    assert_eq!(bench.worker.counters().commands_ignored, 1, "there is no bridge to end any more");
}

#[test]
fn a_bridge_with_somebody_not_open_changes_nothing() {
    let mut bench = Bench::new(3);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    bench.command(Command::Bridge { a, b });
    bench.command(Command::Bridge { a, b: id(2, 1) });
    let relayed = bench.packet(a, party(0), &Source::new(1, 0).audio(&[1; 160]));
    assert_eq!(relayed.map(|sent| sent.endpoint), Some(b));
}
