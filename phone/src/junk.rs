//! What a flood is made of: datagrams that nobody waits for an answer to.

use std::net::SocketAddr;

use rand::{Rng as _, RngExt as _};
use rand_chacha::ChaCha8Rng;
use rsip::{Header, Method, Uri};

use crate::access::{Access, Transport};
use crate::message::{self, RequestHead};

/// The longest datagram of random octets.
const MAX_RANDOM: usize = 1_200;

/// One kind of junk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JunkKind {
    /// Random octets.
    Random,
    /// The beginning of an INVITE, cut anywhere, with some octets changed.
    Mangled,
    /// OPTIONS, as scanners send it.
    Options,
    /// REGISTER of a user that changes each time, without credentials.
    Register,
    /// INVITE to a number that changes each time; its answers are never acknowledged.
    Invite,
}

impl JunkKind {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("random", Self::Random),
        ("mangled", Self::Mangled),
        ("options", Self::Options),
        ("register", Self::Register),
        ("invite", Self::Invite),
    ];
}

/// A source of junk.
#[derive(Debug)]
pub struct Junk {
    rng: ChaCha8Rng,
    server: SocketAddr,
}

impl Junk {
    /// Junk for `server`.
    #[must_use]
    pub const fn new(rng: ChaCha8Rng, server: SocketAddr) -> Self {
        Self { rng, server }
    }

    /// The next datagram of a kind, as sent by `local`.
    pub fn next(&mut self, kind: JunkKind, local: SocketAddr) -> Vec<u8> {
        match kind {
            JunkKind::Random => self.random(),
            JunkKind::Mangled => {
                let mut bytes = self.request(Method::Invite, local);
                bytes.truncate(self.rng.random_range(1..=bytes.len()));
                for _ in 0..self.rng.random_range(0..8) {
                    let at = self.rng.random_range(0..bytes.len());
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = self.rng.random();
                    }
                }
                bytes
            }
            JunkKind::Options => self.request(Method::Options, local),
            JunkKind::Register => self.request(Method::Register, local),
            JunkKind::Invite => self.request(Method::Invite, local),
        }
    }

    fn random(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.rng.random_range(1..=MAX_RANDOM)];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn request(&mut self, method: Method, local: SocketAddr) -> Vec<u8> {
        let rng = &mut self.rng;
        let (number, server) = (rng.random_range(100..1_000_000), self.server);
        let Ok(uri) = Uri::try_from(format!("sip:{number}@{server}")) else { return Vec::new() };
        let head = RequestHead {
            method,
            uri,
            transport: Transport::Udp,
            local,
            branch: &Access::default().branch(rng),
            from: &format!("<sip:{number}@{}>;tag={}", server.ip(), message::token(rng)),
            to: &format!("<sip:{number}@{}>", server.ip()),
            call_id: &message::token(rng),
            cseq: 1,
            session_id: None,
        };
        let contact = vec![Header::Contact(format!("<sip:{number}@{local}>").into())];
        message::request(&head, contact, None).into()
    }
}
