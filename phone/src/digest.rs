//! Digest credentials (RFC 7616, RFC 8760) for the challenge a registrar or proxy sends.

use rand_chacha::ChaCha8Rng;
use rsip::headers::auth::{Algorithm, AuthQop};
use rsip::prelude::UntypedHeader as _;
use rsip::services::DigestGenerator;
use rsip::{Header, Method, Response, Uri};

use crate::message::token;

/// A user and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name, also the user part of its address of record.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A challenge we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Hash,
    qop: bool,
    pub(crate) stale: bool,
    proxy: bool,
    /// How often the nonce was used (RFC 7616 §3.4).
    uses: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Md5,
    Sha256,
}

impl Challenge {
    /// Uses of one nonce: `rsip` counts in decimal, which equals the hexadecimal RFC 7616 asks for up to nine.
    const MAX_USES: u8 = 9;

    /// The first challenge of a 401 or 407 whose algorithm we know (RFC 8760 §2.3: the server's order counts).
    pub(crate) fn of(response: &Response) -> Option<Self> {
        response.headers.iter().find_map(|header| match header {
            Header::WwwAuthenticate(value) => Self::parse(value.value(), false),
            Header::ProxyAuthenticate(value) => Self::parse(value.value(), true),
            _ => None,
        })
    }

    fn parse(value: &str, proxy: bool) -> Option<Self> {
        let parameters = parameters(value.trim().strip_prefix("Digest")?);
        let find = |name: &str| {
            parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone())
        };
        let algorithm = match find("algorithm") {
            None => Hash::Md5,
            Some(name) if name.eq_ignore_ascii_case("MD5") => Hash::Md5,
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Hash::Sha256,
            Some(_) => return None,
        };
        Some(Self {
            realm: find("realm")?,
            nonce: find("nonce")?,
            opaque: find("opaque"),
            algorithm,
            qop: find("qop").is_some_and(|qop| qop.split(',').any(|word| word.trim() == "auth")),
            stale: find("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            proxy,
            uses: 0,
        })
    }

    /// Whether the nonce may be used once more.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.uses < Self::MAX_USES
    }

    /// The Authorization or Proxy-Authorization header for a request.
    pub(crate) fn answer(
        &mut self,
        rng: &mut ChaCha8Rng,
        credentials: &Credentials,
        method: Method,
        uri: &Uri,
    ) -> Header {
        self.uses += 1;
        let cnonce = token(rng);
        let qop = self.qop.then(|| AuthQop::Auth { cnonce: cnonce.clone(), nc: self.uses });
        let (algorithm, algorithm_name) = match self.algorithm {
            Hash::Md5 => (Algorithm::Md5, "MD5"),
            Hash::Sha256 => (Algorithm::Sha256, "SHA-256"),
        };
        let response = DigestGenerator {
            username: &credentials.user,
            password: &credentials.password,
            nonce: &self.nonce,
            uri,
            realm: &self.realm,
            method: &method,
            qop: qop.as_ref(),
            algorithm,
        }
        .compute();
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\", algorithm={algorithm_name}",
            credentials.user, self.realm, self.nonce
        );
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        if self.qop {
            value.push_str(&format!(", qop=auth, nc={:08x}, cnonce=\"{cnonce}\"", self.uses));
        }
        if self.proxy {
            Header::ProxyAuthorization(value.into())
        } else {
            Header::Authorization(value.into())
        }
    }
}

/// `name=value` and `name="value"` pairs; commas within quotes do not part them.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut quoted = false;
    let split = text.split(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    for pair in split {
        if let Some((name, value)) = pair.split_once('=') {
            pairs.push((name.trim().to_owned(), value.trim().trim_matches('"').to_owned()));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn response_of(challenge: &str) -> String {
        let mut challenge = Challenge::parse(challenge, false).unwrap();
        let credentials = Credentials { user: "Mufasa".into(), password: "Circle Of Life".into() };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let uri = Uri::try_from("sip:example.com").unwrap();
        challenge.answer(&mut rng, &credentials, Method::Register, &uri).to_string()
    }

    /// RFC 2617 §3.2.2.1 without qop: MD5(MD5(A1):nonce:MD5(A2)), worked out by hand with md5sum.
    #[test]
    fn answers_a_challenge_without_qop() {
        let header =
            response_of(r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c0""#);
        assert!(header.contains(r#"response="c76cd12ebe62008df4659ee3afb04802""#), "{header}");
        assert!(!header.contains("qop"));
    }

    #[test]
    fn prefers_the_servers_first_known_algorithm_and_counts_uses() {
        let text = "Digest realm=\"a, b\", qop=\"auth,auth-int\", algorithm=SHA-256, nonce=\"n\", stale=TRUE";
        let challenge = Challenge::parse(text, false).unwrap();
        assert_eq!((challenge.realm.as_str(), challenge.algorithm), ("a, b", Hash::Sha256));
        assert!(challenge.qop && challenge.stale);
        assert!(response_of(text).contains("algorithm=SHA-256") && response_of(text).contains("nc=00000001"));
        assert_eq!(Challenge::parse("Digest realm=\"a\", nonce=\"n\", algorithm=SHA-512-256", false), None);
    }
}
