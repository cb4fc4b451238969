//! What both sides of a call agreed on, for media that somebody else sends and hears: load of thousands of streams.

use std::net::SocketAddr;

use crate::codec::Codec;
use crate::secure::{CryptoLine, Protection};

/// One RTP stream each way.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Where we said that we are.
    pub local: SocketAddr,
    /// Where the other side is.
    pub remote: SocketAddr,
    /// What is spoken.
    pub codec: Codec,
    /// In what we send, and in what comes.
    pub payload_type: u8,
    /// The keys, under SRTP.
    pub keys: Option<Keys>,
}

/// The keys of both directions (RFC 4568 §6.1).
#[derive(Clone, Debug)]
pub struct Keys {
    pub(crate) ours: CryptoLine,
    pub(crate) theirs: CryptoLine,
}

impl Keys {
    /// Both directions from their first packet on; none when the library refuses the keys.
    pub(crate) fn protection(&self) -> Option<Protection> {
        Protection::following(None, &self.ours, &self.theirs)
    }
}
