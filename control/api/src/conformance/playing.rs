//! What legs of the model hear.

use super::call::LegState;
use super::model::{Happening, ModelSwitch};
use super::world::World;
use crate::{CommandError, CommandId, ControlPlane, LegId, Outcome, PlayEnd, Repeat};

impl<P: ControlPlane, W: World> ModelSwitch<P, W> {
    pub(super) fn play(
        &mut self,
        id: CommandId,
        leg: LegId,
        prompts: &[crate::Prompt],
        repeat: Repeat,
    ) -> Result<(), CommandError> {
        let (play, playing) = match self.known(leg)? {
            LegState::Answered { play, collect } => (play, LegState::Answered { play: Some(id), collect }),
            LegState::Progressing { play } => (play, LegState::Progressing { play: Some(id) }),
            _ => return Err(self.wrong("play", leg)),
        };
        self.set(leg, playing);
        self.stopped(play, None);
        if let Repeat::Times(times) = repeat {
            let length = self.world.play_length(prompts).saturating_mul(times.max(1));
            self.after(length, Happening::PlayEnds { leg, command: id });
        }
        Ok(())
    }

    pub(super) fn stop(&mut self, leg: LegId) -> Result<bool, CommandError> {
        let (play, collect, silent) = match self.known(leg)? {
            LegState::Progressing { play } => (play, None, LegState::Progressing { play: None }),
            LegState::Answered { play, collect } => (play, collect, LegState::IDLE),
            _ => return Err(self.wrong("stop", leg)),
        };
        self.set(leg, silent);
        self.stopped(play, collect);
        Ok(true)
    }

    pub(super) fn play_ends(&mut self, leg: LegId, command: CommandId) {
        let Some(LegState::Answered { play, .. } | LegState::Progressing { play }) = self.state_mut(leg)
        else {
            return;
        };
        if *play == Some(command) {
            *play = None;
            self.done(command, Ok(Outcome::Played { end: PlayEnd::Finished }));
        }
    }
}
