//! Words that are rendered elsewhere: who waits, what is heard meanwhile, and what when they never come.

use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{CallFact, Command, LegId, Outcome, PlayEnd, Prompt, Repeat};
use tandem_media as media;

use super::bench::{Bench, config, hangup, rules};
use crate::calls::Utterance;
use crate::calls::speech::{MAX_ASKED, MAX_SAMPLES, PATIENCE};
use crate::{SpeechConfig, SwitchConfig};

/// A node that speaks; `welcome` is heard instead of what cannot be spoken, or nothing.
fn bench(fallback: bool) -> Bench {
    let fallback = fallback.then(|| "welcome".to_owned());
    Bench::with(SwitchConfig { speech: Some(SpeechConfig { fallback }), ..config() })
}

fn words(text: &str) -> Prompt {
    Prompt::Speech { text: text.to_owned(), language: "en".to_owned() }
}

fn utterance(text: &str) -> Utterance {
    Utterance { language: "en".to_owned(), text: text.to_owned() }
}

fn audio(samples: usize) -> Option<Arc<media::Audio>> {
    Some(Arc::new(media::Audio::from_samples(vec![7; samples])))
}

fn say(leg: LegId, prompts: Vec<Prompt>) -> Command {
    Command::Play { leg, prompts, repeat: Repeat::Times(2), barge_in: tandem_control_api::BargeIn::Digit }
}

impl Bench {
    fn spoken(&mut self, text: &str, audio: Option<Arc<media::Audio>>) {
        let now = self.now;
        self.calls.handle_speech(now, utterance(text), audio);
        self.drain();
    }

    /// The segments that the worker was asked to play last, how often, and by which name.
    fn playing(&self) -> (Vec<String>, Option<u32>, media::PlayId) {
        let last = self.media_commands.iter().rev().find_map(|command| match command {
            media::Command::Play { segments, times, play, .. } => Some((segments, *times, *play)),
            _ => None,
        });
        let (segments, times, play) = last.expect("something plays");
        (segments.iter().map(|segment| format!("{segment:?}")).collect(), times, play)
    }

    fn play_ends(&mut self, play: media::PlayId, end: media::PlayEnd) {
        let endpoint = self.endpoint();
        self.media_event(endpoint, media::Event::PlayEnded { endpoint, play, end });
    }

    fn not_spoken(&mut self, leg: LegId) -> usize {
        self.command(hangup(leg));
        let session = self.last_session();
        self.peer_ends(session, 200);
        self.close_all();
        self.release_all();
        let record = self.records.last().expect("a record");
        record.timeline.iter().filter(|it| matches!(it.fact, CallFact::NotSpoken { .. })).count()
    }
}

#[test]
fn a_play_waits_in_silence_for_its_words_and_then_begins_in_earnest() {
    let mut bench = bench(false);
    let (_, _, leg) = bench.answered();
    let id = bench.command(say(leg, vec![words("one"), Prompt::Named("welcome".to_owned()), words("two")]));
    let (segments, times, silence) = bench.playing();
    assert_eq!((segments, times), (vec![format!("Silence({PATIENCE:?})")], Some(1)));
    assert_eq!(bench.calls.poll_speech(), Some(utterance("one")));
    assert_eq!(bench.calls.poll_speech(), Some(utterance("two")));
    assert_eq!(bench.calls.poll_speech(), None);
    bench.spoken("two", audio(160));
    assert_eq!(bench.playing().2, silence, "one is missing still");
    bench.spoken("one", audio(80));
    let (segments, times, earnest) = bench.playing();
    assert_eq!(
        (segments, times),
        (vec!["Audio(10ms)".into(), "Audio(100ms)".into(), "Audio(20ms)".into()], Some(2))
    );
    // The silence ended when it was replaced; that is not the end of the play.
    bench.play_ends(silence, media::PlayEnd::Stopped);
    assert_eq!(bench.ending(id), "none");
    bench.play_ends(earnest, media::PlayEnd::Finished);
    assert_eq!(bench.outcome(id), Some(&Ok(Outcome::Played { end: PlayEnd::Finished })));
    // What was spoken once is known.
    bench.command(say(leg, vec![words("two")]));
    assert_eq!(bench.playing().0, ["Audio(20ms)"]);
    assert_eq!(bench.calls.poll_speech(), None);
    assert_eq!((bench.calls.counters().speech_asked, bench.calls.counters().speech_failed), (2, 0));
}

#[test]
fn the_same_words_are_asked_for_once_by_however_many() {
    let mut bench = bench(false);
    let legs: Vec<LegId> = (0..3).map(|_| bench.answered().2).collect();
    for leg in &legs {
        bench.command(say(*leg, vec![words("hello"), words("hello")]));
    }
    assert_eq!(bench.calls.poll_speech(), Some(utterance("hello")));
    assert_eq!(bench.calls.poll_speech(), None);
    bench.media_commands.clear();
    bench.spoken("hello", audio(80));
    assert_eq!(bench.media_commands.len(), 3, "all three begin");
}

#[test]
fn a_key_ends_the_silence_as_it_would_the_words() {
    let mut bench = bench(false);
    let (_, _, leg) = bench.answered();
    let id = bench.command(say(leg, vec![words("long")]));
    let collect = bench.command(Command::Collect { leg, rules: rules() });
    let (.., silence) = bench.playing();
    bench.play_ends(silence, media::PlayEnd::BargedIn);
    assert_eq!(bench.outcome(id), Some(&Ok(Outcome::Played { end: PlayEnd::BargedIn })));
    let commands = bench.media_commands.len();
    bench.spoken("long", audio(80));
    assert_eq!(bench.media_commands.len(), commands, "nobody waits any more");
    assert_eq!(bench.ending(collect), "none", "keys are still collected");
}

#[test]
fn what_cannot_be_spoken_is_passed_over_or_replaced_and_told() {
    for (fallback, heard) in [(true, vec!["Audio(100ms)", "Audio(10ms)"]), (false, vec!["Audio(10ms)"])] {
        let mut bench = bench(fallback);
        let (_, _, leg) = bench.answered();
        bench.command(say(leg, vec![words("lost"), words("gone"), words("kept")]));
        bench.spoken("lost", None);
        bench.spoken("gone", None);
        bench.spoken("kept", audio(80));
        assert_eq!(bench.playing().0, heard, "the fallback is heard once");
        assert_eq!(bench.calls.counters().speech_failed, 2);
        assert_eq!(bench.not_spoken(leg), 2, "the record says so");
    }
}

#[test]
fn with_nothing_left_to_hear_the_play_fails_and_the_call_goes_on() {
    let mut bench = bench(false);
    let (_, _, leg) = bench.answered();
    let id = bench.command(say(leg, vec![words("lost")]));
    bench.spoken("lost", None);
    assert_eq!(bench.ending(id), "not-spoken");
    assert_eq!(bench.playing().0, ["Silence(0ns)"], "the silence ends");
    let next = bench.command(super::bench::play(leg));
    assert_eq!(bench.ending(next), "none", "it plays");
}

#[test]
fn a_provider_that_never_answers_holds_nobody_up() {
    let mut bench = bench(true);
    let (_, _, leg) = bench.answered();
    let id = bench.command(say(leg, vec![words("never")]));
    let (.., silence) = bench.playing();
    bench.advance(PATIENCE);
    bench.play_ends(silence, media::PlayEnd::Finished);
    assert_eq!(bench.playing().0, ["Audio(100ms)"], "the fallback");
    assert_eq!(bench.ending(id), "none", "it plays");
    assert_eq!(bench.calls.counters().speech_late, 1);
    assert_eq!(bench.not_spoken(leg), 1);
    // What comes after all is good for the next one.
    bench.spoken("never", audio(80));
    let (_, _, leg) = bench.answered();
    bench.command(say(leg, vec![words("never")]));
    assert_eq!(bench.playing().0, ["Audio(10ms)"]);
}

#[test]
fn who_hangs_up_or_hears_something_else_waits_no_more() {
    let mut bench = bench(false);
    let (session, _, leg) = bench.answered();
    let id = bench.command(say(leg, vec![words("one")]));
    bench.command(super::bench::play(leg));
    assert_eq!(bench.outcome(id), Some(&Ok(Outcome::Played { end: PlayEnd::Stopped })));
    let commands = bench.media_commands.len();
    bench.spoken("one", audio(80));
    assert_eq!(bench.media_commands.len(), commands, "replaced");
    let id = bench.command(say(leg, vec![words("two")]));
    bench.peer_ends(session, 200);
    assert_eq!(bench.ending(id), "leg-ended");
    let commands = bench.media_commands.len();
    bench.spoken("two", audio(80));
    assert_eq!(bench.media_commands.len(), commands, "gone");
}

#[test]
fn as_much_may_be_asked_for_as_its_limit_and_no_more() {
    let mut bench = bench(false);
    let (_, _, leg) = bench.answered();
    for n in 0..MAX_ASKED {
        bench.command(say(leg, vec![words(&n.to_string())]));
    }
    let one_more = bench.command(say(leg, vec![words("one more")]));
    assert_eq!(bench.ending(one_more), "limit: utterances at a time");
    let known = bench.command(say(leg, vec![words("0")]));
    assert_eq!(bench.ending(known), "none", "it is asked for already");
    let longest = bench.command(say(leg, vec![words(&"x".repeat(Utterance::MAX_BYTES + 1))]));
    assert_eq!(bench.ending(longest), "limit: bytes of speech");
}

#[test]
fn what_was_not_heard_for_longest_is_forgotten_first() {
    let mut bench = bench(false);
    let (_, _, leg) = bench.answered();
    for (text, samples) in [("first", MAX_SAMPLES / 2), ("second", MAX_SAMPLES / 2)] {
        bench.command(say(leg, vec![words(text)]));
        bench.spoken(text, audio(samples));
    }
    bench.command(say(leg, vec![words("first")]));
    bench.command(say(leg, vec![words("third")]));
    while bench.calls.poll_speech().is_some() {}
    bench.spoken("third", audio(1));
    for (text, is_known) in [("first", true), ("third", true), ("second", false)] {
        bench.command(say(leg, vec![words(text)]));
        assert_eq!(bench.calls.poll_speech().is_none(), is_known, "{text}");
    }
    assert!(
        Duration::from_secs(1_000) < Duration::from_secs(MAX_SAMPLES as u64 / 8_000),
        "half an hour of it is kept"
    );
}

#[test]
fn without_a_provider_nothing_is_spoken() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let id = bench.command(say(leg, vec![words("hello")]));
    assert_eq!(bench.ending(id), "invalid: speech: there is no provider");
}
