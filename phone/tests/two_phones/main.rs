//! Two parties call each other directly, in virtual time.

#[path = "../common/mod.rs"]
mod common;
mod wire;

use std::time::Duration;

use common::{config, ms, secs};
use tandem_phone::{Answer, Codec, Habit, HeardEvent, Manner, Referred, Side, Srtp, Transfer, TransferWay};
use wire::Wire;

const ALICE_HZ: u16 = 500;
const BOB_HZ: u16 = 900;

fn wire(bob: Manner) -> Wire {
    Wire::new(config("alice", 20, Manner::polite(ALICE_HZ, ms(0))), config("bob", 21, bob))
}

fn alice(talk: Duration) -> Manner {
    Manner { talk: Some(talk), ..Manner::polite(ALICE_HZ, ms(0)) }
}

#[test]
fn both_hear_each_others_tone_and_nothing_else() {
    for codecs in Codec::ALL.map(|codec| vec![codec]) {
        let speaks_all = Codec::ALL.to_vec();
        let mut wire = wire(Manner { codecs: speaks_all, ..Manner::polite(BOB_HZ, secs(1)) });
        wire.call(Manner { codecs, ..alice(secs(5)) });
        wire.run(secs(60));
        let (alice, bob) = wire.reports();
        assert_eq!((alice.status, alice.by, bob.by), (200, Side::Ours, Side::Theirs));
        assert!(alice.heard.time_of_tone(BOB_HZ) >= ms(4_700), "{:?}", alice.heard.time_of_tone(BOB_HZ));
        assert!(bob.heard.time_of_tone(ALICE_HZ) >= ms(4_700));
        let only = |tones: &[u16], hz| tones.iter().all(|tone| *tone == hz);
        assert!(alice.heard.windows.iter().all(|window| only(&window.tones, BOB_HZ)));
        assert!(bob.heard.windows.iter().all(|window| only(&window.tones, ALICE_HZ)));
        assert_eq!((bob.received.lost, bob.received.timestamp_leaps, bob.received.unusable), (0, 0, 0));
        assert!(bob.acknowledged);
        assert_eq!((bob.received.rtcp, bob.received.rtcp_invalid), (2, 0), "a report every two seconds");
        assert_eq!(alice.answered.unwrap() + secs(5), alice.ended);
    }
}

/// RFC 4568: who goes with whom, in clear or protected. Nobody would hear a tone under another key.
#[test]
fn media_is_protected_as_both_want() {
    use Srtp::{Off, Offered, Required};
    for (caller, called, status) in [
        (Offered, Offered, 200),
        (Offered, Off, 200),
        (Off, Offered, 200),
        (Required, Offered, 200),
        (Required, Required, 200),
        (Required, Off, 488),
        (Off, Required, 488),
    ] {
        let mut wire = wire(Manner { srtp: called, ..Manner::polite(BOB_HZ, secs(1)) });
        wire.call(Manner { srtp: caller, holds: vec![(secs(2), secs(1))], ..alice(secs(6)) });
        wire.run(secs(60));
        let (alice, bob) = wire.reports();
        assert_eq!(alice.status, status, "{caller:?} calls {called:?}");
        if status == 200 {
            assert!(alice.heard.time_of_tone(BOB_HZ) >= ms(4_500), "{:?}", alice.heard.time_of_tone(BOB_HZ));
            assert!(bob.heard.time_of_tone(ALICE_HZ) >= ms(4_500), "{:?}", bob.heard.time_of_tone(ALICE_HZ));
            assert_eq!((bob.received.unusable, bob.received.rtcp_invalid), (0, 0));
        }
    }
}

/// RFC 4733 §2.5: each press is heard once, with its end sent three times, in the clock of the audio (§2.1).
#[test]
fn keys_are_heard_as_telephone_events() {
    for (codec, duration) in [(Codec::Pcmu, 800), (Codec::G722, 800), (Codec::Opus, 4_800)] {
        let codecs = vec![codec];
        let mut wire = wire(Manner { codecs: codecs.clone(), ..Manner::polite(BOB_HZ, ms(200)) });
        let keys = vec![(secs(1), "159*0#D".into()), (secs(3), "22".into())];
        wire.call(Manner { codecs, keys, ..alice(secs(6)) });
        wire.run(secs(60));
        let (_, bob) = wire.reports();
        assert_eq!(bob.received.digit_string(), "159*0#D22");
        let is_whole = |event: &HeardEvent| event.end_packets == 3 && event.duration == duration;
        assert!(bob.received.events.iter().all(is_whole), "{codec:?}: {:?}", bob.received.events);
        assert_eq!(bob.received.timestamp_leaps, 0, "audio goes on in time after each key");
    }
}

/// RFC 4733 §2.5: payload types are each side's own; RFC 3261 §13.2.1: the offer may come in the 200.
#[test]
fn an_offer_in_the_200_is_answered_in_the_ack() {
    let mut wire = wire(Manner { events: Some(97), ..Manner::polite(BOB_HZ, ms(200)) });
    let habits = vec![Habit::OffersNothing];
    wire.call(Manner { habits, events: Some(120), keys: vec![(secs(1), "42".into())], ..alice(secs(5)) });
    wire.run(secs(60));
    let (alice, bob) = wire.reports();
    assert!(alice.heard.time_of_tone(BOB_HZ) >= ms(4_500));
    assert!(bob.heard.time_of_tone(ALICE_HZ) >= ms(4_200));
    assert_eq!((bob.received.digit_string().as_str(), bob.received.unusable), ("42", 0));
}

#[test]
fn refusals_reach_the_caller() {
    for status in [486, 603, 480] {
        let mut wire = wire(Manner {
            answer: Answer::Refuse { after: secs(1), status },
            ..Manner::polite(BOB_HZ, ms(0))
        });
        wire.call(alice(secs(5)));
        wire.run(secs(60));
        let (alice, bob) = wire.reports();
        assert_eq!(
            (alice.status, alice.finals.as_slice(), bob.status),
            (status, [status].as_slice(), status)
        );
        assert_eq!(alice.answered, None);
    }
}

/// RFC 3261 §15: the called party's BYE waits for the ACK.
#[test]
fn a_called_party_does_not_hang_up_before_the_ack() {
    let mut wire = wire(Manner { talk: Some(ms(1)), ..Manner::polite(BOB_HZ, ms(500)) });
    wire.call(alice(secs(50)));
    wire.run(secs(60));
    let (alice, bob) = wire.reports();
    assert_eq!((bob.by, bob.acknowledged, alice.by), (Side::Ours, true, Side::Theirs));
    assert_eq!(bob.ended - bob.answered.unwrap(), 2 * Wire::LATENCY, "a round trip, not a millisecond");
}

/// RFC 3261 §9: the caller loses patience, the INVITE ends in 487.
#[test]
fn a_caller_who_gives_up_cancels() {
    let mut wire = wire(Manner { answer: Answer::RingForEver, ..Manner::polite(BOB_HZ, ms(0)) });
    wire.call(Manner { patience: Some(secs(7)), ..alice(secs(5)) });
    wire.run(secs(90));
    let (alice, bob) = wire.reports();
    assert_eq!((alice.status, alice.by, bob.status, bob.by), (487, Side::Ours, 487, Side::Theirs));
    assert_eq!(alice.ended - alice.began, secs(7) + 2 * Wire::LATENCY);
}

/// RFC 3261 §17.1.1.2: nobody there, timer B.
#[test]
fn silence_ends_after_timer_b() {
    let mut wire = wire(Manner { answer: Answer::Ignore, ..Manner::polite(BOB_HZ, ms(0)) });
    wire.call(alice(secs(5)));
    wire.run(secs(90));
    let alice = wire.report_of_alice();
    assert_eq!((alice.status, alice.by, alice.ended - alice.began), (0, Side::Nobody, secs(32)));
    assert_eq!(wire.sip_from_alice, 7, "the INVITE and six retransmissions");
}

#[test]
fn a_held_party_is_heard_no_more_until_resumed() {
    let mut wire = wire(Manner::polite(BOB_HZ, ms(0)));
    wire.call(Manner { holds: vec![(secs(2), secs(3))], ..alice(secs(8)) });
    wire.run(secs(60));
    let (alice, bob) = wire.reports();
    assert!(!alice.heard.tone_between(BOB_HZ, alice.began + ms(2_300), alice.began + ms(4_900)));
    assert!(alice.heard.tone_between(BOB_HZ, alice.began + ms(5_300), alice.began + ms(7_900)));
    assert!(bob.heard.time_of_tone(ALICE_HZ) >= ms(7_700), "the holder goes on sending");
}

/// RFC 3261 §17: whatever is lost is sent again.
#[test]
fn a_lossy_wire_changes_nothing_but_time() {
    for seed in 0..40 {
        let mut wire = wire(Manner::polite(BOB_HZ, secs(2)));
        wire.lose(seed, 30);
        wire.call(alice(secs(5)));
        wire.run(secs(200));
        let (alice, bob) = wire.reports();
        assert_eq!((alice.status, alice.finals.len()), (200, 1), "seed {seed}");
        assert!(alice.heard.time_of_tone(BOB_HZ) > secs(3), "seed {seed}");
        assert!(bob.received.lost > 0, "seed {seed}");
    }
}

/// RFC 3515 §2.4: who asks is told whether, and what became of it; lossy or not.
#[test]
fn a_transfer_is_asked_for_and_reported_on() {
    let after = secs(1);
    for (way, referred, told, ender) in [
        (TransferWay::Blind, Referred::Refuses { status: 603 }, vec![(603, false)], Side::Ours),
        (
            TransferWay::Blind,
            Referred::Tells { after, status: 486 },
            vec![(202, false), (100, false), (486, true)],
            Side::Ours,
        ),
        (
            TransferWay::BlindAndLeave,
            Referred::Tells { after, status: 200 },
            vec![(202, false), (100, false), (200, true)],
            Side::Ours,
        ),
        (TransferWay::Blind, Referred::Leaves, vec![(202, false)], Side::Theirs),
    ] {
        for loss in [0, 20] {
            let mut wire = wire(Manner { referred, ..Manner::polite(BOB_HZ, ms(200)) });
            wire.lose(1, loss);
            let transfer = Some(Transfer { after: secs(2), to: "carol".into(), way });
            wire.call(Manner { transfer, ..alice(secs(20)) });
            wire.run(secs(200));
            let (alice, bob) = wire.reports();
            assert_eq!((&wire.told, alice.by), (&told, ender), "{referred:?}, {loss} %");
            let left = alice.ended - alice.answered.unwrap();
            assert!(
                (left < secs(15)) == (way == TransferWay::BlindAndLeave || ender == Side::Theirs),
                "{left:?}"
            );
            assert!(bob.heard.time_of_tone(ALICE_HZ) >= secs(1), "they talked before");
        }
    }
}

#[test]
fn bad_habits_do_what_they_say() {
    let with = |habit| Manner { habits: vec![habit], ..Manner::polite(BOB_HZ, ms(500)) };

    let mut wire = wire_with(with(Habit::Vanishes { after: secs(2) }), alice(secs(5)));
    wire.run(secs(120));
    let (alice_report, bob) = wire.reports();
    assert_eq!(bob.ended - bob.answered.unwrap(), secs(2));
    assert_eq!(alice_report.ended - alice_report.answered.unwrap(), secs(5), "BYE unanswered, but sent");

    let mut wire = wire_with(with(Habit::AnswersTwice), alice(secs(5)));
    wire.run(secs(120));
    assert_eq!(wire.reports().0.finals, [200, 200]);

    let mut wire = wire_with(with(Habit::SendsFrom([127, 0, 0, 66].into())), alice(secs(5)));
    wire.run(secs(120));
    let alice_report = wire.report_of_alice();
    assert!(alice_report.received.unexpected_source > 200);

    let mut wire = wire_with(
        Manner::polite(BOB_HZ, secs(1)),
        Manner { habits: vec![Habit::NeverAcks], ..alice(secs(50)) },
    );
    wire.run(secs(120));
    let (_, bob) = wire.reports();
    assert_eq!(
        (bob.acknowledged, bob.by, bob.ended - bob.answered.unwrap()),
        (false, Side::Nobody, secs(32))
    );

    let mut wire = wire_with(
        Manner::polite(BOB_HZ, secs(1)),
        Manner { habits: vec![Habit::CancelsTooLate], ..alice(secs(50)) },
    );
    wire.run(secs(120));
    let (alice_report, bob) = wire.reports();
    assert_eq!((alice_report.status, bob.by, bob.acknowledged), (200, Side::Theirs, true));
}

fn wire_with(bob: Manner, alice: Manner) -> Wire {
    let mut wire = wire(bob);
    wire.call(alice);
    wire
}
