//! The caller's part of a call: INVITE, its answers, CANCEL, re-INVITE (RFC 3261 §13.2, §9.1, §14.1).

use std::net::SocketAddr;
use std::time::Duration;

use rsip::message::HeadersExt as _;
use rsip::prelude::UntypedHeader as _;
use rsip::{Header, Method, Request, Response};

use crate::call::{Call, Scene, State, Up};
use crate::digest::Challenge;
use crate::extensions::other;
use crate::manner::Habit;
use crate::message::{self, Identity, RequestHead};
use crate::report::{Event, Side, Step};
use crate::retransmission::{Due, Retransmission};
use crate::sdp::{AudioStream, Direction};

/// An INVITE that is not answered.
#[derive(Debug)]
pub(crate) struct Inviting {
    transaction: Retransmission,
    branch: String,
    patience_until: Option<Duration>,
    authorised: bool,
    cancel: Cancel,
}

/// RFC 3261 §9.1: CANCEL waits for a provisional response.
#[derive(Debug)]
enum Cancel {
    No { provisional: bool },
    Wanted,
    Sent(Retransmission),
}

/// A re-INVITE that is not answered.
#[derive(Debug)]
pub(crate) struct Reinvite {
    pub(crate) transaction: Retransmission,
    branch: String,
    ours: AudioStream,
}

impl Inviting {
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let cancel = match &self.cancel {
            Cancel::Sent(cancel) => Some(cancel.next_at()),
            Cancel::No { .. } | Cancel::Wanted => None,
        };
        [Some(self.transaction.next_at()), self.patience_until, cancel].into_iter().flatten().min()
    }
}

impl Call {
    /// Sends the INVITE, first or again with credentials.
    pub(crate) fn invite(&mut self, scene: &mut Scene<'_>, authorization: Option<Header>) {
        let sdp = match self.describe(None, Direction::SendReceive) {
            Some(ours) if !self.manner.has(Habit::OffersNothing) => Some(self.print_sdp(&ours)),
            _ => None,
        };
        let mut headers = vec![self.contact(scene)];
        let authorised = authorization.is_some();
        headers.extend(authorization);
        headers.extend(self.extensions_of_invite());
        headers.extend(self.replaces.as_deref().map(|replaces| other("Replaces", replaces)));
        let (branch, request) = self.next_request(scene, Method::Invite, headers, sdp);
        let bytes: Vec<u8> = request.into();
        self.send(scene, bytes.clone());
        if self.manner.has(Habit::StrayAcks) {
            self.stray_ack(scene);
        }
        self.state = State::Inviting(Inviting {
            transaction: Retransmission::invite(scene.now, self.dialog.destination, bytes).on(scene.access),
            branch,
            patience_until: self.manner.patience.map(|patience| self.facts.began + patience),
            authorised,
            cancel: Cancel::No { provisional: false },
        });
    }

    pub(crate) fn inviting_timeout(&mut self, scene: &mut Scene<'_>) {
        let State::Inviting(inviting) = &mut self.state else { return };
        if let Cancel::Sent(cancel) = &mut inviting.cancel
            && let Due::Again(to, bytes) = cancel.due(scene.now)
        {
            scene.outbox.sip(scene.now, &self.manner, to, bytes);
        }
        match inviting.transaction.due(scene.now) {
            Due::Nothing => {}
            Due::Again(to, bytes) => scene.outbox.sip(scene.now, &self.manner, to, bytes),
            Due::GiveUp => {
                self.end(scene, Side::Nobody, 0);
                self.state = State::Over { until: scene.now + scene.access.linger };
                return;
            }
        }
        if inviting.patience_until.is_some_and(|until| until <= scene.now) {
            inviting.patience_until = None;
            self.cancel(scene);
        }
    }

    /// Gives up an INVITE.
    pub(crate) fn cancel(&mut self, scene: &mut Scene<'_>) {
        let State::Inviting(inviting) = &mut self.state else { return };
        match inviting.cancel {
            Cancel::No { provisional: false } => inviting.cancel = Cancel::Wanted,
            Cancel::No { provisional: true } => self.send_cancel(scene),
            Cancel::Wanted | Cancel::Sent(_) => {}
        }
    }

    fn send_cancel(&mut self, scene: &mut Scene<'_>) {
        let State::Inviting(inviting) = &self.state else { return };
        let bytes: Vec<u8> = self.invite_sibling(scene, Method::Cancel, &inviting.branch, None).into();
        self.send(scene, bytes.clone());
        let destination = self.dialog.destination;
        if let State::Inviting(inviting) = &mut self.state {
            inviting.transaction.expect_answer(scene.now);
            inviting.cancel =
                Cancel::Sent(Retransmission::other(scene.now, destination, bytes).on(scene.access));
        }
    }

    /// CANCEL, or the ACK of a refusal: everything as in the INVITE, the branch too (RFC 3261 §9.1, §17.1.1.3).
    fn invite_sibling(&self, scene: &Scene<'_>, method: Method, branch: &str, to: Option<&str>) -> Request {
        message::request(&self.sibling_head(scene, method, branch, to), Vec::new(), None)
    }

    fn sibling_head<'a>(
        &'a self,
        scene: &Scene<'_>,
        method: Method,
        branch: &'a str,
        to: Option<&'a str>,
    ) -> RequestHead<'a> {
        RequestHead {
            method,
            uri: self.dialog.remote_target.clone(),
            transport: scene.access.transport,
            local: scene.config.address,
            branch,
            from: &self.dialog.local,
            to: to.unwrap_or(&self.dialog.remote),
            call_id: &self.dialog.call_id,
            cseq: self.dialog.invite_cseq,
            session_id: self.named.header(),
        }
    }

    pub(crate) fn invite_answered(
        &mut self,
        scene: &mut Scene<'_>,
        identity: &Identity,
        response: &Response,
        status: u16,
    ) {
        match &self.state {
            State::Inviting(inviting) if inviting.branch == identity.branch => match status {
                100..200 => {
                    self.acknowledge_progress(scene, response);
                    self.progress(scene, status);
                }
                200..300 => self.accepted(scene, identity, response),
                _ => self.rejected(scene, identity, response, status),
            },
            _ if status < 200 => {}
            State::Up(up) if up.reinvite.as_ref().is_some_and(|r| r.branch == identity.branch) => {
                self.reinvite_answered(scene, response, status);
            }
            _ => self.answered_again(scene, identity, response, status),
        }
    }

    fn progress(&mut self, scene: &mut Scene<'_>, status: u16) {
        let State::Inviting(inviting) = &mut self.state else { return };
        if !matches!(inviting.cancel, Cancel::Sent(_)) {
            inviting.transaction.rest();
        }
        let took = scene.now - self.facts.began;
        if self.facts.trying.replace(scene.now).is_none() {
            scene.outbox.event(Event::Step { call: self.key, step: Step::Trying, took });
        }
        if status > 100 {
            if self.facts.ringing.is_none() {
                self.facts.ringing = Some(scene.now);
                scene.outbox.event(Event::Step { call: self.key, step: Step::Ringing, took });
            }
            scene.outbox.event(Event::Progress { call: self.key, status });
        }
        match inviting.cancel {
            Cancel::Wanted => self.send_cancel(scene),
            Cancel::No { .. } => inviting.cancel = Cancel::No { provisional: true },
            Cancel::Sent(_) => {}
        }
    }

    fn note_final(&mut self, identity: &Identity, status: u16) {
        const MAX_FINALS: usize = 16;
        let answer = (status, identity.to_tag.clone().unwrap_or_default());
        if !self.facts.finals.contains(&answer) && self.facts.finals.len() < MAX_FINALS {
            self.facts.finals.push(answer);
        }
    }

    /// A 2xx: the dialog exists, and must be acknowledged even when nobody wants it any more.
    fn accepted(&mut self, scene: &mut Scene<'_>, identity: &Identity, response: &Response) {
        self.note_final(identity, 200);
        if let Ok(to) = response.to_header() {
            self.dialog.remote = to.value().to_owned();
        }
        let unwanted = match &self.state {
            State::Inviting(inviting) => !matches!(inviting.cancel, Cancel::No { .. }),
            _ => false,
        };
        let too_late = self.manner.has(Habit::CancelsTooLate);
        if too_late {
            self.send_cancel(scene);
        }
        if let Some(target) = message::contact(response) {
            if !scene.access.transport.is_reliable() {
                self.dialog.destination = message::address_of(&target).unwrap_or(self.dialog.destination);
            }
            self.dialog.remote_target = target;
        }
        let (agreed, answer) = match AudioStream::parse(&response.body) {
            Some(offer) if self.manner.has(Habit::OffersNothing) => self.answer_offer(scene, &offer),
            _ => (self.agree_with_answer(scene, response, None), None),
        };
        self.acknowledge(scene, answer);
        let took = scene.now - self.facts.began;
        scene.outbox.event(Event::Step { call: self.key, step: Step::Answered, took });
        self.answered(scene, Up::default());
        if unwanted || too_late || !agreed {
            self.bye(scene, Side::Ours);
        }
    }

    /// The other side's offer came in its 2xx: whether we can, and the answer for the ACK.
    fn answer_offer(&mut self, scene: &Scene<'_>, offer: &AudioStream) -> (bool, Option<String>) {
        let Some(ours) = self.describe(Some(offer), Direction::SendReceive) else { return (false, None) };
        let agreed = self.stream.as_mut().is_some_and(|stream| stream.agree(scene.now, &ours, offer));
        (agreed, Some(self.print_sdp(&ours)))
    }

    fn agree_with_answer(
        &mut self,
        scene: &Scene<'_>,
        response: &Response,
        ours: Option<AudioStream>,
    ) -> bool {
        let Some(ours) = ours.or_else(|| self.describe(None, Direction::SendReceive)) else { return false };
        match (AudioStream::parse(&response.body), &mut self.stream) {
            (Some(theirs), Some(stream)) => stream.agree(scene.now, &ours, &theirs),
            _ => false,
        }
    }

    /// The ACK of a 2xx: a request of its own (RFC 3261 §13.2.2.4), with the INVITE's sequence number.
    fn acknowledge(&mut self, scene: &mut Scene<'_>, answer: Option<String>) {
        if self.manner.has(Habit::NeverAcks) {
            return;
        }
        let branch = scene.access.branch(scene.rng);
        let head = self.sibling_head(scene, Method::Ack, &branch, None);
        let bytes: Vec<u8> = message::request(&head, Vec::new(), answer).into();
        self.send(scene, bytes.clone());
        self.last_ack = Some((self.dialog.destination, bytes));
    }

    fn rejected(&mut self, scene: &mut Scene<'_>, identity: &Identity, response: &Response, status: u16) {
        let to = response.to_header().map(|to| to.value().to_owned()).ok();
        if !self.manner.has(Habit::NeverAcks) {
            let bytes: Vec<u8> =
                self.invite_sibling(scene, Method::Ack, &identity.branch, to.as_deref()).into();
            self.send(scene, bytes.clone());
            self.last_ack = Some((self.dialog.destination, bytes));
        }
        let State::Inviting(inviting) = &self.state else { return };
        let (authorised, cancelled) = (inviting.authorised, !matches!(inviting.cancel, Cancel::No { .. }));
        if matches!(status, 401 | 407)
            && !authorised
            && !cancelled
            && let (Some(credentials), Some(mut challenge)) =
                (&scene.config.credentials, Challenge::of(response))
        {
            let uri = &self.dialog.remote_target;
            let authorization = challenge.answer(scene.rng, credentials, Method::Invite, uri);
            return self.invite(scene, Some(authorization));
        }
        self.note_final(identity, status);
        self.end(scene, if cancelled { Side::Ours } else { Side::Theirs }, status);
        self.state = State::Over { until: scene.now + scene.access.linger };
    }

    /// A final response that came before, or of another fork.
    fn answered_again(
        &mut self,
        scene: &mut Scene<'_>,
        identity: &Identity,
        response: &Response,
        status: u16,
    ) {
        let ours = message::tag_of(&self.dialog.remote);
        if status >= 300 || ours == identity.to_tag.as_deref() {
            if let Some((to, bytes)) = self.last_ack.clone() {
                scene.outbox.sip(scene.now, &self.manner, to, bytes);
            }
            return;
        }
        // RFC 3261 §13.2.2.4: a 2xx of another fork is acknowledged and hung up.
        self.note_final(identity, status);
        let Ok(to) = response.to_header().map(|to| to.value().to_owned()) else { return };
        let target = message::contact(response).unwrap_or_else(|| self.dialog.remote_target.clone());
        let destination = message::address_of(&target).unwrap_or(self.dialog.destination);
        for (method, cseq) in [(Method::Ack, identity.cseq), (Method::Bye, identity.cseq.wrapping_add(1))] {
            let branch = scene.access.branch(scene.rng);
            let head = RequestHead {
                method,
                uri: target.clone(),
                transport: scene.access.transport,
                local: scene.config.address,
                branch: &branch,
                from: &self.dialog.local,
                to: &to,
                call_id: &self.dialog.call_id,
                cseq,
                session_id: self.named.header(),
            };
            let bytes: Vec<u8> = message::request(&head, Vec::new(), None).into();
            self.send_to(scene, destination, bytes);
        }
    }

    fn send_to(&self, scene: &mut Scene<'_>, destination: SocketAddr, bytes: Vec<u8>) {
        scene.outbox.sip(scene.now, &self.manner, destination, bytes);
    }

    /// Offers a changed direction: hold, or resume (RFC 3264 §8.4). Not while another offer is open.
    pub(crate) fn reinvite(&mut self, scene: &mut Scene<'_>, direction: Direction) {
        let State::Up(up) = &self.state else { return };
        if up.reinvite.is_some() || up.unacknowledged.is_some() {
            return;
        }
        let Some(ours) = self.describe(None, direction) else { return };
        let sdp = self.print_sdp(&ours);
        let headers = vec![self.contact(scene)];
        let (branch, request) = self.next_request(scene, Method::Invite, headers, Some(sdp));
        let bytes: Vec<u8> = request.into();
        self.send(scene, bytes.clone());
        let transaction = Retransmission::invite(scene.now, self.dialog.destination, bytes).on(scene.access);
        if let State::Up(up) = &mut self.state {
            up.reinvite = Some(Reinvite { transaction, branch, ours });
        }
    }

    fn reinvite_answered(&mut self, scene: &mut Scene<'_>, response: &Response, status: u16) {
        let State::Up(up) = &mut self.state else { return };
        let Some(reinvite) = up.reinvite.take() else { return };
        match status {
            200..300 => {
                self.acknowledge(scene, None);
                self.agree_with_answer(scene, response, Some(reinvite.ours));
            }
            _ => {
                let ack = self.invite_sibling(scene, Method::Ack, &reinvite.branch, None);
                self.send(scene, ack.into());
                // RFC 3261 §12.2.1.2: these mean that the dialog is gone.
                if matches!(status, 408 | 481) {
                    self.bye(scene, Side::Nobody);
                }
            }
        }
    }
}
