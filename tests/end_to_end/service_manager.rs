//! What the service manager is told (sd_notify): ready, alive, reloading, stopping.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tandem_peers::{Configuration, Ports};

use crate::support::PATIENCE;

/// Waits until the daemon says `word`.
fn await_word(socket: &UnixDatagram, word: &str) {
    let deadline = Instant::now() + PATIENCE;
    let mut message = [0; 512];
    while Instant::now() < deadline {
        let len = socket.recv(&mut message).expect("the daemon says something");
        if String::from_utf8_lossy(&message[..len]).lines().any(|line| line == word) {
            return;
        }
    }
    panic!("no {word} in time");
}

fn send(signal: Signal, to: &Child) {
    let pid = i32::try_from(to.id()).expect("a process id");
    kill(Pid::from_raw(pid), signal).expect("the daemon lives");
}

#[test]
fn the_service_manager_hears_of_every_change() {
    let configuration =
        Configuration::new(&Ports::free().expect("free ports"), |_, text| text).expect("a file");
    let path = configuration.folder().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let watchdog = Duration::from_millis(200);
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("serve")
        .arg("--config")
        .arg(configuration.file())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", watchdog.as_micros().to_string())
        .env_remove("WATCHDOG_PID")
        .stderr(Stdio::null())
        .spawn()
        .expect("tandem runs");
    await_word(&socket, "READY=1");
    await_word(&socket, "WATCHDOG=1");
    await_word(&socket, "WATCHDOG=1");
    send(Signal::SIGHUP, &daemon);
    await_word(&socket, "RELOADING=1");
    await_word(&socket, "READY=1");
    send(Signal::SIGTERM, &daemon);
    await_word(&socket, "STOPPING=1");
    assert!(daemon.wait().expect("it ends").success());
}
