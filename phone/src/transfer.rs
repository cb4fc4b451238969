//! Transfers: asking the other side of a call to call somebody (REFER, RFC 3515), after a consultation or without one,
//! being told by NOTIFY what came of it, and being asked.
//!
//! ```text
//!  blind      Up ──REFER──▶ 202 ──NOTIFY …──▶ told (and gone at the 202, or hung up by the other side, or back)
//!  attended   Up ──hold, another call──▶ talks there ──REFER with Replaces (RFC 3891)──▶ as above
//!  three-way  Up ──hold, another call──▶ talks there ──keys a code──▶ goes on there, and this one is hung up
//! ```
//!
//! A call knows nothing of its phone's other calls: what it needs of them it wishes for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rsip::{Header, Method};

use crate::call::{Arrival, Call, Scene, State};
use crate::extensions::{other, value};
use crate::manner::{Manner, Referred, Transfer, TransferWay};
use crate::message::Identity;
use crate::phone::Phone;
use crate::report::{CallKey, Event, Side};
use crate::retransmission::{Due, Retransmission};
use crate::sdp::Direction;

/// How long a party stays in the conference that it made.
const CONFERENCE: Duration = Duration::from_secs(8);

/// How long somebody is rung for a consultation.
const CONSULTATION_PATIENCE: Duration = Duration::from_secs(8);

/// NOTIFYs that wait for the one before them to be answered.
const MAX_NOTIFIES: usize = 4;

/// A REFER of ours.
#[derive(Debug)]
pub(crate) struct Asking {
    branch: String,
    /// None once it has its final response.
    transaction: Option<Retransmission>,
}

/// A REFER of the other side's that was accepted.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What it is told, and when.
    decides_at: Option<Duration>,
    waiting: VecDeque<(u16, bool)>,
    notify: Option<(String, Retransmission)>,
}

/// What a call wants its phone to do.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Call somebody on another line.
    Consult { to: String, consulting: Consulting, manner: Box<Manner> },
    /// This call was the consultation: join.
    Join,
    /// This call was the consultation, and is for itself from now on.
    LetGo,
    /// Nobody joins: the consultation is over.
    GoBack,
}

/// What a call is for that was made while another one is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consulting {
    /// How long the two talk first.
    talks: Duration,
    /// The code that is keyed then; without one the other side is asked to join the two calls (REFER).
    code: Option<&'static str>,
}

impl Asking {
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.transaction.as_ref().map(Retransmission::next_at)
    }
}

impl Asked {
    pub(crate) fn next_at(&self) -> Option<Duration> {
        let notify = self.notify.as_ref().map(|(_, notify)| notify.next_at());
        [self.decides_at, notify].into_iter().flatten().min()
    }
}

impl Call {
    /// When it transfers the other side; of a consultation, when it has said enough.
    pub(crate) fn transfers_after(&self) -> Option<Duration> {
        let talks = self.consulting.map(|consulting| consulting.talks);
        talks.or_else(|| self.manner.transfer.as_ref().map(|transfer| transfer.after))
    }

    pub(crate) fn begin_transfer(&mut self, scene: &mut Scene<'_>) {
        if let Some(consulting) = self.consulting {
            self.wish = Some(match (consulting.code, &mut self.stream) {
                (Some(code), Some(stream)) => {
                    stream.press(code);
                    Wish::LetGo
                }
                _ => Wish::Join,
            });
            return;
        }
        let Some(Transfer { to, way, .. }) = self.manner.transfer.clone() else { return };
        match way {
            TransferWay::Blind | TransferWay::BlindAndLeave => self.refer(scene, &to, None),
            TransferWay::Attended { talks } => self.consult(scene, to, Consulting { talks, code: None }),
            TransferWay::Conference { talks, code } => {
                self.consult(scene, to, Consulting { talks, code: Some(code) });
            }
        }
    }

    fn consult(&mut self, scene: &mut Scene<'_>, to: String, consulting: Consulting) {
        self.reinvite(scene, Direction::SendOnly);
        let manner = Manner {
            talk: consulting.code.map(|_| consulting.talks + CONFERENCE),
            transfer: None,
            keys: Vec::new(),
            holds: Vec::new(),
            patience: Some(CONSULTATION_PATIENCE),
            ..self.manner.clone()
        };
        self.wish = Some(Wish::Consult { to, consulting, manner: Box::new(manner) });
    }

    /// Asks the other side to call `to`, in the place of us in the dialog that `replaces` names (RFC 3891 §4.2).
    pub(crate) fn refer(&mut self, scene: &mut Scene<'_>, to: &str, replaces: Option<&str>) {
        if !matches!(self.state, State::Up(_))
            || self.asking.as_ref().is_some_and(|it| it.transaction.is_some())
        {
            return;
        }
        let headers = replaces.map(|it| format!("?Replaces={}", escaped(it))).unwrap_or_default();
        let config = scene.config;
        let scheme = scene.access.scheme();
        let refer_to = format!("<{scheme}:{to}@{}{headers}>", config.server.ip());
        let referred_by = format!("<{scheme}:{}@{}>", config.user, config.server.ip());
        let more = vec![self.contact(scene), other("Refer-To", refer_to), other("Referred-By", referred_by)];
        let (branch, request) = self.next_request(scene, Method::Refer, more, None);
        let bytes: Vec<u8> = request.into();
        self.send(scene, bytes.clone());
        let transaction = Retransmission::other(scene.now, self.dialog.destination, bytes).on(scene.access);
        self.asking = Some(Asking { branch, transaction: Some(transaction) });
    }

    /// A final response to our REFER; none came when it has no status.
    pub(crate) fn refer_answered(&mut self, scene: &mut Scene<'_>, branch: &str, status: Option<u16>) {
        let Some(asking) = self.asking.as_mut().filter(|it| it.branch == branch) else { return };
        if asking.transaction.take().is_none() {
            return;
        }
        scene.outbox.event(Event::TransferAnswered { call: self.key, status });
        let leaves = self.manner.transfer.as_ref().is_some_and(|it| it.way == TransferWay::BlindAndLeave);
        match status {
            Some(200..300) if leaves && matches!(self.state, State::Up(_)) => self.bye(scene, Side::Ours),
            Some(200..300) => {}
            _ => self.go_back(scene),
        }
    }

    /// RFC 3515 §2.4.5: what came of our REFER.
    pub(crate) fn notified(&mut self, scene: &mut Scene<'_>, arrival: &Arrival) {
        let about = value(&arrival.request, "Event").unwrap_or_default();
        if self.asking.is_none() || !about.starts_with("refer") {
            return self.respond(scene, arrival, 481, Vec::new(), None);
        }
        self.respond(scene, arrival, 200, Vec::new(), None);
        let fragment = String::from_utf8_lossy(&arrival.request.body);
        let status = fragment.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let state = value(&arrival.request, "Subscription-State").unwrap_or_default();
        let is_last = state.starts_with("terminated");
        scene.outbox.event(Event::TransferProgress { call: self.key, status, is_last });
        if is_last && status >= 300 {
            self.go_back(scene);
        }
    }

    /// The transfer came to nothing: the two talk again.
    pub(crate) fn go_back(&mut self, scene: &mut Scene<'_>) {
        let consults = |it: &Transfer| it.way.consults();
        if self.consulting.is_none() && self.manner.transfer.as_ref().is_some_and(consults) {
            self.reinvite(scene, Direction::SendReceive);
            self.wish = Some(Wish::GoBack);
        }
    }

    /// We are asked to call somebody.
    pub(crate) fn asked_to_call(&mut self, scene: &mut Scene<'_>, arrival: &Arrival) {
        let (status, told, decides_at) = match self.manner.referred {
            Referred::Refuses { status } => (status, None, None),
            Referred::Leaves => (202, None, Some(scene.now)),
            Referred::Tells { after, .. } => (202, Some(100), Some(scene.now + after)),
        };
        let contact = vec![self.contact(scene)];
        self.respond(scene, arrival, status, contact, None);
        if status >= 300 {
            return;
        }
        let waiting = told.map(|status| (status, false)).into_iter().collect();
        self.asked = Some(Asked { decides_at, waiting, notify: None });
        self.tell_next(scene);
    }

    /// Of the other side's REFER, and of ours.
    pub(crate) fn transfer_timeout(&mut self, scene: &mut Scene<'_>) {
        let asking = self.asking.as_mut();
        if let Some((branch, transaction)) =
            asking.and_then(|it| Some((it.branch.clone(), it.transaction.as_mut()?)))
        {
            match transaction.due(scene.now) {
                Due::Nothing => {}
                Due::Again(to, bytes) => scene.outbox.sip(scene.now, &self.manner, to, bytes),
                Due::GiveUp => self.refer_answered(scene, &branch, None),
            }
        }
        let Some(asked) = &mut self.asked else { return };
        if let Some((_, notify)) = &mut asked.notify {
            match notify.due(scene.now) {
                Due::Nothing => {}
                Due::Again(to, bytes) => scene.outbox.sip(scene.now, &self.manner, to, bytes),
                Due::GiveUp => asked.notify = None,
            }
        }
        if asked.decides_at.is_some_and(|at| at <= scene.now) {
            asked.decides_at = None;
            match self.manner.referred {
                Referred::Tells { status, .. } if asked.waiting.len() < MAX_NOTIFIES => {
                    asked.waiting.push_back((status, true));
                    self.tell_next(scene);
                }
                Referred::Leaves => self.hang_up(scene),
                _ => {}
            }
        }
    }

    /// The other side has our NOTIFY, or does not want it.
    pub(crate) fn notify_answered(&mut self, scene: &mut Scene<'_>, identity: &Identity) {
        let Some(asked) = &mut self.asked else { return };
        if asked.notify.as_ref().is_some_and(|(branch, _)| *branch == identity.branch) {
            asked.notify = None;
            self.tell_next(scene);
        }
    }

    fn tell_next(&mut self, scene: &mut Scene<'_>) {
        let Some(asked) = self.asked.as_mut().filter(|it| it.notify.is_none()) else { return };
        let Some((status, is_last)) = asked.waiting.pop_front() else { return };
        let state = if is_last { "terminated;reason=noresource" } else { "active;expires=60" };
        let more = vec![
            self.contact(scene),
            other("Event", "refer"),
            other("Subscription-State", state),
            Header::ContentType("message/sipfrag;version=2.0".into()),
        ];
        let fragment = format!("SIP/2.0 {status} Told\r\n");
        let (branch, request) = self.next_request(scene, Method::Notify, more, Some(fragment));
        let bytes: Vec<u8> = request.into();
        self.send(scene, bytes.clone());
        let notify = Retransmission::other(scene.now, self.dialog.destination, bytes).on(scene.access);
        if let Some(asked) = &mut self.asked {
            asked.notify = Some((branch, notify));
        }
    }
}

/// Which call of a phone is held while another one is its consultation.
#[derive(Debug, Default)]
pub(crate) struct Consultations {
    held: BTreeMap<CallKey, CallKey>,
}

impl Consultations {
    fn of(&self, held: CallKey) -> Option<CallKey> {
        self.held.iter().find(|(_, found)| **found == held).map(|(consultation, _)| *consultation)
    }
}

impl Phone {
    /// Asks the other side of a call to call `to` (REFER).
    pub fn transfer(&mut self, now: Duration, call: CallKey, to: &str) {
        self.with_call(now, call, |call, scene| call.refer(scene, to, None));
    }

    /// Does what a call wants of others.
    pub(crate) fn fulfil(&mut self, now: Duration, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        match call.wish.take() {
            Some(Wish::Consult { to, consulting, manner }) => {
                self.consult(now, key, &to, consulting, *manner);
            }
            Some(Wish::Join) => self.join(now, key),
            Some(Wish::LetGo) => drop(self.consultations.held.remove(&key)),
            Some(Wish::GoBack) => {
                if let Some(consultation) = self.consultations.of(key) {
                    self.hang_up(now, consultation);
                }
            }
            None => {}
        }
        if self.calls.get(&key).is_some_and(Call::is_live) {
            return;
        }
        if let Some(held) = self.consultations.held.remove(&key) {
            self.with_call(now, held, |call, scene| {
                // Whom it wanted to be joined with is gone; a REFER that is under way says by itself what becomes of it.
                if call.asking.is_none() {
                    call.go_back(scene);
                }
            });
        } else if let Some(consultation) = self.consultations.of(key) {
            self.consultations.held.remove(&consultation);
            self.hang_up(now, consultation);
        }
    }

    fn consult(&mut self, now: Duration, held: CallKey, to: &str, consulting: Consulting, manner: Manner) {
        let user = self.config().user.clone();
        let Some(consultation) = self.call(now, &user, to, manner) else {
            return self.with_call(now, held, Call::go_back);
        };
        self.consultations.held.insert(consultation, held);
        if let Some(call) = self.calls.get_mut(&consultation) {
            call.consulting = Some(consulting);
        }
    }

    /// The two calls are to become one without us.
    fn join(&mut self, now: Duration, consultation: CallKey) {
        let (Some(held), Some(replaces), Some(call)) = (
            self.consultations.held.get(&consultation).copied(),
            self.replaces(consultation),
            self.calls.get(&consultation),
        ) else {
            return;
        };
        let to = call.facts.to.clone();
        self.with_call(now, held, |call, scene| call.refer(scene, &to, Some(&replaces)));
    }
}

/// As the value of a URI's header (RFC 3261 §25.1, `hvalue`).
fn escaped(text: &str) -> String {
    let escape = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c.to_string()
        } else {
            format!("%{:02X}", u32::from(c))
        }
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use rsip::Uri;

    use super::*;

    /// RFC 3891 §4.2, and a URI that `rsip` reads.
    #[test]
    fn a_replaces_in_a_uri_is_escaped() {
        let text = escaped("12@host;to-tag=a;from-tag=b");
        assert_eq!(text, "12%40host%3Bto-tag%3Da%3Bfrom-tag%3Db");
        assert!(Uri::try_from(format!("sip:carol@127.0.0.1?Replaces={text}")).is_ok());
    }
}
