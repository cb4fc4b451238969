//! Session-ID: what a communication is called from end to end, whatever becomes of Call-IDs on the way (RFC 7989).
//!
//! Owner thread: the signalling core. This module must not know sessions: it reads values and writes them.

use std::fmt;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::header::Parameterised;
use crate::message::{HeaderName, Message};

/// One side of a communication (§5): a UUID, written as 32 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionUuid(u128);

/// What a message of a peer's says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    local: SessionUuid,
    /// Of RFC 7989, which has a `remote`, or of RFC 7329, which has none.
    has_remote: bool,
}

/// Both sides of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identification {
    /// Whom the peer talks to: us, or somebody else through us.
    shown: SessionUuid,
    /// The peer; one that we made up for it until it says.
    peer: SessionUuid,
    heard: Heard,
}

/// What has been heard of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    /// That it knows Session-ID, and not who it is.
    Nil,
    Itself,
    /// It is of RFC 7329, where both sides of a session have one and the same value.
    Legacy(SessionUuid),
}

impl SessionUuid {
    /// A side that is not known (§5).
    const NIL: Self = Self(0);

    /// A random one (RFC 9562 §5.4).
    fn random(rng: &mut ChaCha8Rng) -> Self {
        let random = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        let (version, variant) = (0xf << 76, 0b11 << 62);
        Self(random & !version & !variant | 0x4 << 76 | 0b10 << 62)
    }

    fn parse(text: &str) -> Option<Self> {
        let is_uuid = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_uuid.then(|| u128::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for SessionUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a message says, if it says it in the grammar of §5.
pub(crate) fn said_in(message: &Message<'_>) -> Option<Said> {
    let value = Parameterised::parse(message.value(HeaderName::SessionId)?).ok()?;
    let local = SessionUuid::parse(value.value)?;
    Some(Said { local, has_remote: value.params.has("remote") })
}

impl Said {
    /// The value of a response that is no session's (who will answer is not known).
    pub(crate) fn answered(self) -> String {
        if self.has_remote { written(SessionUuid::NIL, self.local) } else { self.local.to_string() }
    }
}

impl Identification {
    /// Of a session with nobody but us.
    pub(crate) fn new(rng: &mut ChaCha8Rng) -> Self {
        let (shown, peer) = (SessionUuid::random(rng), SessionUuid::random(rng));
        Self { shown, peer, heard: Heard::Nothing }
    }

    /// The peer said who it is: the latest word holds.
    pub(crate) fn hear(&mut self, said: Said) {
        self.heard = match (said.has_remote, said.local) {
            (true, SessionUuid::NIL) if self.heard == Heard::Itself => Heard::Itself,
            (true, SessionUuid::NIL) => Heard::Nil,
            (true, local) => {
                self.peer = local;
                Heard::Itself
            }
            (false, SessionUuid::NIL) => return,
            (false, local) => {
                // A callee of RFC 7329 says what the caller said.
                if local != self.shown {
                    self.peer = local;
                }
                Heard::Legacy(local)
            }
        };
    }

    /// It is another peer from now on, which has said nothing.
    pub(crate) fn begin_anew(&mut self, rng: &mut ChaCha8Rng) {
        (self.peer, self.heard) = (SessionUuid::random(rng), Heard::Nothing);
    }

    /// The peer talks to the peer of another session from now on.
    pub(crate) const fn show(&mut self, other: &Self) {
        self.shown = other.peer;
    }

    /// Whether the peer has ever said anything.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard != Heard::Nothing
    }
}

impl fmt::Display for Identification {
    /// As our messages say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.heard {
            Heard::Nothing | Heard::Nil => f.write_str(&written(self.shown, SessionUuid::NIL)),
            Heard::Itself => f.write_str(&written(self.shown, self.peer)),
            Heard::Legacy(same) => same.fmt(f),
        }
    }
}

fn written(local: SessionUuid, remote: SessionUuid) -> String {
    format!("{local};remote={remote}")
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::message::HeaderIndex;

    fn said(value: &str) -> Option<Said> {
        let text = format!("OPTIONS sip:x@y SIP/2.0\r\nSession-ID: {value}\r\n\r\n");
        let mut index = HeaderIndex::new();
        said_in(&Message::parse(text.as_bytes(), &mut index).expect("a message"))
    }

    const A: &str = "ab30317f1a784dc48ff824d0d3715d86";
    const NIL: &str = "00000000000000000000000000000000";

    /// §5: 32 digits and letters; case does not matter to us.
    #[test]
    fn a_value_is_a_uuid_without_hyphens() {
        let upper = A.to_ascii_uppercase();
        for value in [format!("{A};remote={NIL}"), A.to_owned(), format!("{upper} ;x=y; remote={A}")] {
            assert_eq!(said(&value).map(|said| said.local.to_string()).as_deref(), Some(A), "{value}");
        }
        for wrong in ["", "ab30317f", &A[1..], &format!("{A}0"), "ab30317f-1a78-4dc4-8ff8-24d0d3715d86", "+"]
        {
            assert_eq!(said(wrong), None, "{wrong}");
        }
    }

    /// RFC 9562 §5.4: version 4.
    #[test]
    fn ours_are_random_uuids() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100 {
            let text = SessionUuid::random(&mut rng).to_string();
            assert_eq!((text.len(), &text[12..13]), (32, "4"));
            assert!("89ab".contains(&text[16..17]), "{text}");
        }
    }

    /// §5: nil until the peer has said who it is, and its latest word then; nil takes nothing back.
    #[test]
    fn the_remote_side_is_who_the_peer_says() {
        let mut session = Identification::new(&mut ChaCha8Rng::seed_from_u64(1));
        let remote =
            |session: &Identification| session.to_string().split_once(";remote=").unwrap().1.to_owned();
        assert_eq!((remote(&session).as_str(), session.is_heard()), (NIL, false));
        for (value, expected) in [
            (format!("{NIL};remote={A}"), NIL),
            (format!("{A};remote={NIL}"), A),
            (format!("{NIL};remote={A}"), A),
        ] {
            session.hear(said(&value).expect("a value"));
            assert_eq!((remote(&session).as_str(), session.is_heard()), (expected, true), "{value}");
        }
    }

    /// A peer of RFC 7329 hears the value that it uses, and nothing that it does not know.
    #[test]
    fn a_peer_of_the_older_kind_hears_its_own_value() {
        let mut session = Identification::new(&mut ChaCha8Rng::seed_from_u64(1));
        session.hear(said(A).expect("a value"));
        assert_eq!(session.to_string(), A);
        assert_eq!(said(A).expect("a value").answered(), A);
        let current = said(&format!("{A};remote={NIL}")).expect("a value");
        assert_eq!(current.answered(), format!("{NIL};remote={A}"));
    }
}
