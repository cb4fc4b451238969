//! Kamailio as a record-routing, stateful proxy: less than a back-to-back user agent does, and hard to beat.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tandem_peers::Process;
use tempfile::TempDir;

use super::CALLEE;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running Kamailio; ended when dropped.
pub struct Kamailio {
    child: Child,
    _folder: TempDir,
}

impl Kamailio {
    /// Where it listens.
    pub const ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5_062));

    /// Starts it when it is installed (Debian's `kamailio`); none when it is not.
    ///
    /// # Errors
    /// When it is installed and does not start.
    pub fn start() -> io::Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, configuration())?;
        let spawned = Command::new("kamailio")
            // Memory in MiB, shared and of each process, by the allocators that do not check what they give: Debian's
            // own choice takes more than twice the time. In the foreground.
            .args(["-m", "1024", "-M", "32", "-x", "tlsf", "-X", "tlsf", "-DD", "-E", "-f"])
            .arg(&file)
            .arg("-Y")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match spawned {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut kamailio = Self { child, _folder: folder };
        kamailio.await_ready()?;
        Ok(Some(kamailio))
    }

    /// It and its workers.
    pub(super) fn workers(&self) -> Vec<Process> {
        let parent = self.child.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        let children = children.unwrap_or_default();
        let pids = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        std::iter::once(parent).chain(pids).map(Process::new).collect()
    }

    /// Asks until it answers.
    fn await_ready(&mut self) -> io::Result<()> {
        const PACE: Duration = Duration::from_millis(100);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(PACE))?;
        let local = socket.local_addr()?;
        let options = format!(
            "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKready\r\nMax-Forwards: 70\r\n\
             From: <sip:bench@{local}>;tag=1\r\nTo: <sip:{0}>\r\nCall-ID: ready@{local}\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n",
            Self::ADDRESS
        );
        for _ in 0..PATIENCE.as_millis() / PACE.as_millis() {
            socket.send_to(options.as_bytes(), Self::ADDRESS)?;
            if socket.recv(&mut [0; 2_048]).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("Kamailio ended, {status}")));
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "Kamailio is not ready in time"))
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // SIGTERM lets it end its workers too; a process that is gone already needs nothing.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

fn configuration() -> String {
    format!(
        "\
#!KAMAILIO
debug=0
log_stderror=yes
memdbg=5
memlog=5
# One process receives: with two, a 200 overtakes a 180 now and then, which SIPp takes for a failure.
children=1
maxbuffer=8388608
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
server_signature=no
listen=udp:{}
mpath=\"/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/\"
loadmodule \"tm.so\"
loadmodule \"sl.so\"
loadmodule \"rr.so\"
loadmodule \"pv.so\"
loadmodule \"maxfwd.so\"
loadmodule \"siputils.so\"
modparam(\"rr\", \"enable_full_lr\", 0)
modparam(\"tm\", \"failure_reply_mode\", 3)
request_route {{
    if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\", \"Too Many Hops\"); exit; }}
    if (has_totag()) {{ if (loose_route()) {{ t_relay(); }} exit; }}
    if (method==\"CANCEL\") {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (method==\"OPTIONS\") {{ sl_send_reply(\"200\", \"OK\"); exit; }}
    t_check_trans();
    record_route();
    $du = \"sip:{CALLEE}\";
    t_relay();
}}
",
        Kamailio::ADDRESS
    )
}
