//! The credentials in an Authorization header.

use super::DigestAlgorithm;
use crate::header;

/// What we read of `Digest …` (RFC 7616 §3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) realm: String,
    pub(super) nonce: String,
    pub(super) response: String,
    /// nc, how often the nonce was used with this.
    pub(super) count: u32,
    uri: String,
    algorithm: Option<DigestAlgorithm>,
    cnonce: String,
    nc: String,
    qop: String,
}

impl Credentials {
    /// Reads a header value; `None` when it is no digest at all.
    pub(super) fn of(value: &header::Credentials<'_>) -> Option<Self> {
        if !value.is_digest() {
            return None;
        }
        let param = |name| value.param(name).unwrap_or_default().into_owned();
        let nc = param("nc");
        // RFC 7616 §3.4: MD5 when it is not said.
        let algorithm = value.param("algorithm").unwrap_or("MD5".into());
        let is_named = |known: &DigestAlgorithm| algorithm.eq_ignore_ascii_case(known.name());
        Some(Self {
            username: param("username"),
            realm: param("realm"),
            nonce: param("nonce"),
            response: param("response").to_ascii_lowercase(),
            count: u32::from_str_radix(&nc, 16).unwrap_or(0),
            uri: param("uri"),
            algorithm: [DigestAlgorithm::Md5, DigestAlgorithm::Sha256].into_iter().find(is_named),
            cnonce: param("cnonce"),
            nc,
            qop: param("qop"),
        })
    }

    /// The response that the right password gives (RFC 7616 §3.4.1); `None` when it was not made the way we
    /// asked for: another algorithm, or without qop=auth, which would leave replays unseen.
    pub(super) fn expected_response(&self, method: &[u8], password: &str) -> Option<String> {
        let algorithm = self.algorithm?;
        if !self.qop.eq_ignore_ascii_case("auth") {
            return None;
        }
        let a1 = algorithm.hash(&[self.username.as_bytes(), self.realm.as_bytes(), password.as_bytes()]);
        let a2 = algorithm.hash(&[method, self.uri.as_bytes()]);
        let parts = [&a1, &self.nonce, &self.nc, &self.cnonce, &self.qop, &a2];
        Some(algorithm.hash(&parts.map(|part| part.as_bytes())))
    }
}
