//! DTLS-SRTP (RFC 5764) with OpenSSL on the other side, which says what keys it got; the party then speaks SRTP through
//! `webrtc-srtp`.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tandem_media::{
    Command, DtlsParameters, DtlsRole, EndpointId, Event, Fingerprint, Security, StreamParameters,
};
use tandem_media_net::{DtlsIdentity, MediaThreads, MediaThreadsConfig};
use tempfile::TempDir;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

use crate::node::{Node, config, endpoint, stream, with_every_io};

/// Octets of two keys and two salts of AES_CM_128_HMAC_SHA1_80.
const MATERIAL_LEN: usize = 60;

fn node() -> Node {
    let core = std::thread::current();
    let dtls = Some(DtlsIdentity::generate().expect("a key"));
    let config = MediaThreadsConfig { dtls, ..config(Arc::new(move || core.unpark())) };
    let (threads, mut handles) = MediaThreads::start(&config).expect("a thread");
    Node { threads, handle: handles.pop().expect("a handle") }
}

/// A party whose handshakes OpenSSL does.
struct Party {
    folder: TempDir,
    address: SocketAddr,
    fingerprint: Fingerprint,
}

impl Party {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        openssl(
            folder.path(),
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "1",
                "-subj",
                "/CN=party",
                "-keyout",
                "key.pem",
                "-out",
                "certificate.pem",
            ],
        );
        let told =
            openssl(folder.path(), &["x509", "-in", "certificate.pem", "-noout", "-fingerprint", "-sha256"]);
        let hash = told.trim().split_once('=').expect("NAME=HASH").1;
        let mut octets = [0; 32];
        for (octet, pair) in octets.iter_mut().zip(hash.split(':')) {
            *octet = u8::from_str_radix(pair, 16).expect("hex");
        }
        let free = UdpSocket::bind("127.0.0.2:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        Self { folder, address, fingerprint: Fingerprint(octets) }
    }

    /// OpenSSL's side of a handshake, under way.
    fn shake(&self, arguments: &[&str]) -> Handshake {
        let length = MATERIAL_LEN.to_string();
        let child = Program::new("openssl")
            .args(arguments)
            .args(["-dtls1_2", "-cert", "certificate.pem", "-key", "key.pem"])
            .args(["-use_srtp", "SRTP_AES128_CM_SHA1_80"])
            .args(["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", &length])
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("OpenSSL starts");
        Handshake(child)
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = Program::new("openssl").args(arguments).current_dir(folder).output().expect("OpenSSL runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

struct Handshake(Child);

impl Handshake {
    /// What both sides derive their keys from. OpenSSL has ended afterwards, and its port is free.
    fn material(mut self) -> Vec<u8> {
        let said = BufReader::new(self.0.stdout.take().expect("its output"));
        let hex = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.trim().strip_prefix("Keying material: ").map(str::to_owned))
            .expect("keying material");
        let _ = self.0.kill();
        let _ = self.0.wait();
        let octet = |place: usize| u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).expect("hex");
        (0..MATERIAL_LEN).map(octet).collect()
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sides of RFC 5764 §4.2: the client's and the server's protection.
fn contexts(material: &[u8]) -> [Context; 2] {
    let (keys, salts) = material.split_at(32);
    [0, 1].map(|side| {
        let (key, salt) = (&keys[16 * side..][..16], &salts[14 * side..][..14]);
        Context::new(key, salt, ProtectionProfile::Aes128CmHmacSha1_80, None, None).expect("a context")
    })
}

fn open(
    node: &mut Node,
    party: &Party,
    role: DtlsRole,
    fingerprint: Fingerprint,
) -> (EndpointId, SocketAddr) {
    let endpoint = endpoint(0, 1);
    let local = node.open_socket(endpoint);
    let parameters = DtlsParameters { role, fingerprints: vec![fingerprint] };
    let security = Security::Dtls(Box::new(parameters));
    let stream = StreamParameters { security, rtcp_mux: true, ..stream(party.address) };
    node.send(Command::Configure { endpoint, stream });
    node.send(Command::Bridge { a: endpoint, b: endpoint });
    (endpoint, local)
}

/// Packets the party speaks at most, one every 20 ms: it gives up after 20 s.
const PATIENCE: u16 = 1_000;

/// The party speaks with its key, and hears itself under the node's. What it says before the node has its keys in place
/// is not heard, as with every party that speaks at once.
fn echo(node: &mut Node, party: &Party, local: SocketAddr, mut out: Context, mut back: Context) {
    let socket = UdpSocket::bind(party.address).expect("OpenSSL has left");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
    let mut heard = Vec::new();
    for sequence in 0..PATIENCE {
        let payload = [sequence.to_be_bytes()[1]; 160];
        let timestamp = 160 * u32::from(sequence);
        let mut packet = vec![0x80, 0];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend([0, 0, 0, 9]);
        packet.extend(payload);
        socket.send_to(&out.encrypt_rtp(&packet).expect("protected"), local).expect("sent");
        let mut buffer = [0; 1_500];
        while let Ok((len, _)) = socket.recv_from(&mut buffer) {
            // What is left of the handshake is no RTP, and neither are reports.
            if buffer[0] >= 128 && !(192..=223).contains(&buffer[1]) {
                heard.push(back.decrypt_rtp(&buffer[..len]).expect("it is the node's")[12..].to_vec());
                break;
            }
        }
        if heard.len() == 5 {
            break;
        }
    }
    let first = heard.first().map_or(0, |payload| payload[0]);
    assert_eq!(heard, (0..5).map(|n| vec![first.wrapping_add(n); 160]).collect::<Vec<_>>());
    assert!(matches!(node.event(), Event::MediaStarted { .. }));
}

#[test]
fn a_party_that_begins_the_handshake_is_heard_and_hears() {
    with_every_io(|| {
        let (mut node, party) = (node(), Party::new());
        let (_, local) = open(&mut node, &party, DtlsRole::Server, party.fingerprint);
        let bind = party.address.to_string();
        let handshake = party.shake(&["s_client", "-connect", &local.to_string(), "-bind", &bind]);
        let [client, server] = contexts(&handshake.material());
        echo(&mut node, &party, local, client, server);
    });
}

#[test]
fn a_party_that_waits_for_the_handshake_is_heard_and_hears() {
    with_every_io(|| {
        let (mut node, party) = (node(), Party::new());
        let handshake = party.shake(&["s_server", "-accept", &party.address.to_string()]);
        let (_, local) = open(&mut node, &party, DtlsRole::Client, party.fingerprint);
        let [client, server] = contexts(&handshake.material());
        echo(&mut node, &party, local, server, client);
    });
}

/// RFC 5763 §5: the certificate must be the one that was signalled.
#[test]
fn a_certificate_that_was_not_signalled_fails_the_handshake() {
    with_every_io(|| {
        let (mut node, party) = (node(), Party::new());
        let (endpoint, local) = open(&mut node, &party, DtlsRole::Server, Fingerprint([7; 32]));
        let bind = party.address.to_string();
        let _handshake = party.shake(&["s_client", "-connect", &local.to_string(), "-bind", &bind]);
        assert_eq!(node.event(), Event::HandshakeFailed { endpoint });
    });
}

/// Nothing is believed in clear while keys are awaited, and nothing is sent.
#[test]
fn speech_in_clear_is_refused_while_keys_are_awaited() {
    with_every_io(|| {
        let (mut node, party) = (node(), Party::new());
        let (_, local) = open(&mut node, &party, DtlsRole::Server, party.fingerprint);
        let socket = UdpSocket::bind(party.address).expect("the party's port");
        let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 9];
        packet.extend([1; 160]);
        socket.send_to(&packet, local).expect("sent");
        node.until(|counters| counters.packets_received == 1);
        node.settle();
        socket.set_nonblocking(true).expect("set");
        assert!(socket.recv_from(&mut [0; 1_500]).is_err());
        assert_eq!(node.counters().packets_sent, 0);
    });
}
