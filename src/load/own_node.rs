//! A node of our own to be measured: the same program, with a configuration for the scenario, in a folder and at
//! addresses of 127/8 that are nobody else's.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tandem_phone::Codec;
use tandem_phone::measured::pattern;

use super::arguments::Plan;
use super::process::Process;
use super::scenario::Scenario;

/// How long it may take to be there, and to go.
const PATIENCE: Duration = Duration::from_secs(20);
const PACE: Duration = Duration::from_millis(50);
/// RTP and RTCP of three legs, and as much again: ports rest after a call.
const PORTS_OF_A_CALL: u64 = 12;
const FIRST_PORT: u64 = 16_384;
/// What the callers call; in a conference, room `n` has the number `n` further on.
const NUMBER: u64 = 15_550_000_000;
/// The agents of conferences, and the supervisor who joins in.
const AGENT: u64 = 7_000_000;
const SUPERVISOR: &str = "supervisor";
const PASSWORD: &str = "of the load generator";
const BARGE: &str = "*53";

/// The node, which ends when dropped.
pub(super) struct OwnNode {
    child: Child,
    folder: PathBuf,
}

/// Its addresses and those of whom it talks to.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    node: IpAddr,
    caller: IpAddr,
    called: IpAddr,
    third: IpAddr,
}

impl Addresses {
    fn of_this_process() -> Self {
        let [.., high, low] = std::process::id().to_be_bytes();
        let at = |net: u8| IpAddr::V4(Ipv4Addr::new(127, net, high, low.max(1)));
        Self { node: at(100), caller: at(101), called: at(102), third: at(103) }
    }
}

impl OwnNode {
    /// Starts it, waits until it listens, and lets the plan call it.
    pub(super) fn start(plan: &mut Plan) -> io::Result<Self> {
        let addresses = Addresses::of_this_process();
        let folder = std::env::temp_dir().join(format!("tandem-load-{}", std::process::id()));
        lay_out(&folder, plan, addresses)?;
        let child = Command::new(std::env::current_exe()?)
            .args(["serve", "--config"])
            .arg(folder.join("tandem.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut node = Self { child, folder };
        plan.target = SocketAddr::new(addresses.node, 5_060);
        plan.from = vec![SocketAddr::new(addresses.caller, 5_070)];
        plan.answer_at = (plan.scenario != Scenario::Play).then(|| SocketAddr::new(addresses.called, 5_070));
        plan.third = (plan.scenario == Scenario::Conference).then_some(addresses.third);
        plan.to = format!("+{NUMBER}");
        plan.pid = Some(node.child.id());
        node.await_listening(plan.target)?;
        Ok(node)
    }

    fn await_listening(&mut self, at: SocketAddr) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        while Process::listening_at(at).is_none_or(|it| it.pid() != self.child.id()) {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the node ended: {status}")));
            }
            if Instant::now() > until {
                return Err(io::Error::other("the node does not listen"));
            }
            std::thread::park_timeout(PACE);
        }
        Ok(())
    }
}

impl Drop for OwnNode {
    fn drop(&mut self) {
        let until = Instant::now() + PATIENCE;
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have gone by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::park_timeout(PACE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whom the supervisor of room `n` dials.
pub(super) fn joins_room(n: u64) -> String {
    format!("{BARGE}{}", AGENT + n)
}

/// Whom the caller of room `n` dials.
pub(super) fn number_of_room(n: u64) -> String {
    format!("+{}", NUMBER + n)
}

/// Who joins rooms.
pub(super) fn supervisor() -> (String, String) {
    (SUPERVISOR.to_owned(), PASSWORD.to_owned())
}

fn lay_out(folder: &Path, plan: &Plan, addresses: Addresses) -> io::Result<()> {
    for name in ["flows", "prompts"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let flow = "start = \"loop\"\n\n[activities.loop]\ntype = \"play\"\nprompts = [\"pattern\"]\nrepeat = \"forever\"\n";
    fs::write(folder.join("flows/loop.toml"), flow)?;
    fs::write(folder.join("prompts/pattern.wav"), wav(&pattern::prompt()))?;
    fs::write(folder.join("tandem.toml"), configuration(plan, addresses))
}

/// G.711 µ-law in WAVE (RFC 2361 §A.5): a format chunk of 18 octets.
fn wav(octets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    let mut file = b"RIFF".to_vec();
    file.extend((4 + 26 + 8 + length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(18_u32.to_le_bytes());
    for (value, size) in [(7, 2), (1, 2), (8_000, 4), (8_000, 4), (1, 2), (8, 2), (0, 2)] {
        file.extend(&u32::to_le_bytes(value)[..size]);
    }
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(octets);
    file
}

fn configuration(plan: &Plan, addresses: Addresses) -> String {
    let Addresses { node, caller, called, third } = addresses;
    let last = FIRST_PORT + plan.calls.unwrap_or(1) * PORTS_OF_A_CALL;
    let last = last.min(u64::from(u16::MAX)) | 1;
    let mut text = format!(
        "[node]\nname = \"load\"\n[log]\nlevel = \"warn\"\n[sip]\nlisten = [\"udp:{node}:5060\"]\n\
         [rtp]\naddress = \"{node}\"\nports = \"{FIRST_PORT}-{last}\"\n[http]\nlisten = \"{node}:8080\"\n\
         [store]\npath = \"calls.db\"\n[flows]\nfolder = \"flows\"\n[prompts]\nfolder = \"prompts\"\n"
    );
    let called_has = match (plan.scenario, plan.codec) {
        (Scenario::Srtp, _) => "srtp = \"required\"\n",
        (_, Some(Codec::G722)) => "codecs = [\"G722\"]\n",
        (_, Some(_)) => "codecs = [\"opus\"]\n",
        (_, None) => "",
    };
    for (name, address, more) in [("caller", caller, ""), ("called", called, called_has)] {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[trunk]]\nname = \"{name}\"\nsources = [\"{address}\"]\npeer = \"{address}:5070\"\n\
             transport = \"udp\"\nmax_calls = 100000\nmax_calls_per_second = 10000\n{more}"
        );
    }
    match plan.scenario {
        Scenario::Conference => conference(&mut text, third, plan.calls.unwrap_or(1)),
        Scenario::Play => {
            let _ = write!(text, "[[entry_point]]\nnumber = \"+{NUMBER}\"\nflow = \"loop\"\n");
        }
        _ => {
            let _ = write!(
                text,
                "[[entry_point]]\nnumber = \"+{NUMBER}\"\ntrunk = \"called\"\nto = \"+{NUMBER}\"\n"
            );
        }
    }
    text
}

/// A room is a call to an agent of its own, which the supervisor joins.
fn conference(text: &mut String, third: IpAddr, rooms: u64) {
    let _ = write!(
        text,
        "[phones]\nsources = [\"{third}\"]\nmax_calls_per_source = 100000\nmax_calls_per_second_per_source = 10000\n\
         [[user]]\nname = \"{SUPERVISOR}\"\npassword = \"{PASSWORD}\"\n\
         [contact_centre]\nconference_tone = false\nsupervisors = [\"{SUPERVISOR}\"]\nbarge_code = \"{BARGE}\"\n"
    );
    for n in 0..rooms {
        let (number, agent) = (NUMBER + n, AGENT + n);
        let _ = write!(
            text,
            "[[agent]]\nname = \"{agent}\"\nnumber = \"+{number}\"\ntrunk = \"called\"\n\
             [[entry_point]]\nnumber = \"+{number}\"\ntrunk = \"called\"\nto = \"+{number}\"\n"
        );
    }
}
