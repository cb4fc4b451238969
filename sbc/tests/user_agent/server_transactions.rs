//! Requests that come again, and responses that are sent again (RFC 3261 §17.2).

use crate::support::{CARRIER, Request, World, media};

/// §17.2.1: the latest provisional response.
#[test]
fn an_invite_that_comes_again_gets_the_latest_response_again() {
    let mut world = World::new();
    let invite = Request::invite().text();
    world.receive(CARRIER, &invite);
    let session = world.incoming();
    world.expect("100 INVITE");
    world.receive(CARRIER, &invite);
    world.expect("100 INVITE");
    world.own(|agent, now| agent.ring(now, session)).expect("ringing");
    let ringing = world.expect("180 INVITE");
    world.receive(CARRIER, &invite);
    assert_eq!(world.expect("180 INVITE").text, ringing.text);
    assert_eq!(world.events(), [], "one call");
    assert_eq!(world.counters().retransmissions_received, 2);
}

/// RFC 6026 §7.1: once accepted, an INVITE that comes again is absorbed; the 2xx has a clock of its own.
#[test]
fn an_invite_that_comes_again_after_the_200_is_absorbed() {
    let mut world = World::new();
    let (_, _) = world.established();
    world.receive(CARRIER, &Request::invite().text());
    world.expect_silence();
    assert_eq!(world.events(), []);
}

/// §17.2.1: timers G and H, then I.
#[test]
fn a_refusal_is_sent_again_until_its_ack_comes() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.reject(now, session, 486)).expect("refused");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.pass_ms(4_000);
    let sent = world.sent();
    let times: Vec<u64> = sent.iter().filter(|(_, what)| what == "486 INVITE").map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500]);
    let ack = Request::invite().with(|ack| {
        ack.method = "ACK";
        ack.to.push_str(";tag=ours");
        ack.body.clear();
    });
    world.receive(CARRIER, &ack.text());
    world.receive(CARRIER, &ack.text());
    world.pass_ms(60_000);
    world.expect_silence();
    assert_eq!(world.counters().stray_acks, 0);
    world.rest();
}

/// §17.2.1: H gives up after 64*T1.
#[test]
fn a_refusal_without_ack_is_given_up() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.reject(now, session, 404)).expect("refused");
    world.pass_ms(31_999);
    assert_eq!(world.agent.usage().transactions, 1);
    world.pass_ms(1);
    assert_eq!(world.agent.usage().transactions, 0);
    assert_eq!(world.sent().last().map(|(at, _)| *at), Some(31_500));
    assert_eq!(world.counters().timeouts, 1);
}

/// §17.2.2: timer J keeps the final response for 64*T1.
#[test]
fn a_bye_that_comes_again_gets_its_response_again() {
    let mut world = World::new();
    let (_, ok) = world.established();
    let bye = Request::within("BYE", 2, &ok).text();
    world.receive(CARRIER, &bye);
    let first = world.expect("200 BYE");
    world.pass_ms(31_999);
    world.receive(CARRIER, &bye);
    assert_eq!(world.expect("200 BYE").text, first.text);
    world.pass_ms(1);
    world.receive(CARRIER, &bye);
    world.expect("481 BYE");
    world.rest();
}

/// §8.2.2.2: the same request on another path.
#[test]
fn a_merged_request_is_a_loop() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    world.expect("100 INVITE");
    world.receive(CARRIER, &Request::invite().with(|invite| invite.branch.push_str("-other")).text());
    world.expect("482 INVITE");
    assert_eq!(world.event_names(), ["Incoming"]);
}

/// §17.2.3: clients of RFC 2543 have no magic cookie, or no branch at all; the whole request tells.
#[test]
fn a_client_of_rfc_2543_is_matched_by_the_whole_request() {
    for branch in ["1", "z9hG4b"] {
        let mut world = World::new();
        let invite = Request::invite().with(|invite| invite.branch = branch.into());
        world.receive(CARRIER, &invite.text());
        let session = world.incoming();
        world.expect("100 INVITE");
        world.receive(CARRIER, &invite.text());
        world.expect("100 INVITE");
        world.own(|agent, now| agent.reject(now, session, 486)).expect("refused");
        let refusal = world.expect("486 INVITE");
        let ack = invite.clone().with(|ack| {
            ack.method = "ACK";
            ack.to = refusal.header("To");
        });
        world.receive(CARRIER, &ack.text());
        world.pass_ms(10_000);
        world.expect_silence();
        let second = invite.clone().with(|second| {
            second.cseq = 2;
            second.call_id = "call-2".into();
        });
        world.receive(CARRIER, &second.text());
        world.expect("100 INVITE");
    }
}

/// §17.2.3: the same branch from another client is another transaction.
#[test]
fn sent_by_tells_clients_apart() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    world.expect("100 INVITE");
    let other = Request::invite().with(|invite| {
        invite.via = "SIP/2.0/UDP 127.0.0.10:5071".into();
        invite.call_id = "call-2".into();
    });
    world.receive(CARRIER, &other.text());
    world.expect("100 INVITE");
    assert_eq!(world.event_names(), ["Incoming", "Incoming"]);
}

#[test]
fn an_ack_of_nothing_is_counted_and_ignored() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::new("ACK", "sip:127.0.0.1").text());
    let (_, ok) = world.established();
    world.receive(CARRIER, &Request::within("ACK", 9, &ok).with(|ack| ack.call_id = "other".into()).text());
    world.expect_silence();
    assert_eq!(world.counters().stray_acks, 2);
}

/// RFC 3261 §13.3.1.1.
#[test]
fn a_ringing_call_says_so_again_each_minute() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.ring(now, session)).expect("ringing");
    world.pass_ms(125_000);
    let times: Vec<u64> =
        world.sent().iter().filter(|(_, what)| what == "180 INVITE").map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 60_000, 120_000]);
    world.own(|agent, now| agent.accept(now, session, media())).expect("still there");
}

/// §8.2.2.2 speaks of requests that are being served; the same one long after is another.
#[test]
fn a_request_like_one_long_gone_is_no_loop() {
    let mut world = World::new();
    let options = Request::new("OPTIONS", "sip:127.0.0.1");
    world.receive(CARRIER, &options.text());
    world.expect("200 OPTIONS");
    let again = options.with(|again| again.branch.push_str("-again"));
    world.pass_ms(31_999);
    world.receive(CARRIER, &again.text());
    world.expect("482 OPTIONS");
    world.pass_ms(32_001);
    world.receive(CARRIER, &again.text());
    world.expect("200 OPTIONS");
}
