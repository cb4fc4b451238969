//! One of the four machines, seen by the layer.

use tandem_time::Instant;

use super::{
    Effects, InviteClient, InviteClientInput, InviteServer, InviteServerInput, NonInviteClient,
    NonInviteClientInput, NonInviteServer, NonInviteServerInput, Timing,
};

#[derive(Clone, Copy, Debug)]
pub(super) enum Machine {
    InviteClient(InviteClient),
    NonInviteClient(NonInviteClient),
    InviteServer(InviteServer),
    NonInviteServer(NonInviteServer),
}

/// What comes from outside the transaction; each machine has its own words for it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input {
    /// A response came, or the user sends one.
    Response { status: u16 },
    /// The request came again.
    Request,
    /// An ACK came.
    Ack,
    /// Something could not be sent.
    TransportError,
}

impl Machine {
    pub(super) fn step(&mut self, now: Instant, input: Input, timing: &Timing) -> Effects {
        match self {
            Self::InviteClient(machine) => match input {
                Input::Response { status } => {
                    advance(machine, |state| state.step(now, invite_client_input(status), timing))
                }
                Input::TransportError => {
                    advance(machine, |state| state.step(now, InviteClientInput::TransportError, timing))
                }
                Input::Request | Input::Ack => Effects::NONE,
            },
            Self::NonInviteClient(machine) => match input {
                Input::Response { status } => {
                    advance(machine, |state| state.step(now, non_invite_client_input(status), timing))
                }
                Input::TransportError => {
                    advance(machine, |state| state.step(now, NonInviteClientInput::TransportError, timing))
                }
                Input::Request | Input::Ack => Effects::NONE,
            },
            Self::InviteServer(machine) => {
                advance(machine, |state| state.step(now, invite_server_input(input), timing))
            }
            Self::NonInviteServer(machine) => match non_invite_server_input(input) {
                Some(input) => advance(machine, |state| state.step(now, input, timing)),
                None => Effects::NONE,
            },
        }
    }

    /// Takes the step of the timer that has fired by `now`, if one has.
    pub(super) fn fire(&mut self, now: Instant, timing: &Timing) -> Option<Effects> {
        match self {
            Self::InviteClient(machine) => {
                let input = machine.due(now)?;
                Some(advance(machine, |state| state.step(now, input, timing)))
            }
            Self::NonInviteClient(machine) => {
                let input = machine.due(now)?;
                Some(advance(machine, |state| state.step(now, input, timing)))
            }
            Self::InviteServer(machine) => {
                let input = machine.due(now)?;
                Some(advance(machine, |state| state.step(now, input, timing)))
            }
            Self::NonInviteServer(machine) => {
                let input = machine.due(now)?;
                Some(advance(machine, |state| state.step(now, input, timing)))
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::InviteClient(machine) => machine.deadline(),
            Self::NonInviteClient(machine) => machine.deadline(),
            Self::InviteServer(machine) => machine.deadline(),
            Self::NonInviteServer(machine) => machine.deadline(),
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        matches!(
            self,
            Self::InviteClient(InviteClient::Terminated)
                | Self::NonInviteClient(NonInviteClient::Terminated)
                | Self::InviteServer(InviteServer::Terminated)
                | Self::NonInviteServer(NonInviteServer::Terminated)
        )
    }
}

fn advance<S: Copy>(machine: &mut S, step: impl FnOnce(S) -> (S, Effects)) -> Effects {
    let (next, effects) = step(*machine);
    *machine = next;
    effects
}

fn invite_client_input(status: u16) -> InviteClientInput {
    match status {
        ..200 => InviteClientInput::Provisional,
        200..300 => InviteClientInput::Success,
        300.. => InviteClientInput::Failure,
    }
}

fn non_invite_client_input(status: u16) -> NonInviteClientInput {
    if status < 200 { NonInviteClientInput::Provisional } else { NonInviteClientInput::Final }
}

fn invite_server_input(input: Input) -> InviteServerInput {
    match input {
        Input::Response { status: ..200 } => InviteServerInput::Provisional,
        Input::Response { status: 200..300 } => InviteServerInput::Success,
        Input::Response { status: 300.. } => InviteServerInput::Failure,
        Input::Request => InviteServerInput::Request,
        Input::Ack => InviteServerInput::Ack,
        Input::TransportError => InviteServerInput::TransportError,
    }
}

fn non_invite_server_input(input: Input) -> Option<NonInviteServerInput> {
    match input {
        Input::Response { status: ..200 } => Some(NonInviteServerInput::Provisional),
        Input::Response { .. } => Some(NonInviteServerInput::Final),
        Input::Request => Some(NonInviteServerInput::Request),
        Input::TransportError => Some(NonInviteServerInput::TransportError),
        Input::Ack => None,
    }
}
