//! Suites and master keys, as SDES hands them over (RFC 4568 §6.1, §6.2; RFC 7714 §14.1).

use std::fmt;

use zeroize::Zeroize;

/// Octets of the longest master key and salt together.
const MAX_LEN: usize = 44;

/// Octets of the salt that key derivation works on (RFC 3711 §4.3.1).
pub(super) const DERIVATION_SALT_LEN: usize = 14;

/// A crypto suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES in counter mode, HMAC-SHA1 of 80 bits (RFC 4568 §6.2.1).
    AesCm128HmacSha1_80,
    /// The same with 32 bits for RTP; RTCP keeps its 80 (RFC 4568 §6.2.2).
    AesCm128HmacSha1_32,
    /// AES-GCM with a key of 128 bits (RFC 7714).
    AeadAes128Gcm,
    /// AES-GCM with a key of 256 bits (RFC 7714).
    AeadAes256Gcm,
}

impl Suite {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32, Self::AeadAes128Gcm, Self::AeadAes256Gcm];

    /// Octets of the master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Octets of the master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Octets that protection adds to an RTP packet.
    pub(super) const fn rtp_tag_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Octets of an RTCP packet's tag.
    pub(super) const fn rtcp_tag_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}

/// A master key with its salt, for one direction of a session. Never shown, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    /// Key, salt, zeros.
    octets: [u8; MAX_LEN],
}

impl MasterKey {
    /// A key and its salt, one after the other; none when their length is not the suite's.
    #[must_use]
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        let mut octets = [0; MAX_LEN];
        if key_and_salt.len() != suite.key_len() + suite.salt_len() {
            return None;
        }
        octets.get_mut(..key_and_salt.len())?.copy_from_slice(key_and_salt);
        Some(Self { suite, octets })
    }

    /// What it is for.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.octets[..self.suite.key_len()]
    }

    /// The salt, a shorter one followed by zeros (RFC 7714 §11).
    pub(super) fn derivation_salt(&self) -> [u8; DERIVATION_SALT_LEN] {
        let mut salt = [0; DERIVATION_SALT_LEN];
        let start = self.suite.key_len();
        let octets = &self.octets[start..start + self.suite.salt_len()];
        salt[..octets.len()].copy_from_slice(octets);
        salt
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// The keys of a stream's two directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// For what we send: ours.
    pub send: MasterKey,
    /// For what the party sends: the party's.
    pub receive: MasterKey,
}
