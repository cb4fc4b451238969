//! What stands between two ends of TCP, and can go: a NAT that forgets, a firewall that drops, a host that restarts.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked whether something has passed.
const PACE: Duration = Duration::from_millis(20);

/// Bytes passed on at a time.
const READ: usize = 16 * 1024;

/// A relay to one destination that counts keep-alives (RFC 5626 §3.5.1); its connections end when it is dropped.
pub struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    connections: Vec<Passage>,
    pings: usize,
    pongs: usize,
    is_over: bool,
}

/// Both ends of a connection, and whether anything passes.
struct Passage {
    ends: [TcpStream; 2],
    is_mute: bool,
}

impl Relay {
    /// One at a free port of `ip`, which is also where its own connections come from.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(ip: [u8; 4], destination: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((ip, 0)))?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if lock(&shared).is_over || pass(&shared, near, destination).is_err() {
                    return;
                }
            }
        });
        Ok(Self { address, state })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it has made so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.state).connections.len()
    }

    /// From now on nothing passes on the connections that there are, and neither end is told.
    pub fn mute(&self) {
        lock(&self.state).connections.iter_mut().for_each(|passage| passage.is_mute = true);
    }

    /// Ends the connections that there are.
    pub fn cut(&self) {
        for passage in &lock(&self.state).connections {
            passage.close();
        }
    }

    /// Waits for so many keep-alives, each answered.
    ///
    /// # Errors
    /// When there are not that many within `patience`.
    pub fn kept_alive(&self, times: usize, patience: Duration) -> io::Result<()> {
        let has_come = |state: &State| state.pings >= times && state.pongs >= times;
        self.wait_for(has_come, patience, "keep-alives")
    }

    /// Waits until so many connections were made through it.
    ///
    /// # Errors
    /// When there are not that many within `patience`.
    pub fn connected(&self, times: usize, patience: Duration) -> io::Result<()> {
        self.wait_for(|state| state.connections.len() >= times, patience, "connections")
    }

    fn wait_for(&self, is_so: impl Fn(&State) -> bool, patience: Duration, what: &str) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if is_so(&lock(&self.state)) {
                return Ok(());
            }
            std::thread::park_timeout(PACE);
        }
        let state = lock(&self.state);
        let (pings, pongs, connections) = (state.pings, state.pongs, state.connections.len());
        Err(io::Error::other(format!(
            "no more {what}: {pings} pings, {pongs} pongs, {connections} connections"
        )))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        lock(&self.state).is_over = true;
        self.cut();
        // Wakes who waits for connections.
        let _ = TcpStream::connect(self.address);
    }
}

impl Passage {
    fn close(&self) {
        for end in &self.ends {
            // It may be closed already.
            let _ = end.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects on, and passes what comes from either end to the other until one of them is closed.
fn pass(state: &Arc<Mutex<State>>, near: TcpStream, destination: SocketAddr) -> io::Result<()> {
    let far = connect_from(near.local_addr()?.ip(), destination)?;
    let number = {
        let mut state = lock(state);
        state.connections.push(Passage { ends: [near.try_clone()?, far.try_clone()?], is_mute: false });
        state.connections.len() - 1
    };
    for (mut from, mut to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            let mut buffer = [0; READ];
            while let Ok(len @ 1..) = from.read(&mut buffer) {
                let bytes = &buffer[..len];
                let is_mute = {
                    let mut state = lock(&state);
                    state.pings += usize::from(bytes == b"\r\n\r\n");
                    state.pongs += usize::from(bytes == b"\r\n");
                    state.connections[number].is_mute
                };
                if !is_mute && to.write_all(bytes).is_err() {
                    break;
                }
            }
            lock(&state).connections[number].close();
        });
    }
    Ok(())
}

/// A connection whose near end is at `ip`, by which the far one knows it.
fn connect_from(ip: IpAddr, destination: SocketAddr) -> io::Result<TcpStream> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};
    use std::os::fd::AsRawFd as _;
    let made = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(made.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(ip, 0)))?;
    connect(made.as_raw_fd(), &SockaddrStorage::from(destination))?;
    Ok(TcpStream::from(made))
}
