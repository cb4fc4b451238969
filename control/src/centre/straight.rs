//! Calls that go straight through, without a flow.

use tandem_control_api::{
    CallId, Command, CommandError, CommandId, LegEnd, LegId, Outcome, Route, StraightThrough,
};

use super::ContactCentre;
use crate::outbox::{Concern, Outbox};

impl ContactCentre {
    /// Rings whom the number leads to.
    pub(super) fn go_straight(&mut self, call: CallId, caller: LegId, route: Route) {
        let straight = StraightThrough::begin(call, caller, route, &mut asks(&mut self.outbox, call));
        self.straight.insert(call, straight);
    }

    pub(super) fn straight_done(
        &mut self,
        call: CallId,
        command: CommandId,
        outcome: &Result<Outcome, CommandError>,
    ) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.done(command, outcome, &mut asks(&mut self.outbox, call));
        }
    }

    pub(super) fn straight_leg_created(&mut self, call: CallId, leg: LegId, command: CommandId) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.leg_created(leg, command, &mut asks(&mut self.outbox, call));
        }
    }

    pub(super) fn straight_leg_ringing(&mut self, call: CallId, leg: LegId) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.leg_ringing(leg, &mut asks(&mut self.outbox, call));
        }
    }

    pub(super) fn straight_leg_ended(&mut self, call: CallId, leg: LegId, end: &LegEnd) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.leg_ended(leg, end, &mut asks(&mut self.outbox, call));
        }
    }
}

fn asks(outbox: &mut Outbox, call: CallId) -> impl FnMut(Command) -> CommandId {
    move |command| outbox.ask(Concern::StraightThrough(call), command)
}
