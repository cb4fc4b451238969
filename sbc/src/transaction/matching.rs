//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};

use crate::message::{Essentials, Message, Method, StartLine};

/// How a branch of RFC 3261 begins (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// What all messages of one transaction have in common, as a digest of 128 bits: hundreds of thousands of
/// transactions wait for their last timer, and are found among each other for the price of comparing numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64, u64);

impl Key {
    pub(super) const fn low(self) -> u64 {
        self.0
    }

    pub(super) const fn high(self) -> u64 {
        self.1
    }

    #[cfg(test)]
    pub(super) const fn of(low: u64, high: u64) -> Self {
        Self(low, high)
    }
}

/// Makes keys, under a secret: nobody outside can tell which messages would have the same one.
#[derive(Debug)]
pub(crate) struct Keys {
    secrets: [u64; 2],
}

impl Keys {
    pub(crate) const fn new(secrets: [u64; 2]) -> Self {
        Self { secrets }
    }

    /// Of a request we send with this branch, and of its responses (§17.1.3).
    pub(crate) fn client(&self, branch: &str, method: Method<'_>) -> Key {
        self.digest(Case::Folded, format_args!("{branch} {method}"))
    }

    /// Of a request we received; an ACK has the key of its INVITE, a CANCEL one of its own.
    pub(crate) fn server(&self, request: &Message<'_>, essentials: &Essentials<'_>) -> Key {
        let method = match essentials.cseq.method {
            Method::Ack => Method::Invite,
            method => method,
        };
        self.server_of(request, essentials, method)
    }

    /// Of the INVITE that a CANCEL means (§9.2).
    pub(crate) fn cancelled(&self, request: &Message<'_>, essentials: &Essentials<'_>) -> Key {
        self.server_of(request, essentials, Method::Invite)
    }

    fn server_of(&self, request: &Message<'_>, essentials: &Essentials<'_>, method: Method<'_>) -> Key {
        let via = &essentials.via;
        let (host, port) = (via.host, via.port.unwrap_or(5060));
        match via.branch() {
            Some(branch) if is_rfc3261(branch) => {
                self.digest(Case::Folded, format_args!("{branch} {host}:{port} {method}"))
            }
            // RFC 2543 clients: the whole request tells (§17.2.3). The To tag is left out, since the ACK has one
            // that the INVITE had not; the CSeq number tells the requests of a dialog apart.
            branch => {
                let uri = match request.start() {
                    StartLine::Request { uri, .. } => uri,
                    StartLine::Response { .. } => &[],
                };
                let branch = branch.unwrap_or_default();
                let (uri, cseq) = (uri.escape_ascii(), essentials.cseq.number);
                let (tag, call_id) = (essentials.from.tag().unwrap_or_default(), essentials.call_id);
                self.digest(
                    Case::Folded,
                    format_args!("{branch} {uri} {tag} {call_id} {cseq} {host}:{port} {method}"),
                )
            }
        }
    }

    /// What a request has in common with itself on another path (§8.2.2.2); only without a To tag.
    pub(crate) fn merged(&self, essentials: &Essentials<'_>) -> Option<Key> {
        if essentials.to.tag().is_some() {
            return None;
        }
        let from_tag = essentials.from.tag().unwrap_or_default();
        let (call_id, cseq) = (essentials.call_id, essentials.cseq);
        let text = format_args!("{from_tag} {call_id} {} {}", cseq.number, cseq.method);
        Some(self.digest(Case::Kept, text))
    }

    fn digest(&self, case: Case, text: fmt::Arguments<'_>) -> Key {
        let hashers = self.secrets.map(|secret| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(secret);
            hasher
        });
        let mut digest = Digest { hashers, case, room: [0; Digest::ROOM], taken: 0 };
        // Writing to a digest cannot fail.
        let _ = digest.write_fmt(text);
        digest.finish()
    }
}

/// Whether "a" and "A" are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Kept,
    Folded,
}

/// Takes text as it is written. It comes in small pieces, and each costs a hasher as much as many octets at once.
struct Digest {
    hashers: [DefaultHasher; 2],
    case: Case,
    room: [u8; Self::ROOM],
    taken: usize,
}

impl Digest {
    /// What most keys are made of.
    const ROOM: usize = 128;

    fn flush(&mut self) {
        let bytes = self.room.get_mut(..self.taken).unwrap_or_default();
        if self.case == Case::Folded {
            bytes.make_ascii_lowercase();
        }
        self.hashers.iter_mut().for_each(|hasher| hasher.write(bytes));
        self.taken = 0;
    }

    fn finish(mut self) -> Key {
        self.flush();
        let [first, second] = self.hashers;
        Key(first.finish(), second.finish())
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let room = self.room.get_mut(self.taken..).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(room.len()));
            room.iter_mut().zip(now).for_each(|(place, octet)| *place = *octet);
            self.taken += now.len();
            rest = later;
            if self.taken == Self::ROOM {
                self.flush();
            }
        }
        Ok(())
    }
}

/// §8.1.1.7: the cookie is compared without regard to case, as all of a token is.
fn is_rfc3261(branch: &str) -> bool {
    branch
        .get(..MAGIC_COOKIE.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE) && branch.len() > MAGIC_COOKIE.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_what_they_are_of_and_by_the_secret() {
        let (ours, theirs) = (Keys::new([1, 2]), Keys::new([1, 3]));
        let key = ours.client("z9hG4bK-1", Method::Invite);
        assert_eq!(key, ours.client("Z9HG4BK-1", Method::Invite), "§7.3.1: tokens have no case");
        assert_ne!(key, ours.client("z9hG4bK-1", Method::Cancel));
        assert_ne!(key, ours.client("z9hG4bK-2", Method::Invite));
        assert_ne!(key, theirs.client("z9hG4bK-1", Method::Invite));
        let long = "a".repeat(1_000);
        assert_ne!(ours.client(&long, Method::Bye), ours.client(&long[1..], Method::Bye));
    }
}
