//! Session-ID (RFC 7989): what a call is called from end to end.

use tandem_sbc::user_agent::{
    Event, Identity, Invite, InviteTarget, SessionId, SessionIdPolicy, TrunkCredentials, UserAgentConfig,
};

use crate::support::{CARRIER, PHONE, Request, SDP, Sent, World, config, contact, media};

const NIL: &str = "00000000000000000000000000000000";
const ALICE: &str = "ab30317f1a784dc48ff824d0d3715d86";
const BOB: &str = "47755a9de7794ba387653f2099600ef2";
const CAROL: &str = "56be805de8094d0b9c8e0f7e5c4c8a11";

fn with(trunk: SessionIdPolicy, phones: SessionIdPolicy) -> UserAgentConfig {
    let mut config = config();
    config.trunks[0].profile.session_id = trunk;
    config.phones.profile.session_id = phones;
    config
}

fn says(local: &str, remote: &str) -> String {
    format!("Session-ID: {local};remote={remote}\r\n")
}

/// What a message of ours says: our side, and the peer's.
fn said(message: &Sent) -> (String, String) {
    let value = message.header("Session-ID");
    let (local, remote) = value.split_once(";remote=").unwrap_or_else(|| panic!("{}", message.text));
    (local.to_owned(), remote.to_owned())
}

fn remote(message: &Sent) -> String {
    said(message).1
}

fn is_silent(message: &Sent) -> bool {
    message.headers("Session-ID").is_empty()
}

/// A call of the carrier's that says who it is.
fn alice_calls(world: &mut World) -> SessionId {
    let invite = Request::invite().with(|invite| invite.headers.push_str(&says(ALICE, NIL)));
    world.receive(CARRIER, &invite.text());
    world.incoming()
}

fn invite_user(world: &mut World, caller: SessionId) -> SessionId {
    let target = InviteTarget::User("1001".to_owned());
    let invite = Invite { target, from: Identity::default(), media: media() };
    world.own(|agent, now| agent.invite_for(now, caller, invite)).expect("a registered phone")
}

/// Who says it is answered with it, in every response and in requests of ours; who does not is not.
#[test]
fn who_says_it_hears_it() {
    let mut world = World::new();
    let session = alice_calls(&mut world);
    assert_eq!(said(&world.expect("100 INVITE")), (NIL.to_owned(), ALICE.to_owned()), "nobody is known yet");
    world.own(|agent, now| agent.ring(now, session)).expect("it waits");
    let (ours, theirs) = said(&world.expect("180 INVITE"));
    assert_eq!((theirs.as_str(), ours == NIL), (ALICE, false));
    world.own(|agent, now| agent.accept(now, session, media())).expect("it waits");
    let ok = world.expect("200 INVITE");
    assert_eq!(said(&ok), (ours.clone(), ALICE.to_owned()));
    world.pass_ms(500);
    assert_eq!(world.expect("200 INVITE").text, ok.text, "the same when it is sent again");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.receive(CARRIER, &Request::within("OPTIONS", 2, &ok).text());
    assert_eq!(said(&world.expect("200 OPTIONS")), (ours.clone(), ALICE.to_owned()));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("there");
    assert_eq!(said(&world.expect("BYE")), (ours, ALICE.to_owned()));

    let mut world = World::new();
    let (session, ok) = world.established();
    assert!(is_silent(&ok));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("there");
    assert!(is_silent(&world.expect("BYE")));
    assert_eq!(world.agent.session_id(session), None);
}

/// What is refused and what is cancelled has it, too.
#[test]
fn failures_have_it() {
    let mut world = World::new();
    let session = alice_calls(&mut world);
    world.expect("100 INVITE");
    world.own(|agent, now| agent.reject(now, session, 486)).expect("it waits");
    assert_eq!(remote(&world.expect("486 INVITE")), ALICE);

    let mut world = World::new();
    let options =
        Request::new("OPTIONS", "sip:us@127.0.0.1").with(|it| it.headers.push_str(&says(ALICE, NIL)));
    world.receive(CARRIER, &options.text());
    assert_eq!(said(&world.expect("200 OPTIONS")), (NIL.to_owned(), ALICE.to_owned()));
    let bye = Request::new("BYE", "sip:us@127.0.0.1").with(|it| {
        it.branch.push_str("-2");
        it.headers.push_str(&says(ALICE, NIL));
    });
    world.receive(CARRIER, &bye.text());
    assert_eq!(said(&world.expect("481 BYE")), (NIL.to_owned(), ALICE.to_owned()));
}

/// CANCEL and the ACK of a refusal have what their INVITE had, which a challenge does not change.
#[test]
fn requests_of_one_transaction_agree() {
    let mut config = with(SessionIdPolicy::Send, SessionIdPolicy::Off);
    let (username, password) = ("us".to_owned(), "secret".to_owned());
    config.trunks[0].credentials = Some(TrunkCredentials { username, password, realm: None });
    let mut world = World::with(config);
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    assert_eq!(remote(&invite), NIL);
    let challenge = "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"1\"\r\n";
    world.receive(CARRIER, &invite.answer("401 Unauthorized", "x", challenge, ""));
    assert_eq!(said(&world.expect("ACK")), said(&invite));
    let again = world.expect("INVITE");
    assert_eq!((said(&again), again.headers("Session-ID").len()), (said(&invite), 1));
    let ringing = format!("{}{}", contact(CARRIER), says(BOB, ALICE));
    world.receive(CARRIER, &again.answer("180 Ringing", "callee", &ringing, ""));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("there");
    assert_eq!(said(&world.expect("CANCEL")), said(&again));
}

/// Each party hears who is at the other end: as soon as it is known, and when it becomes somebody else.
#[test]
fn each_side_is_told_of_the_other() {
    let mut world = World::with(with(SessionIdPolicy::Accept, SessionIdPolicy::Send));
    world.register_phone(1, PHONE);
    world.events();
    let caller = alice_calls(&mut world);
    world.expect("100 INVITE");
    let callee = invite_user(&mut world, caller);
    let invite = world.expect("INVITE");
    assert_eq!(said(&invite), (ALICE.to_owned(), NIL.to_owned()));
    world.receive(
        PHONE,
        &invite.answer("180 Ringing", "callee", &format!("{}{}", contact(PHONE), says(BOB, ALICE)), ""),
    );
    world.own(|agent, now| agent.ring(now, caller)).expect("it waits");
    assert_eq!(said(&world.expect("180 INVITE")), (BOB.to_owned(), ALICE.to_owned()));
    world.receive(
        PHONE,
        &invite.answer("200 OK", "callee", &format!("{}{}", contact(PHONE), says(BOB, ALICE)), SDP),
    );
    assert_eq!(said(&world.expect("ACK")), (ALICE.to_owned(), BOB.to_owned()));
    world.own(|agent, now| agent.accept(now, caller, media())).expect("it waits");
    let ok = world.expect("200 INVITE");
    assert_eq!(said(&ok), (BOB.to_owned(), ALICE.to_owned()));
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());

    // She has been transferred: her new UUID is in a request of hers.
    let update = Request::within("UPDATE", 2, &ok).with(|it| it.headers.push_str(&says(CAROL, BOB)));
    world.receive(CARRIER, &update.text());
    assert_eq!(said(&world.expect("200 UPDATE")), (BOB.to_owned(), CAROL.to_owned()));
    assert_eq!(world.agent.session_id(callee).as_deref(), Some(format!("{CAROL};remote={BOB}").as_str()));
    world.own(|agent, now| agent.hang_up(now, callee, "")).expect("there");
    assert_eq!(said(&world.expect("BYE")), (CAROL.to_owned(), BOB.to_owned()));
}

/// Two who have been talking to others, and are put together; and one who has no UUID has ours for as long as it is there.
#[test]
fn a_transfer_introduces_them() {
    let mut world = World::with(with(SessionIdPolicy::Send, SessionIdPolicy::Send));
    let caller = alice_calls(&mut world);
    world.own(|agent, now| agent.accept(now, caller, media())).expect("it waits");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.events();
    let (called, invite) = world.answered();
    assert_eq!(remote(&invite), NIL);
    world.own(|agent, _| agent.pair(caller, called));
    for (session, theirs) in [(called, NIL), (caller, ALICE)] {
        world.own(|agent, now| agent.hang_up(now, session, "")).expect("there");
        let (shown, remote) = said(&world.expect("BYE"));
        assert_eq!((shown == ALICE, remote.as_str()), (session == called, theirs));
        assert_ne!((shown.as_str(), shown == said(&ok).0), (NIL, true), "the other party, not us");
    }
}

/// A peer of RFC 7329 has one value for both sides, and hears that.
#[test]
fn a_peer_of_the_older_kind() {
    let mut world = World::new();
    let invite = Request::invite().with(|it| it.headers.push_str(&format!("Session-ID: {ALICE}\r\n")));
    world.receive(CARRIER, &invite.text());
    let session = world.incoming();
    assert_eq!(world.expect("100 INVITE").header("Session-ID"), ALICE);
    world.own(|agent, now| agent.reject(now, session, 486)).expect("it waits");
    assert_eq!(world.expect("486 INVITE").header("Session-ID"), ALICE);
}

/// Nothing of it leaves to a trunk that is to know nothing, nor is what it says believed.
#[test]
fn a_trunk_may_be_told_nothing() {
    let mut world = World::with(with(SessionIdPolicy::Off, SessionIdPolicy::Send));
    world.register_phone(1, PHONE);
    world.events();
    let caller = alice_calls(&mut world);
    assert!(is_silent(&world.expect("100 INVITE")));
    invite_user(&mut world, caller);
    assert_ne!(said(&world.expect("INVITE")).0, ALICE);
    world.own(|agent, now| agent.reject(now, caller, 486)).expect("it waits");
    assert!(is_silent(&world.expect("486 INVITE")));
    assert_eq!(world.agent.session_id(caller), None);
}

/// The owner hears what a session was called before it hears of its end, whoever ends it; nothing of one that was called
/// nothing.
#[test]
fn who_hangs_up_is_named() {
    for is_named in [true, false] {
        let mut world = World::new();
        let session = if is_named {
            alice_calls(&mut world)
        } else {
            world.receive(CARRIER, &Request::invite().text());
            world.incoming()
        };
        world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
        world.expect("100 INVITE");
        let ok = world.expect("200 INVITE");
        world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
        world.events();
        world.receive(CARRIER, &Request::within("BYE", 2, &ok).text());
        let named = world.events().into_iter().find_map(|event| match event {
            Event::Named { session_id, .. } => Some(session_id),
            _ => None,
        });
        let expected = is_named.then(|| format!("{};remote={ALICE}", said(&ok).0));
        assert_eq!(named, expected);
    }
}
