//! Pick-up by code: a phone dials it, alone or with a colleague behind it, and has the call that rings there.
//!
//! ```text
//!  caller ┄┄ alice's phone rings        caller ══ bob
//!            bob dials *8 and alice ▶   alice's phone rings no more, bob's own call is over
//! ```
//!
//! Colleagues are those who may pick up by Replaces, too. What the switch makes of it is the same, and so is what becomes of
//! agents ([`super::replaced`]).

use std::collections::BTreeMap;

use tandem_control_api::{
    Command, CommandError, CommandId, DialTarget, LegId, Outcome, RejectReason, TransferTo,
};
use tandem_time::Instant;

use super::ContactCentre;
use crate::outbox::Concern;

/// Phones that ring, or are about to.
#[derive(Debug, Default)]
pub(crate) struct Rung {
    /// Users by the command that dials them.
    dialled: BTreeMap<CommandId, String>,
    legs: BTreeMap<LegId, (String, Instant)>,
}

impl Rung {
    pub(super) fn asked(&mut self, id: CommandId, command: &Command) {
        if let Command::Dial { target: DialTarget::User(user), .. }
        | Command::Transfer { to: TransferTo::Dial { target: DialTarget::User(user), .. }, .. } = command
        {
            self.dialled.insert(id, user.clone());
        }
    }

    pub(super) fn leg_created(&mut self, now: Instant, leg: LegId, command: CommandId) {
        if let Some(user) = self.dialled.get(&command) {
            self.legs.insert(leg, (user.clone(), now));
        }
    }

    /// The command is done: its leg is answered, or there is none.
    pub(super) fn done(&mut self, command: CommandId, outcome: &Result<Outcome, CommandError>) {
        self.dialled.remove(&command);
        if let Ok(Outcome::Answered { leg } | Outcome::Transferred { leg }) = outcome {
            self.legs.remove(leg);
        }
    }

    /// It has ended, or is somebody else's.
    pub(super) fn over(&mut self, leg: LegId) {
        self.legs.remove(&leg);
    }

    /// The leg that has been ringing longest among those of these users.
    fn longest(&self, is_wanted: impl Fn(&str) -> bool) -> Option<LegId> {
        let wanted = self.legs.iter().filter(|(_, (user, _))| is_wanted(user));
        wanted.min_by_key(|(leg, (_, since))| (*since, **leg)).map(|(leg, _)| *leg)
    }
}

impl ContactCentre {
    /// Whether a phone dialled the code; then that is seen to.
    pub(super) fn pick_up_asked(&mut self, leg: LegId, user: &str, dialled: &str) -> bool {
        let code = self.config.features.pick_up.as_deref();
        let Some(who) = code.and_then(|code| dialled.strip_prefix(code)) else { return false };
        match self.rung_at(user, who) {
            Ok(rung) => {
                self.outbox.ask(Concern::PickingUp(leg), Command::PickUp { leg, rung });
            }
            Err(reason) => {
                self.outbox.send(Command::Reject { leg, reason });
            }
        }
        true
    }

    /// What rings at a colleague's phone, named by its user or agent, or anywhere in a user's groups when `who` is empty.
    fn rung_at(&self, user: &str, who: &str) -> Result<LegId, RejectReason> {
        let whose = match self.routing.agents.get(who).map(|agent| &agent.target) {
            Some(DialTarget::User(phone)) => phone.as_str(),
            _ => who,
        };
        let groups = &self.config.pickup_groups;
        let is_colleague = |other: &str| {
            other != user && groups.iter().any(|group| group.contains(user) && group.contains(other))
        };
        let has_any = groups.iter().any(|group| group.contains(user));
        if !(is_colleague(whose) || whose.is_empty() && has_any) {
            return Err(RejectReason::Relayed { status: 403 });
        }
        let is_wanted = |rung: &str| is_colleague(rung) && (whose.is_empty() || rung == whose);
        self.rung.longest(is_wanted).ok_or(RejectReason::NoAnswer)
    }

    /// Somebody else was quicker, or the caller has gone.
    pub(super) fn picking_up_done(&mut self, leg: LegId, outcome: &Result<Outcome, CommandError>) {
        if outcome.is_err() {
            self.outbox.send(Command::Reject { leg, reason: RejectReason::Busy });
        }
    }
}
