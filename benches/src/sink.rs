//! Listens to many RTP streams at once and judges each packet by the kernel's receive time, so that a busy listener
//! does not make packets look late.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};

/// A packet that comes later than this after its time is late: a receiver with one packet of jitter buffer has
/// already played a gap.
pub const LATE: Duration = Duration::from_millis(20);
/// One G.711 packet.
const PTIME: Duration = Duration::from_millis(20);
const RTP_HEADER: usize = 12;

/// What was heard on all ports together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// Streams with at least one packet.
    pub streams: usize,
    /// Packets.
    pub packets: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Packets more than [`LATE`] behind their stream's own clock.
    pub late: u64,
    /// The latest of all.
    pub worst: Duration,
}

/// Listening sockets and the thread that reads them.
pub struct Sink {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Heard>>,
}

impl Sink {
    /// Listens on `count` even ports from `first` on.
    ///
    /// # Errors
    /// When a port is taken.
    pub fn start(address: Ipv4Addr, first: u16, count: u16) -> io::Result<Self> {
        let streams = (0..count)
            .map(|index| Stream::bind(SocketAddrV4::new(address, first + 2 * index)))
            .collect::<io::Result<Vec<_>>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || listen(streams, &stopped));
        Ok(Self { stop, thread })
    }

    /// Stops and says what was heard.
    ///
    /// # Errors
    /// When reading had failed.
    pub fn finish(self) -> io::Result<Heard> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("the sink panicked"))?
    }
}

fn listen(mut streams: Vec<Stream>, stop: &AtomicBool) -> io::Result<Heard> {
    let sockets: Vec<UdpSocket> =
        streams.iter().map(|it| it.socket.try_clone()).collect::<io::Result<_>>()?;
    let mut waiting: Vec<PollFd<'_>> =
        sockets.iter().map(|it| PollFd::new(std::os::fd::AsFd::as_fd(it), PollFlags::POLLIN)).collect();
    while !stop.load(Ordering::Relaxed) {
        poll(&mut waiting, PollTimeout::from(100_u16))?;
        for (stream, waited) in streams.iter_mut().zip(&waiting) {
            if waited.any() == Some(true) {
                stream.drain()?;
            }
        }
    }
    Ok(streams.iter().fold(Heard::default(), |sum, stream| sum.with(stream)))
}

impl Heard {
    fn with(self, stream: &Stream) -> Self {
        let Some(progress) = &stream.progress else { return self };
        let expected = u64::from(progress.highest - progress.first) + 1;
        Self {
            streams: self.streams + 1,
            packets: self.packets + progress.packets,
            lost: self.lost + expected.saturating_sub(progress.packets),
            late: self.late + progress.late,
            worst: self.worst.max(progress.worst),
        }
    }
}

/// One socket and the stream on it.
struct Stream {
    socket: UdpSocket,
    progress: Option<Progress>,
}

/// A stream since its first packet.
struct Progress {
    first: u32,
    highest: u32,
    /// When the first packet would have come had every packet been as early as the earliest so far.
    origin: Duration,
    packets: u64,
    late: u64,
    worst: Duration,
}

impl Stream {
    fn bind(address: SocketAddrV4) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        Ok(Self { socket, progress: None })
    }

    fn drain(&mut self) -> io::Result<()> {
        let mut buffer = [0_u8; 1_500];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let received = recvmsg::<SockaddrIn>(
                self.socket.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            );
            let (len, at) = match received {
                Ok(message) => (message.bytes, received_at(message.cmsgs()?)),
                Err(nix::errno::Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if let (Some(at), true) = (at, len >= RTP_HEADER) {
                self.take(u16::from_be_bytes([buffer[2], buffer[3]]), at);
            }
        }
    }

    fn take(&mut self, sequence: u16, at: Duration) {
        let Some(progress) = &mut self.progress else {
            let first = u32::from(sequence);
            let (packets, late, worst) = (1, 0, Duration::ZERO);
            self.progress = Some(Progress { first, highest: first, origin: at, packets, late, worst });
            return;
        };
        // Extends the 16-bit number to the value nearest to the highest so far (RFC 3550 appendix A.1).
        let ahead = sequence.wrapping_sub(progress.highest as u16) as i16;
        let extended = progress.highest.saturating_add_signed(i32::from(ahead));
        progress.highest = progress.highest.max(extended);
        progress.packets += 1;
        let scheduled = PTIME * extended.saturating_sub(progress.first);
        progress.origin = progress.origin.min(at.saturating_sub(scheduled));
        let delay = at.saturating_sub(progress.origin + scheduled);
        progress.worst = progress.worst.max(delay);
        progress.late += u64::from(delay > LATE);
    }
}

fn received_at(messages: impl Iterator<Item = ControlMessageOwned>) -> Option<Duration> {
    messages.into_iter().find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    })
}
