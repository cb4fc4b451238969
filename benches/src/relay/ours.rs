//! One media thread with its worker, every call a bridge of two endpoints, the second under SRTP if that is asked for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_media::srtp::{MasterKey, SrtpKeys, Suite};
use tandem_media::{Codec, Command, EndpointId, Event, Security, StreamParameters};
use tandem_media_net::{CountersSnapshot, IoChoice, MediaHandle, MediaThreads, MediaThreadsConfig};

use super::account::Account;
use super::{Placement, Protection, RELAY_ADDRESS, Relay};

/// A running media thread with its calls.
pub struct Ours {
    threads: MediaThreads,
    legs: Vec<SocketAddr>,
    /// What the parties have that are under SRTP.
    keys: SrtpKeys,
    protection: Protection,
}

/// Of parties under SRTP: the suite that everybody has (RFC 8643 §4), and any key.
const SUITE: Suite = Suite::AesCm128HmacSha1_80;

impl Ours {
    /// Starts it between these parties.
    ///
    /// # Errors
    /// When sockets or ports run out.
    pub fn start(
        parties: &[SocketAddr],
        first_port: u16,
        (protection, io): (Protection, IoChoice),
        placement: Placement,
    ) -> io::Result<Self> {
        let [theirs, ours] = [3, 5].map(|octet| MasterKey::new(SUITE, &[octet; 30]));
        let (theirs, ours) = theirs.zip(ours).ok_or_else(|| io::Error::other("the suite has other keys"))?;
        let config = MediaThreadsConfig {
            threads: 1,
            pin_to: vec![placement.relay_core],
            realtime: placement.realtime,
            other_address: None,
            io,
            max_endpoints: parties.len(),
            seed: [7; 32],
            epoch: Instant::now(),
            wake: {
                let waiting = std::thread::current();
                Arc::new(move || waiting.unpark())
            },
            dtls: None,
        };
        let (threads, mut handles) = MediaThreads::start(&config)?;
        let mut handle = handles.pop().ok_or_else(|| io::Error::other("no media thread"))?;
        let mut legs = Vec::with_capacity(parties.len());
        let mut port = first_port;
        for (index, party) in parties.iter().enumerate() {
            let endpoint = endpoint(index);
            let local = open(&mut handle, endpoint, &mut port)?;
            let security = if protection.covers(index) {
                Security::Keys(Box::new(SrtpKeys { send: ours.clone(), receive: theirs.clone() }))
            } else {
                Security::Plain
            };
            send(
                &mut handle,
                Command::Configure {
                    endpoint,
                    stream: StreamParameters { security, ..StreamParameters::new(*party, Codec::Pcmu, 0) },
                },
            )?;
            if index % 2 == 1 {
                send(&mut handle, Command::Bridge { a: endpoint, b: self::endpoint(index - 1) })?;
            }
            legs.push(local);
        }
        Ok(Self { threads, legs, keys: SrtpKeys { send: theirs, receive: ours }, protection })
    }

    /// The thread's totals.
    #[must_use]
    pub fn counters(&self) -> CountersSnapshot {
        self.threads.counters().next().map(|counters| counters.snapshot()).unwrap_or_default()
    }
}

impl Relay for Ours {
    fn legs(&self) -> &[SocketAddr] {
        &self.legs
    }

    fn keys_of(&self, party: usize) -> Option<&SrtpKeys> {
        self.protection.covers(party).then_some(&self.keys)
    }

    fn cpu(&self) -> io::Result<Duration> {
        Account::own_threads("media-").cpu()
    }
}

fn endpoint(index: usize) -> EndpointId {
    EndpointId { index: index as u32, generation: 1 }
}

/// Opens at the next even port that is free.
fn open(handle: &mut MediaHandle, endpoint: EndpointId, port: &mut u16) -> io::Result<SocketAddr> {
    loop {
        let local = SocketAddr::new(RELAY_ADDRESS, *port);
        *port = port.checked_add(2).ok_or_else(|| io::Error::other("out of ports"))?;
        send(handle, Command::Open { endpoint, local })?;
        match next_event(handle) {
            Event::Opened { .. } => return Ok(local),
            Event::OpenFailed { .. } => {}
            other => return Err(io::Error::other(format!("unexpected {other:?}"))),
        }
    }
}

fn send(handle: &mut MediaHandle, command: Command) -> io::Result<()> {
    handle.send(command).map_err(|full| io::Error::other(full.to_string()))
}

fn next_event(handle: &mut MediaHandle) -> Event {
    loop {
        if let Some(event) = handle.poll_event() {
            return event;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
