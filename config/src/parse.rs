//! From text to [`Config`], section by section, in an order in which every name is known before it is used.

mod addresses;
mod call_progress;
mod codecs;
mod entities;
mod features;
mod profile;
mod protection;
mod recording;
mod redirect;
mod register;
mod route;
mod rules;
mod speech;
mod timers;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use crate::model::{
    Config, Features, Limits, Log, LogFormat, LogLevel, Placed, Prompts, Rtp, RtpIo, Sip, SipListen,
    SipTimers, Transport,
};
use crate::problem::Problems;
use crate::reader::{Field, Names, Reader, Section};

/// The most listening addresses.
const MAX_LISTEN: usize = 16;
/// The most origins.
const MAX_ORIGINS: usize = 64;
/// The most calls a node can be told to take.
const MAX_CALLS: u32 = 1_000_000;

const SOCKET_ADDRESS: &str = "an address and a port such as \"127.0.0.1:5060\"";

/// The endings of prompts' files.
pub const PROMPT_ENDINGS: [&str; 3] = ["wav", "opus", "ogg"];

/// What names a prompt.
const PROMPT_NAME: &str = "the name of a prompt's file, without the ending";

/// How the files a configuration names are looked for.
pub trait Disk {
    /// Whether there is a file at `path`.
    fn is_file(&self, path: &Path) -> bool;
    /// Whether there is a folder at `path`.
    fn is_folder(&self, path: &Path) -> bool;
    /// Whether files can be made in the folder at `path`.
    fn is_writable(&self, path: &Path) -> bool;
}

impl Config {
    /// Reads the text of `file`. Relative paths in it start at the file's folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, not only the first thing.
    pub fn parse(file: &Path, text: &str, disk: &dyn Disk) -> Result<Self, Problems> {
        let name = file.display().to_string();
        let reader = Reader::new(&name, text);
        let (root, syntax_errors) = DeTable::parse_recoverable(text);
        if !syntax_errors.is_empty() {
            for error in syntax_errors {
                let span = error.span().unwrap_or(0..0);
                let mut message = error.message().lines().collect::<Vec<_>>().join(", ");
                let mut advice = "the syntax is TOML's, https://toml.io".to_owned();
                if message == "duplicate key" {
                    message = format!("{:?} stands here twice", text.get(span.clone()).unwrap_or_default());
                    "remove one".clone_into(&mut advice);
                }
                reader.problem(&span, "", message, advice);
            }
            // What could not be read would be called missing.
            return Err(Problems(reader.into_problems()));
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        let config = read_root(Section::root(&reader, &root), &Files { folder, disk });
        let problems = reader.into_problems();
        config.filter(|_| problems.is_empty()).ok_or(Problems(problems))
    }
}

/// Resolves and looks up paths.
struct Files<'f> {
    folder: &'f Path,
    disk: &'f dyn Disk,
}

impl Files<'_> {
    /// The folder that `key` names, which must exist.
    fn folder(&self, section: &Section<'_, '_>, key: &'static str) -> Option<PathBuf> {
        let (text, field) = section.string(key, "the path of a folder")?;
        let path = self.folder.join(text);
        if !self.disk.is_folder(&path) {
            let message = format!("there is no folder {}", path.display());
            section.problem(&field, message, "create it, or write where it is".into());
            return None;
        }
        Some(path)
    }

    /// The file that `key` names, which must exist.
    fn file(&self, section: &Section<'_, '_>, key: &'static str, expected: &str) -> Option<Placed<PathBuf>> {
        let (text, field) = section.string(key, expected)?;
        let path = self.folder.join(text);
        if !self.disk.is_file(&path) {
            let message = format!("there is no file {}", path.display());
            section.problem(&field, message, "create it, or write where it is".into());
            return None;
        }
        Some(section.placed(path, &field))
    }

    /// The prompt that `key` names; its file must exist.
    fn prompt(&self, section: &Section<'_, '_>, key: &'static str, folder: Option<&Path>) -> Option<String> {
        let (name, field) = section.string(key, PROMPT_NAME)?;
        self.has_prompt(section, &name, &field, folder).then_some(name)
    }

    /// Whether a prompt of that name has a file; a problem of the field otherwise.
    fn has_prompt(
        &self,
        section: &Section<'_, '_>,
        name: &str,
        field: &Field<'_, '_>,
        folder: Option<&Path>,
    ) -> bool {
        // Without its folder, which is a problem of its own, nothing can be said about the file.
        let file = |ending: &&str| folder.map(|folder| folder.join(format!("{name}.{ending}")));
        let Some(files) = PROMPT_ENDINGS.iter().map(file).collect::<Option<Vec<PathBuf>>>() else {
            return false;
        };
        if !files.iter().any(|file| self.disk.is_file(file)) {
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            let message = format!("there is no file {}", files.join(" or "));
            section.problem(field, message, "create it, or write the name of one that is there".into());
            return false;
        }
        true
    }

    /// `folder/NAME.extension` for the name under `key`; it must exist.
    fn named(
        &self,
        section: &Section<'_, '_>,
        key: &'static str,
        folder: Option<&Path>,
        extension: &str,
    ) -> Option<String> {
        let (name, field) =
            section.string(key, &format!("the name of a .{extension} file, without the ending"))?;
        // Without its folder, which is a problem of its own, nothing can be said about the file.
        let path = folder?.join(format!("{name}.{extension}"));
        if !self.disk.is_file(&path) {
            let message = format!("there is no file {}", path.display());
            section.problem(&field, message, "create it, or write the name of one that is there".into());
            return None;
        }
        Some(name)
    }
}

/// What stands in `[contact_centre]`.
struct ContactCentre {
    not_responding_pause: Duration,
    hold_music: Option<String>,
    outbound_trunk: Option<String>,
    supervisors: Vec<String>,
    features: Features,
}

fn read_contact_centre(
    root: &Section<'_, '_>,
    (trunks, users): (&Names, &Names),
    files: &Files<'_>,
    prompts: Option<&Path>,
) -> Option<ContactCentre> {
    let section = root.table("contact_centre");
    let not_responding_pause = section.seconds_or("not_responding_pause_s", 1..=3_600, 30);
    section.know(&["hold_music", "outbound_trunk"]);
    let if_there = |key| section.has(key).then_some(key);
    // Absent is well; wrong is not.
    let hold_music = if_there("hold_music").map(|key| files.prompt(&section, key, prompts));
    let outbound_trunk = if_there("outbound_trunk").map(|key| section.reference(key, "trunk", trunks));
    let supervisors = features::read_supervisors(&section, users);
    let features = features::read_features(root, &section);
    section.finish();
    Some(ContactCentre {
        supervisors: supervisors?,
        features: features?,
        not_responding_pause: not_responding_pause?,
        hold_music: hold_music.map_or(Some(None), |read| read.map(Some))?,
        outbound_trunk: outbound_trunk.map_or(Some(None), |read| read.map(Some))?,
    })
}

fn read_root(root: Section<'_, '_>, files: &Files<'_>) -> Option<Config> {
    let node = root.table("node");
    let node_name = node.parsed_or("name", "a name", "tandem".to_owned(), |text| Some(text.to_owned()));
    let drain_timeout = node.seconds_or("drain_timeout_s", 0..=86_400, 60);
    node.finish();

    let log = read_log(root.table("log"));
    let sip = read_sip(root.table("sip"));
    let listen = sip.as_ref().map(|sip| sip.listen.as_slice()).unwrap_or_default();
    let tls = tls::read_tls(root.table("tls"), listen, files);
    let rtp = read_rtp(root.table("rtp"), listen);
    let limits = read_limits(root.table("limits"), rtp.as_ref());

    let http_listen = read_http(root.table("http"), listen);
    let store_path = read_store(root.table("store"), files);

    let flows_folder = read_flows(root.table("flows"), files);
    let prompts = read_prompts(root.table("prompts"), files);
    let speech = speech::read_speech(&root, files, prompts.as_ref());
    let recording = recording::read_recording(&root, files);
    let prompts_folder = prompts.as_ref().map(|prompts| prompts.folder.as_path());

    let dns = route::read_dns(root.table("dns"));
    let protection = protection::read_protection(root.table("protection"));
    let emergency_numbers = protection::read_emergency(root.table("emergency"));

    let [mut trunk_names, mut user_names, mut agent_names] = [(); 3].map(|()| Names::default());
    let mut sources = entities::Sources::default();
    let trunks = entities::read_trunks(&root, &mut trunk_names, &mut sources, listen, files);
    let route_sets = route::read_route_sets(&root, &mut trunk_names);
    let phones = entities::read_phones(&root, &mut user_names, &mut sources);
    let names = (&trunk_names, &user_names);
    let contact_centre = read_contact_centre(&root, names, files, prompts_folder);
    let agents = entities::read_agents(&root, &mut agent_names, &trunk_names, &user_names);
    let queues = entities::read_queues(&root, &agent_names, files, prompts_folder);
    let folders = (flows_folder.as_deref(), prompts_folder);
    let recorded = recording::recorded_trunks(&trunks, &route_sets);
    let entry_points = entities::read_entry_points(&root, names, &recorded, files, folders);
    root.finish();

    Some(Config {
        node_name: node_name?,
        drain_timeout: drain_timeout?,
        log: log?,
        sip: sip?,
        tls: tls?,
        rtp: rtp?,
        limits: limits?,
        http_listen: http_listen?,
        store_path: store_path?,
        flows_folder: flows_folder?,
        prompts: prompts?,
        speech: speech?,
        recording: recording?,
        dns: dns?,
        protection: protection?,
        emergency_numbers: emergency_numbers?,
        trunks,
        route_sets,
        phones: phones?,
        not_responding_pause: contact_centre.as_ref()?.not_responding_pause,
        outbound_trunk: contact_centre.as_ref()?.outbound_trunk.clone(),
        supervisors: contact_centre.as_ref()?.supervisors.clone(),
        features: contact_centre.as_ref()?.features.clone(),
        hold_music: contact_centre?.hold_music,
        agents,
        queues,
        entry_points,
    })
}

fn read_store(section: Section<'_, '_>, files: &Files<'_>) -> Option<PathBuf> {
    let path = section.string("path", "the path of the SQLite file").map(|(path, field)| {
        let path = files.folder.join(path);
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        if let Some(folder) = folder.filter(|folder| !files.disk.is_folder(folder)) {
            let message = format!("there is no folder {}", folder.display());
            section.problem(&field, message, "create it, or write where the file is to be".into());
        }
        path
    });
    section.finish();
    path
}

fn read_flows(section: Section<'_, '_>, files: &Files<'_>) -> Option<PathBuf> {
    let folder = files.folder(&section, "folder");
    section.finish();
    folder
}

fn read_prompts(section: Section<'_, '_>, files: &Files<'_>) -> Option<Prompts> {
    let folder = files.folder(&section, "folder");
    section.know(&["grammars"]);
    // Absent is well; wrong is not.
    let grammars = section.has("grammars").then(|| files.folder(&section, "grammars"));
    let max_memory_mib = section.integer_or("max_memory_mib", 1..=65_536, 512);
    section.finish();
    Some(Prompts {
        folder: folder?,
        grammars: grammars.map_or(Some(None), |folder| folder.map(Some))?,
        max_memory_mib: max_memory_mib?,
    })
}

fn read_http(section: Section<'_, '_>, sip: &[SipListen]) -> Option<SocketAddr> {
    let usual = SocketAddr::from(([127, 0, 0, 1], 8080));
    let listen = section.parsed_or("listen", SOCKET_ADDRESS, usual, |text| text.parse().ok());
    if let Some(address) = listen {
        addresses::check_http(&section, address, sip);
    }
    section.finish();
    listen
}

fn read_log(section: Section<'_, '_>) -> Option<Log> {
    let level = section.parsed_or("level", "error, warn, info, debug or trace", LogLevel::Info, |text| {
        Some(match text {
            "error" => LogLevel::Error,
            "warn" => LogLevel::Warn,
            "info" => LogLevel::Info,
            "debug" => LogLevel::Debug,
            "trace" => LogLevel::Trace,
            _ => return None,
        })
    });
    let format = section.parsed_or("format", "text or json", LogFormat::Text, |text| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    });
    section.finish();
    Some(Log { level: level?, format: format? })
}

fn read_sip(section: Section<'_, '_>) -> Option<Sip> {
    let listen = read_listen(&section);
    let product = section.parsed_or("product", "a product name", "tandem".to_owned(), |text| {
        text.chars().all(|c| c.is_ascii_graphic() || c == ' ').then(|| text.to_owned())
    });
    let kernel_filter = section.boolean_or("kernel_filter", true);
    let realtime = section.boolean_or("realtime", true);
    let websocket_origins = read_origins(&section);
    let max_ringing = section.seconds_or("max_ringing_s", 1..=600, 180);
    // RFC 3261 §17.1.1.1 forbids a T1 below 500 ms outside closed networks; tests on loopback are one.
    let t1 = section.millis_or("t1_ms", 10..=10_000, 500);
    let t2 = section.millis_or("t2_ms", 10..=60_000, 4_000);
    let t4 = section.millis_or("t4_ms", 10..=60_000, 5_000);
    timers::in_order(&section, ("t1_ms", t1), ("t2_ms", t2));
    section.finish();
    let timers = SipTimers { t1: t1?, t2: t2?, t4: t4? };
    Some(Sip {
        listen: listen?,
        product: product?,
        kernel_filter: kernel_filter?,
        realtime: realtime?,
        websocket_origins: websocket_origins?,
        timers,
        max_ringing: max_ringing?,
    })
}

fn read_listen(section: &Section<'_, '_>) -> Option<Vec<SipListen>> {
    let expected = "a list such as [\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"]";
    let mut listen: Vec<SipListen> = Vec::new();
    let entries = section.strings("listen", expected, MAX_LISTEN)?;
    for (text, field) in &entries {
        let Some(entry) = parse_listen(text) else {
            section.problem(
                field,
                format!("found {text:?}"),
                "write \"udp:ADDRESS:PORT\", \"tcp:…\", \"tls:…\", \"ws:…\" or \"wss:…\"".into(),
            );
            continue;
        };
        if entry.address.ip().is_unspecified() {
            let advice = "write the one address that peers know, since it stands in Via and Contact".into();
            section.problem(field, format!("{} is every address", entry.address.ip()), advice);
        }
        if listen.contains(&entry) {
            section.problem(field, format!("{text:?} stands here twice"), "remove one".into());
        }
        addresses::check_listener(section, field, &entry, &listen);
        listen.push(entry);
    }
    if entries.is_empty() {
        section.problem_here("listen is empty".into(), format!("write {expected}"));
    }
    Some(listen)
}

fn read_origins(section: &Section<'_, '_>) -> Option<Vec<String>> {
    section.know(&["websocket_origins"]);
    if !section.has("websocket_origins") {
        return Some(Vec::new());
    }
    let expected = "a list such as [\"https://desk.example\"]";
    let entries = section.strings("websocket_origins", expected, MAX_ORIGINS)?;
    for (text, field) in &entries {
        // RFC 6454 §6.1: no path, not even a slash.
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.contains('/')) {
            section.problem(
                field,
                format!("found {text:?}"),
                "write \"https://HOST\", with the port if it is not 443".into(),
            );
        }
    }
    Some(entries.into_iter().map(|(text, _)| text).collect())
}

fn parse_listen(text: &str) -> Option<SipListen> {
    let (transport, address) = text.split_once(':')?;
    Some(SipListen { transport: parse_transport(transport)?, address: address.parse().ok()? })
}

fn parse_transport(text: &str) -> Option<Transport> {
    match text {
        "udp" => Some(Transport::Udp),
        "tcp" => Some(Transport::Tcp),
        "tls" => Some(Transport::Tls),
        "ws" => Some(Transport::Ws),
        "wss" => Some(Transport::Wss),
        _ => None,
    }
}

fn read_rtp(section: Section<'_, '_>, sip: &[SipListen]) -> Option<Rtp> {
    let addresses = read_addresses(&section);
    let ports = read_ports(&section);
    if let (Some((one, other)), Some(ports)) = (addresses, &ports) {
        let both: Vec<_> = [one].into_iter().chain(other).collect();
        addresses::check_rtp(&section, &both, ports, sip);
    }
    let port_rest = section.millis_or("port_rest_ms", 0..=60_000, 2_000);
    // 0 is a thread a core.
    let threads = section.integer_or("threads", 0..=256, 0);
    let realtime = section.boolean_or("realtime", true);
    let io = section.parsed_or("io", "\"auto\", \"mmsg\" or \"io_uring\"", RtpIo::Auto, |text| match text {
        "auto" => Some(RtpIo::Auto),
        "mmsg" => Some(RtpIo::Mmsg),
        "io_uring" => Some(RtpIo::IoUring),
        _ => None,
    });
    let media_timeout = section.seconds_or("media_timeout_s", 0..=86_400, 300);
    let phones_behind_nat = section.boolean_or("phones_behind_nat", true);
    let phone_gateway =
        section.parsed_or("phone_gateway", "an IP address", None, |text| text.parse().ok().map(Some));
    section.finish();
    Some(Rtp {
        address: addresses?.0,
        other_address: addresses?.1,
        ports: ports?,
        port_rest: port_rest?,
        threads: usize::try_from(threads?).ok().filter(|threads| *threads > 0),
        realtime: realtime?,
        io: io?,
        media_timeout: Some(media_timeout?).filter(|timeout| !timeout.is_zero()),
        phones_behind_nat: phones_behind_nat?,
        phone_gateway: phone_gateway?,
    })
}

/// One address, or one of each family, the one of the sockets that matter more first.
fn read_addresses(section: &Section<'_, '_>) -> Option<(IpAddr, Option<IpAddr>)> {
    const EXPECTED: &str = "the IP address to receive RTP on, or one of IPv4 and one of IPv6 such as [\"192.0.2.1\", \"2001:db8::1\"]";
    let parse = |text: &str| text.parse::<IpAddr>().ok().filter(|address| !address.is_unspecified());
    if !section.is_list("address") {
        return section.parsed("address", EXPECTED, parse).map(|address| (address, None));
    }
    let mut addresses = Vec::new();
    for (text, field) in section.strings("address", EXPECTED, 2)? {
        let Some(address) = parse(&text) else {
            section.problem(&field, format!("found {text:?}"), "write an IP address".to_owned());
            return None;
        };
        addresses.push(address);
    }
    match addresses[..] {
        [one, other] if one.is_ipv4() != other.is_ipv4() => Some((one, Some(other))),
        [_, _] => {
            let message = "both addresses are of one family".to_owned();
            section.problem_at("address", message, format!("write {EXPECTED}"));
            None
        }
        [one] => Some((one, None)),
        _ => {
            let message = "address is empty, so there would be no media".to_owned();
            section.problem_at("address", message, format!("write {EXPECTED}"));
            None
        }
    }
}

fn read_ports(section: &Section<'_, '_>) -> Option<RangeInclusive<u16>> {
    let expected = "a range such as \"20000-29999\"";
    let (text, field) = section.string("ports", expected)?;
    let range = text
        .split_once('-')
        .and_then(|(first, last)| Some(first.trim().parse::<u16>().ok()?..=last.trim().parse::<u16>().ok()?));
    let Some(range) = range else {
        section.problem(&field, format!("found {text:?}"), format!("write {expected}"));
        return None;
    };
    let (first, last) = (*range.start(), *range.end());
    let wrong = if first >= last {
        Some("the range is empty")
    } else if first < 1_024 {
        Some("ports below 1024 are other services'")
    } else if first % 2 == 1 || last % 2 == 0 {
        // RFC 3550 §11: RTP on an even port, RTCP on the odd one above.
        Some("RTP takes an even port and RTCP the odd one above, so a range begins even and ends odd")
    } else {
        None
    };
    if let Some(message) = wrong {
        let (low, high) = (first.min(last).max(1_024), last.max(first).max(1_025));
        let advice = format!("write for example \"{}-{}\"", low & !1, high | 1);
        section.problem(&field, message.to_owned(), advice);
        return None;
    }
    Some(range)
}

/// The number of calls defaults to what the ports allow; what outlives a call (RFC 3261's timers keep
/// transactions for 32 s) to many times that.
fn read_limits(section: Section<'_, '_>, rtp: Option<&Rtp>) -> Option<Limits> {
    let pairs =
        rtp.map_or(MAX_CALLS, |rtp| (u32::from(*rtp.ports.end()) + 1 - u32::from(*rtp.ports.start())) / 2);
    let max_calls = section.integer_or("max_calls", 1..=MAX_CALLS, pairs);
    let max_legs_per_call = section.integer_or("max_legs_per_call", 2..=64, 8);
    let max_call_duration = section.seconds_or("max_call_duration_s", 1..=604_800, 14_400);
    let max_sessions = section.integer_or("max_sessions", 1..=10 * MAX_CALLS, 100_000);
    let max_transactions = section.integer_or("max_transactions", 1..=10 * MAX_CALLS, 200_000);
    let max_calls_per_second = section.integer_or("max_calls_per_second", 1..=MAX_CALLS, 10_000);
    let max_queue_delay = section.millis_or("max_queue_delay_ms", 10..=10_000, 250);
    let max_contacts_per_user = section.integer_or("max_contacts_per_user", 1..=16, 4);
    section.finish();
    Some(Limits {
        max_calls: max_calls?,
        max_legs_per_call: u8::try_from(max_legs_per_call?).ok()?,
        max_call_duration: max_call_duration?,
        max_sessions: max_sessions?,
        max_transactions: max_transactions?,
        max_calls_per_second: max_calls_per_second?,
        max_queue_delay: max_queue_delay?,
        max_contacts_per_user: u8::try_from(max_contacts_per_user?).ok()?,
    })
}

/// A duration that is longer than the other one, with a problem otherwise.
fn ordered(section: &Section<'_, '_>, low: (&str, Duration), high: (&str, Duration)) {
    if low.1 > high.1 {
        let message =
            format!("{} ({} s) is longer than {} ({} s)", low.0, low.1.as_secs(), high.0, high.1.as_secs());
        section.problem_here(message, format!("write a shorter {} or a longer {}", low.0, high.0));
    }
}
