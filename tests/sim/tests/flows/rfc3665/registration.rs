//! RFC 3665 §2: the node as the registrar.

use rsip::Method;
use tandem_sim::Seen;
use tandem_sim::ladder::Ladder;

use crate::messages::{Peer, bob, credentials, headers, request};

const REGISTRAR: &str = "sip:127.0.0.1";

/// REGISTER, 401, REGISTER with credentials; its final response.
pub(crate) fn register(ladder: &mut Ladder, peer: Peer, call_id: &str, contact: &str, result: &str) -> Seen {
    let password = Ladder::password(peer.user);
    register_with(ladder, peer, call_id, contact, &password, result)
}

fn register_with(
    ladder: &mut Ladder,
    peer: Peer,
    call_id: &str,
    contact: &str,
    password: &str,
    result: &str,
) -> Seen {
    ladder.sends(peer.at, &request(peer, "REGISTER", REGISTRAR, call_id, 1, contact, ""));
    let challenge = ladder.gets(peer.at, "401 REGISTER");
    let authorization = credentials(&challenge, peer.user, password, Method::Register, REGISTRAR);
    let headers = format!("{contact}{authorization}");
    ladder.sends(peer.at, &request(peer, "REGISTER", REGISTRAR, call_id, 2, &headers, ""));
    ladder.gets(peer.at, result)
}

/// Its own Contact.
pub(crate) fn own_contact(peer: Peer) -> String {
    format!("Contact: <sip:{}@{}>\r\n", peer.user, peer.at)
}

/// The URIs that a 200 lists.
fn listed(ok: &Seen) -> Vec<String> {
    let contacts = headers(ok, "Contact");
    let mut uris: Vec<String> = contacts.iter().map(|value| crate::messages::uri_of(value)).collect();
    uris.sort();
    uris
}

/// §2.1.
#[test]
fn successful_new_registration() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    let ok = register(&mut ladder, bob, "new", &own_contact(bob), "200 REGISTER");
    assert_eq!(listed(&ok), [format!("sip:1001@{}", bob.at)]);
    assert!(headers(&ok, "Contact")[0].contains("expires="), "{}", ok.text);
    ladder.is_complete();
}

/// §2.2: a second Contact is added, and both are told.
#[test]
fn update_of_contact_list() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    register(&mut ladder, bob, "first", &own_contact(bob), "200 REGISTER");
    let second = format!("Contact: <sip:bob-at-home@{}>\r\n", bob.at);
    let ok = register(&mut ladder, bob, "second", &second, "200 REGISTER");
    let both = [format!("sip:1001@{}", bob.at), format!("sip:bob-at-home@{}", bob.at)];
    assert_eq!(listed(&ok), both);
    ladder.is_complete();
}

/// §2.3: without a Contact nothing changes, and all are told.
#[test]
fn request_for_current_contact_list() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    register(&mut ladder, bob, "first", &own_contact(bob), "200 REGISTER");
    for call_id in ["fetch", "fetch-again"] {
        let ok = register(&mut ladder, bob, call_id, "", "200 REGISTER");
        assert_eq!(listed(&ok), [format!("sip:1001@{}", bob.at)]);
    }
    ladder.is_complete();
}

/// §2.4: every Contact goes; nobody can be called any more.
#[test]
fn cancellation_of_registration() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    register(&mut ladder, bob, "first", &own_contact(bob), "200 REGISTER");
    let ok = register(&mut ladder, bob, "gone", "Contact: *\r\nExpires: 0\r\n", "200 REGISTER");
    assert_eq!(listed(&ok), [""; 0]);
    ladder.is_complete();
}

/// §2.5: a wrong password gets a new challenge, and nothing is registered.
#[test]
fn unsuccessful_registration() {
    let (mut ladder, bob) = (Ladder::new(), bob());
    register_with(&mut ladder, bob, "wrong", &own_contact(bob), "a guess", "401 REGISTER");
    let ok = register(&mut ladder, bob, "fetch", "", "200 REGISTER");
    assert_eq!(listed(&ok), [""; 0]);
    ladder.is_complete();
}
