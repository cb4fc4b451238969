//! 3xx of a carrier: refused, or followed to where the operator allows it (RFC 3261 §8.1.3.4, §21.3).

use tandem_sbc::user_agent::{DiversionHeader, Ender, Event, RedirectPolicy, UserAgentConfig};

use crate::support::{CARRIER, SDP, Sent, World, address, config, contact};

const OTHER: &str = "127.0.0.10:5099";

fn following() -> UserAgentConfig {
    let mut config = config();
    let trunks = vec!["carrier-a".to_owned()];
    config.trunks[0].redirects = Some(RedirectPolicy { max: 2, trunks, prefixes: vec!["+1555".to_owned()] });
    config.trunks[0].profile.diversion = DiversionHeader::Diversion;
    config
}

/// A call that the carrier has answered with these Contacts.
fn redirected(config: UserAgentConfig, contacts: &[&str]) -> World {
    let mut world = World::with(config);
    world.call_carrier();
    let invite = world.expect("INVITE");
    redirect(&mut world, CARRIER, &invite, contacts);
    world
}

fn redirect(world: &mut World, from: &str, invite: &Sent, contacts: &[&str]) {
    let contacts: String = contacts.iter().map(|it| format!("Contact: {it}\r\n")).collect();
    world.receive(from, &invite.answer("302 Moved Temporarily", "x", &contacts, ""));
    world.expect("ACK");
}

fn is_refused_with(world: &mut World, status: u16) {
    world.expect_silence();
    let events = world.events();
    let Some(Event::Ended { end, .. }) = events.first() else { panic!("{events:?}") };
    assert_eq!((end.by, end.status), (Ender::Peer, status));
    world.rest();
}

/// A trunk follows nothing unless it is told to.
#[test]
fn a_redirection_is_a_refusal_by_default() {
    let mut world = redirected(config(), &["<sip:+15558888@127.0.0.10:5099>"]);
    is_refused_with(&mut world, 302);
}

/// §8.1.3.4: the Request-URI is the Contact's, To, From and Call-ID stay; RFC 5806: who it was for is said.
#[test]
fn a_redirection_is_followed_to_its_contact() {
    let mut world = World::with(following());
    let session = world.call_carrier();
    let first = world.expect("INVITE");
    redirect(&mut world, CARRIER, &first, &["<sip:+15558888@127.0.0.10:5099>"]);
    let second = world.expect("INVITE");
    assert_eq!((second.to, second.request_uri()), (address(OTHER), "sip:+15558888@127.0.0.10:5099"));
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert!(second.header("To").contains("+15557777"), "{}", second.text);
    assert!(second.header("Diversion").contains("+15557777"), "{}", second.text);
    assert_eq!(world.events(), []);
    world.receive(OTHER, &second.answer("200 OK", "callee", &contact(OTHER), SDP));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("the call is up");
    assert_eq!(world.expect("BYE").to, address(OTHER));
    assert_eq!((world.counters().redirects_followed, world.counters().failovers), (1, 0));
}

/// §20.10: by q, the highest first; one that fails as a server hands on to the next.
#[test]
fn contacts_are_tried_by_q() {
    let contacts = ["<sip:+15558881@127.0.0.10:5098>;q=0.3", "<sip:+15558882@127.0.0.10:5099>;q=0.8"];
    let mut world = redirected(following(), &contacts);
    let invite = world.expect("INVITE");
    assert_eq!(invite.request_uri(), "sip:+15558882@127.0.0.10:5099");
    world.receive(OTHER, &invite.answer("503 No", "x", "", ""));
    world.expect("ACK");
    let invite = world.expect("INVITE");
    assert_eq!(invite.request_uri(), "sip:+15558881@127.0.0.10:5098");
    world.receive("127.0.0.10:5098", &invite.answer("486 Busy Here", "x", "", ""));
    world.expect("ACK");
    is_refused_with(&mut world, 486);
}

/// Fraud: a redirection to somebody else's network, to a number that is not allowed, or to none leads nowhere.
#[test]
fn what_is_not_allowed_is_not_followed() {
    for contact in [
        "<sip:+15558888@192.0.2.1>",
        "<sip:+15558888@carrier.example>",
        "<sip:+4415558888@127.0.0.10:5099>",
        "<sip:admin@127.0.0.10:5099>",
        "<sips:+15558888@127.0.0.10:5099>", // since nothing listens on TLS
        "<sip:+15558888@127.0.0.10:5099;transport=carrier-pigeon>",
        "<tel:+15558888>",
    ] {
        let mut world = redirected(following(), &[contact]);
        is_refused_with(&mut world, 302);
        assert_eq!(world.counters().redirects_refused, 1, "{contact}");
    }
}

/// A redirection back to where the call has been is not followed.
#[test]
fn a_loop_of_redirections_ends() {
    let mut world = redirected(following(), &["<sip:+15557777@127.0.0.10:5070>"]);
    is_refused_with(&mut world, 302);
    let mut world = redirected(following(), &["<sip:+15558888@127.0.0.10:5099>"]);
    let second = world.expect("INVITE");
    redirect(&mut world, OTHER, &second, &["<sip:+15557777@127.0.0.10:5070>"]);
    is_refused_with(&mut world, 302);
}

/// At the limit two redirections are followed, and not a third.
#[test]
fn redirections_are_bounded() {
    let mut world = redirected(following(), &["<sip:+15558881@127.0.0.10:5099>"]);
    for number in ["+15558882", "+15558883"] {
        let invite = world.expect("INVITE");
        redirect(&mut world, OTHER, &invite, &[&format!("<sip:{number}@127.0.0.10:5099>")]);
    }
    is_refused_with(&mut world, 302);
}
