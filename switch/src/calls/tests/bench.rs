//! A user agent and media workers that do what their boundaries promise, and check what they are asked.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{
    CallId, CallRecord, CollectRules, Command, CommandError, CommandId, DialTarget, Event, HangupCause,
    LegId, MediaPath, Outcome, Prompt, Repeat, Request, Tone, TransferTo,
};
use tandem_media as media;
use tandem_media::EndpointId;
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::{SessionError, SessionId};
use tandem_time::Instant;

use super::parcel::parcel;
pub(super) use super::words::outcome_words;
use super::words::{codec_asked, word_for};
use crate::calls::{Action, Calls};
use crate::{PromptLibrary, SwitchConfig, WorkerIndex};

pub(super) struct Bench {
    pub(super) calls: Calls,
    pub(super) now: Instant,
    /// What the control plane was told since last asked.
    pub(super) told: Vec<Event>,
    /// What user agent and workers were asked since last asked, in words.
    pub(super) asked: Vec<String>,
    pub(super) media_commands: Vec<media::Command>,
    pub(super) invites: Vec<ua::Invite>,
    pub(super) accepts: Vec<ua::LocalMedia>,
    pub(super) records: Vec<CallRecord>,
    /// What the next INVITE meets.
    pub(super) invite_error: Option<SessionError>,
    /// What the next answer meets.
    pub(super) accept_error: Option<SessionError>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) endpoints: BTreeMap<EndpointId, (WorkerIndex, Endpoint)>,
    session_events: VecDeque<ua::Event>,
    /// Whether whoever takes over a session may only while it rings.
    pub(super) early_only: bool,
    next_session: u32,
    next_command: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    Up,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Opening,
    Open,
    /// Being handed over.
    Leaving,
    /// Being taken over.
    Arriving,
    Closing,
}

pub(super) fn config() -> SwitchConfig {
    SwitchConfig {
        // Time stands still in most of these tests.
        port_rest: Duration::ZERO,
        workers: 2,
        max_calls: 10,
        max_legs_per_call: 4,
        media_timeout: Some(Duration::from_secs(30)),
        max_call_duration: Duration::from_secs(3_600),
        recording: Some(crate::RecordingConfig { max: 1_000, ..Default::default() }),
        ..SwitchConfig::new(Ipv4Addr::LOCALHOST.into(), 20_000..=20_099)
    }
}

pub(super) fn prompts() -> PromptLibrary {
    [("welcome".to_owned(), Arc::new(media::Audio::from_samples(vec![1; 800])))].into()
}

pub(super) fn rules() -> CollectRules {
    CollectRules {
        min_digits: 1,
        max_digits: 4,
        terminators: "#".to_owned(),
        first_digit_timeout: Duration::from_secs(5),
        inter_digit_timeout: Duration::from_secs(3),
        clear_typeahead: false,
        sensitive: false,
    }
}

pub(super) fn play(leg: LegId) -> Command {
    let prompts = vec![Prompt::Named("welcome".to_owned())];
    Command::Play { leg, prompts, repeat: Repeat::Times(1), barge_in: tandem_control_api::BargeIn::Digit }
}

pub(super) fn hangup(leg: LegId) -> Command {
    Command::Hangup { leg, cause: HangupCause::Normal }
}

pub(super) fn dial(call: CallId) -> Command {
    let target = DialTarget::User("alice".to_owned());
    let ring_timeout = Duration::from_secs(20);
    Command::Dial { call, target, caller_id: None, ring_timeout, media: MediaPath::Anchored }
}

pub(super) fn transfer(leg: LegId, transferee: LegId) -> Command {
    let target = DialTarget::User("bob".to_owned());
    let prompts = vec![Prompt::Tone(Tone::Ringback)];
    let to = TransferTo::Dial { target, caller_id: None, ring_timeout: Duration::from_secs(20), prompts };
    Command::Transfer { leg, transferee, to }
}

/// A party wants its other one to talk to +15550177, or to the party of another session.
pub(super) fn transfer_asked(session: SessionId, replaces: Option<SessionId>) -> ua::Event {
    let to = "+15550177".to_owned();
    let scheme = ua::Scheme::Sip;
    ua::Event::TransferAsked { session, refer: ua::ReferId(7), to, scheme, replaces, referred_by: None }
}

pub(super) fn audio(codec: ua::AudioCodec) -> ua::NegotiatedAudio {
    ua::NegotiatedAudio {
        remote_rtp: SocketAddr::new(Ipv4Addr::new(127, 0, 0, 10).into(), 40_000),
        remote_rtcp: SocketAddr::new(Ipv4Addr::new(127, 0, 0, 10).into(), 40_001),
        codec,
        others: Vec::new(),
        opus: ua::OpusFormat::default(),
        send_payload_type: 0,
        receive_payload_type: 0,
        send_event_payload_type: Some(101),
        receive_event_payload_type: Some(101),
        event_clock_hz: 8_000,
        comfort_noise: false,
        dtmf: ua::Dtmf::Rfc4733,
        direction: ua::MediaDirection::SendReceive,
        ptime: Duration::from_millis(20),
        packet_times: ua::PacketTimes::Any,
        signalling_source: Ipv4Addr::new(127, 0, 0, 9).into(),
        rtcp_mux: false,
        extended_reports: Some(false),
        security: ua::MediaSecurity::Plain,
        ice: None,
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: SwitchConfig) -> Self {
        Self {
            calls: Calls::new(config, prompts()),
            now: Instant::from_millis(1_000),
            told: Vec::new(),
            asked: Vec::new(),
            media_commands: Vec::new(),
            invites: Vec::new(),
            accepts: Vec::new(),
            records: Vec::new(),
            invite_error: None,
            accept_error: None,
            sessions: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            session_events: VecDeque::new(),
            early_only: false,
            next_session: 0,
            next_command: 0,
        }
    }

    // ---- inputs

    pub(super) fn command(&mut self, command: Command) -> CommandId {
        let id = self.command_undrained(command);
        self.drain();
        id
    }

    pub(super) fn command_undrained(&mut self, command: Command) -> CommandId {
        self.next_command += 1;
        let id = CommandId(self.next_command);
        self.calls.handle_request(self.now, Request { id, command });
        id
    }

    pub(super) fn session_event(&mut self, event: ua::Event) {
        if let ua::Event::Ended { session, .. } = &event {
            self.sessions.insert(*session, Session::Ended);
        }
        if let ua::Event::Released { session } = &event {
            self.sessions.remove(session);
        }
        self.calls.handle_session_event(self.now, event);
        self.drain();
    }

    /// A worker's event, from the worker that has the endpoint.
    pub(super) fn media_event(&mut self, endpoint: EndpointId, event: media::Event) {
        let worker = self.endpoints.get(&endpoint).map_or(WorkerIndex(0), |(worker, _)| *worker);
        match event {
            media::Event::Opened { .. } => {
                self.endpoints.insert(endpoint, (worker, Endpoint::Open));
            }
            media::Event::OpenFailed { .. } | media::Event::Closed { .. } => {
                self.endpoints.remove(&endpoint);
            }
            _ => {}
        }
        self.calls.handle_media_event(self.now, worker, event);
        self.drain();
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.calls.handle_timeout(self.now);
        self.drain();
    }

    /// Carries out what the machine asks, as the switch does, until it is quiet.
    pub(super) fn drain(&mut self) {
        loop {
            if let Some(action) = self.calls.poll_action() {
                self.perform(action);
            } else if let Some(event) = self.session_events.pop_front() {
                self.calls.handle_session_event(self.now, event);
            } else if !self.calls.settle() {
                break;
            }
        }
    }

    // ---- shorthands

    pub(super) fn incoming(&mut self) -> SessionId {
        self.incoming_from(ua::Source::Trunk("carrier-a".to_owned()), true)
    }

    pub(super) fn incoming_from(&mut self, source: ua::Source, acceptable: bool) -> SessionId {
        self.incoming_with(source, acceptable, false)
    }

    pub(super) fn incoming_emergency(&mut self) -> SessionId {
        self.incoming_with(ua::Source::Trunk("carrier-a".to_owned()), true, true)
    }

    fn incoming_with(&mut self, source: ua::Source, acceptable: bool, is_emergency: bool) -> SessionId {
        let from = ua::Identity {
            user: "+15550199".to_owned(),
            display_name: Some("Caller".to_owned()),
            ..ua::Identity::default()
        };
        self.incoming_as(from, source, acceptable, is_emergency)
    }

    pub(super) fn incoming_withheld(&mut self) -> SessionId {
        let from = ua::Identity { user: "+15550199".to_owned(), restricted: true, ..ua::Identity::default() };
        self.incoming_as(from, ua::Source::Trunk("carrier-a".to_owned()), true, false)
    }

    pub(super) fn incoming_sent_on(&mut self, redirection: Option<Box<ua::Redirection>>) -> SessionId {
        let from = ua::Identity { user: "+15550199".to_owned(), redirection, ..ua::Identity::default() };
        self.incoming_as(from, ua::Source::Trunk("carrier-a".to_owned()), true, false)
    }

    fn incoming_as(
        &mut self,
        from: ua::Identity,
        source: ua::Source,
        acceptable: bool,
        is_emergency: bool,
    ) -> SessionId {
        let session = self.session();
        self.session_event(ua::Event::Incoming {
            session,
            source,
            from,
            dialled: "+15550100".to_owned(),
            call_id: format!("call-{}", session.index),
            acceptable,
            is_emergency,
        });
        session
    }

    /// Somebody wants to take over a session.
    pub(super) fn replacing(
        &mut self,
        source: ua::Source,
        replaced: SessionId,
        acceptable: bool,
    ) -> SessionId {
        let session = self.session();
        self.session_event(ua::Event::Replacing {
            session,
            replaced,
            early_only: self.early_only,
            source,
            from: ua::Identity { user: "+15550188".to_owned(), ..ua::Identity::default() },
            call_id: format!("call-{}", session.index),
            acceptable,
        });
        session
    }

    /// A caller, offered.
    pub(super) fn offered(&mut self) -> (SessionId, CallId, LegId) {
        let session = self.incoming();
        match self.told.last() {
            Some(Event::CallOffered { call, leg, .. }) => (session, *call, *leg),
            other => panic!("not offered: {other:?}"),
        }
    }

    /// A caller, answered.
    pub(super) fn answered(&mut self) -> (SessionId, CallId, LegId) {
        let (session, call, leg) = self.offered();
        self.command(Command::Answer { leg });
        self.open_all();
        self.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
        self.session_event(ua::Event::Confirmed { session });
        (session, call, leg)
    }

    /// A leg dialled for a call; its INVITE is out.
    pub(super) fn inviting(&mut self, call: CallId) -> (SessionId, LegId) {
        self.command(dial(call));
        let leg = self.created();
        self.open_all();
        (self.last_session(), leg)
    }

    /// A leg dialled for a call and answered.
    pub(super) fn dialled(&mut self, call: CallId) -> (SessionId, LegId) {
        let (session, leg) = self.inviting(call);
        self.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
        self.session_event(ua::Event::Answered { session });
        (session, leg)
    }

    pub(super) fn created(&self) -> LegId {
        let created = |event: &Event| match event {
            Event::LegCreated { leg, .. } => Some(*leg),
            _ => None,
        };
        self.told.iter().rev().find_map(created).expect("a leg was created")
    }

    pub(super) fn last_session(&self) -> SessionId {
        *self.sessions.keys().max_by_key(|session| session.index).expect("there is a session")
    }

    /// Every endpoint being opened is opened.
    pub(super) fn open_all(&mut self) {
        for phase in [Endpoint::Opening, Endpoint::Arriving] {
            for endpoint in self.in_phase(phase) {
                self.media_event(endpoint, media::Event::Opened { endpoint });
            }
        }
    }

    /// Every endpoint being handed over is.
    pub(super) fn hand_over_all(&mut self) {
        for endpoint in self.in_phase(Endpoint::Leaving) {
            self.media_event(endpoint, media::Event::HandedOver { endpoint, parcel: parcel(endpoint) });
        }
    }

    /// Every endpoint being closed is closed.
    pub(super) fn close_all(&mut self) {
        for endpoint in self.in_phase(Endpoint::Closing) {
            let statistics = media::EndpointStatistics { packets_received: 7, ..Default::default() };
            self.media_event(endpoint, media::Event::Closed { endpoint, statistics });
        }
    }

    /// Every ended session is released.
    pub(super) fn release_all(&mut self) {
        let ended = self.sessions.iter().filter(|(_, phase)| **phase == Session::Ended);
        for session in ended.map(|(session, _)| *session).collect::<Vec<_>>() {
            self.session_event(ua::Event::Released { session });
        }
    }

    pub(super) fn in_phase(&self, phase: Endpoint) -> Vec<EndpointId> {
        self.endpoints.iter().filter(|(_, (_, other))| *other == phase).map(|(id, _)| *id).collect()
    }

    /// The only endpoint there is.
    pub(super) fn endpoint(&self) -> EndpointId {
        assert_eq!(self.endpoints.len(), 1, "one endpoint");
        *self.endpoints.keys().next().expect("one")
    }

    /// The peer hangs up, cancels or refuses.
    pub(super) fn peer_ends(&mut self, session: SessionId, status: u16) {
        let end = ua::SessionEnd { by: ua::Ender::Peer, status, reason: String::new() };
        self.session_event(ua::Event::Ended { session, end });
    }

    /// A command's outcome, if it had one; panics when it had two.
    pub(super) fn outcome(&self, id: CommandId) -> Option<&Result<Outcome, CommandError>> {
        let mut outcomes = self.told.iter().filter_map(|event| match event {
            Event::Done { command, outcome } if *command == id => Some(outcome),
            _ => None,
        });
        let first = outcomes.next();
        assert_eq!(outcomes.next(), None, "a second outcome");
        first
    }

    /// The outcome of a command in a word.
    pub(super) fn ending(&self, id: CommandId) -> String {
        self.outcome(id).map_or_else(|| "none".to_owned(), outcome_words)
    }

    pub(super) const fn commands_made(&self) -> u64 {
        self.next_command
    }

    pub(super) fn assert_at_rest(&self) {
        assert_eq!(self.calls.ledger(), crate::Ledger::default());
        assert_eq!((self.sessions.len(), self.endpoints.len()), (0, 0), "nothing at the other side either");
    }

    // ---- the other side

    fn session(&mut self) -> SessionId {
        self.next_session += 1;
        let session = SessionId { index: self.next_session, generation: 0 };
        self.sessions.insert(session, Session::Up);
        session
    }

    fn progress(&mut self, leg: LegId, session: SessionId) {
        assert_eq!(self.sessions.get(&session), Some(&Session::Up), "progresses a session that is up");
        self.asked.push("progress".to_owned());
        let is_heard = self.accept_error.take().is_none();
        self.calls.handle_progressed(leg, is_heard);
        if is_heard {
            let event = ua::Event::EarlyMedia { session, audio: audio(ua::AudioCodec::Pcmu).into() };
            self.calls.handle_session_event(self.now, event);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Tell(event) => {
                if let Event::CallEnded { record, .. } = &event {
                    self.records.push((**record).clone());
                }
                self.told.push(event);
            }
            Action::Media { worker, command } => self.take_media_command(worker, command),
            Action::Invite { leg, scheme, invite, .. } => {
                let how = if scheme == ua::Scheme::Sips { "invite over TLS" } else { "invite" };
                self.asked.push(how.to_owned());
                self.invites.push(*invite);
                let made = |bench: &mut Self| (bench.session(), "dialled-call".to_owned());
                let invited = self.invite_error.take().map_or_else(|| Ok(made(self)), Err);
                self.calls.handle_invited(self.now, leg, invited);
            }
            Action::Accept { leg, session, media } => {
                assert_eq!(self.sessions.get(&session), Some(&Session::Up), "accepts a session that is up");
                self.asked.push("accept".to_owned());
                self.accepts.push(*media);
                if let Some(error) = self.accept_error.take() {
                    self.calls.handle_accept_failure(leg, session, error);
                }
            }
            Action::Progress { leg, session, .. } => self.progress(leg, session),
            Action::InviteThrough { leg, .. } => {
                self.asked.push("invite through".to_owned());
                let invited = match self.invite_error.take() {
                    Some(error) => Err(error),
                    None => Ok((self.session(), "dialled-call".to_owned())),
                };
                self.calls.handle_invited(self.now, leg, invited);
            }
            Action::AcceptThrough { leg, session } => {
                assert_eq!(self.sessions.get(&session), Some(&Session::Up), "accepts a session that is up");
                self.asked.push("accept through".to_owned());
                if let Some(error) = self.accept_error.take() {
                    self.calls.handle_accept_failure(leg, session, error);
                }
            }
            Action::Pair { .. } => {}
            Action::Reoffer { session, reoffer } => self.asked.push(codec_asked(session, &reoffer)),
            Action::Ring { session } => {
                assert_eq!(self.sessions.get(&session), Some(&Session::Up), "rings a session that is up");
                self.asked.push("ring".to_owned());
            }
            Action::Reject { session, status } => {
                self.asked.push(format!("refuse {status}"));
                self.owner_ends(session, status);
            }
            Action::Deflect { target: ua::ReferTarget::Number(number), .. } => {
                self.asked.push(format!("refer to {number}"));
            }
            Action::Deflect { target: ua::ReferTarget::Party(session), .. } => {
                self.asked.push(format!("refer to the party of {}", session.index));
            }
            Action::SendDigit { digit, .. } => self.asked.push(format!("send {digit}")),
            Action::AcceptRefer { .. } => self.asked.push("accept transfer".to_owned()),
            Action::ReportRefer { status, .. } => self.asked.push(format!("report {status}")),
            Action::RefuseRefer { status, .. } => self.asked.push(format!("refuse transfer {status}")),
            Action::Record(_) => self.asked.push("write".to_owned()),
            Action::StateReason { reason, .. } => self.asked.push(format!("state {reason}")),
            Action::HangUp { session, cause } => {
                self.asked.push(format!("hang up: {cause}"));
                self.owner_ends(session, 487);
            }
        }
    }

    fn owner_ends(&mut self, session: SessionId, status: u16) {
        if self.sessions.get(&session) == Some(&Session::Up) {
            self.sessions.insert(session, Session::Ended);
            let end = ua::SessionEnd { by: ua::Ender::Owner, status, reason: String::new() };
            self.session_events.push_back(ua::Event::Ended { session, end });
        }
    }

    fn take_media_command(&mut self, worker: WorkerIndex, command: media::Command) {
        let endpoints = &mut self.endpoints;
        let is_open = |endpoint: &EndpointId| {
            assert_eq!(endpoints.get(endpoint), Some(&(worker, Endpoint::Open)), "{command:?}");
        };
        let words = match &command {
            media::Command::Open { endpoint, .. } => {
                assert_eq!(endpoints.insert(*endpoint, (worker, Endpoint::Opening)), None, "opens it once");
                "open"
            }
            media::Command::Close { endpoint } => {
                is_open(endpoint);
                endpoints.insert(*endpoint, (worker, Endpoint::Closing));
                "close"
            }
            media::Command::HandOver { endpoint } => {
                is_open(endpoint);
                endpoints.insert(*endpoint, (worker, Endpoint::Leaving));
                "hand over"
            }
            media::Command::TakeOver { endpoint, .. } => {
                let before = endpoints.insert(*endpoint, (worker, Endpoint::Arriving));
                assert_ne!(before.map(|(at, _)| at), Some(worker), "somewhere else before");
                "take over"
            }
            media::Command::Bridge { a, b } => {
                is_open(a);
                is_open(b);
                "bridge"
            }
            media::Command::Join { endpoint, audience, .. } => {
                is_open(endpoint);
                if let media::Audience::One(one) = audience {
                    is_open(one);
                }
                "join"
            }
            media::Command::Voice { endpoint, to, .. } => {
                is_open(endpoint);
                to.iter().for_each(is_open);
                "voice"
            }
            media::Command::Announce { .. } => "announce",
            media::Command::Configure { endpoint, .. }
            | media::Command::Unbridge { endpoint }
            | media::Command::Play { endpoint, .. }
            | media::Command::Collect { endpoint, .. }
            | media::Command::Digit { endpoint, .. }
            | media::Command::Stop { endpoint } => {
                is_open(endpoint);
                word_for(&command)
            }
            media::Command::Record { endpoint, .. }
            | media::Command::PauseRecording { endpoint, .. }
            | media::Command::StopRecording { endpoint } => {
                is_open(endpoint);
                "record"
            }
            media::Command::HoldBack { endpoint, .. } => {
                is_open(endpoint);
                "hold back"
            }
            media::Command::Analyse { endpoint, .. } | media::Command::Answered { endpoint } => {
                is_open(endpoint);
                "analyse"
            }
        };
        self.asked.push(words.to_owned());
        self.media_commands.push(command);
    }
}
