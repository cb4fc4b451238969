//! Recordings of legs: begun by the control plane or by configuration, written by somebody else.
//!
//! ```text
//!                 Begin, or its trunk is recorded             the file has a name
//! (not recorded) ────────────────────────────────▶ Recording ────────────────────▶ named in the call's record
//!       ▲                                        Pause, Resume
//!       └──── End, or it cannot be written, or the leg ends ────┘
//! ```
//!
//! A recording is a leg's: what its party says, and whatever it hears. It goes on through bridges, holds, conferences and
//! transfers, also into another call, whose record names it then too.

use std::sync::Arc;

use tandem_control_api::{CallFact, CallId, CommandError, Event, LegId, RecordAction};
use tandem_media as media;
use tandem_media::PlayId;
use tandem_media::recorder::{TAP_CAPACITY, TapReader, tap};
use tandem_time::Instant;

use super::commands::{Begun, wrong_state};
use super::leg::{Leg, LegState};
use super::timers::Timer;
use super::{Action, Calls, Progress};

/// Names a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId(pub u64);

/// A recording to be written.
#[derive(Debug)]
pub struct NewRecording {
    /// Its name.
    pub id: RecordingId,
    /// When it begins.
    pub at: Instant,
    /// The call.
    pub call: CallId,
    /// The leg.
    pub leg: LegId,
    /// The SIP Call-ID of the leg.
    pub sip_call_id: String,
    /// Who is on it: a number, or a user.
    pub party: String,
    /// What the caller dialled.
    pub dialled: String,
    /// The trunk, when the leg is a carrier's.
    pub trunk: Option<String>,
    /// Where it comes from.
    pub reader: TapReader,
}

/// What became of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingNews {
    /// It has a file.
    Begun {
        /// As the call's record names it.
        file: String,
    },
    /// It cannot be written, or not to its end.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The recording of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recording {
    id: RecordingId,
    file: Option<String>,
    is_paused: bool,
    /// When the parties hear next that there is one.
    beep_at: Option<Instant>,
}

/// The play of a tone that says so; nobody waits for its end.
pub(super) const BEEP: PlayId = PlayId(u64::MAX);

impl Recording {
    /// Forgets when it is heard of next.
    pub(super) const fn take_beep(&mut self) -> Option<Instant> {
        self.beep_at.take()
    }
}

impl Calls {
    pub(super) fn record(&mut self, now: Instant, leg_id: LegId, action: RecordAction) -> Begun {
        let (state, call) = self.commanded(leg_id)?;
        let is_heard = matches!(
            state,
            LegState::Answered { .. } | LegState::Bridged { .. } | LegState::Conferring { .. }
        );
        let Some(endpoint) = state.endpoint().filter(|_| is_heard) else {
            return Err(wrong_state("record", &state));
        };
        self.attend(call);
        let fact = match (action, self.legs.get_mut(leg_id).and_then(|leg| leg.recording.as_mut())) {
            (RecordAction::Begin, None) => return self.begin_recording(now, leg_id).map(|()| Progress::Done),
            (RecordAction::Pause, Some(recording)) if !recording.is_paused => {
                recording.is_paused = true;
                CallFact::RecordingPaused { leg: leg_id }
            }
            (RecordAction::Resume, Some(recording)) if recording.is_paused => {
                recording.is_paused = false;
                CallFact::RecordingResumed { leg: leg_id }
            }
            (RecordAction::End, Some(_)) => {
                self.end_recording(leg_id);
                CallFact::RecordingEnded { leg: leg_id }
            }
            _ => return Ok(Progress::Done),
        };
        if let CallFact::RecordingPaused { .. } | CallFact::RecordingResumed { .. } = fact {
            let pause = matches!(fact, CallFact::RecordingPaused { .. });
            self.command_endpoint(endpoint, |endpoint| media::Command::PauseRecording { endpoint, pause });
            self.beep_if_wanted(leg_id);
        }
        self.note(now, call, fact);
        Ok(Progress::Done)
    }

    /// Records a leg of a trunk whose calls are recorded, unless another one of its call is: one has both parties.
    pub(super) fn record_by_trunk(&mut self, now: Instant, leg_id: LegId) {
        let Some(leg) = self.legs.get(leg_id).filter(|leg| leg.state.endpoint().is_some()) else { return };
        let Some(call) = self.calls.get(leg.call) else { return };
        let Some(config) = &call.config.recording else { return };
        let is_of_one = |leg: &Leg| leg.trunk.as_ref().is_some_and(|trunk| config.trunks.contains(trunk));
        // Who calls is on the left: a caller of such a trunk who is not answered yet is recorded then.
        let caller = self.legs.get(call.caller).filter(|caller| caller.answered.is_none());
        let is_wanted = is_of_one(leg) && !caller.is_some_and(is_of_one);
        let is_recorded = |leg: &LegId| self.legs.get(*leg).is_some_and(|leg| leg.recording.is_some());
        if is_wanted && !call.legs.iter().any(is_recorded) {
            let call = leg.call;
            if let Err(error) = self.begin_recording(now, leg_id) {
                self.note(now, call, CallFact::RecordingFailed { leg: leg_id, reason: error.to_string() });
            }
        }
    }

    fn begin_recording(&mut self, now: Instant, leg_id: LegId) -> Result<(), CommandError> {
        let leg = self.legs.get_mut(leg_id).ok_or(CommandError::UnknownLeg)?;
        let endpoint = leg.state.endpoint().ok_or(CommandError::UnknownLeg)?;
        let call = self.calls.get(leg.call).ok_or(CommandError::UnknownCall)?;
        let Some(config) = &call.config.recording else {
            return Err(CommandError::Invalid("recording: the node keeps none".to_owned()));
        };
        if self.recordings.len() >= config.max {
            return Err(CommandError::Limit("recordings".to_owned()));
        }
        let id = RecordingId(self.recordings_made);
        self.recordings_made += 1;
        self.counters.recordings += 1;
        let (tap, reader) = tap(TAP_CAPACITY);
        leg.recording = Some(Recording { id, file: None, is_paused: false, beep_at: None });
        self.recordings.insert(id, leg_id);
        self.actions.push_back(Action::Record(Box::new(NewRecording {
            id,
            at: now,
            call: leg.call,
            leg: leg_id,
            sip_call_id: leg.sip_call_id.clone(),
            party: leg.party.clone(),
            dialled: call.dialled.clone(),
            trunk: leg.trunk.clone(),
            reader,
        })));
        self.command_endpoint(endpoint, |endpoint| media::Command::Record { endpoint, tap });
        self.beep_if_wanted(leg_id);
        self.schedule_beep(now, leg_id);
        Ok(())
    }

    fn end_recording(&mut self, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let (recording, endpoint) = (leg.recording.take(), leg.state.endpoint());
        if let Some(at) = recording.as_ref().and_then(|recording| recording.beep_at) {
            self.timers.cancel(at, Timer::RecordingBeep(leg_id));
        }
        if let (Some(_), Some(endpoint)) = (recording, endpoint) {
            self.command_endpoint(endpoint, |endpoint| media::Command::StopRecording { endpoint });
        }
    }

    /// Takes what became of a recording.
    pub(crate) fn handle_recording(&mut self, now: Instant, id: RecordingId, news: RecordingNews) {
        let Some(leg_id) = self.recordings.get(&id).copied() else { return };
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let (call, is_ended) = (leg.call, leg.state.is_ended());
        let recording = leg.recording.as_mut().filter(|recording| recording.id == id);
        match news {
            RecordingNews::Begun { file } => {
                if let Some(recording) = recording {
                    recording.file = Some(file.clone());
                }
                self.note(now, call, CallFact::RecordingStarted { leg: leg_id, file });
            }
            RecordingNews::Failed { reason } => {
                self.counters.recordings_failed += 1;
                if recording.is_some() {
                    self.end_recording(leg_id);
                }
                self.recordings.remove(&id);
                self.note(now, call, CallFact::RecordingFailed { leg: leg_id, reason: reason.clone() });
                if !is_ended {
                    self.tell(Event::RecordingFailed { call, leg: leg_id, reason });
                }
            }
        }
    }

    /// A leg goes on in another call, and so does its recording.
    pub(super) fn recording_moved(&mut self, now: Instant, leg_id: LegId, to: CallId) {
        let file = self.legs.get(leg_id).and_then(|leg| leg.recording.as_ref()?.file.clone());
        if let Some(file) = file {
            self.note(now, to, CallFact::RecordingStarted { leg: leg_id, file });
        }
    }

    /// It is time for the parties to hear that they are recorded.
    pub(super) fn beep_due(&mut self, now: Instant, leg_id: LegId) {
        let recording = self.legs.get(leg_id).and_then(|leg| leg.recording.as_ref());
        if recording.is_some_and(|recording| !recording.is_paused) {
            self.beep(leg_id);
        }
        self.schedule_beep(now, leg_id);
    }

    fn schedule_beep(&mut self, now: Instant, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let config = self.calls.get(leg.call).and_then(|call| call.config.recording.as_ref());
        let at = config.and_then(|config| config.beep_every).map(|every| now + every);
        if let (Some(recording), Some(at)) = (&mut leg.recording, at) {
            recording.beep_at = Some(at);
            self.timers.set(at, Timer::RecordingBeep(leg_id));
        }
    }

    fn beep_if_wanted(&mut self, leg_id: LegId) {
        let call = self.legs.get(leg_id).and_then(|leg| self.calls.get(leg.call));
        if call.and_then(|call| call.config.recording.as_ref()).is_some_and(|config| config.beep) {
            self.beep(leg_id);
        }
    }

    /// Lets all who hear each other on a leg hear a tone; a party that is played to, or keys, is let alone.
    fn beep(&mut self, leg_id: LegId) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let segments: Arc<[media::Segment]> = [media::Segment::Tone(media::Tone::Recording)].into();
        let peer = leg.state.peer().or_else(|| self.relayed_with(leg_id));
        let is_busy = matches!(leg.state, LegState::Answered { play, collect, .. } if play.is_some() || collect.is_some());
        if matches!(leg.state, LegState::Conferring { .. }) && peer.is_none() {
            return self.announce(leg.call, segments);
        }
        if is_busy {
            return;
        }
        for leg in [Some(leg_id), peer.filter(|peer| *peer != leg_id)].into_iter().flatten() {
            let endpoint = self.legs.get(leg).and_then(|leg| leg.state.endpoint());
            let Some(endpoint) = endpoint else { continue };
            let segments = Arc::clone(&segments);
            self.command_endpoint(endpoint, |endpoint| media::Command::Play {
                endpoint,
                play: BEEP,
                segments,
                times: Some(1),
                barge_in: media::BargeIn::Never,
            });
        }
    }

    fn note(&mut self, now: Instant, call: CallId, fact: CallFact) {
        if let Some(call) = self.calls.get_mut(call).filter(|call| !call.is_recorded()) {
            call.add_fact(now, fact);
        }
    }
}
