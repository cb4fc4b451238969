//! The system calls that std and socket2 do not offer: epoll, eventfd, batched datagrams, io_uring, pinning.
//!
//! This module and the one in it are all the unsafe code of the workspace. Every function is safe to call: what the kernel is given points
//! into memory borrowed for the call, and what it returns is checked before it is believed.
#![allow(unsafe_code)]

mod ring;

use std::io::{self, ErrorKind};
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub use ring::{RING_CAPACITY, SendRing, Sent};

/// The longest packet accepted: an Ethernet frame's worth. A longer datagram is counted and dropped.
pub const MAX_PACKET: usize = 1500;

/// Packets read from, or written to, one socket in one system call.
pub const BATCH: usize = 8;

/// Ready sockets reported by one wait.
pub const MAX_READY: usize = 256;

/// One byte more than a packet may have, so that a longer one shows.
const BUFFER: usize = MAX_PACKET + 1;

/// An epoll instance.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

/// Room for what one wait reports.
pub struct Ready {
    events: [libc::epoll_event; MAX_READY],
    len: usize,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Default for Ready {
    fn default() -> Self {
        Self { events: [libc::epoll_event { events: 0, u64: 0 }; MAX_READY], len: 0 }
    }
}

impl Ready {
    /// How many are ready.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The token of the `index`th that is ready.
    #[must_use]
    pub fn token(&self, index: usize) -> Option<u64> {
        self.events.get(..self.len)?.get(index).map(|event| event.u64)
    }
}

impl Epoll {
    /// A new instance.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer; a non-negative result is a descriptor that nobody else owns.
        let fd = unsafe {
            let fd = check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { fd })
    }

    /// Reports `token` whenever `fd` is readable (level-triggered), until `fd` is closed.
    ///
    /// # Errors
    /// When `fd` is already watched, or the kernel's watch limit is reached.
    pub fn watch(&self, fd: &impl AsFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN.cast_unsigned(), u64: token };
        let fd = fd.as_fd().as_raw_fd();
        // SAFETY: `event` outlives the call, which copies it.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) })?;
        Ok(())
    }

    /// Waits until something is ready or `timeout` has passed (for ever without one), to the kernel's timer slack.
    ///
    /// # Errors
    /// None but those of a broken program; an interruption counts as nothing ready.
    pub fn wait(&self, ready: &mut Ready, timeout: Option<Duration>) -> io::Result<()> {
        ready.len = 0;
        let timeout = timeout.map(timespec);
        let timeout_pointer = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let room = i32::try_from(ready.events.len()).unwrap_or(i32::MAX);
        // SAFETY: the kernel writes at most `room` events into the array, which has that many; the timeout is
        // null or lives in `timeout` above; a null signal mask is allowed.
        let result = check(unsafe {
            libc::epoll_pwait2(
                self.fd.as_raw_fd(),
                ready.events.as_mut_ptr(),
                room,
                timeout_pointer,
                std::ptr::null(),
            )
        });
        match result {
            Ok(count) => ready.len = usize::try_from(count).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// An eventfd: wakes a thread that waits on epoll.
#[derive(Debug)]
pub struct WakeFd {
    file: std::fs::File,
}

impl WakeFd {
    /// A new one, not signalled.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer; a non-negative result is a descriptor that nobody else owns.
        let fd = unsafe {
            let fd = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { file: fd.into() })
    }

    /// Makes it readable. Never blocks: a counter that is full is readable already.
    pub fn signal(&self) {
        let _ = io::Write::write(&mut &self.file, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    pub fn clear(&self) {
        let _ = io::Read::read(&mut &self.file, &mut [0; 8]);
    }
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Binds the calling thread to one core.
///
/// # Errors
/// When the core does not exist or the process may not use it.
pub fn pin_current_thread(core: usize) -> io::Result<()> {
    if core >= libc::CPU_SETSIZE.unsigned_abs() as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: an all-zero cpu_set_t is the empty set; `core` is below CPU_SETSIZE; thread 0 is the caller.
    check(unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    })?;
    Ok(())
}

/// Which thread of the real-time class runs first when two want the same core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// After audio: a message may wait for a packet.
    Signalling = 1,
    /// First of all.
    Audio = 2,
}

/// Lets the calling thread run before every thread of the usual class.
///
/// # Errors
/// When the process may not (RLIMIT_RTPRIO, CAP_SYS_NICE).
pub fn make_current_thread_realtime(urgency: Urgency) -> io::Result<()> {
    // SAFETY: all zeros is a valid sched_param; it outlives the call, which copies it; thread 0 is the caller.
    check(unsafe {
        let mut parameters: libc::sched_param = zeroed();
        parameters.sched_priority = urgency as libc::c_int;
        libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters)
    })?;
    Ok(())
}

/// Whether an error is the kind that a connected socket has for a packet sent before (RFC 1122 §4.1.3.3).
#[must_use]
pub fn is_told_by_icmp(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
    )
}

/// Undoes a datagram socket's `connect`: it receives from everybody again, where it was bound.
///
/// # Errors
/// None but those of a broken program.
pub fn disconnect(socket: &UdpSocket) -> io::Result<()> {
    // SAFETY: all zeros is a valid sockaddr; it and its length outlive the call, which copies them.
    check(unsafe {
        let mut nobody: libc::sockaddr = zeroed();
        nobody.sa_family = libc::AF_UNSPEC as libc::sa_family_t;
        let len = size_of::<libc::sockaddr>() as libc::socklen_t;
        libc::connect(socket.as_raw_fd(), &raw const nobody, len)
    })?;
    Ok(())
}

/// Datagrams the kernel dropped at this socket because its receive buffer was full.
///
/// # Errors
/// When the kernel does not know SO_MEMINFO (before 4.12).
pub fn dropped_by_kernel(socket: &UdpSocket) -> io::Result<u32> {
    /// Position of the drop counter (linux/sock_diag.h, SK_MEMINFO_DROPS), the last of nine.
    const DROPS: usize = 8;
    let mut values = [0_u32; DROPS + 1];
    let mut length = libc::socklen_t::try_from(size_of_val(&values)).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` bytes, the size of the array.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            values.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    Ok(values[DROPS])
}

/// Buffers for one batch of packets, allocated once.
#[derive(Debug)]
pub struct Batch {
    buffers: Box<[[u8; BUFFER]; BATCH]>,
    lengths: [usize; BATCH],
    sources: [Option<SocketAddr>; BATCH],
}

/// One packet of a batch.
#[derive(Debug)]
pub struct Received<'a> {
    /// The whole buffer, [`MAX_PACKET`] bytes; the packet is at its start.
    pub buffer: &'a mut [u8],
    /// How long the packet is; more than [`MAX_PACKET`] means that it was cut and must be dropped.
    pub len: usize,
    /// Where it came from.
    pub source: SocketAddr,
}

/// One packet to send: the first `len` bytes of a batch's buffer `index`.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    /// Which buffer of the batch.
    pub index: usize,
    /// How many of its bytes.
    pub len: usize,
    /// To whom.
    pub destination: SocketAddr,
}

impl Default for Batch {
    fn default() -> Self {
        Self { buffers: Box::new([[0; BUFFER]; BATCH]), lengths: [0; BATCH], sources: [None; BATCH] }
    }
}

impl Batch {
    /// Reads one packet. The common case, where a socket has one waiting, is cheapest so.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; else the socket's error.
    pub fn receive_one(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let (len, source) = socket.recv_from(&mut self.buffers[0])?;
        self.lengths[0] = len;
        self.sources[0] = Some(source);
        Ok(1)
    }

    /// Reads what is waiting, at most [`BATCH`] packets, and tells how many.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; else the socket's error.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let mut names = [MaybeUninit::<libc::sockaddr_in6>::uninit(); BATCH];
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        // SAFETY: mmsghdr is plain old data for which all zeros means "nothing".
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        for (((header, vector), name), buffer) in
            headers.iter_mut().zip(&mut vectors).zip(&mut names).zip(self.buffers.iter_mut())
        {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: BUFFER };
            header.msg_hdr.msg_name = name.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = SOCKADDR_IN6_LEN;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: BATCH headers, each pointing at one vector, one name and one buffer that outlive the call and
        // whose lengths are given.
        let count = check(unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        })?;
        let count = usize::try_from(count).unwrap_or(0).min(BATCH);
        for (index, (header, name)) in headers.iter().zip(&names).take(count).enumerate() {
            self.lengths[index] = header.msg_len as usize;
            // SAFETY: for these `count` messages the kernel wrote `msg_namelen` bytes of the name.
            self.sources[index] = unsafe { read_address(name, header.msg_hdr.msg_namelen) };
        }
        Ok(count)
    }

    /// The `index`th packet that the last call read; none if it has no Internet source.
    pub fn packet(&mut self, index: usize) -> Option<Received<'_>> {
        let source = (*self.sources.get(index)?)?;
        let len = *self.lengths.get(index)?;
        let buffer = self.buffers.get_mut(index)?.get_mut(..MAX_PACKET)?;
        Some(Received { buffer, len, source })
    }

    /// Sends packets of this batch, in order, in as few calls as possible; tells how many the kernel took. It
    /// stops at the first refusal: real-time packets are not worth a queue.
    pub fn send(&self, socket: &UdpSocket, outgoing: &[Outgoing]) -> usize {
        if let [one] = outgoing {
            let sent = self.bytes(one).is_some_and(|bytes| socket.send_to(bytes, one.destination).is_ok());
            return usize::from(sent);
        }
        let mut sent = 0;
        for chunk in outgoing.chunks(BATCH) {
            let taken = self.send_chunk(socket, chunk);
            sent += taken;
            if taken < chunk.len() {
                break;
            }
        }
        sent
    }

    fn send_chunk(&self, socket: &UdpSocket, outgoing: &[Outgoing]) -> usize {
        let mut names: [SocketName; BATCH] = std::array::from_fn(|_| SocketName::unspecified());
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        // SAFETY: mmsghdr is plain old data for which all zeros means "nothing".
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        let mut count: libc::c_uint = 0;
        for (((header, vector), name), packet) in
            headers.iter_mut().zip(&mut vectors).zip(&mut names).zip(outgoing)
        {
            let Some(bytes) = self.bytes(packet) else { break };
            *name = SocketName::from(packet.destination);
            *vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            (header.msg_hdr.msg_name, header.msg_hdr.msg_namelen) = name.as_raw();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            count += 1;
        }
        // SAFETY: `count` headers were filled above with pointers to vectors, names and buffers that outlive the
        // call; the kernel only reads through them.
        let sent = check(unsafe {
            libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT)
        });
        sent.ok().and_then(|sent| usize::try_from(sent).ok()).unwrap_or(0)
    }

    /// What one packet to send consists of; none when it is no part of the batch.
    #[must_use]
    pub fn bytes(&self, packet: &Outgoing) -> Option<&[u8]> {
        self.buffers.get(packet.index)?.get(..packet.len)
    }
}

const SOCKADDR_IN_LEN: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;
const SOCKADDR_IN6_LEN: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;

/// A socket address in the kernel's form.
enum SocketName {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

impl SocketName {
    fn unspecified() -> Self {
        Self::from(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)))
    }

    fn as_raw(&mut self) -> (*mut libc::c_void, libc::socklen_t) {
        match self {
            Self::V4(name) => ((&raw mut *name).cast(), SOCKADDR_IN_LEN),
            Self::V6(name) => ((&raw mut *name).cast(), SOCKADDR_IN6_LEN),
        }
    }
}

impl From<SocketAddr> for SocketName {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => Self::V4(libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(address) => Self::V6(libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            }),
        }
    }
}

/// Reads a name that the kernel wrote.
///
/// # Safety
/// The first `len` bytes of `name` are initialised.
unsafe fn read_address(name: &MaybeUninit<libc::sockaddr_in6>, len: libc::socklen_t) -> Option<SocketAddr> {
    if len == SOCKADDR_IN6_LEN {
        // SAFETY: all of it is initialised, by the caller's word.
        let v6 = unsafe { name.assume_init_ref() };
        if i32::from(v6.sin6_family) != libc::AF_INET6 {
            return None;
        }
        let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
        let port = u16::from_be(v6.sin6_port);
        return Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into());
    }
    if len == SOCKADDR_IN_LEN {
        // SAFETY: sockaddr_in is shorter, needs no stricter alignment, and its bytes are initialised.
        let v4 = unsafe { &*name.as_ptr().cast::<libc::sockaddr_in>() };
        if i32::from(v4.sin_family) != libc::AF_INET {
            return None;
        }
        let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
        return Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into());
    }
    None
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos()),
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
