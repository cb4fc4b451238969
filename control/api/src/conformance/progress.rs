//! Who rings and what answers in the model switch.

use super::call::LegState;
use super::model::{Happening, ModelSwitch};
use super::world::World;
use crate::{
    CommandError, CommandId, ControlPlane, Event, LegId, Outcome, ProgressReport, ProgressRules, Verdict,
};

impl<P: ControlPlane, W: World> ModelSwitch<P, W> {
    /// What answers, or has answered, is going to be found.
    pub(super) fn analyse(
        &mut self,
        name: &str,
        leg: LegId,
        rules: &ProgressRules,
    ) -> Result<bool, CommandError> {
        self.expect(name, leg, |state| !matches!(state, LegState::Ending { .. }))?;
        let (delay, verdict) = self.world.progress(rules);
        let Some(entry) = self.legs.get_mut(&leg) else { return Err(CommandError::UnknownLeg) };
        entry.analysed = Some((delay, verdict));
        if entry.answered.is_some() {
            self.after(delay, Happening::Found { leg, verdict });
        }
        Ok(true)
    }

    /// Every answered leg can be recorded, and no file fails.
    pub(super) fn record(&self, name: &str, leg: LegId) -> Result<bool, CommandError> {
        let answered = |state| {
            matches!(state, LegState::Answered { .. } | LegState::Bridged { .. } | LegState::Conferring)
        };
        self.expect(name, leg, answered).map(|_| true)
    }

    pub(super) fn rings(&mut self, leg: LegId, command: CommandId) {
        if let Some(entry) = self.legs.get(&leg).filter(|leg| leg.state == LegState::Dialling { command }) {
            let call = entry.call;
            self.tell.push_back(Event::LegRinging { call, leg });
        }
    }

    pub(super) fn answered(&mut self, leg: LegId, command: CommandId) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.answered = Some(self.now);
        let analysed = entry.analysed;
        if let Some(call) = self.calls.get_mut(&entry.call).filter(|call| call.caller == leg) {
            call.record.answered = Some(self.now);
        }
        if let Some((delay, verdict)) = analysed {
            self.after(delay, Happening::Found { leg, verdict });
        }
        self.done(command, Ok(Outcome::Answered { leg }));
    }

    /// It is known what has answered a leg, unless that has ended.
    pub(super) fn found(&mut self, leg: LegId, verdict: Verdict) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if let Some((after, verdict)) = entry.analysed.take_if(|(_, due)| *due == verdict) {
            let report = Box::new(ProgressReport { verdict, after, evidence: Vec::new() });
            let call = entry.call;
            self.tell.push_back(Event::ProgressFound { call, leg, report });
        }
    }
}
