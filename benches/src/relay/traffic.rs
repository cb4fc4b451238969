//! Both parties of every call: one thread that sends on time and takes what comes.
//!
//! What a packet waits for in the relay is the kernel's receive time minus the time of sending, which is in the
//! packet: so the parties' own lateness does not count. The thread looks at its sockets between its sends and
//! never waits for them, so that the relay's sends wake nobody.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use tandem_media::srtp::{MAX_TRAILER_LEN, Receiver, Sender, SrtpKeys};
use tandem_media_net::sys::{Epoll, Ready};

use super::{Placement, Relay};

/// One G.711 packet.
const PTIME: Duration = Duration::from_millis(20);
/// Sends are spread over a packet time in so many steps.
const STEPS: usize = 80;
/// Header and 160 octets of G.711 µ-law.
const PACKET: usize = 172;
const RTP_HEADER: usize = 12;
/// With what SRTP may add.
const ROOM: usize = PACKET + MAX_TRAILER_LEN;
/// Delays are kept to the microsecond up to this.
const LONGEST: Duration = Duration::from_millis(200);
/// The relay and the kernel warm up for so long.
const WARM_UP: Duration = Duration::from_secs(1);
/// What is under way when sending ends gets so long to come.
const DRAIN: Duration = Duration::from_millis(300);

/// The parties' sockets.
pub struct Traffic {
    sockets: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
}

/// What one run gave.
#[derive(Clone, Debug)]
pub struct Run {
    /// Packets that came through while processor time was counted.
    pub packets: u64,
    /// The relay's processor time for them.
    pub cpu: Duration,
    /// How many of the packets due the parties have sent: less than 1 where they are late themselves.
    pub sent_share: f64,
    /// Sent and never received, of all.
    pub lost: u64,
    /// Half of the packets took no longer.
    pub delay_p50: Duration,
    /// 99 of 100 took no longer.
    pub delay_p99: Duration,
    /// The longest.
    pub delay_max: Duration,
}

impl Run {
    /// CPU-seconds per million packets in and out: the same number as microseconds a packet.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.packets.max(1) as f64
    }
}

impl Traffic {
    /// Two parties for each call.
    ///
    /// # Errors
    /// When sockets run out.
    pub fn bind(calls: usize) -> io::Result<Self> {
        let sockets = (0..2 * calls).map(|_| bind_party()).collect::<io::Result<Vec<_>>>()?;
        let addresses = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?;
        Ok(Self { sockets, addresses })
    }

    /// Where the parties are.
    #[must_use]
    pub fn parties(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Sends through the relay for so long, after a warm-up.
    ///
    /// # Errors
    /// When the relay is gone or the parties' thread fails.
    pub fn run(&self, relay: &dyn Relay, measured: Duration, placement: Placement) -> io::Result<Run> {
        let received = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let mut parties = Parties::new(self, relay, Arc::clone(&received))?;
        std::thread::scope(|scope| {
            let stopped = Arc::clone(&stop);
            let sending = scope.spawn(move || {
                placement.prepare_thread(placement.parties_core)?;
                parties.talk(&stopped)?;
                io::Result::Ok(parties)
            });
            let counted = measure(relay, measured, &received);
            stop.store(true, Relaxed);
            let parties = sending.join().map_err(|_| io::Error::other("the parties panicked"))??;
            let (packets, cpu) = counted?;
            let due = (WARM_UP + measured).as_secs_f64() / PTIME.as_secs_f64() * self.sockets.len() as f64;
            Ok(Run { sent_share: parties.sent as f64 / due, ..parties.summary(packets, cpu) })
        })
    }
}

fn measure(relay: &dyn Relay, measured: Duration, received: &AtomicU64) -> io::Result<(u64, Duration)> {
    wait(WARM_UP);
    let (packets, cpu) = (received.load(Relaxed), relay.cpu()?);
    wait(measured);
    Ok((received.load(Relaxed) - packets, relay.cpu()? - cpu))
}

fn wait(duration: Duration) {
    let until = Instant::now() + duration;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

fn bind_party() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), 0))?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    Ok(socket)
}

struct Parties<'a> {
    sockets: &'a [UdpSocket],
    legs: &'a [SocketAddr],
    /// Of parties under SRTP.
    guards: Vec<Option<Guard>>,
    epoll: Epoll,
    received: Arc<AtomicU64>,
    sent: u64,
    sequence: u16,
    /// Packets by delay in microseconds.
    delays: Vec<u64>,
    longest: Duration,
}

impl<'a> Parties<'a> {
    fn new(traffic: &'a Traffic, relay: &'a dyn Relay, received: Arc<AtomicU64>) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        for (token, socket) in traffic.sockets.iter().enumerate() {
            epoll.watch(socket, token as u64)?;
        }
        Ok(Self {
            sockets: &traffic.sockets,
            legs: relay.legs(),
            guards: (0..traffic.sockets.len()).map(|party| relay.keys_of(party).map(Guard::new)).collect(),
            epoll,
            received,
            sent: 0,
            sequence: 0,
            delays: vec![0; LONGEST.as_micros() as usize],
            longest: Duration::ZERO,
        })
    }

    fn talk(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut ready = Ready::default();
        let began = Instant::now();
        for step in 0_usize.. {
            if stop.load(Relaxed) {
                break;
            }
            self.send_step(step);
            let due = began + PTIME * (step as u32 + 1) / STEPS as u32;
            self.take_all(&mut ready)?;
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
        let until = Instant::now() + DRAIN;
        while Instant::now() < until {
            self.take_all(&mut ready)?;
            std::thread::park_timeout(PTIME / 20);
        }
        Ok(())
    }

    /// Each step is the turn of every `STEPS`th party.
    fn send_step(&mut self, step: usize) {
        let turn = step % STEPS;
        if turn == 0 {
            self.sequence = self.sequence.wrapping_add(1);
        }
        let parties = self.sockets.iter().zip(self.legs).zip(&mut self.guards).enumerate();
        for (party, ((socket, leg), guard)) in parties.skip(turn).step_by(STEPS) {
            let mut packet = [0; ROOM];
            packet[..PACKET].copy_from_slice(&rtp_packet(party, self.sequence));
            let len = match guard {
                None => Some(PACKET),
                Some(guard) => guard.sender.protect_rtp(&mut packet, PACKET),
            };
            let packet = packet.get(..len.unwrap_or(0)).unwrap_or_default();
            if socket.send_to(packet, leg).is_ok() {
                self.sent += 1;
            }
        }
    }

    fn take_all(&mut self, ready: &mut Ready) -> io::Result<()> {
        self.epoll.wait(ready, Some(Duration::ZERO))?;
        for index in 0..ready.len() {
            let party = ready.token(index).unwrap_or_default() as usize;
            let (Some(socket), Some(guard)) = (self.sockets.get(party), self.guards.get_mut(party)) else {
                continue;
            };
            if let Some(delay) = receive(socket, guard.as_mut()) {
                self.longest = self.longest.max(delay);
                let last = self.delays.len() - 1;
                self.delays[(delay.as_micros() as usize).min(last)] += 1;
                self.received.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }

    fn summary(&self, packets: u64, cpu: Duration) -> Run {
        let received = self.received.load(Relaxed);
        Run {
            packets,
            cpu,
            sent_share: 1.0,
            lost: self.sent.saturating_sub(received),
            delay_p50: self.percentile(50),
            delay_p99: self.percentile(99),
            delay_max: self.longest,
        }
    }

    fn percentile(&self, percent: u64) -> Duration {
        let wanted = self.received.load(Relaxed) * percent / 100;
        let mut seen = 0;
        let at = self.delays.iter().position(|count| {
            seen += count;
            seen > wanted
        });
        Duration::from_micros(at.unwrap_or(self.delays.len()) as u64)
    }
}

fn rtp_packet(party: usize, sequence: u16) -> [u8; PACKET] {
    let mut packet = [0xff; PACKET];
    packet[0] = 0x80;
    packet[1] = 0;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&(party as u32 + 1).to_be_bytes());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    packet[RTP_HEADER..RTP_HEADER + 8].copy_from_slice(&(now.as_nanos() as u64).to_be_bytes());
    packet
}

/// SRTP of one party.
struct Guard {
    sender: Sender,
    receiver: Receiver,
}

impl Guard {
    fn new(keys: &SrtpKeys) -> Self {
        Self { sender: Sender::new(&keys.send), receiver: Receiver::new(&keys.receive) }
    }
}

/// Takes one packet and tells how long it took; none for an RTCP report, which is shorter.
fn receive(socket: &UdpSocket, guard: Option<&mut Guard>) -> Option<Duration> {
    let mut packet = [0; ROOM];
    let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let mut parts = [IoSliceMut::new(&mut packet)];
    let message =
        recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT);
    let message = message.ok()?;
    let len = message.bytes;
    let came = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    })?;
    let len = match guard {
        None => len,
        Some(guard) => guard.receiver.unprotect_rtp(packet.get_mut(..len)?).ok()?,
    };
    if len != PACKET {
        return None;
    }
    let sent = packet.get(RTP_HEADER..RTP_HEADER + 8)?.try_into().ok()?;
    Some(came.saturating_sub(Duration::from_nanos(u64::from_be_bytes(sent))))
}
