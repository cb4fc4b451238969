//! The signalling core's thread: owns the switch, and is woken when there is something to do.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use tandem_config::{Recording, Speech};
use tandem_control::{ContactCentre, ContactCentreConfig};
use tandem_media::Command;
use tandem_media_net::{MediaHandle, RingFull};
use tandem_sbc::user_agent::{News, SourceChange, TransportFailure, UserAgentConfig};
use tandem_sbc_net::{Bell, Datagrams, Inbound, InboxReader, Resolver, Transports};
use tandem_store::Store;
use tandem_switch::{Output, PromptLibrary, Switch, SwitchConfig, WorkerIndex};
use tandem_time::Instant;
use tokio::sync::watch;

use super::call_log::CallLog;
use super::clock::Clock;
use super::picture::{self, Picture};
use super::recorder::Recorder;
use super::recording_orders::RecordingOrder;
use crate::speech::Speaker;

/// SIP messages, or events of one media thread, taken before the others get their turn.
const BATCH: usize = 64;
/// How often the picture is renewed; also the longest the core sleeps.
const PICTURE_INTERVAL: Duration = Duration::from_millis(250);
/// How often a full ring is tried again.
const BACKLOG_PACE: Duration = Duration::from_millis(1);
/// Commands kept for a media thread whose ring is full.
const MAX_BACKLOG: usize = 65_536;

/// What the node tells its core.
#[derive(Debug)]
pub(super) enum Order {
    /// Take this configuration.
    Reload(Box<Reload>),
    /// Take no new calls.
    Drain,
    /// End every call.
    HangUp,
    /// Hear a banned source again.
    Unban(IpAddr),
    /// Do something to the recording of a call.
    Record(RecordingOrder),
    /// Come to an end.
    Stop,
}

/// A configuration for the core, checked.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) switch: SwitchConfig,
    pub(super) user_agent: Arc<UserAgentConfig>,
    pub(super) prompts: PromptLibrary,
    pub(super) contact_centre: ContactCentreConfig,
    pub(super) speech: Option<Speech>,
    pub(super) recording: Option<Recording>,
}

/// A SIP message that came or went.
#[derive(Debug)]
pub(crate) struct Seen {
    /// When.
    pub(crate) at: Instant,
    /// From or to whom.
    pub(crate) peer: SocketAddr,
    /// Which way.
    pub(crate) way: Way,
    /// The message.
    pub(crate) bytes: Vec<u8>,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To us.
    In,
    /// From us.
    Out,
}

/// Shows every SIP message to somebody who watches; what does not fit the queue is not shown.
pub(crate) type Tap = SyncSender<Seen>;

/// What the core's thread owns.
pub(super) struct Core {
    pub(super) clock: Clock,
    pub(super) switch: Switch<CallLog<ContactCentre>>,
    pub(super) datagrams: Datagrams,
    pub(super) inbox: InboxReader,
    /// Rung by everybody else who has something for the core.
    pub(super) bell: Arc<Bell>,
    pub(super) media: Vec<MediaLink>,
    pub(super) transports: Arc<Transports>,
    pub(super) resolver: Arc<Resolver>,
    pub(super) speaker: Speaker,
    pub(super) recorder: Recorder,
    pub(super) store: Store,
    pub(super) orders: Receiver<Order>,
    pub(super) picture: watch::Sender<Arc<Picture>>,
    /// When the picture is renewed.
    pub(super) picture_due: Instant,
    pub(super) draining: bool,
    pub(super) tap: Option<Tap>,
}

/// A media thread as the core sees it.
#[derive(Debug)]
pub(super) struct MediaLink {
    handle: MediaHandle,
    /// What its ring had no room for.
    backlog: VecDeque<Command>,
}

impl MediaLink {
    pub(super) const fn new(handle: MediaHandle) -> Self {
        Self { handle, backlog: VecDeque::new() }
    }

    fn send(&mut self, command: Command) {
        let unsent =
            if self.backlog.is_empty() { self.handle.send(command).err() } else { Some(RingFull(command)) };
        let Some(RingFull(command)) = unsent else { return };
        if self.backlog.len() == MAX_BACKLOG {
            tracing::error!("a media thread has not taken {MAX_BACKLOG} commands; one is lost");
        } else {
            self.backlog.push_back(command);
        }
    }

    fn flush(&mut self) {
        while let Some(command) = self.backlog.pop_front() {
            if let Err(RingFull(command)) = self.handle.send(command) {
                self.backlog.push_front(command);
                return;
            }
        }
    }
}

impl Core {
    /// Runs until told to stop; gives back who still writes.
    pub(super) fn run(mut self) -> (Store, Recorder) {
        loop {
            while let Ok(order) = self.orders.try_recv() {
                match order {
                    Order::Reload(reload) => self.reload(*reload),
                    Order::Drain => {
                        self.draining = true;
                        self.switch.drain();
                        self.switch.unregister(self.clock.now());
                    }
                    Order::HangUp => {
                        let now = self.clock.now();
                        self.switch.hang_up_all(now);
                    }
                    Order::Unban(address) => {
                        self.switch.unban(address);
                    }
                    Order::Record(order) => order.carry_out(self.clock.now(), &mut self.switch),
                    Order::Stop => return (self.store, self.recorder),
                }
                self.send_outputs();
                self.transports.flush();
                self.show();
            }
            let datagrams = self.datagrams.receive();
            let packets = self.take_packets();
            let events = self.take_media_events();
            self.take_speech();
            self.take_recordings();
            self.do_what_is_due();
            self.transports.flush();
            self.show();
            if !datagrams && !packets && !events {
                self.sleep();
            }
        }
    }

    fn reload(&mut self, reload: Reload) {
        let now = self.clock.now();
        self.speaker.reload(reload.speech.as_ref());
        self.recorder.reload(reload.recording.as_ref());
        self.switch.reload(reload.switch, reload.user_agent, reload.prompts);
        if let Err(error) = self.switch.plane_mut().plane_mut().reload(now, reload.contact_centre) {
            tracing::error!(%error, "the contact centre keeps its old configuration");
        }
        self.switch.handle_timeout(now);
    }

    /// Whether there was a packet.
    fn take_packets(&mut self) -> bool {
        for taken in 0..BATCH {
            let Some((inbound, age)) = self.inbox.poll_with_age() else { return taken > 0 };
            let now = self.clock.now();
            self.switch.handle_queue_delay(age);
            match inbound {
                Inbound::Packet(packet) => {
                    self.tap(now, packet.source, Way::In, &packet.bytes);
                    self.switch.handle_packet(now, packet.as_packet());
                }
                Inbound::Answer { question, answer } => self.switch.handle_answer(now, &question, answer),
                Inbound::Failure(failure) => self.switch.handle_transport_failure(now, failure),
                Inbound::OverRate { source, packets } => {
                    self.switch.handle_packets_over_rate(now, source, packets);
                }
            }
            self.send_outputs();
        }
        true
    }

    /// Whether there was an event.
    fn take_media_events(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.media.len() {
            for _ in 0..BATCH {
                let Some(event) = self.media.get_mut(index).and_then(|link| link.handle.poll_event()) else {
                    break;
                };
                any = true;
                self.switch.handle_media_event(self.clock.now(), WorkerIndex(index), event);
                self.send_outputs();
            }
        }
        self.media.iter_mut().for_each(MediaLink::flush);
        any
    }

    fn take_speech(&mut self) {
        while let Some((utterance, spoken)) = self.speaker.poll() {
            if let Err(error) = &spoken {
                tracing::warn!(language = utterance.language, %error, "words could not be spoken");
            }
            self.switch.handle_speech(self.clock.now(), utterance, spoken.ok());
            self.send_outputs();
        }
    }

    fn take_recordings(&mut self) {
        while let Some((recording, news)) = self.recorder.poll() {
            self.switch.handle_recording(self.clock.now(), recording, news);
            self.send_outputs();
        }
    }

    fn do_what_is_due(&mut self) {
        let now = self.clock.now();
        if self.switch.poll_timeout().is_some_and(|at| at <= now) {
            self.switch.handle_timeout(now);
            self.send_outputs();
        }
    }

    /// Lets the transports know who is not heard any more, and who is again.
    fn tell_bans(&mut self) {
        while let Some(change) = self.switch.poll_source_change() {
            match change {
                SourceChange::Banned(prefix, reason) => {
                    tracing::warn!(source = %prefix.address, reason = reason.name(), "banned");
                    self.transports.ban(prefix, reason);
                }
                SourceChange::Lifted(prefix) => self.transports.lift(prefix),
            }
        }
    }

    /// Says what has changed about trunks, once the picture shows it.
    fn tell_news(&mut self) {
        let news: Vec<News> = std::iter::from_fn(|| self.switch.poll_news()).collect();
        if !news.is_empty() {
            self.renew_picture();
        }
        for news in news {
            match news {
                News::Registration(it) if it.is_registered => {
                    tracing::info!(trunk = %it.trunk, aor = it.aor, "registered");
                }
                News::Registration(it) => {
                    tracing::warn!(trunk = %it.trunk, aor = it.aor, status = it.status, "not registered");
                }
                News::Lookup { question, is_answered: true } => {
                    tracing::info!(%question, "DNS answers again");
                }
                News::Lookup { question, is_answered: false } => {
                    tracing::warn!(%question, "DNS does not answer; what it said last stands");
                }
                News::Located { trunk, name, servers } => {
                    let place = |(transport, address)| picture::place(transport, address);
                    let servers = servers.into_iter().map(place).collect::<Vec<_>>().join(", ");
                    tracing::info!(trunk, name, servers, "name located");
                }
                News::Unlisted { trunk, name, address } => {
                    let advice =
                        "calls do not go there; add it to the trunk's sources if it is the carrier's";
                    tracing::warn!(trunk, name, %address, advice, "DNS leads to an address that the trunk does not list");
                }
                News::Destination(it) => {
                    let destination = picture::destination_name(&it);
                    if it.is_up {
                        tracing::info!(trunk = %it.trunk, destination, "destination is up");
                    } else {
                        tracing::warn!(trunk = %it.trunk, destination, "destination is down");
                    }
                }
            }
        }
    }

    fn send_outputs(&mut self) {
        self.tell_bans();
        self.tell_news();
        while let Some(question) = self.switch.poll_question() {
            self.resolver.ask(question);
        }
        while let Some(utterance) = self.switch.poll_speech() {
            self.speaker.ask(utterance);
        }
        let mut failures: Vec<TransportFailure> = Vec::new();
        loop {
            while let Some(output) = self.switch.poll_output() {
                match output {
                    Output::Sip(transmit) => {
                        self.tap(self.clock.now(), transmit.destination, Way::Out, &transmit.bytes);
                        failures.extend(self.transports.send(transmit).err());
                    }
                    Output::Flow(order) => self.transports.see_to(order),
                    Output::Media { worker, command } => match self.media.get_mut(worker.0) {
                        Some(link) => link.send(command),
                        None => tracing::error!(worker = worker.0, "there is no such media thread"),
                    },
                    Output::Recording(new) => {
                        let (recording, news) = (new.id, self.recorder.begin(*new));
                        self.switch.handle_recording(self.clock.now(), recording, news);
                    }
                    // A refused record is counted by the store, which says so in its metrics.
                    Output::Record(record) => drop(self.store.keep(record)),
                }
            }
            // What cannot be sent may make the switch say something else.
            let Some(failure) = failures.pop() else { return };
            self.switch.handle_transport_failure(self.clock.now(), failure);
        }
    }

    fn tap(&self, at: Instant, peer: SocketAddr, way: Way, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            // Whoever watches too slowly misses something; calls do not wait for it.
            let _ = tap.try_send(Seen { at, peer, way, bytes: bytes.to_vec() });
        }
    }

    fn show(&mut self) {
        let now = self.clock.now();
        // A drain waits for the last call's end, which should show at once.
        if now >= self.picture_due || (self.draining && self.shows_old_news()) {
            // Who is shown as heard again is heard.
            self.transports.refresh_filter();
            self.renew_picture();
        }
    }

    fn renew_picture(&mut self) {
        let now = self.clock.now();
        self.picture_due = now + PICTURE_INTERVAL;
        let media = self.media.iter().map(|link| link.handle.counters().snapshot()).collect();
        let picture = Picture::of(&self.switch, media, now, self.draining);
        self.picture.send_replace(Arc::new(picture));
    }

    fn shows_old_news(&self) -> bool {
        let shown = self.picture.borrow();
        let counters = self.switch.counters();
        !shown.is_draining()
            || shown.leaving() != self.switch.registrations_leaving()
            || shown.calls() != counters.calls_offered.saturating_sub(counters.calls_ended)
    }

    fn sleep(&self) {
        let now = self.clock.now();
        let mut wake_at = self.switch.poll_timeout().map_or(self.picture_due, |at| at.min(self.picture_due));
        // A media thread does not say when there is room in its ring again.
        if self.media.iter().any(|link| !link.backlog.is_empty()) {
            wake_at = wake_at.min(now + BACKLOG_PACE);
        }
        if wake_at > now {
            self.datagrams.wait(&self.bell, wake_at - now);
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("media", &self.media.len()).finish_non_exhaustive()
    }
}
