//! RFC 3665 §3.8 to §3.11: sessions that do not come about.

use std::time::Duration;

use tandem_sim::Seen;
use tandem_sim::ladder::Ladder;

use super::registration::{own_contact, register};
use super::sessions::BOB;
use crate::messages::{BIG_GUY, Peer, ack_of_refusal, answer, bob, cancel, invite};

/// A call to Bob's phone up to the INVITE that it gets.
fn call(ladder: &mut Ladder, bob: Peer, call_id: &str) -> (String, Seen) {
    register(ladder, bob, "bob", &own_contact(bob), "200 REGISTER");
    let invite = invite(BIG_GUY, BOB, call_id, 1, "");
    ladder.sends(BIG_GUY.at, &invite);
    ladder.gets(BIG_GUY.at, "100 INVITE");
    (invite, ladder.gets(bob.at, "INVITE"))
}

/// §3.8: Bob's phone rings, the caller gives up: CANCEL, 200, 487, ACK on both sides.
#[test]
fn unsuccessful_no_answer() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    let (invite, out) = call(&mut ladder, bob, "s38");
    ladder.sends(bob.at, &answer(&out, "180 Ringing", "bob", "", ""));
    ladder.gets(BIG_GUY.at, "180 INVITE");
    ladder.pass(Duration::from_secs(2));
    ladder.sends(BIG_GUY.at, &cancel(&invite));
    ladder.gets(BIG_GUY.at, "200 CANCEL");
    let terminated = ladder.gets(BIG_GUY.at, "487 INVITE");
    ladder.sends(BIG_GUY.at, &ack_of_refusal(BIG_GUY, &terminated));
    let cancelled = ladder.gets(bob.at, "CANCEL");
    assert_eq!((&cancelled.branch, cancelled.cseq), (&out.branch, out.cseq), "RFC 3261 §9.1");
    ladder.sends(bob.at, &answer(&cancelled, "200 OK", "bob", "", ""));
    ladder.sends(bob.at, &answer(&out, "487 Request Terminated", "bob", "", ""));
    ladder.gets(bob.at, "ACK");
    ladder.is_at_rest();
}

/// §3.9.
#[test]
fn unsuccessful_busy() {
    refused("s39", "486 Busy Here", "486 INVITE");
}

/// §3.11.
#[test]
fn unsuccessful_temporarily_unavailable() {
    refused("s311", "480 Temporarily Unavailable", "480 INVITE");
}

/// The callee's refusal gets its ACK, and the caller the same refusal.
fn refused(call_id: &str, status: &str, told: &str) {
    let (mut ladder, bob) = (Ladder::new(), bob());
    let (_, out) = call(&mut ladder, bob, call_id);
    ladder.sends(bob.at, &answer(&out, "180 Ringing", "bob", "", ""));
    ladder.gets(BIG_GUY.at, "180 INVITE");
    ladder.sends(bob.at, &answer(&out, status, "bob", "", ""));
    let ack = ladder.gets(bob.at, "ACK");
    assert_eq!(ack.branch, out.branch, "RFC 3261 §17.1.1.3");
    let refusal = ladder.gets(BIG_GUY.at, told);
    ladder.sends(BIG_GUY.at, &ack_of_refusal(BIG_GUY, &refusal));
    ladder.is_at_rest();
}

/// §3.10: the phone says nothing at all. The INVITE is sent seven times in 64·T1 (RFC 3261 §17.1.1.2), then the caller
/// is told.
#[test]
fn unsuccessful_no_response_from_user_agent() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    let (_, out) = call(&mut ladder, bob, "s310");
    ladder.pass(Duration::from_millis(31_950));
    for _ in 0..6 {
        assert_eq!(ladder.gets(bob.at, "INVITE").branch, out.branch);
    }
    let refusal = ladder.gets(BIG_GUY.at, "408 INVITE");
    ladder.sends(BIG_GUY.at, &ack_of_refusal(BIG_GUY, &refusal));
    ladder.pass(Duration::from_secs(1));
    ladder.is_at_rest();
}
