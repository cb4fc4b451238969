//! What the end-to-end tests share: a daemon, a carrier's phone on real sockets, and the records afterwards.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use tandem_peers::{Authority, Node, Ports, free_port, free_rtp_ports};
use tandem_phone::{Credentials, Manner, PhoneConfig};
use tandem_phone_net::{LiveLine, LivePhone};
use tandem_store::{Archive, StoredCall};
use tokio::runtime::Runtime;

/// How long anything may take that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A node on free ports, on the demo's configuration.
pub(crate) fn node() -> Node {
    node_with(|_, config| config)
}

/// A node on free ports, its folder and configuration edited.
pub(crate) fn node_with(edit: impl FnOnce(&Path, String) -> String) -> Node {
    let ports = Ports::free().expect("free ports");
    Node::start(Path::new(env!("CARGO_BIN_EXE_tandem")), ports, edit).expect("the daemon is ready")
}

/// A TCP port that is free now.
pub(crate) fn free_tcp(address: [u8; 4]) -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from((address, 0))).expect("a free port");
    listener.local_addr().expect("bound")
}

/// The configuration with a listener within TLS at `at`; `node.pem` is for `node.example` and that address, and
/// `ca.pem` vouches for it.
pub(crate) fn secured(folder: &Path, config: &str, at: SocketAddr) -> String {
    let authority = Authority::new().expect("an authority");
    std::fs::write(folder.join("ca.pem"), authority.pem()).expect("written");
    let pair = authority.issue(&["node.example", &at.ip().to_string()]);
    pair.and_then(|pair| pair.write(folder, "node")).expect("a certificate");
    let config = config.replacen("listen = [", &format!("listen = [\"tls:{at}\", "), 1);
    format!("{config}\n[[tls.certificate]]\ncertificate = \"node.pem\"\nkey = \"node.key\"\n")
}

/// Stops the node and returns the records of all its calls.
pub(crate) fn records(node: &mut Node) -> Vec<StoredCall> {
    let ended = node.stop().expect("the daemon ends");
    assert!(ended.success(), "the daemon ended with {ended}:\n{}", node.log().join("\n"));
    let archive = Archive::open(&node.folder().join("calls.db")).expect("the store opens");
    archive.calls_after(0).expect("the records are read")
}

/// The record of the node's only call.
pub(crate) fn only_record(node: &mut Node) -> StoredCall {
    let mut records = records(node);
    assert_eq!(records.len(), 1, "one call, one record: {records:#?}");
    records.remove(0)
}

/// The runtime that phones live on.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// The carrier's phone: calls from 127.0.0.10, and rings when the node calls a number.
pub(crate) fn carrier(runtime: &Runtime, node: &Node) -> LivePhone {
    carrier_whose(runtime, node, [])
}

/// The same, with manners of their own for some of its numbers.
pub(crate) fn carrier_whose<const N: usize>(
    runtime: &Runtime,
    node: &Node,
    numbers: [(String, Manner); N],
) -> LivePhone {
    phone_at(runtime, node, node.ports().carrier, BTreeMap::from(numbers))
}

/// A phone at another port of the carrier's address.
pub(crate) fn carrier_at(runtime: &Runtime, node: &Node, address: SocketAddr) -> LivePhone {
    phone_at(runtime, node, address, BTreeMap::new())
}

/// The same, with manners of their own for some of its numbers.
pub(crate) fn phone_at(
    runtime: &Runtime,
    node: &Node,
    address: SocketAddr,
    numbers: BTreeMap<String, Manner>,
) -> LivePhone {
    let ports = node.ports();
    // The first ports are for those whose signalling somebody else does.
    let media_ports = ports.carrier_rtp.0 + 100..=ports.carrier_rtp.1 - 2;
    let config = PhoneConfig {
        user: "carrier".to_owned(),
        address,
        media_address: ports.carrier.ip(),
        media_ports,
        server: ports.sip,
        credentials: None,
        expires: Duration::from_secs(60),
        manner: Manner::polite(CALLER_HZ, Duration::from_millis(200)),
        numbers,
        lines: 100,
        listen_for: PhoneConfig::all_frequencies(),
    };
    LivePhone::start(runtime.handle(), config, 1).expect("the carrier's address is free")
}

/// The softphone of one of the demo's users, by number and name, registered.
pub(crate) fn softphone(
    runtime: &Runtime,
    node: &Node,
    (user, name): (&str, &str),
    ip: [u8; 4],
    manner: Manner,
) -> LivePhone {
    let address = free_port(ip).expect("a free port");
    let media_ports = free_rtp_ports(ip).expect("free ports");
    let config = PhoneConfig {
        user: user.to_owned(),
        address,
        media_address: address.ip(),
        media_ports: media_ports.0..=media_ports.1,
        server: node.ports().sip,
        credentials: Some(Credentials { user: user.to_owned(), password: format!("{name}-{user}") }),
        expires: Duration::from_secs(60),
        manner,
        numbers: BTreeMap::new(),
        lines: 10,
        listen_for: PhoneConfig::all_frequencies(),
    };
    let phone = LivePhone::start(runtime.handle(), config, u64::from(ip[3])).expect("its address is free");
    phone.register(PATIENCE).expect("it registers");
    phone
}

/// The tone of a caller's voice.
pub(crate) const CALLER_HZ: u16 = 500;

/// How a caller behaves who speaks its tone and waits.
pub(crate) fn caller() -> Manner {
    Manner::polite(CALLER_HZ, Duration::ZERO)
}

/// The number of [`greeting`]'s flow.
pub(crate) const GREETING_AND_ECHO: &str = "+15550106";

/// Says a digit's tone, so that the caller learns where the node's audio comes from, and then gives back what it hears.
const GREETING: &str = "\
start = \"greet\"

[variables]
digits = \"5\"

[activities.greet]
type = \"play-digits\"
variable = \"digits\"
exits = { done = \"echo\" }

[activities.echo]
type = \"echo\"
";

/// The configuration with a number whose flow says the digit 5 and then echoes.
pub(crate) fn greeting(folder: &Path, config: &str) -> String {
    std::fs::write(folder.join("flows/greeting.toml"), GREETING).expect("the flow is written");
    format!("{config}\n[[entry_point]]\nnumber = \"{GREETING_AND_ECHO}\"\nflow = \"greeting\"\n")
}

/// What somebody at `line` has heard of that flow: its digit, and enough of its own voice.
///
/// # Panics
/// When it has not.
#[track_caller]
pub(crate) fn heard_greeting_and_echo(line: &LiveLine) {
    let (received, heard) = line.heard();
    let own_voice = heard.time_of_tone(CALLER_HZ);
    let is_heard = own_voice > Duration::from_millis(300) && heard.digit_string().contains('5');
    assert!(is_heard, "{own_voice:?} of its own voice, keys {:?}, {received:?}", heard.digit_string());
}
