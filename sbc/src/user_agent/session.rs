//! Sessions: what each is doing, and how they are found again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tandem_time::Instant;

use super::deflect::Deflection;
use super::early::EARLY_DIALOGS_MAX;
use super::expiry::{Expiry, Refreshing};
use super::info::Keys;
use super::refer::Referral;
use super::reliable::Reliable;
use super::reoffer::Change;
use super::route::Plan;
use super::through::Through;
use super::watching::Watch;
use super::{Ender, NegotiatedAudio, Reason, SessionId};
use crate::auth::Challenge;
use crate::dialog::Dialog;
use crate::message::OwnedMessage;
use crate::offer_answer::Negotiation;
use crate::session_id::Identification;
use crate::slab::{Slab, Slot};
use crate::transaction::{INTERVAL_MIN, Timers, TransactionId};
use crate::transport::{Hop, Transport};
use crate::trunk::Admission;
use crate::uri::Scheme;

/// Whom a session is with; its later requests must come from there too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Trunk(Arc<str>),
    Phone,
    /// A phone over WebSocket.
    Browser,
}

impl Peer {
    /// The phone that something comes from, or goes to, by this transport.
    pub(super) fn phone(transport: Transport) -> Self {
        if transport.is_websocket() { Self::Browser } else { Self::Phone }
    }

    pub(super) const fn is_phone(&self) -> bool {
        matches!(self, Self::Phone | Self::Browser)
    }

    /// Whether it may speak for the other one: a trunk for itself, and phones, of which a call may have rung several.
    pub(super) fn is_on_the_side_of(&self, other: &Self) -> bool {
        self == other || self.is_phone() && other.is_phone()
    }
}

/// One INVITE dialog, or the attempt at one.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    /// Whom by name, when the peer is a phone.
    pub(super) user: Option<String>,
    pub(super) call_id: String,
    /// Ours in every dialog of the session.
    pub(super) local_tag: String,
    /// What it holds of what calls may take.
    pub(super) admission: Option<Admission>,
    pub(super) phase: Phase,
    /// Our INVITEs without a final response.
    pub(super) forks: Vec<Fork>,
    /// What we want changed.
    pub(super) change: Option<Box<Change>>,
    /// How long it lasts without being refreshed; for ever when absent.
    pub(super) expiry: Option<Expiry>,
    pub(super) refreshing: Refreshing,
    /// The RSeq of a 1xx of ours that our final response overtook; its PRACK may still come (RFC 3262 §3).
    pub(super) overtaken: Option<u32>,
    /// The highest CSeq of our requests in early dialogs: those that lose have no dialog when they answer all the same.
    pub(super) early_cseq: u32,
    /// Our BYEs without a final response.
    pub(super) farewells: usize,
    /// Our digits in SIP.
    pub(super) keys: Keys,
    /// The latest REFER of ours.
    pub(super) deflection: Option<Deflection>,
    /// REFERs of the peer that are not done with.
    pub(super) referrals: Vec<Referral>,
    /// Whether there ever was one.
    pub(super) was_referred: bool,
    /// The dialog when the session is over and something of it goes on (RFC 5057 §4).
    pub(super) remains: Option<Box<Dialog>>,
    /// The challenges answered so far, one of each challenger and realm; later requests carry an answer at once.
    pub(super) challenges: Vec<Challenge>,
    /// The other leg, when the media of both does not pass us.
    pub(super) through: Option<Box<Through>>,
    /// What the message that ends it is to say.
    pub(super) stated: Option<Reason>,
    /// What it is called from end to end, and the session whose peer its own one talks to.
    pub(super) identification: Identification,
    pub(super) partner: Option<SessionId>,
    /// Whether somebody was to be called for it as `sips:`, and could not be that way.
    pub(super) found_no_tls: bool,
    /// As filed.
    deadline: Option<Instant>,
}

/// What a session is doing. The callee's way is Offered, Answered, Confirmed; the caller's Calling, Confirmed
/// (RFC 3261 §13). [`Event::Ended`](super::Event::Ended) is told on the step to Leaving or Over.
#[derive(Debug)]
pub(super) enum Phase {
    /// An INVITE came and has no final response.
    Offered(Box<Offered>),
    /// Our 2xx is out, its ACK is not here.
    Answered(Box<Answered>),
    /// Our INVITEs are out.
    Calling(Box<Calling>),
    /// Both sides know that they talk.
    Confirmed(Box<Confirmed>),
    /// The owner hung up before the ACK: BYE must wait for it (§15).
    Leaving(Box<Answered>),
    /// Ended; INVITEs and BYEs of ours may still wait for their answers.
    Over,
}

/// An INVITE that waits for the owner.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) invite: OwnedMessage,
    pub(super) asked: Asked,
    pub(super) dialog: Dialog,
    /// What we answered ahead of the 2xx.
    pub(super) media: Option<Negotiation>,
    /// The provisional response that is to be said again.
    pub(super) provisional: Option<Provisional>,
    /// When the caller acknowledges provisional responses.
    pub(super) reliable: Option<Reliable>,
}

/// A provisional response of ours, and when it is due again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Provisional {
    pub(super) status: u16,
    pub(super) again: Instant,
}

impl Offered {
    fn deadline(&self) -> Option<Instant> {
        let again = self.provisional.map(|provisional| provisional.again);
        let reliable = self.reliable.as_ref().and_then(Reliable::deadline);
        again.into_iter().chain(reliable).min()
    }
}

/// Where a request came from and how it is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) transaction: TransactionId,
    pub(super) source: std::net::SocketAddr,
    /// Our address that it came to, as the way of our Contact.
    pub(super) hop: Hop,
}

#[derive(Debug)]
pub(super) struct Answered {
    pub(super) dialog: Dialog,
    /// None when it does not pass us; so with the next three.
    pub(super) media: Option<Negotiation>,
    pub(super) success: Success,
}

#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) dialog: Dialog,
    pub(super) media: Option<Negotiation>,
    /// Our 2xx to a re-INVITE whose ACK is not here.
    pub(super) success: Option<Success>,
    /// When it is looked whether the peer is still there.
    pub(super) watch: Watch,
}

#[derive(Debug)]
pub(super) struct Calling {
    /// With our offer out, and no answer.
    pub(super) media: Option<Negotiation>,
    /// The same with those of the called phones that were offered something else.
    pub(super) beside: Vec<(OfferedTo, Negotiation)>,
    pub(super) give_up: Instant,
    pub(super) has_rung: bool,
    /// The dialogs that provisional responses made.
    pub(super) early: Vec<EarlyDialog>,
    /// The early media told last.
    pub(super) heard: Option<Arc<NegotiatedAudio>>,
    /// What else may be tried, of a call to a trunk.
    pub(super) plan: Option<Box<Plan>>,
    /// The best of the refusals so far.
    pub(super) refusal: Option<Refusal>,
}

/// What decides which of a user's phones can take one and the same offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OfferedTo {
    is_browser: bool,
    is_ipv4: bool,
}

impl OfferedTo {
    pub(super) fn over(hop: &Hop) -> Self {
        Self { is_browser: hop.transport.is_websocket(), is_ipv4: hop.destination.is_ipv4() }
    }
}

/// A dialog that a provisional response to our INVITE made.
#[derive(Debug)]
pub(super) struct EarlyDialog {
    pub(super) dialog: Dialog,
    /// Its own answer to our offer.
    pub(super) media: Option<Negotiation>,
    /// What it described, when the media does not pass us.
    pub(super) described: Option<Vec<u8>>,
    /// The RSeq of the reliable response acknowledged last.
    pub(super) rseq: Option<u32>,
    /// Whether the network said that its media must not be heard (RFC 5009).
    pub(super) is_gate_closed: bool,
}

impl Calling {
    /// The offer that went out on this way.
    pub(super) fn media_by(&self, hop: &Hop) -> Option<&Negotiation> {
        let offered = self.beside.iter().find(|(offered, _)| *offered == OfferedTo::over(hop));
        offered.map(|(_, media)| media).or(self.media.as_ref())
    }

    /// The early dialog of a remote tag, made of its first response; none when there are too many.
    pub(super) fn early_dialog(
        &mut self,
        remote_tag: &str,
        hop: &Hop,
        dialog: impl FnOnce() -> Dialog,
    ) -> Option<&mut EarlyDialog> {
        let place = match self.early.iter().position(|early| early.dialog.remote_tag == remote_tag) {
            Some(place) => place,
            None if self.early.len() < EARLY_DIALOGS_MAX => {
                let (dialog, media) = (dialog(), self.media_by(hop).cloned());
                let described = None;
                self.early.push(EarlyDialog { dialog, media, described, rseq: None, is_gate_closed: false });
                self.early.len() - 1
            }
            None => return None,
        };
        self.early.get_mut(place)
    }
}

/// A final response other than 2xx, or what stands for one (§8.1.3.1).
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) by: Ender,
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) stated: Option<Reason>,
}

impl Refusal {
    /// §16.7 step 6: 6xx above all, then the lowest class; the first of equals.
    pub(super) fn rank(&self) -> u16 {
        match self.status {
            600.. => 0,
            status => status / 100,
        }
    }
}

/// One INVITE of ours that has no final response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fork {
    pub(super) transaction: TransactionId,
    /// The number in its branch.
    pub(super) branch: Option<u64>,
    /// What its Contact asks of the way back.
    pub(super) scheme: Scheme,
    pub(super) state: ForkState,
}

/// RFC 3261 §9.1: CANCEL must wait for a provisional response, and the INVITE must not wait for ever after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForkState {
    /// Nothing came.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// CANCEL is due as soon as a provisional response comes.
    CancelWaiting,
    /// CANCEL is out.
    Cancelled { give_up: Instant },
}

impl ForkState {
    pub(super) const fn is_cancelled(self) -> bool {
        matches!(self, Self::CancelWaiting | Self::Cancelled { .. })
    }
}

/// A 2xx to an INVITE, sent again until its ACK comes (§13.3.1.4), on every transport.
#[derive(Debug)]
pub(super) struct Success {
    pub(super) transaction: TransactionId,
    pub(super) bytes: Vec<u8>,
    pub(super) cseq: u32,
    pub(super) again: Instant,
    pub(super) interval: Duration,
    pub(super) give_up: Instant,
}

impl Success {
    pub(super) fn new(
        now: Instant,
        timers: Timers,
        transaction: TransactionId,
        bytes: Vec<u8>,
        cseq: u32,
    ) -> Self {
        let interval = timers.t1;
        let give_up = now + timers.transaction_timeout();
        Self { transaction, bytes, cseq, again: now + interval, interval, give_up }
    }

    /// §13.3.1.4: the interval doubles up to T2.
    pub(super) fn count_down(&mut self, now: Instant, timers: Timers) {
        self.interval = self.interval.saturating_mul(2).min(timers.t2).max(INTERVAL_MIN);
        self.again = now + self.interval;
    }

    fn deadline(&self) -> Instant {
        self.again.min(self.give_up)
    }
}

impl Session {
    pub(super) fn new(
        peer: Peer,
        (call_id, local_tag): (String, String),
        identification: Identification,
        phase: Phase,
    ) -> Self {
        Self {
            peer,
            identification,
            partner: None,
            user: None,
            call_id,
            local_tag,
            admission: None,
            phase,
            forks: Vec::new(),
            change: None,
            expiry: None,
            refreshing: Refreshing::default(),
            overtaken: None,
            early_cseq: 0,
            farewells: 0,
            keys: Keys::default(),
            deflection: None,
            referrals: Vec::new(),
            was_referred: false,
            remains: None,
            challenges: Vec::new(),
            through: None,
            stated: None,
            found_no_tls: false,
            deadline: None,
        }
    }

    /// Whether there is an INVITE that the owner has not answered.
    pub(super) fn waits_for_owner(&self) -> bool {
        match &self.phase {
            Phase::Offered(offered) => !offered.reliable.as_ref().is_some_and(Reliable::is_accepted),
            _ => false,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_) | Phase::Over)
    }

    fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Over)
            && self.forks.is_empty()
            && self.farewells == 0
            && !self.keys.is_out
            && !self.deflection.as_ref().is_some_and(|deflection| deflection.is_out)
            && !self.change.as_deref().is_some_and(Change::is_out)
            && !self.through.as_ref().is_some_and(|through| through.is_out())
            && self.referrals.is_empty()
    }

    /// What is negotiated in the dialog in which the peer's tag is this; none while nothing was.
    pub(super) fn media_with(&mut self, remote_tag: &str) -> Option<&mut Negotiation> {
        match &mut self.phase {
            Phase::Offered(offered) => offered.media.as_mut(),
            Phase::Answered(answered) | Phase::Leaving(answered) => answered.media.as_mut(),
            Phase::Confirmed(confirmed) => confirmed.media.as_mut(),
            Phase::Calling(calling) => {
                let mut early = calling.early.iter_mut();
                early
                    .find(|early| early.dialog.remote_tag == remote_tag)
                    .and_then(|early| early.media.as_mut())
            }
            Phase::Over => None,
        }
    }

    /// The dialog in which the peer's tag is this.
    pub(super) fn dialog_with(&mut self, remote_tag: &str) -> Option<&mut Dialog> {
        if !matches!(self.phase, Phase::Calling(_)) {
            return self.dialog_mut();
        }
        let Phase::Calling(calling) = &mut self.phase else { return None };
        let mut early = calling.early.iter_mut();
        early.find(|early| early.dialog.remote_tag == remote_tag).map(|early| &mut early.dialog)
    }

    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Offered(offered) => Some(&mut offered.dialog),
            Phase::Answered(answered) | Phase::Leaving(answered) => Some(&mut answered.dialog),
            Phase::Confirmed(confirmed) => Some(&mut confirmed.dialog),
            Phase::Calling(_) => None,
            Phase::Over => self.remains.as_deref_mut(),
        }
    }

    pub(super) fn dialog(&self) -> Option<&Dialog> {
        match &self.phase {
            Phase::Offered(offered) => Some(&offered.dialog),
            Phase::Answered(answered) | Phase::Leaving(answered) => Some(&answered.dialog),
            Phase::Confirmed(confirmed) => Some(&confirmed.dialog),
            Phase::Calling(_) => None,
            Phase::Over => self.remains.as_deref(),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Offered(offered) => offered.deadline(),
            Phase::Answered(answered) | Phase::Leaving(answered) => Some(answered.success.deadline()),
            Phase::Confirmed(confirmed) => {
                let success = confirmed.success.as_ref().map(Success::deadline);
                success.into_iter().chain(confirmed.watch.deadline()).min()
            }
            Phase::Calling(calling) => {
                let plan = calling.plan.as_ref().and_then(|plan| plan.fails_over_at);
                Some(plan.map_or(calling.give_up, |at| at.min(calling.give_up)))
            }
            Phase::Over => None,
        };
        let change = self.change.as_deref().map(Change::deadline);
        let passed_on = self.through.as_ref().and_then(|through| through.deadline());
        let forks = self.forks.iter().filter_map(|fork| match fork.state {
            ForkState::Cancelled { give_up } => Some(give_up),
            _ => None,
        });
        let referrals = self.referrals.iter().filter_map(Referral::deadline);
        let deflection = self.deflection.as_ref().and_then(|deflection| deflection.until);
        let expiry = self.expiry_deadline();
        phase
            .into_iter()
            .chain(change)
            .chain(passed_on)
            .chain(expiry)
            .chain(forks)
            .chain(referrals)
            .chain(deflection)
            .min()
    }
}

/// All sessions not yet released.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    slab: Slab<Session>,
    /// By our tag, as a number.
    by_tag: BTreeMap<u64, SessionId>,
    deadlines: BTreeSet<(Instant, SessionId)>,
}

impl Sessions {
    pub(super) fn insert(&mut self, session: Session) -> SessionId {
        let tag = number_of(&session.local_tag);
        let id = SessionId::from(self.slab.insert(session));
        if let Some(tag) = tag {
            self.by_tag.insert(tag, id);
        }
        id
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.slab.get(id.into())
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.slab.get_mut(id.into())
    }

    /// The session of a dialog in which our tag is this.
    pub(super) fn by_tag(&self, local_tag: &str) -> Option<SessionId> {
        let id = *self.by_tag.get(&number_of(local_tag)?)?;
        self.get(id).filter(|session| session.local_tag == local_tag).map(|_| id)
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Files a session under its next deadline. Gives it back, no longer kept, when nothing of it is left.
    pub(super) fn settle(&mut self, id: SessionId) -> Option<Session> {
        let session = self.slab.get_mut(id.into())?;
        let done = session.is_done();
        let after = session.next_deadline().filter(|_| !done);
        let before = std::mem::replace(&mut session.deadline, after);
        if before != after || done {
            before.map(|due| self.deadlines.remove(&(due, id)));
            after.map(|due| self.deadlines.insert((due, id)));
        }
        if !done {
            return None;
        }
        let session = self.slab.remove(id.into())?;
        if let Some(tag) = number_of(&session.local_tag) {
            self.by_tag.remove(&tag);
        }
        Some(session)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// A session whose deadline has come.
    pub(super) fn due(&self, now: Instant) -> Option<SessionId> {
        self.deadlines.first().filter(|(due, _)| *due <= now).map(|(_, id)| *id)
    }
}

/// The number that a tag of ours writes in hexadecimal digits; none of what is no tag of ours.
fn number_of(tag: &str) -> Option<u64> {
    u64::from_str_radix(tag, 16).ok()
}

impl From<Slot> for SessionId {
    fn from(slot: Slot) -> Self {
        Self { index: slot.index, generation: slot.generation }
    }
}

impl From<SessionId> for Slot {
    fn from(id: SessionId) -> Self {
        Self { index: id.index, generation: id.generation }
    }
}
