//! RFC 7989: what a call is called from end to end, with the node as the back-to-back user agent in between.

use tandem_sim::Seen;
use tandem_sim::ladder::Ladder;

use crate::messages::{BIG_GUY, Peer, answer, bob, header, headers, invite};
use crate::rfc5359::party::{
    BOB, alice_talks_to_bob, asks_for, carol, is_answered, is_told, phones_on, picks_up, talk,
};

const NIL: &str = "00000000000000000000000000000000";
const ALICE: &str = "ab30317f1a784dc48ff824d0d3715d86";
const BOBS: &str = "47755a9de7794ba387653f2099600ef2";
const CAROLS: &str = "56be805de8094d0b9c8e0f7e5c4c8a11";

fn says(local: &str) -> String {
    format!("Session-ID: {local};remote={NIL}\r\n")
}

fn pair(local: &str, remote: &str) -> String {
    format!("{local};remote={remote}")
}

/// `callee` is rung, says who it is, and that it rings.
fn rings(ladder: &mut Ladder, callee: Peer, own: &str) -> Seen {
    let invite = ladder.gets(callee.at, "INVITE");
    ladder.sends(callee.at, &answer(&invite, "180 Ringing", callee.user, &says(own), ""));
    invite
}

/// The BYE to `peer`, which is answered.
fn bye(ladder: &mut Ladder, peer: Peer) -> String {
    let bye = ladder.gets(peer.at, "BYE");
    ladder.sends(peer.at, &answer(&bye, "200 OK", "", "", ""));
    header(&bye, "Session-ID")
}

/// Each side hears who the other one is, and after a transfer who it has become.
#[test]
fn a_call_and_its_transfer() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    ladder.sends(alice.at, &invite(alice, BOB, "named", 1, &says(ALICE)));
    assert_eq!(header(&ladder.gets(alice.at, "100 INVITE"), "Session-ID"), pair(NIL, ALICE));
    let invite = rings(&mut ladder, bob, BOBS);
    assert_eq!(header(&ladder.gets(alice.at, "180 INVITE"), "Session-ID"), pair(BOBS, ALICE));
    let mut bobs = picks_up(&mut ladder, bob, invite);
    let alices = is_answered(&mut ladder, alice);
    talk(&mut ladder, &alices, &bobs, 0x10);
    asks_for(&mut ladder, &mut bobs, carol.user, "");
    let invite = rings(&mut ladder, carol, CAROLS);
    is_told(&mut ladder, bob, "180 Ringing");
    let carols = picks_up(&mut ladder, carol, invite);
    is_told(&mut ladder, bob, "200 OK");
    assert_eq!(bye(&mut ladder, bob), pair(ALICE, BOBS), "he had talked to her");
    talk(&mut ladder, &alices, &carols, 0x20);
    carols.hangs_up(&mut ladder);
    assert_eq!(bye(&mut ladder, alice), pair(CAROLS, ALICE), "she talks to Carol now");
    ladder.is_at_rest();
}

/// Who does not say it hears nothing of it.
#[test]
fn a_call_of_those_who_do_not_know_it() {
    let (mut ladder, alice, bob) = (Ladder::new(), BIG_GUY, bob());
    phones_on(&mut ladder, &[bob]);
    let (alices, bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    alices.hangs_up(&mut ladder);
    let bye = ladder.gets(bob.at, "BYE");
    assert!(headers(&bye, "Session-ID").is_empty(), "{}", bye.text);
    ladder.sends(bob.at, &answer(&bye, "200 OK", "", "", ""));
    drop(bobs);
    ladder.is_at_rest();
}
