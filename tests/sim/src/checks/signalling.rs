//! What passes the node's edge as SIP.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Judge;
use crate::scenario::STRANGER;
use crate::tap::{Kind, Seen, Way};
use crate::world::Observed;

/// RFC 3261 §17.2.1: an INVITE transaction ends in exactly one final response, however often that is sent.
pub(super) fn one_final_answer_per_invite(run: &Observed, judge: &mut Judge) {
    /// Status and To tag.
    type Final<'a> = (u16, Option<&'a str>);
    let mut finals: BTreeMap<(&str, &str), BTreeSet<Final<'_>>> = BTreeMap::new();
    let invite =
        |seen: &&Seen| seen.way == Way::In && seen.is_request("INVITE") && seen.peer.ip() != STRANGER;
    for seen in run.sip.iter().filter(invite) {
        finals.entry((&seen.call_id, &seen.branch)).or_default();
    }
    for seen in run.sip.iter().filter(|seen| seen.way == Way::Out) {
        if let Some(status) = seen.status_to("INVITE").filter(|status| *status >= 200)
            && let Some(finals) = finals.get_mut(&(seen.call_id.as_str(), seen.branch.as_str()))
        {
            finals.insert((status, seen.to_tag.as_deref()));
        }
    }
    for ((call_id, branch), finals) in finals {
        judge.looked();
        if finals.len() != 1 {
            judge.fail(format!("INVITE {branch} of {call_id} was answered {finals:?}"));
        }
    }
}

/// RFC 3261 §13.2.2.4 and §17.1.1.3: every final response to an INVITE of ours gets its ACK, if it comes while the
/// transaction lives: within 64·T1 of the INVITE or of its CANCEL, or any time after a provisional response.
pub(super) fn final_answers_are_acknowledged(run: &Observed, judge: &mut Judge) {
    const GIVE_UP: Duration = Duration::from_secs(32);
    let mut gives_up: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut cancelled: BTreeSet<&str> = BTreeSet::new();
    let mut owed: BTreeMap<(&str, u32, Option<&str>), &Seen> = BTreeMap::new();
    for seen in &run.sip {
        let key = (seen.call_id.as_str(), seen.cseq, seen.to_tag.as_deref());
        match (&seen.kind, seen.way) {
            (Kind::Request { method, .. }, Way::Out) if method == "INVITE" => {
                gives_up.entry(&seen.branch).or_insert(seen.at + GIVE_UP);
            }
            (Kind::Request { method, .. }, Way::Out)
                if method == "CANCEL" && cancelled.insert(&seen.branch) =>
            {
                gives_up.insert(&seen.branch, seen.at + GIVE_UP);
            }
            (Kind::Request { method, .. }, Way::Out) if method == "ACK" => {
                owed.remove(&key);
            }
            (Kind::Response { status }, Way::In) if seen.method == "INVITE" => {
                let limit = gives_up.entry(&seen.branch).or_default();
                if *status >= 200 && seen.at < *limit {
                    judge.looked();
                    owed.insert(key, seen);
                } else if *status < 200 && seen.at < *limit && !cancelled.contains(seen.branch.as_str()) {
                    *limit = Duration::MAX;
                }
            }
            _ => {}
        }
    }
    for ((call_id, ..), answer) in owed {
        judge.fail(format!("{:?} at {:?} for {call_id} was not acknowledged", answer.kind, answer.at));
    }
}

/// RFC 4028 §10: a session that was not refreshed within its interval is ended by then, whoever is gone.
pub(super) fn no_session_outlives_its_interval(run: &Observed, judge: &mut Judge) {
    // By dialog: answers, which begin to count when they are acknowledged, and until when sessions last.
    let mut answered: BTreeMap<DialogKey<'_>, Duration> = BTreeMap::new();
    let mut running: BTreeMap<DialogKey<'_>, Duration> = BTreeMap::new();
    let mut ended: BTreeSet<DialogKey<'_>> = BTreeSet::new();
    for seen in &run.sip {
        let dialog = dialog_of(seen);
        if let Some(until) = running.get(&dialog).copied().filter(|until| *until < seen.at) {
            running.remove(&dialog);
            judge.fail(format!("{dialog:?} was to last until {until:?}, and goes on at {:?}", seen.at));
        }
        let is_success = |method| matches!(seen.status_to(method), Some(200..300));
        if seen.is_request("BYE") {
            answered.remove(&dialog);
            running.remove(&dialog);
            ended.insert(dialog);
        } else if (is_success("UPDATE") || is_success("INVITE")) && !ended.contains(&dialog) {
            // One that nobody acknowledges, since it came when the call was given up, made no session.
            let is_first = is_success("INVITE") && !running.contains_key(&dialog);
            match session_expires(seen) {
                None => drop(running.remove(&dialog)),
                Some(interval) if is_first => drop(answered.insert(dialog, interval)),
                Some(interval) => drop(running.insert(dialog, seen.at + interval)),
            }
        } else if seen.is_request("ACK")
            && let Some(interval) = answered.remove(&dialog)
        {
            judge.looked();
            running.insert(dialog, seen.at + interval);
        }
    }
    let last = run.sip.last().map_or(Duration::ZERO, |seen| seen.at);
    for (dialog, until) in running.into_iter().filter(|(_, until)| *until < last) {
        judge.fail(format!("{dialog:?} was to last until {until:?}, and nobody has ended it"));
    }
}

/// Call-ID and both tags, whoever has which.
type DialogKey<'a> = (&'a str, BTreeSet<&'a str>);

fn dialog_of(seen: &Seen) -> DialogKey<'_> {
    (&seen.call_id, seen.from_tag.iter().chain(&seen.to_tag).map(String::as_str).collect())
}

/// What a 2xx says of how long its session lasts.
fn session_expires(seen: &Seen) -> Option<Duration> {
    let line = seen.text.split("\r\n").find_map(|line| line.strip_prefix("Session-Expires: "))?;
    line.split(';').next()?.trim().parse().ok().map(Duration::from_secs)
}

/// Another implementation's parser reads all of it.
pub(super) fn the_nodes_messages_can_be_read(run: &Observed, judge: &mut Judge) {
    run.sip.iter().filter(|seen| seen.way == Way::Out).for_each(|_| judge.looked());
    if run.unreadable != 0 {
        judge.fail(format!("{} messages could not be read", run.unreadable));
    }
}
