//! Flows as RFCs draw them: the node of [`crate::run`] between peers written by hand, one arrow after the other, in
//! virtual time and fine weather.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tandem_sbc::user_agent::{ExtendedReports, Repacketise, SessionIdPolicy, SessionTimers, SrtpPolicy};
use tandem_switch::Ledger;

use crate::configuration::{self, phone_address};
use crate::node::{self, Making, Node};
use crate::scenario::Knobs;
use crate::tap::{Kind, Seen, Way};

/// How long an arrow may take that nothing holds up.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A node, what has left it, and what was said to whom.
pub struct Ladder {
    node: Node,
    now: Duration,
    arrows: VecDeque<Seen>,
    /// Audio relayed: whereto, and the first octet of its payload.
    relayed: Vec<(SocketAddr, u8)>,
    /// Whom something was played to.
    played: BTreeSet<SocketAddr>,
}

impl Ladder {
    /// The carrier: its numbers are called through `+15550111`.
    pub const CARRIER: SocketAddr = configuration::CARRIER;
    /// A carrier's proxy that `+15550112` leads to.
    pub const FIRST_PROXY: SocketAddr = configuration::FIRST_PROXY;
    /// Another one, which is tried when the first is silent.
    pub const SECOND_PROXY: SocketAddr = configuration::SECOND_PROXY;
    /// Where the node is.
    pub const NODE: SocketAddr = node::SIP;

    /// A node that has just begun.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// One where whoever is put on hold hears music.
    #[must_use]
    pub fn with_hold_music() -> Self {
        Self::with(|knobs| knobs.hold_music = true)
    }

    /// One whose carrier is asked to transfer its own callers to its own numbers.
    #[must_use]
    pub fn with_transferring_carrier() -> Self {
        Self::with(|knobs| knobs.refer_out = true)
    }

    /// One that turns callers of the carrier's away whose numbers begin with `+1900`.
    #[must_use]
    pub fn with_screening() -> Self {
        Self::with(|knobs| knobs.screens = true)
    }

    fn with(change: impl FnOnce(&mut Knobs)) -> Self {
        let mut knobs = Knobs {
            max_calls: 100,
            media_ports: 400,
            max_endpoints: 256,
            bind_failures_permille: 0,
            trunk_max_calls: 100,
            trunk_max_calls_per_second: 50,
            reloads_at: None,
            drains_at: None,
            media_timeout: Duration::from_secs(3_600),
            trunk_srtp: SrtpPolicy::Off,
            phones_srtp: SrtpPolicy::Off,
            session_timers: SessionTimers::default(),
            hold_music: false,
            refer_out: false,
            refer_out_attended: false,
            health: false,
            registers: false,
            listens: false,
            codecs: [Vec::new(), Vec::new()],
            alive_check: Duration::from_secs(300),
            session_id: SessionIdPolicy::Accept,
            records: false,
            records_by_key: false,
            repacketise: Repacketise::Limit,
            comfort_noise: false,
            rtcp_xr: ExtendedReports::Accept,
            confers: false,
            codec_change: false,
            screens: false,
        };
        change(&mut knobs);
        let agents = configuration::Agents { outside: [Vec::new(), Vec::new()] };
        let node = Node::new(3_665, &knobs, &agents, None);
        Self {
            node,
            now: Duration::ZERO,
            arrows: VecDeque::new(),
            relayed: Vec::new(),
            played: BTreeSet::new(),
        }
    }

    /// The phone of user 1000 + `n`, which `+15550110` rings for `n` = 1.
    #[must_use]
    pub fn phone(n: u16) -> SocketAddr {
        phone_address(n)
    }

    /// A user's password.
    #[must_use]
    pub fn password(user: &str) -> String {
        configuration::password(user)
    }

    /// An arrow to the node.
    pub fn sends(&mut self, peer: SocketAddr, text: &str) {
        self.node.handle_sip(self.now, peer, text.as_bytes());
        self.collect();
    }

    /// The next arrow from the node to `peer`, which must be `what`: a method, or a status and a method.
    ///
    /// # Panics
    /// When it is another one, or none comes at once.
    #[track_caller]
    pub fn gets(&mut self, peer: SocketAddr, what: &str) -> Seen {
        if !self.arrows.iter().any(|seen| seen.peer == peer) {
            self.pass(AT_ONCE);
        }
        let place = self.arrows.iter().position(|seen| seen.peer == peer);
        let seen = place.and_then(|place| self.arrows.remove(place));
        let seen = seen.unwrap_or_else(|| panic!("{peer} gets nothing instead of {what}"));
        assert_eq!(words(&seen), what, "{peer} gets\n{}", seen.text);
        seen
    }

    /// Time goes on.
    pub fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(next) = self.node.poll_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.node.handle_timeout(self.now);
            self.collect();
        }
        self.now = until;
    }

    /// No arrow has left that nobody looked at.
    ///
    /// # Panics
    /// When one has.
    #[track_caller]
    pub fn is_complete(&mut self) {
        self.pass(AT_ONCE);
        let left: Vec<String> =
            self.arrows.iter().map(|seen| format!("{} to {}", words(seen), seen.peer)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// After every timer of SIP nothing is kept, and nothing was sent meanwhile.
    ///
    /// # Panics
    /// When something is.
    #[track_caller]
    pub fn is_at_rest(&mut self) {
        self.is_complete();
        self.pass(Duration::from_secs(70));
        self.is_complete();
        assert_eq!(self.node.ledger(), Ledger::default());
    }

    /// One packet of µ-law audio filled with `octet` to a port of the node's; where to it was relayed.
    pub fn speaks(&mut self, from: SocketAddr, port: u16, octet: u8) -> Option<SocketAddr> {
        self.relayed.clear();
        let mut bytes = vec![0x80, 0, 0, octet, 0, 0, 0, octet, 9, 9, 9, octet];
        bytes.extend([octet; 160]);
        self.node.handle_media(self.now, port, from, &bytes);
        self.collect();
        self.relayed.iter().find(|(_, first)| *first == octet).map(|(destination, _)| *destination)
    }

    /// Whether something is played to `peer`, who has its audio where every peer has it.
    pub fn hears_a_prompt(&mut self, peer: SocketAddr) -> bool {
        self.played.clear();
        self.pass(AT_ONCE);
        self.played.contains(&audio_of(peer))
    }

    fn collect(&mut self) {
        for departure in self.node.take_departures() {
            match departure.making {
                Making::Sip => {
                    let seen = Seen::read(self.now, Way::Out, departure.destination, &departure.bytes);
                    self.arrows.extend(seen);
                }
                Making::Relayed => {
                    let first = departure.bytes.get(12).copied().unwrap_or_default();
                    self.relayed.push((departure.destination, first));
                }
                Making::Played => {
                    self.played.insert(departure.destination);
                }
            }
        }
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self::new()
    }
}

/// The port for audio in a message's session description.
#[must_use]
pub fn audio_port(seen: &Seen) -> u16 {
    let media = seen.text.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next());
    media.and_then(|port| port.parse().ok()).unwrap_or_default()
}

/// Where a peer of a ladder has its audio.
#[must_use]
pub const fn audio_of(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip(), 4_000)
}

fn words(seen: &Seen) -> String {
    match &seen.kind {
        Kind::Request { method, .. } => method.clone(),
        Kind::Response { status } => format!("{status} {}", seen.method),
    }
}
