//! RFC 5359 §2.15 to §2.18: park, pick-up, automatic redial, click to dial.
//!
//! The RFC's phones learn by the dialog event package (RFC 4235) which calls there are. The node has no such package
//! and says so with 489; what a phone knows otherwise it can act on.

use tandem_sim::Seen;
use tandem_sim::ladder::Ladder;

use super::party::{
    BOB, Leg, QUEUE, asks, asks_for, calls, carol, dials, is_answered, is_cancelled, is_told, phones_on,
    picks_up, reaches, rings, talk, turns_down,
};
use crate::messages::{BIG_GUY, Peer, ack_of_refusal, bob, header};
use crate::rfc3665::registration::register;

/// §2.15: Bob parks Alice at a number where she hears music, and leaves. Carol comes, and has her. The RFC's Carol
/// fetches the call with Replaces; here a queue is the place to park, and gives it to whoever is free.
#[test]
fn call_park() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob]);
    calls(&mut ladder, alice, QUEUE, "park");
    let alices = is_answered(&mut ladder, alice);
    let invite = rings(&mut ladder, bob);
    let mut bobs = picks_up(&mut ladder, bob, invite);
    talk(&mut ladder, &alices, &bobs, 0x20);
    asks_for(&mut ladder, &mut bobs, QUEUE, "");
    bobs.gets_bye(&mut ladder);
    is_told(&mut ladder, bob, "200 OK");
    assert!(ladder.hears_a_prompt(alice.at), "music");
    register(&mut ladder, bob, "gone", "Contact: *\r\nExpires: 0\r\n", "200 REGISTER");
    phones_on(&mut ladder, &[carol]);
    let invite = rings(&mut ladder, carol);
    let carols = picks_up(&mut ladder, carol, invite);
    talk(&mut ladder, &alices, &carols, 0x30);
    carols.hangs_up(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.16: Bob's phone rings, and he takes the call at another one of his with Replaces and `early-only` (RFC 3891 §3).
/// Carol, who knows as much of the call, may not.
#[test]
fn call_pick_up() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    let elsewhere = Peer { at: Ladder::phone(3), ..bob };
    phones_on(&mut ladder, &[bob, carol]);
    calls(&mut ladder, alice, BOB, "ringing");
    let invite = rings(&mut ladder, bob);
    ladder.gets(alice.at, "180 INVITE");
    let node_s_tag = invite.from_tag.clone().unwrap_or_default();
    let (call_id, tag) = (&invite.call_id, bob.user);
    let replaces = format!("Replaces: {call_id};to-tag={node_s_tag};from-tag={tag};early-only\r\n");
    dials(&mut ladder, carol, bob.user, "curious", &replaces);
    let refusal = ladder.gets(carol.at, "403 INVITE");
    ladder.sends(carol.at, &ack_of_refusal(carol, &refusal));
    dials(&mut ladder, elsewhere, bob.user, "picks-up", &replaces);
    ladder.gets(elsewhere.at, "100 INVITE");
    let bobs = is_answered(&mut ladder, elsewhere);
    is_cancelled(&mut ladder, bob, &invite);
    let alices = is_answered(&mut ladder, alice);
    talk(&mut ladder, &alices, &bobs, 0x20);
    bobs.hangs_up(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// How Bob's call that rings is named by who would pick it up (RFC 3891 §3).
fn bobs_ringing(invite: &Seen) -> String {
    let node_s_tag = invite.from_tag.clone().unwrap_or_default();
    format!("Replaces: {};to-tag={node_s_tag};from-tag={};early-only\r\n", invite.call_id, bob().user)
}

/// §2.16 as drawn there: Dave, of the same group as Bob, picks up Bob's call. The one of a queue leaves Bob, its agent,
/// as free as before, and is Dave's.
#[test]
fn a_colleague_picks_up() {
    for number in [BOB, QUEUE] {
        let (mut ladder, alice, bob) = (Ladder::new(), BIG_GUY, bob());
        let dave = Peer { user: "1003", at: Ladder::phone(3) };
        phones_on(&mut ladder, &[bob]);
        calls(&mut ladder, alice, number, "ringing");
        let alices = (number == QUEUE).then(|| is_answered(&mut ladder, alice));
        let invite = rings(&mut ladder, bob);
        phones_on(&mut ladder, &[dave]);
        dials(&mut ladder, dave, bob.user, "picks-up", &bobs_ringing(&invite));
        dave_has_it(&mut ladder, [alice, bob, dave], &invite, alices);
        if number == QUEUE {
            calls(&mut ladder, alice, QUEUE, "next");
            let alices = is_answered(&mut ladder, alice);
            let invite = rings(&mut ladder, bob);
            let bobs = picks_up(&mut ladder, bob, invite);
            talk(&mut ladder, &alices, &bobs, 0x30);
            alices.hangs_up(&mut ladder);
            bobs.gets_bye(&mut ladder);
        }
        ladder.is_at_rest();
    }
}

/// The same by code, from a phone that knows nothing of Replaces: of Bob's phone, or of whatever rings. Carol, who is of no
/// group, gets 403, and Dave 480 when nothing rings.
#[test]
fn a_colleague_dials_the_code() {
    for (number, code) in [(BOB, "*81001"), (QUEUE, "*81001"), (BOB, "*8"), (QUEUE, "*8")] {
        let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
        let dave = Peer { user: "1003", at: Ladder::phone(3) };
        phones_on(&mut ladder, &[bob]);
        calls(&mut ladder, alice, number, "ringing");
        let alices = (number == QUEUE).then(|| is_answered(&mut ladder, alice));
        let invite = rings(&mut ladder, bob);
        phones_on(&mut ladder, &[carol, dave]);
        is_turned_down(&mut ladder, carol, code, "403 INVITE");
        dials(&mut ladder, dave, code, "by-code", "");
        dave_has_it(&mut ladder, [alice, bob, dave], &invite, alices);
        is_turned_down(&mut ladder, dave, code, "480 INVITE");
        ladder.is_at_rest();
    }
}

/// What rang at Bob's phone is answered by Dave's, who talks with Alice; she is up already where a queue has answered.
fn dave_has_it(ladder: &mut Ladder, [alice, bob, dave]: [Peer; 3], invite: &Seen, alices: Option<Leg>) {
    ladder.gets(dave.at, "100 INVITE");
    let daves = is_answered(ladder, dave);
    is_cancelled(ladder, bob, invite);
    let alices = alices.unwrap_or_else(|| {
        ladder.gets(alice.at, "180 INVITE");
        is_answered(ladder, alice)
    });
    talk(ladder, &alices, &daves, 0x20);
    daves.hangs_up(ladder);
    alices.gets_bye(ladder);
}

/// A code that cannot be followed.
fn is_turned_down(ladder: &mut Ladder, who: Peer, code: &str, refusal: &str) {
    dials(ladder, who, code, &format!("turned-down-{}", who.user), "");
    ladder.gets(who.at, "100 INVITE");
    let refusal = ladder.gets(who.at, refusal);
    ladder.sends(who.at, &ack_of_refusal(who, &refusal));
}

/// RFC 3891 §3: who picks up what has just been answered gets 486, and 481 or 603 when it is over.
#[test]
fn a_pick_up_comes_too_late() {
    let (mut ladder, alice, bob) = (Ladder::new(), BIG_GUY, bob());
    let dave = Peer { user: "1003", at: Ladder::phone(3) };
    phones_on(&mut ladder, &[bob, dave]);
    calls(&mut ladder, alice, BOB, "ringing");
    let invite = rings(&mut ladder, bob);
    let replaces = bobs_ringing(&invite);
    ladder.gets(alice.at, "180 INVITE");
    let bobs = picks_up(&mut ladder, bob, invite);
    let alices = is_answered(&mut ladder, alice);
    dials(&mut ladder, dave, bob.user, "late", &replaces);
    let refusal = ladder.gets(dave.at, "486 INVITE");
    ladder.sends(dave.at, &ack_of_refusal(dave, &refusal));
    talk(&mut ladder, &alices, &bobs, 0x20);
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    dials(&mut ladder, dave, bob.user, "later", &replaces);
    let refusal = ladder.gets(dave.at, "481 INVITE");
    ladder.sends(dave.at, &ack_of_refusal(dave, &refusal));
    ladder.is_at_rest();
}

/// §2.17: Carol is busy. Nobody tells Bob when she is not any more, so that his phone tries again.
#[test]
fn automatic_redial() {
    let (mut ladder, bob, carol) = (Ladder::new(), bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    dials(&mut ladder, bob, carol.user, "busy", "");
    ladder.gets(bob.at, "100 INVITE");
    let invite = ladder.gets(carol.at, "INVITE");
    turns_down(&mut ladder, carol, &invite, "486 Busy Here");
    let refusal = ladder.gets(bob.at, "486 INVITE");
    ladder.sends(bob.at, &ack_of_refusal(bob, &refusal));
    asks(&mut ladder, bob, "SUBSCRIBE", carol.user, "Event: dialog\r\n");
    assert_eq!(header(&ladder.gets(bob.at, "489 SUBSCRIBE"), "Allow-Events"), "refer");
    let (bobs, carols) = reaches(&mut ladder, bob, carol, "again", "");
    talk(&mut ladder, &bobs, &carols, 0x20);
    bobs.hangs_up(&mut ladder);
    carols.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.18: Bob's browser asks his phone by REFER to call Carol. That is between the two; of the node it may not be asked
/// outside a call (403), and the call that the phone makes is one like any other.
#[test]
fn click_to_dial() {
    let (mut ladder, bob, carol) = (Ladder::new(), bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    let contact = format!("Contact: <sip:{}@{}>\r\n", bob.user, bob.at);
    asks(&mut ladder, bob, "REFER", bob.user, &format!("Refer-To: <sip:1002@127.0.0.1>\r\n{contact}"));
    ladder.gets(bob.at, "403 REFER");
    let (bobs, carols) = reaches(&mut ladder, bob, carol, "clicked", "Referred-By: <sip:1001@127.0.0.1>\r\n");
    talk(&mut ladder, &bobs, &carols, 0x20);
    bobs.hangs_up(&mut ladder);
    carols.gets_bye(&mut ladder);
    ladder.is_at_rest();
}
