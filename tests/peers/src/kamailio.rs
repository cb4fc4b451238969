//! A running Kamailio.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// One that answers OPTIONS; killed when dropped.
pub(crate) struct Kamailio {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Kamailio {
    /// Starts one at a free port of `ip`, for which `script` makes what follows the global settings.
    pub(crate) fn start(ip: [u8; 4], script: impl FnOnce(SocketAddr) -> String) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let free = UdpSocket::bind(SocketAddr::from((ip, 0)))?;
        let address = free.local_addr()?;
        drop(free);
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, format!("{}{}", settings(address), script(address)))?;
        let child = Command::new("kamailio")
            // Memory in MiB, shared and of each process; in the foreground, saying everything on stderr.
            .args(["-m", "32", "-M", "8", "-DD", "-E", "-f"])
            .arg(&file)
            .arg("-Y")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log"))?)
            .spawn()?;
        let mut kamailio = Self { child, address, folder };
        kamailio.await_ready()?;
        Ok(kamailio)
    }

    /// Where it is.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks until it answers.
    fn await_ready(&mut self) -> io::Result<()> {
        const PACE: Duration = Duration::from_millis(100);
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(PACE))?;
        let (local, at) = (socket.local_addr()?, self.address);
        let options = format!(
            "OPTIONS sip:{at} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKready\r\nMax-Forwards: 70\r\n\
             From: <sip:test@{local}>;tag=1\r\nTo: <sip:{at}>\r\nCall-ID: ready@{local}\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        for _ in 0..PATIENCE.as_millis() / PACE.as_millis() {
            socket.send_to(options.as_bytes(), at)?;
            if socket.recv(&mut [0; 2_048]).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("Kamailio ended, {status}:\n{log}")));
            }
        }
        Err(io::Error::other("Kamailio does not answer"))
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its children end with it. Nothing more can be done about one that will not go.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0)),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.child.wait();
    }
}

fn settings(at: SocketAddr) -> String {
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
listen=udp:{at}
listen=tcp:{at}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
"#
    )
}
