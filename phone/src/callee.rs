//! The called party's part of a call: ringing, answering, refusing, being cancelled (RFC 3261 §13.3, §9.2).

use std::time::Duration;

use rsip::{Header, Request};

use crate::call::{Arrival, Call, Scene, State, Up};
use crate::manner::{Answer, Habit};
use crate::message;
use crate::report::{Event, Side, Step};
use crate::retransmission::Retransmission;
use crate::sdp::{AudioStream, Direction};

/// An INVITE that we did not answer.
#[derive(Debug)]
pub(crate) struct Alerting {
    arrival: Arrival,
    decide_at: Option<Duration>,
}

impl Alerting {
    pub(crate) const fn new(arrival: Arrival) -> Self {
        Self { arrival, decide_at: None }
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Duration> {
        self.decide_at
    }
}

impl Call {
    /// The first reaction to an INVITE.
    pub(crate) fn alert(&mut self, scene: &mut Scene<'_>) {
        let wait = match &self.manner.answer {
            Answer::Ignore => return,
            Answer::RingForEver => None,
            Answer::After(ring) | Answer::Refuse { after: ring, .. } => Some(*ring),
            Answer::Redirect { .. } => Some(Duration::ZERO),
        };
        let State::Alerting(alerting) = &mut self.state else { return };
        alerting.decide_at = wait.map(|wait| scene.now + wait);
        if wait == Some(Duration::ZERO) {
            return self.alerting_timeout(scene);
        }
        let arrival = alerting.arrival.clone();
        self.facts.ringing = Some(scene.now);
        let mut headers = vec![self.contact(scene)];
        headers.extend(self.extensions_of_ringing(&arrival.request));
        self.respond(scene, &arrival, 180, headers, None);
    }

    pub(crate) fn alerting_timeout(&mut self, scene: &mut Scene<'_>) {
        let State::Alerting(alerting) = &self.state else { return };
        if alerting.decide_at.is_none_or(|at| at > scene.now) {
            return;
        }
        match self.manner.answer.clone() {
            Answer::After(_) => self.accept(scene),
            Answer::Refuse { status, .. } => self.refuse(scene, status, Vec::new(), Side::Ours),
            Answer::Redirect { contact } => {
                let contact = vec![Header::Contact(format!("<{contact}>").into())];
                self.refuse(scene, 302, contact, Side::Ours);
            }
            Answer::RingForEver | Answer::Ignore => {}
        }
    }

    fn accept(&mut self, scene: &mut Scene<'_>) {
        let State::Alerting(alerting) = &self.state else { return };
        let arrival = alerting.arrival.clone();
        let offer = AudioStream::parse(&arrival.request.body);
        let Some(ours) = self.describe(offer.as_ref(), Direction::SendReceive) else {
            return self.refuse(scene, 488, Vec::new(), Side::Ours);
        };
        if let (Some(offer), Some(stream)) = (&offer, &mut self.stream) {
            stream.agree(scene.now, &ours, offer);
        }
        let sdp = self.print_sdp(&ours);
        let mut contact = vec![self.contact(scene)];
        contact.extend(self.extensions_of_answer(&arrival.request));
        contact.extend(self.named.header());
        let tag = self.dialog.local_tag.clone();
        let response =
            message::response(&arrival.request, 200, Some(&tag), contact.clone(), Some(sdp.clone()));
        let bytes: Vec<u8> = response.into();
        scene.outbox.answer(scene.now, &self.manner, &arrival.identity, arrival.source, bytes.clone());
        if self.manner.has(Habit::AnswersTwice) {
            let other_tag = message::token(scene.rng);
            let fork = message::response(&arrival.request, 200, Some(&other_tag), contact, Some(sdp));
            scene.outbox.sip(scene.now, &self.manner, arrival.source, fork.into());
        }
        let unacknowledged =
            Some(Retransmission::other(scene.now, arrival.source, bytes).until_acknowledged(scene.access));
        self.answered(scene, Up { unacknowledged, reinvite: None });
    }

    /// A final refusal, sent until its ACK comes.
    pub(crate) fn refuse(&mut self, scene: &mut Scene<'_>, status: u16, mut more: Vec<Header>, by: Side) {
        more.extend(self.named.header());
        let State::Alerting(alerting) = &self.state else { return };
        let tag = Some(self.dialog.local_tag.as_str());
        let response = message::response(&alerting.arrival.request, status, tag, more, None);
        let arrival = alerting.arrival.clone();
        let bytes: Vec<u8> = response.into();
        scene.outbox.answer(scene.now, &self.manner, &arrival.identity, arrival.source, bytes.clone());
        self.end(scene, by, status);
        self.state = State::Refused {
            answer: Retransmission::other(scene.now, arrival.source, bytes).on(scene.access),
        };
    }

    /// RFC 3261 §9.2: the CANCEL is answered whatever comes of it.
    pub(crate) fn cancelled(&mut self, scene: &mut Scene<'_>, arrival: &Arrival) {
        if self.manner.answer == Answer::Ignore {
            return;
        }
        self.respond(scene, arrival, 200, Vec::new(), None);
        self.refuse(scene, 487, Vec::new(), Side::Theirs);
    }

    /// An ACK: of our 200, or of our refusal.
    pub(crate) fn acknowledged(&mut self, scene: &mut Scene<'_>, request: &Request) {
        match &mut self.state {
            State::Up(up) => {
                if let (false, Some(answered)) = (self.facts.acknowledged, self.facts.answered) {
                    let took = scene.now - answered;
                    scene.outbox.event(Event::Step { call: self.key, step: Step::Acknowledged, took });
                }
                self.facts.acknowledged = true;
                up.unacknowledged = None;
                // The answer to an offer of ours comes in the ACK (RFC 3261 §13.2.1).
                if let Some(answer) = AudioStream::parse(&request.body)
                    && let Some(ours) = self.describe(None, Direction::SendReceive)
                    && let Some(stream) = &mut self.stream
                {
                    stream.agree(scene.now, &ours, &answer);
                }
                self.leave_if_wanted(scene);
            }
            State::Refused { .. } => self.state = State::Over { until: scene.now + scene.access.linger },
            _ => {}
        }
    }
}
