//! Media is protected as each peer's policy says (RFC 4568).

use tandem_sbc::user_agent::{Event, SessionId, SrtpKeys, SrtpPolicy};

use crate::support::{CARRIER, PHONE, Request, SDP, Sent, World, config, contact, media};

const KEY: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const OTHER_KEY: &str = "inline:e0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn world(trunk: SrtpPolicy, phones: SrtpPolicy) -> World {
    let mut config = config();
    config.trunks[0].profile.srtp = trunk;
    config.phones.profile.srtp = phones;
    World::with(config)
}

fn secure(key: &str) -> String {
    SDP.replace("RTP/AVP", "RTP/SAVP") + &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {key}\r\n")
}

fn invite(sdp: &str) -> Request {
    Request::invite().with(|invite| sdp.clone_into(&mut invite.body))
}

/// The keys that the only event of media so far told of.
fn keys(world: &mut World) -> Option<SrtpKeys> {
    world.events().into_iter().find_map(|event| match event {
        Event::Media { audio, .. } => Some(audio.security.sdes().cloned()),
        _ => None,
    })?
}

fn crypto(message: &Sent) -> Vec<&str> {
    message.body().lines().filter(|line| line.starts_with("a=crypto:")).collect()
}

#[test]
fn an_offer_against_the_policy_is_not_acceptable() {
    for (policy, sdp) in [(SrtpPolicy::Off, secure(KEY)), (SrtpPolicy::Required, SDP.to_owned())] {
        let mut world = world(policy, SrtpPolicy::Off);
        world.receive(CARRIER, &invite(&sdp).text());
        let events = world.events();
        let [Event::Incoming { session, acceptable: false, .. }] = events[..] else {
            panic!("{policy:?}: {events:?}");
        };
        assert!(world.own(|agent, now| agent.accept(now, session, media())).is_err());
    }
}

/// RFC 4568 §7.1.4: the peer changes its key in the call; we answer with another one too, and the owner hears of
/// both. A re-INVITE without protection is refused, and the call goes on as it was.
#[test]
fn a_reinvite_with_another_key_changes_both() {
    let mut world = world(SrtpPolicy::Required, SrtpPolicy::Off);
    world.receive(CARRIER, &invite(&secure(KEY)).text());
    let session: SessionId = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("an acceptable offer");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    assert!(ok.body().contains("m=audio 20000 RTP/SAVP 0 101\r\n"), "{}", ok.text);
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    let first = keys(&mut world).expect("protected media");

    let reinvite = |cseq: u32, sdp: &str| {
        Request::within("INVITE", cseq, &ok).with(|invite| {
            invite.headers = contact(CARRIER);
            sdp.clone_into(&mut invite.body);
        })
    };
    world.receive(CARRIER, &reinvite(2, &secure(OTHER_KEY)).text());
    let changed = world.expect("200 INVITE");
    assert_ne!(crypto(&changed), crypto(&ok), "our key is another");
    let second = keys(&mut world).expect("protected media");
    assert!(first.send != second.send && first.receive != second.receive);
    world.receive(CARRIER, &Request::within("ACK", 2, &ok).text());

    world.receive(CARRIER, &reinvite(3, &secure(OTHER_KEY)).text());
    let same = world.expect("200 INVITE");
    assert_eq!(same.body(), changed.body(), "a refresh changes nothing");
    world.receive(CARRIER, &Request::within("ACK", 3, &ok).text());
    world.receive(CARRIER, &reinvite(4, SDP).text());
    world.expect("488 INVITE");
    assert_eq!(world.events(), []);
}

/// Each side of a call has its own policy: the carrier's is off here, the phones' is required.
#[test]
fn phones_and_trunks_have_policies_of_their_own() {
    let mut world = world(SrtpPolicy::Off, SrtpPolicy::Required);
    world.call_carrier();
    let to_carrier = world.expect("INVITE");
    assert!(to_carrier.body().contains(" RTP/AVP ") && crypto(&to_carrier).is_empty(), "{}", to_carrier.text);
    world.register_phone(1, PHONE);
    world.call_user();
    let to_phone = world.expect("INVITE");
    assert!(to_phone.body().contains(" RTP/SAVP ") && crypto(&to_phone).len() == 4, "{}", to_phone.text);
}

/// A peer that answers RTP/SAVP without a key, or RTP/AVP, is hung up.
#[test]
fn an_answer_without_protection_ends_a_call_that_requires_it() {
    for sdp in [SDP.to_owned(), SDP.replace("RTP/AVP", "RTP/SAVP")] {
        let mut world = world(SrtpPolicy::Required, SrtpPolicy::Off);
        world.call_carrier();
        let invite = world.expect("INVITE");
        world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), &sdp));
        world.expect("ACK");
        world.expect("BYE");
        assert_eq!(world.event_names(), ["Ended"]);
    }
}
