//! Calls as a state machine: session events, media events and commands in; actions out.
//!
//! Owner thread: the signalling core. Nothing here knows a SIP message or an RTP packet; the user agent and the
//! workers are reached by [`Action`]s, which the owner carries out in order before it hands in anything else.
//!
//! # What a command means
//! | command | in | does | done when |
//! |---|---|---|---|
//! | `Ring` | offered | sends 180 | at once |
//! | `Progress` | offered | opens an endpoint, then sends 183 with it; the leg may be bridged | that is out |
//! | `Answer` | offered | opens an endpoint, unless it has one, then answers | the ACK has come and audio is agreed |
//! | `Reject` | offered | refuses with the reason's status | the leg has ended |
//! | `Hangup` | every state but ending | refuses, cancels or hangs up; what waited on the leg is answered first | the leg has ended |
//! | `Play` | answered | replaces what was playing | it ended |
//! | `Collect` | answered | replaces the collection under way | it ended |
//! | `Stop` | answered | ends play and collection as stopped | at once |
//! | `Dial` | a call with a leg that has not ended | makes a leg, opens an endpoint, invites | it is answered, or has failed |
//! | `Bridge` | both answered, or early: one that rings or one that progresses, or bridged to each other | ends plays and collections as stopped, joins | at once |
//! | `Unbridge` | bridged, or conferring | parts both, or takes the one out; each is then for itself | at once |
//! | `Join` | answered or bridged, in whatever call; or conferring | see [`conference`] | at once |
//! | `SetLevel` | conferring | changes how loud it is for others | at once |
//! | `Transfer` | two legs as for `Bridge`, or bridged to each other; no transfer under way in their calls | see [`transfer`] | the transferee hears somebody else, or has been given back |
//! | `PickUp` | offered; the other one dialled, not answered, in another call | accepts the caller at the other one's endpoint, in its place; ends the call | at once |
//! | `RefuseTransfer` | a leg whose party asked for a transfer | refuses it with the reason's status | at once |
//! | `Analyse` | dialled, until it ends, with an endpoint | listens as soon as there is media; see [`analysis`] | at once |
//! | `Record` | answered, bridged or conferring, with an endpoint | see [`recording`] | at once |
//! | `SetData` | a call without a record | adds a fact | at once |
//!
//! A `Dial` with direct media opens no endpoint: it is for an offered caller, whose description goes into the INVITE.
//! `Answer` of that caller is `WrongState` until the dialled leg is answered, and then opens none either; the two can be
//! bridged to each other and to nobody else, and neither played to, collected from, parted nor transferred.
//!
//! In every other state the command is `WrongState`; for a leg that has ended or never was, `UnknownLeg`; so too
//! with calls. `tests/table.rs` renders each state with each command from the machine itself.
//!
//! - A play or collection that is stopped, replaced or bridged over is done at once, as stopped; digits of a
//!   stopped collection are forgotten. Every command of a leg is done before its `LegEnded`, its last event.
//! - A collection with fewer digits than `min_digits` is reported as collected: whether that is enough, and what the
//!   caller hears then, is the control plane's to decide.
//! - When a bridged leg ends the other one hears nothing and is for itself again; the control plane, told of the
//!   end, decides. When the caller's leg has ended, the others are hung up after [`CALLER_GONE_GRACE`] unless the
//!   control plane has meanwhile had a command carried out on the call (a fact for the record does not count).
//! - A leg is freed when the user agent has released its session, its endpoint is closed and the control plane was
//!   told; a call with its last leg. The record is made as soon as all legs have ended and all endpoints are closed.

mod analysis;
mod call;
mod cause;
mod commands;
mod conference;
mod deflect;
mod direct;
mod ending;
mod endpoints;
mod hand_back;
mod leg;
mod media_events;
mod moving;
mod pick_up;
mod placing;
mod progress;
mod recording;
mod relaying;
mod replace;
mod session_events;
mod speech;
mod timers;
mod transfer;
mod translate;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{CallId, CommandError, Event, LegId, Request};
use tandem_media as media;
use tandem_sbc::user_agent::{
    Identity, Invite, InviteTarget, LocalMedia, Reason, ReferTarget, Reoffer, Scheme, SessionId,
};
use tandem_time::Instant;

use crate::arena::Arena;
use crate::{Counters, PromptLibrary, SwitchConfig, WorkerIndex};

use call::Call;
pub use cause::EndCause;
use endpoints::Endpoints;
use leg::{Leg, LegState, Settled};
pub use recording::{CallRecording, NewRecording, RecordingId, RecordingNews};
use replace::Replacement;
use speech::Speech;
pub use speech::Utterance;
use timers::{Timer, Timers};
use transfer::Refer;

/// How long other legs may go on without a word of the control plane after the caller has gone.
pub(crate) const CALLER_GONE_GRACE: Duration = Duration::from_secs(10);
/// How many ports are tried for one endpoint.
pub(crate) const MAX_OPEN_ATTEMPTS: u8 = 3;
/// The audio a packet of ours carries.
pub(crate) const PTIME: Duration = Duration::from_millis(20);

/// What the owner is to do, in order.
#[derive(Debug)]
pub(crate) enum Action {
    /// Tell the control plane; what it is told of a call's end is the record to keep.
    Tell(Event),
    /// Hand a command to a media worker.
    Media { worker: WorkerIndex, command: media::Command },
    /// Invite, for a caller who waits or for a party who talks to us meanwhile; the result goes to
    /// [`Calls::handle_invited`].
    Invite {
        leg: LegId,
        caller: Option<SessionId>,
        party: Option<SessionId>,
        scheme: Scheme,
        invite: Box<Invite>,
    },
    /// The parties of two sessions talk to each other.
    Pair { one: SessionId, other: SessionId },
    /// Say that the called party rings.
    Ring { session: SessionId },
    /// Let the caller hear us before we answer; what becomes of it goes to [`Calls::handle_progressed`].
    Progress { leg: LegId, session: SessionId, media: Box<LocalMedia> },
    /// Answer; a failure goes to [`Calls::handle_accept_failure`].
    Accept { leg: LegId, session: SessionId, media: Box<LocalMedia> },
    /// Invite for a caller, with the caller's description; the result goes to [`Calls::handle_invited`].
    InviteThrough { leg: LegId, caller: SessionId, target: InviteTarget, from: Identity },
    /// Answer as the leg that was invited for it was; a failure goes to [`Calls::handle_accept_failure`].
    AcceptThrough { leg: LegId, session: SessionId },
    /// Refuse.
    Reject { session: SessionId, status: u16 },
    /// Hang up. That the session is gone already is no failure: its end is under way to us.
    HangUp { session: SessionId, cause: &'static str },
    /// Ask a party to speak another codec; what becomes of it is an event, and that it cannot be asked now goes to
    /// [`Calls::codec_not_asked`].
    Reoffer { session: SessionId, reoffer: Box<Reoffer> },
    /// Send a digit in SIP to a peer that wants them so; to any other it is not sent.
    SendDigit { session: SessionId, digit: char },
    /// Ask a peer to call somebody by itself; a failure goes to [`Calls::handle_not_referred`].
    Deflect { session: SessionId, target: ReferTarget, wait: Duration },
    /// Let the message that ends a session say why, as the party of another leg did; the next action ends it.
    StateReason { session: SessionId, reason: Reason },
    /// Write a recording; what becomes of it goes to [`Calls::handle_recording`].
    Record(Box<NewRecording>),
    /// Agree to a transfer that a peer asked for. That its session, or its patience, is gone is no failure; so with the
    /// next two.
    AcceptRefer { refer: Refer },
    /// Refuse it.
    RefuseRefer { refer: Refer, status: u16 },
    /// Tell the peer how far it is.
    ReportRefer { refer: Refer, status: u16 },
}

/// How far a command got when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It is done.
    Done,
    /// Its outcome will follow.
    UnderWay,
}

/// All calls of a switch.
#[derive(Debug)]
pub(crate) struct Calls {
    config: Arc<SwitchConfig>,
    prompts: PromptLibrary,
    calls: Arena<CallId, Call>,
    legs: Arena<LegId, Leg>,
    sessions: BTreeMap<SessionId, LegId>,
    /// Sessions that are about to take a leg's place; one a leg at most.
    replacements: BTreeMap<SessionId, Replacement>,
    /// The legs of each phone that have not ended, by its user.
    phones: BTreeMap<String, Vec<LegId>>,
    endpoints: Endpoints,
    timers: Timers,
    speech: Speech,
    counters: Counters,
    actions: VecDeque<Action>,
    /// Calls that may have become complete since the control plane was last quiet.
    settling: VecDeque<CallId>,
    /// Calls with a leg that has not ended.
    calls_up: u32,
    commands_under_way: usize,
    draining: bool,
    plays: u64,
    collections: u64,
    conferences: u64,
    /// The legs of recordings that are not forgotten yet.
    recordings: BTreeMap<RecordingId, LegId>,
    recordings_made: u64,
}

impl Calls {
    pub(crate) fn new(config: SwitchConfig, prompts: PromptLibrary) -> Self {
        let endpoints = Endpoints::new(config.media_ports.clone(), config.workers);
        Self {
            config: Arc::new(config),
            prompts,
            calls: Arena::new(),
            legs: Arena::new(),
            sessions: BTreeMap::new(),
            replacements: BTreeMap::new(),
            phones: BTreeMap::new(),
            endpoints,
            timers: Timers::default(),
            speech: Speech::default(),
            counters: Counters::default(),
            actions: VecDeque::new(),
            settling: VecDeque::new(),
            calls_up: 0,
            commands_under_way: 0,
            draining: false,
            plays: 0,
            collections: 0,
            conferences: 0,
            recordings: BTreeMap::new(),
            recordings_made: 0,
        }
    }

    /// New calls get the new limits and prompts; those under way keep the limits they began with.
    pub(crate) fn reload(&mut self, config: SwitchConfig, prompts: PromptLibrary) {
        self.config = Arc::new(config);
        self.prompts = prompts;
    }

    pub(crate) const fn drain(&mut self) {
        self.draining = true;
    }

    /// The next thing to do, until `None`.
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes a command of the control plane.
    pub(crate) fn handle_request(&mut self, now: Instant, request: Request) {
        let (id, name) = (request.id, request.command.name());
        self.commands_under_way += 1;
        let outcome = match self.begin(now, id, request.command) {
            Ok(Progress::UnderWay) => return,
            Ok(Progress::Done) => Ok(tandem_control_api::Outcome::Ok),
            Err(error) => Err(error),
        };
        self.done(Settled::new(name, id, outcome));
    }

    /// Answers a command that is one too many.
    pub(crate) fn refuse_request(&mut self, request: &Request) {
        self.commands_under_way += 1;
        let error = CommandError::Limit("commands at a time".to_owned());
        self.done(Settled::new(request.command.name(), request.id, Err(error)));
    }

    /// Does what is due by `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::RingTimeout(leg) => self.ring_timeout(now, leg),
                Timer::CallTooLong(call) => self.hang_up_all(now, call, EndCause::TooLong),
                Timer::RecordingBeep(leg) => self.beep_due(now, leg),
                Timer::CallerGone(call) => self.hang_up_all(now, call, EndCause::CallerGone),
            }
        }
    }

    /// When [`Calls::handle_timeout`] should be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is in use here; the user agent knows the rest.
    pub(crate) fn ledger(&self) -> crate::Ledger {
        crate::Ledger {
            calls: self.calls.len(),
            legs: self.legs.len(),
            ports: self.endpoints.ports_leased(),
            endpoints: self.endpoints.len(),
            commands: self.commands_under_way,
            timers: self.timers.len(),
            recordings: self.recordings.len(),
            ..crate::Ledger::default()
        }
    }

    fn tell(&mut self, event: Event) {
        self.actions.push_back(Action::Tell(event));
    }

    /// Tells a command's one outcome.
    fn done(&mut self, settled: Settled) {
        self.commands_under_way = self.commands_under_way.saturating_sub(1);
        self.counters.command_done(settled.name, &settled.outcome);
        self.tell(Event::Done { command: settled.command, outcome: settled.outcome });
    }

    /// Sends a command to the worker of an open endpoint; while the endpoint moves it waits, and to any other it is
    /// not sent.
    fn command_endpoint(
        &mut self,
        endpoint: media::EndpointId,
        command: impl FnOnce(media::EndpointId) -> media::Command,
    ) {
        let command = command(endpoint);
        if let Some(worker) = self.endpoints.worker_of_open(endpoint) {
            self.actions.push_back(Action::Media { worker, command });
        } else {
            self.endpoints.wait(endpoint, command);
        }
    }

    /// Opens an endpoint for a leg at the worker of its call.
    fn open_endpoint(&mut self, now: Instant, call: CallId, leg: LegId) -> Option<media::EndpointId> {
        let worker = self.worker_of(call, None)?;
        let call = self.calls.get(call)?;
        let (endpoint, command) = self.endpoints.open(now, leg, worker, &call.config)?;
        self.actions.push_back(Action::Media { worker, command });
        Some(endpoint)
    }

    fn set_state(&mut self, leg: LegId, state: LegState) {
        if let Some(leg) = self.legs.get_mut(leg) {
            leg.state = state;
        }
    }
}
