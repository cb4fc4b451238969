use crate::message::HeaderIndex;
use crate::transport::Transport;

use super::*;

fn hop() -> Hop {
    Hop {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().expect("an address"),
        destination: "127.0.0.10:5060".parse().expect("an address"),
        flow: None,
    }
}

fn dialog_of_invite(record_routes: &str) -> Dialog {
    let text = format!(
        "INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.10;branch=z9hG4bK1\r\n{record_routes}\
         From: <sip:caller@example.com>;tag=them\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: c1\r\n\
         CSeq: 7 INVITE\r\nContact: <sip:caller@127.0.0.10:5070>\r\nContent-Length: 0\r\n\r\n"
    );
    let mut index = HeaderIndex::new();
    let invite = Message::parse(text.as_bytes(), &mut index).expect("a message");
    let essentials = invite.essentials().expect("well-formed");
    Dialog::of_request(&invite, &essentials, "us".to_owned(), hop()).expect("a dialog")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

/// §12.1.1 and §12.2.1.1: From and To swap, the Contact is called.
#[test]
fn a_request_without_routes_calls_the_contact() {
    let mut dialog = dialog_of_invite("");
    assert_eq!(dialog.next_hop(), "sip:caller@127.0.0.10:5070");
    let bye = text(dialog.request(Method::Bye, "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK2").finish());
    assert_eq!(
        bye,
        "BYE sip:caller@127.0.0.10:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK2\r\n\
         Max-Forwards: 70\r\nFrom: <sip:100@127.0.0.1>;tag=us\r\nTo: <sip:caller@example.com>;tag=them\r\n\
         Call-ID: c1\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    );
}

/// §12.2.1.1, §16.12.1.1: through loose routers in the order of Record-Route.
#[test]
fn loose_routes_leave_the_request_uri_alone() {
    let mut dialog = dialog_of_invite("Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n");
    assert_eq!(dialog.next_hop(), "sip:p1.example.com;lr");
    let bye = text(dialog.request(Method::Bye, "v").finish());
    assert!(bye.starts_with("BYE sip:caller@127.0.0.10:5070 SIP/2.0\r\n"), "{bye}");
    assert!(
        bye.contains("Route: <sip:p1.example.com;lr>\r\nRoute: <sip:p2.example.com;lr>\r\nMax-Forwards"),
        "{bye}"
    );
}

/// §12.2.1.1, §16.12.1.2: a strict router is put into the Request-URI, the target goes to the end.
#[test]
fn a_strict_route_takes_the_request_uri() {
    let mut dialog =
        dialog_of_invite("Record-Route: <sip:p1.example.com>\r\nRecord-Route: <sip:p2.example.com;lr>\r\n");
    assert_eq!(dialog.next_hop(), "sip:p1.example.com");
    let bye = text(dialog.request(Method::Bye, "v").finish());
    assert!(bye.starts_with("BYE sip:p1.example.com SIP/2.0\r\n"), "{bye}");
    assert!(
        bye.contains("Route: <sip:p2.example.com;lr>\r\nRoute: <sip:caller@127.0.0.10:5070>\r\nMax-Forwards"),
        "{bye}"
    );
}

/// §12.2.2.
#[test]
fn an_older_or_repeated_cseq_is_out_of_order() {
    let mut dialog = dialog_of_invite("");
    assert_eq!(dialog.check_order(7), Err(OutOfOrder));
    assert_eq!(dialog.check_order(9), Ok(()));
    assert_eq!(dialog.check_order(8), Err(OutOfOrder));
    assert_eq!(dialog.check_order(10), Ok(()));
}

#[test]
fn a_route_set_is_cut_at_its_limit() {
    let line = "Record-Route: <sip:p.example.com;lr>\r\n";
    assert_eq!(dialog_of_invite(&line.repeat(ROUTES_MAX)).route_set.len(), ROUTES_MAX);
    assert_eq!(dialog_of_invite(&line.repeat(ROUTES_MAX + 1)).route_set.len(), ROUTES_MAX);
}

/// §12.1.2: the route set of the caller is the reverse of Record-Route.
#[test]
fn the_caller_reverses_the_route_set() {
    let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
        Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\r\n\
        From: <sip:us@127.0.0.1>;tag=us\r\nTo: <sip:them@127.0.0.10>;tag=them\r\nCall-ID: c1\r\n\
        CSeq: 1 INVITE\r\nContact: <sip:them@127.0.0.10:5070>\r\nContent-Length: 0\r\n\r\n";
    let mut index = HeaderIndex::new();
    let response = Message::parse(text.as_bytes(), &mut index).expect("a message");
    let essentials = response.essentials().expect("well-formed");
    let mut dialog = Dialog::of_response(&response, &essentials, hop());
    assert_eq!(dialog.next_hop(), "sip:p1.example.com;lr");
    let ack = String::from_utf8(dialog.ack("v", 1).finish()).expect("text");
    assert!(ack.contains("CSeq: 1 ACK\r\n"), "{ack}");
    let bye = String::from_utf8(dialog.request(Method::Bye, "v").finish()).expect("text");
    assert!(bye.contains("CSeq: 2 BYE\r\n"), "{bye}");
}
