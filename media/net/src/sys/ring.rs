//! Packets gathered and given to the kernel in one system call, by io_uring.
//!
//! Each request is a send that must not wait (`MSG_DONTWAIT`), so the kernel has done with all of them when the call
//! that submitted them returns; what it reads is the ring's own copy of each packet, and it stays until then.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use io_uring::types::Fd;
use io_uring::{IoUring, Probe, opcode};

use super::{MAX_PACKET, SocketName};

/// Packets given to the kernel in one system call. More would save next to nothing and keep the first one waiting.
pub const RING_CAPACITY: usize = 32;

/// What stands where an operation's packet would, of the request that tries the ring out.
const TRIAL: u64 = u64::MAX;

/// A ring of sends.
pub struct SendRing {
    ring: IoUring,
    packets: Box<[[u8; MAX_PACKET]]>,
    /// Where those go that name a destination.
    names: Box<[SocketName]>,
    /// Whether the kernel takes destinations.
    addresses: bool,
    requests: Vec<Request>,
    /// Those that are tried again.
    again: Vec<u64>,
    /// The kernel may read `packets` and `names`.
    is_under_way: bool,
}

/// A packet that waits: the socket's descriptor, how long it is, and whether it names a destination.
#[derive(Clone, Copy, Debug)]
struct Request {
    fd: Fd,
    len: u32,
    is_addressed: bool,
}

/// What became of packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Taken by the kernel.
    pub taken: u64,
    /// Not taken.
    pub failed: u64,
    /// Errors that ICMP had told of earlier packets; these were tried again and are counted above.
    pub told_by_icmp: u64,
}

impl std::fmt::Debug for SendRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendRing").field("waiting", &self.requests.len()).finish_non_exhaustive()
    }
}

impl SendRing {
    /// A ring that has been tried out, on a thread of its own: when a ring is closed, the kernel interrupts what those who
    /// have submitted to it wait for.
    ///
    /// # Errors
    /// When the kernel has no io_uring or not this operation (before 5.6), when io_uring is switched off
    /// (`kernel.io_uring_disabled`) or kept from the process (seccomp), or for want of a descriptor or of memory that
    /// may be locked.
    pub fn open() -> io::Result<Self> {
        let opened = std::thread::Builder::new().name("ring".to_owned()).spawn(Self::open_here)?;
        opened.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }

    fn open_here() -> io::Result<Self> {
        let ring = IoUring::new(RING_CAPACITY as u32)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Send::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut made = Self {
            ring,
            packets: vec![[0; MAX_PACKET]; RING_CAPACITY].into_boxed_slice(),
            names: (0..RING_CAPACITY).map(|_| SocketName::unspecified()).collect(),
            // It came with this one (Linux 6.1), and cannot be asked for.
            addresses: probe.is_supported(opcode::SendMsgZc::CODE),
            requests: Vec::with_capacity(RING_CAPACITY),
            again: Vec::with_capacity(RING_CAPACITY),
            is_under_way: false,
        };
        made.try_out()?;
        Ok(made)
    }

    /// Whether [`SendRing::submit`] must come before the next packet.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.requests.len() == RING_CAPACITY
    }

    /// How many packets wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Takes a packet for a socket, which must stay open until [`SendRing::submit`], and be connected if no destination
    /// is named; false when there is no room for one more, or for so long a one, or the kernel takes no destinations.
    #[must_use]
    pub fn push(&mut self, socket: &UdpSocket, to: Option<SocketAddr>, packet: &[u8]) -> bool {
        if to.is_some() && !self.addresses {
            return false;
        }
        let index = self.requests.len();
        let place = self.packets.get_mut(index).and_then(|place| place.get_mut(..packet.len()));
        let (Some(place), Some(name), Ok(len)) =
            (place, self.names.get_mut(index), u32::try_from(packet.len()))
        else {
            return false;
        };
        place.copy_from_slice(packet);
        if let Some(to) = to {
            *name = SocketName::from(to);
        }
        self.requests.push(Request { fd: Fd(socket.as_raw_fd()), len, is_addressed: to.is_some() });
        true
    }

    /// Sends what waits, in order for each socket. A packet that meets the error that ICMP told of an earlier one is
    /// tried once more.
    ///
    /// # Errors
    /// When the ring cannot be used any more; what waited still does, for [`SendRing::send_without`].
    pub fn submit(&mut self) -> io::Result<Sent> {
        let mut sent = Sent::default();
        let all = self.requests.len();
        for index in 0..all {
            self.prepare(index as u64)?;
        }
        self.finish(all)?;
        self.again.clear();
        for completion in self.ring.completion() {
            match told(completion.result()) {
                Told::Taken => sent.taken += 1,
                Told::ByIcmp => self.again.push(completion.user_data()),
                Told::Refused => sent.failed += 1,
            }
        }
        if !self.again.is_empty() {
            self.submit_again(&mut sent)?;
        }
        self.requests.clear();
        Ok(sent)
    }

    /// Sends what waits by a system call for each, when the ring has failed. What the kernel has taken all the same is sent
    /// twice, which receivers of RTP bear (RFC 3550 §A.1).
    pub fn send_without(&mut self) -> Sent {
        let mut sent = Sent::default();
        for ((request, packet), name) in self.requests.drain(..).zip(&self.packets).zip(&mut self.names) {
            let (name, name_len) =
                if request.is_addressed { name.as_raw() } else { (std::ptr::null_mut(), 0) };
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: `packet` has room for `len` octets, as `push` has seen to, and `name` is a whole one or none; both
            // outlive the call.
            let taken = unsafe {
                libc::sendto(
                    request.fd.0,
                    packet.as_ptr().cast(),
                    request.len as usize,
                    flags,
                    name.cast(),
                    name_len,
                )
            };
            *(if taken >= 0 { &mut sent.taken } else { &mut sent.failed }) += 1;
        }
        sent
    }

    fn submit_again(&mut self, sent: &mut Sent) -> io::Result<()> {
        let all = self.again.len();
        sent.told_by_icmp += all as u64;
        for index in 0..all {
            let Some(packet) = self.again.get(index).copied() else { break };
            self.prepare(packet)?;
        }
        self.finish(all)?;
        for completion in self.ring.completion() {
            match told(completion.result()) {
                Told::Taken => sent.taken += 1,
                Told::ByIcmp | Told::Refused => sent.failed += 1,
            }
        }
        Ok(())
    }

    /// Puts the request of a packet that waits into the queue.
    fn prepare(&mut self, index: u64) -> io::Result<()> {
        let index_here = usize::try_from(index).unwrap_or(usize::MAX);
        let (Some(request), Some(packet), Some(name)) =
            (self.requests.get(index_here), self.packets.get(index_here), self.names.get_mut(index_here))
        else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut send = opcode::Send::new(request.fd, packet.as_ptr(), request.len)
            .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        if request.is_addressed {
            let (name, len) = name.as_raw();
            send = send.dest_addr(name.cast()).dest_addr_len(len);
        }
        let entry = send.build().user_data(index);
        // SAFETY: the kernel reads `len` bytes of `packet`, which has room for them: `push` has copied as many; and a
        // whole `name`, if any. They are neither changed nor freed before the request is completed: `submit` waits
        // for that, and where it cannot, `drop` leaves them.
        unsafe { self.ring.submission().push(&entry) }.map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    /// Submits the queue, and waits until all of it is completed, as it is when the kernel returns.
    fn finish(&mut self, all: usize) -> io::Result<()> {
        self.is_under_way = true;
        loop {
            let submitted = self.ring.submit_and_wait(all);
            if self.ring.completion().len() >= all {
                self.is_under_way = false;
                return Ok(());
            }
            match submitted {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A request that does nothing: whoever lets a ring be made may yet forbid its use.
    fn try_out(&mut self) -> io::Result<()> {
        let entry = opcode::Nop::new().build().user_data(TRIAL);
        // SAFETY: it refers to no memory.
        unsafe { self.ring.submission().push(&entry) }.map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.finish(1)?;
        let completed = self.ring.completion().next().map(|completion| completion.user_data());
        if completed == Some(TRIAL) { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }
}

impl Drop for SendRing {
    fn drop(&mut self) {
        if self.is_under_way {
            std::mem::forget((std::mem::take(&mut self.packets), std::mem::take(&mut self.names)));
        }
    }
}

enum Told {
    Taken,
    /// Perhaps of an earlier packet.
    ByIcmp,
    Refused,
}

fn told(result: i32) -> Told {
    if result >= 0 {
        Told::Taken
    } else if super::is_told_by_icmp(&io::Error::from_raw_os_error(-result)) {
        Told::ByIcmp
    } else {
        Told::Refused
    }
}
