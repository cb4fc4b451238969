//! INFO (RFC 6086): digits in SIP, in the two ways that are in use and in no standard; those of peers, and ours to
//! peers that want them so. Ours go one after the other, each when the one before it is answered, so that they arrive in
//! order.
//!
//! Owner thread: the signalling core. This module must not collect digits: it tells them.

use std::collections::VecDeque;

use tandem_time::Instant;

use super::profile::Dtmf;
use super::session::Phase;
use super::{Event, Received, Role, SessionError, SessionId, UserAgent};
use crate::header::MediaType;
use crate::message::{HeaderName, Method};

/// What we read in an INFO.
const ACCEPT: &str = "application/dtmf-relay, application/dtmf";

/// Digits of one session that wait for the answer to the one before them; more are not taken.
const WAITING_MAX: usize = 32;

/// How long a key is said to be pressed; we are told that it was, not how long.
const DURATION_MS: u32 = 160;

/// Our digits to a peer.
#[derive(Debug, Default)]
pub(super) struct Keys {
    waiting: VecDeque<char>,
    /// An INFO has no answer yet.
    pub(super) is_out: bool,
}

/// What an INFO says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Info {
    /// Nothing: the peer looks whether the dialog is there.
    Empty,
    Digit(char),
    /// A key that is no digit, such as the hook flash.
    OtherKey,
    Unsupported,
}

impl UserAgent {
    /// Sends a digit of `0-9 * # A-D` to a peer that wants them in SIP, or whose media does not pass us: what the other
    /// end says in SIP reaches it no other way.
    ///
    /// # Errors
    /// When the peer wants them otherwise, or the session is not established; [`SessionError::Limit`] when too many
    /// wait.
    pub fn send_digit(&mut self, now: Instant, session: SessionId, digit: char) -> Result<(), SessionError> {
        let is_wanted =
            matches!(self.profile_for(session).dtmf, Dtmf::Info | Dtmf::InfoDtmf) || self.is_through(session);
        let kept = self.sessions.get_mut(session).ok_or(SessionError::UnknownSession)?;
        if !is_wanted || !matches!(kept.phase, Phase::Confirmed(_)) {
            return Err(SessionError::WrongState);
        }
        if kept.keys.waiting.len() >= WAITING_MAX {
            return Err(SessionError::Limit);
        }
        kept.keys.waiting.push_back(digit);
        self.send_next_digit(now, session);
        Ok(())
    }

    fn send_next_digit(&mut self, now: Instant, id: SessionId) {
        let dtmf = self.profile_for(id).dtmf;
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.keys.is_out || !matches!(session.phase, Phase::Confirmed(_)) {
            return;
        }
        let Some(digit) = session.keys.waiting.pop_front() else { return };
        session.keys.is_out = true;
        let (kind, body) = match dtmf {
            Dtmf::InfoDtmf => ("application/dtmf", format!("{digit}\r\n")),
            _ => ("application/dtmf-relay", format!("Signal={digit}\r\nDuration={DURATION_MS}\r\n")),
        };
        let body = Some((kind, body.as_bytes()));
        self.request_in_dialog(now, id, Method::Info, Role::Key(id), |builder| builder, body);
    }

    /// An INFO of ours has its final response, or none came: whatever it says, the next digit is another press.
    pub(super) fn handle_key_answered(&mut self, now: Instant, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.keys.is_out = false;
        }
        self.send_next_digit(now, id);
        self.settle(id);
    }

    /// RFC 6086 §4.2.2: 469 for a package, since we know none; 415 for a body that we do not read.
    pub(super) fn handle_info(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        if received.message.extensions("Info-Package").next().is_some() {
            return self.respond_with(now, received, 469, |builder| builder.extension("Recv-Info", ""));
        }
        let body = received.message.body();
        let info = match received.message.content_type() {
            _ if body.is_empty() => Info::Empty,
            Ok(Some(kind)) => read(&kind, body),
            _ => Info::Unsupported,
        };
        if info == Info::Unsupported {
            return self
                .respond_with(now, received, 415, |builder| builder.header(HeaderName::Accept, ACCEPT));
        }
        self.refuse(now, received, 200);
        let is_talking =
            self.sessions.get(id).is_some_and(|session| matches!(session.phase, Phase::Confirmed(_)));
        if let Info::Digit(digit) = info
            && is_talking
        {
            self.events.push_back(Event::Digit { session: id, digit });
        }
    }
}

/// `application/dtmf-relay` has `Signal=5` among its lines, `application/dtmf` the digit alone, or the same line.
fn read(kind: &MediaType<'_>, body: &[u8]) -> Info {
    let text = String::from_utf8_lossy(body);
    let signal = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
    });
    let key = match signal {
        Some(signal) if kind.is("application", "dtmf-relay") || kind.is("application", "dtmf") => signal,
        None if kind.is("application", "dtmf") => text.trim(),
        _ => return Info::Unsupported,
    };
    match key {
        // Some write the event codes of RFC 4733 §3.2.
        "10" => Info::Digit('*'),
        "11" => Info::Digit('#'),
        "12" => Info::Digit('A'),
        "13" => Info::Digit('B'),
        "14" => Info::Digit('C'),
        "15" => Info::Digit('D'),
        key => match key.as_bytes() {
            [b] if b"0123456789*#ABCDabcd".contains(b) => Info::Digit(char::from(b.to_ascii_uppercase())),
            _ => Info::OtherKey,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, body: &str) -> Info {
        read(&MediaType::parse(kind.as_bytes()).expect("a media type"), body.as_bytes())
    }

    #[test]
    fn digits_come_in_two_ways() {
        let relay = "application/dtmf-relay";
        assert_eq!(of(relay, "Signal=5\r\nDuration=160\r\n"), Info::Digit('5'));
        assert_eq!(of(relay, "Duration=160\r\nsignal= #"), Info::Digit('#'));
        assert_eq!(of(relay, "Signal=11"), Info::Digit('#'));
        assert_eq!(of(relay, "Signal=d"), Info::Digit('D'));
        assert_eq!(of(relay, "Signal=16"), Info::OtherKey, "hook flash");
        assert_eq!(of(relay, "5"), Info::Unsupported);
        assert_eq!(of("application/dtmf", "5\r\n"), Info::Digit('5'));
        assert_eq!(of("application/dtmf", "Signal=*"), Info::Digit('*'));
        assert_eq!(of("application/media_control+xml", "Signal=1"), Info::Unsupported);
    }
}
