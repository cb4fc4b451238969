//! SRTP of one endpoint: both directions' keys, and what follows when they change.

use crate::counters::Refusal;
use crate::srtp::{Failure, Receiver, Sender, SrtpKeys};

/// What stands between an endpoint's packets and the network.
#[derive(Debug, Default)]
pub(crate) enum Guard {
    /// Nothing.
    #[default]
    Plain,
    /// Everything: keys are being agreed on.
    Waiting,
    /// These keys.
    Keyed(Box<Protection>),
}

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

impl Guard {
    /// Checks and decrypts an RTP packet where it lies; its length.
    #[inline]
    pub(crate) fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        match self {
            Self::Plain => Ok(packet.len()),
            Self::Waiting => Err(Refusal::NotAgreed),
            Self::Keyed(protection) => Ok(protection.receiver.unprotect_rtp(packet)?),
        }
    }

    /// The same for RTCP.
    pub(crate) fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        match self {
            Self::Plain => Ok(packet.len()),
            Self::Waiting => Err(Refusal::NotAgreed),
            Self::Keyed(protection) => Ok(protection.receiver.unprotect_rtcp(packet)?),
        }
    }

    /// Protects the RTP packet of `len` octets at the start of `buffer`; its length. None when it must not be sent.
    #[inline]
    pub(crate) fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        match self {
            Self::Plain => Some(len),
            Self::Waiting => None,
            Self::Keyed(protection) => protection.sender.protect_rtp(buffer, len),
        }
    }

    /// The same for RTCP.
    pub(crate) fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        match self {
            Self::Plain => Some(len),
            Self::Waiting => None,
            Self::Keyed(protection) => protection.sender.protect_rtcp(buffer, len),
        }
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
