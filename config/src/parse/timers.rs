//! The session timers of a trunk, and of the phones.

use super::ordered;
use crate::model::{SessionRefresher, SessionTimerPolicy, SessionTimers};
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
