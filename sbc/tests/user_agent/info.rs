//! INFO (RFC 6086): digits in SIP.

use tandem_sbc::user_agent::{Dtmf, Event, SessionError};

use crate::support::{CARRIER, Request, World, config};

fn info(cseq: u32, ok: &crate::support::Sent, kind: &str, body: &str) -> String {
    let info = Request::within("INFO", cseq, ok).with(|info| body.clone_into(&mut info.body));
    info.text().replace("application/sdp", kind)
}

#[test]
fn digits_are_told() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &info(2, &ok, "application/dtmf-relay", "Signal=7\r\nDuration=160\r\n"));
    world.expect("200 INFO");
    world.receive(CARRIER, &info(3, &ok, "application/dtmf", "#\r\n"));
    world.expect("200 INFO");
    assert_eq!(world.events(), [Event::Digit { session, digit: '7' }, Event::Digit { session, digit: '#' }]);
    // It comes again: one press is one digit.
    world.receive(CARRIER, &info(3, &ok, "application/dtmf", "#\r\n"));
    world.expect("200 INFO");
    world.receive(CARRIER, &info(4, &ok, "application/dtmf-relay", "Signal=16\r\n"));
    world.expect("200 INFO");
    assert_eq!(world.events(), []);
}

/// RFC 6086 §4.2.2: 469 to a package, 415 to a body that says nothing to us; an empty INFO asks whether we are there.
#[test]
fn other_infos() {
    let mut world = World::new();
    let (_, ok) = world.established();
    world.receive(CARRIER, &Request::within("INFO", 2, &ok).text());
    world.expect("200 INFO");
    let package = info(3, &ok, "application/x", "x").replace("Call-ID", "Info-Package: nihao\r\nCall-ID");
    world.receive(CARRIER, &package);
    assert_eq!(world.expect("469 INFO").headers("Recv-Info"), [""]);
    world.receive(CARRIER, &info(4, &ok, "application/media_control+xml", "<x/>"));
    assert_eq!(world.expect("415 INFO").header("Accept"), "application/dtmf-relay, application/dtmf");
    assert_eq!(world.events(), []);
}

fn world_with(dtmf: Dtmf) -> World {
    let mut config = config();
    config.trunks[0].profile.dtmf = dtmf;
    World::with(config)
}

/// A peer that wants digits in SIP is offered no telephone events, so that a press does not come twice; each digit
/// waits for the answer to the one before it, whatever that is.
#[test]
fn digits_are_sent_one_after_the_other() {
    for (dtmf, kind, body) in [
        (Dtmf::Info, "application/dtmf-relay", "Signal=#\r\nDuration=160\r\n"),
        (Dtmf::InfoDtmf, "application/dtmf", "#\r\n"),
    ] {
        let mut world = world_with(dtmf);
        let (session, ok) = world.established();
        assert!(!ok.body().contains("telephone-event"), "{}", ok.body());
        for digit in "#1234".chars() {
            world.own(|agent, now| agent.send_digit(now, session, digit)).expect("wanted");
        }
        let info = world.expect("INFO");
        assert_eq!((info.header("Content-Type").as_str(), info.body()), (kind, body));
        world.expect_silence();
        world.receive(CARRIER, &info.answer("200 OK", "", "", ""));
        let info = world.expect("INFO");
        assert!(info.body().contains('1'));
        world.receive(CARRIER, &info.answer("415 Unsupported Media Type", "", "", ""));
        assert!(world.expect("INFO").body().contains('2'));
        world.pass_ms(32_000);
        let next = world.messages().into_iter().find(|sent| sent.body().contains('3'));
        world
            .receive(CARRIER, &next.expect("the one without an answer is over").answer("200 OK", "", "", ""));
        let last = world.expect("INFO");
        world.receive(CARRIER, &Request::within("BYE", 2, &ok).text());
        world.expect("200 BYE");
        assert_eq!(world.event_names(), ["Ended"], "an INFO has no answer yet");
        world.receive(CARRIER, &last.answer("200 OK", "", "", ""));
        assert_eq!(world.event_names(), ["Released"]);
        world.rest();
    }
}

/// 32 wait, and no more; who wants digits otherwise, or does not talk, gets none.
#[test]
fn digits_that_are_not_sent() {
    let mut world = world_with(Dtmf::Info);
    let (session, _) = world.established();
    for _ in 0..33 {
        world.own(|agent, now| agent.send_digit(now, session, '5')).expect("one is out, 32 wait");
    }
    let one_more = world.own(|agent, now| agent.send_digit(now, session, '5'));
    assert_eq!(one_more, Err(SessionError::Limit));
    for dtmf in [Dtmf::Rfc4733, Dtmf::Off] {
        let mut world = world_with(dtmf);
        let (session, _) = world.established();
        let refused = world.own(|agent, now| agent.send_digit(now, session, '5'));
        assert_eq!(refused, Err(SessionError::WrongState));
        world.expect_silence();
    }
}
