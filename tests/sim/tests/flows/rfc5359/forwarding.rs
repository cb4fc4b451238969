//! RFC 5359 §2.7 to §2.9 and §2.12 to §2.14: who is rung instead, besides, or not at all. The RFC's proxies fork and say
//! 181; the node answers for a queue itself and lets the caller hear music, or rings through for a number.

use std::time::Duration;

use tandem_sim::ladder::Ladder;

use super::party::{
    BOB, Leg, QUEUE, calls, carol, dials, is_answered, is_cancelled, phones_on, picks_up, rings, talk,
    turns_down,
};
use crate::messages::{BIG_GUY, Peer, ack_of_refusal, answer, bob};

/// §2.7: the number leads to somebody at the carrier, by the node's configuration; no phone here is rung.
#[test]
fn call_forwarding_unconditional() {
    const LEADS_ELSEWHERE: &str = "+15550111";
    let (mut ladder, alice, bob) = (Ladder::new(), BIG_GUY, bob());
    phones_on(&mut ladder, &[bob]);
    calls(&mut ladder, alice, LEADS_ELSEWHERE, "unconditional");
    let invite = ladder.gets(Ladder::CARRIER, "INVITE");
    assert!(invite.text.starts_with("INVITE sip:+15550195@127.0.0.10"), "{}", invite.text);
    let elsewhere = Peer { user: "+15550195", at: Ladder::CARRIER };
    ladder.sends(elsewhere.at, &answer(&invite, "180 Ringing", elsewhere.user, "", ""));
    ladder.gets(alice.at, "180 INVITE");
    let theirs = picks_up(&mut ladder, elsewhere, invite);
    let alices = is_answered(&mut ladder, alice);
    talk(&mut ladder, &alices, &theirs, 0x20);
    alices.hangs_up(&mut ladder);
    theirs.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// Alice calls the queue, hears music, and Bob's phone is rung first.
fn alice_waits_for_bob(ladder: &mut Ladder, alice: Peer, bob: Peer, carol: Peer) -> (Leg, tandem_sim::Seen) {
    phones_on(ladder, &[bob]);
    ladder.pass(Duration::from_secs(1));
    phones_on(ladder, &[carol]);
    calls(ladder, alice, QUEUE, "queue");
    let alices = is_answered(ladder, alice);
    let invite = rings(ladder, bob);
    assert!(ladder.hears_a_prompt(alice.at), "music");
    (alices, invite)
}

/// She has Carol, and nobody else is left.
fn carol_takes_it(ladder: &mut Ladder, alices: Leg, carol: Peer) {
    let invite = rings(ladder, carol);
    let carols = picks_up(ladder, carol, invite);
    talk(ladder, &alices, &carols, 0x20);
    assert!(!ladder.hears_a_prompt(alices.peer.at));
    alices.hangs_up(ladder);
    carols.gets_bye(ladder);
    ladder.is_at_rest();
}

/// §2.8: Bob is busy (486), so that Carol is rung.
#[test]
fn call_forwarding_busy() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    let (alices, invite) = alice_waits_for_bob(&mut ladder, alice, bob, carol);
    turns_down(&mut ladder, bob, &invite, "486 Busy Here");
    carol_takes_it(&mut ladder, alices, carol);
}

/// §2.9: Bob does not answer for as long as the queue lets a phone ring: CANCEL, 200, 487, ACK, and Carol is rung.
#[test]
fn call_forwarding_no_answer() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    let (alices, invite) = alice_waits_for_bob(&mut ladder, alice, bob, carol);
    ladder.pass(Duration::from_secs(6));
    is_cancelled(&mut ladder, bob, &invite);
    carol_takes_it(&mut ladder, alices, carol);
}

/// §2.12: wherever Bob's phones are, they ring; where he answers he is found, and the other one stops.
#[test]
fn find_me() {
    let (mut ladder, alice, office) = (Ladder::new(), BIG_GUY, bob());
    let home = Peer { at: Ladder::phone(3), ..office };
    phones_on(&mut ladder, &[office]);
    ladder.pass(Duration::from_secs(1));
    phones_on(&mut ladder, &[home]);
    calls(&mut ladder, alice, BOB, "find-me");
    let [at_office, at_home] = [office, home].map(|phone| rings(&mut ladder, phone));
    ladder.gets(alice.at, "180 INVITE");
    assert_ne!(at_office.branch, at_home.branch);
    let bobs = picks_up(&mut ladder, home, at_home);
    is_cancelled(&mut ladder, office, &at_office);
    let alices = is_answered(&mut ladder, alice);
    talk(&mut ladder, &alices, &bobs, 0x20);
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.13: a caller who is not wanted is turned away by the rules of its trunk, and Bob's phone stays silent; others get through.
#[test]
fn incoming_call_screening() {
    let (mut ladder, bob) = (Ladder::with_screening(), bob());
    phones_on(&mut ladder, &[bob]);
    let unwanted = Peer { user: "+19005551212", ..BIG_GUY };
    calls(&mut ladder, unwanted, BOB, "unwanted");
    let refusal = ladder.gets(unwanted.at, "603 INVITE");
    assert!(refusal.text.contains(&format!("To: <sip:{BOB}@")), "whom it called: {}", refusal.text);
    ladder.sends(unwanted.at, &ack_of_refusal(unwanted, &refusal));
    calls(&mut ladder, BIG_GUY, BOB, "wanted");
    let invite = rings(&mut ladder, bob);
    ladder.gets(BIG_GUY.at, "180 INVITE");
    let bobs = picks_up(&mut ladder, bob, invite);
    let alices = is_answered(&mut ladder, BIG_GUY);
    talk(&mut ladder, &alices, &bobs, 0x20);
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.14: a number that phones here may not call is refused, and nothing leaves for the carrier.
#[test]
fn outgoing_call_screening() {
    const PREMIUM: &str = "+19005551212";
    let (mut ladder, bob) = (Ladder::new(), bob());
    phones_on(&mut ladder, &[bob]);
    dials(&mut ladder, bob, PREMIUM, "screened", "");
    ladder.gets(bob.at, "100 INVITE");
    let refusal = ladder.gets(bob.at, "404 INVITE");
    ladder.sends(bob.at, &ack_of_refusal(bob, &refusal));
    ladder.is_at_rest();
}
