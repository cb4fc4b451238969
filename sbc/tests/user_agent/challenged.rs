//! Carriers that challenge our requests (RFC 3261 §22.2, §22.3; RFC 7616).

use tandem_sbc::digest_response;
use tandem_sbc::header::Credentials;
use tandem_sbc::user_agent::{Ender, Event, SessionEnd, TrunkCredentials, UserAgentConfig};

use crate::support::{CARRIER, Request, SDP, Sent, World, config, contact};

fn with_credentials(realm: Option<&str>) -> UserAgentConfig {
    let mut config = config();
    let (username, password) = ("us".to_owned(), "the secret".to_owned());
    config.trunks[0].credentials =
        Some(TrunkCredentials { username, password, realm: realm.map(str::to_owned) });
    config
}

fn challenging() -> World {
    World::with(with_credentials(None))
}

/// A challenge as a header line.
fn www(realm: &str, nonce: &str, more: &str) -> String {
    format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\"{more}\r\n")
}

fn proxy(realm: &str, nonce: &str, more: &str) -> String {
    www(realm, nonce, more).replace("WWW-", "Proxy-")
}

/// The credentials in a header of a request, whose response is the right one.
fn right_answer(request: &Sent, header: &str) -> (String, String) {
    let value = request.header(header);
    let read = Credentials::parse(value.as_bytes()).unwrap_or_else(|_| panic!("none in {}", request.text));
    let expected = digest_response(&read, request.what().as_bytes(), "the secret").expect("a digest");
    assert_eq!(read.param("response").as_deref(), Some(expected.as_str()));
    assert_eq!(read.param("uri").as_deref(), Some(request.request_uri()));
    assert_eq!(read.param("username").as_deref(), Some("us"));
    let param = |name| read.param(name).unwrap_or_default().into_owned();
    (param("nonce"), param("nc"))
}

/// A call that was challenged once, and its second INVITE.
fn challenged_once(world: &mut World) -> Sent {
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("401 Unauthorized", "them", &www("carrier", "n1", ""), ""));
    world.expect("ACK");
    world.expect("INVITE")
}

/// §22.2: the same request, the same Call-ID, the next CSeq; §22.1: the ACK has the credentials too; the BYE has
/// them at once, with the next nonce count (RFC 7616 §3.4).
#[test]
fn a_challenged_call_is_the_same_session_under_the_next_cseq() {
    let mut world = challenging();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("401 Unauthorized", "them", &www("carrier", "n1", ""), ""));
    assert_eq!(world.expect("ACK").header("CSeq"), "1 ACK");
    let again = world.expect("INVITE");
    assert_eq!(again.header("CSeq"), "2 INVITE");
    assert_ne!(again.branch(), invite.branch());
    for same in ["Call-ID", "From", "To", "Contact", "Content-Type"] {
        assert_eq!(again.header(same), invite.header(same));
    }
    assert_eq!(again.body(), invite.body());
    assert_eq!(right_answer(&again, "Authorization"), ("n1".into(), "00000001".into()));
    assert_eq!(world.events(), [], "the owner is told nothing");

    world.receive(CARRIER, &again.answer("200 OK", "callee", &contact(CARRIER), SDP));
    let ack = world.expect("ACK");
    assert_eq!(ack.header("Authorization"), again.header("Authorization"));
    assert_eq!(ack.header("CSeq"), "2 ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.header("CSeq"), "3 BYE");
    assert_eq!(right_answer(&bye, "Authorization"), ("n1".into(), "00000002".into()));
    world.receive(CARRIER, &bye.answer("200 OK", "callee", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    assert_eq!(world.counters().challenges_answered, 1);
    world.rest();
}

/// §22.3: a proxy's challenge and the peer's are both answered, in one response or one after the other.
#[test]
fn a_proxy_and_the_peer_behind_it_get_an_answer_each() {
    let mut world = challenging();
    world.call_carrier();
    let invite = world.expect("INVITE");
    let challenge = invite.answer("407 Proxy Authentication Required", "p", &proxy("edge", "p1", ""), "");
    world.receive(CARRIER, &challenge);
    world.expect("ACK");
    let second = world.expect("INVITE");
    assert_eq!(right_answer(&second, "Proxy-Authorization").0, "p1");
    world.receive(CARRIER, &second.answer("401 Unauthorized", "them", &www("carrier", "n1", ""), ""));
    world.expect("ACK");
    let third = world.expect("INVITE");
    assert_eq!(third.header("CSeq"), "3 INVITE");
    assert_eq!(right_answer(&third, "Proxy-Authorization"), ("p1".into(), "00000002".into()));
    assert_eq!(right_answer(&third, "Authorization"), ("n1".into(), "00000001".into()));

    let mut world = challenging();
    world.call_carrier();
    let invite = world.expect("INVITE");
    let both = proxy("edge", "p1", "") + &www("carrier", "n1", "");
    world.receive(CARRIER, &invite.answer("407 Proxy Authentication Required", "p", &both, ""));
    world.expect("ACK");
    let second = world.expect("INVITE");
    assert_eq!(right_answer(&second, "Proxy-Authorization").0, "p1");
    assert_eq!(right_answer(&second, "Authorization").0, "n1");
}

/// RFC 8760 §2.4: the topmost challenge that we know; RFC 7616 §3.3: `stale=true` is no refusal.
#[test]
fn the_topmost_known_algorithm_is_used_and_a_stale_nonce_is_replaced() {
    let mut world = challenging();
    world.call_carrier();
    let invite = world.expect("INVITE");
    let several = [("SHA-512-256", "a"), ("SHA-256", "b"), ("MD5", "c")]
        .map(|(algorithm, nonce)| www("carrier", nonce, &format!(", algorithm={algorithm}")))
        .concat();
    world.receive(CARRIER, &invite.answer("401 Unauthorized", "them", &several, ""));
    world.expect("ACK");
    let second = world.expect("INVITE");
    assert_eq!(right_answer(&second, "Authorization").0, "b");
    let stale = www("carrier", "d", ", algorithm=SHA-256, stale=TRUE");
    world.receive(CARRIER, &second.answer("401 Unauthorized", "them", &stale, ""));
    world.expect("ACK");
    let third = world.expect("INVITE");
    assert_eq!(right_answer(&third, "Authorization"), ("d".into(), "00000001".into()));
}

/// §22.3: not again with credentials that were refused; nor for ever with a server whose every nonce is stale.
#[test]
fn a_refusal_of_our_credentials_ends_the_call() {
    for (more, status) in [("", "n2"), (", stale=true", "n1")] {
        let mut world = challenging();
        let second = challenged_once(&mut world);
        let refusal = second.answer("401 Unauthorized", "them", &www("carrier", status, more), "");
        world.receive(CARRIER, &refusal);
        world.expect("ACK");
        world.expect_silence();
        assert_eq!(world.event_names(), ["Ended", "Released"]);
        assert_eq!(world.counters().challenges_refused, 1);
        world.rest();
    }
    let mut world = challenging();
    let mut request = challenged_once(&mut world);
    for n in 2..=4 {
        let stale = www("carrier", &format!("n{n}"), ", stale=true");
        world.receive(CARRIER, &request.answer("401 Unauthorized", "them", &stale, ""));
        world.expect("ACK");
        request = world.expect("INVITE");
    }
    let stale = www("carrier", "n5", ", stale=true");
    world.receive(CARRIER, &request.answer("401 Unauthorized", "them", &stale, ""));
    world.expect("ACK");
    world.expect_silence();
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// Without credentials, or with those of another realm, a challenge is a refusal.
#[test]
fn a_challenge_that_is_not_for_us_ends_the_call() {
    for config in [config(), with_credentials(Some("elsewhere"))] {
        let mut world = World::with(config);
        let session = world.call_carrier();
        let invite = world.expect("INVITE");
        world.receive(CARRIER, &invite.answer("401 Unauthorized", "them", &www("carrier", "n1", ""), ""));
        world.expect("ACK");
        world.expect_silence();
        let end = SessionEnd { by: Ender::Peer, status: 401, reason: "Unauthorized".into() };
        assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
        world.rest();
    }
}

/// A call that the owner gave up is not made again.
#[test]
fn a_cancelled_call_does_not_answer_its_challenge() {
    let mut world = challenging();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.receive(CARRIER, &invite.answer("401 Unauthorized", "them", &www("carrier", "n1", ""), ""));
    world.expect("ACK");
    world.expect_silence();
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// A server may ask for credentials of the BYE only.
#[test]
fn a_challenged_bye_is_sent_again() {
    let mut world = challenging();
    let (session, _) = world.answered();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    let challenge = bye.answer("407 Proxy Authentication Required", "", &proxy("edge", "p1", ""), "");
    world.receive(CARRIER, &challenge);
    let again = world.expect("BYE");
    assert_eq!(right_answer(&again, "Proxy-Authorization").0, "p1");
    assert_eq!(again.header("CSeq"), "3 BYE");
    assert_eq!(world.event_names(), ["Ended"]);
    world.receive(CARRIER, &again.answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Released"]);
    world.rest();
}

/// The password is nowhere in what is printed of the configuration.
#[test]
fn credentials_are_not_shown() {
    assert!(!format!("{:?}", with_credentials(None)).contains("the secret"));
    let mut world = challenging();
    let invite = challenged_once(&mut world);
    assert!(!format!("{:?} {}", world.agent, invite.text).contains("the secret"));
    world.receive(CARRIER, &Request::new("OPTIONS", "sip:127.0.0.1").text());
    world.expect("200 OPTIONS");
}
