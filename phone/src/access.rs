//! How a phone is connected: over what, and how patiently.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rsip::Uri;

use crate::message;
use crate::retransmission::GIVE_UP;

/// What every branch begins with (RFC 3261 §8.1.1.7).
const MAGIC_COOKIE: &str = "z9hG4bK";

/// What carries SIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: what is not answered is sent again.
    #[default]
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS.
    Tls,
}

impl Transport {
    /// Whether nothing gets lost on the way, so that nothing has to be sent again (RFC 3261 §17.1.1.2).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// As Via has it (RFC 3261 §20.42).
    pub(crate) const fn in_via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The URI parameter that stands in Contact (RFC 3261 §19.1.1); UDP needs none.
    pub(crate) const fn in_uri(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
        }
    }
}

/// How a phone is connected. [`Access::default`] is a single phone on UDP with the timers of RFC 3261.
#[derive(Clone, Debug)]
pub struct Access {
    /// What carries its SIP.
    pub transport: Transport,
    /// Whether it asks for TLS on every hop: its URIs are `sips:` (RFC 3261 §19.1). For [`Transport::Tls`] only.
    pub is_sips: bool,
    /// How long it waits for an answer to what it sent: timers B, F and H.
    pub give_up: Duration,
    /// How long it answers retransmissions of a call that is over.
    pub linger: Duration,
    /// Its place among the phones of a [`crate::Crowd`]; its Call-IDs and branches begin with it, so that
    /// answers find it.
    pub place: Option<usize>,
}

impl Access {
    /// The scheme of its URIs.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.is_sips { "sips" } else { "sip" }
    }

    /// What stands behind its address in Contact: `sips:` says all (RFC 5630 §3.1.4).
    pub(crate) const fn in_uri(&self) -> &'static str {
        if self.is_sips { "" } else { self.transport.in_uri() }
    }

    /// A Call-ID of a phone with this access.
    pub(crate) fn call_id(&self, rng: &mut ChaCha8Rng) -> String {
        self.marked(message::token(rng))
    }

    /// A branch (RFC 3261 §8.1.1.7: with the magic cookie), by which answers find the phone.
    pub(crate) fn branch(&self, rng: &mut ChaCha8Rng) -> String {
        format!("{MAGIC_COOKIE}{}", self.marked(message::token(rng)))
    }

    /// With the phone's place in front, when it has one.
    fn marked(&self, token: String) -> String {
        match self.place {
            Some(place) => format!("{place:x}-{token}"),
            None => token,
        }
    }

    /// The place in a Call-ID or branch that one of a crowd's phones made.
    pub(crate) fn place_in(token: &str) -> Option<usize> {
        let token = token.strip_prefix(MAGIC_COOKIE).unwrap_or(token);
        usize::from_str_radix(token.split_once('-')?.0, 16).ok()
    }

    /// Where requests to somebody go who called from `source`: over the same connection if there is one.
    pub(crate) fn destination(&self, contact: &Uri, source: SocketAddr) -> SocketAddr {
        match message::address_of(contact) {
            Some(address) if !self.transport.is_reliable() => address,
            _ => source,
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self { transport: Transport::Udp, is_sips: false, give_up: GIVE_UP, linger: GIVE_UP, place: None }
    }
}
