//! RFC 5359 §2.4 to §2.6: transfer. The RFC's transferor asks the transferee to call somebody else. Here the REFER ends
//! at the node, which takes the transferee there without troubling its signalling: the people notice the same.

use tandem_sim::ladder::Ladder;

use super::party::{
    alice_talks_to_bob, asks, asks_for, carol, is_told, phones_on, picks_up, reaches, rings, talk, turns_down,
};
use crate::messages::{BIG_GUY, answer, bob, header};

/// §2.4, with the called party as transferor: REFER, 202, NOTIFY of 100 and of what the target says, BYE.
#[test]
fn unattended_transfer() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    let (alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    asks_for(&mut ladder, &mut bobs, carol.user, "");
    let invite = rings(&mut ladder, carol);
    assert!(header(&invite, "From").contains(alice.user), "Carol sees who calls: {}", invite.text);
    is_told(&mut ladder, bob, "180 Ringing");
    assert!(ladder.hears_a_prompt(alice.at), "ringback");
    let carols = picks_up(&mut ladder, carol, invite);
    is_told(&mut ladder, bob, "200 OK");
    bobs.gets_bye(&mut ladder);
    talk(&mut ladder, &alices, &carols, 0x20);
    alices.hangs_up(&mut ladder);
    carols.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.4 as drawn there: Bob hangs up as soon as his REFER is accepted (F8), and is told all the same.
#[test]
fn unattended_transfer_by_who_leaves_at_once() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    let (alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    asks_for(&mut ladder, &mut bobs, carol.user, "");
    bobs.hangs_up(&mut ladder);
    let invite = rings(&mut ladder, carol);
    is_told(&mut ladder, bob, "180 Ringing");
    let carols = picks_up(&mut ladder, carol, invite);
    is_told(&mut ladder, bob, "200 OK");
    talk(&mut ladder, &alices, &carols, 0x20);
    carols.hangs_up(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.4 with the caller as transferor, who is the carrier's.
#[test]
fn unattended_transfer_by_the_caller() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    let (mut alices, bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    asks_for(&mut ladder, &mut alices, carol.user, "");
    let invite = rings(&mut ladder, carol);
    is_told(&mut ladder, alice, "180 Ringing");
    let carols = picks_up(&mut ladder, carol, invite);
    is_told(&mut ladder, alice, "200 OK");
    alices.gets_bye(&mut ladder);
    talk(&mut ladder, &bobs, &carols, 0x20);
    bobs.hangs_up(&mut ladder);
    carols.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.4 when the target does not want to: Bob is told, and has Alice back.
#[test]
fn unattended_transfer_that_fails() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    let (alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    asks_for(&mut ladder, &mut bobs, carol.user, "");
    let invite = rings(&mut ladder, carol);
    is_told(&mut ladder, bob, "180 Ringing");
    turns_down(&mut ladder, carol, &invite, "486 Busy Here");
    is_told(&mut ladder, bob, "486 Busy Here");
    talk(&mut ladder, &alices, &bobs, 0x20);
    assert!(!ladder.hears_a_prompt(alice.at), "the ringback has ended");
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.4 with the node as the transferor of the RFC: Alice's own carrier is asked to connect her to another of its
/// numbers, does so, and both calls leave the node.
#[test]
fn unattended_transfer_by_the_carrier() {
    let (mut ladder, alice, bob) = (Ladder::with_transferring_carrier(), BIG_GUY, bob());
    phones_on(&mut ladder, &[bob]);
    let (mut alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    asks_for(&mut ladder, &mut bobs, "+15550195", "");
    let refer = ladder.gets(alice.at, "REFER");
    let to = header(&refer, "Refer-To");
    assert!(to.starts_with("<sip:+15550195@127.0.0.10"), "{to}");
    ladder.sends(alice.at, &answer(&refer, "202 Accepted", "", "", ""));
    for (fragment, state) in [("100 Trying", "active;expires=60"), ("200 OK", "terminated;reason=noresource")]
    {
        let headers = format!(
            "Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n\
             Contact: <sip:alice@{}>\r\n",
            alice.at
        );
        alices.sends(&mut ladder, "NOTIFY", &headers, &format!("SIP/2.0 {fragment}\r\n"));
        ladder.gets(alice.at, "200 NOTIFY");
    }
    is_told(&mut ladder, bob, "200 OK");
    bobs.gets_bye(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.5: Bob holds Alice, asks Carol, and transfers by a REFER with the Replaces of his call with her. Her phone gets no
/// second INVITE: the node puts the two together.
#[test]
fn attended_transfer() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    let (alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    bobs.offers(&mut ladder, "sendonly", "recvonly");
    let (consulting, carols) = reaches(&mut ladder, bob, carol, "bob-carol", "");
    talk(&mut ladder, &consulting, &carols, 0x20);
    let replaces = format!("?{}", consulting.as_replaces());
    asks_for(&mut ladder, &mut bobs, carol.user, &replaces);
    bobs.gets_bye(&mut ladder);
    consulting.gets_bye(&mut ladder);
    is_told(&mut ladder, bob, "200 OK");
    talk(&mut ladder, &alices, &carols, 0x30);
    carols.hangs_up(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.6: the node does calls, not messages. Both ways to ask for it get the response that says so, and the call goes on.
#[test]
fn instant_messages_are_nobody_s_here() {
    let (mut ladder, alice, bob) = (Ladder::new(), BIG_GUY, bob());
    phones_on(&mut ladder, &[bob]);
    let (alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    asks(&mut ladder, alice, "MESSAGE", bob.user, "");
    let allow = header(&ladder.gets(alice.at, "405 MESSAGE"), "Allow");
    assert!(allow.contains("REFER") && !allow.contains("MESSAGE"), "{allow}");
    let contact = format!("Contact: <sip:{}@{}>\r\n", bob.user, bob.at);
    for (refer_to, status) in [
        ("<im:carol@chicago.example.com>", "416 REFER"),
        ("<sip:1002@127.0.0.1;method=MESSAGE>", "403 REFER"),
    ] {
        bobs.sends(&mut ladder, "REFER", &format!("Refer-To: {refer_to}\r\n{contact}"), "");
        ladder.gets(bob.at, status);
    }
    talk(&mut ladder, &alices, &bobs, 0x20);
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    ladder.is_at_rest();
}
