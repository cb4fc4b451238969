//! Two phones and the wire between them, in virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Event, Manner, Output, Phone, PhoneConfig, Report};

use crate::common::secs;

enum Packet {
    Sip { source: SocketAddr, bytes: Vec<u8> },
    Rtp { source: SocketAddr, destination: SocketAddr, bytes: Vec<u8> },
}

pub(crate) struct Wire {
    now: Duration,
    phones: [Phone; 2],
    reports: [Option<Box<Report>>; 2],
    in_flight: BTreeMap<(Duration, u64), (usize, Packet)>,
    sequence: u64,
    loss: Option<(ChaCha8Rng, u32)>,
    pub(crate) sip_from_alice: usize,
    /// What Alice is told of her transfers: the answer to her REFER, then each NOTIFY and whether it is the last.
    pub(crate) told: Vec<(u16, bool)>,
}

impl Wire {
    pub(crate) const LATENCY: Duration = Duration::from_millis(5);

    pub(crate) fn new(alice: PhoneConfig, bob: PhoneConfig) -> Self {
        let phones =
            [Phone::new(alice, ChaCha8Rng::seed_from_u64(1)), Phone::new(bob, ChaCha8Rng::seed_from_u64(2))];
        Self {
            now: secs(1),
            phones,
            reports: [None, None],
            in_flight: BTreeMap::new(),
            sequence: 0,
            loss: None,
            sip_from_alice: 0,
            told: Vec::new(),
        }
    }

    /// Loses so many packets of a hundred.
    pub(crate) fn lose(&mut self, seed: u64, percent: u32) {
        self.loss = Some((ChaCha8Rng::seed_from_u64(seed), percent));
    }

    /// Alice calls bob.
    pub(crate) fn call(&mut self, manner: Manner) {
        self.phones[0].call(self.now, "alice", "bob", manner).expect("a media port is free");
        self.drain();
    }

    pub(crate) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        loop {
            let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let timers = self.phones.iter().filter_map(Phone::poll_timeout).min();
            let Some(next) = [arrival, timers].into_iter().flatten().min().filter(|next| *next <= end) else {
                return;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (to, packet)) = self.in_flight.pop_first().expect("looked at above");
                match packet {
                    Packet::Sip { source, bytes } => self.phones[to].handle_sip(self.now, source, &bytes),
                    Packet::Rtp { source, destination, bytes } => {
                        self.phones[to].handle_rtp(self.now, destination, source, &bytes);
                    }
                }
            } else {
                for phone in &mut self.phones {
                    phone.handle_timeout(self.now);
                }
            }
            self.drain();
        }
    }

    pub(crate) fn report_of_alice(&mut self) -> Report {
        *self.reports[0].take().expect("alice's call is over")
    }

    pub(crate) fn reports(&mut self) -> (Report, Report) {
        let bob = *self.reports[1].take().expect("bob's call is over");
        (self.report_of_alice(), bob)
    }

    fn drain(&mut self) {
        for from in 0..2 {
            while let Some(output) = self.phones[from].poll_output() {
                let source = self.phones[from].config().address;
                match output {
                    Output::Sip { bytes, .. } => {
                        self.sip_from_alice += usize::from(from == 0);
                        self.send(1 - from, Packet::Sip { source, bytes });
                    }
                    Output::Rtp { local, destination, bytes } => {
                        self.send(1 - from, Packet::Rtp { source: local, destination, bytes });
                    }
                    Output::Event(Event::Ended { report, .. }) => {
                        assert!(self.reports[from].is_none(), "a call ends once");
                        self.reports[from] = Some(report);
                    }
                    Output::Event(Event::TransferAnswered { status, .. }) => {
                        self.told.push((status.unwrap_or_default(), false));
                    }
                    Output::Event(Event::TransferProgress { status, is_last, .. }) => {
                        self.told.push((status, is_last));
                    }
                    Output::Event(_) | Output::OpenMedia { .. } | Output::CloseMedia { .. } => {}
                }
            }
        }
    }

    fn send(&mut self, to: usize, packet: Packet) {
        if let Some((rng, percent)) = &mut self.loss
            && rng.random_range(0..100) < *percent
        {
            return;
        }
        self.sequence += 1;
        self.in_flight.insert((self.now + Self::LATENCY, self.sequence), (to, packet));
    }
}
