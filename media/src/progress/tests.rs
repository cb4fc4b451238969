//! What is told of tones, pauses and lengths at each limit, and one past it. Speech of people, machines and music is
//! judged by the corpus of `tandem-benches`.

use std::f64::consts::TAU;
use std::time::Duration;

use super::*;

const RATE: u32 = 8_000;

fn silence(ms: u32) -> Vec<i16> {
    vec![0; (ms * RATE / 1_000) as usize]
}

fn tone(hz: &[f64], ms: u32) -> Vec<i16> {
    let at = |n: u32| -> f64 { hz.iter().map(|hz| (TAU * hz * f64::from(n) / f64::from(RATE)).sin()).sum() };
    (0..ms * RATE / 1_000).map(|n| (4_000.0 * at(n)) as i16).collect()
}

/// What has a pitch that never stays, as voices have: 60 ms in 100 ms, a tenth up and down around 140 Hz.
fn voice(ms: u32) -> Vec<i16> {
    let mut phase = 0.0;
    (0..ms * RATE / 1_000)
        .map(|n| {
            let seconds = f64::from(n) / f64::from(RATE);
            phase += TAU * 140.0 * (1.0 + 0.1 * (TAU * 3.0 * seconds).sin()) / f64::from(RATE);
            let is_open = n % (RATE / 10) < RATE * 6 / 100;
            let harmonics: f64 = (1..12).map(|h| (phase * f64::from(h)).sin() / f64::from(h)).sum();
            if is_open { (5_000.0 * harmonics) as i16 } else { 0 }
        })
        .collect()
}

/// What is found in audio that begins with the answer.
fn found(rules: ProgressRules, audio: &[Vec<i16>]) -> Vec<Finding> {
    found_by(Analyser::new(rules, true), audio)
}

fn found_by(mut analyser: Analyser, audio: &[Vec<i16>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for packet in audio.concat().chunks(160) {
        analyser.hear(packet.iter().copied());
        findings.extend(std::iter::from_fn(|| analyser.poll()));
    }
    findings
}

fn verdict(audio: &[Vec<i16>]) -> Option<Verdict> {
    verdict_by(ProgressRules::default(), audio)
}

fn verdict_by(rules: ProgressRules, audio: &[Vec<i16>]) -> Option<Verdict> {
    found(rules, audio).first().and_then(|first| match first {
        Finding::Verdict { verdict, .. } => Some(*verdict),
        _ => None,
    })
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn who_says_little_and_waits_is_a_person() {
    assert_eq!(verdict(&[silence(500), voice(700), silence(1_000)]), Some(Verdict::LiveVoice));
}

#[test]
fn who_speaks_on_is_a_machine_and_its_beep_is_told() {
    let audio = [silence(300), voice(5_000), silence(400), tone(&[1_000.0], 500), silence(1_000)];
    let findings = found(ProgressRules::default(), &audio);
    let [Finding::Verdict { verdict, after: told }, Finding::Beep { after: beeped }] = findings[..] else {
        panic!("{findings:?}")
    };
    assert_eq!(verdict, Verdict::AnsweringMachine);
    assert!((ms(2_700)..ms(3_000)).contains(&told), "{told:?}");
    // The beep ends 6.2 s after the answer.
    assert!((ms(6_200)..ms(6_500)).contains(&beeped), "{beeped:?}");
}

/// Each parameter decides: the same greeting on this side of it and on that.
#[test]
fn each_parameter_decides() {
    let usual = ProgressRules::default();
    let greeting =
        |words: u32, pause: u32| [silence(300), voice(words), silence(pause), voice(4_000), silence(500)];
    // A pause of 500 ms is one of 400 ms and none of 608 ms.
    assert_eq!(verdict_by(usual, &greeting(700, 500)), Some(Verdict::AnsweringMachine));
    let short = ProgressRules { min_silence: ms(400), ..usual };
    assert_eq!(verdict_by(short, &greeting(700, 500)), Some(Verdict::LiveVoice));
    // Two seconds are too much for a person and too little for a machine.
    let two_seconds = [silence(300), voice(2_000), silence(1_000)];
    assert_eq!(verdict_by(usual, &two_seconds), Some(Verdict::Unsure));
    let patient = ProgressRules { live_voice: ms(2_400), ..usual };
    assert_eq!(verdict_by(patient, &two_seconds), Some(Verdict::LiveVoice));
    let hasty = ProgressRules { analysis_period: ms(1_500), live_voice: ms(1_000), ..usual };
    assert_eq!(verdict_by(hasty, &two_seconds), Some(Verdict::AnsweringMachine));
    // A word of 200 ms is speech where 112 ms are asked for, and none where 500 ms are.
    let word = [silence(300), voice(200), silence(4_000)];
    assert_eq!(verdict_by(usual, &word), Some(Verdict::LiveVoice));
    let deaf = ProgressRules { min_speech: ms(500), ..usual };
    assert_eq!(verdict_by(deaf, &word), Some(Verdict::Unsure));
    // Whoever speaks is a person where machines are not told.
    let simple = ProgressRules { tells_machines: false, ..usual };
    assert_eq!(verdict_by(simple, &[silence(300), voice(5_000)]), Some(Verdict::LiveVoice));
}

#[test]
fn silence_is_told_in_time_and_no_sooner() {
    for limit in [1_000, 3_000, 10_000] {
        let rules = ProgressRules { max_time: ms(limit), ..ProgressRules::default() };
        let told = found(rules, &[silence(limit as u32 + 20)]);
        assert_eq!(told, [Finding::Verdict { verdict: Verdict::Silence, after: ms(limit) }]);
        assert_eq!(found(rules, &[silence(limit as u32 - 20)]), []);
    }
}

#[test]
fn a_beep_that_does_not_come_is_told_in_time() {
    let rules = ProgressRules { max_beep: ms(2_000), ..ProgressRules::default() };
    let told = found(rules, &[voice(3_000), silence(2_500)]);
    assert_eq!(told.last(), Some(&Finding::NoBeep));
    let deaf = ProgressRules { awaits_beep: false, ..rules };
    assert_eq!(found(deaf, &[voice(3_000), silence(2_500)]).len(), 1);
}

#[test]
fn it_may_ring_on_behind_a_gateway_that_answers_at_once() {
    let ring = [tone(&[440.0, 480.0], 2_000), silence(4_000)].concat();
    let answered = [ring.repeat(3), tone(&[440.0, 480.0], 700), silence(800), voice(600), silence(1_000)];
    let findings = found(ProgressRules::default(), &answered);
    let after = (ms(20_000)..ms(21_500), Verdict::LiveVoice);
    assert!(
        matches!(findings[..], [Finding::Verdict { verdict, after: told }] if after.0.contains(&told) && verdict == after.1),
        "{findings:?}"
    );
    let rules = ProgressRules { max_ringing: ms(20_000), ..ProgressRules::default() };
    assert_eq!(verdict_by(rules, &[ring.repeat(6)]), Some(Verdict::Ringback));
}

/// A dial tone, say: no ring is that long, so that nothing is waited for.
#[test]
fn a_tone_that_goes_on_is_not_waited_for() {
    let told = found(ProgressRules::default(), &[tone(&[350.0, 440.0], 8_000)]);
    assert!(
        matches!(told[..], [Finding::Verdict { verdict: Verdict::Unsure, after }] if after <= ms(3_200)),
        "{told:?}"
    );
}

/// Before the answer speech is an announcement, and ringing what it should be; tones that end a call are told.
#[test]
fn before_the_answer_only_what_ends_the_call_is_told() {
    let early = || Analyser::new(ProgressRules::default(), false);
    let ring = [tone(&[425.0], 1_000), silence(4_000)].concat();
    assert_eq!(found_by(early(), &[ring.repeat(4), voice(6_000), silence(2_000)]), []);
    let busy = [tone(&[425.0], 480), silence(480)].concat();
    let told = found_by(early(), &[ring, busy.repeat(4)]);
    assert!(matches!(told[..], [Finding::Verdict { verdict: Verdict::Busy, .. }]), "{told:?}");
}

#[test]
fn what_was_said_before_the_answer_does_not_count() {
    let mut analyser = Analyser::new(ProgressRules::default(), false);
    analyser.hear(voice(4_000).into_iter());
    analyser.answered();
    let told = found_by(analyser, &[silence(400), voice(500), silence(1_000)]);
    assert!(matches!(told[..], [Finding::Verdict { verdict: Verdict::LiveVoice, .. }]), "{told:?}");
}

#[test]
fn two_cycles_are_a_busy_tone_and_one_is_none() {
    let cycle = |hz: &[f64]| [tone(hz, 500), silence(500)].concat();
    assert_eq!(verdict(&[cycle(&[480.0, 620.0]).repeat(3)]), Some(Verdict::Busy));
    assert_ne!(verdict(&[cycle(&[480.0, 620.0]), silence(4_000)]), Some(Verdict::Busy));
    assert_ne!(verdict(&[cycle(&[1_000.0]).repeat(5)]), Some(Verdict::Busy), "no such frequency");
}

/// A packet that got lost in each burst and each pause changes nothing.
#[test]
fn lost_packets_do_not_change_a_cadence() {
    let mut analyser = Analyser::new(ProgressRules::default(), true);
    let cycle = [tone(&[425.0], 480), silence(480)].concat();
    for (n, packet) in cycle.repeat(4).chunks(160).enumerate() {
        if n % 12 == 7 { analyser.miss(packet.len()) } else { analyser.hear(packet.iter().copied()) }
    }
    assert!(matches!(analyser.poll(), Some(Finding::Verdict { verdict: Verdict::Busy, .. })));
}

#[test]
fn the_evidence_says_what_was_heard() {
    let mut analyser = Analyser::new(ProgressRules::default(), true);
    let audio = [silence(500), tone(&[1_000.0], 300), silence(400), voice(600), silence(700)];
    analyser.hear(audio.concat().into_iter());
    let heard: Vec<_> =
        analyser.evidence().iter().map(|piece| (piece.kind, piece.lasted.as_millis())).collect();
    let [silence, tone, pause, speech, _] = heard[..] else { panic!("{heard:?}") };
    assert_eq!(
        (silence.0, pause.0, speech.0),
        (EvidenceKind::Silence, EvidenceKind::Silence, EvidenceKind::Speech)
    );
    let EvidenceKind::Tone { low_hz, high_hz: None } = tone.0 else { panic!("{tone:?}") };
    assert!((995..=1_005).contains(&low_hz), "{low_hz} Hz");
    for ((_, lasted), due) in [silence, tone, pause, speech].into_iter().zip([500, 300, 400, 600]) {
        assert!(lasted.abs_diff(due) <= 50, "{lasted} ms instead of {due}");
    }
}

/// The oldest pieces go: what led to the verdict stays.
#[test]
fn evidence_is_bounded() {
    let mut analyser = Analyser::new(ProgressRules::default(), false);
    let piece = [tone(&[900.0], 200), silence(200)].concat();
    analyser.hear(piece.repeat(MAX_EVIDENCE / 2).into_iter());
    assert_eq!((analyser.evidence().len(), analyser.evidence()[0].at), (MAX_EVIDENCE, Duration::ZERO));
    analyser.hear(piece.into_iter());
    assert_eq!(analyser.evidence().len(), MAX_EVIDENCE);
    assert!(analyser.evidence()[0].at >= ms(350), "the first two are gone");
}

#[test]
fn parameters_out_of_range_are_brought_into_it() {
    let huge = ms(3_600_000);
    let rules = ProgressRules {
        min_silence: Duration::ZERO,
        analysis_period: huge,
        live_voice: huge,
        min_speech: huge,
        max_time: Duration::ZERO,
        max_beep: huge,
        max_ringing: Duration::ZERO,
        tells_machines: false,
        awaits_beep: true,
    };
    let clamped = ProgressRules {
        min_silence: ms(100),
        analysis_period: ms(10_000),
        live_voice: ms(10_000),
        min_speech: ms(500),
        max_time: ms(1_000),
        max_beep: ms(60_000),
        max_ringing: ms(10_000),
        tells_machines: false,
        awaits_beep: false,
    };
    assert_eq!(rules.clamped(), clamped);
    assert_eq!(ProgressRules::default().clamped(), ProgressRules::default());
}
