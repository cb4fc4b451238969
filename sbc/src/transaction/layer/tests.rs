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

fn request(method: &str, number: usize) -> String {
    format!(
        "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.10;branch=z9hG4bK{number}\r\n\
         From: <sip:a@127.0.0.10>;tag={number}\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: {number}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn serve(layer: &mut Transactions<()>, now: Instant, method: &str, number: usize) {
    let text = request(method, number);
    let mut index = HeaderIndex::new();
    let message = Message::parse(text.as_bytes(), &mut index).expect("a message");
    let essentials = message.essentials().expect("well-formed");
    assert_eq!(layer.repeat(now, &message, &essentials), RequestMatch::New);
    let id = layer.accept(&message, &essentials, Timers::default(), hop(), ());
    assert_eq!(layer.repeat(now, &message, &essentials), RequestMatch::Absorbed);
    layer.respond(now, id, 486, b"response".to_vec());
}

fn ask(layer: &mut Transactions<()>, now: Instant, method: Method<'_>, number: usize) {
    let bytes = request(method.as_str(), number).into_bytes();
    let branch = format!("z9hG4bK{number}");
    let first = Routed { hop: hop(), bytes };
    layer.request(
        now,
        Timers::default(),
        Outgoing { method, branch: &branch, first, fallback: None, user: () },
    );
}

fn assert_empty(layer: &Transactions<()>) {
    assert_eq!(layer.len(), 0);
    assert_eq!([&layer.clients, &layer.servers, &layer.merged].map(Index::len), [0; 3]);
    assert!(layer.deadlines.is_empty());
}

/// However a transaction ends, nothing of it is left, neither by key nor by deadline.
#[test]
fn nothing_is_left_of_a_transaction() {
    let mut layer = Transactions::new([1, 2]);
    let start = Instant::from_millis(1);
    for number in 0..10 {
        serve(&mut layer, start, "INVITE", number);
        serve(&mut layer, start, "OPTIONS", number + 10);
        ask(&mut layer, start, Method::Invite, number);
        ask(&mut layer, start, Method::Bye, number + 10);
    }
    assert_eq!(layer.len(), 40);
    while let Some(due) = layer.poll_timeout() {
        layer.handle_timeout(due);
    }
    assert_empty(&layer);

    ask(&mut layer, start, Method::Invite, 1);
    let gone = layer.clients.get(layer.keys.client("z9hG4bK1", Method::Invite)).expect("one transaction");
    layer.abandon(gone);
    assert_empty(&layer);

    ask(&mut layer, start, Method::Invite, 1);
    let failure = TransportFailure { transport: Transport::Udp, destination: hop().destination, flow: None };
    layer.handle_transport_failure(start, &failure);
    assert_empty(&layer);
}

/// Fifty thousand transactions, begun a microsecond apart: each timer fires when it is due, and in order.
#[test]
fn timers_fire_in_order_among_many() {
    const COUNT: usize = 50_000;
    let mut layer = Transactions::new([1, 2]);
    let begun = |number: usize| Instant::from_nanos(1_000 * number as u64);
    for number in 0..COUNT {
        ask(&mut layer, begun(number), Method::Options, number);
        layer.poll_transmit().expect("the request");
    }
    for number in 0..COUNT {
        let due = begun(number) + Timers::default().t1;
        assert_eq!(layer.poll_timeout(), Some(due));
        layer.handle_timeout(due);
        let sent = layer.poll_transmit().expect("the request again");
        assert_eq!(sent.bytes, request("OPTIONS", number).into_bytes());
        assert_eq!(layer.poll_transmit(), None);
    }
}
