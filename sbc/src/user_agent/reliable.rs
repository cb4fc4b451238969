//! Reliable provisional responses and their PRACKs (RFC 3262), both ways.

use std::time::Duration;

use tandem_time::Instant;

use super::compose::{self, Description};
use super::profile::ReliableProvisional;
use super::reoffer::Change;
use super::session::{EarlyDialog, Offered, Phase};
use super::{Ender, Event, LocalMedia, Received, Role, SessionError, SessionId, UserAgent};
use crate::dialog::{self, Ends};
use crate::message::{HeaderName, Method};
use crate::offer_answer::{Disagreement, Step, Verdict};
use crate::transaction::{Outgoing, Routed, Timers};

/// What we tell a caller who acknowledges it. One response at a time is out.
#[derive(Debug)]
pub(super) struct Reliable {
    /// The RSeq used last (§3: the first is chosen at random, each further one is the next).
    rseq: u32,
    unacknowledged: Option<Unacknowledged>,
    /// What is to be said next.
    waiting: Option<u16>,
    /// The owner accepted, and the 2xx waits for a PRACK (§3).
    accepted: Option<LocalMedia>,
}

/// A response whose PRACK is not here, sent again with T1 doubling for 64*T1 (§3).
#[derive(Debug)]
struct Unacknowledged {
    status: u16,
    bytes: Vec<u8>,
    has_description: bool,
    again: Instant,
    interval: Duration,
    give_up: Instant,
}

impl Reliable {
    /// Takes the next RSeq.
    pub(super) fn next(&mut self) -> u32 {
        self.rseq = self.rseq.wrapping_add(1);
        self.rseq
    }

    pub(super) fn sent(
        &mut self,
        now: Instant,
        timers: Timers,
        status: u16,
        bytes: Vec<u8>,
        has_description: bool,
    ) {
        let (interval, give_up) = (timers.t1, now + timers.transaction_timeout());
        let again = now + interval;
        self.unacknowledged =
            Some(Unacknowledged { status, bytes, has_description, again, interval, give_up });
    }

    /// The RSeq that waits for its PRACK.
    pub(super) fn unacknowledged(&self) -> Option<u32> {
        self.unacknowledged.as_ref().map(|_| self.rseq)
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.accepted.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unacknowledged.as_ref().map(|out| out.again.min(out.give_up))
    }
}

impl Offered {
    /// Whether a provisional response may go now; else it goes after the PRACK of the one that is out, unless
    /// another one is to be said by then.
    pub(super) fn may_send(&mut self, status: u16) -> bool {
        match &mut self.reliable {
            Some(reliable) if reliable.unacknowledged.is_some() => {
                reliable.waiting = Some(status);
                false
            }
            _ => true,
        }
    }
}

impl UserAgent {
    /// How provisional responses to an INVITE go.
    pub(super) fn reliability_with(&mut self, invite: Received<'_>) -> Option<Reliable> {
        let is_off = self.profile(invite.peer).reliable_provisional == ReliableProvisional::Off;
        let first = rand::Rng::next_u32(&mut self.rng) >> 1;
        let reliable = || Reliable { rseq: first, unacknowledged: None, waiting: None, accepted: None };
        (!is_off && knows_reliable(invite)).then(reliable)
    }

    /// RFC 3261 §21.4.16: 421 to a caller that does not know what we require.
    pub(super) fn refuse_unreliable(&mut self, now: Instant, invite: Received<'_>) -> bool {
        let policy = self.profile(invite.peer).reliable_provisional;
        if policy != ReliableProvisional::Required || knows_reliable(invite) {
            return false;
        }
        self.respond_with(now, invite, 421, |builder| builder.header(HeaderName::Require, compose::RELIABLE));
        true
    }

    /// §3: while a description of ours is not acknowledged, there is no 2xx.
    pub(super) fn waits_for_prack(&self, id: SessionId) -> bool {
        let Some(Phase::Offered(offered)) = self.sessions.get(id).map(|session| &session.phase) else {
            return false;
        };
        let out = offered.reliable.as_ref().and_then(|reliable| reliable.unacknowledged.as_ref());
        out.is_some_and(|out| out.has_description)
    }

    pub(super) fn accept_later(&mut self, id: SessionId, media: LocalMedia) -> Result<(), SessionError> {
        let kept = self.sessions.get_mut(id).ok_or(SessionError::UnknownSession)?;
        let Phase::Offered(offered) = &mut kept.phase else { return Err(SessionError::WrongState) };
        let reliable = offered.reliable.as_mut().ok_or(SessionError::WrongState)?;
        reliable.accepted = Some(media);
        Ok(())
    }

    /// Sends again what is not acknowledged, and gives the call up after 64*T1 (§3: 504 would do, and says so).
    pub(super) fn repeat_reliable(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Phase::Offered(offered) = &mut session.phase else { return };
        let transaction = offered.asked.transaction;
        let out = offered.reliable.as_mut().and_then(|reliable| reliable.unacknowledged.as_mut());
        let Some(out) = out else { return };
        if out.give_up <= now {
            self.counters.timeouts += 1;
            self.refuse_offered(now, id, 504);
            return self.tell_ended(now, id, Ender::Failure, 504, "no PRACK");
        }
        if out.again <= now {
            out.interval = out.interval.saturating_mul(2);
            out.again = now + out.interval;
            let (status, bytes) = (out.status, out.bytes.clone());
            self.counters.retransmissions_sent += 1;
            let bytes = self.ruled_for(transaction, bytes);
            self.transactions.respond(now, transaction, status, bytes);
        }
    }

    /// §3: a PRACK is for the response that its RAck names, or for nothing (481).
    pub(super) fn handle_prack(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        let Ok(rack) = received.message.rack() else { return self.refuse(now, received, 400) };
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Phase::Offered(offered) = &mut session.phase else {
            let is_overtaken = session.overtaken == Some(rack.rseq) && rack.cseq.method == Method::Invite;
            session.overtaken = session.overtaken.filter(|_| !is_overtaken);
            return self.refuse(now, received, if is_overtaken { 200 } else { 481 });
        };
        let asked = offered.invite.view().cseq().map(|cseq| cseq.number);
        let is_named = |reliable: &&mut Reliable| {
            reliable.unacknowledged() == Some(rack.rseq)
                && asked == Ok(rack.cseq.number)
                && rack.cseq.method == Method::Invite
        };
        let Some(reliable) = offered.reliable.as_mut().filter(is_named) else {
            return self.refuse(now, received, 481);
        };
        if compose::description(received.message) == Description::Unsupported {
            return self.refuse_content(now, received);
        }
        reliable.unacknowledged = None;
        let (waiting, accepted) = (reliable.waiting.take(), reliable.accepted.take());
        if !self.take_prack(now, id, received) {
            return self.settle(id);
        }
        match (accepted, waiting) {
            // What was agreed stays agreed: this cannot fail, and a session that is gone needs no answer.
            (Some(media), _) => self.answer(now, id, media).unwrap_or_default(),
            (None, Some(status)) => self.send_provisional(now, id, status),
            (None, None) => {}
        }
        self.settle(id);
    }

    /// Answers a PRACK, with what it means for offer and answer (§5). False when the call cannot go on.
    fn take_prack(&mut self, now: Instant, id: SessionId, received: Received<'_>) -> bool {
        let Some(session) = self.sessions.get_mut(id) else { return false };
        let Phase::Offered(offered) = &mut session.phase else { return false };
        let Some(media) = &mut offered.media else {
            self.refuse(now, received, 200);
            return true;
        };
        let description = compose::description(received.message);
        let is_sdp = matches!(description, Description::Sdp(_));
        let source = received.packet.source.ip();
        let taken = match (media.step(Step::Prack { description: is_sdp }), description) {
            (Verdict::Answer, Description::Sdp(offer)) => {
                media.answer(offer, source, &mut self.rng).map(|(answer, audio)| (Some(answer), Some(audio)))
            }
            (Verdict::Take, Description::Sdp(answer)) => {
                media.accept_answer(answer, source).map(|audio| (None, Some(audio)))
            }
            (Verdict::Fail, _) => Err(Disagreement::NothingInCommon),
            _ => Ok((None, None)),
        };
        match taken {
            Ok((answer, audio)) => {
                self.respond_in_dialog(now, received, answer.as_deref(), None);
                if let Some(audio) = audio {
                    self.events.push_back(Event::EarlyMedia { session: id, audio });
                }
                true
            }
            Err(disagreement) => {
                self.refuse(now, received, disagreement.status());
                self.refuse_offered(now, id, 488);
                self.tell_ended(now, id, Ender::Failure, 488, "no common codec");
                false
            }
        }
    }

    /// Our PRACK has its final response.
    pub(super) fn handle_prack_response(
        &mut self,
        now: Instant,
        id: SessionId,
        received: Received<'_>,
        status: u16,
    ) {
        let tag = received.essentials.to.tag().unwrap_or_default();
        if status >= 300 {
            return self.handle_prack_failure(now, id, Some(tag), status);
        }
        self.hear_gate(id, received, tag);
        self.settle(id);
    }

    /// Our PRACK was refused, or had no answer. An early dialog that knows nothing of its 1xx is gone; the call goes on
    /// by what its other dialogs, or the INVITE's final response, say.
    pub(super) fn handle_prack_failure(
        &mut self,
        now: Instant,
        id: SessionId,
        remote_tag: Option<&str>,
        status: u16,
    ) {
        if dialog::ends(Method::Prack, status) == Ends::Transaction {
            return;
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        match &mut session.phase {
            Phase::Calling(calling) => {
                let is_it = |early: &EarlyDialog| remote_tag == Some(early.dialog.remote_tag.as_str());
                calling.early.retain(|early| !is_it(early));
                let is_left = |change: &mut Box<Change>| change.is_of(remote_tag);
                session.change.take_if(is_left);
                self.settle(id);
            }
            Phase::Confirmed(_) => self.end_lost(now, id, Method::Prack, status),
            _ => {}
        }
    }

    /// Acknowledges a reliable 1xx of an early dialog, or to a re-INVITE (§4).
    pub(super) fn send_prack(&mut self, now: Instant, id: SessionId, tag: &str, rseq: u32, cseq: u32) {
        let branch = self.branch();
        let product = self.product_for(id).to_owned();
        let Some(dialog) = self.sessions.get_mut(id).and_then(|session| session.dialog_with(tag)) else {
            return;
        };
        let mut dialog = dialog.clone();
        let hop = self.way_in_dialog(id, &dialog);
        let builder = dialog
            .request(Method::Prack, &compose::via(&hop, &branch))
            .header(HeaderName::RAck, format_args!("{rseq} {cseq} INVITE"));
        let bytes = compose::with_user_agent(builder, &product).finish();
        if let Some(session) = self.sessions.get_mut(id) {
            session.early_cseq = session.early_cseq.max(dialog.local_cseq());
            if let Some(kept) = session.dialog_with(tag) {
                *kept = dialog;
            }
        }
        let bytes = self.authorised(id, bytes);
        let (first, user) = (Routed { hop, bytes }, Role::Prack(id));
        let outgoing = Outgoing { method: Method::Prack, branch: &branch, first, fallback: None, user };
        let peer = self.peer_of(id);
        self.send(now, &peer, outgoing);
    }
}

fn knows_reliable(invite: Received<'_>) -> bool {
    let lists = |name| invite.message.lists(name, compose::RELIABLE);
    lists(HeaderName::Supported) || lists(HeaderName::Require)
}
