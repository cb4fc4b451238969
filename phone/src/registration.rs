//! Keeping a registration (RFC 3261 §10.2), with digest credentials when challenged.

use std::time::Duration;

use rsip::message::HeadersExt as _;
use rsip::prelude::{ToTypedHeader as _, UntypedHeader as _};
use rsip::{Header, Method, Response, Uri};

use crate::call::Scene;
use crate::digest::Challenge;
use crate::manner::Manner;
use crate::message::{self, Identity, RequestHead};
use crate::report::Event;
use crate::retransmission::{Due, Retransmission};

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// The longest expiry believed.
const MAX_EXPIRES: Duration = Duration::from_secs(86_400);

/// Challenges answered in a row before it counts as a failure.
const MAX_CHALLENGES: u8 = 2;

/// The registration of one phone.
#[derive(Debug)]
pub(crate) struct Registration {
    call_id: String,
    tag: String,
    cseq: u32,
    expires: Duration,
    challenge: Option<Challenge>,
    state: State,
}

#[derive(Debug)]
enum State {
    Idle,
    /// A REGISTER is out; `wanted` is false for one that removes the contact.
    Asking {
        transaction: Retransmission,
        branch: String,
        since: Duration,
        challenges: u8,
        wanted: bool,
    },
    /// Granted, or failed: ask (again) then.
    Waiting {
        ask_at: Duration,
    },
}

impl Registration {
    pub(crate) fn new(call_id: String, tag: String, expires: Duration) -> Self {
        Self { call_id, tag, cseq: 0, expires, challenge: None, state: State::Idle }
    }

    pub(crate) fn call_id(&self) -> &str {
        &self.call_id
    }

    pub(crate) fn ask(&mut self, scene: &mut Scene<'_>, wanted: bool) {
        self.send(scene, wanted, 0);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Idle => None,
            State::Asking { transaction, .. } => Some(transaction.next_at()),
            State::Waiting { ask_at } => Some(*ask_at),
        }
    }

    pub(crate) fn handle_timeout(&mut self, scene: &mut Scene<'_>) {
        match &mut self.state {
            State::Idle => {}
            State::Waiting { ask_at } if *ask_at <= scene.now => self.ask(scene, true),
            State::Waiting { .. } => {}
            State::Asking { transaction, wanted, .. } => match transaction.due(scene.now) {
                Due::Nothing => {}
                Due::Again(to, bytes) => scene.outbox.sip(scene.now, &scene.config.manner, to, bytes),
                Due::GiveUp => {
                    let wanted = *wanted;
                    self.failed(scene, None, wanted);
                }
            },
        }
    }

    pub(crate) fn handle_response(
        &mut self,
        scene: &mut Scene<'_>,
        identity: &Identity,
        response: &Response,
    ) {
        let State::Asking { branch, challenges, wanted, since, .. } = &self.state else { return };
        let (challenges, wanted, took) = (*challenges, *wanted, scene.now - *since);
        if *branch != identity.branch {
            return;
        }
        let status = response.status_code.code();
        if status >= 200 {
            scene.outbox.event(Event::RegisterAnswered { status, took });
        }
        match status {
            100..200 => {}
            200..300 if wanted => {
                let granted = self.granted(scene, response);
                // Half-way, so that a lost refresh can be repeated in time.
                self.state = State::Waiting { ask_at: scene.now + granted / 2 };
                scene.outbox.event(Event::Registered { expires: granted });
            }
            200..300 => {
                self.state = State::Idle;
                scene.outbox.event(Event::Unregistered);
            }
            401 | 407 if challenges < MAX_CHALLENGES && scene.config.credentials.is_some() => {
                self.challenge = Challenge::of(response);
                match self.challenge {
                    Some(_) => self.send(scene, wanted, challenges + 1),
                    None => self.failed(scene, Some(status), wanted),
                }
            }
            423 if challenges < MAX_CHALLENGES => {
                let shortest = response.min_expires_header().and_then(|h| h.value().trim().parse().ok());
                self.expires = shortest.map_or(self.expires, Duration::from_secs).min(MAX_EXPIRES);
                self.send(scene, wanted, challenges + 1);
            }
            status => self.failed(scene, Some(status), wanted),
        }
    }

    /// The connection is gone: an answer will not come.
    pub(crate) fn connection_lost(&mut self, scene: &mut Scene<'_>) {
        if let State::Asking { wanted, .. } = self.state {
            self.failed(scene, Some(503), wanted);
        }
    }

    /// Our contact's expiry in the answer (RFC 3261 §10.2.4).
    fn granted(&self, scene: &Scene<'_>, response: &Response) -> Duration {
        let address = scene.config.address.to_string();
        let ours = response.contact_headers().into_iter().find(|c| c.value().contains(&address));
        let seconds = ours
            .and_then(|contact| contact.typed().ok())
            .and_then(|contact| contact.expires().and_then(|expires| expires.value().parse::<u64>().ok()))
            .or_else(|| response.expires_header().and_then(|expires| expires.value().trim().parse().ok()));
        seconds.map_or(self.expires, Duration::from_secs).min(MAX_EXPIRES)
    }

    fn failed(&mut self, scene: &mut Scene<'_>, status: Option<u16>, wanted: bool) {
        self.challenge = None;
        self.state = if wanted { State::Waiting { ask_at: scene.now + RETRY } } else { State::Idle };
        scene.outbox.event(Event::RegistrationFailed { status });
    }

    fn send(&mut self, scene: &mut Scene<'_>, wanted: bool, challenges: u8) {
        let config = scene.config;
        let scheme = scene.access.scheme();
        let Ok(uri) = Uri::try_from(format!("{scheme}:{}", config.server)) else { return };
        self.cseq += 1;
        let branch = scene.access.branch(scene.rng);
        let address_of_record = format!("<{scheme}:{}@{}>", config.user, config.server.ip());
        let head = RequestHead {
            method: Method::Register,
            uri: uri.clone(),
            transport: scene.access.transport,
            local: config.address,
            branch: &branch,
            from: &format!("{address_of_record};tag={}", self.tag),
            to: &address_of_record,
            call_id: &self.call_id,
            cseq: self.cseq,
            session_id: None,
        };
        let expires = if wanted { self.expires.as_secs() } else { 0 };
        let transport = scene.access.in_uri();
        let contact = format!("<{scheme}:{}@{}{transport}>;expires={expires}", config.user, config.address);
        let mut headers = vec![Header::Contact(contact.into()), Header::Expires(expires.to_string().into())];
        if let (Some(credentials), Some(challenge)) = (&config.credentials, &mut self.challenge)
            && challenge.is_fresh()
        {
            headers.push(challenge.answer(scene.rng, credentials, Method::Register, &uri));
        }
        let bytes: Vec<u8> = message::request(&head, headers, None).into();
        let manner: &Manner = &config.manner;
        scene.outbox.sip(scene.now, manner, config.server, bytes.clone());
        let transaction = Retransmission::other(scene.now, config.server, bytes).on(scene.access);
        self.state = State::Asking { transaction, branch, since: scene.now, challenges, wanted };
    }
}
