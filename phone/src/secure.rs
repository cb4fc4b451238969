//! SRTP by `webrtc-srtp`, with keys in the session description (RFC 4568).

use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

use crate::agreed::Keys;
use crate::manner::Srtp;

/// Octets of the longest key and salt together.
const MAX_KEY_LEN: usize = 44;

/// The suites of RFC 4568 §6.2 and RFC 7714 §14.1.
const SUITES: [(&str, ProtectionProfile); 4] = [
    ("AES_CM_128_HMAC_SHA1_80", ProtectionProfile::Aes128CmHmacSha1_80),
    ("AES_CM_128_HMAC_SHA1_32", ProtectionProfile::Aes128CmHmacSha1_32),
    ("AEAD_AES_128_GCM", ProtectionProfile::AeadAes128Gcm),
    ("AEAD_AES_256_GCM", ProtectionProfile::AeadAes256Gcm),
];

/// `a=crypto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CryptoLine {
    pub(crate) tag: u32,
    suite: usize,
    key: Vec<u8>,
}

impl CryptoLine {
    /// The lines a party offers: every suite, each with the same key, in an order of its own; none when it does
    /// without.
    pub(crate) fn draw(rng: &mut ChaCha8Rng, srtp: Srtp) -> Vec<Self> {
        if srtp == Srtp::Off {
            return Vec::new();
        }
        let mut key = [0; MAX_KEY_LEN];
        rng.fill_bytes(&mut key);
        let first = rng.next_u32() as usize % SUITES.len();
        let line = |(tag, n): (u32, usize)| {
            let suite = (first + n) % SUITES.len();
            Self { tag, suite, key: key[..key_len(suite)].to_vec() }
        };
        (1..).zip(0..SUITES.len()).map(line).collect()
    }

    /// Reads the attribute's value; none when it is of no suite we know, or has parameters.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let tag = words.next()?.parse().ok()?;
        let name = words.next()?;
        let suite = SUITES.iter().position(|(known, _)| *known == name)?;
        let key = STANDARD.decode(words.next()?.strip_prefix("inline:")?).ok()?;
        (words.next().is_none() && key.len() == key_len(suite)).then_some(Self { tag, suite, key })
    }

    pub(crate) fn print(&self) -> String {
        format!("a=crypto:{} {} inline:{}\r\n", self.tag, SUITES[self.suite].0, STANDARD.encode(&self.key))
    }

    /// Our line in answer to one of an offer (RFC 4568 §5.1.2): its tag, its suite, our key.
    pub(crate) fn in_answer_to(&self, ours: &[Self]) -> Option<Self> {
        let line = ours.iter().find(|line| line.suite == self.suite)?;
        Some(Self { tag: self.tag, ..line.clone() })
    }

    /// Whether these are the two lines of one agreement.
    pub(crate) fn pairs_with(&self, other: &Self) -> bool {
        (self.tag, self.suite) == (other.tag, other.suite)
    }

    fn context(&self) -> Option<Context> {
        let profile = SUITES[self.suite].1;
        let (key, salt) = self.key.split_at(profile.key_len());
        Context::new(key, salt, profile, None, None).ok()
    }
}

fn key_len(suite: usize) -> usize {
    SUITES[suite].1.key_len() + SUITES[suite].1.salt_len()
}

/// Both directions under the keys agreed on. Never locked: a `Mutex` makes `Sync` of a library type that is `Send`
/// only, so that a phone may live on any thread.
pub(crate) struct Protection {
    ours: CryptoLine,
    theirs: CryptoLine,
    out: Mutex<Context>,
    heard: Mutex<Context>,
}

impl Protection {
    /// What follows `before`: the same when the keys are.
    pub(crate) fn following(before: Option<Self>, ours: &CryptoLine, theirs: &CryptoLine) -> Option<Self> {
        match before {
            Some(same) if same.ours.key == ours.key && same.theirs == *theirs => Some(same),
            _ => {
                let (out, heard) = (ours.context()?, theirs.context()?);
                let (out, heard) = (Mutex::new(out), Mutex::new(heard));
                Some(Self { ours: ours.clone(), theirs: theirs.clone(), out, heard })
            }
        }
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys { ours: self.ours.clone(), theirs: self.theirs.clone() }
    }

    pub(crate) fn protect(&mut self, rtp: &[u8]) -> Option<Vec<u8>> {
        own(&mut self.out).encrypt_rtp(rtp).ok().map(|bytes| bytes.to_vec())
    }

    pub(crate) fn protect_report(&mut self, rtcp: &[u8]) -> Option<Vec<u8>> {
        own(&mut self.out).encrypt_rtcp(rtcp).ok().map(|bytes| bytes.to_vec())
    }

    pub(crate) fn unprotect(&mut self, srtp: &[u8]) -> Option<Vec<u8>> {
        own(&mut self.heard).decrypt_rtp(srtp).ok().map(|bytes| bytes.to_vec())
    }

    pub(crate) fn unprotect_report(&mut self, srtcp: &[u8]) -> Option<Vec<u8>> {
        own(&mut self.heard).decrypt_rtcp(srtcp).ok().map(|bytes| bytes.to_vec())
    }
}

fn own(context: &mut Mutex<Context>) -> &mut Context {
    context.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protection({})", SUITES[self.ours.suite].0)
    }
}
