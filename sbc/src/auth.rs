//! Digest authentication (RFC 7616, RFC 8760; RFC 3261 §22): of phones here, towards carriers in [`client`].
//!
//! A challenge costs no state: a nonce carries its time of issue and proves by a keyed hash that we made it.
//! Only a nonce that was used with the right password is remembered, with the highest count it was used with.
//!
//! Owner thread: the signalling core. This module must not know messages; it is handed header values.

mod client;
mod credentials;
mod failures;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use md5::Md5;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};
use tandem_time::Instant;

use crate::header;
pub(crate) use client::{Asked, Challenge, Challenger};
use credentials::Credentials;
use failures::Failures;

/// How long a nonce is good for.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// The most nonces whose use is remembered; the oldest goes, and with it the right to use any as old.
const NONCES_MAX: usize = 16_384;

/// What unknown users are judged by; nobody is let in by it.
const NOBODYS_PASSWORD: &str = "nobody's password";

/// What the credentials of a request are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This user sent it.
    Authentic(String),
    /// None for our realm.
    Missing,
    /// The password is right, the nonce is too old or was used before: challenge with `stale=true`.
    Stale,
    /// Wrong password, a nonce that is not ours, or too many failures before.
    Refused,
    /// No such user; the client must not be able to tell it from a wrong password.
    Unknown(String),
}

/// What a request brings to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    /// The method, as it stands in the request line.
    pub(crate) method: &'a [u8],
    /// Where it came from.
    pub(crate) source: IpAddr,
    /// Our realm.
    pub(crate) realm: &'a str,
}

/// Makes challenges and judges what comes back.
#[derive(Debug)]
pub(crate) struct Authenticator {
    secret: [u8; 32],
    /// The highest nonce count used, by nonce.
    used: BTreeMap<Nonce, u32>,
    /// Nonces issued up to here are no longer good.
    forgotten: Instant,
    failures: Failures,
}

impl Authenticator {
    pub(crate) fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self { secret, used: BTreeMap::new(), forgotten: Instant::START, failures: Failures::default() }
    }

    /// The values of a WWW-Authenticate or Proxy-Authenticate header each, in the order of `algorithms`, the
    /// preferred one first (RFC 8760 §2.3).
    pub(crate) fn challenges(
        &self,
        now: Instant,
        rng: &mut ChaCha8Rng,
        realm: &str,
        algorithms: &[DigestAlgorithm],
        stale: bool,
    ) -> Vec<String> {
        let nonce = Nonce { issued: now, salt: rng.next_u64() }.encode(&self.secret);
        let stale = if stale { ", stale=true" } else { "" };
        let realm = quote(realm);
        let challenge = |algorithm: &DigestAlgorithm| {
            let algorithm = algorithm.name();
            format!("Digest realm={realm}, nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
        };
        algorithms.iter().map(challenge).collect()
    }

    /// Judges the values of the request's Authorization or Proxy-Authorization headers.
    pub(crate) fn verify<'h, 'p>(
        &mut self,
        now: Instant,
        attempt: Attempt<'_>,
        values: impl IntoIterator<Item = header::Credentials<'h>>,
        password: impl FnOnce(&str) -> Option<&'p str>,
    ) -> Verdict {
        let ours = values
            .into_iter()
            .filter_map(|value| Credentials::of(&value))
            .find(|credentials| credentials.realm == attempt.realm);
        let Some(credentials) = ours else { return Verdict::Missing };
        let user = credentials.username.clone();
        let password = password(&user);
        // Unknown users share one counter, so that made-up names cost no memory.
        let counted = if password.is_some() { user.as_str() } else { "" };
        let too_many = self.failures.are_too_many(now, attempt.source, counted);
        // The same work for every name: how long an answer takes tells nothing of which names there are.
        let is_right = is_right(attempt, &credentials, password.unwrap_or(NOBODYS_PASSWORD));
        let verdict = match (too_many, is_right && password.is_some()) {
            (true, _) => Judgement::Refused,
            (false, true) => self.judge_nonce(now, &credentials),
            (false, false) => Judgement::Wrong,
        };
        match verdict {
            _ if password.is_none() => {
                self.failures.count(now, attempt.source, counted);
                Verdict::Unknown(user)
            }
            Judgement::Refused => Verdict::Refused,
            Judgement::Right => {
                self.failures.clear(attempt.source, counted);
                Verdict::Authentic(user)
            }
            Judgement::Stale => Verdict::Stale,
            Judgement::Wrong => {
                self.failures.count(now, attempt.source, counted);
                Verdict::Refused
            }
        }
    }

    /// The password is right; is its nonce?
    fn judge_nonce(&mut self, now: Instant, credentials: &Credentials) -> Judgement {
        let Some(nonce) = Nonce::decode(&credentials.nonce, &self.secret) else {
            // Made before we started, or by somebody else: the password is right all the same.
            return Judgement::Stale;
        };
        let too_old = nonce.issued + NONCE_LIFETIME <= now || nonce.issued < self.forgotten;
        let last = self.used.get(&nonce).copied().unwrap_or(0);
        if too_old || credentials.count <= last {
            return Judgement::Stale;
        }
        self.remember(now, nonce, credentials.count);
        Judgement::Right
    }

    fn remember(&mut self, now: Instant, nonce: Nonce, count: u32) {
        self.used.insert(nonce, count);
        while let Some((oldest, _)) = self.used.first_key_value() {
            let oldest = *oldest;
            let expired = oldest.issued + NONCE_LIFETIME <= now;
            if !expired && self.used.len() <= NONCES_MAX {
                return;
            }
            if !expired {
                self.forgotten = oldest.issued + Duration::from_nanos(1);
            }
            self.used.remove(&oldest);
        }
    }
}

enum Judgement {
    Right,
    Stale,
    Wrong,
    /// There were too many failures before.
    Refused,
}

fn is_right(attempt: Attempt<'_>, credentials: &Credentials, password: &str) -> bool {
    let expected = credentials.expected_response(attempt.method, password);
    expected.is_some_and(|it| equal_in_constant_time(it.as_bytes(), credentials.response.as_bytes()))
}

/// The response that goes with `credentials` when the password is `password` (RFC 7616 §3.4.1), for a client, or for
/// who replays one with another nonce; `None` when they were not made the way we ask for.
#[must_use]
pub fn digest_response(
    credentials: &header::Credentials<'_>,
    method: &[u8],
    password: &str,
) -> Option<String> {
    Credentials::of(credentials)?.expected_response(method, password)
}

/// A nonce: when it was made, and something that tells it from others made then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nonce {
    issued: Instant,
    salt: u64,
}

impl Nonce {
    fn encode(self, secret: &[u8; 32]) -> String {
        format!("{:016x}{:016x}{}", self.issued.as_nanos(), self.salt, self.mac(secret))
    }

    fn decode(text: &str, secret: &[u8; 32]) -> Option<Self> {
        let issued = u64::from_str_radix(text.get(..16)?, 16).ok()?;
        let salt = u64::from_str_radix(text.get(16..32)?, 16).ok()?;
        let nonce = Self { issued: Instant::from_nanos(issued), salt };
        equal_in_constant_time(nonce.mac(secret).as_bytes(), text.get(32..)?.as_bytes()).then_some(nonce)
    }

    fn mac(self, secret: &[u8; 32]) -> String {
        let mut hash = Sha256::new();
        hash.update(secret);
        hash.update(self.issued.as_nanos().to_be_bytes());
        hash.update(self.salt.to_be_bytes());
        hex(hash.finalize().get(..16).unwrap_or_default())
    }
}

/// A digest algorithm (RFC 7616 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// MD5, which every phone knows.
    Md5,
    /// SHA-256.
    Sha256,
}

impl DigestAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => hash_joined::<Md5>(parts),
            Self::Sha256 => hash_joined::<Sha256>(parts),
        }
    }
}

/// The hexadecimal hash of `parts` with colons between them.
fn hash_joined<D: sha2::Digest>(parts: &[&[u8]]) -> String {
    let mut hash = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |sum, (l, r)| sum | (l ^ r)) == 0
}

/// `text` as a quoted-string (RFC 3261 §25.1).
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
