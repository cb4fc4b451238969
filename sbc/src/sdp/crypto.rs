//! `a=crypto`: suites and keys of SRTP in a description (RFC 4568; AEAD suites RFC 7714 §14.1).

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use zeroize::Zeroize;

use super::{Attribute, Media};

/// Reads base64 with its padding or without, since not all who write it agree.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Octets of the longest key and salt together.
const MAX_KEY_LEN: usize = 44;

/// A crypto suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpSuite {
    /// AES in counter mode with HMAC-SHA1 of 80 bits (RFC 4568 §6.2.1).
    AesCm128HmacSha1_80,
    /// The same with 32 bits (§6.2.2).
    AesCm128HmacSha1_32,
    /// AES-GCM with a key of 128 bits (RFC 7714).
    AeadAes128Gcm,
    /// AES-GCM with a key of 256 bits (RFC 7714).
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// All of them, as we offer them: first the one that every peer has, since some look at the first line only.
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_32];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of master key and salt together.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16 + 14,
            Self::AeadAes128Gcm => 16 + 12,
            Self::AeadAes256Gcm => 32 + 12,
        }
    }
}

/// A master key with its salt, for what one side sends. Never shown, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKey {
    suite: SrtpSuite,
    /// Key, salt, zeros.
    octets: [u8; MAX_KEY_LEN],
}

impl SrtpKey {
    /// A key and its salt, one after the other; none when their length is not the suite's.
    #[must_use]
    pub fn new(suite: SrtpSuite, key_and_salt: &[u8]) -> Option<Self> {
        let mut octets = [0; MAX_KEY_LEN];
        if key_and_salt.len() != suite.key_len() {
            return None;
        }
        octets.get_mut(..key_and_salt.len())?.copy_from_slice(key_and_salt);
        Some(Self { suite, octets })
    }

    /// A new key.
    #[must_use]
    pub fn random(suite: SrtpSuite, rng: &mut ChaCha8Rng) -> Self {
        let mut octets = [0; MAX_KEY_LEN];
        rng.fill_bytes(&mut octets[..suite.key_len()]);
        Self { suite, octets }
    }

    /// What it is for.
    #[must_use]
    pub const fn suite(&self) -> SrtpSuite {
        self.suite
    }

    /// Key and salt.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.suite.key_len()]
    }
}

impl Drop for SrtpKey {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// One `a=crypto` line that we can keep to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Names the line in its description; an answer repeats that of the line it takes (§5.1.2).
    pub tag: u32,
    /// The key of the description's author.
    pub key: SrtpKey,
}

impl Crypto {
    /// Reads the attribute's value: `tag suite inline:base64[|lifetime] [parameters]`. None also when we could not
    /// keep to it: another suite, a master key identifier or several keys (§6.1), a session parameter that changes
    /// what is sent (§6.3), whose line must count as invalid (§6.3.7). A key's lifetime is taken as it comes: the
    /// shortest in use outlasts any call.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9 && tag.bytes().all(|it| it.is_ascii_digit()))?;
        let suite = words.next()?;
        let suite = SrtpSuite::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(suite))?;
        let key =
            words.next()?.split_once(':').filter(|(method, _)| method.eq_ignore_ascii_case("inline"))?.1;
        let mut parts = key.split('|');
        let mut octets = LENIENT.decode(parts.next()?).ok()?;
        let key = SrtpKey::new(suite, &octets);
        octets.zeroize();
        let plain_lifetime = parts.all(is_lifetime);
        let harmless = words.all(|word| word.starts_with('-') || word.starts_with("WSH="));
        key.filter(|_| plain_lifetime && harmless)
            .map(|key| Self { tag: tag.parse().unwrap_or_default(), key })
    }
}

/// `2^20` or a number of packets; a master key identifier has a colon.
fn is_lifetime(part: &str) -> bool {
    let digits = part.strip_prefix("2^").unwrap_or(part);
    !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
}

impl From<&Crypto> for Attribute {
    fn from(crypto: &Crypto) -> Self {
        let Crypto { tag, key } = crypto;
        Self::new("crypto", format!("{tag} {} inline:{}", key.suite().name(), STANDARD.encode(key.octets())))
    }
}

impl Media {
    /// The `a=crypto` lines that we can keep to, in order of preference.
    pub fn cryptos(&self) -> impl Iterator<Item = Crypto> + '_ {
        let values = self.attributes.iter().filter(|a| a.name == "crypto").filter_map(|a| a.value.as_deref());
        values.filter_map(Crypto::parse)
    }
}
