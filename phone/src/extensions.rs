//! Extensions of SIP that a party may have: reliable provisional responses (RFC 3262) and session timers (RFC 4028).
//!
//! A reliable response is sent once, not until its PRACK comes: what is lost then is lost, as without the extension. A
//! party refreshes its session three times in its interval, so that an UPDATE that is lost does no harm.

use std::time::Duration;

use rsip::message::HeadersExt as _;
use rsip::prelude::{HasHeaders, UntypedHeader as _};
use rsip::{Header, Method, Request, Response};

use crate::call::{Call, Scene};
use crate::manner::Habit;
use crate::message::{self, RequestHead};

/// How often a party refreshes its session within its interval.
const REFRESHES: u32 = 3;

impl Call {
    /// What an INVITE says of extensions.
    pub(crate) fn extensions_of_invite(&self) -> Vec<Header> {
        let reliable = self.manner.reliable.then(|| other("Supported", "100rel"));
        let timer = self.manner.session.map(|interval| {
            [
                other("Supported", "timer"),
                other("Session-Expires", format!("{};refresher=uac", interval.as_secs())),
            ]
        });
        reliable.into_iter().chain(timer.into_iter().flatten()).collect()
    }

    /// What the ringing of a called party says of them.
    pub(crate) fn extensions_of_ringing(&self, invite: &Request) -> Vec<Header> {
        if !self.manner.reliable || !lists(invite, "Supported", "100rel") {
            return Vec::new();
        }
        vec![other("Require", "100rel"), other("RSeq", "1")]
    }

    /// What its answer says: that it refreshes, no less often than the caller wants.
    pub(crate) fn extensions_of_answer(&mut self, invite: &Request) -> Vec<Header> {
        let Some(own) = self.manner.session.filter(|_| lists(invite, "Supported", "timer")) else {
            self.manner.session = None;
            return Vec::new();
        };
        let interval = own.min(interval_of(invite).unwrap_or(own));
        self.manner.session = Some(interval);
        vec![
            other("Require", "timer"),
            other("Session-Expires", format!("{};refresher=uas", interval.as_secs())),
        ]
    }

    /// How long until a refresh is due, of a party that does not forget.
    pub(crate) fn refreshes_every(&self) -> Option<Duration> {
        let interval = self.manner.session.filter(|_| !self.manner.has(Habit::ForgetsToRefresh));
        interval.map(|interval| interval / REFRESHES)
    }

    /// RFC 4028 §7.4: UPDATE without an offer.
    pub(crate) fn refresh(&mut self, scene: &mut Scene<'_>) {
        let Some(interval) = self.manner.session else { return };
        let headers = vec![
            self.contact(scene),
            other("Supported", "timer"),
            other("Session-Expires", format!("{};refresher=uac", interval.as_secs())),
        ];
        let (_, request) = self.next_request(scene, Method::Update, headers, None);
        self.send(scene, request.into());
    }

    /// RFC 3262 §4, each time the response comes.
    pub(crate) fn acknowledge_progress(&mut self, scene: &mut Scene<'_>, response: &Response) {
        let Some(rseq) = value(response, "RSeq").filter(|_| lists(response, "Require", "100rel")) else {
            return;
        };
        let Ok(to) = response.to_header().map(|to| to.value().to_owned()) else { return };
        self.dialog.cseq += 1;
        let branch = scene.access.branch(scene.rng);
        let head = RequestHead {
            method: Method::PRack,
            uri: message::contact(response).unwrap_or_else(|| self.dialog.remote_target.clone()),
            transport: scene.access.transport,
            local: scene.config.address,
            branch: &branch,
            from: &self.dialog.local,
            to: &to,
            call_id: &self.dialog.call_id,
            cseq: self.dialog.cseq,
            session_id: self.named.header(),
        };
        let rack = other("RAck", format!("{rseq} {} INVITE", self.dialog.invite_cseq));
        let bytes: Vec<u8> = message::request(&head, vec![rack], None).into();
        self.send(scene, bytes);
    }
}

pub(crate) fn other(name: &str, value: impl Into<String>) -> Header {
    Header::Other(name.to_owned(), value.into())
}

fn interval_of(message: &impl HasHeaders) -> Option<Duration> {
    let value = value(message, "Session-Expires")?;
    value.split(';').next()?.trim().parse().ok().map(Duration::from_secs)
}

/// The first value of a header, however `rsip` knows it.
pub(crate) fn value(message: &impl HasHeaders, wanted: &str) -> Option<String> {
    message.headers().iter().find_map(|header| value_of(header, wanted))
}

fn lists(message: &impl HasHeaders, wanted: &str, token: &str) -> bool {
    let values = message.headers().iter().filter_map(|header| value_of(header, wanted));
    values
        .flat_map(|value| value.split(',').map(|it| it.trim().to_owned()).collect::<Vec<_>>())
        .any(|it| it == token)
}

fn value_of(header: &Header, wanted: &str) -> Option<String> {
    let text = header.to_string();
    let (name, value) = text.split_once(':')?;
    name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
}
