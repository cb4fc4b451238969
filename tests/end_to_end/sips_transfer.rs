//! A softphone over TLS transfers its caller to a `sips:` URI (REFER, RFC 5630 §5.1.1.3): the target is called with TLS on every
//! hop, or not at all.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tandem_peers::{Node, free_port, free_rtp_ports};
use tandem_phone::{
    Access, Credentials, Event, Manner, Phone, PhoneConfig, Place, Transfer, TransferWay, Transport,
};
use tandem_phone_net::{LiveCrowd, Tls, TlsFiles};

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier, free_tcp, node_with, only_record, runtime, secured,
};

const ALICE_HZ: u16 = 700;
const BOB_HZ: u16 = 900;
const TALK: Duration = Duration::from_secs(1);

/// Softphones over TLS, and what has happened to them.
struct Phones {
    crowd: LiveCrowd,
    happened: Vec<(Place, Event)>,
}

impl Phones {
    fn of(node: &Node) -> Self {
        let files = TlsFiles {
            authorities: Some(node.folder().join("ca.pem")),
            certificate: Some(node.folder().join("node.pem")),
            key: Some(node.folder().join("node.key")),
            ..TlsFiles::default()
        };
        let tls = Tls::read(&files).expect("usable files");
        let crowd = LiveCrowd::new(Transport::Tls, Some(tls)).expect("an epoll instance");
        Self { crowd, happened: Vec::new() }
    }

    /// A registered phone; `is_sips` when it is to be called as `sips:` and wants to call so.
    fn add(&mut self, at: SocketAddr, (user, name): (&str, &str), is_sips: bool, manner: Manner) -> Place {
        let host = [127, 0, 0, if user == "1001" { 22 } else { 23 }];
        let media_ports = free_rtp_ports(host).expect("free ports");
        let address = free_port(host).expect("a free port");
        let config = PhoneConfig {
            user: user.to_owned(),
            address,
            media_address: address.ip(),
            media_ports: media_ports.0..=media_ports.1,
            server: at,
            credentials: Some(Credentials { user: user.to_owned(), password: format!("{name}-{user}") }),
            expires: Duration::from_secs(60),
            manner,
            numbers: std::collections::BTreeMap::new(),
            lines: 2,
            listen_for: PhoneConfig::all_frequencies(),
        };
        let rng = ChaCha8Rng::seed_from_u64(u64::from(host[3]));
        let place = self.crowd.add(config, Access { is_sips, ..Access::default() }, rng);
        let place = place.expect("its address is free");
        self.crowd.act(place, Phone::register);
        self.until("it registers", |phones| {
            phones
                .happened
                .iter()
                .any(|(at, event)| *at == place && matches!(event, Event::Registered { .. }))
        });
        place
    }

    /// Lets them be until it is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        const TURN: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.happened);
            let until = self.crowd.now() + TURN;
            self.crowd.turn(until).expect("the kernel lets us wait");
            while let Some(happening) = self.crowd.poll_happening() {
                self.happened.push((happening.place, happening.event));
            }
        }
    }

    fn heard(&self, place: Place, hz: u16) -> Duration {
        let of = |event: &Event| match event {
            Event::Ended { report, .. } => Some(report.heard.time_of_tone(hz)),
            _ => None,
        };
        let ended = self.happened.iter().filter(|(at, _)| *at == place).filter_map(|(_, event)| of(event));
        ended.sum()
    }

    fn was_told(&self, status: u16) -> bool {
        let is_it = |event: &Event| matches!(event, Event::TransferProgress { status: told, is_last: true, .. } if *told == status);
        self.happened.iter().any(|(_, event)| is_it(event))
    }
}

/// Bob is registered as `sips:` and has the caller; or he is not, and alice keeps it, who is told 480.
#[test]
fn a_caller_is_transferred_over_tls_or_not_at_all() {
    for bob_is_sips in [true, false] {
        let at = free_tcp([127, 0, 0, 1]);
        let mut node = node_with(|folder, config| secured(folder, &config, at));
        let runtime = runtime();
        let mut phones = Phones::of(&node);
        let transfer = Transfer { after: 4 * TALK, to: "1002".to_owned(), way: TransferWay::Blind };
        let manner = Manner { transfer: Some(transfer), ..Manner::polite(ALICE_HZ, Duration::ZERO) };
        let alice = phones.add(at, ("1001", "alice"), true, manner);
        let carrier = carrier(&runtime, &node);
        let call = carrier.call("+15551111", "+15550101", caller()).expect("a call");
        let hears = |hz: u16, long: Duration| {
            let heard = carrier.ask(move |phone, _| phone.heard(call).map(|heard| heard.time_of_tone(hz)));
            heard.ok().flatten().is_some_and(|heard| heard >= long)
        };
        phones.until("the caller hears alice", |_| hears(ALICE_HZ, TALK));
        let bob =
            phones.add(at, ("1002", "bob"), bob_is_sips, Manner::polite(BOB_HZ, Duration::from_millis(200)));
        if bob_is_sips {
            phones.until("the caller hears bob", |_| hears(BOB_HZ, TALK));
        } else {
            phones.until("alice is told", |phones| phones.was_told(480));
            phones.until("the caller hears alice again", |_| hears(ALICE_HZ, 3 * TALK));
        }
        carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
        let talker = if bob_is_sips { bob } else { alice };
        phones.until("whoever talks is hung up", |phones| {
            let is_end = |event: &Event| matches!(event, Event::Ended { .. });
            phones.happened.iter().any(|(at, event)| *at == talker && is_end(event))
        });
        assert!(phones.heard(talker, CALLER_HZ) > TALK, "it hears the caller");
        let is_rung = |(at, event): &(Place, Event)| *at == bob && matches!(event, Event::Incoming { .. });
        assert_eq!(phones.happened.iter().any(is_rung), bob_is_sips);
        let record = only_record(&mut node);
        let [_, _, target] = &record.legs[..] else { panic!("three legs: {record:#?}") };
        let expected = if bob_is_sips { 200 } else { 480 };
        assert_eq!((target.party.as_str(), target.end_status), ("1002", expected), "{record:#?}");
        assert_eq!(target.packets_received > 25, bob_is_sips, "{record:#?}");
        assert!(record.legs[..2].iter().all(|leg| leg.packets_received > 50), "{record:#?}");
    }
}
