//! A gateway of a carrier that never takes a call, and counts those it is offered.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the gateway looks whether it is to end.
const PACE: Duration = Duration::from_millis(50);

/// What a gateway does with calls.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// Nothing: it is dead.
    Silence,
    /// It answers with this status line and these headers, whole lines with their ends.
    Status(&'static str, &'static str),
}

/// A gateway over UDP; ends when dropped. OPTIONS are answered as calls are.
pub struct Gateway {
    address: SocketAddr,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

struct Seen {
    refusal: Mutex<Refusal>,
    /// The branches of INVITEs: copies of one count once.
    invites: Mutex<BTreeSet<String>>,
    ends: AtomicBool,
}

impl Gateway {
    /// One at a free port of `ip`.
    ///
    /// # Errors
    /// When there is none.
    pub fn start(ip: [u8; 4], refusal: Refusal) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::from((ip, 0)))?;
        socket.set_read_timeout(Some(PACE))?;
        let address = socket.local_addr()?;
        let seen = Arc::new(Seen {
            refusal: Mutex::new(refusal),
            invites: Mutex::default(),
            ends: AtomicBool::new(false),
        });
        let thread = std::thread::spawn({
            let seen = Arc::clone(&seen);
            move || serve(&socket, &seen)
        });
        Ok(Self { address, seen, thread: Some(thread) })
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many calls it was offered.
    #[must_use]
    pub fn invites(&self) -> usize {
        self.seen.invites.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Does something else from now on.
    pub fn change(&self, refusal: Refusal) {
        *self.seen.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.seen.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Nothing more can be done about one that panicked.
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, seen: &Seen) {
    let mut buffer = [0; 4_096];
    while !seen.ends.load(Ordering::Relaxed) {
        let Ok((len, source)) = socket.recv_from(&mut buffer) else { continue };
        let request = String::from_utf8_lossy(&buffer[..len]);
        if request.starts_with("INVITE ") {
            let branch = request.split("branch=").nth(1).and_then(|rest| rest.split([';', '\r']).next());
            let mut invites = seen.invites.lock().unwrap_or_else(PoisonError::into_inner);
            invites.insert(branch.unwrap_or_default().to_owned());
        }
        let refusal = *seen.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Refusal::Status(status, headers) = refusal
            && !request.starts_with("ACK ")
        {
            // A node that is gone is no concern of the gateway's.
            let _ = socket.send_to(answer(&request, status, headers).as_bytes(), source);
        }
    }
}

fn answer(request: &str, status: &str, headers: &str) -> String {
    let mut answer = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        if ["Via", "From", "To", "Call-ID", "CSeq"].contains(&name) {
            let tag = if name == "To" { ";tag=gateway" } else { "" };
            answer.push_str(&format!("{line}{tag}\r\n"));
        }
    }
    answer + headers + "Content-Length: 0\r\n\r\n"
}
