//! A trunk's rules on the way in and on the way out.

use std::sync::Arc;

use tandem_sbc::rules::{
    ActionText, ConditionText, Direction, On, RuleSet, RuleText, Subject, TestText, Text, TrunkRules,
};
use tandem_sbc::user_agent::{Event, Transport};

use crate::support::{CARRIER, Request, Sent, World, config, contact, media};

fn text(text: &str) -> Text {
    Text { text: text.to_owned(), at: 0 }
}

fn rule(name: &str, actions: Vec<ActionText>) -> RuleText {
    RuleText {
        at: 0,
        name: name.to_owned(),
        on: On::Request,
        methods: Vec::new(),
        statuses: Vec::new(),
        when: Vec::new(),
        actions,
        stop: false,
    }
}

fn add(header: &str, value: &str) -> ActionText {
    ActionText::Add { field: text(header), value: text(value) }
}

fn replace_user(header: &str, pattern: &str, with: &str) -> ActionText {
    ActionText::Replace {
        field: text(header),
        subject: Subject::User,
        pattern: text(pattern),
        with: text(with),
    }
}

fn world(inbound: &[RuleText], outbound: &[RuleText]) -> World {
    let compile =
        |direction, rules| RuleSet::compile(direction, rules, None).expect("rules without a mistake");
    let mut config = config();
    config.trunks[0].rules = Some(Arc::new(TrunkRules {
        inbound: compile(Direction::In, inbound),
        outbound: compile(Direction::Out, outbound),
    }));
    World::with(config)
}

fn invite() -> Request {
    Request::invite().with(|invite| {
        invite.uri = "sip:00498912345@127.0.0.1".into();
        invite.from = "\"Caller\" <sip:0498954321@127.0.0.10>;tag=carrier".into();
        invite.to = "<sip:00498912345@127.0.0.1>".into();
    })
}

/// RFC 3261 §8.2.6.2: a response has the From and To of its request, whatever rules made of them.
/// RFC 3261 §18.1.1: it counts what leaves, not what the rules were handed.
#[test]
fn a_request_that_rules_make_too_long_is_no_datagram() {
    for (length, transport) in [(100, Transport::Udp), (1_000, Transport::Tcp)] {
        let mut world = world(&[], &[rule("long", vec![add("X-Long", &"x".repeat(length))])]);
        world.call_carrier();
        let invite = world.expect("INVITE");
        assert_eq!((invite.transport, invite.text.len() > 1_300), (transport, transport == Transport::Tcp));
        assert_eq!(invite.header("X-Long").len(), length, "the rule is applied once");
    }
}

#[test]
fn what_rules_make_of_the_numbers_is_offered_and_what_the_peer_sent_is_answered() {
    let numbers = vec![
        replace_user("Request-URI", "^00", "+"),
        replace_user("From", "^0(.*)$", "+${1}"),
        replace_user("To", "^00", "+"),
    ];
    let mut world = world(&[rule("international", numbers)], &[]);
    world.receive(CARRIER, &invite().text());
    let events = world.events();
    let [Event::Incoming { session, from, dialled, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((from.user.as_str(), dialled.as_str()), ("+498954321", "+498912345"));
    let session = *session;
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    assert_eq!(ok.header("From"), "\"Caller\" <sip:0498954321@127.0.0.10>;tag=carrier");
    assert!(ok.header("To").starts_with("<sip:00498912345@127.0.0.1>;tag="), "{}", ok.text);
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.header("To"), "\"Caller\" <sip:0498954321@127.0.0.10>;tag=carrier");
    assert_eq!(world.counters().messages_rewritten, 1);
}

/// RFC 3261 §9.1: a CANCEL has the Request-URI, From and To of its INVITE; §12.2.1.1 for the dialog.
#[test]
fn what_leaves_is_rewritten_once_and_its_dialog_keeps_to_it() {
    let prefix = vec![
        replace_user("Request-URI", "^", "99"),
        replace_user("To", "^", "99"),
        replace_user("From", "^", "88"),
        add("X-Account", "7"),
    ];
    let mut world = world(&[], &[rule("prefix", prefix)]);
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    assert!(invite.request_uri().starts_with("sip:99+15557777@"), "{}", invite.text);
    assert_eq!(invite.header("X-Account"), "7");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", &contact(CARRIER), ""));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let cancel = world.expect("CANCEL");
    for header in ["From", "To", "Via", "Call-ID"] {
        assert_eq!(cancel.header(header), invite.header(header));
    }
    assert_eq!((cancel.request_uri(), cancel.header("X-Account")), (invite.request_uri(), "7".to_owned()));

    world.events();
    let (session, invite) = world.answered();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.header("From"), invite.header("From"));
    assert_eq!(bye.header("To"), format!("{};tag=callee", invite.header("To")));
    assert_eq!(bye.request_uri(), format!("sip:{CARRIER}"));
    assert_eq!(bye.header("X-Account"), "7");
}

#[test]
fn everything_of_ours_to_the_trunk_has_been_through_its_rules() {
    let response = RuleText { on: On::Response, ..rule("responses", vec![add("X-Mark", "response")]) };
    let mut world = world(&[], &[rule("requests", vec![add("X-Mark", "request")]), response]);
    let (session, ok) = world.established();
    assert_eq!(ok.header("X-Mark"), "response");
    world.receive(
        CARRIER,
        &Request::within("INVITE", 2, &ok).with(|it| it.body = crate::support::SDP.into()).text(),
    );
    // A 2xx that is sent again, and BYE when no ACK comes.
    world.pass_ms(40_000);
    let _ = world.own(|agent, now| agent.hang_up(now, session, ""));
    world.receive(CARRIER, &Request::new("OPTIONS", "sip:127.0.0.1").text());
    world.receive(
        CARRIER,
        &Request::invite()
            .with(|it| {
                it.call_id = "refused".into();
                it.branch = "z9hG4bK-refused".into();
            })
            .text(),
    );
    let Some(Event::Incoming { session, .. }) = world.events().pop() else { panic!("no call") };
    world.own(|agent, now| agent.ring(now, session)).expect("an offered session");
    world.own(|agent, now| agent.reject(now, session, 486)).expect("an offered session");
    let sent = world.messages();
    assert!(sent.len() > 8, "{}", sent.len());
    for message in sent {
        let mark = if message.what().starts_with(|first: char| first.is_ascii_digit()) {
            "response"
        } else {
            "request"
        };
        assert_eq!(message.header("X-Mark"), mark, "{}", message.text);
    }
}

/// Without it, the carrier would get a message that it cannot read, and the call would be lost.
#[test]
fn a_rule_that_breaks_the_message_is_passed_over_and_counted() {
    let broken = rule(
        "broken",
        vec![ActionText::Replace {
            field: text("From"),
            subject: Subject::Value,
            pattern: text("sip:"),
            with: text("sip:@@"),
        }],
    );
    let mut world =
        world(&[], &[rule("good", vec![add("X-Good", "1")]), broken, rule("also", vec![add("X-Also", "2")])]);
    world.call_carrier();
    let invite = world.expect("INVITE");
    assert!(invite.header("From").contains("<sip:+15551234@"), "{}", invite.text);
    assert_eq!((invite.header("X-Good").as_str(), invite.header("X-Also").as_str()), ("1", "2"));
    assert_eq!(world.counters().rules_passed_over, 1);
}

#[test]
fn conditions_choose_the_messages_and_hand_on_what_they_captured() {
    let when = |field: &str, subject, pattern: &str| ConditionText {
        field: text(field),
        subject,
        test: TestText::Matches(text(pattern)),
    };
    let mobile = RuleText {
        methods: vec![text("INVITE")],
        when: vec![when("Request-URI", Subject::User, "^\\+1(?<area>\\d{3})")],
        stop: true,
        ..rule("area", vec![add("X-Area", "${area} $$")])
    };
    let rest = rule("rest", vec![add("X-Area", "none")]);
    let mut world = world(&[], &[mobile, rest]);
    let (session, invite) = world.answered();
    assert_eq!(invite.header("X-Area"), "555 $");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").header("X-Area"), "none");
}

#[test]
fn the_rules_of_one_trunk_are_not_those_of_another() {
    let mut world = world(&[], &[rule("mark", vec![add("X-Mark", "1")])]);
    world
        .call(tandem_sbc::user_agent::InviteTarget::Trunk { trunk: "carrier-b".into(), number: "+1".into() });
    let sent: Vec<Sent> = world.messages();
    assert_eq!(sent.iter().map(|sent| sent.header("X-Mark")).collect::<Vec<_>>(), [""]);
    assert_eq!(world.counters().messages_rewritten, 0);
}
