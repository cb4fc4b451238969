//! Measures how long an INVITE stays inside, from the kernel's time stamps of the INVITE that comes and the one that
//! leaves. The caller's number tells calls apart.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::CALLEE;

// linux/filter.h, linux/bpf_common.h
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// SKF_AD_OFF + SKF_AD_PKTTYPE.
const PACKET_TYPE: u32 = (-0x1000_i32 + 4).cast_unsigned();
/// PACKET_OUTGOING: on loopback each packet is seen leaving and arriving.
const OUTGOING: u32 = 4;
const IPV4_PROTOCOL: u32 = 9;
const UDP: u32 = 17;
/// Behind an IPv4 header without options and the one of UDP.
const PAYLOAD: u32 = 28;

/// A thread that listens.
pub struct Tap {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Vec<Duration>>>,
}

impl Tap {
    /// Listens to the INVITEs to `subject` and from it to the callee.
    ///
    /// # Errors
    /// When this user may not see the machine's packets (CAP_NET_RAW).
    pub fn start(subject: SocketAddr) -> io::Result<Self> {
        // ETH_P_IP in network order.
        let ip = Protocol::from(i32::from(0x0800_u16.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(ip))?;
        socket.attach_filter(&only_invites())?;
        socket.set_recv_buffer_size(16 << 20)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || listen(&socket, subject, &stopped));
        Ok(Self { stop, thread })
    }

    /// How long each INVITE stayed, the shortest first.
    ///
    /// # Errors
    /// When listening had failed.
    pub fn finish(self) -> io::Result<Vec<Duration>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut stays = self.thread.join().map_err(|_| io::Error::other("the tap panicked"))??;
        stays.sort_unstable();
        Ok(stays)
    }
}

fn only_invites() -> [SockFilter; 8] {
    let invite = u32::from_be_bytes(*b"INVI");
    [
        SockFilter::new(LOAD_WORD, 0, 0, PACKET_TYPE),
        SockFilter::new(JUMP_IF_EQUAL, 5, 0, OUTGOING),
        SockFilter::new(LOAD_BYTE, 0, 0, IPV4_PROTOCOL),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, UDP),
        SockFilter::new(LOAD_WORD, 0, 0, PAYLOAD),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, invite),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

fn listen(socket: &Socket, subject: SocketAddr, stop: &AtomicBool) -> io::Result<Vec<Duration>> {
    let mut came: HashMap<Vec<u8>, Duration> = HashMap::new();
    let mut stays = Vec::new();
    let mut buffer = [0_u8; 2_048];
    let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
    while !stop.load(Ordering::Relaxed) {
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let received =
            recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty());
        let (len, at) = match received {
            Ok(message) => {
                let stamp = message.cmsgs()?.find_map(|control| match control {
                    ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                    _ => None,
                });
                (message.bytes, stamp.unwrap_or_default())
            }
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        let packet = &buffer[..len];
        let Some((port, caller)) = read(packet) else { continue };
        if port == subject.port() {
            came.entry(caller.to_vec()).or_insert(at);
        } else if port == CALLEE.port()
            && let Some(then) = came.remove(caller)
        {
            stays.push(at.saturating_sub(then));
        }
    }
    Ok(stays)
}

/// Where an INVITE goes, and who calls.
fn read(packet: &[u8]) -> Option<(u16, &[u8])> {
    let port = u16::from_be_bytes(packet.get(22..24)?.try_into().ok()?);
    let caller = memchr::memmem::find(packet, b"sip:+1777")?;
    let caller = packet.get(caller..)?;
    let end = memchr::memchr(b'@', caller)?;
    Some((port, caller.get(..end)?))
}
