//! What the carrier is told of the phones, and the phones of the carrier: nothing.

use std::collections::BTreeSet;

use super::Judge;
use super::talks::Talks;
use crate::configuration::{CARRIER, FIRST_PROXY, SECOND_PROXY, USERS, phone_address};
use crate::gossip::{OF_CARRIERS, OF_PHONES};
use crate::tap::{Seen, Way};
use crate::world::Observed;

/// Shorter words may be the same by chance.
const SHORTEST_WORD: usize = 8;

/// RFC 3261 §6 (back-to-back user agent): each leg is a dialog of its own. No address, Call-ID, tag, branch or origin
/// of a session description that belongs to one side is in any octet of what the other side is sent; nor anything
/// that somebody there tells of itself: product, names, warnings, reasons, the description of its session.
pub(super) fn each_side_sees_nothing_of_the_other(run: &Observed, judge: &mut Judge) {
    let is_carrier = |seen: &&Seen| [CARRIER, FIRST_PROXY, SECOND_PROXY].contains(&seen.peer);
    let is_phone = |seen: &&Seen| (1..=USERS).any(|n| seen.peer == phone_address(n));
    let mut of_carrier: BTreeSet<&str> = run.sip.iter().filter(is_carrier).flat_map(names).collect();
    let mut of_phones: BTreeSet<&str> = run.sip.iter().filter(is_phone).flat_map(names).collect();
    let addresses: Vec<String> = (1..=USERS).map(|n| phone_address(n).ip().to_string()).collect();
    let carriers = [CARRIER, FIRST_PROXY, SECOND_PROXY].map(|carrier| carrier.ip().to_string());
    of_carrier.extend(carriers.iter().map(String::as_str));
    let direct = direct_call_ids(run);
    of_phones.extend(addresses.iter().map(String::as_str));
    for seen in run.sip.iter().filter(|seen| seen.way == Way::Out) {
        let (foreign, mark) = if is_carrier(&seen) {
            (&of_phones, OF_PHONES)
        } else if is_phone(&seen) {
            (&of_carrier, OF_CARRIERS)
        } else {
            continue;
        };
        judge.looked();
        // Where media goes past us, its addresses and its attributes are for the two sides to agree on.
        let is_direct = direct.contains(seen.call_id.as_str());
        let lines = seen
            .text
            .lines()
            .filter(|line| !is_direct || !["c=", "a="].iter().any(|it| line.starts_with(it)));
        for word in lines.flat_map(words).filter(|word| foreign.contains(word) || word.starts_with(mark)) {
            judge.fail(format!("{:?} to {} at {:?} has {word} in it", seen.kind, seen.peer, seen.at));
        }
    }
}

/// The Call-IDs of calls whose media goes past the node.
fn direct_call_ids(run: &Observed) -> BTreeSet<&str> {
    let (direct, _) = Talks::of(run).direct;
    let calls = run.records.iter().filter(|(_, record)| direct.contains(&record.id));
    calls.flat_map(|(_, record)| &record.legs).map(|leg| leg.sip_call_id.as_str()).collect()
}

/// What a message's dialog, transaction and session are known by, in words.
fn names(seen: &Seen) -> impl Iterator<Item = &str> {
    let tags = [&seen.from_tag, &seen.to_tag].into_iter().flatten().map(String::as_str);
    let origin = seen.text.lines().find_map(|line| line.strip_prefix("o="));
    tags.chain([seen.call_id.as_str(), seen.branch.as_str()])
        .chain(origin)
        .flat_map(words)
        .filter(|word| word.len() >= SHORTEST_WORD && !word.chars().all(|c| c == '.' || c.is_ascii_digit()))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-')
}
