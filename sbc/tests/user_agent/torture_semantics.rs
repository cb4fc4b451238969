//! RFC 4475 §3.3 and §3.4: messages that can be read, and what the transaction layer and the user agent make of them.

use tandem_sbc::user_agent::{Counters, Usage};

use crate::support::{CARRIER, PHONE, Sent, World, media};

macro_rules! message {
    ($name:literal) => {
        include_str!(concat!("../torture/rfc4475/", $name, ".sip"))
    };
}

/// What comes back, and a header with its value; none when nothing comes back.
struct Expected(&'static str, Option<(&'static str, &'static str)>);

/// Sent as a carrier, which needs no credentials.
const FROM_A_CARRIER: &[(&str, &str, &str, Expected)] = &[
    ("3.3.1", "a request without From, To, Call-ID", message!("insuf"), Expected("", None)),
    ("3.3.2", "an unknown scheme in the Request-URI", message!("unkscm"), Expected("416 OPTIONS", None)),
    ("3.3.3", "a known scheme that is not SIP's", message!("novelsc"), Expected("416 OPTIONS", None)),
    (
        "3.3.5",
        "extensions that nobody knows",
        message!("bext01"),
        Expected("420 OPTIONS", Some(("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"))),
    ),
    (
        "3.3.6",
        "a body of an unknown type",
        message!("invut"),
        Expected("415 INVITE", Some(("Accept", "application/sdp"))),
    ),
    ("3.3.15", "an offer whose answer is not accepted", message!("sdp01"), Expected("406 INVITE", None)),
    (
        "3.3.11",
        "an OPTIONS for us with nothing left of Max-Forwards",
        message!("zeromf"),
        Expected("200 OPTIONS", None),
    ),
];

/// Sent as a phone, which is not believed without credentials.
const FROM_A_PHONE: &[(&str, &str, &str, Expected)] = &[
    ("3.3.4", "odd schemes in To and From", message!("unksm2"), Expected("401 REGISTER", None)),
    ("3.3.7", "credentials of an unknown scheme", message!("regaut01"), Expected("401 REGISTER", None)),
    ("3.3.12", "a Contact with an unknown parameter", message!("cparam01"), Expected("401 REGISTER", None)),
    (
        "3.3.13",
        "a Contact whose URI has an unknown parameter",
        message!("cparam02"),
        Expected("401 REGISTER", None),
    ),
    ("3.3.14", "a Contact with an escaped Route", message!("regescrt"), Expected("401 REGISTER", None)),
];

#[test]
fn requests_get_the_answer_that_the_rfc_wants() {
    let cases = FROM_A_CARRIER.iter().map(|case| (CARRIER, case));
    for (from, (section, what, text, expected)) in cases.chain(FROM_A_PHONE.iter().map(|case| (PHONE, case)))
    {
        let mut world = World::new();
        world.receive(from, text);
        let sent = world.messages();
        let answers: Vec<String> = sent.iter().map(Sent::what).collect();
        let wanted: Vec<&str> = Some(expected.0).filter(|it| !it.is_empty()).into_iter().collect();
        assert_eq!(answers, wanted, "§{section}: {what}");
        if let (Some((name, value)), Some(answer)) = (expected.1, sent.first()) {
            assert_eq!(answer.header(name), value, "§{section}: {what}");
        }
        assert!(world.event_names().is_empty(), "§{section}: {what}: the owner is not troubled");
    }
}

/// §3.3.8 and §3.3.9: what stands twice and may not is 400, to the first Via, whatever else is right.
#[test]
fn what_stands_twice_is_refused() {
    for (section, text, what) in
        [("3.3.8", message!("multi01"), "400 INVITE"), ("3.3.9", message!("mcl01"), "400 OPTIONS")]
    {
        let mut world = World::new();
        world.receive(CARRIER, text);
        let statuses: Vec<String> = world.messages().iter().map(|sent| sent.text[8..11].to_owned()).collect();
        assert_eq!(statuses, [&what[..3]], "§{section}");
        assert_eq!((world.counters().parse_errors, world.agent.usage()), (1, Usage::default()));
    }
}

/// §3.3.10: a response with a second Via went astray, and nothing is sent because of it, least of all to everybody.
#[test]
fn a_response_that_went_astray_is_dropped() {
    let mut world = World::new();
    world.receive(CARRIER, message!("bcast"));
    world.expect_silence();
    let expected = Counters { responses_2xx: 1, stray_responses: 1, ..Counters::default() };
    assert_eq!(world.counters(), expected);
}

/// §3.4.1: a caller of RFC 2543's days has no branch, no tag, no Max-Forwards, no Contact and no Content-Length; its
/// call is answered, and a copy of its INVITE is no second call.
#[test]
fn a_caller_of_rfc_2543_is_answered() {
    let mut world = World::new();
    world.receive(CARRIER, message!("inv2543"));
    world.expect("100 INVITE");
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    let ok = world.expect("200 INVITE");
    assert_eq!(ok.header("Record-Route"), "<sip:UserB@example.com;maddr=ss1.example.com>");
    world.receive(CARRIER, message!("inv2543"));
    world.expect_silence();
    assert_eq!(world.event_names(), ["Media"]);
    let ack = format!(
        "ACK sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP iftgw.example.com\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: 56 ACK\r\n\r\n",
        ok.header("From"),
        ok.header("To"),
        ok.header("Call-ID"),
    );
    world.receive(CARRIER, &ack);
    assert_eq!(world.event_names(), ["Confirmed"]);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    // Its proxy is a strict router (RFC 3261 §12.2.1.1): itself the Request-URI, the caller the end of the route.
    assert_eq!(bye.request_uri(), "sip:UserB@example.com;maddr=ss1.example.com");
    assert_eq!(bye.header("Route"), "<sip:+13035551111@ift.client.example.net;user=phone>");
}

/// §3.2.1: a branch that is nothing but the magic cookie does not tell transactions apart; the INVITE is taken, and
/// another one under it is another call.
#[test]
fn a_branch_of_nothing_but_the_cookie() {
    let mut world = World::new();
    world.receive(CARRIER, message!("badbranch"));
    let answers: Vec<String> = world.messages().iter().map(Sent::what).collect();
    assert_eq!(answers, ["200 OPTIONS"]);
}
