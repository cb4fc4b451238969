//! A phone keeps itself registered (RFC 3261 §10.2), with the registrar's part played by hand.

mod common;

use std::time::Duration;

use common::{config, ms, secs};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Credentials, Event, Manner, Output, Phone, PhoneConfig};

struct Registrar {
    phone: Phone,
    now: Duration,
}

impl Registrar {
    fn new() -> Self {
        let credentials = Some(Credentials { user: "1001".into(), password: "secret".into() });
        let config = PhoneConfig { credentials, ..config("1001", 20, Manner::polite(500, ms(0))) };
        let mut phone = Phone::new(config, ChaCha8Rng::seed_from_u64(1));
        phone.register(secs(0));
        Self { phone, now: secs(0) }
    }

    /// The next REGISTER, as text; time goes on until there is one.
    fn next(&mut self) -> String {
        loop {
            while let Some(output) = self.phone.poll_output() {
                if let Output::Sip { bytes, .. } = output {
                    return String::from_utf8(bytes).expect("SIP is text");
                }
            }
            self.now = self.phone.poll_timeout().expect("the phone goes on trying");
            self.phone.handle_timeout(self.now);
        }
    }

    fn answer(&mut self, request: &str, status: &str, more: &str) -> Vec<Event> {
        let copied: String = request
            .lines()
            .filter(|line| ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name)))
            .flat_map(|line| [line, "\r\n"])
            .collect();
        let response = format!("SIP/2.0 {status}\r\n{copied}{more}Content-Length: 0\r\n\r\n");
        let source = self.phone.config().server;
        self.phone.handle_sip(self.now, source, response.as_bytes());
        let mut events = Vec::new();
        let mut kept = Vec::new();
        while let Some(output) = self.phone.poll_output() {
            match output {
                Output::Event(Event::RegisterAnswered { .. }) => {}
                Output::Event(event) => events.push(event),
                Output::Sip { bytes, .. } => kept.push(bytes),
                _ => {}
            }
        }
        assert!(kept.len() <= 1, "at most one request follows an answer");
        events
    }
}

#[test]
fn is_refreshed_half_way_to_its_expiry() {
    let mut registrar = Registrar::new();
    let first = registrar.next();
    assert!(first.starts_with("REGISTER sip:127.0.0.21:5060 SIP/2.0\r\n"), "{first}");
    assert!(first.contains("CSeq: 1 REGISTER") && first.contains("Expires: 60"));
    let granted = registrar.answer(&first, "200 OK", "Contact: <sip:1001@127.0.0.20:5060>;expires=40\r\n");
    assert!(matches!(granted.as_slice(), [Event::Registered { expires }] if *expires == secs(40)));
    let second = registrar.next();
    assert!(second.contains("CSeq: 2 REGISTER"));
    assert_eq!(registrar.now, secs(20));
}

#[test]
fn an_endless_expiry_is_not_believed() {
    let mut registrar = Registrar::new();
    let first = registrar.next();
    registrar.answer(&first, "200 OK", &format!("Expires: {}\r\n", u64::MAX));
    registrar.next();
    assert_eq!(registrar.now, secs(43_200));
}

/// RFC 3261 §10.2.8 and §17.1.2.2.
#[test]
fn is_retransmitted_and_tried_again_after_timer_f() {
    let mut registrar = Registrar::new();
    let first = registrar.next();
    for _ in 0..10 {
        assert_eq!(registrar.next(), first);
    }
    assert_eq!(registrar.now, ms(31_500));
    assert!(registrar.next().contains("CSeq: 2 REGISTER"));
    assert_eq!(registrar.now, secs(42));
}

/// RFC 3261 §10.2.8: 423 tells the shortest expiry.
#[test]
fn asks_for_longer_when_the_interval_is_too_brief() {
    let mut registrar = Registrar::new();
    let first = registrar.next();
    let source = registrar.phone.config().server;
    let answer = first.replacen("REGISTER sip:127.0.0.21:5060 SIP/2.0", "SIP/2.0 423 Interval Too Brief", 1);
    let answer = answer.replacen("Max-Forwards: 70", "Min-Expires: 300", 1);
    registrar.phone.handle_sip(registrar.now, source, answer.as_bytes());
    assert!(registrar.next().contains("Expires: 300"));
}

/// RFC 7616 §3.4 and RFC 8760: the challenge is answered once, and a wrong password is not tried for ever.
#[test]
fn answers_a_challenge_and_gives_up_on_the_third() {
    let mut registrar = Registrar::new();
    let source = registrar.phone.config().server;
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256";
    for round in 1..=3 {
        let request = registrar.next();
        assert!(request.contains(&format!("CSeq: {round} REGISTER")));
        assert_eq!(
            request.contains("Authorization: Digest username=\"1001\", realm=\"r\", nonce=\"n\""),
            round > 1
        );
        let answer = request.replacen("REGISTER sip:127.0.0.21:5060 SIP/2.0", "SIP/2.0 401 Unauthorized", 1);
        let answer = answer.replacen("Max-Forwards: 70", challenge, 1);
        registrar.phone.handle_sip(registrar.now, source, answer.as_bytes());
    }
    let failed = std::iter::from_fn(|| registrar.phone.poll_output())
        .any(|output| matches!(output, Output::Event(Event::RegistrationFailed { status: Some(401) })));
    assert!(failed);
    assert_eq!(registrar.phone.poll_timeout(), Some(secs(10)), "tried again after a while");
}
