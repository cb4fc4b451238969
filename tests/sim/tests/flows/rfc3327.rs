//! RFC 3327 §5.5: a phone that registers through proxies of its own is called by way of them.

use tandem_sim::ladder::Ladder;

use crate::messages::{BIG_GUY, bob, header, headers};
use crate::rfc3665::registration::register;
use crate::rfc5359::party::{BOB, calls, is_answered, picks_up, rings, talk};

/// P1 is what Bob's phone sends through, and where the node sees it; P2, whose network is further in, has added itself, too.
/// Requests of the call go to P1, by the way that Path names, to the phone itself.
#[test]
fn a_call_to_a_phone_behind_an_edge_proxy() {
    let (mut ladder, alice, edge) = (Ladder::new(), BIG_GUY, bob());
    let path = format!("<sip:p2@{};lr>, <sip:p1.visited.example;lr;ob>", edge.at);
    let phone = format!("sip:{}@10.1.1.7:5080", edge.user);
    let contact = format!("Contact: <{phone}>\r\nSupported: path\r\nPath: {path}\r\n");
    let ok = register(&mut ladder, edge, "behind", &contact, "200 REGISTER");
    assert_eq!(header(&ok, "Path"), path);
    calls(&mut ladder, alice, BOB, "behind-proxies");
    let invite = rings(&mut ladder, edge);
    assert!(invite.text.starts_with(&format!("INVITE {phone} SIP/2.0\r\n")), "{}", invite.text);
    let routes = headers(&invite, "Route");
    assert_eq!(routes, path.split(", ").collect::<Vec<_>>());
    ladder.gets(alice.at, "180 INVITE");
    let bobs = picks_up(&mut ladder, edge, invite);
    let alices = is_answered(&mut ladder, alice);
    talk(&mut ladder, &alices, &bobs, 0x10);
    alices.hangs_up(&mut ladder);
    bobs.gets_bye(&mut ladder);
    ladder.is_at_rest();
}
