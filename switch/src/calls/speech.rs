//! Speech that somebody else renders: what is known of it, what is asked for, and who waits.
//!
//! A play whose words are not rendered yet begins as silence, so that the party's keys, a collection beside it and its
//! end are what they would be; when the last of its words has come, or its patience is over, it begins in earnest. The
//! media worker never waits for anybody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{CallFact, CommandError, LegId, Prompt};
use tandem_media as media;
use tandem_media::PlayId;
use tandem_time::Instant;

use super::leg::{Play, Settled};
use super::{Calls, translate};

/// Words to be spoken.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utterance {
    /// The language, as the provider knows it: `en`, `de-AT`.
    pub language: String,
    /// The words.
    pub text: String,
}

impl std::fmt::Debug for Utterance {
    /// Shows how long, never what: it may be somebody's balance.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Utterance({} bytes in {})", self.text.len(), self.language)
    }
}

impl Utterance {
    /// The most bytes of its text.
    pub const MAX_BYTES: usize = 2_000;
}

/// Utterances under way at a time; a play that needs one more fails.
pub(crate) const MAX_ASKED: usize = 1_000;
/// Samples of rendered speech that are kept, 32 MiB; the one not heard for longest is forgotten first.
pub(crate) const MAX_SAMPLES: usize = 16 << 20;
/// Plays that may wait for words.
pub(crate) const MAX_WAITING: usize = 10_000;
/// How long a party hears silence for want of words.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of speech.
#[derive(Debug, Default)]
pub(super) struct Speech {
    rendered: BTreeMap<Utterance, Rendered>,
    /// Of all that is rendered.
    samples: usize,
    /// Counts uses.
    uses: u64,
    asked: BTreeSet<Utterance>,
    requests: VecDeque<Utterance>,
    waiting: BTreeMap<PlayId, Waiting>,
}

#[derive(Debug)]
struct Rendered {
    audio: Arc<media::Audio>,
    used: u64,
}

/// A play that waits for words.
#[derive(Debug)]
struct Waiting {
    leg: LegId,
    prompts: Vec<Prompt>,
    times: Option<u32>,
    barge_in: media::BargeIn,
    /// What has failed of it.
    failed: BTreeSet<Utterance>,
}

impl Speech {
    /// The audio of words, if they are rendered.
    fn find(&mut self, utterance: &Utterance) -> Option<Arc<media::Audio>> {
        self.uses += 1;
        let rendered = self.rendered.get_mut(utterance)?;
        rendered.used = self.uses;
        Some(Arc::clone(&rendered.audio))
    }

    /// Keeps what was rendered, and forgets what was not heard for longest.
    fn keep(&mut self, utterance: Utterance, audio: Arc<media::Audio>) {
        let used = self.uses;
        self.samples += audio.samples().len();
        if let Some(before) = self.rendered.insert(utterance, Rendered { audio, used }) {
            self.samples -= before.audio.samples().len();
        }
        while self.samples > MAX_SAMPLES {
            let oldest = self.rendered.iter().min_by_key(|(_, it)| it.used).map(|(it, _)| it.clone());
            let Some(forgotten) = oldest.and_then(|oldest| self.rendered.remove(&oldest)) else { return };
            self.samples -= forgotten.audio.samples().len();
        }
    }

    /// Asks for words, unless somebody has; false when too much is asked for.
    fn ask(&mut self, utterance: &Utterance) -> bool {
        if self.asked.contains(utterance) {
            return true;
        }
        if self.asked.len() >= MAX_ASKED {
            return false;
        }
        self.asked.insert(utterance.clone());
        self.requests.push_back(utterance.clone());
        true
    }
}

impl Waiting {
    fn wants(&self, utterance: &Utterance) -> bool {
        self.prompts.iter().filter_map(utterance_of).any(|wanted| wanted == *utterance)
    }
}

fn utterance_of(prompt: &Prompt) -> Option<Utterance> {
    match prompt {
        Prompt::Speech { text, language } => {
            Some(Utterance { language: language.clone(), text: text.clone() })
        }
        _ => None,
    }
}

/// The pieces of a play, and how often they are played.
type Composition = (Arc<[media::Segment]>, Option<u32>);

impl Calls {
    /// What a play begins with: all of it, or silence while words are rendered.
    ///
    /// # Errors
    /// As [`translate::segments`]; `Invalid` for words without a provider, `Limit` when they are too many.
    pub(super) fn compose(
        &mut self,
        id: PlayId,
        leg: LegId,
        prompts: &[Prompt],
        (times, barge_in): (Option<u32>, media::BargeIn),
    ) -> Result<Composition, CommandError> {
        if !prompts.iter().any(|prompt| matches!(prompt, Prompt::Speech { .. })) {
            return Ok((translate::segments(prompts, &self.prompts)?, times));
        }
        let (segments, missing) = self.pieces(prompts, &BTreeSet::new())?;
        if missing.is_empty() {
            return if segments.is_empty() {
                Err(CommandError::NotSpoken)
            } else {
                Ok((segments.into(), times))
            };
        }
        if self.speech.waiting.len() >= MAX_WAITING {
            return Err(CommandError::Limit("plays that wait for words".to_owned()));
        }
        self.ask(&missing)?;
        let waiting = Waiting { leg, prompts: prompts.to_vec(), times, barge_in, failed: BTreeSet::new() };
        self.speech.waiting.insert(id, waiting);
        Ok(([media::Segment::Silence(PATIENCE)].into(), Some(1)))
    }

    fn ask(&mut self, missing: &[Utterance]) -> Result<(), CommandError> {
        for utterance in missing {
            let before = self.speech.asked.len();
            if !self.speech.ask(utterance) {
                return Err(CommandError::Limit("utterances at a time".to_owned()));
            }
            self.counters.speech_asked += (self.speech.asked.len() - before) as u64;
        }
        Ok(())
    }

    /// What there is to hear of prompts, and the words that are not rendered yet.
    fn pieces(
        &mut self,
        prompts: &[Prompt],
        failed: &BTreeSet<Utterance>,
    ) -> Result<(Vec<media::Segment>, Vec<Utterance>), CommandError> {
        let speech = self.config.speech.clone();
        let speech =
            speech.ok_or_else(|| CommandError::Invalid("speech: there is no provider".to_owned()))?;
        if prompts.len() > translate::MAX_PROMPTS {
            return Err(CommandError::Limit("prompts in a play".to_owned()));
        }
        // Said once, however many words are missing.
        let mut fallback = speech.fallback.and_then(|name| translate::named(&name, &self.prompts).ok());
        let (mut segments, mut missing) = (Vec::new(), Vec::new());
        for prompt in prompts {
            let Some(utterance) = utterance_of(prompt) else {
                segments.push(translate::segment(prompt, &self.prompts)?);
                continue;
            };
            if utterance.text.len() > Utterance::MAX_BYTES {
                return Err(CommandError::Limit("bytes of speech".to_owned()));
            }
            if failed.contains(&utterance) {
                segments.extend(fallback.take().map(media::Segment::Audio));
            } else if let Some(audio) = self.speech.find(&utterance) {
                segments.push(media::Segment::Audio(audio));
            } else if !utterance.text.trim().is_empty() {
                missing.push(utterance);
            }
        }
        segments.retain(|segment| !segment.is_empty());
        Ok((segments, missing))
    }

    /// The next words to be spoken.
    pub(crate) fn poll_speech(&mut self) -> Option<Utterance> {
        self.speech.requests.pop_front()
    }

    /// Takes words that were spoken, or nothing when they could not be.
    pub(crate) fn handle_speech(
        &mut self,
        now: Instant,
        utterance: Utterance,
        spoken: Option<Arc<media::Audio>>,
    ) {
        if !self.speech.asked.remove(&utterance) {
            return;
        }
        let wanted = self.speech.waiting.iter().filter(|(_, waiting)| waiting.wants(&utterance));
        let wanted: Vec<PlayId> = wanted.map(|(id, _)| *id).collect();
        match spoken {
            Some(audio) => self.speech.keep(utterance, audio),
            None => {
                self.counters.speech_failed += 1;
                for id in &wanted {
                    self.give_up(now, *id, &utterance);
                }
            }
        }
        for id in wanted {
            self.begin_spoken(id);
        }
    }

    /// A play will not hear these words.
    fn give_up(&mut self, now: Instant, id: PlayId, utterance: &Utterance) {
        let Some(waiting) = self.speech.waiting.get_mut(&id) else { return };
        waiting.failed.insert(utterance.clone());
        let language = utterance.language.clone();
        if let Some(call) = self.legs.get(waiting.leg).map(|leg| leg.call)
            && let Some(call) = self.calls.get_mut(call).filter(|call| !call.is_recorded())
        {
            call.add_fact(now, CallFact::NotSpoken { language });
        }
    }

    /// The silence before the words is over: whether this play has waited for some. It goes on without them.
    pub(super) fn speech_is_late(&mut self, now: Instant, id: PlayId) -> bool {
        let Some(waiting) = self.speech.waiting.get(&id) else { return false };
        self.counters.speech_late += 1;
        let wanted: BTreeSet<Utterance> = waiting.prompts.iter().filter_map(utterance_of).collect();
        for utterance in wanted {
            if self.speech.find(&utterance).is_none() {
                self.give_up(now, id, &utterance);
            }
        }
        self.begin_spoken(id);
        true
    }

    /// Begins a play in earnest, if all its words are there and its leg still waits for it.
    fn begin_spoken(&mut self, id: PlayId) {
        let Some(waiting) = self.speech.waiting.remove(&id) else { return };
        let Some(leg) = self.legs.get(waiting.leg) else { return };
        let state = leg.state;
        let Some(play) = state.playing().filter(|play| play.id == id) else { return };
        let Some(endpoint) = state.player() else { return };
        let composed = self.pieces(&waiting.prompts, &waiting.failed);
        let (segments, error) = match composed {
            Ok((_, missing)) if !missing.is_empty() && self.ask(&missing).is_ok() => {
                self.speech.waiting.insert(id, waiting);
                return;
            }
            Ok((segments, _)) if !segments.is_empty() => (segments, None),
            // The silence that still sounds ends at once.
            Ok(_) => (vec![media::Segment::Silence(Duration::ZERO)], Some(CommandError::NotSpoken)),
            Err(error) => (vec![media::Segment::Silence(Duration::ZERO)], Some(error)),
        };
        self.plays += 1;
        let next = Play { id: PlayId(self.plays), command: play.command };
        let goes_on = error.is_none().then_some(next);
        self.set_state(waiting.leg, state.hearing(goes_on));
        if let Some(error) = error {
            self.done(Settled::new("play", play.command, Err(error)));
        }
        self.command_endpoint(endpoint, |endpoint| media::Command::Play {
            endpoint,
            play: next.id,
            segments: segments.into(),
            times: waiting.times,
            barge_in: waiting.barge_in,
        });
    }
}
