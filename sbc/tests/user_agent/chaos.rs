//! Whatever peers send, lose, repeat and reorder, and whatever the owner asks for in between: nothing panics, every
//! session is told of in order, and all of it is gone in bounded time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tandem_sbc::user_agent::{Event, FlowId, ReferId, ReferTarget, SessionId, Transport};

use crate::support::{CARRIER, PHONE, Request, SDP, Sent, World, contact, media, register};

/// One thing that happens. The numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    /// The carrier calls; a number used before makes a copy on another path.
    Invite(u8),
    /// The carrier sends a request in or out of a dialog that it may know.
    Request {
        method: &'static str,
        message: usize,
        cseq: u8,
    },
    /// A peer answers one of our requests, perhaps long ago, perhaps once more.
    Answer {
        message: usize,
        status: &'static str,
        tag: u8,
    },
    /// A peer sends what we sent back to us.
    Echo(usize),
    /// A peer's message arrives with a byte changed.
    Damage {
        message: usize,
        at: usize,
        byte: u8,
    },
    Call,
    CallUser,
    Ring(usize),
    Progress(usize),
    Reoffer(usize),
    Accept(usize),
    Reject(usize),
    HangUp(usize),
    /// The owner asks the peer to call somebody by itself.
    Deflect(usize),
    /// The owner says something on a transfer that it was asked for: nothing below 100 is a status.
    Refer {
        number: usize,
        status: u16,
    },
    Pass(u16),
    Break(Broken),
}

/// The connection of a phone in a browser.
const PAGE: Option<FlowId> = Some(FlowId(7));

/// What fails.
#[derive(Clone, Copy, Debug)]
enum Broken {
    /// The way to the carrier.
    Carrier(Transport),
    /// The connection of a page, and with it the phone.
    Page,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let method = prop::sample::select(vec![
        "ACK",
        "BYE",
        "CANCEL",
        "INVITE",
        "OPTIONS",
        "INFO",
        "UPDATE",
        "PRACK",
        "REFER",
        "SUBSCRIBE",
    ]);
    let status = prop::sample::select(vec![
        "100 Trying",
        "180 Ringing",
        "183 Session Progress",
        "200 OK",
        "200 OK",
        "302 Moved",
        "481 No",
        "486 Busy Here",
        "487 Request Terminated",
        "500 No",
        "603 Decline",
    ]);
    let number = any::<usize>();
    let broken = prop::sample::select(vec![
        Broken::Carrier(Transport::Udp),
        Broken::Carrier(Transport::Tcp),
        Broken::Page,
    ]);
    let step = prop_oneof![
        3 => (0..6_u8).prop_map(Step::Invite),
        6 => (method, number, 0..6_u8).prop_map(|(method, message, cseq)| Step::Request { method, message, cseq }),
        8 => (number, status, 0..3_u8).prop_map(|(message, status, tag)| Step::Answer { message, status, tag }),
        1 => number.prop_map(Step::Echo),
        2 => (number, number, any::<u8>()).prop_map(|(message, at, byte)| Step::Damage { message, at, byte }),
        2 => Just(Step::Call),
        1 => Just(Step::CallUser),
        1 => number.prop_map(Step::Ring),
        1 => number.prop_map(Step::Progress),
        2 => number.prop_map(Step::Reoffer),
        3 => number.prop_map(Step::Accept),
        1 => number.prop_map(Step::Reject),
        2 => number.prop_map(Step::HangUp),
        2 => number.prop_map(Step::Deflect),
        3 => (number, prop::sample::select(vec![0, 100, 180, 200, 603]))
            .prop_map(|(number, status)| Step::Refer { number, status }),
        3 => (0..40_000_u16).prop_map(Step::Pass),
        1 => broken.prop_map(Step::Break),
    ];
    prop::collection::vec(step, 1..60)
}

struct Chaos {
    world: World,
    /// All we sent, still to be answered or not.
    ours: Vec<Sent>,
    /// All the peers sent, to come again.
    theirs: Vec<String>,
    sessions: BTreeMap<SessionId, Life>,
    /// The transfers that were asked for.
    refers: Vec<(SessionId, ReferId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    Ended,
    Released,
}

impl Chaos {
    fn new() -> Self {
        let mut world = World::new();
        world.register_phone(1, PHONE);
        world.register_phone(3, "127.0.0.20:5090");
        let page = register(5, "Contact: <sip:1001@page.invalid;transport=ws>\r\n").with(|page| {
            page.via = "SIP/2.0/WSS page.invalid;rport".to_owned();
        });
        world.register_on(Transport::Wss, PAGE, PHONE, &page);
        let mut chaos = Self {
            world,
            ours: Vec::new(),
            theirs: Vec::new(),
            sessions: BTreeMap::new(),
            refers: Vec::new(),
        };
        chaos.observe();
        chaos
    }

    /// Checks the order of what the owner hears.
    fn observe(&mut self) {
        self.ours.extend(self.world.messages());
        for event in self.world.events() {
            let (session, from, to) = match event {
                Event::Incoming { session, .. } | Event::Replacing { session, .. } => {
                    (session, None, Life::Alive)
                }
                Event::Ringing { session }
                | Event::Answered { session }
                | Event::Confirmed { session }
                | Event::Digit { session, .. }
                | Event::Referred { session, .. }
                | Event::EarlyMedia { session, .. }
                | Event::Reoffered { session, .. }
                | Event::ReasonStated { session, .. }
                | Event::Named { session, .. }
                | Event::Media { session, .. } => (session, Some(Life::Alive), Life::Alive),
                Event::TransferAsked { session, refer, .. } => {
                    self.refers.push((session, refer));
                    (session, Some(Life::Alive), Life::Alive)
                }
                Event::Ended { session, .. } => (session, Some(Life::Alive), Life::Ended),
                Event::Released { session } => (session, Some(Life::Ended), Life::Released),
                Event::Registration { .. } => continue,
            };
            assert_eq!(self.sessions.get(&session).copied(), from, "{event:?}");
            self.sessions.insert(session, to);
        }
    }

    fn receive(&mut self, text: String) {
        self.world.receive(CARRIER, &text);
        self.world.receive(PHONE, &text);
        self.theirs.push(text);
    }

    fn pick(&self, number: usize) -> Option<&Sent> {
        self.ours.get(number.checked_rem(self.ours.len())?)
    }

    fn session(&self, number: usize) -> Option<SessionId> {
        self.sessions.keys().nth(number.checked_rem(self.sessions.len())?).copied()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Invite(number) => {
                let copies = self.theirs.len();
                let invite = Request::invite().with(|invite| {
                    invite.call_id = format!("call-{number}");
                    invite.branch = format!("z9hG4bK-{number}-{}", copies % 2);
                    if number == 5 {
                        invite.body.clear();
                    }
                    if number > 2 {
                        invite.headers.push_str("Supported: 100rel\r\n");
                    }
                });
                self.receive(invite.text());
            }
            Step::Request { method, message, cseq } => {
                if let Some(text) = self.request(method, message, cseq) {
                    self.receive(text);
                }
            }
            Step::Answer { message, status, tag } => {
                if let Some(sent) = self.pick(message) {
                    let reliable = if message % 2 == 0 { "Require: 100rel\r\nRSeq: 1\r\n" } else { "" };
                    let headers = format!("{}{reliable}", contact(CARRIER));
                    let text = sent.answer(status, &format!("tag{tag}"), &headers, SDP);
                    self.receive(text);
                }
            }
            Step::Echo(message) => {
                if let Some(text) = self.pick(message).map(|sent| sent.text.clone()) {
                    self.receive(text);
                }
            }
            Step::Damage { message, at, byte } => self.damage(message, at, byte),
            Step::Call | Step::CallUser => self.call(matches!(step, Step::CallUser)),
            Step::Ring(number) => self.own(number, |agent, now, session| agent.ring(now, session)),
            Step::Progress(number) => {
                self.own(number, |agent, now, session| agent.progress(now, session, media()))
            }
            Step::Reoffer(number) => {
                let hold = tandem_sbc::user_agent::Reoffer {
                    direction: Some(tandem_sbc::user_agent::MediaDirection::SendOnly),
                    media: None,
                };
                self.own(number, |agent, now, session| agent.reoffer(now, session, hold))
            }
            Step::Accept(number) => {
                self.own(number, |agent, now, session| agent.accept(now, session, media()))
            }
            Step::Reject(number) => self.own(number, |agent, now, session| agent.reject(now, session, 486)),
            Step::HangUp(number) => {
                self.own(number, |agent, now, session| agent.hang_up(now, session, "bye"))
            }
            Step::Refer { number, status } => self.refer(number, status),
            Step::Deflect(number) => self.own(number, |agent, now, session| {
                let number = ReferTarget::Number("+15550199".to_owned());
                agent.refer(now, session, &number, std::time::Duration::from_secs(30))
            }),
            Step::Pass(ms) => self.world.pass_ms(ms.into()),
            Step::Break(Broken::Carrier(transport)) => self.world.fail(transport, CARRIER, None),
            Step::Break(Broken::Page) => self.world.fail(Transport::Wss, PHONE, PAGE),
        }
        self.observe();
    }

    fn refer(&mut self, number: usize, status: u16) {
        let at = number.checked_rem(self.refers.len());
        let Some((session, refer)) = at.and_then(|at| self.refers.get(at).copied()) else { return };
        let _ = self.world.own(|agent, now| match (status, number % 2) {
            (0, _) => agent.accept_refer(now, session, refer),
            (603, 0) => agent.refuse_refer(now, session, refer, status),
            _ => agent.report_refer(now, session, refer, status),
        });
    }

    /// A request in the dialog of something we sent, whichever side began it; CANCEL takes the INVITE's place.
    fn request(&self, method: &'static str, message: usize, cseq: u8) -> Option<String> {
        let sent = self.pick(message)?;
        let mut request = match sent.text.starts_with("SIP/2.0") {
            true => Request::within(method, cseq.into(), sent),
            false => Request::from_callee(method, cseq.into(), sent, "tag1"),
        };
        if matches!(method, "CANCEL" | "ACK") && cseq < 3 {
            request.branch = sent.branch();
        }
        if method == "REFER" {
            request.headers = "Refer-To: <sip:1002@127.0.0.1>\r\n".into();
        }
        if method == "SUBSCRIBE" {
            request.headers = format!("Event: refer\r\nExpires: {}\r\n", message % 100);
        }
        if method == "PRACK" {
            request.headers = format!("RAck: {} 1 INVITE\r\n", sent.header("RSeq"));
        }
        if matches!(method, "INVITE" | "UPDATE") {
            request.headers = contact(CARRIER);
            if cseq != 4 {
                SDP.clone_into(&mut request.body);
            }
        }
        Some(request.text())
    }

    fn damage(&mut self, message: usize, at: usize, byte: u8) {
        let Some(index) = message.checked_rem(self.theirs.len()) else { return };
        let mut bytes = self.theirs.get(index).cloned().unwrap_or_default().into_bytes();
        if let Some(place) = at.checked_rem(bytes.len()).and_then(|at| bytes.get_mut(at)) {
            *place = byte;
        }
        self.world.receive(CARRIER, &String::from_utf8_lossy(&bytes));
    }

    fn call(&mut self, user: bool) {
        use tandem_sbc::user_agent::{Identity, Invite, InviteTarget};
        let target = match user {
            true => InviteTarget::User("1001".into()),
            false => InviteTarget::Trunk { trunk: "carrier-a".into(), number: "100".into() },
        };
        let invite = Invite { target, from: Identity::default(), media: media() };
        if let Ok(session) = self.world.own(|agent, now| agent.invite(now, invite)) {
            assert_eq!(self.sessions.insert(session, Life::Alive), None);
        }
    }

    fn own<T>(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut tandem_sbc::user_agent::UserAgent, tandem_time::Instant, SessionId) -> T,
    ) {
        if let Some(session) = self.session(number) {
            self.world.own(|agent, now| act(agent, now, session));
        }
    }

    fn end(mut self) {
        for (session, life) in self.sessions.clone() {
            if life == Life::Alive {
                self.world.own(|agent, now| agent.hang_up(now, session, "end")).expect("a session not ended");
            }
        }
        for (session, refer) in std::mem::take(&mut self.refers) {
            let _ = self.world.own(|agent, now| agent.report_refer(now, session, refer, 200));
        }
        self.world.rest();
        self.observe();
        assert!(self.sessions.values().all(|life| *life == Life::Released), "{:?}", self.sessions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn everything_settles(steps in steps()) {
        let mut chaos = Chaos::new();
        for step in steps {
            chaos.step(step);
        }
        chaos.end();
    }
}
