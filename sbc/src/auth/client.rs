//! The other side of digest authentication: what answers a challenge (RFC 7616 §3.4, RFC 8760 §2.4).

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{DigestAlgorithm, quote};
use crate::header;

/// Who challenged: it decides the header of the answer (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenger {
    /// The peer itself: 401, WWW-Authenticate.
    Peer,
    /// A proxy on the way: 407, Proxy-Authenticate.
    Proxy,
}

/// A challenge that we can answer, and how often we did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) challenger: Challenger,
    pub(crate) realm: String,
    pub(crate) nonce: String,
    /// The nonce we used was too old; the password was not looked at.
    pub(crate) stale: bool,
    opaque: Option<String>,
    algorithm: DigestAlgorithm,
    /// The server spells it so, or leaves it out, and may compare it as text.
    algorithm_as_written: Option<String>,
    has_qop: bool,
    /// nc: how often the nonce was used.
    count: u32,
}

/// A request to be authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// The Request-URI.
    pub(crate) uri: &'a str,
}

impl Challenge {
    /// Reads a challenge; `None` when it is no digest, has an algorithm we do not know, or wants more than
    /// `qop=auth`.
    pub(crate) fn of(value: &header::Credentials<'_>, challenger: Challenger) -> Option<Self> {
        if !value.is_digest() {
            return None;
        }
        let named = value.param("algorithm");
        let algorithm = match named.as_deref() {
            // RFC 7616 §3.3: MD5 when it is not said.
            None => DigestAlgorithm::Md5,
            Some(name) => [DigestAlgorithm::Md5, DigestAlgorithm::Sha256]
                .into_iter()
                .find(|known| name.eq_ignore_ascii_case(known.name()))?,
        };
        let qop = value.param("qop");
        let has_qop = match &qop {
            None => false,
            Some(offered) if offered.split(',').any(|it| it.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
        };
        Some(Self {
            challenger,
            realm: value.param("realm")?.into_owned(),
            nonce: value.param("nonce")?.into_owned(),
            stale: value.param("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            opaque: value.param("opaque").map(std::borrow::Cow::into_owned),
            algorithm,
            algorithm_as_written: named.map(std::borrow::Cow::into_owned),
            has_qop,
            count: 0,
        })
    }

    /// The value of the Authorization or Proxy-Authorization header; counts the use of the nonce.
    pub(crate) fn answer(
        &mut self,
        rng: &mut ChaCha8Rng,
        (username, password): (&str, &str),
        asked: Asked<'_>,
    ) -> String {
        self.count = self.count.saturating_add(1);
        let a1 = [username, &self.realm, password].map(str::as_bytes);
        let a1 = self.algorithm.hash(&a1);
        let a2 = self.algorithm.hash(&[asked.method, asked.uri].map(str::as_bytes));
        let (nc, cnonce) = (format!("{:08x}", self.count), format!("{:016x}", rng.next_u64()));
        let response = if self.has_qop {
            self.algorithm.hash(&[a1.as_str(), &self.nonce, &nc, &cnonce, "auth", &a2].map(str::as_bytes))
        } else {
            // RFC 2069, which RFC 7616 §3.4.1 no longer has and old servers still speak.
            self.algorithm.hash(&[a1.as_str(), &self.nonce, &a2].map(str::as_bytes))
        };
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quote(username),
            quote(&self.realm),
            quote(&self.nonce),
            quote(asked.uri),
        );
        if let Some(algorithm) = &self.algorithm_as_written {
            value.push_str(&format!(", algorithm={algorithm}"));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque={}", quote(opaque)));
        }
        if self.has_qop {
            value.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn challenge(text: &str) -> Option<Challenge> {
        let value = header::Credentials::parse(text.as_bytes()).expect("a challenge");
        Challenge::of(&value, Challenger::Peer)
    }

    fn response_of(value: &str) -> &str {
        let response = value.split("response=\"").nth(1).expect("a response");
        response.split('"').next().expect("its end")
    }

    const INVITE: Asked<'_> = Asked { method: "INVITE", uri: "sip:+15550100@carrier.example" };

    /// RFC 7616 §3.4.1, with our own server's reading of it as the judge.
    #[test]
    fn what_we_answer_our_own_server_takes() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for algorithm in ["", ", algorithm=MD5", ", algorithm=SHA-256", ", algorithm=sha-256"] {
            let text =
                format!("Digest realm=\"carrier\", nonce=\"n\\\"1\"{algorithm}, qop=\"auth-int,auth\"");
            let mut challenge = challenge(&text).expect("one we can answer");
            for count in 1..=2 {
                let value = challenge.answer(&mut rng, ("us", "secret"), INVITE);
                let read = header::Credentials::parse(value.as_bytes()).expect("credentials");
                let expected = super::super::digest_response(&read, b"INVITE", "secret").expect("a digest");
                assert_eq!(response_of(&value), expected, "{value}");
                assert_eq!(read.param("nc").as_deref(), Some(format!("{count:08x}").as_str()));
                assert!(!value.contains("secret"));
            }
        }
    }

    /// The example of RFC 2617 §3.5 without its qop: H(H(A1):nonce:H(A2)), computed with `md5sum`.
    #[test]
    fn a_challenge_without_qop_is_answered_the_old_way() {
        let text = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
            opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let mut challenge = challenge(text).expect("one we can answer");
        let asked = Asked { method: "GET", uri: "/dir/index.html" };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let value = challenge.answer(&mut rng, ("Mufasa", "Circle Of Life"), asked);
        assert_eq!(response_of(&value), "670fd8c2df070c60b045671b8b24ff02");
        assert!(value.contains("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""));
        assert!(!value.contains("nc=") && !value.contains("cnonce") && !value.contains("algorithm"));
    }

    #[test]
    fn what_we_cannot_answer_is_left_alone() {
        assert_eq!(challenge("Basic realm=\"carrier\""), None);
        assert_eq!(challenge("Digest realm=\"carrier\", nonce=\"n\", algorithm=SHA-512-256"), None);
        assert_eq!(challenge("Digest realm=\"carrier\", nonce=\"n\", qop=\"auth-int\""), None);
        assert_eq!(challenge("Digest realm=\"carrier\""), None);
    }
}
