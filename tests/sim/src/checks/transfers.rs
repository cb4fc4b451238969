//! What becomes of transfers.

use std::collections::{BTreeMap, BTreeSet};

use super::Judge;
use crate::tap::{Kind, Seen, Way};
use crate::world::Observed;

/// A subscription that a REFER made, by its dialog.
#[derive(Default)]
struct Subscription {
    /// NOTIFYs that have an answer, and those that have not or a bad one.
    told: u32,
    unheard: u32,
    is_over: bool,
}

/// RFC 3515 §2.4.7: whoever's REFER is accepted is told at last that nothing more will come; unless it does not answer
/// what it is told (RFC 6665 §4.2.2).
pub(super) fn transferors_are_told_the_end(run: &Observed, judge: &mut Judge) {
    let mut subscriptions: BTreeMap<&str, Subscription> = BTreeMap::new();
    let mut accepted: BTreeSet<(&str, u32)> = BTreeSet::new();
    let mut open: BTreeMap<&str, &str> = BTreeMap::new();
    for seen in &run.sip {
        match (&seen.kind, seen.way) {
            (Kind::Response { status: 202 }, Way::Out)
                if seen.method == "REFER" && accepted.insert((&seen.call_id, seen.cseq)) =>
            {
                subscriptions.entry(&seen.call_id).or_default().is_over = false;
            }
            (Kind::Request { method, .. }, Way::Out) if method == "NOTIFY" => {
                let Some(subscription) = subscriptions.get_mut(seen.call_id.as_str()) else { continue };
                if open.insert(&seen.branch, &seen.call_id).is_none() {
                    subscription.unheard += 1;
                    subscription.is_over |= seen.text.contains("\r\nSubscription-State: terminated");
                }
            }
            (Kind::Response { status: 200..300 }, Way::In) if seen.method == "NOTIFY" => {
                let call_id = open.remove(seen.branch.as_str()).unwrap_or_default();
                if let Some(subscription) = subscriptions.get_mut(call_id) {
                    subscription.unheard -= 1;
                    subscription.told += 1;
                }
            }
            _ => {}
        }
    }
    for (call_id, subscription) in subscriptions {
        judge.looked();
        if !subscription.is_over && subscription.unheard == 0 {
            judge.fail(format!(
                "{call_id} was told {} times what becomes of its transfer, and never the end",
                subscription.told
            ));
        }
    }
}

/// RFC 3261 §13.2.2.4: of the dialogs that answers to one call of the node's made, by however many destinations or
/// forks, one is let live; the others are ended by BYE as soon as they come about.
pub(super) fn no_call_is_answered_twice(run: &Observed, judge: &mut Judge) {
    let mut alive: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    let mut ended: BTreeSet<(&str, &str)> = BTreeSet::new();
    for seen in &run.sip {
        let call_id = seen.call_id.as_str();
        let tags = [&seen.from_tag, &seen.to_tag].map(|tag| tag.as_deref().unwrap_or_default());
        let answers = alive.get(call_id).map(Vec::as_slice).unwrap_or_default();
        if answers.iter().skip(1).any(|answer| answer.at < seen.at) {
            judge.fail(format!("{call_id} is answered {} times at {:?}", answers.len(), seen.at));
            alive.remove(call_id);
        }
        let is_there = |answer: &&Seen| answer.to_tag == seen.to_tag;
        if seen.is_request("BYE") {
            ended.extend(tags.map(|tag| (call_id, tag)));
            if let Some(answers) = alive.get_mut(call_id) {
                answers.retain(|answer| !tags.contains(&answer.to_tag.as_deref().unwrap_or_default()));
            }
        } else if seen.way == Way::In
            && matches!(seen.status_to("INVITE"), Some(200..300))
            && !ended.contains(&(call_id, tags[1]))
            && !alive.get(call_id).is_some_and(|answers| answers.iter().any(is_there))
        {
            judge.looked();
            alive.entry(call_id).or_default().push(seen);
        }
    }
}
