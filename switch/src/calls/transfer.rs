//! Transfers, executed here as a back-to-back user agent does: the transferee's own session stays as it is, and hears
//! somebody else.
//!
//! ```text
//!  transferor ══ transferee                 transferor ══ transferee
//!        │ Transfer to: Dial                      │ Transfer to: Party
//!        ▼                                        ▼                    another leg of the transferor ══ party
//!  transferor    transferee ♪   target ☎    (both transferor's legs are hung up)
//!        ├─ answered ─▶ transferee ══ target, the transferor is hung up
//!        ├─ not answered ─▶ transferor ══ transferee, when both are still there
//!        ├─ the transferor leaves ─▶ goes on: its phone hangs up as soon as the REFER is accepted
//!        └─ the transferee leaves ─▶ the target is cancelled
//! ```
//!
//! A call has one transfer under way at a time. Whoever asked for it by REFER is told of ringing and of the end.
//!
//! A leg that moves to another call takes its session, endpoint and record along: it counts in the ledger of one call
//! at any time, and both records say where it went and came from. When the calls are at different media workers, its
//! endpoint moves too (see [`super::moving`]); calls of one phone are placed at the same.

use tandem_control_api::{
    CallFact, CallId, CommandError, CommandId, DialFailure, Event, LegId, MediaPath, Outcome, Prompt,
    RejectReason, TransferTo,
};
use tandem_media as media;
use tandem_sbc::user_agent::{ReferId, Scheme, SessionId};
use tandem_time::Instant;

use super::call::Call;
use super::cause::{self, EndCause};
use super::commands::{Begun, wrong_state};
use super::deflect::Wish;
use super::ending::Hangup;
use super::leg::{LegState, Settled};
use super::{Action, Calls, Progress, translate};

/// What a transferor is told who asks while another transfer is under way (RFC 3261 §21.4.27).
const PENDING: u16 = 491;

/// What a transferor is told whose media does not pass us, so that nobody else can be put in its place.
const NOT_HERE: u16 = 488;

/// A REFER, as the user agent knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refer {
    pub(crate) session: SessionId,
    pub(crate) id: ReferId,
    /// What it asks of the way to whom it names.
    pub(crate) scheme: Scheme,
}

/// Between whom a transfer is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parties {
    pub(super) command: CommandId,
    pub(super) transferor: LegId,
    pub(super) transferee: LegId,
    /// Whether the two heard each other before.
    pub(super) was_bridged: bool,
    /// The REFER that asked for it.
    pub(super) refer: Option<Refer>,
}

/// A transfer under way: the target is being rung.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(super) parties: Parties,
    pub(super) target: LegId,
}

impl Calls {
    /// A party asks for a transfer: the control plane decides.
    pub(super) fn transfer_asked(
        &mut self,
        leg_id: LegId,
        refer: Refer,
        to: String,
        replaces: Option<SessionId>,
    ) {
        let is_direct = self.legs.get(leg_id).is_some_and(|leg| leg.media_path == MediaPath::Direct);
        if is_direct {
            self.actions.push_back(Action::RefuseRefer { refer, status: NOT_HERE });
            return;
        }
        let consulted_on = replaces.and_then(|session| self.sessions.get(&session).copied());
        let call = self.legs.get(leg_id).map(|leg| leg.call);
        let is_busy = call.and_then(|call| self.calls.get(call)).is_none_or(Call::is_transferring);
        let leg = self.legs.get_mut(leg_id).filter(|leg| {
            let is_talking = matches!(
                leg.state,
                LegState::Answered { .. } | LegState::Bridged { .. } | LegState::Conferring { .. }
            );
            is_talking && leg.refer.is_none() && !is_busy && consulted_on.is_some() == replaces.is_some()
        });
        let Some(leg) = leg else {
            self.actions.push_back(Action::RefuseRefer { refer, status: PENDING });
            return;
        };
        leg.refer = Some(refer);
        let call = leg.call;
        self.tell(Event::TransferAsked { call, leg: leg_id, to, consulted_on });
    }

    pub(super) fn refuse_transfer(&mut self, leg_id: LegId, reason: RejectReason) -> Begun {
        let (state, call) = self.commanded(leg_id)?;
        let refer = self.legs.get_mut(leg_id).and_then(|leg| leg.refer.take());
        let refer = refer.ok_or_else(|| wrong_state("refuse-transfer", &state))?;
        self.attend(call);
        self.actions.push_back(Action::RefuseRefer { refer, status: cause::reject_status(reason) });
        Ok(Progress::Done)
    }

    pub(super) fn transfer(
        &mut self,
        now: Instant,
        id: CommandId,
        transferor: LegId,
        transferee: LegId,
        to: TransferTo,
    ) -> Begun {
        let call = self.couple("transfer", transferor, transferee)?;
        match to {
            TransferTo::Dial { target, caller_id, ring_timeout, prompts } => {
                let segments = translate::segments(&or_silence(prompts), &self.prompts)?;
                let scheme =
                    self.legs.get(transferor).and_then(|leg| leg.refer).map_or(Scheme::Sip, |it| it.scheme);
                // What becomes of it at a carrier is the carrier's: TLS on every hop is what we see to ourselves.
                let carrier = self.carrier_for(transferee, &target).filter(|_| scheme == Scheme::Sip);
                if let Some(carrier) = carrier {
                    let wish = Wish { command: id, transferor, transferee, target, caller_id, ring_timeout };
                    self.deflect(call, wish, carrier, segments);
                } else {
                    let target = self.begin_dial(now, id, call, target, caller_id, now + ring_timeout)?;
                    self.ask_for(target, scheme);
                    let parties = self.set_apart(id, transferor, transferee, segments);
                    if let Some(call) = self.calls.get_mut(call) {
                        call.transfer = Some(Transfer { parties, target });
                    }
                }
                Ok(Progress::UnderWay)
            }
            TransferTo::Party { leg: party, consulted_on } => {
                let other = self.couple("transfer", consulted_on, party)?;
                check_joinable([transferor, transferee, consulted_on, party])?;
                self.part(transferor);
                self.part(consulted_on);
                self.move_leg(now, party, other, call);
                self.connect(transferee, party);
                self.hand_over(now, transferor, transferee);
                self.hand_over(now, consulted_on, party);
                self.transferred(id, party);
                self.hand_back(call, transferee, party);
                Ok(Progress::UnderWay)
            }
            TransferTo::Control => {
                self.part(transferor);
                self.hand_over(now, transferor, transferee);
                self.transferred(id, transferee);
                Ok(Progress::UnderWay)
            }
        }
    }

    /// A leg that is dialled is to be reached that way.
    fn ask_for(&mut self, leg: LegId, scheme: Scheme) {
        if let Some(invitation) = self.legs.get_mut(leg).and_then(|leg| leg.invitation.as_mut()) {
            invitation.scheme = scheme;
        }
    }

    /// The transferee hears something else than the transferor from now on, who is told that it is being transferred.
    pub(super) fn set_apart(
        &mut self,
        command: CommandId,
        transferor: LegId,
        transferee: LegId,
        segments: std::sync::Arc<[media::Segment]>,
    ) -> Parties {
        let was_bridged =
            self.legs.get(transferor).is_some_and(|leg| matches!(leg.state, LegState::Bridged { .. }));
        self.part(transferor);
        self.play_meanwhile(transferee, segments);
        let refer = self.accept_refer(transferor);
        Parties { command, transferor, transferee, was_bridged, refer }
    }

    pub(super) fn transferred(&mut self, id: CommandId, leg: LegId) {
        self.done(Settled::new("transfer", id, Ok(Outcome::Transferred { leg })));
    }

    /// The call of two different answered legs that talk to each other, or to nobody.
    fn couple(&self, command: &str, a: LegId, b: LegId) -> Result<CallId, CommandError> {
        let ((state_a, call), (state_b, other)) = (self.commanded(a)?, self.commanded(b)?);
        if call != other {
            return Err(CommandError::DifferentCalls);
        }
        for (state, peer) in [(&state_a, b), (&state_b, a)] {
            let fits = match state {
                LegState::Answered { endpoint: Some(_), .. } => a != b,
                LegState::Bridged { peer: found, endpoint: Some(_), .. } => *found == peer && a != b,
                _ => false,
            };
            if !fits {
                return Err(wrong_state(command, state));
            }
        }
        if self.calls.get(call).is_some_and(Call::is_transferring) {
            let state = "in a call with a transfer under way".to_owned();
            return Err(CommandError::WrongState { command: command.to_owned(), state });
        }
        Ok(call)
    }

    /// What the transferee hears until the target answers. Nobody waits for its end.
    fn play_meanwhile(&mut self, transferee: LegId, segments: std::sync::Arc<[media::Segment]>) {
        let Some(leg) = self.legs.get_mut(transferee) else { return };
        let LegState::Answered { session, endpoint: Some(endpoint), play, collect } = leg.state else {
            return;
        };
        let at = Some(endpoint);
        leg.state = LegState::Answered { session, endpoint: at, play: None, collect: None };
        self.stopped(play, collect);
        self.plays += 1;
        let play = media::PlayId(self.plays);
        self.command_endpoint(endpoint, |endpoint| media::Command::Stop { endpoint });
        self.command_endpoint(endpoint, |endpoint| media::Command::Play {
            endpoint,
            play,
            segments,
            times: None,
            barge_in: media::BargeIn::Never,
        });
    }

    fn accept_refer(&mut self, leg: LegId) -> Option<Refer> {
        let refer = self.legs.get_mut(leg)?.refer.take()?;
        self.actions.push_back(Action::AcceptRefer { refer });
        Some(refer)
    }

    pub(super) fn report(&mut self, refer: Option<Refer>, status: u16) {
        if let Some(refer) = refer {
            self.actions.push_back(Action::ReportRefer { refer, status });
        }
    }

    /// The transferor has no part in the call any more: it is told so and hung up.
    fn hand_over(&mut self, now: Instant, transferor: LegId, to: LegId) {
        let refer = self.accept_refer(transferor);
        self.report(refer, 200);
        if let Some(call) = self.legs.get(to).map(|leg| leg.call) {
            self.attend(call);
        }
        self.pass_on(transferor, to);
        self.end_by_us(now, transferor, Hangup::by_switch(EndCause::Transferred));
    }

    /// A call goes on without the leg that began it: the other one is its caller from now on.
    pub(super) fn pass_on(&mut self, from: LegId, to: LegId) {
        let Some(call) = self.legs.get(from).map(|leg| leg.call) else { return };
        if let Some(call) = self.calls.get_mut(call)
            && call.caller == from
            && call.legs.contains(&to)
        {
            call.caller = to;
        }
    }

    /// Takes a leg from one call to another. What is left of the first has the leg that stays as its caller.
    pub(super) fn move_leg(&mut self, now: Instant, leg_id: LegId, from: CallId, to: CallId) {
        if from == to {
            return;
        }
        let Some(left) = self.calls.get_mut(from) else { return };
        left.legs.retain(|leg| *leg != leg_id);
        left.live = left.live.saturating_sub(1);
        left.unrecorded = left.unrecorded.saturating_sub(1);
        left.add_fact(now, CallFact::LegLeft { leg: leg_id, to });
        let stays = left
            .legs
            .iter()
            .copied()
            .find(|leg| self.legs.get(*leg).is_some_and(|leg| !leg.state.is_ended()));
        if let Some(stays) = stays.filter(|_| left.caller == leg_id) {
            left.caller = stays;
        }
        let (Some(call), Some(leg)) = (self.calls.get_mut(to), self.legs.get_mut(leg_id)) else { return };
        leg.call = to;
        leg.ordinal = call.legs_made();
        call.add_leg(leg_id);
        call.add_fact(now, CallFact::LegJoined { leg: leg_id, from });
        self.recording_moved(now, leg_id, to);
        self.tell(Event::LegMoved { call: to, leg: leg_id, from });
        self.move_endpoint(leg_id);
    }

    /// The target of a transfer rings.
    pub(super) fn transfer_rings(&mut self, call: CallId, leg: LegId) {
        let transfer = self.calls.get(call).and_then(|call| call.transfer);
        if let Some(transfer) = transfer.filter(|transfer| transfer.target == leg) {
            self.report(transfer.parties.refer, 180);
        }
    }

    /// Tells a command's outcome, unless it is that of a dial which a transfer began: then the transfer goes on.
    pub(super) fn settled(&mut self, now: Instant, call: CallId, settled: Settled) {
        let transfer = self.calls.get_mut(call).and_then(|call| {
            let is_its = |transfer: &mut Transfer| transfer.parties.command == settled.command;
            call.transfer.take_if(is_its)
        });
        match (transfer, settled.outcome) {
            (None, outcome) => self.done(Settled { outcome, ..settled }),
            (Some(transfer), Ok(_)) => self.target_answered(now, &transfer),
            (Some(transfer), Err(error)) => self.target_failed(transfer.parties, error),
        }
    }

    fn target_answered(&mut self, now: Instant, transfer: &Transfer) {
        let Transfer { parties: Parties { command, transferor, transferee, refer, .. }, target } = *transfer;
        // The control plane may have let the transferee hear the target's early media.
        let peer = self.legs.get(transferee).and_then(|leg| leg.state.peer());
        if peer != Some(target) && !self.is_for_itself(transferee) {
            // The control plane took the transferee somewhere else.
            self.report(refer, 487);
            self.end_by_us(now, target, Hangup::by_switch(EndCause::Cancelled));
            let state = "taken elsewhere".to_owned();
            let error = CommandError::WrongState { command: "transfer".to_owned(), state };
            return self.done(Settled::new("transfer", command, Err(error)));
        }
        self.connect(transferee, target);
        self.report(refer, 200);
        self.pass_on(transferor, transferee);
        self.transferred(command, target);
        self.end_by_us(now, transferor, Hangup::by_switch(EndCause::Transferred));
    }

    pub(super) fn target_failed(&mut self, parties: Parties, error: CommandError) {
        let Parties { command, transferor, transferee, was_bridged, refer } = parties;
        let is_secure = refer.is_some_and(|refer| refer.scheme == Scheme::Sips);
        let status = match &error {
            // RFC 5630 §5.3: there may be somebody, but not by that way.
            CommandError::NotAnswered(DialFailure::Unreachable) if is_secure => 480,
            CommandError::NotAnswered(failure) => cause::failure_status(*failure),
            _ => 487,
        };
        self.report(refer, status);
        if self.is_for_itself(transferee) {
            self.stop_meanwhile(transferee);
            if was_bridged && self.is_for_itself(transferor) {
                self.connect(transferor, transferee);
            }
        }
        let error = if self.is_up(transferee) { error } else { CommandError::LegEnded };
        self.done(Settled::new("transfer", command, Err(error)));
    }

    fn stop_meanwhile(&mut self, transferee: LegId) {
        let endpoint = self.legs.get(transferee).and_then(|leg| leg.state.endpoint());
        if let Some(endpoint) = endpoint {
            self.command_endpoint(endpoint, |endpoint| media::Command::Stop { endpoint });
        }
    }

    fn is_for_itself(&self, leg: LegId) -> bool {
        self.legs.get(leg).is_some_and(|leg| matches!(leg.state, LegState::Answered { .. }))
    }

    pub(super) fn is_up(&self, leg: LegId) -> bool {
        let is_going = |state: &LegState| matches!(state, LegState::Ending { .. } | LegState::Ended { .. });
        self.legs.get(leg).is_some_and(|leg| !is_going(&leg.state))
    }

    /// A leg leaves a call in which a transfer may be under way: the transferor may, without the transferee there is
    /// nobody to transfer.
    pub(super) fn leg_leaves_transfer(&mut self, now: Instant, call: CallId, leg: LegId) {
        self.leg_leaves_deflection(now, call, leg);
        self.leg_leaves_hand_back(now, call, leg);
        let Some(transfer) = self.calls.get(call).and_then(|call| call.transfer) else { return };
        if leg == transfer.parties.transferor {
            self.pass_on(leg, transfer.parties.transferee);
        }
        if leg == transfer.parties.transferee {
            let hangup =
                Hangup { dial_failure: DialFailure::Cancelled, ..Hangup::by_switch(EndCause::Cancelled) };
            self.end_by_us(now, transfer.target, hangup);
        }
    }
}

/// Four parties, or three of whom one is consulted in the same call.
fn check_joinable([transferor, transferee, consulted_on, party]: [LegId; 4]) -> Result<(), CommandError> {
    if [transferor, transferee].contains(&consulted_on) || [transferor, transferee].contains(&party) {
        return Err(CommandError::Invalid("to".to_owned()));
    }
    Ok(())
}

/// The prompts of a transfer may be none: silence.
fn or_silence(prompts: Vec<Prompt>) -> Vec<Prompt> {
    if prompts.is_empty() { vec![Prompt::Silence(std::time::Duration::from_secs(1))] } else { prompts }
}
