//! The switch: joins the user agent, the calls and the control plane, and hands the rest to its shell.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{CallId, CallRecord, CommandError, ControlPlane, Event, LegId, RecordAction};
use tandem_media as media;
use tandem_sbc::user_agent::{
    Answer, Ban, BanReason, Counters as SignallingCounters, DestinationHealth, FlowOrder, Invite,
    LookupFailed, News, Packet, Question, RegistrationState, Scheme, SessionError, SessionId, SourceChange,
    Tally, Transmit, TransportFailure, TrunkUse, UserAgent, UserAgentConfig,
};
use tandem_time::Instant;

use crate::calls::{Action, Calls};
use crate::{
    CallRecording, Counters, NewRecording, PromptLibrary, RecordingId, RecordingNews, SwitchConfig, Utterance,
};

/// Which media worker; all endpoints of a call share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerIndex(pub usize);

/// What the switch asks of its shell.
#[derive(Debug)]
pub enum Output {
    /// Send a SIP message.
    Sip(Transmit),
    /// See to a connection, before any message that follows is sent.
    Flow(FlowOrder),
    /// Hand a command to a media worker.
    Media {
        /// Which worker.
        worker: WorkerIndex,
        /// The command.
        command: media::Command,
    },
    /// Keep a record.
    Record(Box<CallRecord>),
    /// Write a recording; what becomes of it goes to [`Switch::handle_recording`].
    Recording(Box<NewRecording>),
}

/// How much of everything is in use. At rest every number is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Calls not yet released.
    pub calls: usize,
    /// Legs not yet released.
    pub legs: usize,
    /// SIP sessions not yet released.
    pub sessions: usize,
    /// SIP transactions under way.
    pub transactions: usize,
    /// Calls admitted: slots taken of the limits.
    pub admissions: usize,
    /// Leased RTP ports.
    pub ports: usize,
    /// Media endpoints not yet closed.
    pub endpoints: usize,
    /// Commands without an outcome.
    pub commands: usize,
    /// Deadlines of legs and calls.
    pub timers: usize,
    /// Recordings of legs not yet released.
    pub recordings: usize,
}

/// One shard of signalling: a user agent, the calls, and the control plane that decides about them.
///
/// After each input everything is drained in one fixed order: actions, then session events, then one command of the
/// plane, and records when all of these are quiet. So a plane sees events in the order they happened, and what it
/// does on an event comes before the next one's.
#[derive(Debug)]
pub struct Switch<P> {
    user_agent: UserAgent,
    calls: Calls,
    plane: P,
    outputs: VecDeque<Output>,
    requests_per_input: usize,
    /// When a plane was cut off that had more to ask; it is asked again with the next input.
    cut_off_at: Option<Instant>,
}

/// Commands of the plane that are carried out after one input, for each call that may be up at a time.
const REQUESTS_PER_INPUT_AND_CALL: usize = 8;
/// The least number of commands that are carried out after one input.
const MIN_REQUESTS_PER_INPUT: usize = 1_024;

impl<P: ControlPlane> Switch<P> {
    /// A switch without calls.
    #[must_use]
    pub fn new(config: SwitchConfig, user_agent: UserAgent, plane: P, prompts: PromptLibrary) -> Self {
        Self {
            user_agent,
            requests_per_input: requests_per_input(&config),
            calls: Calls::new(config, prompts),
            plane,
            outputs: VecDeque::new(),
            cut_off_at: None,
        }
    }

    /// Swaps what may change while calls are up; they keep what they began with.
    pub fn reload(&mut self, config: SwitchConfig, user_agent: Arc<UserAgentConfig>, prompts: PromptLibrary) {
        self.user_agent.reload(user_agent);
        self.requests_per_input = requests_per_input(&config);
        self.calls.reload(config, prompts);
    }

    /// The control plane, to look at.
    pub const fn plane(&self) -> &P {
        &self.plane
    }

    /// The control plane, to hand it its own new configuration. What it then asks for is done with the next input.
    pub const fn plane_mut(&mut self) -> &mut P {
        &mut self.plane
    }

    /// Refuses new calls from now on (503); those under way go on.
    pub const fn drain(&mut self) {
        self.calls.drain();
    }

    /// Ends every call there is.
    pub fn hang_up_all(&mut self, now: Instant) {
        self.calls.hang_up_everybody(now);
        self.run(now);
    }

    /// Takes how long the next SIP packet has waited; when that is too long, new calls are refused.
    pub fn handle_queue_delay(&mut self, delay: Duration) {
        self.user_agent.handle_queue_delay(delay);
    }

    /// Takes the news that transports dropped so many packets of a source, since there were too many.
    pub fn handle_packets_over_rate(&mut self, now: Instant, source: SocketAddr, packets: u32) {
        self.user_agent.handle_packets_over_rate(now, source, packets);
        self.run(now);
    }

    /// The next source whose packets need not come here any more, or must again.
    pub fn poll_source_change(&mut self) -> Option<SourceChange> {
        self.user_agent.poll_source_change()
    }

    /// Every registration of ours with a carrier.
    pub fn registrations(&self, now: Instant) -> impl Iterator<Item = RegistrationState> {
        self.user_agent.registrations(now)
    }

    /// Registrations that are being given up, and whose registrar has not answered.
    #[must_use]
    pub fn registrations_leaving(&self) -> usize {
        self.user_agent.registrations_leaving()
    }

    /// Gives up all registrations with carriers, for good.
    pub fn unregister(&mut self, now: Instant) {
        self.user_agent.unregister(now);
        self.run(now);
    }

    /// The next question to ask DNS; answer it by [`Switch::handle_answer`].
    pub fn poll_question(&mut self) -> Option<Question> {
        self.user_agent.poll_question()
    }

    /// Takes what DNS answered, or that it did not.
    pub fn handle_answer(&mut self, now: Instant, question: &Question, answer: Result<Answer, LookupFailed>) {
        self.user_agent.handle_answer(now, question, answer);
        self.run(now);
    }

    /// The next thing about trunks that an operator should hear of.
    pub fn poll_news(&mut self) -> Option<News> {
        self.user_agent.poll_news()
    }

    /// Every destination that is asked whether it is there.
    pub fn destinations(&self) -> impl Iterator<Item = DestinationHealth> {
        self.user_agent.destinations()
    }

    /// Ends a ban. Whether the address was banned.
    pub fn unban(&mut self, address: IpAddr) -> bool {
        self.user_agent.unban(address)
    }

    /// The bans in force.
    pub fn bans(&self) -> impl Iterator<Item = &Ban> {
        self.user_agent.bans()
    }

    /// What was counted of each kind of offence.
    #[must_use]
    pub fn ban_tallies(&self) -> &BTreeMap<BanReason, Tally> {
        self.user_agent.ban_tallies()
    }

    /// Takes one SIP packet.
    pub fn handle_packet(&mut self, now: Instant, packet: Packet<'_>) {
        self.user_agent.handle_packet(now, packet);
        self.run(now);
    }

    /// Takes the news that something could not be sent.
    pub fn handle_transport_failure(&mut self, now: Instant, failure: TransportFailure) {
        self.user_agent.handle_transport_failure(now, failure);
        self.run(now);
    }

    /// The next words to be spoken; what became of them goes to [`Switch::handle_speech`].
    pub fn poll_speech(&mut self) -> Option<Utterance> {
        self.calls.poll_speech()
    }

    /// Takes words that were spoken, or nothing when they could not be.
    pub fn handle_speech(&mut self, now: Instant, utterance: Utterance, spoken: Option<Arc<media::Audio>>) {
        self.calls.handle_speech(now, utterance, spoken);
        self.run(now);
    }

    /// Takes what became of a recording.
    pub fn handle_recording(&mut self, now: Instant, recording: RecordingId, news: RecordingNews) {
        self.calls.handle_recording(now, recording, news);
        self.run(now);
    }

    /// The call of that identifier, or with a leg of that SIP Call-ID.
    #[must_use]
    pub fn call_named(&self, name: &str) -> Option<CallId> {
        self.calls.call_named(name)
    }

    /// Does to the recordings of a call what somebody besides the control plane wants; how they stand then.
    ///
    /// # Errors
    /// `UnknownCall`; `WrongState` when nobody in it is answered, or there is no recording to pause or end; `Limit` and
    /// `Invalid` as of [`tandem_control_api::Command::Record`].
    pub fn record_call(
        &mut self,
        now: Instant,
        call: CallId,
        action: RecordAction,
    ) -> Result<CallRecording, CommandError> {
        let done = self.calls.record_call(now, call, action);
        self.run(now);
        done
    }

    /// Takes an event of a media worker.
    pub fn handle_media_event(&mut self, now: Instant, worker: WorkerIndex, event: media::Event) {
        self.calls.handle_media_event(now, worker, event);
        self.run(now);
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.user_agent.poll_timeout()) {
            self.user_agent.handle_timeout(now);
            self.run(now);
        }
        if due(self.calls.poll_timeout()) {
            self.calls.handle_timeout(now);
            self.run(now);
        }
        if due(self.plane.poll_timeout()) {
            self.plane.handle_timeout(now);
        }
        self.run(now);
    }

    /// When [`Switch::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [
            self.user_agent.poll_timeout(),
            self.calls.poll_timeout(),
            self.plane.poll_timeout(),
            self.cut_off_at,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The next output, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What is in use.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let signalling = self.user_agent.usage();
        Ledger {
            sessions: signalling.sessions,
            transactions: signalling.transactions,
            admissions: signalling.admissions,
            ..self.calls.ledger()
        }
    }

    /// What the user agent counted since the switch began.
    #[must_use]
    pub fn signalling_counters(&self) -> SignallingCounters {
        self.user_agent.counters()
    }

    /// What each trunk carries, and what it was refused.
    pub fn trunk_uses(&self) -> impl Iterator<Item = TrunkUse> {
        self.user_agent.trunk_uses()
    }

    /// Whether new calls are refused since packets wait too long.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.user_agent.is_overloaded()
    }

    /// What was counted since the switch began.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        self.calls.counters()
    }

    /// Drains everything until it is quiet. A plane that asks without end is cut: past the maximum its commands are
    /// answered with `Limit`, and past twice the maximum it waits for the next input, which comes at once.
    fn run(&mut self, now: Instant) {
        self.cut_off_at = None;
        let mut requests = 0;
        loop {
            if let Some(action) = self.calls.poll_action() {
                self.perform(now, action);
            } else if let Some(event) = self.user_agent.poll_event() {
                self.calls.handle_session_event(now, event);
            } else if requests == 2 * self.requests_per_input {
                self.cut_off_at = Some(now);
                break;
            } else if let Some(request) = self.plane.poll_request() {
                requests += 1;
                if requests <= self.requests_per_input {
                    self.calls.handle_request(now, request);
                } else {
                    self.calls.refuse_request(&request);
                }
            } else if !self.calls.settle() {
                break;
            }
        }
        while let Some(order) = self.user_agent.poll_flow_order() {
            self.outputs.push_back(Output::Flow(order));
        }
        while let Some(transmit) = self.user_agent.poll_transmit() {
            self.outputs.push_back(Output::Sip(transmit));
        }
    }

    fn perform(&mut self, now: Instant, action: Action) {
        // A refused `ring`, `reject` or `hang_up` says that the session has ended; its event is waiting.
        match action {
            Action::Tell(event) => {
                self.plane.handle_event(now, &event);
                if let Event::CallEnded { record, .. } = event {
                    self.outputs.push_back(Output::Record(record));
                }
            }
            Action::Media { worker, command } => self.outputs.push_back(Output::Media { worker, command }),
            Action::Record(recording) => self.outputs.push_back(Output::Recording(recording)),
            Action::Invite { leg, caller, party, scheme, invite } => {
                self.invite(now, leg, (caller, party, scheme), *invite);
            }
            Action::Pair { one, other } => self.user_agent.pair(one, other),
            Action::Progress { leg, session, media } => {
                let progressed = self.user_agent.progress(now, session, *media);
                self.calls.handle_progressed(leg, progressed.is_ok());
            }
            Action::Accept { leg, session, media } => {
                if let Err(error) = self.user_agent.accept(now, session, *media) {
                    self.calls.handle_accept_failure(leg, session, error);
                }
            }
            Action::InviteThrough { leg, caller, target, from } => {
                let invited = self.user_agent.invite_through(now, caller, target, from);
                self.invited(now, leg, invited);
            }
            Action::AcceptThrough { leg, session } => {
                if let Err(error) = self.user_agent.accept_through(now, session) {
                    self.calls.handle_accept_failure(leg, session, error);
                }
            }
            Action::Reoffer { session, reoffer } => {
                if self.user_agent.reoffer(now, session, *reoffer).is_err() {
                    self.calls.codec_not_asked(session);
                }
            }
            Action::Ring { session } => {
                let _ = self.user_agent.ring(now, session);
            }
            Action::Reject { session, status } => {
                let _ = self.user_agent.reject(now, session, status);
            }
            Action::SendDigit { session, digit } => {
                if self.user_agent.send_digit(now, session, digit) == Err(SessionError::Limit) {
                    self.calls.digit_not_sent();
                }
            }
            Action::Deflect { session, target, wait } => {
                if self.user_agent.refer(now, session, &target, wait).is_err() {
                    self.calls.handle_not_referred(now, session);
                }
            }
            Action::AcceptRefer { refer } => {
                let _ = self.user_agent.accept_refer(now, refer.session, refer.id);
            }
            Action::RefuseRefer { refer, status } => {
                let _ = self.user_agent.refuse_refer(now, refer.session, refer.id, status);
            }
            Action::ReportRefer { refer, status } => {
                let _ = self.user_agent.report_refer(now, refer.session, refer.id, status);
            }
            Action::StateReason { session, reason } => self.user_agent.state_reason(session, reason),
            Action::HangUp { session, cause } => {
                let _ = self.user_agent.hang_up(now, session, cause);
            }
        }
    }

    fn invite(
        &mut self,
        now: Instant,
        leg: LegId,
        whose: (Option<SessionId>, Option<SessionId>, Scheme),
        invite: Invite,
    ) {
        let invited = match whose {
            (_, party, Scheme::Sips) => self.user_agent.invite_securely(now, party, invite),
            (Some(caller), ..) => self.user_agent.invite_for(now, caller, invite),
            (None, Some(party), Scheme::Sip) => self.user_agent.invite_of(now, party, invite),
            (None, None, Scheme::Sip) => self.user_agent.invite(now, invite),
        };
        self.invited(now, leg, invited);
    }

    fn invited(&mut self, now: Instant, leg: LegId, invited: Result<SessionId, SessionError>) {
        let invited = invited.map(|session| {
            let call_id = self.user_agent.call_id(session).unwrap_or_default().to_owned();
            (session, call_id)
        });
        self.calls.handle_invited(now, leg, invited);
    }
}

fn requests_per_input(config: &SwitchConfig) -> usize {
    let calls = usize::try_from(config.max_calls).unwrap_or(usize::MAX);
    calls.saturating_mul(REQUESTS_PER_INPUT_AND_CALL).clamp(MIN_REQUESTS_PER_INPUT, usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rand_chacha::rand_core::SeedableRng as _;
    use tandem_control_api::{CallFact, CallId, Command, CommandError, CommandId, Request};
    use tandem_sbc::user_agent::Limits;

    use super::*;

    /// Asks for something whenever it is asked, and hears what became of it.
    #[derive(Debug, Default)]
    struct Runaway {
        asks: bool,
        asked: u64,
        carried_out: usize,
        cut: usize,
    }

    impl ControlPlane for Runaway {
        fn handle_event(&mut self, _now: Instant, event: &Event) {
            match event {
                Event::Done { outcome: Err(CommandError::Limit(_)), .. } => self.cut += 1,
                Event::Done { .. } => self.carried_out += 1,
                _ => {}
            }
        }

        fn handle_timeout(&mut self, _now: Instant) {}

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }

        fn poll_request(&mut self) -> Option<Request> {
            let call = CallId { index: 0, generation: 0 };
            let fact = CallFact::FlowStarted { flow: String::new() };
            self.asked += 1;
            self.asks
                .then_some(Request { id: CommandId(self.asked), command: Command::SetData { call, fact } })
        }
    }

    fn user_agent() -> UserAgent {
        let limits = Limits { max_sessions: 10, max_transactions: 10, ..Limits::default() };
        let config = UserAgentConfig { limits, ..UserAgentConfig::new(Vec::new()) };
        UserAgent::new(Arc::new(config), rand_chacha::ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn a_plane_that_asks_without_end_is_cut_and_asked_again() {
        let config =
            SwitchConfig { max_calls: 10, ..SwitchConfig::new(Ipv4Addr::LOCALHOST.into(), 20_000..=20_099) };
        let runaway = Runaway { asks: true, ..Runaway::default() };
        let mut switch = Switch::new(config, user_agent(), runaway, PromptLibrary::new());
        let now = Instant::from_millis(5);
        switch.handle_timeout(now);
        let plane = switch.plane();
        assert_eq!((plane.carried_out, plane.cut), (MIN_REQUESTS_PER_INPUT, MIN_REQUESTS_PER_INPUT));
        assert_eq!(switch.ledger(), Ledger::default(), "each was answered");
        assert_eq!(switch.poll_timeout(), Some(now), "it is asked again, when others have had their turn");
        switch.plane_mut().asks = false;
        switch.handle_timeout(now);
        assert_eq!(switch.poll_timeout(), None);
    }
}
