//! RFC 5359 §2.10 and §2.11: three-way conferences.

use tandem_sim::ladder::Ladder;

use super::party::{
    QUEUE, alice_talks_to_bob, calls, carol, is_answered, phones_on, picks_up, reaches, rings, talk,
};
use crate::messages::{BIG_GUY, ack_of_refusal, bob, header, invite};

/// §2.10, where the one who adds the third party mixes: Bob's phone has two calls at once, each with audio both ways,
/// and either goes on when the other ends.
#[test]
fn three_way_conference_third_party_is_added() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    let (alices, bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    let (with_carol, carols) = reaches(&mut ladder, bob, carol, "bob-carol", "");
    talk(&mut ladder, &bobs, &alices, 0x20);
    talk(&mut ladder, &with_carol, &carols, 0x30);
    carols.hangs_up(&mut ladder);
    with_carol.gets_bye(&mut ladder);
    talk(&mut ladder, &bobs, &alices, 0x40);
    bobs.hangs_up(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.11: a Join (RFC 3911) is not known here. Who requires it is told so (RFC 3261 §8.2.2.3), and the conversation it
/// names goes on undisturbed.
#[test]
fn three_way_conference_third_party_joins() {
    let (mut ladder, alice, bob) = (Ladder::new(), BIG_GUY, bob());
    phones_on(&mut ladder, &[bob]);
    let (alices, bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    let join = bobs.as_replaces().replace("Replaces=", "Join: ").replace("%3B", ";").replace("%3D", "=");
    let headers = format!("{join}\r\nRequire: join\r\n");
    ladder.sends(alice.at, &invite(alice, QUEUE, "joining", 1, &headers));
    let refusal = ladder.gets(alice.at, "420 INVITE");
    assert_eq!(header(&refusal, "Unsupported"), "join");
    ladder.sends(alice.at, &ack_of_refusal(alice, &refusal));
    talk(&mut ladder, &alices, &bobs, 0x20);
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    // Who only can, and requires nothing, is a caller like any other.
    calls(&mut ladder, alice, QUEUE, "able");
    let alices = is_answered(&mut ladder, alice);
    let invite = rings(&mut ladder, bob);
    let bobs = picks_up(&mut ladder, bob, invite);
    talk(&mut ladder, &alices, &bobs, 0x30);
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    ladder.is_at_rest();
}
