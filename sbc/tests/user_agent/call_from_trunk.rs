//! A carrier calls, we answer, either side hangs up (RFC 3665 §3.1).

use tandem_sbc::user_agent::{Ender, Event, Identity, Reason, ReasonProtocol, SessionEnd, Source};

use crate::support::{CARRIER, Request, World, address, media};

/// What the caller says of its hang-up.
const CLEARED: Reason = Reason { protocol: ReasonProtocol::Q850, cause: 16 };

#[test]
fn the_caller_hangs_up() {
    let mut world = World::new();
    world.receive(
        CARRIER,
        &Request::invite().with(|invite| invite.headers.push_str("Timestamp: 54\r\n")).text(),
    );
    let trying = world.expect("100 INVITE");
    assert_eq!(trying.header("Timestamp"), "54", "RFC 3261 §8.2.6.1");
    assert_eq!(trying.to, address(CARRIER));
    assert_eq!(trying.tag("To"), "", "RFC 3261 §8.2.6.2");
    let events = world.events();
    let [Event::Incoming { session, source, from, dialled, call_id, acceptable, is_emergency: false }] =
        events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!(*source, Source::Trunk("carrier-a".into()));
    assert_eq!(
        *from,
        Identity { user: "+15551234".into(), display_name: Some("Caller".into()), ..Identity::default() }
    );
    assert_eq!((dialled.as_str(), call_id.as_str(), *acceptable), ("+15550100", "call-1", true));
    assert_eq!(world.agent.call_id(*session), Some("call-1"));

    world.own(|agent, now| agent.ring(now, *session)).expect("ringing");
    let ringing = world.expect("180 INVITE");
    assert!(!ringing.tag("To").is_empty());
    world.own(|agent, now| agent.accept(now, *session, media())).expect("accepted");
    let ok = world.expect("200 INVITE");
    assert_eq!(ok.tag("To"), ringing.tag("To"), "one dialog, early and confirmed");
    assert_eq!(ok.header("Contact"), "<sip:127.0.0.1:5060>");
    assert!(ok.body().contains("m=audio 20000 RTP/AVP 0 101\r\n"), "{}", ok.text);
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Media", "Confirmed"]);
    world.expect_silence();

    world.pass_ms(60_000);
    world.expect_silence();
    let bye = Request::within("BYE", 2, &ok)
        .with(|bye| bye.headers = "Reason: Q.850;cause=16;text=\"done\"\r\n".into());
    world.receive(CARRIER, &bye.text());
    world.expect("200 BYE");
    let end = SessionEnd { by: Ender::Peer, status: 200, reason: "done".into() };
    assert_eq!(
        world.events(),
        [
            Event::ReasonStated { session: *session, reason: CLEARED },
            Event::Ended { session: *session, end },
            Event::Released { session: *session }
        ]
    );
    world.rest();
}

#[test]
fn we_hang_up() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.own(|agent, now| agent.hang_up(now, session, "agent left")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.to, address(CARRIER));
    assert_eq!(bye.request_uri(), "sip:127.0.0.10:5070");
    assert_eq!((bye.tag("From"), bye.tag("To")), (ok.tag("To"), "them".to_owned()));
    assert_eq!(bye.header("Reason"), "Q.850;cause=16;text=\"agent left\"");
    let end = SessionEnd { by: Ender::Owner, status: 200, reason: "agent left".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }], "not released before the BYE is answered");
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.events(), [Event::Released { session }]);
    assert_eq!(world.agent.call_id(session), None);
    world.rest();
}
