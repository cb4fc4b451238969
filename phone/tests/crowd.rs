//! Many phones on few addresses: answers and calls find their phone; what a call tells of its steps; streams.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tandem_phone::{
    Access, Answer, Crowd, Event, Junk, JunkKind, Manner, Media, Output, PhoneConfig, Place, Side, Step,
    Transport,
};

const SERVER: &str = "127.0.0.1:5060";
const HERE: &str = "127.0.0.10:5070";
const THERE: &str = "127.0.0.11:5071";
const FLIGHT: Duration = Duration::from_millis(10);
const RING: Duration = Duration::from_millis(200);
const TALK: Duration = Duration::from_secs(2);

/// From whom, to whom, what.
type Message = (SocketAddr, SocketAddr, Vec<u8>);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Neither speaks nor listens.
fn silent() -> Manner {
    Manner { media: Media::Elsewhere(address("127.0.0.10:9")), talk: Some(TALK), ..Manner::polite(0, RING) }
}

fn config(user: &str, at: &str, server: &str) -> PhoneConfig {
    PhoneConfig {
        user: user.to_owned(),
        address: address(at),
        media_address: address(at).ip(),
        media_ports: 0..=0,
        server: address(server),
        credentials: None,
        expires: Duration::from_secs(60),
        manner: silent(),
        numbers: BTreeMap::new(),
        lines: 10,
        listen_for: Vec::new(),
    }
}

fn crowd(phones: &[(&str, &str, &str)], access: &Access) -> Crowd {
    let mut crowd = Crowd::default();
    for (n, (user, at, server)) in (0..).zip(phones) {
        crowd.add(config(user, at, server), access.clone(), ChaCha8Rng::seed_from_u64(n));
    }
    crowd
}

/// What is to be sent, from whom to whom, and what happened.
fn drain(crowd: &mut Crowd) -> (Vec<Message>, Vec<(Place, Event)>) {
    let (mut sent, mut events) = (Vec::new(), Vec::new());
    while let Some((place, output)) = crowd.poll_output() {
        match output {
            Output::Sip { destination, bytes } => {
                let from = crowd.phone(place).expect("a phone").config().address;
                sent.push((from, destination, bytes));
            }
            Output::Event(event) => events.push((place, event)),
            Output::Rtp { .. } | Output::OpenMedia { .. } | Output::CloseMedia { .. } => {
                panic!("nobody here has media")
            }
        }
    }
    (sent, events)
}

fn response(request: &[u8], status: &str) -> Vec<u8> {
    let text = std::str::from_utf8(request).expect("SIP is text");
    let copied: String = text
        .lines()
        .filter(|line| ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name)))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    format!("SIP/2.0 {status}\r\n{copied}Content-Length: 0\r\n\r\n").into_bytes()
}

/// Two of the crowd talk to each other until nothing is due any more before `until`.
fn play(crowd: &mut Crowd, until: Duration) -> Vec<(Duration, Place, Event)> {
    let (mut now, mut told) = (Duration::ZERO, Vec::new());
    let mut wire: BTreeMap<(Duration, usize), Message> = BTreeMap::new();
    let mut count = 0;
    loop {
        let (sent, events) = drain(crowd);
        told.extend(events.into_iter().map(|(place, event)| (now, place, event)));
        for message in sent {
            count += 1;
            wire.insert((now + FLIGHT, count), message);
        }
        let arrival = wire.first_key_value().map(|((at, _), _)| *at);
        now = match [arrival, crowd.poll_timeout()].into_iter().flatten().min() {
            Some(at) if at <= until => at,
            _ => return told,
        };
        while let Some(entry) = wire.first_entry().filter(|entry| entry.key().0 <= now) {
            let (from, to, bytes) = entry.remove();
            crowd.handle_sip(now, to, from, &bytes);
        }
        crowd.handle_timeout(now);
    }
}

#[test]
fn each_answer_finds_the_phone_that_asked() {
    let users = [("a", HERE, SERVER), ("b", HERE, SERVER), ("c", HERE, SERVER)];
    let mut crowd = crowd(&users, &Access::default());
    for place in 0..3 {
        crowd.with(place, |phone| phone.register(Duration::ZERO));
    }
    let (asked, _) = drain(&mut crowd);
    assert_eq!(asked.len(), 3);
    for (place, status) in [(2, "200 OK"), (0, "403 Forbidden"), (1, "200 OK")] {
        crowd.handle_sip(FLIGHT, address(HERE), address(SERVER), &response(&asked[place].2, status));
        let (_, events) = drain(&mut crowd);
        assert!(events.iter().all(|(whose, _)| *whose == place) && events.len() == 2, "{events:?}");
        let told = &events[1].1;
        let refused = matches!(told, Event::RegistrationFailed { status: Some(403) });
        assert!(refused == (place == 0), "{told:?}");
    }
    let stranger = response(&asked[0].2, "200 OK");
    crowd.handle_sip(FLIGHT, address(THERE), address(SERVER), &stranger);
    assert_eq!((drain(&mut crowd).1.len(), crowd.astray()), (0, 1), "at another address it is nobody's");
}

#[test]
fn a_call_goes_to_whom_it_names_and_else_to_the_first_there() {
    let users = [("carrier", HERE, SERVER), ("b", HERE, SERVER), ("other", THERE, SERVER)];
    let mut crowd = crowd(&users, &Access::default());
    let mut junk = Junk::new(ChaCha8Rng::seed_from_u64(1), address(HERE));
    let invite = String::from_utf8(junk.next(JunkKind::Invite, address(SERVER))).expect("text");
    let number = invite.strip_prefix("INVITE sip:").and_then(|it| it.split_once('@')).expect("a number").0;
    for (n, (user, at, place)) in (0..).zip([(number, HERE, 0), ("b", HERE, 1), (number, THERE, 2)]) {
        let named = invite.replacen(&format!("sip:{number}@"), &format!("sip:{user}@"), 1);
        let named = named.replacen("Call-ID: ", &format!("Call-ID: {n}"), 1);
        crowd.handle_sip(FLIGHT, address(at), address(SERVER), named.as_bytes());
        let (_, events) = drain(&mut crowd);
        let called: Vec<Place> = events
            .iter()
            .filter(|(_, it)| matches!(it, Event::Incoming { .. }))
            .map(|(place, _)| *place)
            .collect();
        assert_eq!(called, [place], "{user} at {at}");
    }
}

#[test]
fn a_call_without_media_tells_each_of_its_steps_once() {
    let mut crowd = crowd(&[("load", HERE, THERE), ("called", THERE, HERE)], &Access::default());
    crowd
        .with(0, |phone| phone.call(Duration::ZERO, "+15551", "+15552", silent()))
        .flatten()
        .expect("a call");
    let told = play(&mut crowd, Duration::from_secs(60));
    let steps: Vec<_> = told
        .iter()
        .filter_map(|(_, place, event)| match event {
            Event::Step { step, took, .. } => Some((*place, *step, *took)),
            _ => None,
        })
        .collect();
    // The called party hangs up first: its time began with the 200 it sent.
    let answered = RING + 2 * FLIGHT;
    assert_eq!(
        steps,
        [
            (0, Step::Trying, 2 * FLIGHT),
            (0, Step::Ringing, 2 * FLIGHT),
            (0, Step::Answered, answered),
            (1, Step::Acknowledged, 2 * FLIGHT)
        ]
    );
    let released: Vec<_> = told
        .iter()
        .filter_map(|(at, place, event)| match event {
            Event::Released { status, took, .. } => Some((*at, *place, *status, *took)),
            _ => None,
        })
        .collect();
    assert_eq!(released, [(answered + TALK + FLIGHT, 1, Some(200), 2 * FLIGHT)]);
}

/// RFC 3261 §17.1.1.2 and §17.1.2.2: over a stream there is one INVITE, and no second one.
#[test]
fn over_a_stream_nothing_is_sent_again_and_patience_is_as_told() {
    let give_up = Duration::from_secs(4);
    for (transport, sendings, via) in [(Transport::Tcp, 1, "SIP/2.0/TCP"), (Transport::Udp, 4, "SIP/2.0/UDP")]
    {
        let access = Access { transport, give_up, ..Access::default() };
        let mut crowd = crowd(&[("load", HERE, SERVER)], &access);
        crowd
            .with(0, |phone| phone.call(Duration::ZERO, "+15551", "+15552", silent()))
            .flatten()
            .expect("a call");
        let (mut sent, mut ended) = (Vec::new(), None);
        while ended.is_none() {
            let now = crowd.poll_timeout().expect("something is due until it is over");
            crowd.handle_timeout(now);
            let (more, events) = drain(&mut crowd);
            sent.extend(more);
            ended = events.into_iter().find_map(|(_, event)| match event {
                Event::Ended { report, .. } => Some((now, report.by, report.status)),
                _ => None,
            });
        }
        assert_eq!(ended, Some((give_up, Side::Nobody, 0)));
        assert_eq!(sent.len(), sendings, "{transport:?}");
        assert!(sent.iter().all(|(_, _, bytes)| String::from_utf8_lossy(bytes).contains(via)));
    }
}

#[test]
fn what_waits_for_an_answer_fails_with_its_connection() {
    let access = Access { transport: Transport::Tls, ..Access::default() };
    let mut crowd = crowd(&[("load", HERE, SERVER), ("other", THERE, SERVER)], &access);
    for place in 0..2 {
        crowd.with(place, |phone| {
            phone.register(Duration::ZERO);
            phone.ask_options(Duration::ZERO, "x").expect("asked");
            phone.call(Duration::ZERO, "+15551", "+15552", silent()).expect("a call");
        });
    }
    drain(&mut crowd);
    crowd.connection_lost(FLIGHT, address(HERE));
    let (_, events) = drain(&mut crowd);
    assert!(events.iter().all(|(place, _)| *place == 0), "the other one's connection is there: {events:?}");
    let failed = events.iter().filter(|(_, event)| match event {
        Event::RegistrationFailed { status } | Event::Inquired { status, .. } => *status == Some(503),
        Event::Ended { report, .. } => (report.by, report.status) == (Side::Nobody, 503),
        _ => false,
    });
    assert_eq!(failed.count(), 3, "{events:?}");
}

#[test]
fn a_question_is_answered_or_given_up() {
    let mut crowd = crowd(&[("load", HERE, SERVER)], &Access::default());
    for _ in 0..2 {
        crowd.with(0, |phone| phone.ask_options(Duration::ZERO, "x")).flatten().expect("asked");
    }
    let (asked, _) = drain(&mut crowd);
    crowd.handle_sip(FLIGHT, address(HERE), address(SERVER), &response(&asked[1].2, "200 OK"));
    crowd.handle_sip(FLIGHT, address(HERE), address(SERVER), &response(&asked[1].2, "200 OK"));
    let told = |crowd: &mut Crowd| {
        let (_, events) = drain(crowd);
        let answer = |(_, event)| match event {
            Event::Inquired { status, took, .. } => Some((status, took)),
            _ => None,
        };
        events.into_iter().filter_map(answer).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut crowd), [(Some(200), FLIGHT)], "once, though the answer came twice");
    while let Some(at) = crowd.poll_timeout() {
        crowd.handle_timeout(at);
    }
    assert_eq!(told(&mut crowd), [(None, Duration::from_secs(32))]);
}

#[test]
fn who_is_expected_is_treated_otherwise() {
    let mut crowd = crowd(&[("load", HERE, THERE), ("called", THERE, HERE)], &Access::default());
    let busy = Manner { answer: Answer::Refuse { after: Duration::ZERO, status: 486 }, ..silent() };
    crowd.with(1, |phone| phone.expect_caller("+15551", busy));
    for from in ["+15551", "+15559"] {
        crowd
            .with(0, |phone| phone.call(Duration::ZERO, from, "+15552", silent()))
            .flatten()
            .expect("a call");
    }
    let told = play(&mut crowd, Duration::from_secs(60));
    let ended = told.iter().filter_map(|(_, place, event)| match event {
        Event::Ended { report, .. } if *place == 0 => Some((report.from.as_str(), report.status)),
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), [("+15551", 486), ("+15559", 200)]);
}
