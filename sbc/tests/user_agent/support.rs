//! A user agent in virtual time, and peers that speak raw SIP text.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tandem_sbc::user_agent::{
    AudioCodec, Counters, Event, FlowId, Identity, Invite, InviteTarget, IpPrefix, Limits, ListenAddress,
    LocalMedia, Packet, PhoneConfig, SessionId, Target, Transport, TransportFailure, TrunkConfig, Usage,
    UserAgent, UserAgentConfig, UserCredentials,
};
use tandem_time::Instant;

pub(crate) const US: &str = "127.0.0.1:5060";
pub(crate) const CARRIER: &str = "127.0.0.10:5070";
pub(crate) const PHONE: &str = "127.0.0.20:5080";

/// An offer or answer of a peer with PCMU and telephone events.
pub(crate) const SDP: &str = "v=0\r\no=peer 1 1 IN IP4 127.0.0.10\r\ns=-\r\nc=IN IP4 127.0.0.10\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// A message that the user agent sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at_ms: u64,
    pub(crate) to: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) flow: Option<FlowId>,
    pub(crate) text: String,
}

impl Sent {
    /// `INVITE`, or `200 INVITE` for a response.
    pub(crate) fn what(&self) -> String {
        let first = self.text.split_whitespace().next().unwrap_or_default();
        if first != "SIP/2.0" {
            return first.to_owned();
        }
        let status = self.text.split_whitespace().nth(1).unwrap_or_default();
        let method = self.header("CSeq").split_whitespace().nth(1).map(str::to_owned).unwrap_or_default();
        format!("{status} {method}")
    }

    /// The values of a header, each line one.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The only value of a header; empty when it has none.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers(name);
        assert!(values.len() <= 1, "several {name} in {}", self.text);
        values.first().map(|value| (*value).to_owned()).unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub(crate) fn request_uri(&self) -> &str {
        self.text.split_whitespace().nth(1).unwrap_or_default()
    }

    pub(crate) fn tag(&self, header: &str) -> String {
        let value = self.header(header);
        value.split("tag=").nth(1).unwrap_or_default().split(';').next().unwrap_or_default().to_owned()
    }

    pub(crate) fn branch(&self) -> String {
        let via = self.headers("Via").first().copied().unwrap_or_default().to_owned();
        via.split("branch=").nth(1).unwrap_or_default().split(';').next().unwrap_or_default().to_owned()
    }

    /// A peer's response to this request. `headers` are whole lines with their ends.
    pub(crate) fn answer(&self, status: &str, to_tag: &str, headers: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            for value in self.headers(name) {
                let add_tag = name == "To" && !to_tag.is_empty() && !value.contains(";tag=");
                let tag = if add_tag { format!(";tag={to_tag}") } else { String::new() };
                text.push_str(&format!("{name}: {value}{tag}\r\n"));
            }
        }
        text.push_str(headers);
        text + &with_body(body)
    }
}

fn with_body(body: &str) -> String {
    if body.is_empty() {
        return "Content-Length: 0\r\n\r\n".to_owned();
    }
    format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The end lines of a Contact.
pub(crate) fn contact(at: &str) -> String {
    format!("Contact: <sip:{at}>\r\n")
}

/// A peer's request. All but the first line's parts have working defaults.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) uri: String,
    pub(crate) via: String,
    pub(crate) branch: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    /// Whole lines with their ends.
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn new(method: &'static str, uri: &str) -> Self {
        Self {
            method,
            uri: uri.to_owned(),
            via: format!("SIP/2.0/UDP {CARRIER}"),
            branch: format!("z9hG4bK-{}", method.to_lowercase()),
            from: "\"Caller\" <sip:+15551234@127.0.0.10>;tag=them".to_owned(),
            to: format!("<{uri}>"),
            call_id: "call-1".to_owned(),
            cseq: 1,
            headers: String::new(),
            body: String::new(),
        }
    }

    /// An INVITE of the carrier with an offer.
    pub(crate) fn invite() -> Self {
        let mut invite = Self::new("INVITE", "sip:+15550100@127.0.0.1");
        invite.headers = contact(CARRIER);
        SDP.clone_into(&mut invite.body);
        invite
    }

    /// A request in the dialog that `response` made, by the caller.
    pub(crate) fn within(method: &'static str, cseq: u32, response: &Sent) -> Self {
        let mut request = Self::new(method, "sip:127.0.0.1:5060");
        request.branch = format!("z9hG4bK-{}-{cseq}", method.to_lowercase());
        request.from = response.header("From");
        request.to = response.header("To");
        request.call_id = response.header("Call-ID");
        request.cseq = cseq;
        request
    }

    /// A request in the dialog that the peer made by answering `invite` with `to_tag`.
    pub(crate) fn from_callee(method: &'static str, cseq: u32, invite: &Sent, to_tag: &str) -> Self {
        let mut request = Self::new(method, "sip:127.0.0.1:5060");
        request.branch = format!("z9hG4bK-{}-{cseq}", method.to_lowercase());
        request.from = format!("{};tag={to_tag}", invite.header("To"));
        request.to = invite.header("From");
        request.call_id = invite.header("Call-ID");
        request.cseq = cseq;
        request
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn text(&self) -> String {
        let Self { method, uri, via, branch, from, to, call_id, cseq, headers, body } = self;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: {via};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {from}\r\n\
             To: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{headers}{}",
            with_body(body)
        )
    }
}

/// The user agent under test, and all it did.
pub(crate) struct World {
    pub(crate) agent: UserAgent,
    pub(crate) now: Instant,
    sent: VecDeque<Sent>,
    /// What is no text, and to whom.
    pub(crate) stun: VecDeque<(SocketAddr, Vec<u8>)>,
    events: VecDeque<Event>,
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn prefix(address: &str) -> IpPrefix {
    IpPrefix { address: address.parse().expect("an address"), bits: 32 }
}

/// The demonstration's trunk and phones.
pub(crate) fn config() -> UserAgentConfig {
    let listen = |transport| ListenAddress { transport, address: address(US) };
    let user = |name: &str| UserCredentials { name: name.to_owned(), password: format!("secret-{name}") };
    let trunk = |name: &str, ip: &str, transport| TrunkConfig {
        peer: Target::Address { address: SocketAddr::new(ip.parse().expect("an address"), 5070), transport },
        max_calls: 10,
        max_calls_per_second: 10,
        ..TrunkConfig::new(name, vec![prefix(ip)], address(US))
    };
    UserAgentConfig {
        trunks: vec![
            trunk("carrier-a", "127.0.0.10", Transport::Udp),
            trunk("carrier-b", "127.0.0.11", Transport::Tcp),
        ],
        phones: PhoneConfig {
            sources: vec![prefix("127.0.0.20"), prefix("127.0.0.21")],
            users: vec![user("1001"), user("1002")],
            min_expires: Duration::from_secs(60),
            ..PhoneConfig::default()
        },
        limits: Limits {
            max_sessions: 20,
            max_transactions: 100,
            max_contacts_per_user: 3,
            max_ringing: Duration::from_secs(120),
            ..Limits::default()
        },
        ..UserAgentConfig::new(vec![listen(Transport::Udp), listen(Transport::Tcp)])
    }
}

pub(crate) fn media() -> LocalMedia {
    LocalMedia {
        rtp: address("127.0.0.1:20000"),
        codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
        preferred: None,
        ptime: Duration::from_millis(20),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: UserAgentConfig) -> Self {
        let agent = UserAgent::new(Arc::new(config), ChaCha8Rng::seed_from_u64(1));
        Self {
            agent,
            now: Instant::from_millis(1_000),
            sent: VecDeque::new(),
            stun: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A datagram from a peer.
    pub(crate) fn receive(&mut self, from: &str, text: &str) {
        self.receive_on(Transport::Udp, None, from, text);
    }

    pub(crate) fn receive_on(&mut self, transport: Transport, flow: Option<FlowId>, from: &str, text: &str) {
        self.receive_bytes(transport, flow, from, text.as_bytes());
    }

    pub(crate) fn receive_bytes(
        &mut self,
        transport: Transport,
        flow: Option<FlowId>,
        from: &str,
        bytes: &[u8],
    ) {
        let packet = Packet { transport, local: address(US), source: address(from), flow, bytes };
        self.agent.handle_packet(self.now, packet);
        self.collect();
    }

    pub(crate) fn fail(&mut self, transport: Transport, destination: &str, flow: Option<FlowId>) {
        let failure = TransportFailure { transport, destination: address(destination), flow };
        self.agent.handle_transport_failure(self.now, failure);
        self.collect();
    }

    /// Does what the owner wants, and collects what comes of it.
    pub(crate) fn own<T>(&mut self, act: impl FnOnce(&mut UserAgent, Instant) -> T) -> T {
        let result = act(&mut self.agent, self.now);
        self.collect();
        result
    }

    pub(crate) fn call(&mut self, target: InviteTarget) -> SessionId {
        let from = Identity {
            user: "+15551234".to_owned(),
            display_name: Some("Caller".to_owned()),
            ..Identity::default()
        };
        self.own(|agent, now| agent.invite(now, Invite { target, from, media: media() })).expect("a session")
    }

    pub(crate) fn call_carrier(&mut self) -> SessionId {
        self.call(InviteTarget::Trunk { trunk: "carrier-a".to_owned(), number: "+15557777".to_owned() })
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.agent.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.agent.handle_timeout(self.now);
            self.collect();
        }
        self.now = end;
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    /// Lets time pass until nothing is due any more; nothing of a call may take longer.
    pub(crate) fn rest(&mut self) {
        self.pass(Duration::from_secs(300));
        assert_eq!(self.agent.usage(), Usage::default(), "something is left");
    }

    fn collect(&mut self) {
        let at_ms = (self.now - Instant::from_millis(1_000)).as_millis().try_into().expect("a short test");
        while let Some(transmit) = self.agent.poll_transmit() {
            match String::from_utf8(transmit.bytes) {
                Ok(text) => self.sent.push_back(Sent {
                    at_ms,
                    to: transmit.destination,
                    transport: transmit.transport,
                    flow: transmit.flow,
                    text,
                }),
                Err(error) => self.stun.push_back((transmit.destination, error.into_bytes())),
            }
        }
        while let Some(event) = self.agent.poll_event() {
            self.events.push_back(event);
        }
    }

    /// The next message, which must be this.
    pub(crate) fn expect(&mut self, what: &str) -> Sent {
        let sent = self.sent.pop_front().unwrap_or_else(|| panic!("nothing sent instead of {what}"));
        assert_eq!(sent.what(), what, "{}", sent.text);
        sent
    }

    /// Nothing of that kind was sent.
    pub(crate) fn expect_silence_of(&mut self, what: &str) {
        assert!(self.sent.iter().all(|sent| sent.what() != what), "sent {what}");
    }

    pub(crate) fn expect_silence(&mut self) {
        let sent: Vec<String> = self.sent.iter().map(Sent::what).collect();
        assert!(sent.is_empty(), "sent {sent:?}");
    }

    /// All messages so far, with the times they were sent.
    pub(crate) fn sent(&mut self) -> Vec<(u64, String)> {
        self.sent.drain(..).map(|sent| (sent.at_ms, sent.what())).collect()
    }

    /// All messages so far.
    pub(crate) fn messages(&mut self) -> Vec<Sent> {
        self.sent.drain(..).collect()
    }

    /// All events so far.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// The names of all events so far.
    pub(crate) fn event_names(&mut self) -> Vec<&'static str> {
        self.events().iter().map(name).collect()
    }

    /// The session of the call that just came.
    pub(crate) fn incoming(&mut self) -> SessionId {
        match self.events().as_slice() {
            [Event::Incoming { session, .. }] => *session,
            other => panic!("no incoming call but {other:?}"),
        }
    }

    /// A call of the carrier, answered and acknowledged, with the 200 that made its dialog.
    pub(crate) fn established(&mut self) -> (SessionId, Sent) {
        self.receive(CARRIER, &Request::invite().text());
        let session = self.incoming();
        self.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
        self.expect("100 INVITE");
        let ok = self.expect("200 INVITE");
        self.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
        assert_eq!(self.event_names(), ["Media", "Confirmed"]);
        (session, ok)
    }

    /// A call to the carrier, answered with the tag `callee`, with its INVITE.
    pub(crate) fn answered(&mut self) -> (SessionId, Sent) {
        let session = self.call_carrier();
        let invite = self.expect("INVITE");
        self.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), SDP));
        self.expect("ACK");
        assert_eq!(self.event_names(), ["Media", "Answered"]);
        (session, invite)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.agent.counters()
    }
}

pub(crate) fn name(event: &Event) -> &'static str {
    match event {
        Event::Incoming { .. } => "Incoming",
        Event::Replacing { .. } => "Replacing",
        Event::Ringing { .. } => "Ringing",
        Event::Answered { .. } => "Answered",
        Event::Confirmed { .. } => "Confirmed",
        Event::EarlyMedia { .. } => "EarlyMedia",
        Event::Media { .. } => "Media",
        Event::TransferAsked { .. } => "TransferAsked",
        Event::Referred { .. } => "Referred",
        Event::Digit { .. } => "Digit",
        Event::Reoffered { .. } => "Reoffered",
        Event::ReasonStated { .. } => "ReasonStated",
        Event::Named { .. } => "Named",
        Event::Ended { .. } => "Ended",
        Event::Released { .. } => "Released",
        Event::Registration { .. } => "Registration",
    }
}

/// Answers a challenge as RFC 7616 has it, with the algorithm named.
pub(crate) fn credentials(
    challenge: &Sent,
    method: &str,
    user: &str,
    password: &str,
    algorithm: &str,
    nc: u32,
) -> String {
    use md5::Digest;
    let hash = |parts: &[&str]| {
        let text = parts.join(":");
        let bytes = match algorithm {
            "MD5" => md5::Md5::digest(&text).to_vec(),
            _ => sha2::Sha256::digest(&text).to_vec(),
        };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let offered = challenge
        .headers("WWW-Authenticate")
        .into_iter()
        .find(|value| value.contains(&format!("algorithm={algorithm},")))
        .expect("the algorithm is offered");
    let nonce = offered.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    let a1 = hash(&[user, "tandem", password]);
    let a2 = hash(&[method, "sip:127.0.0.1"]);
    let response = hash(&[&a1, nonce, &format!("{nc:08x}"), "cnonce", "auth", &a2]);
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"tandem\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", \
         algorithm={algorithm}, qop=auth, nc={nc:08x}, cnonce=\"cnonce\", response=\"{response}\"\r\n"
    )
}

/// A REGISTER of user 1001 for a Contact, from a phone.
pub(crate) fn register(cseq: u32, headers: &str) -> Request {
    let mut register = Request::new("REGISTER", "sip:127.0.0.1");
    register.via = format!("SIP/2.0/UDP {PHONE};rport");
    register.branch = format!("z9hG4bK-register-{cseq}");
    register.from = "<sip:1001@127.0.0.1>;tag=phone".into();
    register.to = "<sip:1001@127.0.0.1>".into();
    register.call_id = "register-1".into();
    register.cseq = cseq;
    headers.clone_into(&mut register.headers);
    register
}

impl World {
    /// Sends a REGISTER, answers its challenge, and gives the final response.
    pub(crate) fn register_with(&mut self, register: &Request) -> Sent {
        self.register_on(Transport::Udp, None, PHONE, register)
    }

    pub(crate) fn register_on(
        &mut self,
        transport: Transport,
        flow: Option<FlowId>,
        from: &str,
        register: &Request,
    ) -> Sent {
        self.receive_on(transport, flow, from, &register.text());
        let challenge = self.expect("401 REGISTER");
        let again = register.clone().with(|again| {
            again.cseq += 1;
            again.branch.push_str("-again");
            again.headers.push_str(&credentials(&challenge, "REGISTER", "1001", "secret-1001", "SHA-256", 1));
        });
        self.receive_on(transport, flow, from, &again.text());
        self.sent.pop_front().expect("a response")
    }

    /// Registers a phone of user 1001 at `at`, from there.
    pub(crate) fn register_phone(&mut self, cseq: u32, at: &str) {
        let text = register(cseq, &contact(&format!("1001@{at}")));
        let response = self.register_on(Transport::Udp, None, at, &text);
        assert_eq!(response.what(), "200 REGISTER");
    }

    pub(crate) fn call_user(&mut self) -> SessionId {
        self.call(InviteTarget::User("1001".to_owned()))
    }
}
