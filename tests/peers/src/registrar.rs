//! Kamailio as a carrier's registrar and proxy: who has registered there is called there.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running Kamailio whose users all have one password; killed when dropped.
pub struct Registrar {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Registrar {
    /// Starts one at a free port of `ip`, over UDP and TCP, for the domain `carrier.example`; whoever registers shorter
    /// than 60 s gets 423.
    ///
    /// # Errors
    /// When it is not installed (Debian's `kamailio`) or does not start.
    pub fn start(ip: [u8; 4], password: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let free = UdpSocket::bind(SocketAddr::from((ip, 0)))?;
        let address = free.local_addr()?;
        drop(free);
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, configuration(address, password))?;
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
        let mut registrar = Self { child, address, _folder: folder };
        registrar.await_ready()?;
        Ok(registrar)
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
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
                let log = fs::read_to_string(self._folder.path().join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("Kamailio ended, {status}:\n{log}")));
            }
        }
        Err(io::Error::other("Kamailio does not answer"))
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        // Its children end with it. Nothing more can be done about one that will not go.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0)),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.child.wait();
    }
}

fn configuration(at: SocketAddr, password: &str) -> String {
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
listen=udp:{at}
listen=tcp:{at}
alias="carrier.example"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("registrar", "min_expires", 60)
request_route {{
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("carrier.example", "{password}", "0")) {{
            www_challenge("carrier.example", "1");
            exit;
        }}
        save("location");
        exit;
    }}
    if (has_totag()) {{ t_relay(); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    $rd = "carrier.example";
    if (!lookup("location")) {{ sl_send_reply("404", "Not registered"); exit; }}
    t_relay();
}}
"#
    )
}
