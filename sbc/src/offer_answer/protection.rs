//! How an audio stream is protected, and how its party is found: what a peer's lines say, and what ours do.

use std::net::IpAddr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use crate::sdp::{Attribute, Crypto, Fingerprint, Media, SessionDescription, Setup};
use crate::user_agent::{DtlsRole, IceCredentials, Keying, Profile, SrtpPolicy};

/// What we may agree to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) srtp: SrtpPolicy,
    keying: Keying,
    ice: bool,
    /// Of our certificate; without it there is no DTLS.
    certificate: Option<Fingerprint>,
}

/// How a peer's stream is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Secured {
    Plain,
    Sdes(Crypto),
    Dtls { setup: Option<Setup>, fingerprints: Vec<Fingerprint> },
}

/// RTP, and RTP under SRTP, each also with RTCP feedback (RFC 3551 §2, RFC 3711 §12, RFC 4585 §3.3, RFC 5764 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Plain,
    Secure,
    /// Keys by DTLS, said by the name itself.
    SecureByDtls,
}

impl Protocol {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "RTP/AVP" | "RTP/AVPF" => Some(Self::Plain),
            "RTP/SAVP" | "RTP/SAVPF" => Some(Self::Secure),
            "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF" => Some(Self::SecureByDtls),
            _ => None,
        }
    }
}

impl Terms {
    pub(super) fn new(profile: &Profile, certificate: Option<Fingerprint>) -> Self {
        Self { srtp: profile.srtp, keying: profile.srtp_keys, ice: profile.ice, certificate }
    }

    /// How a stream of the peer's is protected, none when our policy or its lines do not allow it; of several lines
    /// the first that we can keep to, since their order is the peer's preference (RFC 4568 §5.1.2).
    pub(super) fn secured(&self, theirs: &SessionDescription, media: &Media) -> Option<Secured> {
        let sdes = || media.cryptos().next().map(Secured::Sdes);
        let dtls = || {
            let fingerprints = theirs.fingerprints_of(media);
            let is_possible = self.certificate.is_some() && !fingerprints.is_empty();
            is_possible.then(|| Secured::Dtls { setup: theirs.setup_of(media), fingerprints })
        };
        match (Protocol::parse(&media.protocol)?, self.srtp) {
            (Protocol::Plain, SrtpPolicy::Off) => Some(Secured::Plain),
            (Protocol::Plain, SrtpPolicy::Offered) => Some(sdes().unwrap_or(Secured::Plain)),
            (Protocol::Secure, SrtpPolicy::Offered | SrtpPolicy::Required) => sdes().or_else(dtls),
            (Protocol::SecureByDtls, SrtpPolicy::Offered | SrtpPolicy::Required) => dtls(),
            _ => None,
        }
    }

    /// Whether our offers ask for a handshake; with what we show in it.
    pub(super) fn offers_dtls(&self) -> Option<Fingerprint> {
        let asks = self.srtp == SrtpPolicy::Required && self.keying == Keying::Dtls;
        self.certificate.filter(|_| asks)
    }

    /// Whether our offers speak of ICE.
    pub(super) fn offers_ice(&self) -> bool {
        self.ice
    }

    /// The protocol of our offers.
    pub(super) fn offered_protocol(&self) -> &'static str {
        match (self.srtp, self.offers_dtls()) {
            (SrtpPolicy::Off | SrtpPolicy::Offered, _) => "RTP/AVP",
            (SrtpPolicy::Required, None) => "RTP/SAVP",
            // Browsers write the profile with feedback, and read either (RFC 8829 §5.1.2).
            (SrtpPolicy::Required, Some(_)) if self.ice => "UDP/TLS/RTP/SAVPF",
            (SrtpPolicy::Required, Some(_)) => "UDP/TLS/RTP/SAVP",
        }
    }

    /// The peer's fragment, when it asks for ICE and we may answer.
    pub(super) fn ice_asked<'a>(&self, theirs: &'a SessionDescription, media: &'a Media) -> Option<&'a str> {
        theirs.ice_of(media).map(|(fragment, _)| fragment).filter(|_| self.ice)
    }

    /// The lines of a handshake.
    pub(super) fn dtls_attributes(&self, setup: Setup) -> Vec<Attribute> {
        let Some(certificate) = self.certificate else { return Vec::new() };
        vec![Attribute::new("fingerprint", certificate.to_string()), Attribute::new("setup", setup.as_str())]
    }
}

/// Our role, by what an offer or an answer says, and by the role we had (RFC 5763 §5, RFC 8842 §5.3).
pub(super) fn dtls_role(theirs: Option<Setup>, before: Option<DtlsRole>) -> DtlsRole {
    match theirs {
        Some(Setup::Passive) => DtlsRole::Client,
        Some(Setup::Active) | None => DtlsRole::Server,
        // The party knows better than we do through which NAT its packets go, so it may begin.
        Some(Setup::ActPass) => before.unwrap_or(DtlsRole::Server),
    }
}

/// RFC 8839 §5.4: 4 to 256 characters of fragment, 22 to 256 of password; at least 24 and 128 bits of them random.
pub(super) fn draw_ice(rng: &mut ChaCha8Rng) -> IceCredentials {
    let mut characters = |count: usize| -> String {
        let mut text: String =
            std::iter::repeat_with(|| format!("{:016x}", rng.next_u64())).take(count.div_ceil(16)).collect();
        text.truncate(count);
        text
    };
    IceCredentials { local_fragment: characters(8), local_password: characters(32) }
}

/// Our lines of ICE: one host candidate a component, since we are where we say (RFC 8839 §5.1).
pub(super) fn ice_attributes(
    ice: &IceCredentials,
    port: u16,
    addresses: &[IpAddr],
    rtcp_mux: bool,
) -> Vec<Attribute> {
    /// RFC 8445 §5.1.2.1: type preference 126 and local preference 65535 for component 1; of a second address less.
    const PRIORITY: u32 = 126 << 24 | 65_535 << 8 | 255;
    let candidate = |place: u16, address: &IpAddr, component: u16| {
        let priority = PRIORITY + 1 - u32::from(component) - (u32::from(place) << 8);
        let (foundation, port) = (place + 1, port + component - 1);
        let candidate = format!("{foundation} {component} UDP {priority} {address} {port} typ host");
        Attribute::new("candidate", candidate)
    };
    let mut attributes = vec![
        Attribute::new("ice-ufrag", ice.local_fragment.as_str()),
        Attribute::new("ice-pwd", ice.local_password.as_str()),
    ];
    for (place, address) in (0..).zip(addresses) {
        attributes.push(candidate(place, address, 1));
        if !rtcp_mux {
            attributes.push(candidate(place, address, 2));
        }
    }
    attributes
}
