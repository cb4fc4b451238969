//! JsSIP, the SIP library of browsers, as a registered phone over WebSocket.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::lines::Lines;
use crate::node::root;

const PATIENCE: Duration = Duration::from_secs(20);

/// What the phone is made of, in `tests/websocket`.
const FILES: [&str; 5] = ["package.json", "package-lock.json", "phone.js", "browser.js", "page.js"];

/// What runs the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Node, with G.711 over plain RTP, since it has no WebRTC.
    Node,
    /// Chromium, with its own WebRTC: DTLS-SRTP and ICE.
    Chromium,
}

/// Who the phone is, and where it connects.
#[derive(Clone, Copy, Debug)]
pub struct WebSocketAccount<'a> {
    /// What runs it.
    pub engine: Engine,
    /// Such as `ws://127.0.0.1:8088`.
    pub url: &'a str,
    /// The user name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// The digest realm, which is also the domain of its URI.
    pub realm: &'a str,
    /// A PEM file of who vouches for the server, for `wss:`; Chromium takes any certificate.
    pub authority: Option<&'a Path>,
    /// The tone it speaks.
    pub tone_hz: u16,
    /// The tone it listens for.
    pub listen_hz: u16,
}

/// A running phone; killed when dropped.
pub struct WebSocketPhone {
    engine: Engine,
    child: Child,
    /// Until it is dropped.
    orders: Option<ChildStdin>,
    said: Lines,
}

impl WebSocketPhone {
    /// Starts it, and waits until it has registered.
    ///
    /// # Errors
    /// When Node, npm or the browser is missing, or it does not get registered.
    pub fn start(account: &WebSocketAccount<'_>) -> io::Result<Self> {
        let mut phone = Self::run(account)?;
        phone.wait_for("registered")?;
        Ok(phone)
    }

    /// Starts it without waiting.
    ///
    /// # Errors
    /// When Node or npm is missing.
    pub fn run(account: &WebSocketAccount<'_>) -> io::Result<Self> {
        let mut command = Command::new("node");
        let script = match account.engine {
            Engine::Node => "phone.js",
            Engine::Chromium => "browser.js",
        };
        command.current_dir(installed()?).arg(script).arg(account.url).arg(account.user);
        command.arg(account.password).arg(account.realm);
        command.arg(account.tone_hz.to_string()).arg(account.listen_hz.to_string());
        if let Some(authority) = account.authority {
            command.env("NODE_EXTRA_CA_CERTS", authority);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || io::Error::other("no pipe");
        let orders = child.stdin.take();
        let said = Lines::of(child.stdout.take().ok_or_else(missing)?);
        Ok(Self { engine: account.engine, child, orders, said })
    }

    /// Waits for the next line it says that contains `text`.
    ///
    /// # Errors
    /// When none comes in time.
    pub fn wait_for(&mut self, text: &str) -> io::Result<String> {
        self.said.wait_for(text, PATIENCE)
    }

    /// Calls a number.
    ///
    /// # Errors
    /// When it is gone.
    pub fn call(&mut self, number: &str) -> io::Result<()> {
        self.order(&format!("call {number}"))
    }

    /// Ends its call.
    ///
    /// # Errors
    /// When it is gone.
    pub fn hang_up(&mut self) -> io::Result<()> {
        self.order("hang-up")
    }

    /// Presses a key in its call.
    ///
    /// # Errors
    /// When it is gone.
    pub fn press(&mut self, key: char) -> io::Result<()> {
        self.order(&format!("press {key}"))
    }

    fn order(&mut self, order: &str) -> io::Result<()> {
        let Some(orders) = &mut self.orders else { return Err(io::ErrorKind::BrokenPipe.into()) };
        writeln!(orders, "{order}")
    }
}

impl Drop for WebSocketPhone {
    fn drop(&mut self) {
        // Nothing more can be done about a process that will not go. A browser goes with its orders: killed, it would
        // leave its own processes behind.
        let _ = match self.orders.take() {
            Some(orders) if self.engine == Engine::Chromium => {
                drop(orders);
                Ok(())
            }
            _ => self.child.kill(),
        };
        let _ = self.child.wait();
    }
}

/// The folder of the phone with its packages: copied and installed into the target folder once a process.
fn installed() -> io::Result<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| install().map_err(|error| error.to_string()));
    folder.as_deref().map_err(|error| io::Error::other(error.clone()))
}

fn install() -> io::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let folder = target.join("websocket-phone");
    let source = root().join("tests/websocket");
    let lock = fs::read(source.join("package-lock.json"))?;
    let is_installed = fs::read(folder.join("installed")).is_ok_and(|installed| installed == lock);
    fs::create_dir_all(&folder)?;
    for file in FILES {
        fs::copy(source.join(file), folder.join(file))?;
    }
    if !is_installed {
        let done = Command::new("npm")
            .args([
                "ci",
                "--no-audit",
                "--no-fund",
                "--omit=optional",
                "--ignore-scripts",
                "--loglevel=error",
            ])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status()?;
        if !done.success() {
            return Err(io::Error::other(format!("npm ci in {}: {done}", folder.display())));
        }
        fs::write(folder.join("installed"), lock)?;
    }
    Ok(folder)
}
