//! The session timers of a trunk and of the phones, and the timers of their transactions.

use std::time::Duration;

use super::ordered;
use crate::model::{PeerTimers, SessionRefresher, SessionTimerPolicy, SessionTimers};
use crate::reader::Section;

/// RFC 4028 §4 wants 90 s at least; a closed network may have less.
const SECONDS: std::ops::RangeInclusive<u32> = 2..=86_400;

pub(super) fn read_session_timers(section: &Section<'_, '_>, usual: SessionTimers) -> Option<SessionTimers> {
    let expected = "off, accept, offer or require";
    let policy = section.parsed_or("session_timers", expected, usual.policy, |text| match text {
        "off" => Some(SessionTimerPolicy::Off),
        "accept" => Some(SessionTimerPolicy::Accept),
        "offer" => Some(SessionTimerPolicy::Offer),
        "require" => Some(SessionTimerPolicy::Require),
        _ => None,
    });
    let interval = section.seconds_or("session_expires_s", SECONDS, 1_800);
    let min_se = section.seconds_or("min_se_s", SECONDS, 90);
    if let (Some(low), Some(high)) = (min_se, interval) {
        ordered(section, ("min_se_s", low), ("session_expires_s", high));
    }
    let expected = "either, us or peer";
    let refresher = section.parsed_or("session_refresher", expected, usual.refresher, |text| match text {
        "either" => Some(SessionRefresher::Either),
        "us" => Some(SessionRefresher::Us),
        "peer" => Some(SessionRefresher::Peer),
        _ => None,
    });
    Some(SessionTimers { policy: policy?, interval: interval?, min_se: min_se?, refresher: refresher? })
}

/// What is left out is as in `[sip]`, whose ranges hold here too.
pub(super) fn read_peer_timers(section: &Section<'_, '_>) -> Option<PeerTimers> {
    let read = |key, read: fn(&Section<'_, '_>, &'static str) -> Option<Duration>| {
        section.know(&[key]);
        if section.has(key) { read(section, key).map(Some) } else { Some(None) }
    };
    let t1 = read("t1_ms", |section, key| section.millis_or(key, 10..=10_000, 500));
    let t2 = read("t2_ms", |section, key| section.millis_or(key, 10..=60_000, 4_000));
    let timer_b = read("timer_b_ms", |section, key| section.millis_or(key, 100..=640_000, 32_000));
    let max_ringing = read("max_ringing_s", |section, key| section.seconds_or(key, 1..=600, 180));
    in_order(section, ("t1_ms", t1.flatten()), ("t2_ms", t2.flatten()));
    in_order(section, ("t1_ms", t1.flatten()), ("timer_b_ms", timer_b.flatten()));
    Some(PeerTimers { t1: t1?, t2: t2?, timer_b: timer_b?, max_ringing: max_ringing? })
}

/// The first is no longer than the second, with a problem otherwise; in milliseconds.
pub(super) fn in_order(
    section: &Section<'_, '_>,
    low: (&str, Option<Duration>),
    high: (&str, Option<Duration>),
) {
    if let (Some(short), Some(long)) = (low.1, high.1)
        && short > long
    {
        let (short_ms, long_ms) = (short.as_millis(), long.as_millis());
        let message = format!("{} ({short_ms}) is longer than {} ({long_ms})", low.0, high.0);
        section.problem_here(message, format!("write a shorter {} or a longer {}", low.0, high.0));
    }
}
