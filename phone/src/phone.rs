//! A phone, or a carrier: the calls of one SIP address.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rsip::message::HeadersExt as _;
use rsip::prelude::UntypedHeader as _;
use rsip::{Method, SipMessage, Uri};

use crate::access::Access;
use crate::agreed::Agreed;
use crate::call::{Arrival, Call, Dialog, Facts, Scene, State};
use crate::callee::Alerting;
use crate::digest::Credentials;
use crate::ear::Heard;
use crate::inquiry::Inquiries;
use crate::manner::{Manner, Media};
use crate::message;
use crate::naming::Named;
use crate::outbox::Outbox;
use crate::registration::Registration;
use crate::report::{CallKey, Event, Output};
use crate::sdp::Direction;
use crate::stream::{Received, Stream};
use crate::transfer::Consultations;

/// What a phone or carrier is told once.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// The user part of its Contact, and of its address of record.
    pub user: String,
    /// Where it sends and receives SIP.
    pub address: SocketAddr,
    /// Where it sends and receives RTP.
    pub media_address: IpAddr,
    /// Ports for RTP (even) and RTCP (odd).
    pub media_ports: RangeInclusive<u16>,
    /// Where its requests outside a dialog go.
    pub server: SocketAddr,
    /// For challenges; a carrier has none.
    pub credentials: Option<Credentials>,
    /// The expiry it asks for when it registers.
    pub expires: Duration,
    /// How it behaves when called.
    pub manner: Manner,
    /// How it behaves when called at one of these numbers: a carrier has many subscribers.
    pub numbers: BTreeMap<String, Manner>,
    /// Calls at a time; 486 beyond.
    pub lines: usize,
    /// The frequencies it listens for: everybody's voice, music and prompts.
    pub listen_for: Vec<u16>,
}

impl PhoneConfig {
    /// Multiples of 50 Hz in the telephone band, and those of call-progress tones.
    #[must_use]
    pub fn all_frequencies() -> Vec<u16> {
        (6..=68).map(|n| n * 50).chain([440, 480, 620]).collect()
    }
}

/// A phone or carrier as a state machine. See the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct Phone {
    config: PhoneConfig,
    access: Access,
    rng: ChaCha8Rng,
    outbox: Outbox,
    registration: Registration,
    inquiries: Inquiries,
    pub(crate) calls: BTreeMap<CallKey, Call>,
    by_call_id: BTreeMap<String, CallKey>,
    by_port: BTreeMap<u16, CallKey>,
    wakes: BTreeSet<(Duration, CallKey)>,
    wake_of: BTreeMap<CallKey, Duration>,
    callers: BTreeMap<String, Manner>,
    next_key: u64,
    next_port: u16,
    pub(crate) consultations: Consultations,
    live: usize,
    unreadable: u64,
}

impl Phone {
    /// A phone without calls, not registered.
    #[must_use]
    pub fn new(config: PhoneConfig, rng: ChaCha8Rng) -> Self {
        Self::connected(config, Access::default(), rng)
    }

    /// A phone that is connected otherwise than a phone usually is.
    #[must_use]
    pub fn connected(config: PhoneConfig, access: Access, mut rng: ChaCha8Rng) -> Self {
        let call_id = access.call_id(&mut rng);
        let registration = Registration::new(call_id, message::token(&mut rng), config.expires);
        let first = *config.media_ports.start();
        Self {
            next_port: first + first % 2,
            config,
            access,
            rng,
            outbox: Outbox::default(),
            registration,
            inquiries: Inquiries::default(),
            calls: BTreeMap::new(),
            by_call_id: BTreeMap::new(),
            by_port: BTreeMap::new(),
            wakes: BTreeSet::new(),
            wake_of: BTreeMap::new(),
            callers: BTreeMap::new(),
            next_key: 0,
            consultations: Consultations::default(),
            live: 0,
            unreadable: 0,
        }
    }

    /// What it was told.
    #[must_use]
    pub const fn config(&self) -> &PhoneConfig {
        &self.config
    }

    /// Behaves differently in calls that come from now on.
    pub fn change_manner(&mut self, manner: Manner) {
        self.config.manner = manner;
    }

    /// Behaves in this manner when called by `caller`, from now on; before what it does at the called number.
    pub fn expect_caller(&mut self, caller: &str, manner: Manner) {
        self.callers.insert(caller.to_owned(), manner);
    }

    /// Asks what is at `user` of its server (RFC 3261 §11); the answer is an [`Event::Inquired`]. None when `user` is
    /// no user part, or too many answers are waited for.
    pub fn ask_options(&mut self, now: Duration, user: &str) -> Option<CallKey> {
        let key = self.new_key();
        let (inquiries, mut scene) = self.inquiry_scene(now);
        inquiries.ask_options(&mut scene, key, user).then_some(key)
    }

    /// The connection to its server is gone: whatever waits for an answer fails now.
    pub fn connection_lost(&mut self, now: Duration) {
        let (registration, mut scene) = self.registration_scene(now);
        registration.connection_lost(&mut scene);
        let (inquiries, mut scene) = self.inquiry_scene(now);
        inquiries.connection_lost(&mut scene);
        let calls: Vec<_> = self.calls.keys().copied().collect();
        for key in calls {
            self.with_call(now, key, Call::connection_lost);
        }
    }

    /// Registers, and keeps registered.
    pub fn register(&mut self, now: Duration) {
        let (registration, mut scene) = self.registration_scene(now);
        registration.ask(&mut scene, true);
    }

    /// Removes its registration.
    pub fn unregister(&mut self, now: Duration) {
        let (registration, mut scene) = self.registration_scene(now);
        registration.ask(&mut scene, false);
    }

    /// Calls `to` as `from`. None when there is no media port left, or `to` is no user part of a SIP URI.
    pub fn call(&mut self, now: Duration, from: &str, to: &str, manner: Manner) -> Option<CallKey> {
        self.dial(now, (from, to), manner, None)
    }

    /// The same to take the place of another call (RFC 3891), which [`Phone::replaces`] has named.
    pub fn take_over(
        &mut self,
        now: Duration,
        from: &str,
        to: &str,
        replaces: String,
        manner: Manner,
    ) -> Option<CallKey> {
        self.dial(now, (from, to), manner, Some(replaces))
    }

    fn dial(
        &mut self,
        now: Duration,
        (from, to): (&str, &str),
        manner: Manner,
        replaces: Option<String>,
    ) -> Option<CallKey> {
        let (server, scheme) = (self.config.server, self.access.scheme());
        let remote_target = Uri::try_from(format!("{scheme}:{to}@{server}")).ok()?;
        let key = self.new_key();
        let stream = self.open_stream(key, &manner)?;
        let local_tag = message::token(&mut self.rng);
        let dialog = Dialog {
            call_id: self.access.call_id(&mut self.rng),
            local: format!("<{scheme}:{from}@{}>;tag={local_tag}", self.config.address.ip()),
            local_tag,
            remote: format!("<{scheme}:{to}@{}>", server.ip()),
            remote_target,
            destination: server,
            cseq: 0,
            invite_cseq: 0,
        };
        let facts = facts(true, from, to, now);
        self.by_call_id.insert(dialog.call_id.clone(), key);
        let sdp_session = u64::from(self.rng.random::<u32>());
        // Replaced by `invite` before anybody sees it.
        let state = State::Over { until: now };
        self.live += 1;
        let named = self.named(&manner);
        let mut call = Call::new(key, manner, dialog, state, facts, stream, sdp_session);
        (call.replaces, call.named) = (replaces, named);
        self.calls.insert(key, call);
        self.with_call(now, key, |call, scene| call.invite(scene, None));
        Some(key)
    }

    /// Cancels, declines or hangs up, whatever fits.
    pub fn hang_up(&mut self, now: Duration, call: CallKey) {
        self.with_call(now, call, Call::hang_up);
    }

    /// Presses keys, one after the other.
    pub fn press(&mut self, now: Duration, call: CallKey, keys: &str) {
        self.with_call(now, call, |call, _| {
            if let Some(stream) = &mut call.stream {
                stream.press(keys);
            }
        });
    }

    /// Holds: the other side is offered to listen only (RFC 3264 §8.4).
    pub fn hold(&mut self, now: Duration, call: CallKey) {
        self.with_call(now, call, |call, scene| call.reinvite(scene, Direction::SendOnly));
    }

    /// Ends a hold.
    pub fn resume(&mut self, now: Duration, call: CallKey) {
        self.with_call(now, call, |call, scene| call.reinvite(scene, Direction::SendReceive));
    }

    /// What both sides of a call in G.711 agreed on, while it lives.
    #[must_use]
    pub fn agreed(&self, call: CallKey) -> Option<Agreed> {
        self.calls.get(&call)?.stream.as_ref().and_then(Stream::agreed)
    }

    /// What a call hears, while it lives; afterwards it is in its report.
    #[must_use]
    pub fn heard(&self, call: CallKey) -> Option<&Heard> {
        self.calls.get(&call)?.stream.as_ref().map(Stream::heard)
    }

    /// What a call received, while it lives.
    #[must_use]
    pub fn received(&self, call: CallKey) -> Option<&Received> {
        self.calls.get(&call)?.stream.as_ref().map(Stream::received)
    }

    /// How many RTP packets a call sent, while it lives.
    #[must_use]
    pub fn packets_sent(&self, call: CallKey) -> Option<u64> {
        self.calls.get(&call)?.stream.as_ref().map(|stream| stream.sent().packets)
    }

    /// How its server knows a call: the value of a Replaces of somebody who would take its place (RFC 3891 §6.1). A phone
    /// that watches others learns it by the dialog event package (RFC 4235).
    #[must_use]
    pub fn replaces(&self, call: CallKey) -> Option<String> {
        let dialog = &self.calls.get(&call)?.dialog;
        let theirs = message::tag_of(&dialog.remote).unwrap_or_default();
        Some(format!("{};to-tag={theirs};from-tag={}", dialog.call_id, dialog.local_tag))
    }

    /// The calls that are not over.
    pub fn live_calls(&self) -> impl Iterator<Item = CallKey> + '_ {
        self.calls.values().filter(|call| call.is_live()).map(|call| call.key)
    }

    /// SIP datagrams that could not be read.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Takes a SIP datagram.
    pub fn handle_sip(&mut self, now: Duration, source: SocketAddr, bytes: &[u8]) {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return; // a keep-alive (RFC 5626 §3.5.1)
        }
        let Some(message) = message::parse(bytes) else {
            self.unreadable += 1;
            return;
        };
        let Some(identity) = message::identity(&message) else {
            self.unreadable += 1;
            return;
        };
        if let (Method::Register, SipMessage::Response(response)) = (&identity.method, &message) {
            if identity.call_id == self.registration.call_id() {
                let (registration, mut scene) = self.registration_scene(now);
                registration.handle_response(&mut scene, &identity, response);
            }
            return;
        }
        if let Some(key) = self.by_call_id.get(&identity.call_id).copied() {
            return self.with_call(now, key, |call, scene| {
                call.handle_message(scene, source, identity, message);
            });
        }
        if let SipMessage::Response(response) = &message {
            let (inquiries, mut scene) = self.inquiry_scene(now);
            inquiries.handle_response(&mut scene, &identity, response.status_code.code());
        }
        if let SipMessage::Request(request) = message {
            self.handle_new_request(now, &Arrival { source, identity, request });
        }
    }

    /// Takes an RTP packet that came to `local`, or an RTCP packet when its port is odd.
    pub fn handle_rtp(&mut self, now: Duration, local: SocketAddr, source: SocketAddr, bytes: &[u8]) {
        let key = self.by_port.get(&(local.port() & !1)).and_then(|key| self.calls.get_mut(key));
        match key.and_then(|call| call.stream.as_mut()) {
            Some(stream) if local.port().is_multiple_of(2) => stream.handle_packet(now, source, bytes),
            Some(stream) => stream.handle_report(now, bytes),
            None => {}
        }
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.outbox.handle_timeout(now);
        if self.registration.poll_timeout().is_some_and(|at| at <= now) {
            let (registration, mut scene) = self.registration_scene(now);
            registration.handle_timeout(&mut scene);
        }
        let (inquiries, mut scene) = self.inquiry_scene(now);
        inquiries.handle_timeout(&mut scene);
        while let Some((at, key)) = self.wakes.first().copied() {
            if at > now {
                return;
            }
            if self.calls.get(&key).is_none_or(|call| call.is_forgotten(now)) {
                self.forget(key);
            } else {
                self.with_call(now, key, Call::handle_timeout);
            }
        }
    }

    /// When [`Phone::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let calls = self.wakes.first().map(|(at, _)| *at);
        let others =
            [self.registration.poll_timeout(), self.inquiries.poll_timeout(), self.outbox.poll_timeout()];
        others.into_iter().chain([calls]).flatten().min()
    }

    /// The next output, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.poll()
    }

    fn handle_new_request(&mut self, now: Duration, arrival: &Arrival) {
        let Arrival { source, identity, request } = arrival;
        if request.method == Method::Ack || self.outbox.answer_again(identity) {
            return;
        }
        let status = match request.method {
            Method::Invite if identity.to_tag.is_none() => {
                let busy = self.live >= self.config.lines;
                if !busy && self.accept_call(now, arrival) {
                    return;
                }
                486
            }
            Method::Options => 200,
            Method::Invite | Method::Bye | Method::Cancel | Method::Notify => 481,
            _ => 501,
        };
        let tag = message::token(&mut self.rng);
        let response = message::response(request, status, Some(&tag), Vec::new(), None);
        self.outbox.answer(now, &self.config.manner, identity, *source, response.into());
    }

    /// Takes an INVITE; false when there is no port for its media.
    fn accept_call(&mut self, now: Duration, arrival: &Arrival) -> bool {
        let Arrival { source, identity, request } = arrival;
        let to = request.uri.user().unwrap_or("").to_owned();
        let from = request.from_header().map(message::user_of).unwrap_or_default();
        let at_number = self.config.numbers.get(&to);
        let manner = self.callers.get(&from).or(at_number).unwrap_or(&self.config.manner).clone();
        let key = self.new_key();
        let (Some(stream), Ok(from_header), Ok(to_header)) =
            (self.open_stream(key, &manner), request.from_header(), request.to_header())
        else {
            return false;
        };
        let remote_target = message::contact(request).unwrap_or_default();
        let local_tag = message::token(&mut self.rng);
        let dialog = Dialog {
            call_id: identity.call_id.clone(),
            local: format!("{};tag={local_tag}", to_header.value()),
            local_tag,
            remote: from_header.value().to_owned(),
            destination: self.access.destination(&remote_target, *source),
            remote_target,
            cseq: 0,
            invite_cseq: 0,
        };
        let facts = facts(false, &from, &to, now);
        self.by_call_id.insert(identity.call_id.clone(), key);
        let state = State::Alerting(Alerting::new(arrival.clone()));
        self.live += 1;
        let sdp_session = u64::from(self.rng.random::<u32>());
        let mut named = self.named(&manner);
        named.hear(request);
        let mut call = Call::new(key, manner, dialog, state, facts, stream, sdp_session);
        call.named = named;
        self.calls.insert(key, call);
        self.outbox.event(Event::Incoming { call: key, from, to });
        self.with_call(now, key, Call::alert);
        true
    }

    fn named(&mut self, manner: &Manner) -> Named {
        if manner.session_id { Named::new(&mut self.rng) } else { Named::default() }
    }

    fn new_key(&mut self) -> CallKey {
        self.next_key += 1;
        CallKey(self.next_key)
    }

    /// A stream on the next free port of the range, in turn; on none for one who neither speaks nor listens.
    fn open_stream(&mut self, key: CallKey, manner: &Manner) -> Option<Stream> {
        if let Media::Elsewhere(at) = manner.media {
            return Some(Stream::new(&mut self.rng, at, manner, &[]));
        }
        let (first, last) = (*self.config.media_ports.start(), *self.config.media_ports.end());
        for _ in (first..=last).step_by(2) {
            let port = self.next_port;
            self.next_port = if port.saturating_add(3) <= last { port + 2 } else { first + first % 2 };
            if let Entry::Vacant(free) = self.by_port.entry(port) {
                free.insert(key);
                let local = SocketAddr::new(self.config.media_address, port);
                self.outbox.push(Output::OpenMedia { local });
                return Some(Stream::new(&mut self.rng, local, manner, &self.config.listen_for));
            }
        }
        None
    }

    fn registration_scene(&mut self, now: Duration) -> (&mut Registration, Scene<'_>) {
        let Self { config, access, rng, outbox, registration, .. } = self;
        (registration, Scene { now, config, access, rng, outbox })
    }

    fn inquiry_scene(&mut self, now: Duration) -> (&mut Inquiries, Scene<'_>) {
        let Self { config, access, rng, outbox, inquiries, .. } = self;
        (inquiries, Scene { now, config, access, rng, outbox })
    }

    /// Does something with a call, then notes when it wants to be woken.
    pub(crate) fn with_call(
        &mut self,
        now: Duration,
        key: CallKey,
        act: impl FnOnce(&mut Call, &mut Scene<'_>),
    ) {
        let Self { config, access, rng, outbox, calls, by_port, .. } = self;
        let Some(call) = calls.get_mut(&key) else { return };
        let mut scene = Scene { now, config, access, rng, outbox };
        let port = call.port();
        act(call, &mut scene);
        if let (Some(port), false) = (port, call.is_live()) {
            self.live -= 1;
            if by_port.get(&port) == Some(&key) {
                by_port.remove(&port);
            }
        }
        let wake = call.poll_timeout();
        if let Some(old) = self.wake_of.remove(&key) {
            self.wakes.remove(&(old, key));
        }
        if let Some(at) = wake {
            self.wakes.insert((at, key));
            self.wake_of.insert(key, at);
        }
        self.fulfil(now, key);
    }

    fn forget(&mut self, key: CallKey) {
        if let Some(call) = self.calls.remove(&key) {
            self.by_call_id.remove(&call.dialog.call_id);
        }
        if let Some(at) = self.wake_of.remove(&key) {
            self.wakes.remove(&(at, key));
        }
    }
}

fn facts(caller: bool, from: &str, to: &str, began: Duration) -> Facts {
    Facts {
        caller,
        from: from.to_owned(),
        to: to.to_owned(),
        began,
        trying: None,
        ringing: None,
        answered: None,
        finals: Vec::new(),
        acknowledged: false,
    }
}
