//! A node, a carrier and alice's phone on a network that takes 5 ms and loses nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tandem_phone::{CallKey, Credentials, Event, Manner, Output, Phone, PhoneConfig, Report};
use tandem_switch::Ledger;
use tandem_time::Instant;

use crate::node::{ALICE, CARRIER, Datagram, Node, SIP};
use crate::script::Script;

const LATENCY: Duration = Duration::from_millis(5);

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) node: Node,
    pub(crate) carrier: Phone,
    pub(crate) alice: Phone,
    pub(crate) carrier_reports: Vec<Report>,
    pub(crate) alice_reports: Vec<Report>,
    travelling: VecDeque<(Duration, Datagram)>,
}

impl World {
    /// Alice, who behaves like `alice` when called, has registered.
    pub(crate) fn new(alice: Manner) -> Self {
        let carrier = phone("carrier", CARRIER, None, Manner::polite(300, Duration::ZERO));
        let credentials = Credentials { user: "alice".to_owned(), password: "secret".to_owned() };
        let mut alice = phone("alice", ALICE, Some(credentials), alice);
        alice.register(Duration::ZERO);
        let mut world = Self {
            now: Duration::ZERO,
            node: Node::new(Script::default()),
            carrier,
            alice,
            carrier_reports: Vec::new(),
            alice_reports: Vec::new(),
            travelling: VecDeque::new(),
        };
        world.run(Duration::from_secs(1));
        world
    }

    pub(crate) fn call(&mut self, manner: Manner) -> CallKey {
        let call = self.carrier.call(self.now, "+15550199", "+15550100", manner);
        self.drain();
        call.expect("the carrier has a port")
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = end;
    }

    pub(crate) fn script(&self) -> &Script {
        self.node.switch.plane()
    }

    /// Nothing is left but alice's registration.
    pub(crate) fn assert_at_rest(&self) {
        assert_eq!(self.node.switch.ledger(), Ledger::default());
    }

    fn next(&self) -> Option<Duration> {
        let node = self.node.poll_timeout().map(Instant::since_start);
        let travelling = self.travelling.front().map(|(at, _)| *at);
        [node, travelling, self.carrier.poll_timeout(), self.alice.poll_timeout()].into_iter().flatten().min()
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some((_, datagram)) = self.travelling.pop_front_if(|(at, _)| *at <= now) {
            self.deliver(&datagram);
            self.drain();
        }
        self.node.handle_timeout(instant(now));
        for phone in [&mut self.carrier, &mut self.alice] {
            if phone.poll_timeout().is_some_and(|at| at <= now) {
                phone.handle_timeout(now);
            }
        }
        self.drain();
    }

    fn deliver(&mut self, datagram: &Datagram) {
        let Datagram { source, destination, bytes } = datagram;
        let phone = if destination.ip() == SIP.ip() {
            return self.node.handle_datagram(instant(self.now), datagram);
        } else if destination.ip() == CARRIER.ip() {
            &mut self.carrier
        } else {
            &mut self.alice
        };
        if *destination == phone.config().address {
            phone.handle_sip(self.now, *source, bytes);
        } else {
            phone.handle_rtp(self.now, *destination, *source, bytes);
        }
    }

    fn drain(&mut self) {
        let at = self.now + LATENCY;
        for (phone, reports) in
            [(&mut self.carrier, &mut self.carrier_reports), (&mut self.alice, &mut self.alice_reports)]
        {
            let address = phone.config().address;
            while let Some(output) = phone.poll_output() {
                let (source, destination, bytes) = match output {
                    Output::Sip { destination, bytes } => (address, destination, bytes),
                    Output::Rtp { local, destination, bytes } => (local, destination, bytes),
                    Output::Event(Event::Ended { report, .. }) => {
                        reports.push(*report);
                        continue;
                    }
                    Output::Event(_) | Output::OpenMedia { .. } | Output::CloseMedia { .. } => continue,
                };
                self.travelling.push_back((at, Datagram { source, destination, bytes }));
            }
        }
        self.travelling.extend(self.node.sent.drain(..).map(|datagram| (at, datagram)));
    }
}

fn phone(user: &str, address: SocketAddr, credentials: Option<Credentials>, manner: Manner) -> Phone {
    let config = PhoneConfig {
        user: user.to_owned(),
        address,
        media_address: address.ip(),
        media_ports: 40_000..=41_999,
        server: SIP,
        credentials,
        expires: Duration::from_secs(3_600),
        manner,
        numbers: [].into(),
        lines: 1_000,
        listen_for: PhoneConfig::all_frequencies(),
    };
    Phone::new(config, ChaCha8Rng::seed_from_u64(u64::from(address.port())))
}

fn instant(at: Duration) -> Instant {
    Instant::START + at
}
