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

/// How it stands with the recordings of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallRecording {
    /// It has none.
    None,
    /// Something is kept.
    Running,
    /// Nothing is kept until they go on.
    Paused,
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
        if state.endpoint().is_none() || !is_heard {
            return Err(wrong_state("record", &state));
        }
        self.attend(call);
        let standing = self.recording_of(call);
        match action {
            RecordAction::Begin => self.begin_unless_recorded(now, leg_id)?,
            RecordAction::BeginOrEnd if standing == CallRecording::None => {
                self.begin_unless_recorded(now, leg_id)?;
            }
            RecordAction::End | RecordAction::BeginOrEnd => self.end_recordings(now, call),
            RecordAction::PauseOrResume if standing == CallRecording::Paused => {
                self.pause_recordings(now, call, false);
            }
            RecordAction::Pause | RecordAction::PauseOrResume => self.pause_recordings(now, call, true),
            RecordAction::Resume => self.pause_recordings(now, call, false),
        }
        Ok(Progress::Done)
    }

    /// The call of that identifier, or with a leg of that SIP Call-ID.
    pub(crate) fn call_named(&self, name: &str) -> Option<CallId> {
        let by_id = name.parse().ok().filter(|call| self.calls.get(*call).is_some());
        let mut legs = self.legs.keys().filter_map(|leg| self.legs.get(leg));
        by_id.or_else(|| legs.find_map(|leg| (leg.sip_call_id == name).then_some(leg.call)))
    }

    /// Does the same for who knows a call and none of its legs: the caller's is recorded, or another one when it is gone.
    ///
    /// # Errors
    /// `UnknownCall`, `WrongState` when nobody is answered or there is nothing to pause, and what `Record` may end with.
    pub(crate) fn record_call(
        &mut self,
        now: Instant,
        call_id: CallId,
        action: RecordAction,
    ) -> Result<CallRecording, CommandError> {
        let call = self.calls.get(call_id).ok_or(CommandError::UnknownCall)?;
        let legs: Vec<LegId> = [call.caller].into_iter().chain(call.legs.iter().copied()).collect();
        let is_answered = |leg: &LegId| self.legs.get(*leg).is_some_and(|leg| leg.answered.is_some());
        let leg = legs.into_iter().find(|leg| is_answered(leg) && self.commanded(*leg).is_ok());
        let state = |state: &str| CommandError::WrongState { command: "record".into(), state: state.into() };
        let leg = leg.ok_or_else(|| state("not answered"))?;
        let begins = matches!(action, RecordAction::Begin | RecordAction::BeginOrEnd);
        if !begins && self.recording_of(call_id) == CallRecording::None {
            return Err(state("not recorded"));
        }
        self.record(now, leg, action)?;
        Ok(self.recording_of(call_id))
    }

    /// The legs of a call that are recorded.
    fn recorded_legs(&self, call: CallId) -> Vec<LegId> {
        let legs = self.calls.get(call).map(|call| call.legs.as_slice()).unwrap_or_default();
        let is_recorded = |leg: &Leg| leg.recording.is_some() && !leg.state.is_ended();
        let is_recorded = |leg: &LegId| self.legs.get(*leg).is_some_and(is_recorded);
        legs.iter().copied().filter(is_recorded).collect()
    }

    /// How it stands with the recordings of a call.
    fn recording_of(&self, call: CallId) -> CallRecording {
        let recorded = self.recorded_legs(call);
        let is_paused = |leg: &LegId| {
            let recording = self.legs.get(*leg).and_then(|leg| leg.recording.as_ref());
            recording.is_some_and(|recording| recording.is_paused)
        };
        match recorded.iter().all(is_paused) {
            _ if recorded.is_empty() => CallRecording::None,
            true => CallRecording::Paused,
            false => CallRecording::Running,
        }
    }

    fn begin_unless_recorded(&mut self, now: Instant, leg_id: LegId) -> Result<(), CommandError> {
        match self.legs.get(leg_id) {
            Some(leg) if leg.recording.is_some() => Ok(()),
            _ => self.begin_recording(now, leg_id),
        }
    }

    fn pause_recordings(&mut self, now: Instant, call: CallId, pause: bool) {
        for leg_id in self.recorded_legs(call) {
            let Some(leg) = self.legs.get_mut(leg_id) else { continue };
            let endpoint = leg.state.endpoint();
            let Some(recording) = leg.recording.as_mut().filter(|it| it.is_paused != pause) else { continue };
            recording.is_paused = pause;
            if let Some(endpoint) = endpoint {
                self.command_endpoint(endpoint, |endpoint| media::Command::PauseRecording {
                    endpoint,
                    pause,
                });
            }
            self.beep_if_wanted(leg_id);
            let fact = if pause {
                CallFact::RecordingPaused { leg: leg_id }
            } else {
                CallFact::RecordingResumed { leg: leg_id }
            };
            self.note(now, call, fact);
        }
    }

    fn end_recordings(&mut self, now: Instant, call: CallId) {
        for leg_id in self.recorded_legs(call) {
            self.end_recording(leg_id);
            self.note(now, call, CallFact::RecordingEnded { leg: leg_id });
        }
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
        if is_wanted && self.recorded_legs(leg.call).is_empty() {
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
