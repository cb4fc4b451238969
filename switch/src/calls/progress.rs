//! Callers who hear something before they are answered (RFC 3960): the leg has an endpoint, and may hear announcements, or
//! be joined to one that lets itself be heard as early.

use tandem_control_api::{CommandError, CommandId, LegId};
use tandem_media as media;
use tandem_time::Instant;

use super::commands::{Begun, wrong_state};
use super::leg::{Heard, LegState, Opening, Settled};
use super::{Action, Calls, Progress, translate};

impl Calls {
    pub(super) fn progress(&mut self, now: Instant, id: CommandId, leg: LegId) -> Begun {
        let (state, call) = self.commanded(leg)?;
        let LegState::Offered { session } = state else { return Err(wrong_state("progress", &state)) };
        if self.calls.get(call).is_some_and(|call| call.direct.is_some()) {
            // What its party lets be heard goes past us.
            return Err(wrong_state("progress", &state));
        }
        self.attend(call);
        let endpoint = self.open_endpoint(now, call, leg);
        let endpoint = endpoint.ok_or_else(|| CommandError::Limit("media ports".to_owned()))?;
        let opening = Opening::Progress(id);
        self.set_state(leg, LegState::Preparing { session, endpoint, opening, attempts: 1 });
        Ok(Progress::UnderWay)
    }

    /// Takes what became of [`Action::Progress`].
    pub(crate) fn handle_progressed(&mut self, leg_id: LegId, is_heard: bool) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let LegState::Progressing { session, endpoint, heard: Heard::Asked(progress), play, peer } =
            leg.state
        else {
            return;
        };
        let outcome = match is_heard {
            true => Ok(tandem_control_api::Outcome::Ok),
            false => Err(wrong_state("progress", &LegState::Offered { session })),
        };
        let heard = if is_heard { Heard::Yes } else { Heard::No };
        leg.state = LegState::Progressing { session, endpoint, heard, play, peer };
        self.done(Settled::new("progress", progress, outcome));
    }

    /// Answers a caller that has an endpoint already, or will soon.
    pub(super) fn answer_progressing(&mut self, id: CommandId, leg_id: LegId, state: LegState) -> Begun {
        match state {
            LegState::Progressing { session, endpoint, peer, .. } => {
                let leg = self.legs.get(leg_id).ok_or(CommandError::UnknownLeg)?;
                let call = self.calls.get(leg.call).ok_or(CommandError::UnknownCall)?;
                let rtp = self.endpoints.address_of(endpoint, call.config.media_address);
                let rtp = rtp.ok_or_else(|| wrong_state("answer", &state))?;
                let (call, media) = (leg.call, Box::new(translate::local_media(rtp, None)));
                self.attend(call);
                self.set_state(
                    leg_id,
                    LegState::Accepting { session, endpoint: Some(endpoint), answer: id, peer },
                );
                if let Some(play) = state.playing() {
                    self.done(Settled::stopped_play(play));
                    self.command_endpoint(endpoint, |endpoint| media::Command::Stop { endpoint });
                }
                for settled in state.hearing(None).settle(tandem_control_api::DialFailure::Cancelled) {
                    self.done(settled);
                }
                self.actions.push_back(Action::Accept { leg: leg_id, session, media });
                Ok(Progress::UnderWay)
            }
            LegState::Preparing { session, endpoint, opening: Opening::Progress(progress), attempts } => {
                let opening = Opening::Answer(id);
                self.set_state(leg_id, LegState::Preparing { session, endpoint, opening, attempts });
                // What is answered is heard.
                self.done(Settled::new("progress", progress, Ok(tandem_control_api::Outcome::Ok)));
                Ok(Progress::UnderWay)
            }
            _ => Err(wrong_state("answer", &state)),
        }
    }
}
