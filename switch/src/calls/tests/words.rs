//! What is asked and told, in words.

use tandem_control_api::{CommandError, Outcome};
use tandem_media as media;
use tandem_sbc::user_agent::{Reoffer, SessionId};

use crate::counters::error_name;

/// What an endpoint that is open is told, in a word.
pub(super) const fn word_for(command: &media::Command) -> &'static str {
    match command {
        media::Command::Configure { .. } => "configure",
        media::Command::Unbridge { .. } => "unbridge",
        media::Command::Play { .. } => "play",
        media::Command::Collect { .. } => "collect",
        media::Command::Digit { .. } => "digit",
        media::Command::Stop { .. } => "stop",
        _ => "",
    }
}

pub(super) fn outcome_words(outcome: &Result<Outcome, CommandError>) -> String {
    match outcome {
        Ok(Outcome::Answered { .. }) => "answered".to_owned(),
        Ok(Outcome::Played { end }) => format!("played {end:?}"),
        Ok(Outcome::Collected { digits, end }) => format!("collected {digits:?} {end:?}"),
        Ok(Outcome::Transferred { .. }) => "transferred".to_owned(),
        Ok(Outcome::Ok) => "ok".to_owned(),
        Err(CommandError::NotAnswered(failure)) => format!("not answered: {failure}"),
        Err(CommandError::Limit(what)) => format!("limit: {what}"),
        Err(CommandError::Invalid(what)) => format!("invalid: {what}"),
        Err(error) => error_name(error).to_owned(),
    }
}

/// Who is asked for which codec.
pub(super) fn codec_asked(session: SessionId, reoffer: &Reoffer) -> String {
    let preferred = reoffer.media.as_ref().and_then(|media| media.preferred);
    format!("ask {} for {preferred:?}", session.index)
}
