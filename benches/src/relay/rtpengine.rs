//! rtpengine in user space, driven over its ng protocol.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tandem_media::srtp::{MasterKey, SrtpKeys, Suite};

use super::account::Account;
use super::bencode::{Value, dictionary, text_of};
use super::{Placement, Protection, RELAY_ADDRESS, Relay};

/// How long it may take to start.
const START: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// A running rtpengine with its calls.
pub struct RtpEngine {
    process: Child,
    account: Account,
    legs: Vec<SocketAddr>,
    /// What the second party of each call has under SRTP.
    keys: Vec<SrtpKeys>,
}

/// The parties' key under SRTP, and how the session description has it (RFC 4568 §6.2).
const SUITE: (Suite, &str) = (Suite::AesCm128HmacSha1_80, "AES_CM_128_HMAC_SHA1_80");
const KEY: [u8; 30] = [3; 30];

/// Whether it is installed.
#[must_use]
pub fn is_installed() -> bool {
    ["/usr/bin/rtpengine", "/usr/sbin/rtpengine"].iter().any(|path| Path::new(path).exists())
}

impl RtpEngine {
    /// Starts it between these parties.
    ///
    /// # Errors
    /// When it does not start, or refuses a call.
    pub fn start(
        parties: &[SocketAddr],
        ports: (u16, u16),
        protection: Protection,
        placement: Placement,
    ) -> io::Result<Self> {
        let control = UdpSocket::bind(SocketAddr::new(RELAY_ADDRESS, 0))?;
        control.set_read_timeout(Some(ANSWER))?;
        let free = UdpSocket::bind(SocketAddr::new(RELAY_ADDRESS, 0))?.local_addr()?;
        control.connect(free)?;
        let process = Command::new("taskset")
            .args(["--cpu-list", &placement.relay_core.to_string(), "rtpengine"])
            .args(["--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=3"])
            .args([
                format!("--interface={RELAY_ADDRESS}"),
                format!("--listen-ng={free}"),
                format!("--port-min={}", ports.0),
                format!("--port-max={}", ports.1),
            ])
            .args(placement.realtime.then_some(["--scheduling=rr", "--priority=1"]).into_iter().flatten())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let account = Account::process(process.id());
        let mut engine = Self { process, account, legs: Vec::with_capacity(parties.len()), keys: Vec::new() };
        await_start(&control)?;
        for (call, pair) in parties.chunks_exact(2).enumerate() {
            engine.set_up(&control, call, [pair[0], pair[1]], protection)?;
        }
        Ok(engine)
    }

    fn set_up(
        &mut self,
        control: &UdpSocket,
        call: usize,
        [a, b]: [SocketAddr; 2],
        protection: Protection,
    ) -> io::Result<()> {
        let is_secure = protection.covers(1);
        let call_id = format!("call-{call}");
        let offer = sdp(a, None);
        let mut entries = vec![
            ("command", Value::Text("offer")),
            ("call-id", Value::Text(&call_id)),
            ("from-tag", Value::Text("a")),
            ("sdp", Value::Text(&offer)),
            ("ICE", Value::Text("remove")),
            ("replace", Value::List(&["origin", "session-connection"])),
        ];
        if is_secure {
            entries.push(("transport-protocol", Value::Text("RTP/SAVP")));
        }
        let towards_b = request(control, &format!("o{call}"), &dictionary(&entries))?;
        let offered = if is_secure { Some(Crypto::first_of(&towards_b)?) } else { None };
        let answer = sdp(b, offered.as_ref());
        entries[0].1 = Value::Text("answer");
        entries[3].1 = Value::Text(&answer);
        entries.retain(|(name, _)| *name != "transport-protocol");
        entries.push(("to-tag", Value::Text("b")));
        if let Some(offered) = offered {
            self.keys.push(SrtpKeys { send: key(&KEY)?, receive: key(&offered.key)? });
        }
        let towards_a = request(control, &format!("a{call}"), &dictionary(&entries))?;
        // What the answer towards A says is where A sends to.
        self.legs.push(media_address(&towards_a)?);
        self.legs.push(media_address(&towards_b)?);
        Ok(())
    }
}

impl Relay for RtpEngine {
    fn legs(&self) -> &[SocketAddr] {
        &self.legs
    }

    fn keys_of(&self, party: usize) -> Option<&SrtpKeys> {
        if party % 2 == 1 { self.keys.get(party / 2) } else { None }
    }

    fn cpu(&self) -> io::Result<Duration> {
        self.account.cpu()
    }
}

impl Drop for RtpEngine {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("rtpengine did not stop: {error}");
        }
    }
}

fn await_start(control: &UdpSocket) -> io::Result<()> {
    let until = Instant::now() + START;
    loop {
        match request(control, "p", &dictionary(&[("command", Value::Text("ping"))])) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            // Refused at once while nobody listens yet.
            Err(_) => std::thread::park_timeout(Duration::from_millis(50)),
        }
    }
}

/// Sends a request and gives its answer.
fn request(control: &UdpSocket, cookie: &str, body: &str) -> io::Result<String> {
    control.send(format!("{cookie} {body}").as_bytes())?;
    let mut buffer = [0; 16 * 1024];
    loop {
        let len = control.recv(&mut buffer)?;
        let answer = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default()).into_owned();
        match answer.split_once(' ') {
            Some((its, body)) if its == cookie && text_of(body, "result") != Some("error") => {
                return Ok(body.to_owned());
            }
            Some((its, body)) if its == cookie => return Err(io::Error::other(body.to_owned())),
            _ => {}
        }
    }
}

/// With the party's key in answer to the one that was offered, if any.
fn sdp(party: SocketAddr, offered: Option<&Crypto>) -> String {
    let (ip, port) = (party.ip(), party.port());
    let (profile, crypto) = match offered {
        Some(Crypto { tag, .. }) => {
            ("RTP/SAVP", format!("a=crypto:{tag} {} inline:{}\r\n", SUITE.1, STANDARD_NO_PAD.encode(KEY)))
        }
        None => ("RTP/AVP", String::new()),
    };
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {profile} 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n{crypto}"
    )
}

fn key(octets: &[u8]) -> io::Result<MasterKey> {
    MasterKey::new(SUITE.0, octets).ok_or_else(|| io::Error::other("a key of another suite"))
}

/// A line of keys (RFC 4568 §4).
struct Crypto {
    tag: String,
    key: Vec<u8>,
}

impl Crypto {
    /// Of our suite, the first; a lifetime may stand behind its key.
    fn first_of(offer: &str) -> io::Result<Self> {
        let sdp = text_of(offer, "sdp").unwrap_or_default();
        let lines = sdp.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
        let found = lines.filter_map(Self::parse).next();
        found.ok_or_else(|| io::Error::other(format!("no key of {} in {offer}", SUITE.1)))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (tag, suite) = (words.next()?, words.next()?);
        let key = words.next()?.strip_prefix("inline:")?.split('|').next()?;
        let key = STANDARD_NO_PAD.decode(key.trim_end_matches('=')).ok()?;
        (suite == SUITE.1).then(|| Self { tag: tag.to_owned(), key })
    }
}

/// The port of the first media line; the address is the relay's only one.
fn media_address(answer: &str) -> io::Result<SocketAddr> {
    let sdp = text_of(answer, "sdp").unwrap_or_default();
    let media = sdp.lines().find_map(|line| line.strip_prefix("m=audio "));
    let port = media.and_then(|media| media.split(' ').next()).and_then(|port| port.parse().ok());
    let port = port.ok_or_else(|| io::Error::other(format!("no media port in {answer}")))?;
    Ok(SocketAddr::new(RELAY_ADDRESS, port))
}
