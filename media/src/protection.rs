//! SRTP of one endpoint: both directions' keys, and what follows when they change.

use crate::counters::Refusal;
use crate::srtp::{Failure, Receiver, Sender, SrtpKeys};

/// What the keys agreed last make of packets.
#[derive(Debug)]
pub(crate) struct Protection {
    keys: SrtpKeys,
    sender: Sender,
    receiver: Receiver,
}

impl Protection {
    /// The keys agreed now, after those of `before`: a key that stays goes on where it was.
    pub(crate) fn following(before: Option<Self>, keys: SrtpKeys) -> Self {
        let Some(before) = before else {
            return Self { sender: Sender::new(&keys.send), receiver: Receiver::new(&keys.receive), keys };
        };
        let sender = if before.keys.send == keys.send { before.sender } else { Sender::new(&keys.send) };
        let receiver = if before.keys.receive == keys.receive {
            before.receiver
        } else {
            before.receiver.rekeyed(&keys.receive)
        };
        Self { keys, sender, receiver }
    }

    pub(crate) const fn keys(&self) -> &SrtpKeys {
        &self.keys
    }
}

/// Checks and decrypts an RTP packet where it lies, if there is protection; its length.
#[inline]
pub(crate) fn unprotect_rtp(
    protection: Option<&mut Protection>,
    packet: &mut [u8],
) -> Result<usize, Refusal> {
    match protection {
        None => Ok(packet.len()),
        Some(protection) => Ok(protection.receiver.unprotect_rtp(packet)?),
    }
}

/// The same for RTCP.
pub(crate) fn unprotect_rtcp(
    protection: Option<&mut Protection>,
    packet: &mut [u8],
) -> Result<usize, Refusal> {
    match protection {
        None => Ok(packet.len()),
        Some(protection) => Ok(protection.receiver.unprotect_rtcp(packet)?),
    }
}

/// Protects the RTP packet of `len` octets at the start of `buffer`, if there is protection; its length. None when it
/// must not be sent.
#[inline]
pub(crate) fn protect_rtp(
    protection: Option<&mut Protection>,
    buffer: &mut [u8],
    len: usize,
) -> Option<usize> {
    match protection {
        None => Some(len),
        Some(protection) => protection.sender.protect_rtp(buffer, len),
    }
}

/// The same for RTCP.
pub(crate) fn protect_rtcp(
    protection: Option<&mut Protection>,
    buffer: &mut [u8],
    len: usize,
) -> Option<usize> {
    match protection {
        None => Some(len),
        Some(protection) => protection.sender.protect_rtcp(buffer, len),
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Malformed => Self::Malformed,
            Failure::Replayed => Self::Replayed,
            Failure::Forged => Self::Forged,
            Failure::TooManySources => Self::TooManySources,
        }
    }
}
