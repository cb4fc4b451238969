//! The lower bound: the same sockets, the same system calls, the same thread, and nothing done to a packet.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tandem_media_net::GATHER;
use tandem_media_net::sys::{Batch, Epoll, Outgoing, Ready, SendRing};

use super::account::Account;
use super::{Placement, RELAY_ADDRESS, Relay};

/// How a bare forwarder waits and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Wakes for every packet; recvmmsg and sendmmsg.
    Batched,
    /// Wakes for every packet; recvfrom and sendto.
    Single,
    /// Wakes at most once every [`GATHER`], as a media thread does; recvfrom and sendto.
    Gathering,
    /// Wakes at most once every [`GATHER`]; recvmmsg and sendmmsg.
    GatheringBatched,
    /// As [`Style::Gathering`], with sockets connected to the parties, as a media thread has them; recvfrom and send.
    Connected,
    /// As [`Style::Connected`], with the sends of a turn given to io_uring.
    Ring,
}

impl Style {
    fn gather(self) -> Option<Duration> {
        (!matches!(self, Self::Batched | Self::Single)).then_some(GATHER)
    }

    fn batches(self) -> bool {
        matches!(self, Self::Batched | Self::GatheringBatched)
    }

    fn connects(self) -> bool {
        matches!(self, Self::Connected | Self::Ring)
    }
}

/// A running bare forwarder.
pub struct Bare {
    legs: Vec<SocketAddr>,
    account: Account,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

const THREAD_NAME: &str = "bare";

impl Bare {
    /// Starts it between these parties.
    ///
    /// # Errors
    /// When sockets or threads run out.
    pub fn start(parties: &[SocketAddr], style: Style, placement: Placement) -> io::Result<Self> {
        let rtp = parties.iter().map(|_| bind()).collect::<io::Result<Vec<_>>>()?;
        let rtcp = parties.iter().map(|_| bind()).collect::<io::Result<Vec<_>>>()?;
        if style.connects() {
            rtp.iter().zip(parties).try_for_each(|(socket, party)| socket.connect(party))?;
        }
        let legs = rtp.iter().map(UdpSocket::local_addr).collect::<io::Result<Vec<_>>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let forwarder = Forwarder { rtp, rtcp, parties: parties.to_vec(), stop: Arc::clone(&stop) };
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            placement.prepare_thread(placement.relay_core)?;
            forwarder.run(style)
        })?;
        Ok(Self { legs, account: Account::own_threads(THREAD_NAME), stop, thread: Some(thread) })
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(RELAY_ADDRESS, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Relay for Bare {
    fn legs(&self) -> &[SocketAddr] {
        &self.legs
    }

    fn cpu(&self) -> io::Result<Duration> {
        self.account.cpu()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the bare forwarder failed: {error}");
        }
    }
}

struct Forwarder {
    rtp: Vec<UdpSocket>,
    /// As many sockets as a media thread has; nothing comes on these.
    rtcp: Vec<UdpSocket>,
    parties: Vec<SocketAddr>,
    stop: Arc<AtomicBool>,
}

impl Forwarder {
    fn run(&self, style: Style) -> io::Result<()> {
        let epoll = Epoll::new()?;
        for (token, socket) in self.rtp.iter().chain(&self.rtcp).enumerate() {
            epoll.watch(socket, token as u64)?;
        }
        let mut ready = Ready::default();
        let mut batch = Batch::default();
        let mut ring = if style == Style::Ring { Some(SendRing::open()?) } else { None };
        while !self.stop.load(Relaxed) {
            epoll.wait(&mut ready, Some(Duration::from_millis(20)))?;
            let began = Instant::now();
            for index in 0..ready.len() {
                let from = ready.token(index).unwrap_or_default() as usize;
                self.forward(from, &mut batch, style, ring.as_mut())?;
            }
            ring.as_mut().map(SendRing::submit).transpose()?;
            let left = style.gather().and_then(|gather| gather.checked_sub(began.elapsed()));
            if let (Some(left), false) = (left, ready.is_empty()) {
                std::thread::park_timeout(left);
            }
        }
        Ok(())
    }

    fn forward(
        &self,
        from: usize,
        batch: &mut Batch,
        style: Style,
        ring: Option<&mut SendRing>,
    ) -> io::Result<()> {
        let to = from ^ 1;
        let (Some(source), Some(socket), Some(destination)) =
            (self.rtp.get(from), self.rtp.get(to), self.parties.get(to))
        else {
            return Ok(());
        };
        let received = if style.batches() { batch.receive(source) } else { batch.receive_one(source) };
        let Ok(count) = received else { return Ok(()) };
        let mut outgoing = [Outgoing { index: 0, len: 0, destination: *destination }; 8];
        for (index, packet) in outgoing.iter_mut().enumerate().take(count) {
            packet.index = index;
            packet.len = batch.packet(index).map_or(0, |packet| packet.len);
        }
        let outgoing = outgoing.get(..count).unwrap_or_default();
        match (outgoing, ring) {
            ([one], Some(ring)) => {
                if ring.is_full() {
                    ring.submit()?;
                }
                let _ = ring.push(socket, None, batch.bytes(one).unwrap_or_default());
            }
            ([one], None) if style.connects() => drop(socket.send(batch.bytes(one).unwrap_or_default())),
            _ => drop(batch.send(socket, outgoing)),
        }
        Ok(())
    }
}
