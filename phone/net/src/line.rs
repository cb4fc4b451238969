//! A [`Line`] on a real socket.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Heard, Line, PhoneConfig, Received};

/// The packet time: how often it is looked whether something is due.
const PACE: Duration = Duration::from_millis(5);
const MAX_DATAGRAM: usize = 2_048;

/// The media of a call whose signalling somebody else does, on a thread of its own.
pub struct LiveLine {
    local: SocketAddr,
    line: Arc<Mutex<Line>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LiveLine {
    /// Binds `local` and listens for every frequency that parties speak with; its own voice is `hz`.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn start(local: SocketAddr, hz: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind(local)?;
        socket.set_read_timeout(Some(PACE))?;
        let rng = ChaCha8Rng::seed_from_u64(u64::from(local.port()));
        let line = Line::new(rng, local, hz, &PhoneConfig::all_frequencies());
        let line = Arc::new(Mutex::new(line));
        let ended = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (line, ended) = (Arc::clone(&line), Arc::clone(&ended));
            move || run(&socket, &line, &ended)
        });
        Ok(Self { local, line, ended, thread: Some(thread) })
    }

    /// Its address.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Presses keys one after the other.
    pub fn press(&self, digits: &str) {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).press(digits);
    }

    /// What came in so far, and what was heard of it.
    #[must_use]
    pub fn heard(&self) -> (Received, Heard) {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        (line.received().clone(), line.heard().clone())
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has told the test why.
            let _ = thread.join();
        }
    }
}

fn run(socket: &UdpSocket, line: &Mutex<Line>, ended: &AtomicBool) {
    let began = Instant::now();
    let mut datagram = [0; MAX_DATAGRAM];
    while !ended.load(Ordering::Relaxed) {
        let came = socket.recv_from(&mut datagram);
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok((len, source)) = came {
            line.handle_rtp(began.elapsed(), source, datagram.get(..len).unwrap_or_default());
        }
        if line.poll_timeout().is_some_and(|at| at <= began.elapsed()) {
            // What cannot be sent is lost, as on any network.
            line.handle_timeout(began.elapsed(), |destination, bytes| {
                let _ = socket.send_to(&bytes, destination);
            });
        }
    }
}
