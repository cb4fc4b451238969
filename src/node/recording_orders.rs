//! What HTTP wants done to a recording: on its way to the core, and what the core says.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tandem_api::{RecordingAction, RecordingStanding};
use tandem_control::ContactCentre;
use tandem_control_api::{CommandError, RecordAction};
use tandem_sbc_net::Bell;
use tandem_switch::{CallRecording, Switch};
use tandem_time::Instant;

use super::call_log::CallLog;
use super::core::Order;

/// How long the core may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// An order about the recording of a call.
#[derive(Debug)]
pub(super) struct RecordingOrder {
    /// Its identifier, or a SIP Call-ID.
    call: String,
    action: RecordAction,
    reply: SyncSender<Result<CallRecording, CommandError>>,
}

impl RecordingOrder {
    /// Carries it out, and tells who waits.
    pub(super) fn carry_out(self, now: Instant, switch: &mut Switch<CallLog<ContactCentre>>) {
        let call = switch.call_named(&self.call).ok_or(CommandError::UnknownCall);
        let done = call.and_then(|call| switch.record_call(now, call, self.action));
        // Who has lost patience hears nothing.
        let _ = self.reply.try_send(done);
    }
}

/// Gives the order, and waits for what becomes of it.
pub(super) fn give(
    orders: &SyncSender<Order>,
    bell: &Bell,
    call: &str,
    action: RecordingAction,
) -> RecordingStanding {
    let action = match action {
        RecordingAction::Begin => RecordAction::Begin,
        RecordingAction::Pause => RecordAction::Pause,
        RecordingAction::Resume => RecordAction::Resume,
        RecordingAction::End => RecordAction::End,
    };
    let (reply, answer) = sync_channel(1);
    let order = Order::Record(RecordingOrder { call: call.to_owned(), action, reply });
    let busy = || RecordingStanding::Busy("the core takes no orders; try again in a moment".to_owned());
    if orders.try_send(order).is_err() {
        return busy();
    }
    bell.ring();
    match answer.recv_timeout(PATIENCE) {
        Ok(Ok(CallRecording::Running)) => RecordingStanding::Done("running"),
        Ok(Ok(CallRecording::Paused)) => RecordingStanding::Done("paused"),
        Ok(Ok(CallRecording::None)) => RecordingStanding::Done("none"),
        Ok(Err(error)) => refused(error),
        Err(_) => busy(),
    }
}

fn refused(error: CommandError) -> RecordingStanding {
    match error {
        CommandError::UnknownCall | CommandError::UnknownLeg => RecordingStanding::UnknownCall,
        CommandError::WrongState { state, .. } => RecordingStanding::Refused(format!("the call is {state}")),
        CommandError::Limit(_) => {
            RecordingStanding::Busy("as many recordings are under way as recording.max allows".to_owned())
        }
        CommandError::Invalid(_) => RecordingStanding::Refused(
            "the node keeps no recordings: its configuration has no [recording]".into(),
        ),
        other => RecordingStanding::Refused(other.to_string()),
    }
}
