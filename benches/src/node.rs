//! The daemon under test: its release build, on the demo's configuration, in a folder of its own.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::Process;

/// How long the daemon may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where the demo's configuration serves metrics.
const HTTP: &str = "127.0.0.1:8080";

/// A running daemon; killed when dropped.
pub struct Node {
    child: Child,
    folder: PathBuf,
}

impl Node {
    /// Builds and starts the daemon on a copy of the demo's configuration and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be built, or is not ready in time (its log is then on standard error).
    pub fn start() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--release", "--bin", "tandem"])
            .current_dir(&root)
            .status()?;
        if !built.success() {
            return Err(io::Error::other("the daemon does not build"));
        }
        let folder = std::env::temp_dir().join(format!("tandem-bench-{}", std::process::id()));
        copy(&root.join("config/demo"), &folder)?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);

        let notify = folder.join("notify");
        let socket = UnixDatagram::bind(&notify)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let child = Command::new(target.join("release/tandem"))
            .arg("serve")
            .arg("--config")
            .arg(folder.join("tandem.toml"))
            .env("NOTIFY_SOCKET", &notify)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()?;
        let node = Self { child, folder };
        let mut message = [0_u8; 256];
        loop {
            let len = socket.recv(&mut message)?;
            if message[..len].windows(7).any(|it| it == b"READY=1") {
                return Ok(node);
            }
        }
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    /// The lines of its metrics whose name begins with `prefix`, as name (with labels) and value.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&self, prefix: &str) -> io::Result<Vec<(String, f64)>> {
        let mut stream = TcpStream::connect(HTTP)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {HTTP}\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text
            .lines()
            .filter(|line| line.starts_with(prefix))
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Nothing more can be done about a process or folder that will not go.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
