//! How peers are told who calls.

/// Where a peer wants to see who calls, besides From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdentityHeader {
    /// Nowhere else.
    #[default]
    From,
    /// RFC 3325, within a trust domain.
    PAssertedIdentity,
    /// RFC 3325, towards one.
    PPreferredIdentity,
    /// As before RFC 3325.
    RemotePartyId,
}

/// How a peer is told that a call was for somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiversionHeader {
    /// Not at all.
    #[default]
    Off,
    /// RFC 5806.
    Diversion,
    /// RFC 7044.
    HistoryInfo,
}
