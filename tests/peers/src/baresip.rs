//! baresip as a softphone that registers, answers by itself, speaks a tone and writes down what it hears.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::lines::Lines;

const PATIENCE: Duration = Duration::from_secs(20);
const RATE_HZ: u32 = 8_000;
const TONE_SECONDS: u32 = 60;
/// The header that sndfile writes before the samples; its length field is wrong until the file is closed.
const WAV_HEADER: usize = 44;

/// Who a softphone is.
#[derive(Clone, Copy, Debug)]
pub struct Softphone {
    /// The user name.
    pub user: &'static str,
    /// The password.
    pub password: &'static str,
    /// Its own address.
    pub address: Ipv4Addr,
    /// The tone it speaks.
    pub tone_hz: f64,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// How media is protected, by baresip's names: `srtp` when the other side can, `srtp-mand` always.
    pub media_encryption: Option<&'static str>,
}

/// A codec by baresip's name, and what it wants of the sound that it is given.
#[derive(Clone, Copy, Debug)]
struct Spoken {
    module: &'static str,
    account: &'static str,
    rate_hz: u32,
    channels: u16,
}

/// As an account without codecs of its own.
const G711: Spoken = Spoken { module: "g711", account: "", rate_hz: 8_000, channels: 1 };

/// A codec that a softphone speaks instead of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wideband {
    /// G.722.
    G722,
    /// Opus.
    Opus,
}

impl Wideband {
    const fn spoken(self) -> Spoken {
        match self {
            Self::G722 => {
                Spoken { module: "g722", account: ";audio_codecs=G722/16000/1", rate_hz: 16_000, channels: 1 }
            }
            Self::Opus => {
                Spoken { module: "opus", account: ";audio_codecs=opus/48000/2", rate_hz: 48_000, channels: 2 }
            }
        }
    }
}

/// A running baresip; killed when dropped.
pub struct Baresip {
    child: Child,
    said: Lines,
    folder: TempDir,
    /// Where it takes commands.
    control: SocketAddr,
}

impl Baresip {
    /// Starts baresip, lets it register at `registrar` and waits until it has.
    ///
    /// # Errors
    /// When it is not installed or does not get registered.
    pub fn start(phone: &Softphone, registrar: SocketAddr) -> io::Result<Self> {
        Self::run(phone, G711, registrar)
    }

    /// The same with a phone that speaks one codec, and no G.711.
    ///
    /// # Errors
    /// When it is not installed or does not get registered.
    pub fn start_speaking(phone: &Softphone, codec: Wideband, registrar: SocketAddr) -> io::Result<Self> {
        Self::run(phone, codec.spoken(), registrar)
    }

    fn run(phone: &Softphone, spoken: Spoken, registrar: SocketAddr) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let control = free_tcp_address(phone.address)?;
        configure(&folder, phone, spoken, registrar, control)?;
        let mut child = Command::new("baresip")
            .arg("-4")
            .arg("-v")
            .arg("-f")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut baresip = Self { child, said: Lines::of(stdout), folder, control };
        baresip.wait_for("200 OK")?;
        Ok(baresip)
    }

    /// Waits for the next line of its output that contains `text`.
    ///
    /// # Errors
    /// When none comes in time.
    pub fn wait_for(&mut self, text: &str) -> io::Result<String> {
        self.said.wait_for(text, PATIENCE)
    }

    /// Transfers its call to a SIP URI, blind (REFER, RFC 3515).
    ///
    /// # Errors
    /// When it takes no commands.
    pub fn transfer(&mut self, to: &str) -> io::Result<()> {
        self.command("transfer", to)
    }

    /// Has a command carried out.
    fn command(&self, command: &str, params: &str) -> io::Result<()> {
        let command = format!("{{\"command\":\"{command}\",\"params\":\"{params}\"}}");
        let mut connection = std::net::TcpStream::connect(self.control)?;
        // A netstring: length, colon, text, comma.
        write!(connection, "{}:{command},", command.len())?;
        // It has been done when it is answered.
        let mut answer = [0; 1];
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.read_exact(&mut answer)
    }

    /// What it heard in all calls so far, at 8 kHz.
    ///
    /// # Errors
    /// When there was no call.
    pub fn heard(&self) -> io::Result<Vec<i16>> {
        let mut samples = Vec::new();
        for entry in fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with("-dec.wav") {
                let bytes = fs::read(path)?;
                let (Some(header), audio) = (bytes.get(..WAV_HEADER), bytes.get(WAV_HEADER..)) else {
                    continue;
                };
                let channels = usize::from(u16::from_le_bytes([header[22], header[23]]));
                let rate_hz = u32::from_le_bytes([header[24], header[25], header[26], header[27]]);
                // Of a tone far below 4 kHz every so manieth sample is enough.
                let step = 2 * channels * (rate_hz / RATE_HZ) as usize;
                let audio = audio.unwrap_or_default().chunks_exact(step);
                samples.extend(audio.map(|frame| i16::from_le_bytes([frame[0], frame[1]])));
            }
        }
        Ok(samples)
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        // Nothing more can be done about a process that will not go.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configure(
    folder: &TempDir,
    phone: &Softphone,
    spoken: Spoken,
    registrar: SocketAddr,
    control: SocketAddr,
) -> io::Result<()> {
    let path = folder.path();
    let tone = path.join("tone.wav");
    write_tone(&tone, phone.tone_hz, spoken)?;
    let Spoken { module, account: codecs, .. } = spoken;
    let Softphone { user, password, address, transport, media_encryption, .. } = phone;
    let encryption = media_encryption.map(|it| format!(";mediaenc={it}")).unwrap_or_default();
    let port = free_udp_port(*address)?;
    let config = format!(
        "module_path /usr/lib/baresip/modules\nmodule srtp.so\nmodule {module}.so\nmodule account.so\nmodule aufile.so\n\
         module sndfile.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen {control}\nsip_listen {address}:{port}\nnet_interface {address}\n\
         audio_source aufile,{}\nsnd_path {}\nrtp_ports 12000-18000\ncall_max_calls 4\n",
        tone.display(),
        path.display(),
    );
    fs::write(path.join("config"), config)?;
    let account = format!(
        "<sip:{user}@{registrar};transport={transport}>;auth_pass={password};answermode=auto;regint=60{encryption}{codecs}\n"
    );
    fs::write(path.join("accounts"), account)?;
    fs::write(path.join("contacts"), "")
}

fn free_tcp_address(address: Ipv4Addr) -> io::Result<SocketAddr> {
    std::net::TcpListener::bind((IpAddr::V4(address), 0))?.local_addr()
}

fn free_udp_port(address: Ipv4Addr) -> io::Result<u16> {
    Ok(std::net::UdpSocket::bind((IpAddr::V4(address), 0))?.local_addr()?.port())
}

fn write_tone(path: &std::path::Path, tone_hz: f64, spoken: Spoken) -> io::Result<()> {
    let Spoken { rate_hz, channels, .. } = spoken;
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).map_err(io::Error::other)?;
    for index in 0..rate_hz * TONE_SECONDS {
        let phase = f64::from(index) * tone_hz * std::f64::consts::TAU / f64::from(rate_hz);
        for _ in 0..channels {
            file.write_sample((phase.sin() * 8_000.0) as i16).map_err(io::Error::other)?;
        }
    }
    file.finalize().map_err(io::Error::other)
}

/// How much of the audible part of `samples` (8 kHz) is a tone of `hz`: the share of 100 ms windows, silence left
/// out, in which that frequency holds more than half of the power.
#[must_use]
pub fn share_of_tone(samples: &[i16], hz: f64) -> f64 {
    const WINDOW: usize = 800;
    /// Mean square below which a window is silence.
    const SILENCE: f64 = 2_500.0;
    let (mut audible, mut tonal) = (0_u32, 0_u32);
    for window in samples.chunks_exact(WINDOW) {
        let power: f64 = window.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / WINDOW as f64;
        if power > SILENCE {
            audible += 1;
            tonal += u32::from(tone_power(window, hz) > power / 2.0);
        }
    }
    if audible == 0 { 0.0 } else { f64::from(tonal) / f64::from(audible) }
}

/// The mean square of the part of `window` that is a sine of `hz`.
fn tone_power(window: &[i16], hz: f64) -> f64 {
    let step = hz * std::f64::consts::TAU / f64::from(RATE_HZ);
    let (sine, cosine) = window.iter().zip(0_u32..).fold((0.0, 0.0), |(sine, cosine), (sample, index)| {
        let phase = step * f64::from(index);
        (sine + f64::from(*sample) * phase.sin(), cosine + f64::from(*sample) * phase.cos())
    });
    let amplitude_squared = (sine * sine + cosine * cosine) * 4.0 / (window.len() as f64).powi(2);
    amplitude_squared / 2.0
}
