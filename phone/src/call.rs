//! One call of a party: a small dialog with its transactions, and its media.
//!
//! ```text
//!  caller   Inviting ──2xx──► Up ──BYE out──► Leaving ──200──► Over
//!              │  ≥300, timeout │  BYE in ─────────────────────►│
//!              └────────────────┼──────────────────────────────►│
//!  callee   Alerting ──200──► Up                                │
//!              └──≥300──► Refused ──ACK, timer H───────────────►│
//!  either   Up ──no BYE, no answer any more──► Vanished
//! ```
//!
//! The parts that only a caller or only a called party plays are in `caller` and `callee`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rsip::{Header, Method, Request, Response, SipMessage, Uri};

use crate::access::Access;
use crate::callee::Alerting;
use crate::caller::{Inviting, Reinvite};
use crate::manner::{Answer, Habit, Manner, Media};
use crate::message::{self, Identity, RequestHead};
use crate::naming::Named;
use crate::outbox::Outbox;
use crate::phone::PhoneConfig;
use crate::report::{CallKey, Event, Output, Report, Side};
use crate::retransmission::{Due, Retransmission};
use crate::sdp::{AudioStream, Direction};
use crate::stream::Stream;
use crate::transfer::{Asked, Asking, Consulting, Wish};

/// How long a vanished party stays silent; then its phone answers again, with 481.
const VANISHED: Duration = Duration::from_secs(3_600);

/// What a call needs of its phone for one step.
pub(crate) struct Scene<'a> {
    pub(crate) now: Duration,
    pub(crate) config: &'a PhoneConfig,
    pub(crate) access: &'a Access,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) outbox: &'a mut Outbox,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) source: SocketAddr,
    pub(crate) identity: Identity,
    pub(crate) request: Request,
}

/// A dialog (RFC 3261 §12), as much of it as one hop without proxies needs.
#[derive(Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// From or To value with our tag.
    pub(crate) local: String,
    pub(crate) local_tag: String,
    /// From or To value of the other side, with its tag once known.
    pub(crate) remote: String,
    pub(crate) remote_target: Uri,
    pub(crate) destination: SocketAddr,
    pub(crate) cseq: u32,
    /// Of our latest INVITE, which its ACK and CANCEL have too.
    pub(crate) invite_cseq: u32,
}

#[derive(Debug)]
pub(crate) enum State {
    Inviting(Inviting),
    Alerting(Alerting),
    Up(Up),
    Refused { answer: Retransmission },
    Leaving { bye: Retransmission, since: Duration },
    Over { until: Duration },
    Vanished { until: Duration },
}

/// An answered call.
#[derive(Debug, Default)]
pub(crate) struct Up {
    /// Our 200 (to the INVITE or a re-INVITE) until its ACK comes (RFC 3261 §13.3.1.4).
    pub(crate) unacknowledged: Option<Retransmission>,
    /// A re-INVITE of ours.
    pub(crate) reinvite: Option<Reinvite>,
}

/// What is to be done during the call, by its manner; times are absolute.
#[derive(Debug, Default)]
struct Plan {
    hang_up_at: Option<Duration>,
    vanish_at: Option<Duration>,
    refresh_at: Option<Duration>,
    keys: VecDeque<(Duration, String)>,
    holds: VecDeque<(Duration, Direction)>,
    transfer_at: Option<Duration>,
    /// Its 200 is not acknowledged, and it wants to go.
    leaves_when_acknowledged: bool,
}

/// What will be told of the call.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) caller: bool,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) began: Duration,
    pub(crate) trying: Option<Duration>,
    pub(crate) ringing: Option<Duration>,
    pub(crate) answered: Option<Duration>,
    pub(crate) finals: Vec<(u16, String)>,
    pub(crate) acknowledged: bool,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) key: CallKey,
    pub(crate) manner: Manner,
    pub(crate) dialog: Dialog,
    pub(crate) state: State,
    pub(crate) facts: Facts,
    pub(crate) stream: Option<Stream>,
    pub(crate) sdp_session: u64,
    pub(crate) sdp_version: u64,
    /// The last ACK, for when its response comes again.
    pub(crate) last_ack: Option<(SocketAddr, Vec<u8>)>,
    /// Our REFER, and the other side's.
    pub(crate) asking: Option<Asking>,
    pub(crate) asked: Option<Asked>,
    pub(crate) wish: Option<Wish>,
    /// What becomes of it, when it is a consultation.
    pub(crate) consulting: Option<Consulting>,
    /// Whose place it wants to take (Replaces, RFC 3891).
    pub(crate) replaces: Option<String>,
    pub(crate) named: Named,
    plan: Plan,
}

impl Call {
    pub(crate) fn new(
        key: CallKey,
        manner: Manner,
        dialog: Dialog,
        state: State,
        facts: Facts,
        stream: Stream,
        sdp_session: u64,
    ) -> Self {
        Self {
            key,
            manner,
            dialog,
            state,
            facts,
            stream: Some(stream),
            sdp_session,
            sdp_version: 0,
            last_ack: None,
            asking: None,
            asked: None,
            wish: None,
            consulting: None,
            replaces: None,
            named: Named::default(),
            plan: Plan::default(),
        }
    }

    pub(crate) fn handle_message(
        &mut self,
        scene: &mut Scene<'_>,
        source: SocketAddr,
        identity: Identity,
        message: SipMessage,
    ) {
        if matches!(self.state, State::Vanished { .. }) {
            return;
        }
        match &message {
            SipMessage::Request(request) => self.named.hear(request),
            SipMessage::Response(response) => self.named.hear(response),
        }
        match message {
            SipMessage::Request(request) => {
                self.handle_request(scene, &Arrival { source, identity, request })
            }
            SipMessage::Response(response) => self.handle_response(scene, &identity, &response),
        }
    }

    fn handle_request(&mut self, scene: &mut Scene<'_>, arrival: &Arrival) {
        match arrival.request.method {
            Method::Ack => self.acknowledged(scene, &arrival.request),
            _ if scene.outbox.answer_again(&arrival.identity) => {}
            Method::Invite => self.reinvited(scene, arrival),
            Method::Cancel => self.cancelled(scene, arrival),
            Method::Bye => self.bye_received(scene, arrival),
            Method::Notify => self.notified(scene, arrival),
            Method::Refer => self.asked_to_call(scene, arrival),
            Method::Options | Method::PRack => self.respond(scene, arrival, 200, Vec::new(), None),
            _ => self.respond(scene, arrival, 501, Vec::new(), None),
        }
    }

    fn handle_response(&mut self, scene: &mut Scene<'_>, identity: &Identity, response: &Response) {
        let status = response.status_code.code();
        match identity.method {
            Method::Invite => self.invite_answered(scene, identity, response, status),
            Method::Refer if status >= 200 => self.refer_answered(scene, &identity.branch, Some(status)),
            Method::Notify if status >= 200 => self.notify_answered(scene, identity),
            Method::Bye if status >= 200 => {
                if let State::Leaving { since, .. } = self.state {
                    let took = scene.now - since;
                    scene.outbox.event(Event::Released { call: self.key, status: Some(status), took });
                    self.state = State::Over { until: scene.now + scene.access.linger };
                }
            }
            _ => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, scene: &mut Scene<'_>) {
        self.send_media(scene);
        self.follow_plan(scene);
        self.transfer_timeout(scene);
        match &mut self.state {
            State::Inviting(_) => self.inviting_timeout(scene),
            State::Alerting(_) => self.alerting_timeout(scene),
            State::Up(up) => {
                let again = up.unacknowledged.as_mut().map(|ok| ok.due(scene.now));
                let reinvite = up.reinvite.as_mut().map(|reinvite| reinvite.transaction.due(scene.now));
                for due in [again, reinvite].into_iter().flatten() {
                    match due {
                        Due::Nothing => {}
                        Due::Again(to, bytes) => scene.outbox.sip(scene.now, &self.manner, to, bytes),
                        Due::GiveUp => return self.hang_up_as(scene, Side::Nobody),
                    }
                }
            }
            State::Refused { answer: message } | State::Leaving { bye: message, .. } => {
                match message.due(scene.now) {
                    Due::Nothing => {}
                    Due::Again(to, bytes) => scene.outbox.sip(scene.now, &self.manner, to, bytes),
                    Due::GiveUp => self.give_up(scene),
                }
            }
            State::Over { .. } | State::Vanished { .. } => {}
        }
    }

    /// Nobody answers our BYE, or acknowledges our refusal.
    fn give_up(&mut self, scene: &mut Scene<'_>) {
        if let State::Leaving { since, .. } = self.state {
            let took = scene.now - since;
            scene.outbox.event(Event::Released { call: self.key, status: None, took });
        }
        self.state = State::Over { until: scene.now + scene.access.linger };
    }

    /// The connection that carried it is gone: what waits for an answer gets none (RFC 3261 §8.1.3.1).
    pub(crate) fn connection_lost(&mut self, scene: &mut Scene<'_>) {
        match self.state {
            State::Inviting(_) => {
                self.end(scene, Side::Nobody, 503);
                self.state = State::Over { until: scene.now + scene.access.linger };
            }
            State::Alerting(_) => {
                self.end(scene, Side::Nobody, 503);
                self.state = State::Over { until: scene.now };
            }
            State::Up(_) => self.bye(scene, Side::Nobody),
            State::Leaving { .. } => self.give_up(scene),
            State::Refused { .. } | State::Over { .. } | State::Vanished { .. } => {}
        }
    }

    /// When something is due; for a call that is over, when it can be forgotten.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let state = match &self.state {
            State::Inviting(inviting) => inviting.poll_timeout(),
            State::Alerting(alerting) => alerting.poll_timeout(),
            State::Up(up) => up
                .unacknowledged
                .iter()
                .chain(up.reinvite.iter().map(|reinvite| &reinvite.transaction))
                .map(Retransmission::next_at)
                .min(),
            State::Refused { answer: message } | State::Leaving { bye: message, .. } => {
                Some(message.next_at())
            }
            // A transfer may still be told of, or be under way.
            State::Over { until } => Some(*until),
            State::Vanished { until } => return Some(*until),
        };
        let keys = self.plan.keys.front().map(|(at, _)| *at);
        let holds = self.plan.holds.front().map(|(at, _)| *at);
        let media = self.stream.as_ref().and_then(Stream::poll_timeout);
        let plan = [self.plan.hang_up_at, self.plan.vanish_at, self.plan.refresh_at];
        let asking = self.asking.as_ref().and_then(Asking::next_at);
        let asked = self.asked.as_ref().and_then(Asked::next_at);
        let transfer = [self.plan.transfer_at, asking, asked];
        [state, keys, holds, media].into_iter().chain(plan).chain(transfer).flatten().min()
    }

    pub(crate) fn is_forgotten(&self, now: Duration) -> bool {
        matches!(self.state, State::Over { until } | State::Vanished { until } if now >= until)
    }

    /// The port its media is at while it is live.
    pub(crate) fn port(&self) -> Option<u16> {
        self.stream.as_ref().map(|stream| stream.local().port())
    }

    /// Whether it occupies a line: it is not over for the people.
    pub(crate) const fn is_live(&self) -> bool {
        self.stream.is_some()
    }

    /// Cancels, declines or hangs up, whatever fits.
    pub(crate) fn hang_up(&mut self, scene: &mut Scene<'_>) {
        self.hang_up_as(scene, Side::Ours);
    }

    fn hang_up_as(&mut self, scene: &mut Scene<'_>, by: Side) {
        match &self.state {
            State::Inviting(_) => self.cancel(scene),
            State::Alerting(_) if self.manner.answer == Answer::Ignore => {
                self.end(scene, Side::Ours, 0);
                self.state = State::Over { until: scene.now + scene.access.linger };
            }
            State::Alerting(_) => self.refuse(scene, 603, Vec::new(), Side::Ours),
            // RFC 3261 §15: no BYE before the ACK, or before the 200 was given up.
            State::Up(up) if up.unacknowledged.is_some() && by == Side::Ours => {
                self.plan.leaves_when_acknowledged = true;
            }
            State::Up(_) => self.bye(scene, by),
            State::Refused { .. } | State::Leaving { .. } | State::Over { .. } | State::Vanished { .. } => {}
        }
    }

    /// The call is answered: the plan's times begin to count.
    pub(crate) fn answered(&mut self, scene: &mut Scene<'_>, up: Up) {
        let now = scene.now;
        self.state = State::Up(up);
        self.facts.answered = Some(now);
        let hold = |(at, length): &(Duration, Duration)| {
            [(now + *at, Direction::SendOnly), (now + *at + *length, Direction::SendReceive)]
        };
        self.plan = Plan {
            hang_up_at: self.manner.talk.map(|talk| now + talk),
            vanish_at: self.manner.vanishes_after().map(|after| now + after),
            refresh_at: self.refreshes_every().map(|every| now + every),
            keys: self.manner.keys.iter().map(|(at, keys)| (now + *at, keys.clone())).collect(),
            holds: self.manner.holds.iter().flat_map(hold).collect(),
            transfer_at: self.transfers_after().map(|after| now + after),
            leaves_when_acknowledged: false,
        };
        scene.outbox.event(Event::Answered { call: self.key });
    }

    /// The call is over for the people; transactions may linger.
    pub(crate) fn end(&mut self, scene: &mut Scene<'_>, by: Side, status: u16) {
        let Some(mut stream) = self.stream.take() else { return };
        self.plan = Plan::default();
        stream.close();
        if self.manner.media == Media::Spoken {
            scene.outbox.push(Output::CloseMedia { local: stream.local() });
        }
        let (received, sent, heard) = stream.into_parts();
        let report = Report {
            sip_call_id: self.dialog.call_id.clone(),
            caller: self.facts.caller,
            from: self.facts.from.clone(),
            to: self.facts.to.clone(),
            hz: self.manner.hz,
            began: self.facts.began,
            ringing: self.facts.ringing,
            answered: self.facts.answered,
            ended: scene.now,
            by,
            status,
            finals: self.facts.finals.iter().map(|(status, _)| *status).collect(),
            acknowledged: self.facts.acknowledged,
            named: self.named.clone(),
            sent,
            received,
            heard,
        };
        scene.outbox.event(Event::Ended { call: self.key, report: Box::new(report) });
    }

    /// A request within the dialog, with the next sequence number (RFC 3261 §12.2.1.1). ACK and CANCEL are made
    /// elsewhere: they share their INVITE's.
    pub(crate) fn next_request(
        &mut self,
        scene: &mut Scene<'_>,
        method: Method,
        more: Vec<Header>,
        sdp: Option<String>,
    ) -> (String, Request) {
        self.dialog.cseq += 1;
        if method == Method::Invite {
            self.dialog.invite_cseq = self.dialog.cseq;
        }
        let branch = scene.access.branch(scene.rng);
        let head = RequestHead {
            method,
            uri: self.dialog.remote_target.clone(),
            transport: scene.access.transport,
            local: scene.config.address,
            branch: &branch,
            from: &self.dialog.local,
            to: &self.dialog.remote,
            call_id: &self.dialog.call_id,
            cseq: self.dialog.cseq,
            session_id: self.named.header(),
        };
        let request = message::request(&head, more, sdp);
        (branch, request)
    }

    pub(crate) fn send(&self, scene: &mut Scene<'_>, bytes: Vec<u8>) {
        scene.outbox.sip(scene.now, &self.manner, self.dialog.destination, bytes);
    }

    pub(crate) fn contact(&self, scene: &Scene<'_>) -> Header {
        let (scheme, transport) = (scene.access.scheme(), scene.access.in_uri());
        let (user, address) = (&scene.config.user, scene.config.address);
        Header::Contact(format!("<{scheme}:{user}@{address}{transport}>").into())
    }

    pub(crate) fn respond(
        &self,
        scene: &mut Scene<'_>,
        arrival: &Arrival,
        status: u16,
        mut more: Vec<Header>,
        sdp: Option<String>,
    ) {
        more.extend(self.named.header());
        let response = message::response(&arrival.request, status, Some(&self.dialog.local_tag), more, sdp);
        scene.outbox.answer(scene.now, &self.manner, &arrival.identity, arrival.source, response.into());
    }

    /// Our session description with this direction; `None` offers, `Some` answers.
    pub(crate) fn describe(
        &mut self,
        their_offer: Option<&AudioStream>,
        direction: Direction,
    ) -> Option<AudioStream> {
        let stream = self.stream.as_ref()?;
        let (local, srtp, cryptos) = (stream.local(), self.manner.srtp, stream.cryptos());
        let described = match their_offer {
            None => {
                let offer = AudioStream::offer(local, &self.manner.codecs, self.manner.events, direction);
                Some(offer.offering(srtp, cryptos))
            }
            Some(offer) => {
                let answer = AudioStream::answer(offer, local, &self.manner.codecs, self.manner.events)?;
                answer.answering(offer, srtp, cryptos)
            }
        };
        Some(described?.wanting(&self.manner, their_offer))
    }

    pub(crate) fn print_sdp(&mut self, ours: &AudioStream) -> String {
        self.sdp_version += 1;
        ours.print(self.sdp_session, self.sdp_version)
    }

    pub(crate) fn bye(&mut self, scene: &mut Scene<'_>, by: Side) {
        let (_, request) = self.next_request(scene, Method::Bye, Vec::new(), None);
        let bytes: Vec<u8> = request.into();
        self.send(scene, bytes.clone());
        if self.manner.has(Habit::ByesTwice) {
            let (_, again) = self.next_request(scene, Method::Bye, Vec::new(), None);
            self.send(scene, again.into());
        }
        if self.manner.has(Habit::StrayAcks) {
            self.stray_ack(scene);
        }
        self.end(scene, by, 200);
        let bye = Retransmission::other(scene.now, self.dialog.destination, bytes).on(scene.access);
        self.state = State::Leaving { bye, since: scene.now };
    }

    /// The ACK has come: a BYE may leave.
    pub(crate) fn leave_if_wanted(&mut self, scene: &mut Scene<'_>) {
        if self.plan.leaves_when_acknowledged {
            self.bye(scene, Side::Ours);
        }
    }

    /// An ACK of no transaction.
    pub(crate) fn stray_ack(&mut self, scene: &mut Scene<'_>) {
        let (_, request) = self.next_request(scene, Method::Ack, Vec::new(), None);
        self.dialog.cseq -= 1;
        self.send(scene, request.into());
    }

    fn bye_received(&mut self, scene: &mut Scene<'_>, arrival: &Arrival) {
        if !self.manner.has(Habit::NeverAnswersBye) {
            self.respond(scene, arrival, 200, Vec::new(), None);
        }
        match &self.state {
            State::Alerting(_) => self.refuse(scene, 487, Vec::new(), Side::Theirs),
            State::Up(_) => {
                self.end(scene, Side::Theirs, 200);
                self.state = State::Over { until: scene.now + scene.access.linger };
            }
            _ => {}
        }
    }

    /// A re-INVITE (RFC 3261 §14.2).
    fn reinvited(&mut self, scene: &mut Scene<'_>, arrival: &Arrival) {
        let State::Up(up) = &self.state else {
            // A repeated INVITE that is not answered yet needs none; in any other state it is too late.
            if !matches!(self.state, State::Alerting(_)) {
                self.respond(scene, arrival, 481, Vec::new(), None);
            }
            return;
        };
        if up.reinvite.is_some() || up.unacknowledged.is_some() {
            return self.respond(scene, arrival, 491, Vec::new(), None);
        }
        let offer = AudioStream::parse(&arrival.request.body);
        let Some(ours) = self.describe(offer.as_ref(), Direction::SendReceive) else {
            return self.respond(scene, arrival, 488, Vec::new(), None);
        };
        if let (Some(offer), Some(stream)) = (&offer, &mut self.stream) {
            stream.agree(scene.now, &ours, offer);
        }
        let mut headers = vec![self.contact(scene)];
        headers.extend(self.named.header());
        let sdp = self.print_sdp(&ours);
        let response = message::response(&arrival.request, 200, None, headers, Some(sdp));
        let bytes: Vec<u8> = response.into();
        scene.outbox.answer(scene.now, &self.manner, &arrival.identity, arrival.source, bytes.clone());
        if let State::Up(up) = &mut self.state {
            let answer = Retransmission::other(scene.now, arrival.source, bytes);
            up.unacknowledged = Some(answer.until_acknowledged(scene.access));
        }
    }

    fn send_media(&mut self, scene: &mut Scene<'_>) {
        let Some(stream) = &mut self.stream else { return };
        let mut local = stream.local();
        if let Some(elsewhere) = self.manner.sends_from() {
            local.set_ip(elsewhere);
        }
        let outbox = &mut scene.outbox;
        let manner = &self.manner;
        stream.handle_timeout(scene.now, |distance, destination, bytes| {
            let sequence =
                bytes.get(2..).and_then(|rest| rest.first_chunk().copied()).map(u16::from_be_bytes);
            if distance == 0 && sequence.is_some_and(|sequence| manner.loses(sequence)) {
                return;
            }
            let local = SocketAddr::new(local.ip(), local.port() + distance);
            outbox.push(Output::Rtp { local, destination, bytes });
        });
    }

    fn follow_plan(&mut self, scene: &mut Scene<'_>) {
        let now = scene.now;
        while self.plan.keys.front().is_some_and(|(at, _)| *at <= now) {
            if let (Some((_, keys)), Some(stream)) = (self.plan.keys.pop_front(), &mut self.stream) {
                stream.press(&keys);
            }
        }
        if self.plan.holds.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, direction)) = self.plan.holds.pop_front()
        {
            self.reinvite(scene, direction);
        }
        if self.plan.transfer_at.is_some_and(|at| at <= now) {
            self.plan.transfer_at = None;
            self.begin_transfer(scene);
        }
        if self.plan.refresh_at.is_some_and(|at| at <= now) {
            self.plan.refresh_at = self.refreshes_every().map(|every| now + every);
            self.refresh(scene);
        }
        if self.plan.vanish_at.is_some_and(|at| at <= now) {
            self.end(scene, Side::Ours, 200);
            self.state = State::Vanished { until: now + VANISHED };
        }
        if self.plan.hang_up_at.is_some_and(|at| at <= now) {
            self.plan.hang_up_at = None;
            self.hang_up(scene);
        }
    }
}
