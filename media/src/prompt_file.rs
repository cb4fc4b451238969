//! Prompts out of files of any kind that is accepted.

use crate::Audio;
use crate::ogg_opus::{OggOpusError, decode_ogg_opus};
use crate::wav::{WavError, decode_wav};

/// What is wrong with a prompt's file; the operator's to repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// A WAV file.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// An Ogg file.
    #[error(transparent)]
    OggOpus(#[from] OggOpusError),
    /// Another kind of file.
    #[error("neither WAV nor Ogg Opus: convert it to one of them")]
    Unknown,
}

/// Decodes a prompt's file, which is known by its first octets whatever its name.
///
/// # Errors
/// [`PromptError`] says what is wrong and what is accepted.
pub fn decode_prompt(bytes: &[u8]) -> Result<Audio, PromptError> {
    match bytes.get(..4) {
        Some(b"RIFF") => Ok(decode_wav(bytes)?),
        Some(b"OggS") => Ok(decode_ogg_opus(bytes)?),
        _ => Err(PromptError::Unknown),
    }
}
