//! A [`Phone`] on real UDP sockets, for the demo and for end-to-end tests; a crowd of them, over UDP, TCP or TLS, for
//! load.
//!
//! The phone itself stays a state machine in `tandem-phone`; here are its sockets and its clock, one task a phone.
//! Whoever owns a [`LivePhone`] is an ordinary thread: it asks for things and waits for events.

mod crowd;
mod line;
mod rtp_streams;
mod task;

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tandem_phone::{CallKey, Event, Manner, Phone, PhoneConfig, Report};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

pub use crate::crowd::{Happening, LiveCrowd, Tls, TlsFiles, Traffic};

pub use line::LiveLine;
pub use rtp_streams::{RtpStreams, StreamId, Totals};

/// Things asked of a phone and not yet done; whoever asks for more waits.
const MAX_ACTIONS: usize = 256;
/// Events nobody has looked at; later ones are lost to a phone that nobody listens to.
const MAX_EVENTS: usize = 4_096;

/// How long a question may wait for its answer, before the phone counts as gone.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

type Action = Box<dyn FnOnce(&mut Phone, Duration) + Send>;

/// A phone on real sockets; it ceases to exist when dropped.
pub struct LivePhone {
    actions: mpsc::Sender<Action>,
    events: Receiver<Event>,
}

/// How often a phone is asked what it hears.
const PACE: Duration = Duration::from_millis(50);

impl LivePhone {
    /// Binds the phone's SIP address and starts it on `runtime`. Its ids come from `seed`.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn start(runtime: &Handle, config: PhoneConfig, seed: u64) -> io::Result<Self> {
        let sip = std::net::UdpSocket::bind(config.address)?;
        sip.set_nonblocking(true)?;
        let (actions, asked) = mpsc::channel(MAX_ACTIONS);
        let (happened, events) = sync_channel(MAX_EVENTS);
        let _context = runtime.enter();
        let sip = tokio::net::UdpSocket::from_std(sip)?;
        runtime.spawn(task::Task::new(config, seed, sip, happened).run(asked));
        Ok(Self { actions, events })
    }

    /// Does something with the phone, in its own time.
    ///
    /// # Errors
    /// When the phone's runtime is gone.
    pub fn act(&self, action: impl FnOnce(&mut Phone, Duration) + Send + 'static) -> io::Result<()> {
        self.actions.blocking_send(Box::new(action)).map_err(|_| io::Error::other("the phone is gone"))
    }

    /// Asks the phone something and waits for the answer.
    ///
    /// # Errors
    /// When the phone's runtime is gone, or the phone has not got round to it within ten seconds.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Phone, Duration) -> T + Send + 'static,
    ) -> io::Result<T> {
        let (answer, answered) = sync_channel(1);
        self.act(move |phone, now| {
            // Nobody waits for the answer of a phone whose owner has gone.
            let _ = answer.send(question(phone, now));
        })?;
        received(answered.recv_timeout(ANSWER_PATIENCE), "the phone does not answer")
    }

    /// Registers and waits until the registrar has granted it.
    ///
    /// # Errors
    /// When it is refused, or nothing comes within `patience`.
    pub fn register(&self, patience: Duration) -> io::Result<()> {
        self.act(Phone::register)?;
        self.wait_for("registered", patience, |event| match event {
            Event::Registered { .. } => Some(Ok(())),
            Event::RegistrationFailed { status } => Some(Err(*status)),
            _ => None,
        })?
        .map_err(|status| io::Error::other(format!("registration refused: {status:?}")))
    }

    /// Calls `to` as `from`.
    ///
    /// # Errors
    /// When the phone is gone, or has no media port left.
    pub fn call(&self, from: &str, to: &str, manner: Manner) -> io::Result<CallKey> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.ask(move |phone, now| phone.call(now, &from, &to, manner))?
            .ok_or_else(|| io::Error::other("no media port is left"))
    }

    /// The next event.
    ///
    /// # Errors
    /// When none comes within `patience`.
    pub fn next_event(&self, patience: Duration) -> io::Result<Event> {
        received(self.events.recv_timeout(patience), "nothing happened in time")
    }

    /// Waits until an event is what is wanted; others are passed over. `wanted` names it in the error.
    ///
    /// # Errors
    /// When none comes within `patience`.
    pub fn wait_for<T>(
        &self,
        wanted: &str,
        patience: Duration,
        select: impl Fn(&Event) -> Option<T>,
    ) -> io::Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            let event = self
                .next_event(deadline.saturating_duration_since(Instant::now()))
                .map_err(|error| io::Error::new(error.kind(), format!("not {wanted}: {error}")))?;
            if let Some(found) = select(&event) {
                return Ok(found);
            }
        }
    }

    /// Waits until `call` is answered.
    ///
    /// # Errors
    /// When it ends instead, or nothing comes within `patience`.
    pub fn answered(&self, call: CallKey, patience: Duration) -> io::Result<()> {
        self.wait_for("answered", patience, |event| match event {
            Event::Answered { call: answered } if *answered == call => Some(Ok(())),
            Event::Ended { call: ended, report } if *ended == call => Some(Err(report.status)),
            _ => None,
        })?
        .map_err(|status| io::Error::other(format!("not answered: {status}")))
    }

    /// Waits for a call to come in and returns it.
    ///
    /// # Errors
    /// When none comes within `patience`.
    pub fn incoming(&self, patience: Duration) -> io::Result<CallKey> {
        self.wait_for("called", patience, |event| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        })
    }

    /// Waits until `call` is over and returns what there is to tell of it.
    ///
    /// # Errors
    /// When it does not end within `patience`.
    pub fn ended(&self, call: CallKey, patience: Duration) -> io::Result<Report> {
        self.wait_for("ended", patience, |event| match event {
            Event::Ended { call: ended, report } if *ended == call => Some(report.as_ref().clone()),
            _ => None,
        })
    }

    /// Waits until `call` has heard so many windows altogether, whatever was in them.
    ///
    /// # Errors
    /// When it has not within `patience`.
    pub fn listens(&self, call: CallKey, windows: usize, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let heard = self.ask(move |phone, _| phone.heard(call).map(|heard| heard.windows.len()))?;
            if heard.is_some_and(|heard| heard >= windows) {
                return Ok(());
            }
            std::thread::park_timeout(PACE);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "nothing more is heard"))
    }

    /// Waits until `call` has heard a tone of `hz` for `long` altogether.
    ///
    /// # Errors
    /// When it has not within `patience`.
    pub fn hears(&self, call: CallKey, hz: u16, long: Duration, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let heard = self.ask(move |phone, _| phone.heard(call).map(|heard| heard.time_of_tone(hz)))?;
            if heard.is_some_and(|heard| heard >= long) {
                return Ok(());
            }
            std::thread::park_timeout(PACE);
        }
        let tones: BTreeMap<u16, u32> = self.ask(move |phone, _| {
            let windows = phone.heard(call).map(|heard| heard.windows.as_slice()).unwrap_or_default();
            windows.iter().filter_map(|window| window.tones.first()).fold(BTreeMap::new(), |mut tones, hz| {
                *tones.entry(*hz).or_default() += 1;
                tones
            })
        })?;
        Err(io::Error::other(format!("{hz} Hz not heard for {long:?}; windows by strongest tone: {tones:?}")))
    }
}

fn received<T>(result: Result<T, RecvTimeoutError>, late: &'static str) -> io::Result<T> {
    result.map_err(|error| match error {
        RecvTimeoutError::Timeout => io::Error::new(io::ErrorKind::TimedOut, late),
        RecvTimeoutError::Disconnected => io::Error::other("the phone is gone"),
    })
}
