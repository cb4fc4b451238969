//! Calls of ours that were given up, and answered all the same (RFC 3261 §13.2.2.4): by a callee that never heard our CANCEL,
//! or whose network was slower than timer B. Whoever answers is acknowledged and hung up on, lest it hold a line that
//! leads nowhere.
//!
//! Owner thread: the signalling core. Sessions know nothing of it: theirs may be over and forgotten.

use std::collections::{BTreeMap, VecDeque};

use tandem_time::Instant;

use super::{MAGIC_COOKIE, Received, Role, UserAgent, compose, serving};
use crate::dialog::Dialog;
use crate::message::Method;
use crate::transaction::{Outgoing, Routed};

/// The most INVITEs that are remembered after they were given up; of more the oldest are not.
const GIVEN_UP_MAX: usize = 4_096;

/// The most callees of one such INVITE that are hung up on.
const CALLEES_MAX: usize = 8;

/// INVITEs that were given up, by the number in their branch.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    by_age: VecDeque<(Instant, u64)>,
    known: BTreeMap<u64, Invited>,
}

#[derive(Debug)]
struct Invited {
    /// The highest CSeq used in its early dialogs.
    cseq: u32,
    /// The tags of those who answered.
    callees: Vec<String>,
}

impl GivenUp {
    /// Remembers one until then.
    fn remember(&mut self, until: Instant, branch: u64, cseq: u32) {
        self.known.insert(branch, Invited { cseq, callees: Vec::new() });
        self.by_age.push_back((until, branch));
        if self.by_age.len() > GIVEN_UP_MAX
            && let Some((_, oldest)) = self.by_age.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn find(&mut self, now: Instant, branch: u64) -> Option<&mut Invited> {
        while let Some((until, old)) = self.by_age.front().copied()
            && until <= now
        {
            self.by_age.pop_front();
            self.known.remove(&old);
        }
        self.known.get_mut(&branch)
    }
}

/// The number in a branch of ours; none of what is no branch of ours.
pub(super) fn number_of(branch: &str) -> Option<u64> {
    u64::from_str_radix(branch.strip_prefix(MAGIC_COOKIE)?, 16).ok()
}

impl UserAgent {
    /// An INVITE of ours was given up: an answer may come for as long as somebody may ring.
    pub(super) fn remember_given_up(&mut self, now: Instant, branch: Option<u64>, cseq: u32) {
        let Some(branch) = branch else { return };
        let until = now + self.config.limits.max_ringing + self.config.timers.transaction_timeout();
        self.given_up.remember(until, branch, cseq);
    }

    /// Takes a 2xx that no transaction waits for. Whether it answers a call that we gave up.
    pub(super) fn end_late_answer(&mut self, now: Instant, received: Received<'_>, status: u16) -> bool {
        let essentials = received.essentials;
        if !(200..300).contains(&status) || essentials.cseq.method != Method::Invite {
            return false;
        }
        let branch = essentials.via.branch().and_then(number_of);
        let Some(invited) = branch.and_then(|branch| self.given_up.find(now, branch)) else { return false };
        let tag = essentials.to.tag().unwrap_or_default();
        let is_new = !invited.callees.iter().any(|known| known == tag);
        if is_new && invited.callees.len() < CALLEES_MAX {
            invited.callees.push(tag.to_owned());
        } else if is_new {
            return false;
        }
        let cseq = invited.cseq;
        self.counters.late_answers += u64::from(is_new);
        let mut dialog = Dialog::of_response(received.message, essentials, serving::way_of_dialog(received));
        dialog.max_forwards = self.profile(received.peer).max_forwards;
        dialog.advance_cseq(cseq);
        self.acknowledge_late_answer(&dialog, received);
        if is_new && self.transactions.len() < self.config.limits.max_transactions as usize {
            self.hang_up_late_answer(now, &mut dialog, received);
        }
        true
    }

    fn acknowledge_late_answer(&mut self, dialog: &Dialog, received: Received<'_>) {
        let hop = super::in_dialog::way_of(dialog, received.peer.is_phone());
        let branch = self.branch();
        let ack = dialog.ack(&compose::via(&hop, &branch), received.essentials.cseq.number).finish();
        let bytes = self.ruled(received.peer, ack);
        self.transmits.push_back(hop.carry(bytes));
    }

    fn hang_up_late_answer(&mut self, now: Instant, dialog: &mut Dialog, received: Received<'_>) {
        let hop = super::in_dialog::way_of(dialog, received.peer.is_phone());
        let branch = self.branch();
        let builder = dialog.request(Method::Bye, &compose::via(&hop, &branch));
        let builder = compose::with_user_agent(builder, self.product(received.peer));
        let bytes = compose::with_reason(builder, compose::Cause::Recovery, Some("too late")).finish();
        let first = Routed { hop, bytes };
        let method = Method::Bye;
        let outgoing = Outgoing { method, branch: &branch, first, fallback: None, user: Role::Unattended };
        self.send(now, received.peer, outgoing);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_calls_are_remembered_for_so_long_and_no_more() {
        let (now, later) = (Instant::START, Instant::START + Duration::from_secs(32));
        let mut given_up = GivenUp::default();
        for branch in 0..=GIVEN_UP_MAX as u64 {
            given_up.remember(later, branch, 1);
        }
        assert!(given_up.find(now, 0).is_none(), "one too many");
        assert!(given_up.find(now, 1).is_some() && given_up.find(now, GIVEN_UP_MAX as u64).is_some());
        assert!(given_up.find(later, 1).is_none() && given_up.by_age.is_empty() && given_up.known.is_empty());
    }
}
