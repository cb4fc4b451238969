//! RFC 3665 §3.1 to §3.7: sessions that come about.

use std::net::SocketAddr;
use std::time::Duration;

use rsip::Method;
use tandem_sim::Seen;
use tandem_sim::ladder::{Ladder, audio_of, audio_port};

use super::registration::{own_contact, register};
use crate::messages::{
    BIG_GUY, Peer, ack_of_refusal, answer, bob, credentials, from_callee, header, headers, invite, request,
    sdp, within,
};

/// The number of Bob's phone, and those of the carrier's subscriber.
pub(crate) const BOB: &str = "+15550110";
pub(crate) const SUBSCRIBER: &str = "+15550111";
pub(crate) const SUBSCRIBER_BY_TWO_WAYS: &str = "+15550112";

/// The media of a session whose two legs are answered: `caller` and `callee` hear each other.
pub(crate) fn both_way_media(ladder: &mut Ladder, caller: (SocketAddr, &Seen), callee: (SocketAddr, &Seen)) {
    ladder.pass(Duration::from_millis(50));
    let (to_caller, to_callee) = (audio_port(caller.1), audio_port(callee.1));
    assert_eq!(ladder.speaks(audio_of(caller.0), to_caller, 0x11), Some(audio_of(callee.0)));
    assert_eq!(ladder.speaks(audio_of(callee.0), to_callee, 0x22), Some(audio_of(caller.0)));
}

/// §3.1: F1 INVITE, F2 180, F3 200, F4 ACK, both way media, F5 BYE, F6 200; the callee's leg has the same ladder.
#[test]
fn successful_session_establishment() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    register(&mut ladder, bob, "bob", &own_contact(bob), "200 REGISTER");
    ladder.sends(BIG_GUY.at, &invite(BIG_GUY, BOB, "s31", 1, ""));
    ladder.gets(BIG_GUY.at, "100 INVITE");
    let out = ladder.gets(bob.at, "INVITE");
    assert_eq!(out.text.lines().next(), Some(format!("INVITE sip:1001@{} SIP/2.0", bob.at).as_str()));
    ladder.sends(bob.at, &answer(&out, "180 Ringing", "bob", "", ""));
    let ringing = ladder.gets(BIG_GUY.at, "180 INVITE");
    ladder.sends(bob.at, &answer(&out, "200 OK", "bob", "", &sdp(bob.at)));
    ladder.gets(bob.at, "ACK");
    let ok = ladder.gets(BIG_GUY.at, "200 INVITE");
    assert_eq!(ok.to_tag, ringing.to_tag);
    ladder.sends(BIG_GUY.at, &within("ACK", 1, &ok, ""));
    both_way_media(&mut ladder, (BIG_GUY.at, &ok), (bob.at, &out));
    // Bob hangs up, as in the RFC.
    ladder.sends(bob.at, &from_callee("BYE", 1, &out, "bob"));
    ladder.gets(bob.at, "200 BYE");
    let bye = ladder.gets(BIG_GUY.at, "BYE");
    ladder.sends(BIG_GUY.at, &answer(&bye, "200 OK", "", "", ""));
    ladder.is_at_rest();
}

const RECORD_ROUTES: &str =
    "Record-Route: <sip:127.0.0.10:5070;lr>\r\nRecord-Route: <sip:ss1.atlanta.example.com;lr>\r\n";

/// A phone's call after its challenge: INVITE, 401, ACK, INVITE; the INVITE that the carrier gets.
fn call_from_phone(
    ladder: &mut Ladder,
    phone: Peer,
    number: &str,
    call_id: &str,
    carrier: SocketAddr,
) -> Seen {
    register(ladder, phone, "phone", &own_contact(phone), "200 REGISTER");
    let uri = format!("sip:{number}@127.0.0.1");
    ladder.sends(phone.at, &invite(phone, number, call_id, 1, ""));
    let challenge = ladder.gets(phone.at, "401 INVITE");
    ladder.sends(phone.at, &ack_of_refusal(phone, &challenge));
    let authorization =
        credentials(&challenge, phone.user, &Ladder::password(phone.user), Method::Invite, &uri);
    ladder.sends(phone.at, &invite(phone, number, call_id, 2, &authorization));
    ladder.gets(phone.at, "100 INVITE");
    ladder.gets(carrier, "INVITE")
}

/// §3.2: proxies on both sides. Towards the caller the node is the proxy that challenges; towards the callee it is the
/// user agent that two proxies have put themselves into the route of.
#[test]
fn session_establishment_through_two_proxies() {
    let (mut ladder, alice) = (Ladder::new(), bob());
    let out = call_from_phone(&mut ladder, alice, SUBSCRIBER, "s32", Ladder::CARRIER);
    ladder.sends(Ladder::CARRIER, &answer(&out, "100 Trying", "", "", ""));
    let contact = "Contact: <sip:bob@client.biloxi.example.com>\r\n";
    let headers_of_bob = format!("{RECORD_ROUTES}{contact}");
    ladder.sends(Ladder::CARRIER, &answer(&out, "180 Ringing", "bob", &headers_of_bob, ""));
    ladder.gets(alice.at, "180 INVITE");
    let accepted = answer(&out, "200 OK", "bob", &headers_of_bob, &sdp(Ladder::CARRIER));
    ladder.sends(Ladder::CARRIER, &accepted);
    takes_the_route(&ladder.gets(Ladder::CARRIER, "ACK"));
    let ok = ladder.gets(alice.at, "200 INVITE");
    assert_eq!(
        headers(&ok, "Record-Route"),
        [""; 0],
        "the carrier's proxies are none of the phone's business"
    );
    ladder.sends(alice.at, &within("ACK", 2, &ok, ""));
    both_way_media(&mut ladder, (alice.at, &ok), (Ladder::CARRIER, &out));
    ladder.sends(alice.at, &within("BYE", 3, &ok, ""));
    ladder.gets(alice.at, "200 BYE");
    let bye = ladder.gets(Ladder::CARRIER, "BYE");
    takes_the_route(&bye);
    ladder.sends(Ladder::CARRIER, &answer(&bye, "200 OK", "", "", ""));
    ladder.is_complete();
}

/// RFC 3261 §12.1.2 and §12.2.1.1: the route set in reverse order, the Contact as Request-URI.
#[track_caller]
fn takes_the_route(request: &Seen) {
    let uri = request.text.split(' ').nth(1);
    assert_eq!(uri, Some("sip:bob@client.biloxi.example.com"));
    let route = headers(request, "Route").join(", ");
    assert_eq!(route, "<sip:ss1.atlanta.example.com;lr>, <sip:127.0.0.10:5070;lr>");
}

/// §3.3: two proxies challenge one after the other; the third INVITE has credentials for both realms.
#[test]
fn session_with_multiple_proxy_authentication() {
    let (mut ladder, alice) = (Ladder::new(), bob());
    let mut out = call_from_phone(&mut ladder, alice, SUBSCRIBER, "s33", Ladder::CARRIER);
    for realm in ["atlanta.example.com", "biloxi.example.com"] {
        let challenge =
            format!("Proxy-Authenticate: Digest realm=\"{realm}\", qop=\"auth\", nonce=\"{realm}-1\"\r\n");
        ladder.sends(
            Ladder::CARRIER,
            &answer(&out, "407 Proxy Authorization Required", "proxy", &challenge, ""),
        );
        ladder.gets(Ladder::CARRIER, "ACK");
        let next = ladder.gets(Ladder::CARRIER, "INVITE");
        assert_eq!((next.cseq, &next.call_id), (out.cseq + 1, &out.call_id));
        out = next;
        let shown = headers(&out, "Proxy-Authorization");
        assert!(shown.iter().any(|value| value.contains(&format!("realm=\"{realm}\""))), "{}", out.text);
    }
    assert_eq!(headers(&out, "Proxy-Authorization").len(), 2, "{}", out.text);
    ladder.sends(Ladder::CARRIER, &answer(&out, "200 OK", "bob", "", &sdp(Ladder::CARRIER)));
    let ack = ladder.gets(Ladder::CARRIER, "ACK");
    assert_eq!(headers(&ack, "Proxy-Authorization").len(), 2, "RFC 3261 §22.1: as in the INVITE");
    let ok = ladder.gets(alice.at, "200 INVITE");
    ladder.sends(alice.at, &within("ACK", 2, &ok, ""));
    both_way_media(&mut ladder, (alice.at, &ok), (Ladder::CARRIER, &out));
    ladder.sends(alice.at, &within("BYE", 3, &ok, ""));
    ladder.gets(alice.at, "200 BYE");
    let bye = ladder.gets(Ladder::CARRIER, "BYE");
    assert_eq!(headers(&bye, "Proxy-Authorization").len(), 2);
    ladder.sends(Ladder::CARRIER, &answer(&bye, "200 OK", "", "", ""));
    ladder.is_complete();
}

/// §3.4: the first proxy says nothing; after a while the INVITE goes to the second one, as another transaction.
#[test]
fn successful_session_with_proxy_failure() {
    let mut ladder = Ladder::new();
    let caller = bob();
    let unheard = call_from_phone(&mut ladder, caller, SUBSCRIBER_BY_TWO_WAYS, "s34", Ladder::FIRST_PROXY);
    ladder.pass(Duration::from_secs(4));
    // 500 ms, 1.5 s and 3.5 s after the first (RFC 3261 §17.1.1.2).
    for _ in 0..3 {
        assert_eq!(ladder.gets(Ladder::FIRST_PROXY, "INVITE").branch, unheard.branch);
    }
    let out = ladder.gets(Ladder::SECOND_PROXY, "INVITE");
    assert_ne!(out.branch, unheard.branch);
    ladder.sends(Ladder::SECOND_PROXY, &answer(&out, "200 OK", "bob", "", &sdp(Ladder::SECOND_PROXY)));
    ladder.gets(Ladder::SECOND_PROXY, "ACK");
    let ok = ladder.gets(caller.at, "200 INVITE");
    ladder.sends(caller.at, &within("ACK", 2, &ok, ""));
    both_way_media(&mut ladder, (caller.at, &ok), (Ladder::SECOND_PROXY, &out));
    ladder.sends(caller.at, &within("BYE", 3, &ok, ""));
    ladder.gets(caller.at, "200 BYE");
    let bye = ladder.gets(Ladder::SECOND_PROXY, "BYE");
    ladder.sends(Ladder::SECOND_PROXY, &answer(&bye, "200 OK", "", "", ""));
    ladder.is_complete();
}

/// §3.5: an ALG has rewritten Via and record-routes. Our answers go where the request came from and say so (RFC 3581),
/// and its Record-Route is in our 200.
#[test]
fn session_through_a_sip_alg() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    register(&mut ladder, bob, "bob", &own_contact(bob), "200 REGISTER");
    let alg = "Record-Route: <sip:127.0.0.10:5070;lr>\r\n";
    let behind = invite(BIG_GUY, BOB, "s35", 1, alg)
        .replace(&format!("UDP {};branch", BIG_GUY.at), "UDP 192.168.0.7:5060;rport;branch");
    ladder.sends(BIG_GUY.at, &behind);
    let trying = ladder.gets(BIG_GUY.at, "100 INVITE");
    let via = header(&trying, "Via");
    assert!(via.contains("received=127.0.0.10") && via.contains("rport=5070"), "{via}");
    let out = ladder.gets(bob.at, "INVITE");
    assert!(!out.text.contains("192.168.0.7"), "{}", out.text);
    ladder.sends(bob.at, &answer(&out, "200 OK", "bob", "", &sdp(bob.at)));
    ladder.gets(bob.at, "ACK");
    let ok = ladder.gets(BIG_GUY.at, "200 INVITE");
    assert_eq!(headers(&ok, "Record-Route"), ["<sip:127.0.0.10:5070;lr>"]);
    ladder.sends(BIG_GUY.at, &within("ACK", 1, &ok, ""));
    both_way_media(&mut ladder, (BIG_GUY.at, &ok), (bob.at, &out));
    ladder.sends(bob.at, &from_callee("BYE", 1, &out, "bob"));
    ladder.gets(bob.at, "200 BYE");
    let bye = ladder.gets(BIG_GUY.at, "BYE");
    assert_eq!(headers(&bye, "Route"), ["<sip:127.0.0.10:5070;lr>"]);
    ladder.sends(BIG_GUY.at, &answer(&bye, "200 OK", "", "", ""));
    ladder.is_complete();
}

/// §3.6, the part that is a user agent's: the INVITE has no description, so that the 200 has the offer and the ACK the
/// answer.
#[test]
fn session_with_sdp_in_ack() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    register(&mut ladder, bob, "bob", &own_contact(bob), "200 REGISTER");
    let uri = format!("sip:{BOB}@127.0.0.1");
    ladder.sends(BIG_GUY.at, &request(BIG_GUY, "INVITE", &uri, "s36", 1, "", ""));
    ladder.gets(BIG_GUY.at, "100 INVITE");
    let out = ladder.gets(bob.at, "INVITE");
    ladder.sends(bob.at, &answer(&out, "180 Ringing", "bob", "", ""));
    ladder.gets(BIG_GUY.at, "180 INVITE");
    ladder.sends(bob.at, &answer(&out, "200 OK", "bob", "", &sdp(bob.at)));
    ladder.gets(bob.at, "ACK");
    let ok = ladder.gets(BIG_GUY.at, "200 INVITE");
    assert_ne!(audio_port(&ok), 0, "an offer: {}", ok.text);
    ladder.sends(BIG_GUY.at, &within("ACK", 1, &ok, &sdp(BIG_GUY.at)));
    both_way_media(&mut ladder, (BIG_GUY.at, &ok), (bob.at, &out));
    ladder.sends(BIG_GUY.at, &within("BYE", 2, &ok, ""));
    ladder.gets(BIG_GUY.at, "200 BYE");
    let bye = ladder.gets(bob.at, "BYE");
    ladder.sends(bob.at, &answer(&bye, "200 OK", "", "", ""));
    ladder.is_at_rest();
}

/// §3.7: the callee moves; its re-INVITE is answered by the node itself, and the audio follows it.
#[test]
fn session_with_re_invite_for_a_new_address() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    register(&mut ladder, bob, "bob", &own_contact(bob), "200 REGISTER");
    ladder.sends(BIG_GUY.at, &invite(BIG_GUY, BOB, "s37", 1, ""));
    ladder.gets(BIG_GUY.at, "100 INVITE");
    let out = ladder.gets(bob.at, "INVITE");
    ladder.sends(bob.at, &answer(&out, "200 OK", "bob", "", &sdp(bob.at)));
    ladder.gets(bob.at, "ACK");
    let ok = ladder.gets(BIG_GUY.at, "200 INVITE");
    ladder.sends(BIG_GUY.at, &within("ACK", 1, &ok, ""));
    both_way_media(&mut ladder, (BIG_GUY.at, &ok), (bob.at, &out));
    let moved = SocketAddr::new(Ladder::SECOND_PROXY.ip(), BIG_GUY.at.port());
    ladder.sends(BIG_GUY.at, &within("INVITE", 2, &ok, &sdp(moved).replace("o=- 1 1", "o=- 1 2")));
    let moved_ok = ladder.gets(BIG_GUY.at, "200 INVITE");
    ladder.sends(BIG_GUY.at, &within("ACK", 2, &moved_ok, ""));
    ladder.pass(Duration::from_millis(50));
    assert_eq!(ladder.speaks(audio_of(bob.at), audio_port(&out), 0x33), Some(audio_of(moved)));
    assert_eq!(ladder.speaks(audio_of(moved), audio_port(&moved_ok), 0x44), Some(audio_of(bob.at)));
    ladder.sends(bob.at, &from_callee("BYE", 1, &out, "bob"));
    ladder.gets(bob.at, "200 BYE");
    let bye = ladder.gets(BIG_GUY.at, "BYE");
    ladder.sends(BIG_GUY.at, &answer(&bye, "200 OK", "", "", ""));
    ladder.is_complete();
}
