//! What the carrier is told of the phones, and the phones of the carrier: nothing.

use std::collections::BTreeSet;

use super::Judge;
use crate::configuration::{CARRIER, USERS, phone_address};
use crate::tap::{Seen, Way};
use crate::world::Observed;

/// Shorter words may be the same by chance.
const SHORTEST_WORD: usize = 8;

/// RFC 3261 §6 (back-to-back user agent): each leg is a dialog of its own. No address, Call-ID, tag, branch or origin
/// of a session description that belongs to one side is in any octet of what the other side is sent.
pub(super) fn each_side_sees_nothing_of_the_other(run: &Observed, judge: &mut Judge) {
    let is_carrier = |seen: &&Seen| seen.peer == CARRIER;
    let is_phone = |seen: &&Seen| (1..=USERS).any(|n| seen.peer == phone_address(n));
    let mut of_carrier: BTreeSet<&str> = run.sip.iter().filter(is_carrier).flat_map(names).collect();
    let mut of_phones: BTreeSet<&str> = run.sip.iter().filter(is_phone).flat_map(names).collect();
    let addresses: Vec<String> = (1..=USERS).map(|n| phone_address(n).ip().to_string()).collect();
    let carrier = CARRIER.ip().to_string();
    of_carrier.insert(&carrier);
    of_phones.extend(addresses.iter().map(String::as_str));
    for seen in run.sip.iter().filter(|seen| seen.way == Way::Out) {
        let foreign = if is_carrier(&seen) {
            &of_phones
        } else if is_phone(&seen) {
            &of_carrier
        } else {
            continue;
        };
        judge.looked();
        for word in words(&seen.text).filter(|word| foreign.contains(word)) {
            judge.fail(format!("{:?} to {} at {:?} has {word} in it", seen.kind, seen.peer, seen.at));
        }
    }
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
