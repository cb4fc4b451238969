//! The command line of `tandem load`, and what it comes to.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rand::TryRng as _;
use rand::rngs::SysRng;
use tandem_phone::{Codec, JunkKind, Transport};

use super::scenario::Scenario;
use super::users::{User, Users};

/// The most calls at a time that can be asked for.
const MAX_CONCURRENT: usize = 1_000_000;
/// The most sockets to call from.
const MAX_SOCKETS: u16 = 1_000;
/// The most calls at a time of which every packet is checked.
const MAX_STREAMS: u64 = 20_000;
/// How many there are when nobody says.
const DEFAULT_STREAMS: u64 = 100;
/// How long, when nobody says.
const DEFAULT_CHECKED_FOR: Duration = Duration::from_secs(10);
/// What begins a second, when nobody says.
const DEFAULT_RATE: f64 = 10.0;
const DEFAULT_RATE_OF_STREAMS: f64 = 100.0;
/// The shortest hold in which a tone can be told.
const SHORTEST_AUDIBLE: Duration = Duration::from_secs(1);

/// Places calls on a node, or registers, or floods it, at a rate; says how long each step took and what failed.
#[derive(Args)]
#[command(args_override_self = true)]
pub(crate) struct Arguments {
    /// What to do; --list explains them.
    #[arg(value_enum, required_unless_present = "list")]
    scenario: Option<Scenario>,
    /// Explains the scenarios.
    #[arg(long)]
    list: bool,
    /// The node's SIP address.
    #[arg(long, default_value = "127.0.0.1:5060")]
    target: SocketAddr,
    /// udp, tcp or tls.
    #[arg(long, value_enum, default_value = "udp")]
    transport: TransportName,
    /// Asks for TLS on every hop (sips:); with --transport tls.
    #[arg(long)]
    sips: bool,
    /// Where calls come from: an address the node lists.
    #[arg(long, default_value = "127.0.0.10:5070")]
    from: SocketAddr,
    /// Sockets to call from, at the ports from that of --from upwards; with TCP and TLS a connection each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_SOCKETS)))]
    sockets: u16,
    /// The number to call.
    #[arg(long, default_value = "+15550103")]
    to: String,
    /// What callers' numbers begin with; seven digits follow.
    #[arg(long, default_value = "+1555")]
    caller: String,
    /// Where the called carrier is: answers what the node calls there.
    #[arg(long)]
    answer_at: Option<SocketAddr>,
    /// The codec of the called carrier: g722 or opus.
    #[arg(long, value_enum, default_value = "opus")]
    codec: CodecName,
    /// How long the called carrier rings.
    #[arg(long, default_value = "0s", value_parser = duration)]
    ring: Duration,
    /// Starts a node of its own for the scenario, on addresses of 127/8 that are nobody else's, and measures that.
    #[arg(long, conflicts_with_all = ["target", "answer_at", "to", "pid"])]
    start: bool,
    /// Calls, registrations, questions or datagrams a second (default 10; 100 where every packet is checked).
    #[arg(long)]
    rate: Option<f64>,
    /// How long the rate takes to be reached.
    #[arg(long, default_value = "0s", value_parser = duration)]
    ramp: Duration,
    /// How long an answered call lasts.
    #[arg(long, default_value = "3s", value_parser = duration)]
    hold: Duration,
    /// How long new ones begin; for ever when neither this nor --calls is given (Ctrl-C hangs up and tells). Where
    /// every packet is checked, how long that is done when all calls are up (default 10s).
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// How many begin at most; where every packet is checked, how many go on together (default 100).
    #[arg(long)]
    calls: Option<u64>,
    /// The most calls at a time; what is due beyond is not begun, and counted.
    #[arg(long, default_value_t = 20_000)]
    concurrent: usize,
    /// How long an answer may take.
    #[arg(long, default_value = "32s", value_parser = duration)]
    timeout: Duration,
    /// Calls at a time that speak and listen.
    #[arg(long, default_value_t = 10)]
    media: usize,
    /// No call speaks or listens.
    #[arg(long)]
    no_media: bool,
    /// Who calls to hear a prompt says nothing.
    #[arg(long)]
    silent_callers: bool,
    /// RTP ports, at the addresses of --from and --answer-at.
    #[arg(long, default_value = "40000-40999", value_parser = ports)]
    media_ports: RangeInclusive<u16>,
    /// The tone every caller must hear, in Hz: a multiple of 50 from 300 to 3400.
    #[arg(long)]
    hear: Option<u16>,
    /// Who registers: 1001, or 1000-1999.
    #[arg(long)]
    users: Option<String>,
    /// Who registers: a file of lines `user password`.
    #[arg(long, conflicts_with = "users")]
    users_file: Option<PathBuf>,
    /// The password of each of --users; {user} stands for the user.
    #[arg(long, default_value = "{user}")]
    password_pattern: String,
    /// The expiry registrations ask for.
    #[arg(long, default_value = "300s", value_parser = duration)]
    expires: Duration,
    /// Leaves the users registered at the end.
    #[arg(long)]
    stay_registered: bool,
    /// What the flood is made of: random, mangled, options, register, invite.
    #[arg(long, value_delimiter = ',', default_value = "random,mangled,options,register,invite")]
    junk: Vec<String>,
    /// TLS: the certificates (PEM) that vouch for the node.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// TLS: believe any certificate.
    #[arg(long)]
    insecure: bool,
    /// TLS: our certificate (PEM), for mutual TLS and to be called at --answer-at.
    #[arg(long)]
    cert: Option<PathBuf>,
    /// TLS: its key (PEM).
    #[arg(long)]
    key: Option<PathBuf>,
    /// TLS: the name the node's certificate must have; its address when left out.
    #[arg(long)]
    server_name: Option<String>,
    /// The process under test; found by its listening port when it is on this machine.
    #[arg(long)]
    pid: Option<u32>,
    /// Writes the summary there.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Draws it there: rate, calls, latency and the node's CPU and memory over time.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Ends with 1 when more failed.
    #[arg(long)]
    max_failures: Option<u64>,
    /// Ends with 1 when the 99th percentile of INVITE→200 (REGISTER→200, OPTIONS→200) is longer.
    #[arg(long)]
    p99_ms: Option<f64>,
    /// Ends with 1 when more packets were lost, twice there or otherwise wrong.
    #[arg(long)]
    max_lost: Option<u64>,
    /// Ends with 1 when the 99th percentile of packets' added delay is longer.
    #[arg(long)]
    delay_p99_ms: Option<f64>,
    /// No progress, only the summary.
    #[arg(long)]
    quiet: bool,
    /// What ids, tags and junk are drawn from; another one each time when left out.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TransportName {
    Udp,
    Tcp,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CodecName {
    G722,
    Opus,
}

/// What is to be done, checked.
pub(super) struct Plan {
    pub(super) scenario: Scenario,
    pub(super) target: SocketAddr,
    pub(super) transport: Transport,
    pub(super) sips: bool,
    pub(super) from: Vec<SocketAddr>,
    pub(super) to: String,
    pub(super) caller: String,
    pub(super) answer_at: Option<SocketAddr>,
    /// What it speaks where calls are transcoded; G.711 elsewhere.
    pub(super) codec: Option<Codec>,
    /// Where the third of a conference is.
    pub(super) third: Option<IpAddr>,
    /// Whether the node is one of our own.
    pub(super) start: bool,
    pub(super) silent_callers: bool,
    pub(super) ring: Duration,
    pub(super) rate: f64,
    pub(super) ramp: Duration,
    pub(super) hold: Duration,
    pub(super) duration: Option<Duration>,
    pub(super) calls: Option<u64>,
    pub(super) concurrent: usize,
    pub(super) timeout: Duration,
    /// Calls at a time with media; 0 is none.
    pub(super) media: usize,
    pub(super) media_ports: RangeInclusive<u16>,
    pub(super) hear: Option<u16>,
    pub(super) users: Vec<User>,
    pub(super) expires: Duration,
    pub(super) stay_registered: bool,
    pub(super) junk: Vec<JunkKind>,
    pub(super) tls: tandem_phone_net::TlsFiles,
    pub(super) pid: Option<u32>,
    pub(super) json: Option<PathBuf>,
    pub(super) svg: Option<PathBuf>,
    pub(super) thresholds: Thresholds,
    pub(super) quiet: bool,
    pub(super) seed: u64,
}

/// What must hold for a run to be good.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Thresholds {
    pub(super) max_failures: Option<u64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) max_lost: Option<u64>,
    pub(super) delay_p99_ms: Option<f64>,
}

impl Arguments {
    pub(super) const fn asks_for_list(&self) -> bool {
        self.list
    }

    /// What it comes to, or what to write instead.
    pub(super) fn plan(self) -> Result<Plan, String> {
        let scenario = self.scenario.ok_or("name a scenario; --list explains them")?;
        self.check(scenario)?;
        let last = self.from.port().checked_add(self.sockets - 1);
        let last = last.ok_or("there are not so many ports: fewer --sockets, or a lower port in --from")?;
        let ports = self.from.port()..=last;
        let users = Users { range: self.users.as_deref(), file: self.users_file.as_deref() };
        let is_checked = scenario.streams();
        let speaks = !self.no_media && scenario != Scenario::Straight && !is_checked;
        let media = if speaks { self.media } else { 0 };
        let rate = self.rate.unwrap_or(if is_checked { DEFAULT_RATE_OF_STREAMS } else { DEFAULT_RATE });
        Ok(Plan {
            scenario,
            target: self.target,
            transport: match self.transport {
                TransportName::Udp => Transport::Udp,
                TransportName::Tcp => Transport::Tcp,
                TransportName::Tls => Transport::Tls,
            },
            sips: self.sips,
            from: ports.map(|port| SocketAddr::new(self.from.ip(), port)).collect(),
            to: self.to,
            caller: self.caller,
            answer_at: self.answer_at,
            codec: (scenario == Scenario::Transcode).then_some(match self.codec {
                CodecName::G722 => Codec::G722,
                CodecName::Opus => Codec::Opus,
            }),
            third: None,
            start: self.start,
            silent_callers: self.silent_callers,
            ring: self.ring,
            rate,
            ramp: self.ramp,
            hold: self.hold,
            duration: self.duration.or(is_checked.then_some(DEFAULT_CHECKED_FOR)),
            calls: self.calls.or(is_checked.then_some(DEFAULT_STREAMS)),
            concurrent: self.concurrent.min(MAX_CONCURRENT),
            timeout: self.timeout,
            media: if self.hold < SHORTEST_AUDIBLE { 0 } else { media },
            media_ports: self.media_ports,
            hear: self.hear,
            users: if scenario == Scenario::Register {
                users.read(&self.password_pattern)?
            } else {
                Vec::new()
            },
            expires: self.expires,
            stay_registered: self.stay_registered,
            junk: junk(&self.junk)?,
            tls: tandem_phone_net::TlsFiles {
                authorities: self.ca,
                certificate: self.cert,
                key: self.key,
                server_name: self.server_name,
                insecure: self.insecure,
            },
            pid: self.pid,
            json: self.json,
            svg: self.svg,
            thresholds: Thresholds {
                max_failures: self.max_failures,
                p99_ms: self.p99_ms,
                max_lost: self.max_lost,
                delay_p99_ms: self.delay_p99_ms,
            },
            quiet: self.quiet,
            seed: self.seed.unwrap_or_else(|| SysRng.try_next_u64().unwrap_or(1)),
        })
    }

    fn check(&self, scenario: Scenario) -> Result<(), String> {
        if let Some(rate) = self.rate.filter(|rate| !(*rate > 0.0 && *rate <= 1e6)) {
            return Err(format!("--rate {rate}: more than 0 and at most 1,000,000 a second"));
        }
        self.check_streams(scenario)?;
        if scenario == Scenario::Straight && self.answer_at.is_none() {
            return Err(
                "straight needs --answer-at ADDRESS:PORT, where the node calls the other carrier".into()
            );
        }
        if self.sips && self.transport != TransportName::Tls {
            return Err("--sips asks for TLS: --transport tls".into());
        }
        if scenario == Scenario::Flood && self.transport != TransportName::Udp {
            return Err("flood sends datagrams: --transport udp".into());
        }
        if self.answer_at.is_some_and(|at| at.ip() == self.from.ip()) && self.answer_at == Some(self.from) {
            return Err("--answer-at and --from are the same address: give one of them another port".into());
        }
        let is_digits =
            |text: &str| text.strip_prefix('+').unwrap_or(text).bytes().all(|it| it.is_ascii_digit());
        if !is_digits(&self.caller) {
            return Err(format!("--caller {}: digits, with or without a + before them", self.caller));
        }
        match self.hear {
            Some(hz) if !tandem_phone::PhoneConfig::all_frequencies().contains(&hz) => {
                Err(format!("--hear {hz}: a multiple of 50 from 300 to 3400"))
            }
            _ => Ok(()),
        }
    }
}

impl Arguments {
    fn check_streams(&self, scenario: Scenario) -> Result<(), String> {
        let to_a_carrier = matches!(scenario, Scenario::Relay | Scenario::Srtp | Scenario::Transcode);
        match scenario {
            Scenario::Conference if !self.start => {
                Err("conference needs --start: its rooms are laid out in the node's configuration".into())
            }
            _ if to_a_carrier && !self.start && self.answer_at.is_none() => Err(format!(
                "{} needs --answer-at ADDRESS:PORT, where the node calls the other carrier, or --start",
                scenario.name()
            )),
            _ if self.start && !scenario.streams() => {
                Err("--start is for the scenarios that check every packet: relay, srtp, play, transcode, conference"
                    .into())
            }
            _ if scenario.streams() && self.calls.is_some_and(|calls| calls == 0 || calls > MAX_STREAMS) => {
                Err(format!("--calls: 1 to {MAX_STREAMS} where every packet is checked"))
            }
            _ => Ok(()),
        }
    }
}

fn junk(names: &[String]) -> Result<Vec<JunkKind>, String> {
    let kind =
        |name: &String| JunkKind::ALL.into_iter().find(|(known, _)| known == name).map(|(_, kind)| kind);
    names
        .iter()
        .map(|name| {
            kind(name)
                .ok_or_else(|| format!("--junk {name}: one of random, mangled, options, register, invite"))
        })
        .collect()
}

/// `250ms`, `3s`, `2m`, `1h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|it: char| it.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err("write a duration such as 250ms, 3s, 2m or 1h".into()),
    };
    let number: f64 = number.trim().parse().map_err(|_| "write a duration such as 250ms, 3s, 2m or 1h")?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())
}

/// `40000-40999`.
fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wanted = "write a range of ports such as 40000-40999, of at least 8";
    let (first, last) = text.split_once('-').ok_or(wanted)?;
    let (first, last): (u16, u16) = (first.parse().map_err(|_| wanted)?, last.parse().map_err(|_| wanted)?);
    if last < first.saturating_add(7) { Err(wanted.into()) } else { Ok(first..=last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let told =
            ["250ms", "3s", "1.5s", "7", "2m", "1h"].map(|text| duration(text).map(|it| it.as_millis()));
        assert_eq!(told, [Ok(250), Ok(3_000), Ok(1_500), Ok(7_000), Ok(120_000), Ok(3_600_000)]);
        for wrong in ["", "s", "3 days", "-1s", "1e300h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_are_a_range() {
        assert_eq!(ports("40000-40007"), Ok(40_000..=40_007));
        for wrong in ["40000", "40000-40006", "5-4", "a-b", "65000-70000"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn junk_has_names() {
        assert_eq!(junk(&["invite".into()]), Ok(vec![JunkKind::Invite]));
        assert!(junk(&["spam".into()]).is_err_and(|error| error.contains("one of random")));
    }
}
