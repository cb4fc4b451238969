//! How a peer is spoken to: what differs from carrier to carrier, and from phones to carriers.

/// What differs from peer to peer. The default suits most carriers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Whether media is protected.
    pub srtp: SrtpPolicy,
}

/// Whether media with a peer is protected by SRTP, with keys in the session description (RFC 4568).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Never: RTP/AVP only, `a=crypto` is ignored.
    #[default]
    Off,
    /// When the peer can. We offer RTP/AVP with `a=crypto`, which peers without SRTP read as plain RTP, and take
    /// RTP/SAVP, RTP/AVP with `a=crypto`, and RTP/AVP.
    Offered,
    /// Always: RTP/SAVP only, 488 else.
    Required,
}
