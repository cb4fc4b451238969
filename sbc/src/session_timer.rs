//! Session timers (RFC 4028): how long a session lasts without being refreshed, and who refreshes it, as a request and
//! its 2xx say.
//!
//! Owner thread: the signalling core. This module must not know sessions: it reads messages and says what is agreed.

use std::fmt;
use std::time::Duration;

use crate::message::{HeaderName, Message};
use crate::user_agent::{PreferredRefresher, SessionTimerPolicy, SessionTimers};

/// The option tag.
pub(crate) const TIMER: &str = "timer";

/// §4 and §5: what a request without Min-SE means by it.
pub(crate) const USUAL_MIN_SE: Duration = Duration::from_secs(90);

/// The longest interval that a 422 is granted.
const INTERVAL_MAX: Duration = Duration::from_secs(86_400);

/// Who refreshes, in the words of the transaction that agrees on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresher {
    Uac,
    Uas,
}

/// Session-Expires (§4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionExpires {
    pub(crate) interval: Duration,
    pub(crate) refresher: Option<Refresher>,
}

/// What a 2xx says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) interval: Duration,
    pub(crate) refresher: Refresher,
    /// Whether the 2xx requires `timer`: of a client that knows it.
    pub(crate) is_required: bool,
}

/// What a request is refused with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 421: its client does not know what we require.
    Unknown,
    /// 422: its interval is too small.
    TooSmall,
}

impl SessionExpires {
    /// None when there is none, or none that can be read.
    pub(crate) fn of(message: &Message<'_>) -> Option<Self> {
        let header = message.parameterised(HeaderName::SessionExpires).ok().flatten()?;
        let interval = Duration::from_secs(header.value.parse::<u32>().ok()?.into());
        let refresher = match header.params.token("refresher") {
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(Self { interval, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresher = match self.refresher {
            None => "",
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
        };
        write!(f, "{}{refresher}", self.interval.as_secs())
    }
}

/// Min-SE of a message (§5).
pub(crate) fn min_se(message: &Message<'_>) -> Option<Duration> {
    let header = message.parameterised(HeaderName::MinSe).ok().flatten()?;
    header.value.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// Whether the sender of a request can be asked to refresh.
fn is_known(request: &Message<'_>) -> bool {
    request.lists(HeaderName::Supported, TIMER) || request.lists(HeaderName::Require, TIMER)
}

/// §9: whether a request that would make or refresh a session is refused.
pub(crate) fn refusal(terms: &SessionTimers, request: &Message<'_>) -> Option<Refusal> {
    if terms.policy == SessionTimerPolicy::Require && !is_known(request) {
        return Some(Refusal::Unknown);
    }
    let is_too_small = SessionExpires::of(request).is_some_and(|asked| asked.interval < terms.min_se);
    let is_heeded = terms.policy != SessionTimerPolicy::Off && is_known(request);
    (is_too_small && is_heeded).then_some(Refusal::TooSmall)
}

/// What our 2xx to a request says (§9, table 2); none when nothing limits the session's life. `running` is what limits
/// it so far, and stays when the request says nothing.
///
/// | client knows `timer` | refresher in the request | refresher in our 2xx |
/// |---|---|---|
/// | no | any | uas |
/// | yes | none | as it was, else as we prefer |
/// | yes | uac | uac |
/// | yes | uas | uas |
pub(crate) fn answer(
    terms: &SessionTimers,
    running: Option<(Duration, Refresher)>,
    request: &Message<'_>,
) -> Option<Agreement> {
    if terms.policy == SessionTimerPolicy::Off {
        return None;
    }
    let is_known = is_known(request);
    // An interval that is too small, of a client that could not be told so, was written by a proxy.
    let asked = SessionExpires::of(request).filter(|asked| asked.interval >= terms.min_se);
    let ours = terms.interval.max(min_se(request).unwrap_or_default());
    let interval = match (&asked, running) {
        (Some(asked), _) if terms.asks() => asked.interval.min(ours),
        (Some(asked), _) => asked.interval,
        (None, Some((interval, _))) => interval,
        (None, None) if terms.asks() => ours,
        (None, None) => return None,
    };
    let wanted = asked.and_then(|asked| asked.refresher);
    let before = running.map(|(_, refresher)| refresher);
    let preferred = match terms.refresher {
        PreferredRefresher::Us => Refresher::Uas,
        PreferredRefresher::Either | PreferredRefresher::Peer => Refresher::Uac,
    };
    let refresher = if is_known { wanted.or(before).unwrap_or(preferred) } else { Refresher::Uas };
    Some(Agreement { interval, refresher, is_required: is_known })
}

/// What the 2xx of our request agrees on (§7.2). A server that does not know timers leaves the refreshing to us, when
/// we are to ask for it.
pub(crate) fn answered(
    terms: &SessionTimers,
    least: Duration,
    response: &Message<'_>,
) -> Option<(Duration, Refresher)> {
    if terms.policy == SessionTimerPolicy::Off {
        return None;
    }
    match SessionExpires::of(response) {
        Some(said) => Some((said.interval.max(terms.min_se), said.refresher.unwrap_or(Refresher::Uac))),
        None if terms.asks() => Some((terms.interval.max(least), Refresher::Uac)),
        None => None,
    }
}

/// The interval to ask for after a 422 (§7.3); none when it says nothing that a request with that one could heed.
pub(crate) fn lengthened(before: Option<Duration>, refusal: &Message<'_>) -> Option<Duration> {
    min_se(refusal).filter(|least| before.is_none_or(|before| *least > before) && *least <= INTERVAL_MAX)
}

/// How long before its end a session is given up that was not refreshed (§10).
pub(crate) fn margin(interval: Duration) -> Duration {
    Duration::from_secs(32).min(interval / 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::HeaderIndex;

    fn terms(policy: SessionTimerPolicy) -> SessionTimers {
        SessionTimers { policy, ..SessionTimers::default() }
    }

    fn with<T>(headers: &str, read: impl FnOnce(&Message<'_>) -> T) -> T {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{headers}Content-Length: 0\r\n\r\n");
        let mut index = HeaderIndex::new();
        read(&Message::parse(text.as_bytes(), &mut index).expect("a message"))
    }

    /// What our 2xx says to a request with these headers, as the header has it.
    fn said(policy: SessionTimerPolicy, headers: &str) -> String {
        with(headers, |request| match answer(&terms(policy), None, request) {
            Some(Agreement { interval, refresher, is_required }) => {
                let header = SessionExpires { interval, refresher: Some(refresher) };
                format!("{header}{}", if is_required { " required" } else { "" })
            }
            None => "nothing".to_owned(),
        })
    }

    /// §9, table 2.
    #[test]
    fn who_refreshes_is_the_table_s() {
        use SessionTimerPolicy::{Accept, Off, Offer, Require};
        let known = "Supported: timer\r\n";
        for (policy, headers, expected) in [
            (Off, "Supported: timer\r\nSession-Expires: 600\r\n", "nothing"),
            (Accept, "", "nothing"),
            (Accept, known, "nothing"),
            (Accept, "Session-Expires: 600\r\n", "600;refresher=uas"),
            (Accept, "Supported: timer\r\nx: 600\r\n", "600;refresher=uac required"),
            (Accept, "k: timer\r\nx: 600;refresher=UAC\r\n", "600;refresher=uac required"),
            (Accept, "Require: timer\r\nx: 600;refresher=uas\r\n", "600;refresher=uas required"),
            (Accept, "Supported: timer\r\nx: 3600\r\n", "3600;refresher=uac required"),
            (Offer, "", "1800;refresher=uas"),
            (Offer, known, "1800;refresher=uac required"),
            (Offer, "Supported: timer\r\nx: 3600\r\n", "1800;refresher=uac required"),
            (Offer, "Supported: timer\r\nx: 3600\r\nMin-SE: 2400\r\n", "2400;refresher=uac required"),
            (Require, known, "1800;refresher=uac required"),
            (Accept, "Supported: timer\r\nx: soon\r\n", "nothing"),
        ] {
            assert_eq!(said(policy, headers), expected, "{policy:?} {headers:?}");
        }
    }

    #[test]
    fn what_is_running_stays_when_a_request_says_nothing() {
        let running = Some((Duration::from_secs(600), Refresher::Uas));
        let agreed = with("Supported: timer\r\n", |request| {
            answer(&terms(SessionTimerPolicy::Accept), running, request)
        });
        let agreed = agreed.expect("it goes on");
        assert_eq!((agreed.interval, agreed.refresher), (Duration::from_secs(600), Refresher::Uas));
    }

    /// §9: 422 to who understands it; our own minimum is allowed, a second less is not.
    #[test]
    fn a_small_interval_is_refused_to_who_understands() {
        let refused = |headers: &str| with(headers, |it| refusal(&terms(SessionTimerPolicy::Accept), it));
        assert_eq!(refused("Supported: timer\r\nx: 90\r\n"), None);
        assert_eq!(refused("Supported: timer\r\nx: 89\r\n"), Some(Refusal::TooSmall));
        assert_eq!(refused("x: 89\r\n"), None);
        let required = |headers: &str| with(headers, |it| refusal(&terms(SessionTimerPolicy::Require), it));
        assert_eq!(required(""), Some(Refusal::Unknown));
        assert_eq!(required("Supported: timer\r\n"), None);
    }

    /// §7.3: the larger of what we asked for and what is wanted, within reason.
    #[test]
    fn a_422_is_heeded_when_it_says_something_new() {
        let after = |before, text: &str| with(text, |it| lengthened(Some(Duration::from_secs(before)), it));
        assert_eq!(after(90, "Min-SE: 300\r\n"), Some(Duration::from_secs(300)));
        assert_eq!(after(90, "Min-SE: 300;by=proxy\r\n"), Some(Duration::from_secs(300)));
        assert_eq!(after(300, "Min-SE: 300\r\n"), None);
        assert_eq!(after(90, "Min-SE: 86400\r\n"), Some(INTERVAL_MAX));
        assert_eq!(after(90, "Min-SE: 86401\r\n"), None);
        assert_eq!(after(90, ""), None);
    }

    /// §10.
    #[test]
    fn the_margin_is_a_third_at_most_and_32_seconds() {
        assert_eq!(margin(Duration::from_secs(90)), Duration::from_secs(30));
        assert_eq!(margin(Duration::from_secs(96)), Duration::from_secs(32));
        assert_eq!(margin(Duration::from_secs(1_800)), Duration::from_secs(32));
    }
}
