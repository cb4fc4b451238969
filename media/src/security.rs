//! What offer and answer say about how a stream is kept secret, and how its party is found behind a NAT.

use crate::srtp::SrtpKeys;

/// How RTP and RTCP of an endpoint are protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    #[default]
    Plain,
    /// With keys that came in the session description (RFC 4568). A key that stays goes on where it was.
    Keys(Box<SrtpKeys>),
    /// With keys that a DTLS handshake agrees on in the path of the media (RFC 5764). Nothing is sent or believed
    /// before it is done; the same parameters again keep its keys (RFC 5763 §6.6).
    Dtls(Box<DtlsParameters>),
}

/// What the session description says about the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsParameters {
    /// Our part in it.
    pub role: DtlsRole,
    /// Of the certificate the party shows; one that fits none of these fails the handshake.
    pub fingerprints: Vec<Fingerprint>,
}

/// Who begins the handshake (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// We do (`a=setup:active`).
    Client,
    /// The party does (`a=setup:passive`).
    Server,
}

/// The SHA-256 hash of a certificate (RFC 8122 §5), the one algorithm that everybody has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// ICE as the lite side of a session has it (RFC 8445 §2.5): it answers checks, and sends to whom they come from.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// Our user name fragment, which checks begin with.
    pub local_fragment: String,
    /// Our password, the key of the checks' integrity.
    pub local_password: String,
}

impl std::fmt::Debug for IceCredentials {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IceCredentials({})", self.local_fragment)
    }
}

/// Tells the handshakes of an endpoint apart: each that is begun anew is the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakeId(u32);

impl HandshakeId {
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// What came of a handshake.
pub type HandshakeOutcome = Result<Box<SrtpKeys>, HandshakeFailed>;

/// A handshake ended without keys: the party's certificate is not the one signalled, it speaks no common version or
/// suite, or it fell silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeFailed;
