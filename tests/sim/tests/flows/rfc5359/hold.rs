//! RFC 5359 §2.1 to §2.3: hold.

use tandem_sim::ladder::{Ladder, audio_of};

use super::party::{
    BOB_DIRECTLY, alice_talks_to_bob, calls, carol, is_answered, phones_on, picks_up, reaches, rings, talk,
};
use crate::messages::{BIG_GUY, answer, bob, sdp};

/// §2.1, F12 to F17. The RFC's two user agents agree on it between them. Here each leg is a session of its own: the node
/// answers the re-INVITE, Alice hears nothing until Bob resumes, and Bob does not hear her; nor the other way round.
#[test]
fn call_hold() {
    let (mut ladder, alice, bob) = (Ladder::new(), BIG_GUY, bob());
    phones_on(&mut ladder, &[bob]);
    let (mut alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    bobs.offers(&mut ladder, "sendonly", "recvonly");
    assert_eq!(alices.speaks(&mut ladder, 0x20), None);
    bobs.offers(&mut ladder, "sendrecv", "sendrecv");
    talk(&mut ladder, &alices, &bobs, 0x30);
    // Whoever called may hold as well.
    alices.offers(&mut ladder, "inactive", "inactive");
    assert_eq!(bobs.speaks(&mut ladder, 0x40), None);
    alices.offers(&mut ladder, "sendrecv", "sendrecv");
    talk(&mut ladder, &alices, &bobs, 0x50);
    bobs.hangs_up(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.1 with media that does not pass the node: the hold goes through to Alice, and her answer back, as in the RFC.
#[test]
fn call_hold_with_direct_media() {
    let (mut ladder, alice, bob) = (Ladder::new(), BIG_GUY, bob());
    phones_on(&mut ladder, &[bob]);
    calls(&mut ladder, alice, BOB_DIRECTLY, "direct");
    let invite = rings(&mut ladder, bob);
    let names = |text: &str, peer| {
        text.contains(&format!("c=IN IP4 {}\r\n", audio_of(peer).ip())) && text.contains("m=audio 4000 ")
    };
    assert!(names(&invite.text, alice.at), "{}", invite.text);
    ladder.gets(alice.at, "180 INVITE");
    let mut bobs = picks_up(&mut ladder, bob, invite);
    let alices = is_answered(&mut ladder, alice);
    for (version, direction, answered) in [(2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")] {
        let offer = sdp(bob.at).replace("o=- 1 1", &format!("o=- 1 {version}"));
        bobs.sends(&mut ladder, "INVITE", "", &format!("{offer}a={direction}\r\n"));
        ladder.gets(bob.at, "100 INVITE");
        let passed = ladder.gets(alice.at, "INVITE");
        assert!(names(&passed.text, bob.at) && passed.text.contains(&format!("a={direction}\r\n")));
        let description = format!("{}a={answered}\r\n", sdp(alice.at));
        ladder.sends(alice.at, &answer(&passed, "200 OK", "", "", &description));
        ladder.gets(alice.at, "ACK");
        let ok = ladder.gets(bob.at, "200 INVITE");
        assert!(names(&ok.text, alice.at) && ok.text.contains(&format!("a={answered}\r\n")), "{}", ok.text);
        bobs.acknowledges(&mut ladder);
    }
    bobs.hangs_up(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.2: Bob holds Alice, asks Carol something, and goes on with Alice.
#[test]
fn consultation_hold() {
    let (mut ladder, alice, bob, carol) = (Ladder::new(), BIG_GUY, bob(), carol());
    phones_on(&mut ladder, &[bob, carol]);
    let (alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    bobs.offers(&mut ladder, "sendonly", "recvonly");
    let (consulting, carols) = reaches(&mut ladder, bob, carol, "bob-carol", "");
    talk(&mut ladder, &consulting, &carols, 0x20);
    assert_eq!(alices.speaks(&mut ladder, 0x30), None, "Alice is not heard meanwhile");
    consulting.hangs_up(&mut ladder);
    carols.gets_bye(&mut ladder);
    bobs.offers(&mut ladder, "sendrecv", "sendrecv");
    talk(&mut ladder, &alices, &bobs, 0x40);
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    ladder.is_at_rest();
}

/// §2.3. The RFC's Bob finds a music server and hands Alice its description; here the node plays the music itself, and
/// Alice's signalling is not troubled.
#[test]
fn music_on_hold() {
    let (mut ladder, alice, bob) = (Ladder::with_hold_music(), BIG_GUY, bob());
    phones_on(&mut ladder, &[bob]);
    let (alices, mut bobs) = alice_talks_to_bob(&mut ladder, alice, bob);
    assert!(!ladder.hears_a_prompt(alice.at));
    bobs.offers(&mut ladder, "sendonly", "recvonly");
    assert!(ladder.hears_a_prompt(alice.at));
    assert!(!ladder.hears_a_prompt(bob.at));
    bobs.offers(&mut ladder, "sendrecv", "sendrecv");
    assert!(!ladder.hears_a_prompt(alice.at));
    talk(&mut ladder, &alices, &bobs, 0x20);
    bobs.hangs_up(&mut ladder);
    alices.gets_bye(&mut ladder);
    ladder.is_at_rest();
}
