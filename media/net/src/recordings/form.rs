//! What recordings look like, and who can read them.
//!
//! At rest they are encrypted to recipients of age (<https://age-encryption.org/v1>): the node has no key that reads what it
//! has written, and whoever has one needs no tool of ours.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use age::x25519;
use tandem_media::recorder::{Format, Sides};

use super::medium::Medium;

/// The form of a recording.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// The kind of file.
    pub format: Format,
    /// Which sides are kept.
    pub sides: Sides,
    recipients: Arc<[x25519::Recipient]>,
}

/// Somebody who is no recipient of age.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no recipient of age; write the public key that age-keygen shows, \"age1…\"")]
pub struct NoRecipient(String);

impl Form {
    /// A form for those who have the recipients' keys; in the clear when there are none.
    ///
    /// # Errors
    /// Names who is none.
    pub fn new(format: Format, sides: Sides, recipients: &[String]) -> Result<Self, NoRecipient> {
        let read = |text: &String| x25519::Recipient::from_str(text).map_err(|_| NoRecipient(text.clone()));
        Ok(Self { format, sides, recipients: recipients.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// The ending of its files.
    #[must_use]
    pub fn ending(&self) -> String {
        let ending = self.format.ending();
        if self.is_encrypted() { format!("{ending}.age") } else { ending.to_owned() }
    }

    /// Who can read them.
    pub(super) fn recipients(&self) -> Vec<String> {
        self.recipients.iter().map(ToString::to_string).collect()
    }

    pub(super) fn is_encrypted(&self) -> bool {
        !self.recipients.is_empty()
    }

    /// What is written to a medium in this form.
    pub(super) fn sink(&self, medium: Box<dyn Medium>) -> io::Result<Sink> {
        if !self.is_encrypted() {
            return Ok(Sink::Clear(medium));
        }
        let recipients = self.recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        Ok(Sink::Encrypted(Box::new(encryptor.wrap_output(medium)?)))
    }
}

/// A medium, perhaps behind encryption.
pub(super) enum Sink {
    Clear(Box<dyn Medium>),
    Encrypted(Box<age::stream::StreamWriter<Box<dyn Medium>>>),
}

impl Sink {
    pub(super) fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(medium) => medium.write_all(octets),
            Self::Encrypted(stream) => io::Write::write_all(stream, octets),
        }
    }

    /// Writes the last of it, and over its beginning if that can be.
    pub(super) fn finish(self, header: Option<&[u8]>) -> io::Result<Box<dyn Medium>> {
        match self {
            Self::Clear(mut medium) => {
                if let Some(header) = header {
                    medium.seek(io::SeekFrom::Start(0))?;
                    medium.write_all(header)?;
                }
                Ok(medium)
            }
            Self::Encrypted(stream) => stream.finish(),
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Clear(_)) { "Clear" } else { "Encrypted" })
    }
}
