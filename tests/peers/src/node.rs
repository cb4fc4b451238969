//! `tandem serve` on a copy of the demo's configuration, in a folder and on ports of its own.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::lines::Lines;
use crate::process::Process;

/// How long the daemon may take to be ready, or to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether a daemon that is not ready still runs.
const PACE: Duration = Duration::from_millis(200);

/// The addresses of a node and its carrier.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// SIP, UDP and TCP.
    pub sip: SocketAddr,
    /// HTTP.
    pub http: SocketAddr,
    /// The first and last port of RTP.
    pub rtp: (u16, u16),
    /// Where the node calls carrier-a.
    pub carrier: SocketAddr,
    /// The first and last port of RTP at the carrier's address.
    pub carrier_rtp: (u16, u16),
}

impl Ports {
    /// What `config/demo/tandem.toml` says.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            sip: SocketAddr::from(([127, 0, 0, 1], 5060)),
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            rtp: (20_000, 29_999),
            carrier: SocketAddr::from(([127, 0, 0, 10], 5070)),
            carrier_rtp: (40_000, 49_999),
        }
    }

    /// Ports that are free now, for tests that run beside each other and beside a demo.
    ///
    /// # Errors
    /// When the machine has none left.
    pub fn free() -> io::Result<Self> {
        Ok(Self {
            sip: free_port([127, 0, 0, 1])?,
            http: free_port([127, 0, 0, 1])?,
            rtp: free_rtp_ports([127, 0, 0, 1])?,
            carrier: free_port([127, 0, 0, 10])?,
            carrier_rtp: free_rtp_ports([127, 0, 0, 10])?,
        })
    }
}

/// A block of RTP ports of which none is taken, enough for a hundred calls of two legs. Processes that ask at the
/// same time begin to look in different places.
///
/// # Errors
/// When there is none.
pub fn free_rtp_ports(address: [u8; 4]) -> io::Result<(u16, u16)> {
    const FIRST: u16 = 10_000;
    const EACH: u16 = 400;
    const BLOCKS: u16 = 24;
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let from = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap_or(0);
    for _ in 0..BLOCKS {
        let block = (from + ASKED.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
        let first = FIRST + block * EACH;
        let is_free = |port: u16| UdpSocket::bind(SocketAddr::from((address, port))).is_ok();
        if (first..first + EACH).all(is_free) {
            return Ok((first, first + EACH - 1));
        }
    }
    Err(io::Error::other("no block of RTP ports is free"))
}

/// A port free for UDP and TCP.
///
/// # Errors
/// When the machine has none left.
pub fn free_port(address: [u8; 4]) -> io::Result<SocketAddr> {
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        let found = TcpListener::bind(SocketAddr::from((address, 0)))?.local_addr()?;
        if UdpSocket::bind(found).is_ok() {
            return Ok(found);
        }
    }
    Err(io::Error::other("no port is free for both UDP and TCP"))
}

/// A copy of the demo's configuration with its flows and prompts, on addresses of its own, in a folder that goes
/// with it.
pub struct Configuration {
    folder: TempDir,
}

impl Configuration {
    /// The demo's configuration on `ports`. `edit` is given the folder and the configuration's text and returns the
    /// text to use.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn new(ports: &Ports, edit: impl FnOnce(&Path, String) -> String) -> io::Result<Self> {
        Self::of("config/demo/tandem.toml", ports, edit)
    }

    /// The same of another sample of the repository's.
    fn of(sample: &str, ports: &Ports, edit: impl FnOnce(&Path, String) -> String) -> io::Result<Self> {
        let sample = root().join(sample);
        let folder = tempfile::tempdir()?;
        copy(sample.parent().unwrap_or(&sample), folder.path())?;
        let configuration = Self { folder };
        fs::copy(&sample, configuration.file())?;
        configuration.edit(|text| edit(configuration.folder(), readdress(&text, ports)))?;
        Ok(configuration)
    }

    /// Rewrites the file.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn edit(&self, edit: impl FnOnce(String) -> String) -> io::Result<()> {
        fs::write(self.file(), edit(fs::read_to_string(self.file())?))
    }

    /// The folder with flows, prompts and store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("tandem.toml")
    }
}

/// A running daemon; killed when dropped.
pub struct Node {
    daemon: Daemon,
    log: Option<Lines>,
    ports: Ports,
    configuration: Configuration,
}

impl Node {
    /// Starts the daemon `binary` and waits until it says it is ready (sd_notify). `edit` is given the
    /// folder and the configuration's text and returns the text to use.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub fn start(
        binary: &Path,
        ports: Ports,
        edit: impl FnOnce(&Path, String) -> String,
    ) -> io::Result<Self> {
        Self::run(binary, ports, Configuration::new(&ports, edit)?)
    }

    /// Starts the daemon `binary` on a configuration that is there already, and waits until it is ready.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub fn run(binary: &Path, ports: Ports, configuration: Configuration) -> io::Result<Self> {
        let notify = configuration.folder().join("notify");
        // Left over from a run before.
        let _ = fs::remove_file(&notify);
        let socket = UnixDatagram::bind(&notify)?;
        socket.set_read_timeout(Some(PACE))?;
        let mut child = Command::new(binary)
            .arg("serve")
            .arg("--config")
            .arg(configuration.file())
            .env("NOTIFY_SOCKET", &notify)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().map(Lines::of);
        let mut node = Self { daemon: Daemon(child), log, ports, configuration };
        node.await_ready(&socket)?;
        Ok(node)
    }

    /// Builds the daemon's release build and starts it on the demo's own addresses, saying warnings only.
    ///
    /// # Errors
    /// When it cannot be built or is not ready in time.
    pub fn release() -> io::Result<Self> {
        Self::release_of("config/demo/tandem.toml")
    }

    /// The same with another sample configuration of the repository's.
    ///
    /// # Errors
    /// When it cannot be built or is not ready in time.
    pub fn release_of(sample: &str) -> io::Result<Self> {
        Self::release_with(sample, |_, text| text)
    }

    /// The same, its folder and configuration edited.
    ///
    /// # Errors
    /// When it cannot be built or is not ready in time.
    pub fn release_with(sample: &str, edit: impl FnOnce(&Path, String) -> String) -> io::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--release", "--bin", "tandem"])
            .current_dir(root())
            .status()?;
        if !built.success() {
            return Err(io::Error::other("the daemon does not build"));
        }
        let quiet =
            |folder: &Path, text: String| edit(folder, text.replace("level = \"info\"", "level = \"warn\""));
        let configuration = Configuration::of(sample, &Ports::demo(), quiet)?;
        Self::run(&Self::release_binary(), Ports::demo(), configuration)
    }

    /// Where the daemon's release build is, once it is built.
    #[must_use]
    pub fn release_binary() -> PathBuf {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        target.join("release/tandem")
    }

    /// Waits for the daemon's word that it is ready; a daemon that ends instead is told with its log.
    fn await_ready(&mut self, socket: &UnixDatagram) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut message = [0_u8; 256];
        while Instant::now() < deadline {
            match socket.recv(&mut message) {
                Ok(len) if message[..len].windows(7).any(|it| it == b"READY=1") => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if let Some(status) = self.daemon.0.try_wait()? {
                return Err(io::Error::other(format!("it ended, {status}:\n{}", self.log().join("\n"))));
            }
        }
        Err(io::Error::other("the daemon is not ready in time"))
    }

    /// Where it listens.
    #[must_use]
    pub const fn ports(&self) -> Ports {
        self.ports
    }

    /// Its folder: configuration, flows, prompts and store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.configuration.folder()
    }

    /// Its configuration, to be edited and reloaded.
    #[must_use]
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> Process {
        Process::new(self.daemon.0.id())
    }

    /// Waits for the next line of its log that contains `text`.
    ///
    /// # Errors
    /// When none comes in time; the error holds what was logged.
    pub fn log_line(&mut self, text: &str) -> io::Result<String> {
        let log = self.log.as_mut().ok_or_else(|| io::Error::other("its log was taken"))?;
        log.wait_for(text, PATIENCE)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.daemon.0.id()).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }

    /// Drains it (SIGTERM) and waits for its end; the store is complete afterwards.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.daemon.0.wait()
    }

    /// Its configuration, with flows, prompts and store, when the daemon is no more; one that runs is killed.
    #[must_use]
    pub fn into_configuration(self) -> Configuration {
        self.configuration
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.daemon.0.wait()
    }

    /// Everything it logged; for a node that was stopped.
    #[must_use]
    pub fn log(&mut self) -> Vec<String> {
        self.log.take().map(Lines::rest).unwrap_or_default()
    }

    /// The body of a page of its HTTP side.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn http(&self, path: &str) -> io::Result<String> {
        let answer = self.request("GET", path)?;
        Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// What its HTTP side answers, status and headers included.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn request(&self, method: &str, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.ports.http)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.ports.http)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// What its HTTP side answers to a GET with more headers: status and headers, and what follows them.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn download(&self, path: &str, headers: &str) -> io::Result<(String, Vec<u8>)> {
        let mut stream = TcpStream::connect(self.ports.http)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let host = self.ports.http;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
        let body = answer.split_off(end + 4);
        Ok((String::from_utf8_lossy(&answer).into_owned(), body))
    }

    /// The metrics whose name begins with `prefix`, as name (with labels) and value.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&self, prefix: &str) -> io::Result<Vec<(String, f64)>> {
        Ok(self
            .http("/metrics")?
            .lines()
            .filter(|line| line.starts_with(prefix))
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect())
    }
}

/// The process of a daemon; killed when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // Nothing more can be done about a process that will not go.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The demo's configuration on other addresses.
fn readdress(config: &str, ports: &Ports) -> String {
    let demo = Ports::demo();
    config
        .replace(&demo.sip.to_string(), &ports.sip.to_string())
        .replace(&demo.http.to_string(), &ports.http.to_string())
        .replace(&demo.carrier.to_string(), &ports.carrier.to_string())
        .replace(&range(demo.rtp), &range(ports.rtp))
}

fn range((first, last): (u16, u16)) -> String {
    format!("{first}-{last}")
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // Calls of a demo that was run here are none of the test's.
        if entry.file_name().to_string_lossy().starts_with("calls.db") {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
