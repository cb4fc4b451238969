//! The watch over a party that should send, and the totals of a call.

use std::time::Duration;

use tandem_media::*;

use crate::support::*;

const TIMEOUT: Duration = Duration::from_secs(10);

fn watched() -> StreamParameters {
    StreamParameters { media_timeout: Some(TIMEOUT), ..stream(0) }
}

fn timeouts(bench: &mut Bench) -> usize {
    bench.take_events().iter().filter(|event| matches!(event, Event::MediaTimeout { .. })).count()
}

#[test]
fn silence_is_reported_once_and_again_after_the_next_packet() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, watched());
    let mut caller = Source::new(1, 0);
    bench.run(MS * 9_000);
    bench.packet(endpoint, party(0), &caller.audio(&[1; 160]));
    bench.run(MS * 9_999);
    assert_eq!(timeouts(&mut bench), 0);
    bench.run(MS);
    assert_eq!(timeouts(&mut bench), 1);
    bench.run(TIMEOUT * 5);
    assert_eq!(timeouts(&mut bench), 0);
    bench.packet(endpoint, party(0), &caller.audio(&[1; 160]));
    bench.run(TIMEOUT);
    assert_eq!(timeouts(&mut bench), 1);
}

#[test]
fn packets_of_a_stranger_do_not_count_as_life() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, watched());
    let mut stranger = Source::new(1, 0);
    for _ in 0..11 {
        bench.packet(endpoint, party(1), &stranger.audio(&[1; 160]));
        bench.run(MS * 1_000);
    }
    assert_eq!(timeouts(&mut bench), 1);
}

#[test]
fn nothing_is_expected_of_a_party_on_hold() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, watched());
    let held = StreamParameters { direction: Direction::SendOnly, ..watched() };
    bench.command(Command::Configure { endpoint, stream: held });
    bench.run(TIMEOUT * 3);
    assert_eq!(timeouts(&mut bench), 0);
    bench.command(Command::Configure { endpoint, stream: watched() });
    bench.run(TIMEOUT - MS);
    assert_eq!(timeouts(&mut bench), 0, "the time starts anew when the party may send again");
    bench.run(MS);
    assert_eq!(timeouts(&mut bench), 1);
}

/// Loses every tenth of 1000 packets and delays every other by 4 ms.
#[test]
fn the_totals_tell_loss_jitter_and_quality() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let mut caller = Source::new(0xffff_fff0, 0);
    for n in 0..1_000 {
        let packet = caller.audio(&[1; 160]);
        let late = if n % 2 == 0 { MS * 4 } else { Duration::ZERO };
        bench.run(late);
        if n % 10 != 5 {
            bench.packet(endpoint, party(0), &packet);
        }
        bench.run(PTIME - late);
    }
    press(&mut bench, endpoint, party(0), &mut caller, '5');
    bench.command(Command::Close { endpoint });
    bench.run(MS);
    let events = bench.take_events();
    let Some(Event::Closed { statistics, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!((statistics.packets_received, statistics.packets_lost), (907, 100));
    assert_eq!(statistics.digits_received, 1);
    assert!((3_000..4_100).contains(&statistics.jitter_us), "{statistics:?}");
    assert!(statistics.jitter_max_us >= statistics.jitter_us);
    let mos = statistics.mos.unwrap();
    assert!((2.7..3.6).contains(&mos), "a tenth lost is poor: {mos}");
}

#[test]
fn quality_falls_with_loss_jitter_and_delay() {
    let ms = Duration::from_millis;
    let score = |loss_percent, jitter, round_trip| {
        let conditions = quality::Conditions { loss_percent, burst_ratio: 1.0, jitter, round_trip };
        conditions.mean_opinion_score(quality::Impairment::G711)
    };
    let clean = score(0.0, ms(0), ms(0));
    assert!((4.3..4.45).contains(&clean), "{clean}");
    for worse in [score(1.0, ms(0), ms(0)), score(0.0, ms(40), ms(0)), score(0.0, ms(0), ms(400))] {
        assert!(worse < clean, "{worse}");
    }
    assert!(score(100.0, ms(500), ms(3_000)) >= 1.0);
    assert!(score(100.0, ms(0), ms(0)) < 1.6);
}
