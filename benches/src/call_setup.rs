//! The signalling core alone (switch, user agent, a plane that answers) with a carrier that calls it: no socket, no
//! RTP, only messages. For what one call costs and keeps.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tandem_control_api::{
    CallId, Command, CommandId, ControlPlane, DialTarget, Event, HangupCause, LegId, MediaPath, Outcome,
    Request,
};
use tandem_media::{IoRequest, Worker};
use tandem_sbc::user_agent::{
    IpPrefix, Limits, ListenAddress, Packet, Transport, TrunkConfig, UserAgent, UserAgentConfig,
};
use tandem_switch::{Output, PromptLibrary, Switch, SwitchConfig, WorkerIndex};
use tandem_time::Instant;

use crate::counting::allocations;

const NODE: &str = "127.0.0.1:5060";
const TRUNK: &str = "carrier-a";
const CARRIER: &str = "127.0.0.10:5070";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.10\r\ns=-\r\nc=IN IP4 127.0.0.10\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It is answered.
    Answer,
    /// It is answered, the carrier is called, and both are bridged.
    Bridge,
}

/// The core, its one media worker, and the carrier.
#[derive(Debug)]
pub struct Core {
    switch: Switch<Plane>,
    worker: Worker,
    now: Instant,
    calls: u64,
    node: SocketAddr,
    carrier: SocketAddr,
    /// How often the switch asked for memory, where [`crate::counting::Counting`] is the allocator.
    allocations: usize,
    /// What the carrier was sent.
    inbox: VecDeque<Vec<u8>>,
}

/// A call that is up, as the carrier sees it: what it needs to end it.
#[derive(Clone, Debug)]
pub struct CallUp {
    number: u64,
    to: String,
    contact: String,
}

impl Core {
    /// A core without calls that treats each alike.
    ///
    /// # Panics
    /// Never: its addresses are constants.
    #[must_use]
    pub fn new(treatment: Treatment, max_calls: u32) -> Self {
        let (node, carrier) = (address(NODE), address(CARRIER));
        let user_agent = UserAgent::new(Arc::new(user_agent(node, carrier)), ChaCha8Rng::seed_from_u64(1));
        let config = SwitchConfig { max_calls, ..SwitchConfig::new(node.ip(), 10_000..=59_999) };
        let plane = Plane { treatment, requests: VecDeque::new(), commands: 0, bridged: BTreeMap::new() };
        Self {
            worker: Worker::new(ChaCha8Rng::seed_from_u64(2), config.max_endpoints()),
            switch: Switch::new(config, user_agent, plane, PromptLibrary::new()),
            now: Instant::START,
            calls: 0,
            allocations: 0,
            node,
            carrier,
            inbox: VecDeque::new(),
        }
    }

    /// Calls, and goes on until the call is up.
    ///
    /// # Panics
    /// When it is not answered.
    pub fn call(&mut self) -> CallUp {
        self.calls += 1;
        let number = self.calls;
        let to = "<sip:+15550100@127.0.0.1>";
        let body = format!(
            "Contact: <sip:carrier@{CARRIER}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        );
        self.send(&request("INVITE", "sip:+15550100@127.0.0.1:5060", number, 1, to, &body));
        let mut up = None;
        while let Some(message) = self.inbox.pop_front() {
            let text = String::from_utf8(message).unwrap_or_default();
            if text.starts_with("SIP/2.0 200") && header(&text, "CSeq").ends_with("INVITE") {
                let call = CallUp {
                    number,
                    to: header(&text, "To").to_owned(),
                    contact: header(&text, "Contact").trim_matches(['<', '>']).to_owned(),
                };
                self.send(&request("ACK", &call.contact, number, 1, &call.to, NO_BODY));
                up = Some(call);
            } else if text.starts_with("INVITE") {
                self.send(&response(&text, SDP));
            }
        }
        up.expect("the call was answered")
    }

    /// Hangs up, and goes on until the call has ended.
    pub fn hang_up(&mut self, call: &CallUp) {
        self.send(&request("BYE", &call.contact, call.number, 2, &call.to, NO_BODY));
        while let Some(message) = self.inbox.pop_front() {
            let text = String::from_utf8(message).unwrap_or_default();
            if text.starts_with("BYE") {
                self.send(&response(&text, ""));
            }
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.switch.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.switch.handle_timeout(at);
            self.drain();
            self.inbox.clear();
        }
        self.now = end;
    }

    /// How often the switch, its user agent and its plane have asked for memory on packets and media events, where
    /// [`crate::counting::Counting`] is the allocator.
    #[must_use]
    pub const fn allocations(&self) -> usize {
        self.allocations
    }

    /// What is in use.
    #[must_use]
    pub fn ledger(&self) -> tandem_switch::Ledger {
        self.switch.ledger()
    }

    fn send(&mut self, message: &str) {
        let packet = Packet {
            transport: Transport::Udp,
            local: self.node,
            source: self.carrier,
            flow: None,
            bytes: message.as_bytes(),
        };
        let (count, ()) = allocations(|| self.switch.handle_packet(self.now, packet));
        self.allocations += count;
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Sip(transmit) => self.inbox.push_back(transmit.bytes),
                Output::Media { command, .. } => self.worker.handle_command(self.now, command),
                Output::Record(_) | Output::Recording(_) | Output::Flow(_) => {}
            }
            self.worker.handle_timeout(self.now);
            while self.worker.poll_transmit().is_some() {}
            while let Some(request) = self.worker.poll_io() {
                if let IoRequest::Bind { endpoint, .. } = request {
                    self.worker.handle_bound(self.now, endpoint, true);
                }
            }
            while let Some(event) = self.worker.poll_event() {
                let heard = || self.switch.handle_media_event(self.now, WorkerIndex(0), event);
                self.allocations += allocations(heard).0;
            }
        }
    }
}

const NO_BODY: &str = "Content-Length: 0\r\n\r\n";

fn request(method: &str, uri: &str, call: u64, cseq: u32, to: &str, rest: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {CARRIER};branch=z9hG4bK-{call}-{method};rport\r\n\
         Max-Forwards: 70\r\nFrom: \"Caller\" <sip:+15550199@127.0.0.10>;tag=c{call}\r\nTo: {to}\r\n\
         Call-ID: {call}@127.0.0.10\r\nCSeq: {cseq} {method}\r\n{rest}"
    )
}

fn response(request: &str, sdp: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        text += &format!("{name}: {}\r\n", header(request, name));
    }
    let to = header(request, "To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=far" };
    let length = sdp.len();
    text += &format!("To: {to}{tag}\r\nContact: <sip:far@{CARRIER}>\r\n");
    text += &format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}");
    text
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    message.split("\r\n").find_map(value).unwrap_or_default()
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a constant address")
}

fn user_agent(node: SocketAddr, carrier: SocketAddr) -> UserAgentConfig {
    UserAgentConfig {
        trunks: vec![TrunkConfig {
            max_calls: u32::MAX,
            max_calls_per_second: 1_000_000,
            ..TrunkConfig::new(TRUNK, vec![IpPrefix { address: carrier.ip(), bits: 32 }], carrier)
        }],
        limits: Limits {
            max_sessions: 1_000_000,
            max_transactions: 1_000_000,
            max_calls_per_second: u32::MAX,
            ..Limits::default()
        },
        ..UserAgentConfig::new(vec![ListenAddress { transport: Transport::Udp, address: node }])
    }
}

/// Answers every call, and perhaps bridges it to the carrier.
#[derive(Debug)]
struct Plane {
    treatment: Treatment,
    requests: VecDeque<Request>,
    commands: u64,
    /// The caller's leg and the dialled one of the calls that are up.
    bridged: BTreeMap<CallId, (LegId, Option<LegId>)>,
}

impl Plane {
    fn ask(&mut self, command: Command) {
        self.commands += 1;
        self.requests.push_back(Request { id: CommandId(self.commands), command });
    }

    /// The caller is answered, or the party that was dialled for it.
    fn answered(&mut self, leg: LegId) {
        let of_caller = |(call, (caller, _)): (&CallId, &(LegId, _))| (*caller == leg).then_some(*call);
        if let Some(call) = self.bridged.iter().find_map(of_caller) {
            let target = DialTarget::Trunk { trunk: TRUNK.to_owned(), number: "+15550111".to_owned() };
            let ring_timeout = Duration::from_secs(20);
            self.ask(Command::Dial {
                call,
                target,
                caller_id: None,
                ring_timeout,
                media: MediaPath::Anchored,
            });
        } else if let Some((caller, _)) =
            self.bridged.values().find(|(_, dialled)| *dialled == Some(leg)).copied()
        {
            self.ask(Command::Bridge { a: caller, b: leg });
        }
    }
}

impl ControlPlane for Plane {
    fn handle_event(&mut self, _now: Instant, event: &Event) {
        match event {
            Event::CallOffered { call, leg, .. } => {
                if self.treatment == Treatment::Bridge {
                    self.bridged.insert(*call, (*leg, None));
                }
                self.ask(Command::Answer { leg: *leg });
            }
            Event::LegCreated { call, leg, .. } => {
                if let Some((_, dialled)) = self.bridged.get_mut(call) {
                    *dialled = Some(*leg);
                }
            }
            Event::Done { outcome: Ok(Outcome::Answered { leg }), .. } => self.answered(*leg),
            Event::LegEnded { call, leg, .. } => {
                if let Some((caller, Some(dialled))) = self.bridged.remove(call)
                    && caller == *leg
                {
                    self.ask(Command::Hangup { leg: dialled, cause: HangupCause::Normal });
                }
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
}
