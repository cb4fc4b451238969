//! Peers that mean harm, or are broken beyond what a phone of manners can be: raw messages and no state but what the
//! misdeed needs. Each sits at a listed address, so that all of it is read.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::tap::{Kind, Seen, Way};

/// A carrier of its own, with narrow limits.
pub(crate) const ROGUE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)), 5_060);
/// A phone's address, from which the rogue's dialogs are touched too.
pub(crate) const ACCOMPLICE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 78)), 5_060);
/// Another one, from which passwords are guessed.
pub(crate) const GUESSER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 79)), 5_060);

/// The most calls the rogue's trunk may have at a time, and begin in a second.
pub(crate) const MAX_CALLS: u32 = 5;

/// The CSeq of a rogue's INVITE.
pub(crate) const FIRST_CSEQ: u32 = 100;

/// How many passwords are tried.
const GUESSES: u32 = 40;

/// What a rogue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdeed {
    /// Requests within its dialog whose CSeq is lower than that of its INVITE (RFC 3261 §12.2.2).
    WrongCseq,
    /// ACKs that nobody waits for, within dialogs and outside.
    StrayAcks,
    /// Re-INVITEs faster than they are answered, half of them never acknowledged.
    ReinviteStorm,
    /// Requests with all the right tags from somebody else's address.
    TagTheft,
    /// Far more calls at a time than its trunk may make.
    CallStorm,
    /// One number after the other that does not exist.
    NumberSweep,
    /// One wrong password after the other for a user that exists.
    DigestGuess,
}

impl Misdeed {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::WrongCseq,
        Self::StrayAcks,
        Self::ReinviteStorm,
        Self::TagTheft,
        Self::CallStorm,
        Self::NumberSweep,
        Self::DigestGuess,
    ];
}

/// A rogue and its hour.
#[derive(Clone, Copy, Debug)]
pub struct RoguePlan {
    /// When it begins.
    pub at: Duration,
    /// With what.
    pub misdeed: Misdeed,
}

/// A message that leaves so long after what led to it.
pub(crate) struct Sent {
    pub(crate) after: Duration,
    pub(crate) source: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// One rogue at work. Its Call-IDs are `rogue-NUMBER-CALL`.
#[derive(Debug)]
pub(crate) struct Rogue {
    number: usize,
    misdeed: Misdeed,
    /// Whether the misdeed itself is under way.
    begun: bool,
    guesses: u32,
}

/// The parts of a request that differ.
struct Request<'a> {
    method: &'a str,
    uri: &'a str,
    source: SocketAddr,
    call: u32,
    cseq: u32,
    /// Empty for that of the method and CSeq.
    branch: &'a str,
    /// Empty outside a dialog.
    to_tag: &'a str,
    /// Whole lines with their ends.
    headers: &'a str,
    body: &'a str,
}

const PROMPT: &str = "sip:+15550102@127.0.0.1";

impl Rogue {
    pub(crate) const fn new(number: usize, misdeed: Misdeed) -> Self {
        Self { number, misdeed, begun: false, guesses: 0 }
    }

    /// The rogue that a message is for, by its Call-ID.
    pub(crate) fn number_of(call_id: &str) -> Option<usize> {
        call_id.strip_prefix("rogue-")?.split('-').next()?.parse().ok()
    }

    /// Its first messages.
    pub(crate) fn begin(&mut self) -> Vec<Sent> {
        match self.misdeed {
            Misdeed::CallStorm => (0..40).map(|call| self.invite(call, PROMPT)).collect(),
            Misdeed::NumberSweep => {
                (0..30).map(|call| self.invite(call, &format!("sip:+1777000{call:04}@127.0.0.1"))).collect()
            }
            Misdeed::DigestGuess => vec![self.register("")],
            Misdeed::WrongCseq | Misdeed::StrayAcks | Misdeed::ReinviteStorm | Misdeed::TagTheft => {
                vec![self.invite(0, PROMPT)]
            }
        }
    }

    /// What it makes of an answer of the node's.
    pub(crate) fn handle(&mut self, now: Duration, peer: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        let Some(seen) = Seen::read(now, Way::Out, peer, bytes) else { return Vec::new() };
        let Some(call) = seen.call_id.rsplit('-').next().and_then(|call| call.parse().ok()) else {
            return Vec::new();
        };
        match seen.kind {
            // The node hangs up: whoever is silent long enough is hung up on.
            Kind::Request { .. } => vec![self.agree(&seen)],
            Kind::Response { status: ..200 } => Vec::new(),
            Kind::Response { status: 401 } if seen.method == "REGISTER" => self.guess(&seen),
            Kind::Response { .. } if seen.method != "INVITE" || peer != ROGUE => Vec::new(),
            Kind::Response { status: 200..300 } => self.answered(call, &seen),
            Kind::Response { .. } => vec![self.ack(call, &seen, &seen.branch)],
        }
    }

    fn answered(&mut self, call: u32, seen: &Seen) -> Vec<Sent> {
        let storms = self.misdeed == Misdeed::ReinviteStorm;
        if storms && seen.cseq > FIRST_CSEQ && seen.cseq.is_multiple_of(2) {
            return Vec::new();
        }
        let ack = self.ack(call, seen, "");
        let is_first = seen.cseq == FIRST_CSEQ && (!self.begun || self.misdeed == Misdeed::CallStorm);
        let deeds = if is_first { self.misbehave(call, seen) } else { Vec::new() };
        self.begun = true;
        std::iter::once(ack).chain(deeds).collect()
    }

    /// In a dialog that the node has just answered; it ends as it should a few seconds later.
    fn misbehave(&self, call: u32, seen: &Seen) -> Vec<Sent> {
        let tag = seen.to_tag.as_deref().unwrap_or_default();
        let within = |method, cseq, millis: u64| {
            let body = if method == "INVITE" { SDP } else { "" };
            let request = Request {
                method,
                uri: PROMPT,
                source: ROGUE,
                call,
                cseq,
                branch: "",
                to_tag: tag,
                headers: "",
                body,
            };
            (request, Duration::from_millis(millis))
        };
        let mut requests = match self.misdeed {
            Misdeed::WrongCseq => vec![
                within("OPTIONS", FIRST_CSEQ - 50, 300),
                within("INVITE", FIRST_CSEQ - 40, 500),
                within("BYE", FIRST_CSEQ - 1, 700),
            ],
            Misdeed::StrayAcks => {
                let strangers = |(request, after)| (Request { to_tag: "nobody", ..request }, after);
                let outside = |(request, after)| (Request { call: 99, ..request }, after);
                vec![
                    within("ACK", FIRST_CSEQ, 100),
                    within("ACK", FIRST_CSEQ, 200),
                    within("ACK", 777, 300),
                    strangers(within("ACK", FIRST_CSEQ, 400)),
                    outside(within("ACK", FIRST_CSEQ, 500)),
                ]
            }
            Misdeed::ReinviteStorm => {
                (1..=40).map(|n| within("INVITE", FIRST_CSEQ + n, u64::from(n) * 10)).collect()
            }
            Misdeed::TagTheft => ["BYE", "INVITE", "INFO", "REFER", "UPDATE", "PRACK"]
                .into_iter()
                .zip(1..)
                .map(|(method, n)| {
                    let (request, after) = within(method, FIRST_CSEQ + 200 + n, u64::from(n) * 200);
                    (
                        Request {
                            source: ACCOMPLICE,
                            headers: "Refer-To: <sip:1001@127.0.0.1>\r\n",
                            ..request
                        },
                        after,
                    )
                })
                .chain([within("OPTIONS", FIRST_CSEQ + 1, 2_000)])
                .collect(),
            Misdeed::CallStorm | Misdeed::NumberSweep | Misdeed::DigestGuess => Vec::new(),
        };
        requests.push(within("BYE", FIRST_CSEQ + 400, 4_000));
        requests.into_iter().map(|(request, after)| self.send(after, &request)).collect()
    }

    fn invite(&self, call: u32, uri: &str) -> Sent {
        let request = Request {
            method: "INVITE",
            uri,
            source: ROGUE,
            call,
            cseq: FIRST_CSEQ,
            branch: "",
            to_tag: "",
            headers: "",
            body: SDP,
        };
        self.send(Duration::from_millis(25) * call, &request)
    }

    /// Of a 2xx with a branch of its own, of another final response with that of its INVITE (RFC 3261 §17.1.1.3).
    fn ack(&self, call: u32, seen: &Seen, branch: &str) -> Sent {
        let request = Request {
            method: "ACK",
            uri: PROMPT,
            source: ROGUE,
            call,
            cseq: seen.cseq,
            branch,
            to_tag: seen.to_tag.as_deref().unwrap_or_default(),
            headers: "",
            body: "",
        };
        self.send(Duration::ZERO, &request)
    }

    /// 200 to a request of the node's.
    fn agree(&self, seen: &Seen) -> Sent {
        let lines = seen.text.split("\r\n").filter(|line| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
        });
        let headers: String = lines.map(|line| format!("{line}\r\n")).collect();
        let bytes = format!("SIP/2.0 200 OK\r\n{headers}Content-Length: 0\r\n\r\n").into_bytes();
        Sent { after: Duration::ZERO, source: ROGUE, bytes }
    }

    fn guess(&mut self, seen: &Seen) -> Vec<Sent> {
        let nonce = seen.text.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next());
        let Some(nonce) = nonce.filter(|_| self.guesses < GUESSES) else { return Vec::new() };
        self.guesses += 1;
        let response = format!("{:032x}", u128::from(self.guesses) * 0x9e37_79b9_7f4a_7c15);
        let authorization = format!(
            "Authorization: Digest username=\"1001\", realm=\"tandem.sim\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", \
             response=\"{response}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"\r\n"
        );
        vec![self.register(&authorization)]
    }

    fn register(&self, authorization: &str) -> Sent {
        let request = Request {
            method: "REGISTER",
            uri: "sip:127.0.0.1",
            source: GUESSER,
            call: 0,
            cseq: FIRST_CSEQ + self.guesses,
            branch: "",
            to_tag: "",
            headers: authorization,
            body: "",
        };
        self.send(Duration::from_millis(100), &request)
    }

    fn send(&self, after: Duration, request: &Request<'_>) -> Sent {
        let Request { method, uri, source, call, cseq, branch, to_tag, headers, body } = request;
        let number = self.number;
        let branch = match *branch {
            "" => format!("z9hG4bK-rogue-{number}-{call}-{method}-{cseq}-{}", source.ip()),
            branch => branch.to_owned(),
        };
        let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let user = if *method == "REGISTER" { "1001" } else { "+15550999" };
        let to = if *method == "REGISTER" { "sip:1001@127.0.0.1" } else { uri };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let bytes = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@127.0.0.1>;tag=rogue{number}\r\nTo: <{to}>{to_tag}\r\nCall-ID: rogue-{number}-{call}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:rogue@{source}>\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
        Sent { after, source: *source, bytes }
    }
}

/// Up to three of them, from randomness of their own.
pub(crate) fn plans(seed: u64) -> Vec<RoguePlan> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(3);
    let count = rng.random_range(1..=3);
    let mut plan = || RoguePlan {
        at: Duration::from_millis(rng.random_range(1_000..=50_000)),
        misdeed: Misdeed::ALL[rng.random_range(0..Misdeed::ALL.len())],
    };
    (0..count).map(|_| plan()).collect()
}

/// It listens to nothing.
const SDP: &str = "v=0\r\no=rogue 1 1 IN IP4 127.0.0.11\r\ns=-\r\nc=IN IP4 127.0.0.11\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n";

/// Whether somebody here is a rogue.
pub(crate) fn is_rogue(address: SocketAddr) -> bool {
    [ROGUE, ACCOMPLICE, GUESSER].contains(&address)
}
