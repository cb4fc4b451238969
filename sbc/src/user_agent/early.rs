//! Early dialogs of calls we make: each provisional response of another callee makes one (RFC 3261 §12.1), with its
//! own route set and its own answer to our offer; what is heard before the answer is early media (RFC 3960).

use std::sync::Arc;

use tandem_time::Instant;

use super::compose::{self, Description};
use super::profile::EarlyMedia;
use super::session::{Calling, EarlyDialog, ForkState, Phase};
use super::{Event, MediaDirection, NegotiatedAudio, Received, SessionId, UserAgent};
use crate::dialog::Dialog;
use crate::header::Parameterised;
use crate::message::{HeaderName, Message};
use crate::offer_answer::{Negotiation, Step, Verdict};
use crate::transaction::TransactionId;
use crate::transport::Hop;

/// The most early dialogs of one session; provisional responses of further ones only say that it rings.
pub(super) const EARLY_DIALOGS_MAX: usize = 16;

impl UserAgent {
    pub(super) fn handle_provisional(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
        status: u16,
    ) {
        self.note_provisional(now, id, transaction);
        if self.sessions.get(id).is_none_or(|session| session.is_left(transaction)) {
            return self.settle(id);
        }
        self.note_progress(now, id, status);
        if status > 100 && !self.handle_early_dialog(now, id, transaction, received) {
            return self.settle(id);
        }
        self.pass_provisional(now, id, received, status);
        if let Some(session) = self.sessions.get_mut(id)
            && let Phase::Calling(calling) = &mut session.phase
            && matches!(status, 180 | 183)
            && !calling.has_rung
        {
            calling.has_rung = true;
            self.events.push_back(Event::Ringing { session: id });
        }
        self.settle(id);
    }

    /// §9.1: a CANCEL that waited for a provisional response goes out.
    fn note_provisional(&mut self, now: Instant, id: SessionId, transaction: TransactionId) {
        let give_up = now + self.timers_for(id).transaction_timeout();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let fork = session.forks.iter_mut().find(|fork| fork.transaction == transaction);
        let Some(fork) = fork else { return };
        let is_cancel_due = fork.state == ForkState::CancelWaiting;
        fork.state = match fork.state {
            ForkState::Calling | ForkState::Proceeding => ForkState::Proceeding,
            ForkState::CancelWaiting => ForkState::Cancelled { give_up },
            cancelled @ ForkState::Cancelled { .. } => cancelled,
        };
        if is_cancel_due {
            self.send_cancel(now, transaction, None);
        }
    }

    /// Finds or makes the response's dialog, and takes its description: an answer to our offer, though without
    /// 100rel it binds the callee only when the 2xx repeats it (§13.2.1). The one heard is the latest that came with a
    /// description. False for a reliable response that is out of order, which counts as lost (RFC 3262 §4).
    fn handle_early_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
    ) -> bool {
        let Some((_, sent_on)) = self.transactions.sent(transaction) else { return true };
        let scheme = self.scheme_of_fork(id, transaction);
        let hop = Hop { flow: received.packet.flow.or(sent_on.flow), ..sent_on };
        let profile = self.profile_for(id);
        let (is_heard, max_forwards) = (profile.early_media == EarlyMedia::Accept, profile.max_forwards);
        let Some(session) = self.sessions.get_mut(id) else { return true };
        let Phase::Calling(calling) = &mut session.phase else { return true };
        let dialog = || {
            let mut dialog = Dialog::of_response(received.message, received.essentials, hop);
            dialog.max_forwards = max_forwards;
            dialog.scheme = scheme;
            dialog
        };
        let tag = received.essentials.to.tag().unwrap_or_default();
        let Some(early) = calling.early_dialog(tag, &sent_on, dialog) else { return true };
        let rseq = rseq(received.message);
        if rseq.is_some_and(|rseq| !in_order(early.rseq, rseq)) {
            return false;
        }
        early.rseq = rseq.or(early.rseq);
        let is_news = early.take(received, rseq.is_some());
        if is_news
            && is_heard
            && let Some(audio) = calling.hear(tag)
        {
            self.events.push_back(Event::EarlyMedia { session: id, audio });
        }
        if let Some(rseq) = rseq {
            self.send_prack(now, id, tag, rseq, received.essentials.cseq.number);
        }
        true
    }

    /// Takes what an UPDATE of a callee, or what answers ours or a PRACK, says of early media (RFC 5009 §8, Table 1).
    pub(super) fn hear_gate(&mut self, id: SessionId, received: Received<'_>, tag: &str) {
        let Some(is_closed) = is_gate_closed(received.message) else { return };
        let is_heard = self.profile_for(id).early_media == EarlyMedia::Accept;
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Phase::Calling(calling) = &mut session.phase else { return };
        let found = calling.early.iter_mut().find(|early| early.dialog.remote_tag == tag);
        let Some(early) = found.filter(|early| early.is_gate_closed != is_closed) else { return };
        early.is_gate_closed = is_closed;
        if is_heard && let Some(audio) = calling.hear(tag) {
            self.events.push_back(Event::EarlyMedia { session: id, audio });
        }
    }
}

impl Calling {
    /// What is heard from now on, when there is news of an early dialog that changes it: what was agreed in it, or
    /// nothing any more of the one that is heard, when the network has shut its way (RFC 5009 §8).
    fn hear(&mut self, remote_tag: &str) -> Option<Arc<NegotiatedAudio>> {
        let early = self.early.iter().find(|early| early.dialog.remote_tag == remote_tag)?;
        let agreed = early.media.as_ref().and_then(Negotiation::agreed)?;
        let audio = match early.is_gate_closed {
            false => Arc::clone(agreed),
            true if self.heard.as_ref() == Some(agreed) => Arc::new(unheard(agreed)),
            true => return None,
        };
        if self.heard.as_ref() == Some(&audio) {
            return None;
        }
        self.heard = Some(Arc::clone(&audio));
        Some(audio)
    }
}

impl EarlyDialog {
    /// Takes what a provisional response says of media. Whether there may be something else to hear.
    fn take(&mut self, received: Received<'_>, is_reliable: bool) -> bool {
        let was_closed = self.is_gate_closed;
        if let Some(is_closed) = is_gate_closed(received.message) {
            self.is_gate_closed = is_closed;
        }
        let is_moved = was_closed != self.is_gate_closed;
        let Description::Sdp(answer) = compose::description(received.message) else { return is_moved };
        let step = if is_reliable { Step::Reliable } else { Step::Provisional };
        let Some(media) = &mut self.media else {
            self.described = Some(answer.to_vec());
            return is_moved;
        };
        let is_answer = matches!(media.step(step), Verdict::Take | Verdict::Preview);
        is_answer && media.accept_answer(answer, received.packet.source.ip()).is_ok() || is_moved
    }
}

/// RFC 3262 §4: the number of a response that wants a PRACK.
pub(super) fn rseq(response: &Message<'_>) -> Option<u32> {
    let is_reliable = response.lists(HeaderName::Require, compose::RELIABLE);
    response.number(HeaderName::RSeq).ok().flatten().filter(|_| is_reliable)
}

/// RFC 3262 §4: the next after the last, or the first.
pub(super) fn in_order(last: Option<u32>, rseq: u32) -> bool {
    last.is_none_or(|last| rseq == last.wrapping_add(1))
}

/// RFC 5009 §8: what the network says of media towards the caller. Directions are of the lines of media in their order, and
/// our offer has one.
fn is_gate_closed(message: &Message<'_>) -> Option<bool> {
    message.values(HeaderName::PEarlyMedia).filter_map(|value| Parameterised::parse(value).ok()).find_map(
        |param| match param.value.to_ascii_lowercase().as_str() {
            "sendrecv" | "sendonly" => Some(false),
            "recvonly" | "inactive" => Some(true),
            _ => None,
        },
    )
}

/// The same audio without what the peer would be heard by.
fn unheard(audio: &NegotiatedAudio) -> NegotiatedAudio {
    let direction = match audio.direction {
        MediaDirection::SendReceive | MediaDirection::SendOnly => MediaDirection::SendOnly,
        MediaDirection::ReceiveOnly | MediaDirection::Inactive => MediaDirection::Inactive,
    };
    NegotiatedAudio { direction, ..audio.clone() }
}
