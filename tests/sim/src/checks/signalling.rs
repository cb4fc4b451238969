//! What passes the node's edge as SIP.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::STRANGER;
use crate::tap::{Kind, Seen, Way};
use crate::world::Observed;

/// RFC 3261 §17.2.1: an INVITE transaction ends in exactly one final response, however often that is sent.
pub(super) fn one_final_answer_per_invite(run: &Observed, fail: &mut dyn FnMut(String)) {
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
        if finals.len() != 1 {
            fail(format!("INVITE {branch} of {call_id} was answered {finals:?}"));
        }
    }
}

/// RFC 3261 §13.2.2.4 and §17.1.1.3: every final response to an INVITE of ours gets its ACK.
pub(super) fn final_answers_are_acknowledged(run: &Observed, fail: &mut dyn FnMut(String)) {
    let mut owed: BTreeMap<(&str, u32, Option<&str>), &Seen> = BTreeMap::new();
    for seen in &run.sip {
        let key = (seen.call_id.as_str(), seen.cseq, seen.to_tag.as_deref());
        match (&seen.kind, seen.way) {
            (Kind::Response { status: 200.. }, Way::In) if seen.method == "INVITE" => {
                owed.insert(key, seen);
            }
            (Kind::Request { method, .. }, Way::Out) if method == "ACK" => {
                owed.remove(&key);
            }
            _ => {}
        }
    }
    for ((call_id, ..), answer) in owed {
        fail(format!("{:?} at {:?} for {call_id} was not acknowledged", answer.kind, answer.at));
    }
}

/// Another implementation's parser reads all of it.
pub(super) fn the_nodes_messages_can_be_read(run: &Observed, fail: &mut dyn FnMut(String)) {
    if run.unreadable != 0 {
        fail(format!("{} messages could not be read", run.unreadable));
    }
}
