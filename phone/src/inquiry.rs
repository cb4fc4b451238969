//! Questions outside any dialog: OPTIONS (RFC 3261 §11), a non-INVITE client transaction each (§17.1.2).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rsip::{Header, Method, Uri};

use crate::call::Scene;
use crate::message::{self, Identity, RequestHead};
use crate::report::{CallKey, Event};
use crate::retransmission::{Due, Retransmission};

/// Questions that wait for an answer.
const MAX_INQUIRIES: usize = 100_000;

#[derive(Debug)]
struct Inquiry {
    key: CallKey,
    since: Duration,
    transaction: Retransmission,
}

/// The questions of a phone that are not answered, by branch.
#[derive(Debug, Default)]
pub(crate) struct Inquiries {
    open: BTreeMap<String, Inquiry>,
    wakes: BTreeSet<(Duration, String)>,
}

impl Inquiries {
    /// False when `user` is no user part of a URI, or too many are open.
    pub(crate) fn ask_options(&mut self, scene: &mut Scene<'_>, key: CallKey, user: &str) -> bool {
        let config = scene.config;
        let Ok(uri) = Uri::try_from(format!("sip:{user}@{}", config.server)) else { return false };
        if self.open.len() >= MAX_INQUIRIES {
            return false;
        }
        let branch = scene.access.branch(scene.rng);
        let head = RequestHead {
            method: Method::Options,
            uri,
            transport: scene.access.transport,
            local: config.address,
            branch: &branch,
            from: &format!("<sip:{}@{}>;tag={}", config.user, config.address.ip(), message::token(scene.rng)),
            to: &format!("<sip:{user}@{}>", config.server.ip()),
            call_id: &scene.access.call_id(scene.rng),
            cseq: 1,
            session_id: None,
        };
        let accept = vec![Header::Accept("application/sdp".into())];
        let bytes: Vec<u8> = message::request(&head, accept, None).into();
        scene.outbox.sip(scene.now, &config.manner, config.server, bytes.clone());
        let transaction = Retransmission::other(scene.now, config.server, bytes).on(scene.access);
        self.wakes.insert((transaction.next_at(), branch.clone()));
        self.open.insert(branch, Inquiry { key, since: scene.now, transaction });
        true
    }

    pub(crate) fn handle_response(&mut self, scene: &mut Scene<'_>, identity: &Identity, status: u16) {
        if status >= 200 {
            self.finish(scene, &identity.branch, Some(status));
        }
    }

    /// The connection is gone: answers will not come.
    pub(crate) fn connection_lost(&mut self, scene: &mut Scene<'_>) {
        while let Some(branch) = self.open.keys().next().cloned() {
            self.finish(scene, &branch, Some(503));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.wakes.first().map(|(at, _)| *at)
    }

    pub(crate) fn handle_timeout(&mut self, scene: &mut Scene<'_>) {
        while self.wakes.first().is_some_and(|(at, _)| *at <= scene.now) {
            let Some((_, branch)) = self.wakes.pop_first() else { return };
            let Some(inquiry) = self.open.get_mut(&branch) else { continue };
            match inquiry.transaction.due(scene.now) {
                Due::Again(to, bytes) => scene.outbox.sip(scene.now, &scene.config.manner, to, bytes),
                Due::Nothing => {}
                Due::GiveUp => {
                    self.finish(scene, &branch, None);
                    continue;
                }
            }
            self.wakes.insert((inquiry.transaction.next_at(), branch));
        }
    }

    fn finish(&mut self, scene: &mut Scene<'_>, branch: &str, status: Option<u16>) {
        let Some(Inquiry { key, since, transaction }) = self.open.remove(branch) else { return };
        self.wakes.remove(&(transaction.next_at(), branch.to_owned()));
        scene.outbox.event(Event::Inquired { inquiry: key, status, took: scene.now - since });
    }
}
