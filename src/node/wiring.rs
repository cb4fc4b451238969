//! The configuration in the words of each crate.

use std::collections::BTreeSet;
use std::sync::Arc;

use tandem_config as config;
use tandem_media::{Digit, DigitString};
use tandem_sbc::user_agent::{
    AudioCodec, DigestAlgorithm, DiversionHeader, Domain, Dtmf, EarlyMedia, ExtendedReports, Fingerprint,
    HealthConfig, IdentityHeader, IpPrefix, Keying, Limits, ListenAddress, NameLimits, OpusFormat, Outbound,
    PhoneConfig, PreferredRefresher, Profile, Protection, RedirectPolicy, ReferPolicy, RegisterConfig,
    ReliableProvisional, Repacketise, RouteConfig, RouteSet, Scheme, SessionIdPolicy, SessionTimerPolicy,
    SessionTimers, SrtpPolicy, Target, Timers, Transport, TrunkConfig, TrunkCredentials, UserAgentConfig,
    UserCredentials, instance_of,
};
use tandem_sbc_net::{DnsConfig, PacketRates, TcpLimits, TlsConfig, TransportsConfig};
use tandem_switch::{RecordingConfig, SpeechConfig, SwitchConfig};

use crate::rules::Rulebook;

/// For the user agent; `certificate` is what media threads show in handshakes.
pub(crate) fn user_agent(
    config: &config::Config,
    rules: &Rulebook,
    certificate: Option<Fingerprint>,
) -> UserAgentConfig {
    UserAgentConfig {
        listen: listen(config),
        trunks: config.trunks.iter().map(|it| trunk(config, it, rules)).collect(),
        route_sets: config.route_sets.iter().map(route_set).collect(),
        names: NameLimits {
            min_ttl: config.dns.min_ttl,
            max_ttl: config.dns.max_ttl,
            max_negative_ttl: config.dns.max_negative_ttl,
        },
        phones: phones(&config.phones, &config.sip.timers),
        limits: Limits {
            max_sessions: config.limits.max_sessions,
            max_transactions: config.limits.max_transactions,
            max_calls_per_second: config.limits.max_calls_per_second,
            max_queue_delay: config.limits.max_queue_delay,
            max_contacts_per_user: config.limits.max_contacts_per_user,
            max_ringing: config.sip.max_ringing,
        },
        timers: timers(&config.sip.timers),
        product: config.sip.product.clone(),
        emergency: config.emergency_numbers.clone(),
        direct: config.entry_points.iter().filter(|it| goes_direct(it)).map(|it| it.number.clone()).collect(),
        dtls_certificate: certificate,
        other_media_address: config.rtp.other_address,
        protection: protection(&config.protection),
    }
}

/// Whether the parties of its calls agree on media without us.
fn goes_direct(entry_point: &config::EntryPoint) -> bool {
    let media = match &entry_point.treatment {
        config::Treatment::Flow(_) | config::Treatment::Refuse(_) => return false,
        config::Treatment::Route { media, .. } => *media,
    };
    media == config::MediaPath::Direct
}

/// For the switch.
pub(crate) fn switch(config: &config::Config, workers: usize) -> SwitchConfig {
    SwitchConfig {
        media_address: config.rtp.address,
        media_ports: config.rtp.ports.clone(),
        port_rest: config.rtp.port_rest,
        workers,
        max_calls: config.limits.max_calls,
        max_legs_per_call: config.limits.max_legs_per_call,
        media_timeout: config.rtp.media_timeout,
        max_call_duration: config.limits.max_call_duration,
        phones_behind_nat: config.rtp.phones_behind_nat,
        phone_gateway: config.rtp.phone_gateway,
        speech: config.speech.as_ref().map(|speech| SpeechConfig { fallback: speech.fallback.clone() }),
        recording: config.recording.as_ref().map(|recording| RecordingConfig {
            trunks: trunks_that(config, |it| it.record),
            beep: recording.beep,
            beep_every: recording.beep_every,
            max: recording.max as usize,
        }),
        feature_codes: feature_codes(&config.features),
        refer_out: trunks_that(config, |it| it.refer_out),
        refer_out_attended: trunks_that(config, |it| it.refer_out_attended),
    }
}

/// Those that are keyed in a call.
fn feature_codes(features: &config::Features) -> Arc<[DigitString]> {
    let codes = [&features.conference, &features.record, &features.pause_recording];
    let digits = |code: &String| {
        let mut digits = DigitString::default();
        code.chars().filter_map(Digit::from_char).for_each(|digit| {
            let _ = digits.push(digit);
        });
        digits
    };
    codes.into_iter().flatten().map(digits).collect()
}

fn trunks_that(config: &config::Config, are: impl Fn(&config::Trunk) -> bool) -> BTreeSet<String> {
    config.trunks.iter().filter(|trunk| are(trunk)).map(|trunk| trunk.name.clone()).collect()
}

/// For the SIP transports.
pub(crate) fn transports(config: &config::Config, tls: &TlsConfig) -> TransportsConfig {
    TransportsConfig {
        listen: listen(config),
        allowed: allowed(config),
        carriers: carriers(config),
        rates: packet_rates(config),
        kernel_filter: config.sip.kernel_filter,
        tcp: TcpLimits::default(),
        tls: tls.clone(),
        websocket_origins: config.sip.websocket_origins.clone(),
    }
}

/// Every source that is heard.
pub(crate) fn allowed(config: &config::Config) -> Vec<IpPrefix> {
    let trunks = config.trunks.iter().flat_map(|trunk| &trunk.sources);
    trunks.chain(&config.phones.sources).map(prefix).collect()
}

/// Those of them that are carriers'.
pub(crate) fn carriers(config: &config::Config) -> Vec<IpPrefix> {
    config.trunks.iter().flat_map(|trunk| &trunk.sources).map(prefix).collect()
}

/// How much is read of each source.
pub(crate) fn packet_rates(config: &config::Config) -> PacketRates {
    let protection = &config.protection;
    PacketRates { carrier: protection.trunk_packets_per_second, other: protection.packets_per_second }
}

/// How many media threads, and the cores they are pinned to.
pub(crate) fn media_threads(config: &config::Config) -> (usize, Vec<usize>) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = config.rtp.threads.unwrap_or(cores).min(tandem_media_net::MAX_THREADS);
    (threads, (0..cores.min(threads)).collect())
}

/// How packets are given to the kernel.
pub(crate) fn media_io(config: &config::Config) -> tandem_media_net::IoChoice {
    match config.rtp.io {
        config::RtpIo::Auto => tandem_media_net::IoChoice::Auto,
        config::RtpIo::Mmsg => tandem_media_net::IoChoice::Mmsg,
        config::RtpIo::IoUring => tandem_media_net::IoChoice::IoUring,
    }
}

fn listen(config: &config::Config) -> Vec<ListenAddress> {
    let listen = config.sip.listen.iter();
    listen.map(|it| ListenAddress { transport: transport(it.transport), address: it.address }).collect()
}

fn trunk(config: &config::Config, trunk: &config::Trunk, rules: &Rulebook) -> TrunkConfig {
    let usual = &config.sip.timers;
    TrunkConfig {
        name: trunk.name.clone(),
        sources: trunk.sources.iter().map(prefix).collect(),
        peer: target(&trunk.peer),
        routes: trunk.routes.iter().map(route).collect(),
        health: trunk.health.as_ref().map(health),
        failover_on: trunk.failover_on.clone(),
        credentials: trunk.credentials.as_ref().map(credentials),
        redirects: trunk.redirects.as_ref().map(redirects),
        registrations: (1..)
            .zip(&trunk.registrations)
            .map(|it| Arc::new(register(&config.node_name, trunk, it)))
            .collect(),
        is_authenticated: trunk.uses(config::Transport::Tls)
            && trunk.tls.client_certificate == config::ClientCertificate::Required,
        profile: profile(&trunk.profile, usual),
        rules: rules.get(&trunk.name).cloned(),
        max_calls: trunk.max_calls,
        max_calls_per_second: trunk.max_calls_per_second,
        max_calls_per_second_out: trunk.max_calls_per_second_out,
        max_calls_per_source: trunk.max_calls_per_source,
    }
}

fn redirects(redirects: &config::Redirects) -> RedirectPolicy {
    let config::Redirects { max, trunks, prefixes } = redirects.clone();
    RedirectPolicy { max, trunks, prefixes }
}

fn register(
    node: &str,
    trunk: &config::Trunk,
    (reg_id, register): (u32, &config::Register),
) -> RegisterConfig {
    let own = register.credentials.as_ref().or(trunk.credentials.as_ref());
    RegisterConfig {
        aor: register.aor.clone(),
        registrar: register.registrar.as_ref().map(target),
        contact_user: register.contact_user.clone(),
        credentials: own.map(credentials),
        expires: register.expires,
        keep_alive: register.keep_alive,
        outbound: register.outbound.then(|| Outbound { instance: instance_of(node), reg_id }),
    }
}

fn route(route: &config::Route) -> RouteConfig {
    RouteConfig {
        to: target(&route.to),
        scheme: if route.is_sips { Scheme::Sips } else { Scheme::Sip },
        priority: route.priority,
        weight: route.weight,
        failover_after: route.failover_after,
        health: route.health.as_ref().map(health),
    }
}

fn target(target: &config::Target) -> Target {
    match target {
        config::Target::Address { address, transport: by } => {
            Target::Address { address: *address, transport: transport(*by) }
        }
        config::Target::Domain(config::Domain { name, port, transport: by }) => {
            Target::Domain(Domain { name: name.clone(), port: *port, transport: by.map(transport) })
        }
    }
}

/// For who asks DNS.
pub(crate) fn dns(config: &config::Config) -> DnsConfig {
    DnsConfig { servers: config.dns.servers.clone(), timeout: config.dns.timeout }
}

fn health(health: &config::Health) -> HealthConfig {
    let config::Health { interval, failures, successes, dead_on } = health.clone();
    HealthConfig { interval, failures, successes, dead_on }
}

fn route_set(set: &config::RouteSet) -> RouteSet {
    RouteSet { name: set.name.clone(), trunks: set.trunks.clone() }
}

fn credentials(credentials: &config::TrunkCredentials) -> TrunkCredentials {
    let config::TrunkCredentials { username, password, realm } = credentials.clone();
    TrunkCredentials { username, password, realm }
}

fn phones(phones: &config::Phones, usual: &config::SipTimers) -> PhoneConfig {
    let users = phones.users.iter();
    PhoneConfig {
        sources: phones.sources.iter().map(prefix).collect(),
        realm: phones.realm.clone(),
        digest: phones.digest.iter().map(digest).collect(),
        users: users
            .map(|user| UserCredentials { name: user.name.clone(), password: user.password.clone() })
            .collect(),
        pickup_groups: phones.pickup_groups.iter().map(|group| group.iter().cloned().collect()).collect(),
        min_expires: phones.min_expires,
        max_expires: phones.max_expires,
        keep_alive: phones.keep_alive,
        flow_timer: phones.flow_timer,
        max_calls_per_source: phones.max_calls_per_source,
        max_calls_per_second_per_source: phones.max_calls_per_second_per_source,
        profile: profile(&phones.profile, usual),
        browsers: profile(&phones.browsers, usual),
    }
}

fn profile(profile: &config::Profile, usual: &config::SipTimers) -> Profile {
    Profile {
        srtp: srtp(profile.srtp),
        srtp_keys: match profile.srtp_keys {
            config::Keying::Sdes => Keying::Sdes,
            config::Keying::Dtls => Keying::Dtls,
        },
        ice: profile.ice,
        codecs: profile.codecs.iter().map(codec).collect(),
        opus: opus(profile.opus),
        comfort_noise: profile.comfort_noise,
        rtcp_xr: match profile.rtcp_xr {
            config::ExtendedReports::Off => ExtendedReports::Off,
            config::ExtendedReports::Accept => ExtendedReports::Accept,
            config::ExtendedReports::Offer => ExtendedReports::Offer,
        },
        codec_change: profile.codec_change,
        ptime: Some(profile.ptime),
        repacketise: match profile.repacketise {
            config::Repacketise::Off => Repacketise::Off,
            config::Repacketise::Limit => Repacketise::Limit,
            config::Repacketise::Always => Repacketise::Always,
        },
        dtmf: match profile.dtmf {
            config::Dtmf::Rfc4733 => Dtmf::Rfc4733,
            config::Dtmf::InBand => Dtmf::InBand,
            config::Dtmf::Info => Dtmf::Info,
            config::Dtmf::InfoDtmf => Dtmf::InfoDtmf,
            config::Dtmf::Off => Dtmf::Off,
        },
        early_media: match profile.early_media {
            config::EarlyMedia::Accept => EarlyMedia::Accept,
            config::EarlyMedia::Ignore => EarlyMedia::Ignore,
        },
        reliable_provisional: match profile.reliable_provisional {
            config::ReliableProvisional::Off => ReliableProvisional::Off,
            config::ReliableProvisional::Supported => ReliableProvisional::Supported,
            config::ReliableProvisional::Required => ReliableProvisional::Required,
        },
        session_timers: session_timers(profile.session_timers),
        timers: peer_timers(&profile.timers, usual),
        max_ringing: profile.timers.max_ringing,
        max_forwards: profile.max_forwards,
        session_id: match profile.session_id {
            config::SessionId::Off => SessionIdPolicy::Off,
            config::SessionId::Accept => SessionIdPolicy::Accept,
            config::SessionId::Send => SessionIdPolicy::Send,
        },
        product_header: profile.product_header,
        refer: refer(profile.refer),
        refer_subscription: profile.refer_subscription,
        alive_check: profile.alive_check,
        trust_identity: profile.trust_identity,
        identity: match profile.identity {
            config::IdentityHeader::From => IdentityHeader::From,
            config::IdentityHeader::PAssertedIdentity => IdentityHeader::PAssertedIdentity,
            config::IdentityHeader::PPreferredIdentity => IdentityHeader::PPreferredIdentity,
            config::IdentityHeader::RemotePartyId => IdentityHeader::RemotePartyId,
        },
        diversion: match profile.diversion {
            config::DiversionHeader::Off => DiversionHeader::Off,
            config::DiversionHeader::Diversion => DiversionHeader::Diversion,
            config::DiversionHeader::HistoryInfo => DiversionHeader::HistoryInfo,
        },
        caller_id: profile.caller_id.clone(),
        caller_id_prefixes: profile.caller_id_prefixes.clone(),
    }
}

fn timers(timers: &config::SipTimers) -> Timers {
    Timers { t1: timers.t1, t2: timers.t2, t4: timers.t4, b: None }
}

/// None for a peer that has none of its own.
fn peer_timers(own: &config::PeerTimers, usual: &config::SipTimers) -> Option<Timers> {
    let has_own = own.t1.is_some() || own.t2.is_some() || own.timer_b.is_some();
    let (t1, t2) = (own.t1.unwrap_or(usual.t1), own.t2.unwrap_or(usual.t2));
    has_own.then_some(Timers { t1, t2, t4: usual.t4, b: own.timer_b })
}

fn session_timers(timers: config::SessionTimers) -> SessionTimers {
    SessionTimers {
        policy: match timers.policy {
            config::SessionTimerPolicy::Off => SessionTimerPolicy::Off,
            config::SessionTimerPolicy::Accept => SessionTimerPolicy::Accept,
            config::SessionTimerPolicy::Offer => SessionTimerPolicy::Offer,
            config::SessionTimerPolicy::Require => SessionTimerPolicy::Require,
        },
        interval: timers.interval,
        min_se: timers.min_se,
        refresher: match timers.refresher {
            config::SessionRefresher::Either => PreferredRefresher::Either,
            config::SessionRefresher::Us => PreferredRefresher::Us,
            config::SessionRefresher::Peer => PreferredRefresher::Peer,
        },
    }
}

const fn codec(codec: &config::Codec) -> AudioCodec {
    match codec {
        config::Codec::Pcmu => AudioCodec::Pcmu,
        config::Codec::Pcma => AudioCodec::Pcma,
        config::Codec::G722 => AudioCodec::G722,
        config::Codec::Opus => AudioCodec::Opus,
    }
}

const fn opus(opus: config::Opus) -> OpusFormat {
    OpusFormat {
        in_band_fec: opus.fec,
        dtx: opus.dtx,
        constant_bitrate: false,
        max_average_bitrate: opus.max_bitrate,
        max_playback_rate_hz: opus.max_playback_rate_hz,
    }
}

const fn refer(policy: config::ReferPolicy) -> ReferPolicy {
    match policy {
        config::ReferPolicy::Execute => ReferPolicy::Execute,
        config::ReferPolicy::Refuse => ReferPolicy::Refuse,
    }
}

const fn srtp(policy: config::SrtpPolicy) -> SrtpPolicy {
    match policy {
        config::SrtpPolicy::Off => SrtpPolicy::Off,
        config::SrtpPolicy::Offered => SrtpPolicy::Offered,
        config::SrtpPolicy::Required => SrtpPolicy::Required,
    }
}

fn protection(protection: &config::Protection) -> Protection {
    Protection {
        ban: protection.ban,
        max_ban: protection.max_ban,
        window: protection.window,
        authentication_failures: protection.authentication_failures,
        unknown_users: protection.unknown_users,
        unknown_numbers: protection.unknown_numbers,
        malformed: protection.malformed,
        packets_over_rate: protection.packets_over_rate,
        max_bans: protection.max_bans,
        ban_trunks: protection.ban_trunks,
        exempt: protection.exempt.iter().map(prefix).collect(),
    }
}

const fn digest(algorithm: &config::DigestAlgorithm) -> DigestAlgorithm {
    match algorithm {
        config::DigestAlgorithm::Md5 => DigestAlgorithm::Md5,
        config::DigestAlgorithm::Sha256 => DigestAlgorithm::Sha256,
    }
}

const fn transport(transport: config::Transport) -> Transport {
    match transport {
        config::Transport::Udp => Transport::Udp,
        config::Transport::Tcp => Transport::Tcp,
        config::Transport::Tls => Transport::Tls,
        config::Transport::Ws => Transport::Ws,
        config::Transport::Wss => Transport::Wss,
    }
}

pub(crate) const fn prefix(prefix: &config::IpPrefix) -> IpPrefix {
    IpPrefix { address: prefix.address, bits: prefix.bits }
}
