//! The node's shell in miniature: packets to the switch or the worker, commands and events between the two.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tandem_control_api::CallRecord;
use tandem_media as media;
use tandem_media::{Channel, Disposition, EndpointId, IoRequest, Worker};
use tandem_sbc::user_agent::{
    IpPrefix, Limits, ListenAddress, Packet, PhoneConfig, Transport, TrunkConfig, UserAgent, UserAgentConfig,
    UserCredentials,
};
use tandem_switch::{Output, PromptLibrary, Switch, SwitchConfig, WorkerIndex};
use tandem_time::Instant;

use crate::script::Script;

pub(crate) const SIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5_060);
pub(crate) const CARRIER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10)), 5_070);
pub(crate) const ALICE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 20)), 5_060);
/// What the prompt `welcome` sounds like.
pub(crate) const WELCOME_HZ: u16 = 1_000;

/// A datagram.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Node {
    pub(crate) switch: Switch<Script>,
    pub(crate) records: Vec<CallRecord>,
    pub(crate) sent: Vec<Datagram>,
    worker: Worker,
    sockets: BTreeMap<SocketAddr, (EndpointId, Channel)>,
    addresses: BTreeMap<EndpointId, SocketAddr>,
}

impl Node {
    pub(crate) fn new(script: Script) -> Self {
        let config = switch_config();
        let worker = Worker::new(ChaCha8Rng::seed_from_u64(2), config.max_endpoints());
        let user_agent = UserAgent::new(Arc::new(user_agent_config()), ChaCha8Rng::seed_from_u64(1));
        Self {
            switch: Switch::new(config, user_agent, script, prompts()),
            records: Vec::new(),
            sent: Vec::new(),
            worker,
            sockets: BTreeMap::new(),
            addresses: BTreeMap::new(),
        }
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: &Datagram) {
        if datagram.destination == SIP {
            self.switch.handle_packet(
                now,
                Packet {
                    transport: Transport::Udp,
                    local: SIP,
                    source: datagram.source,
                    flow: None,
                    bytes: &datagram.bytes,
                },
            );
        } else if let Some((endpoint, channel)) = self.sockets.get(&datagram.destination).copied() {
            let mut buffer = datagram.bytes.clone();
            let len = buffer.len();
            let disposition =
                self.worker.handle_packet(now, endpoint, channel, datagram.source, &mut buffer, len);
            if let Disposition::Forward { endpoint, destination, len } = disposition
                && let Some(source) = self.addresses.get(&endpoint).copied()
            {
                buffer.truncate(len);
                self.sent.push(Datagram { source, destination, bytes: buffer });
            }
        }
        self.drain(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.worker.poll_timeout().is_some_and(|at| at <= now) {
            self.worker.handle_timeout(now);
        }
        if self.switch.poll_timeout().is_some_and(|at| at <= now) {
            self.switch.handle_timeout(now);
        }
        self.drain(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.switch.poll_timeout(), self.worker.poll_timeout()].into_iter().flatten().min()
    }

    /// Passes on what switch and worker want of each other and of the network until both are quiet.
    fn drain(&mut self, now: Instant) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.switch.poll_output() {
                quiet = false;
                match output {
                    Output::Sip(transmit) => self.sent.push(Datagram {
                        source: transmit.local,
                        destination: transmit.destination,
                        bytes: transmit.bytes,
                    }),
                    Output::Media { command, .. } => self.worker.handle_command(now, command),
                    Output::Record(record) => self.records.push(*record),
                    Output::Recording(_) | Output::Flow(_) => {}
                }
            }
            self.drain_worker(now);
            while let Some(event) = self.worker.poll_event() {
                quiet = false;
                self.switch.handle_media_event(now, WorkerIndex(0), event);
            }
            if quiet {
                return;
            }
        }
    }

    fn drain_worker(&mut self, now: Instant) {
        while let Some(transmit) = self.worker.poll_transmit() {
            let Some(rtp) = self.addresses.get(&transmit.endpoint).copied() else { continue };
            let source = if transmit.channel == Channel::Rtp { rtp } else { next_port(rtp) };
            let (destination, bytes) = (transmit.destination, transmit.bytes.to_vec());
            self.sent.push(Datagram { source, destination, bytes });
        }
        while let Some(request) = self.worker.poll_io() {
            match request {
                IoRequest::Bind { endpoint, local } => {
                    self.sockets.insert(local, (endpoint, Channel::Rtp));
                    self.sockets.insert(next_port(local), (endpoint, Channel::Rtcp));
                    self.addresses.insert(endpoint, local);
                    self.worker.handle_bound(now, endpoint, true);
                }
                // No party of these asks for one.
                IoRequest::Handshake { .. } => {}
                // Whoever else sends is refused all the same.
                IoRequest::Connect { .. } => {}
                IoRequest::Unbind { endpoint } => {
                    self.addresses.remove(&endpoint);
                    self.sockets.retain(|_, (other, _)| *other != endpoint);
                }
            }
        }
    }
}

fn next_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() + 1)
}

fn switch_config() -> SwitchConfig {
    SwitchConfig {
        media_timeout: Some(Duration::from_secs(30)),
        phones_behind_nat: true,
        ..SwitchConfig::new(SIP.ip(), 20_000..=20_999)
    }
}

fn user_agent_config() -> UserAgentConfig {
    let host = |address: SocketAddr| IpPrefix { address: address.ip(), bits: 32 };
    UserAgentConfig {
        trunks: vec![TrunkConfig {
            max_calls_per_second: 1_000,
            ..TrunkConfig::new("carrier-a", vec![host(CARRIER)], CARRIER)
        }],
        phones: PhoneConfig {
            sources: vec![host(ALICE)],
            realm: "tandem.test".to_owned(),
            users: vec![UserCredentials { name: "alice".to_owned(), password: "secret".to_owned() }],
            ..PhoneConfig::default()
        },
        limits: Limits {
            max_sessions: 5_000,
            max_transactions: 50_000,
            max_contacts_per_user: 2,
            max_ringing: Duration::from_secs(60),
            ..Limits::default()
        },
        ..UserAgentConfig::new(vec![ListenAddress { transport: Transport::Udp, address: SIP }])
    }
}

/// A prompt that is a tone, two seconds of it.
fn prompts() -> PromptLibrary {
    let rate = media::Audio::RATE_HZ;
    let sample = |n: u32| {
        let turns = f64::from(n) * f64::from(WELCOME_HZ) / f64::from(rate);
        (f64::sin(turns * std::f64::consts::TAU) * 8_000.0) as i16
    };
    let samples: Vec<i16> = (0..2 * rate).map(sample).collect();
    [("welcome".to_owned(), Arc::new(media::Audio::from_samples(samples)))].into()
}
