//! The node's configuration: the demo's flows and numbers, with two agents at outside numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tandem_control::{AgentConfig, Announcement, ContactCentreConfig, Features, QueueConfig, flow};
use tandem_control_api::{DialTarget, MediaPath, ProgressRules, RejectReason, Route};
use tandem_media::{Digit, DigitString};
use tandem_sbc::rules::{
    ActionText, ConditionText, Direction, On, RuleSet, RuleText, Subject, TestText, Text, TrunkRules,
};
use tandem_sbc::user_agent::{
    HealthConfig, IpPrefix, Limits, ListenAddress, PhoneConfig, Profile, RedirectPolicy, RegisterConfig,
    RouteConfig, Target, Transport, TrunkConfig, TrunkCredentials, UserAgentConfig, UserCredentials,
};
use tandem_switch::{RecordingConfig, SwitchConfig};

use crate::node::{ADDRESS, SIP, SIPS, TRUNK};
use crate::rogue::{self, ACCOMPLICE, GUESSER, ROGUE};
use crate::scenario::{Knobs, Supervision};
use crate::voices::PROMPTS;

/// The carrier.
pub(crate) const CARRIER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10)), 5_070);
/// A scanner among the phones' addresses.
pub(crate) const SCANNER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77)), 5_060);
/// Two hosts of another carrier's, by the second of which its numbers are reached when the first is silent.
pub(crate) const FIRST_PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 14)), 5_070);
/// That carrier's registrar.
pub(crate) const REGISTRAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 15)), 5_070);
/// See [`FIRST_PROXY`].
pub(crate) const SECOND_PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 13)), 5_070);
/// How many users there are: 1001, 1002, …
pub(crate) const USERS: u16 = 10;
/// The music of both queues.
pub(crate) const MUSIC: &str = "music";
/// A number of the carrier's that is nobody's here.
pub(crate) const SUBSCRIBER: &str = "+15550195";
/// The trunk with two destinations.
const TWO_WAYS: &str = "carrier-c";
/// What is said to those who wait for `sales`.
pub(crate) const ANNOUNCEMENT: &str = "please-wait";
/// How often.
pub(crate) const ANNOUNCEMENT_EVERY: Duration = Duration::from_secs(7);
/// Keyed by who wants a conference.
pub(crate) const CONFERENCE_CODE: &str = "*3";
/// Keyed by who wants a conversation recorded, or no longer.
pub(crate) const RECORD_CODE: &str = "*1";

/// Who serves which queue.
#[derive(Clone, Debug)]
pub(crate) struct Agents {
    /// Outside numbers that serve `sales`, then `support`.
    pub(crate) outside: [Vec<String>; 2],
}

/// A user's name.
pub(crate) fn user(n: u16) -> String {
    (1_000 + n).to_string()
}

/// A user's password.
pub(crate) fn password(user: &str) -> String {
    format!("secret-{user}")
}

/// The address of a phone.
pub(crate) fn phone_address(n: u16) -> SocketAddr {
    let host = u8::try_from(19 + n).unwrap_or(u8::MAX);
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 5_060))
}

pub(crate) fn user_agent(knobs: &Knobs) -> UserAgentConfig {
    let host = |address: SocketAddr| IpPrefix { address: address.ip(), bits: 32 };
    let [_, phones_codecs] = knobs.codecs.clone();
    UserAgentConfig {
        trunks: vec![
            rogue_trunk(),
            two_ways(knobs),
            TrunkConfig {
                credentials: Some(TrunkCredentials {
                    username: "us".into(),
                    password: "secret".into(),
                    realm: None,
                }),
                redirects: Some(RedirectPolicy {
                    max: 2,
                    trunks: vec![TRUNK.into(), TWO_WAYS.into()],
                    prefixes: vec!["+1555".into()],
                }),
                max_calls: knobs.trunk_max_calls,
                max_calls_per_second: knobs.trunk_max_calls_per_second,
                profile: carrier_profile(knobs),
                rules: knobs.screens.then(screening),
                ..TrunkConfig::new(TRUNK, vec![host(CARRIER)], CARRIER)
            },
        ],
        phones: PhoneConfig {
            sources: (1..=USERS).map(phone_address).chain([SCANNER, ACCOMPLICE, GUESSER]).map(host).collect(),
            realm: "tandem.sim".into(),
            pickup_groups: vec![COLLEAGUES.map(user).into()],
            users: (1..=USERS)
                .map(user)
                .map(|name| UserCredentials { password: password(&name), name })
                .collect(),
            profile: Profile {
                srtp: knobs.phones_srtp,
                codecs: phones_codecs,
                session_timers: knobs.session_timers,
                codec_change: knobs.codec_change,
                repacketise: knobs.repacketise,
                comfort_noise: knobs.comfort_noise,
                rtcp_xr: knobs.rtcp_xr,
                alive_check: Some(knobs.alive_check),
                ..Profile::default()
            },
            ..PhoneConfig::default()
        },
        limits: Limits {
            max_sessions: 1_000,
            max_transactions: 5_000,
            max_contacts_per_user: 4,
            max_ringing: Duration::from_secs(60),
            ..Limits::default()
        },
        ..UserAgentConfig::new(vec![
            ListenAddress { transport: Transport::Udp, address: SIP },
            ListenAddress { transport: Transport::Tcp, address: SIP },
            ListenAddress { transport: Transport::Tls, address: SIPS },
        ])
    }
}

/// A carrier with two proxies.
fn two_ways(knobs: &Knobs) -> TrunkConfig {
    let route = |address, priority| RouteConfig { priority, ..RouteConfig::new(address, Transport::Udp) };
    let host = |address: SocketAddr| IpPrefix { address: address.ip(), bits: 32 };
    let sources = vec![host(FIRST_PROXY), host(SECOND_PROXY), host(REGISTRAR)];
    let registrar = Target::Address { address: REGISTRAR, transport: Transport::Udp };
    let registration =
        RegisterConfig { registrar: Some(registrar), ..RegisterConfig::new("sip:4711@carrier-c.sim") };
    let interval = Duration::from_secs(15);
    let health = HealthConfig { interval, failures: 2, successes: 2, ..HealthConfig::default() };
    TrunkConfig {
        health: knobs.health.then_some(health),
        registrations: knobs.registers.then(|| registration.into()).into_iter().collect(),
        profile: carrier_profile(knobs),
        routes: vec![route(FIRST_PROXY, 1), route(SECOND_PROXY, 2)],
        ..TrunkConfig::new(TWO_WAYS, sources, FIRST_PROXY)
    }
}

fn carrier_profile(knobs: &Knobs) -> Profile {
    let [codecs, _] = knobs.codecs.clone();
    Profile {
        srtp: knobs.trunk_srtp,
        session_timers: knobs.session_timers,
        codecs,
        codec_change: knobs.codec_change,
        repacketise: knobs.repacketise,
        comfort_noise: knobs.comfort_noise,
        rtcp_xr: knobs.rtcp_xr,
        alive_check: Some(knobs.alive_check),
        session_id: knobs.session_id,
        ..Profile::default()
    }
}

/// Listed, and kept short.
fn rogue_trunk() -> TrunkConfig {
    TrunkConfig {
        max_calls: rogue::MAX_CALLS,
        max_calls_per_second: rogue::MAX_CALLS,
        ..TrunkConfig::new("carrier-b", vec![IpPrefix { address: ROGUE.ip(), bits: 32 }], ROGUE)
    }
}

pub(crate) fn switch(knobs: &Knobs) -> SwitchConfig {
    SwitchConfig {
        max_calls: knobs.max_calls,
        media_timeout: Some(knobs.media_timeout),
        max_call_duration: Duration::from_secs(3_600),
        phones_behind_nat: true,
        refer_out: knobs.refer_out.then(|| TRUNK.to_owned()).into_iter().collect(),
        refer_out_attended: knobs.refer_out_attended.then(|| TRUNK.to_owned()).into_iter().collect(),
        recording: (knobs.records || knobs.records_by_key).then(|| RecordingConfig {
            trunks: if knobs.records { [TRUNK, TWO_WAYS].map(str::to_owned).into() } else { BTreeSet::new() },
            max: 1_000,
            ..RecordingConfig::default()
        }),
        feature_codes: feature_codes(knobs).map(digits).collect(),
        ..SwitchConfig::new(ADDRESS, 20_000..=20_000 + knobs.media_ports - 1)
    }
}

/// What phones key in their calls.
pub(crate) fn feature_codes(knobs: &Knobs) -> impl Iterator<Item = &'static str> {
    let code = |there_is: bool, code| there_is.then_some(code);
    [code(knobs.confers, CONFERENCE_CODE), code(knobs.records_by_key, RECORD_CODE)].into_iter().flatten()
}

fn digits(code: &str) -> DigitString {
    let mut digits = DigitString::default();
    for digit in code.chars().filter_map(Digit::from_char) {
        assert!(digits.push(digit));
    }
    digits
}

/// Users 1001 to 1005 serve `sales`, 1006 to 1009 `support`; 1010 only calls.
pub(crate) fn contact_centre(knobs: &Knobs, agents: &Agents) -> ContactCentreConfig {
    let [sales, support] = &agents.outside;
    let queue = |name: &str, users: std::ops::RangeInclusive<u16>, outside: &[String]| QueueConfig {
        name: name.into(),
        agents: users.map(user).chain(outside.iter().cloned()).collect(),
        ring_timeout: Duration::from_secs(6),
        music: MUSIC.into(),
        announcement: (name == "sales")
            .then(|| Announcement { prompt: ANNOUNCEMENT.into(), every: ANNOUNCEMENT_EVERY }),
        zip_tone: false,
        record: false,
        max_wait: Duration::from_secs(40),
        wrap_up: Duration::from_secs(2),
        max_waiting: 100,
    };
    let inside = (1..USERS).map(|n| AgentConfig { id: user(n), target: DialTarget::User(user(n)) });
    let outside = sales.iter().chain(support).map(|number| AgentConfig {
        id: number.clone(),
        target: DialTarget::Trunk { trunk: TRUNK.into(), number: number.clone() },
    });
    let numbers = ["main-menu", "sales", "prompt-loop", "echo", "read-back"];
    ContactCentreConfig {
        entry_points: (0..)
            .zip(numbers)
            .map(|(n, flow)| (format!("+155501{n:02}"), flow.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        routes: routes(),
        refusals: BTreeMap::from([
            (GONE.to_owned(), RejectReason::NotFound),
            (DECLINED.to_owned(), RejectReason::Declined),
        ]),
        announcements: BTreeMap::from([(GONE.to_owned(), vec!["goodbye".to_owned()])]),
        flows: flows(),
        queues: vec![queue("sales", 1..=5, sales), queue("support", 6..=9, support)],
        agents: inside.chain(outside).collect(),
        prompts: PROMPTS.iter().map(|(name, ..)| (*name).to_owned()).collect::<BTreeSet<_>>(),
        grammars: Arc::default(),
        speech: false,
        recording: false,
        recorded_trunks: BTreeSet::new(),
        not_responding_pause: Duration::from_secs(10),
        hold_music: knobs.hold_music.then(|| MUSIC.to_owned()),
        // Whom agents consult at the carrier.
        outbound_trunk: knobs.refer_out_attended.then(|| TRUNK.to_owned()),
        supervisors: BTreeSet::from([user(USERS)]),
        pickup_groups: vec![COLLEAGUES.map(user).into()],
        features: features(knobs),
        call_progress: knobs
            .listens
            .then(|| (TRUNK.to_owned(), ProgressRules::default()))
            .into_iter()
            .collect(),
    }
}

fn features(knobs: &Knobs) -> Features {
    let code = |code: &str| knobs.confers.then(|| code.to_owned());
    Features {
        conference: code(CONFERENCE_CODE),
        record: knobs.records_by_key.then(|| RECORD_CODE.to_owned()),
        pause_recording: None,
        monitor: code(Supervision::Monitor.code()),
        coach: code(Supervision::Coach.code()),
        barge: code(Supervision::Barge.code()),
        pick_up: Some(PICK_UP_CODE.to_owned()),
        entry_tone: false,
    }
}

/// Users who may take each other's calls.
pub(crate) const COLLEAGUES: [u16; 2] = [1, 3];

/// What phones dial for the call that rings at a colleague's.
pub(crate) const PICK_UP_CODE: &str = "*8";

/// The number that is told to be gone.
pub(crate) const GONE: &str = "+15550120";

/// The number of those who are turned away.
const DECLINED: &str = "+15550121";

/// Callers whose numbers begin so are turned away, whomever they call: the rules of their trunk have them call [`DECLINED`].
const UNWANTED: &str = "+1900";

fn screening() -> Arc<TrunkRules> {
    let text = |text: &str| Text { text: text.to_owned(), at: 0 };
    let unwanted = ConditionText {
        field: text("From"),
        subject: Subject::User,
        test: TestText::Matches(text(&format!("^\\{UNWANTED}"))),
    };
    let turned_away = RuleText {
        at: 0,
        name: "screening".to_owned(),
        on: On::Request,
        methods: vec![text("INVITE")],
        statuses: Vec::new(),
        when: vec![unwanted],
        actions: vec![ActionText::SetUser { field: text("Request-URI"), value: text(DECLINED) }],
        stop: false,
    };
    let compile = |direction, rules: &[RuleText]| {
        RuleSet::compile(direction, rules, None).expect("rules without a mistake")
    };
    Arc::new(TrunkRules {
        inbound: compile(Direction::In, &[turned_away]),
        outbound: compile(Direction::Out, &[]),
    })
}

/// Numbers that lead straight to a phone, to a subscriber of the carrier's, there by two ways, and to the phone with its
/// media past us.
fn routes() -> BTreeMap<String, Route> {
    let phone = || DialTarget::User(user(1));
    let trunk = |trunk: &str| DialTarget::Trunk { trunk: trunk.into(), number: SUBSCRIBER.into() };
    let targets = [
        (phone(), MediaPath::Anchored),
        (trunk(TRUNK), MediaPath::Anchored),
        (trunk(TWO_WAYS), MediaPath::Anchored),
        (phone(), MediaPath::Direct),
    ];
    let route = |(target, media)| Route { target, ring_timeout: Duration::from_secs(60), media };
    (10..).zip(targets).map(|(n, target)| (format!("+155501{n}"), route(target))).collect()
}

fn flows() -> Vec<flow::Flow> {
    macro_rules! demo_flow {
        ($name:literal) => {
            flow::parse($name, include_str!(concat!("../../../config/demo/flows/", $name, ".toml")))
                .expect("the demo's flows are sound")
        };
    }
    vec![
        demo_flow!("main-menu"),
        demo_flow!("sales"),
        demo_flow!("prompt-loop"),
        demo_flow!("echo"),
        demo_flow!("read-back"),
    ]
}
