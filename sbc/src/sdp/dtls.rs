//! What a description says about a DTLS association (RFC 8122, RFC 4145, RFC 8842).

use std::fmt;

use super::{Attribute, Media, SessionDescription};

/// The SHA-256 hash of a certificate. Others are passed over: everybody must give this one (RFC 8122 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads the value of `a=fingerprint`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (algorithm, hash) = value.trim().split_once(' ')?;
        let mut octets = [0; 32];
        let mut pairs = hash.trim().split(':');
        for octet in &mut octets {
            let pair = pairs.next().filter(|pair| pair.len() == 2)?;
            *octet = u8::from_str_radix(pair, 16).ok()?;
        }
        (algorithm.eq_ignore_ascii_case("sha-256") && pairs.next().is_none()).then_some(Self(octets))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (place, octet) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02X}")?;
        }
        Ok(())
    }
}

/// Who begins the handshake (`a=setup`, RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Whoever says it.
    Active,
    /// The other side.
    Passive,
    /// Whichever the answerer likes.
    ActPass,
}

impl Setup {
    fn parse(value: &str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::ActPass].into_iter().find(|setup| setup.as_str() == value.trim())
    }

    /// As the attribute has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
        }
    }
}

impl SessionDescription {
    /// The fingerprints of a stream: its own, else the session's (RFC 8122 §5).
    #[must_use]
    pub fn fingerprints_of(&self, media: &Media) -> Vec<Fingerprint> {
        let among = |attributes: &[Attribute]| -> Vec<Fingerprint> {
            values(attributes, "fingerprint").filter_map(Fingerprint::parse).collect()
        };
        let own = among(&media.attributes);
        if own.is_empty() { among(&self.attributes) } else { own }
    }

    /// The role of a stream's author, if it says.
    #[must_use]
    pub fn setup_of(&self, media: &Media) -> Option<Setup> {
        self.value_of(media, "setup").and_then(Setup::parse)
    }

    /// The ICE user name fragment and password of a stream (RFC 8839 §5.4).
    #[must_use]
    pub fn ice_of<'a>(&'a self, media: &'a Media) -> Option<(&'a str, &'a str)> {
        Some((self.value_of(media, "ice-ufrag")?, self.value_of(media, "ice-pwd")?))
    }

    /// The attribute of the stream, else of the session.
    fn value_of<'a>(&'a self, media: &'a Media, name: &'static str) -> Option<&'a str> {
        values(&media.attributes, name).next().or_else(|| values(&self.attributes, name).next())
    }
}

impl Media {
    /// Whether RTCP may share RTP's port (RFC 5761 §5.1.1).
    #[must_use]
    pub fn has_rtcp_mux(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.name == "rtcp-mux")
    }
}

fn values<'a>(attributes: &'a [Attribute], name: &'static str) -> impl Iterator<Item = &'a str> {
    attributes.iter().filter(move |it| it.name == name).filter_map(|it| it.value.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8122 §5: upper-case hex digits with colons between; lower case is read too.
    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let fingerprint = Fingerprint(std::array::from_fn(|n| n as u8 * 7));
        let text = fingerprint.to_string();
        assert_eq!(Fingerprint::parse(&text), Some(fingerprint));
        assert_eq!(Fingerprint::parse(&text.to_lowercase()), Some(fingerprint));
        for wrong in [&text[..text.len() - 3], &format!("{text}:00"), &text.replace("sha-256", "sha-1"), ""] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}
