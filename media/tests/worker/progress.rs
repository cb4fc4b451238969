//! What answers, found out by a worker from packets: lost, late and silent ones included.

use std::f64::consts::TAU;

use tandem_media::codec::g711::Law;
use tandem_media::progress::{EvidenceKind, Finding, ProgressRules, Verdict};
use tandem_media::*;

use crate::support::*;

fn samples(ms: u32) -> std::ops::Range<u32> {
    0..ms * 8
}

fn silence(ms: u32) -> Vec<u8> {
    samples(ms).map(|_| Law::Pcmu.encode(0)).collect()
}

fn tone(hz: f64, ms: u32) -> Vec<u8> {
    let at = |n: u32| (6_000.0 * (TAU * hz * f64::from(n) / 8_000.0).sin()) as i16;
    samples(ms).map(|n| Law::Pcmu.encode(at(n))).collect()
}

fn busy() -> Vec<u8> {
    [tone(425.0, 480), silence(480)].concat().repeat(4)
}

fn speak(
    bench: &mut Bench,
    endpoint: EndpointId,
    source: &mut Source,
    audio: &[u8],
    lost: impl Fn(usize) -> bool,
) {
    for (number, payload) in audio.chunks(160).enumerate() {
        let packet = source.audio(payload);
        if !lost(number) {
            bench.packet(endpoint, party(endpoint.index), &packet);
        }
        bench.run(PTIME);
    }
}

fn found(bench: &mut Bench) -> Vec<Finding> {
    let events = bench.take_events().into_iter();
    events
        .filter_map(|event| if let Event::Progress { finding, .. } = event { Some(finding) } else { None })
        .collect()
}

fn analyse(bench: &mut Bench, endpoint: EndpointId, is_answered: bool) {
    bench.command(Command::Analyse { endpoint, rules: ProgressRules::default(), is_answered });
}

#[test]
fn a_busy_tone_is_told_before_the_answer_though_every_tenth_packet_is_lost() {
    for lost in 0..10 {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, stream(0));
        analyse(&mut bench, endpoint, false);
        speak(&mut bench, endpoint, &mut Source::new(5, 0), &busy(), |number| number % 10 == lost);
        let told = found(&mut bench);
        assert!(matches!(told[..], [Finding::Verdict { verdict: Verdict::Busy, .. }]), "{told:?}");
    }
}

/// The evidence comes with the verdict, and what is heard is relayed as ever.
#[test]
fn a_bridged_party_is_listened_to_and_heard() {
    let mut bench = Bench::new(2);
    let (a, b) = (bench.open(0, stream(0)), bench.open(1, stream(1)));
    bench.command(Command::Bridge { a, b });
    analyse(&mut bench, a, true);
    speak(&mut bench, a, &mut Source::new(5, 0), &busy(), |_| false);
    assert_eq!(bench.take_rtp(b).len(), busy().len() / 160);
    let evidence = bench.take_events().into_iter().find_map(|event| match event {
        Event::Progress { endpoint, evidence, .. } if endpoint == a => Some(evidence),
        _ => None,
    });
    let tones =
        evidence.expect("a verdict").iter().filter(|it| matches!(it.kind, EvidenceKind::Tone { .. })).count();
    assert_eq!(tones, 3, "the third is what makes it sure");
}

#[test]
fn who_sends_nothing_is_silent() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    analyse(&mut bench, endpoint, true);
    bench.run(MS * 2_990);
    assert_eq!(found(&mut bench), []);
    bench.run(MS * 510);
    assert_eq!(found(&mut bench), [Finding::Verdict { verdict: Verdict::Silence, after: MS * 3_000 }]);
}

/// A sender that saves silence (RFC 3551 §4.1) sends none between the bursts; time goes on in its timestamps.
#[test]
fn silence_that_is_not_sent_counts() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    analyse(&mut bench, endpoint, true);
    let is_silent = |number: usize| number % 48 >= 24;
    speak(&mut bench, endpoint, &mut Source::new(5, 0), &busy(), is_silent);
    let told = found(&mut bench);
    assert!(matches!(told[..], [Finding::Verdict { verdict: Verdict::Busy, .. }]), "{told:?}");
}

#[test]
fn the_answer_begins_the_count_anew() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    analyse(&mut bench, endpoint, false);
    bench.run(MS * 10_000);
    assert_eq!(found(&mut bench), [], "a phone may ring");
    bench.command(Command::Answered { endpoint });
    bench.run(MS * 3_500);
    assert_eq!(found(&mut bench), [Finding::Verdict { verdict: Verdict::Silence, after: MS * 3_000 }]);
    bench.run(MS * 10_000);
    assert_eq!(found(&mut bench), [], "that was all");
}
