//! The credentials in an Authorization header.

use super::Algorithm;

/// What we read of `Digest …` (RFC 7616 §3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) username: Vec<u8>,
    pub(super) realm: Vec<u8>,
    pub(super) nonce: Vec<u8>,
    pub(super) response: Vec<u8>,
    /// nc, how often the nonce was used with this.
    pub(super) count: u32,
    uri: Vec<u8>,
    algorithm: Option<Algorithm>,
    cnonce: Vec<u8>,
    nc: Vec<u8>,
    qop: Vec<u8>,
}

impl Credentials {
    /// Reads a header value; `None` when it is no digest at all.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii_start();
        let (scheme, rest) = value.split_at(value.iter().position(u8::is_ascii_whitespace)?);
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return None;
        }
        let mut credentials = Self {
            username: Vec::new(),
            realm: Vec::new(),
            nonce: Vec::new(),
            response: Vec::new(),
            count: 0,
            uri: Vec::new(),
            // RFC 7616 §3.4: MD5 when it is not said.
            algorithm: Some(Algorithm::Md5),
            cnonce: Vec::new(),
            nc: Vec::new(),
            qop: Vec::new(),
        };
        let mut rest = rest;
        while let Some((name, value, after)) = next_parameter(rest) {
            credentials.set(name, value);
            rest = after;
        }
        Some(credentials)
    }

    fn set(&mut self, name: &[u8], value: Vec<u8>) {
        match name.to_ascii_lowercase().as_slice() {
            b"username" => self.username = value,
            b"realm" => self.realm = value,
            b"nonce" => self.nonce = value,
            b"uri" => self.uri = value,
            b"response" => self.response = value.to_ascii_lowercase(),
            b"cnonce" => self.cnonce = value,
            b"qop" => self.qop = value,
            b"nc" => {
                let text = std::str::from_utf8(&value).unwrap_or_default();
                self.count = u32::from_str_radix(text, 16).unwrap_or(0);
                self.nc = value;
            }
            b"algorithm" => {
                self.algorithm = [Algorithm::Md5, Algorithm::Sha256]
                    .into_iter()
                    .find(|known| value.eq_ignore_ascii_case(known.name().as_bytes()));
            }
            _ => {}
        }
    }

    /// The response that the right password gives (RFC 7616 §3.4.1); `None` when it was not made the way we
    /// asked for: another algorithm, or without qop=auth, which would leave replays unseen.
    pub(super) fn expected_response(&self, method: &[u8], password: &str) -> Option<String> {
        let algorithm = self.algorithm?;
        if !self.qop.eq_ignore_ascii_case(b"auth") {
            return None;
        }
        let a1 = algorithm.hash(&[&self.username, &self.realm, password.as_bytes()]);
        let a2 = algorithm.hash(&[method, &self.uri]);
        let parts: [&[u8]; 6] =
            [a1.as_bytes(), &self.nonce, &self.nc, &self.cnonce, &self.qop, a2.as_bytes()];
        Some(algorithm.hash(&parts))
    }
}

/// Splits `name=value` off the front: the name, the value unquoted, and what follows.
fn next_parameter(text: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b',')?;
    let text = text.get(start..)?;
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let name = text.get(..equals)?.trim_ascii();
    let value = text.get(equals + 1..)?.trim_ascii_start();
    if value.first() == Some(&b'"') {
        let (unquoted, rest) = unquote(value.get(1..)?)?;
        return Some((name, unquoted, rest));
    }
    let end = value.iter().position(|byte| *byte == b',').unwrap_or(value.len());
    let (value, rest) = value.split_at(end);
    Some((name, value.trim_ascii().to_vec(), rest))
}

/// Reads up to the closing quote: what stood inside, and what follows.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut unquoted = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((unquoted, text.get(index + 1..)?)),
            b'\\' => unquoted.push(*bytes.next()?.1),
            other => unquoted.push(*other),
        }
    }
    None
}
