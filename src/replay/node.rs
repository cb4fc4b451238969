//! The node that is replayed: the real switch, contact centre and media worker; sockets and clock are the replay's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tandem_control::ContactCentre;
use tandem_control_api::CallRecord;
use tandem_media::{Channel, Disposition, EndpointId, IoRequest, Worker};
use tandem_sbc::user_agent::{Fingerprint, Packet, Transmit, UserAgent};
use tandem_switch::{Output, Switch, WorkerIndex};
use tandem_time::Instant;

use super::witness::Witness;
use crate::configuration::Loaded;
use crate::node::wiring;

/// The longest packet that is played.
const MAX_PACKET: usize = 2_048;

/// What stands for the node's certificate in a replay: handshakes are agreed on, and not done.
const CERTIFICATE: Fingerprint = Fingerprint([0; 32]);

/// A media packet that the node sent.
#[derive(Debug)]
pub(super) struct MediaSent {
    pub(super) port: u16,
    pub(super) destination: SocketAddr,
    pub(super) bytes: Box<[u8]>,
}

/// What came out of the node.
#[derive(Debug)]
pub(super) enum Sent {
    Sip(Transmit),
    Media(MediaSent),
}

/// The node, with everything it says.
pub(super) struct Node {
    switch: Switch<Witness>,
    worker: Worker,
    ports: BTreeMap<u16, EndpointId>,
    endpoints: BTreeMap<EndpointId, u16>,
    sent: Vec<Sent>,
    records: Vec<CallRecord>,
    buffer: Box<[u8; MAX_PACKET]>,
}

impl Node {
    /// A node as configured, always the same.
    pub(super) fn new(loaded: &Loaded) -> Result<Self, tandem_control::ConfigError> {
        let rng = |stream| {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            rng.set_stream(stream);
            rng
        };
        let centre = ContactCentre::new(loaded.contact_centre.clone())?;
        let user_agent = UserAgent::new(
            Arc::new(wiring::user_agent(&loaded.config, &loaded.rules, Some(CERTIFICATE))),
            rng(0),
        );
        let config = wiring::switch(&loaded.config, 1);
        let worker = Worker::new(rng(1), config.max_endpoints());
        Ok(Self {
            switch: Switch::new(config, user_agent, Witness::new(centre), loaded.prompts.clone()),
            worker,
            ports: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            sent: Vec::new(),
            records: Vec::new(),
            buffer: Box::new([0; MAX_PACKET]),
        })
    }

    pub(super) fn handle_sip(&mut self, now: Instant, packet: Packet<'_>) {
        self.switch.handle_packet(now, packet);
        self.drain(now);
    }

    /// False when nobody listens at the port.
    pub(super) fn handle_media(&mut self, now: Instant, port: u16, source: SocketAddr, bytes: &[u8]) -> bool {
        let channel = if port.is_multiple_of(2) { Channel::Rtp } else { Channel::Rtcp };
        let (Some(endpoint), Some(place)) =
            (self.ports.get(&(port & !1)).copied(), self.buffer.get_mut(..bytes.len()))
        else {
            return false;
        };
        place.copy_from_slice(bytes);
        let disposition =
            self.worker.handle_packet(now, endpoint, channel, source, &mut *self.buffer, bytes.len());
        if let Disposition::Forward { endpoint, destination, len } = disposition
            && let (Some(port), Some(bytes)) = (self.endpoints.get(&endpoint), self.buffer.get(..len))
        {
            self.sent.push(Sent::Media(MediaSent { port: *port, destination, bytes: bytes.into() }));
        }
        self.drain(now);
        true
    }

    /// Does what is due by `now`.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.worker.handle_timeout(now);
        self.drain(now);
        self.switch.handle_timeout(now);
        self.drain(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.worker.poll_timeout(), self.switch.poll_timeout()].into_iter().flatten().min()
    }

    pub(super) fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    pub(super) fn records(&self) -> &[CallRecord] {
        &self.records
    }

    pub(super) const fn witness(&self) -> &Witness {
        self.switch.plane()
    }

    pub(super) const fn witness_mut(&mut self) -> &mut Witness {
        self.switch.plane_mut()
    }

    /// Calls that have not ended.
    pub(super) const fn calls_up(&self) -> u64 {
        let counters = self.switch.counters();
        counters.calls_offered.saturating_sub(counters.calls_ended)
    }

    fn drain(&mut self, now: Instant) {
        loop {
            self.drain_worker(now);
            if !self.drain_switch(now) {
                return;
            }
        }
    }

    /// Whether the switch had anything for the worker.
    fn drain_switch(&mut self, now: Instant) -> bool {
        let mut commanded = false;
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Sip(transmit) => self.sent.push(Sent::Sip(transmit)),
                Output::Record(record) => self.records.push(*record),
                Output::Recording(_) | Output::Flow(_) => {}
                Output::Media { command, .. } => {
                    self.worker.handle_command(now, command);
                    commanded = true;
                }
            }
        }
        commanded
    }

    fn drain_worker(&mut self, now: Instant) {
        loop {
            while let Some(request) = self.worker.poll_io() {
                match request {
                    IoRequest::Bind { endpoint, local } => {
                        self.ports.insert(local.port(), endpoint);
                        self.endpoints.insert(endpoint, local.port());
                        self.worker.handle_bound(now, endpoint, true);
                    }
                    // Nobody has the keys of a capture.
                    IoRequest::Handshake { .. } => {}
                    // What was captured came through, and is judged.
                    IoRequest::Connect { .. } => {}
                    IoRequest::Unbind { endpoint } => {
                        if let Some(port) = self.endpoints.remove(&endpoint) {
                            self.ports.remove(&port);
                        }
                    }
                }
            }
            while let Some(made) = self.worker.poll_transmit() {
                if made.channel == Channel::Rtp
                    && let Some(port) = self.endpoints.get(&made.endpoint)
                {
                    let bytes = made.bytes.into();
                    let media = MediaSent { port: *port, destination: made.destination, bytes };
                    self.sent.push(Sent::Media(media));
                }
            }
            let Some(event) = self.worker.poll_event() else { return };
            self.switch.handle_media_event(now, WorkerIndex(0), event);
        }
    }
}
