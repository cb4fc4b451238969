//! Trunks, phones, agents, queues and entry points.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::call_progress::read_call_progress;
use super::profile::read_profile;
use super::recording::{check_direct, read_record};
use super::redirect::read_redirects;
use super::register::read_registrations;
use super::route::{read_credentials, read_failover_on, read_health, read_peer, read_routes};
use super::rules::{read_numbers, read_rules};
use super::tls::read_trunk_tls;
use super::{Files, ordered};
use crate::address::IpPrefix;
use crate::model::{
    Agent, Announcement, DigestAlgorithm, EntryPoint, MediaPath, Phones, Profile, Queue, Reach, Refusal,
    SipListen, Transport, Treatment, Trunk, User,
};
use crate::reader::{Names, Section};

/// The most entries of a kind.
const MAX_TRUNKS: usize = 1_000;
const MAX_USERS: usize = 100_000;
const MAX_GROUPS: usize = 10_000;
const MAX_USERS_PER_GROUP: usize = 1_000;
const MAX_AGENTS: usize = 100_000;
const MAX_QUEUES: usize = 10_000;
const MAX_AGENTS_PER_QUEUE: usize = 10_000;
const MAX_ENTRY_POINTS: usize = 100_000;
/// The most prompts of an announcement before the answer.
const MAX_ANNOUNCED: usize = 16;
/// The most addresses, prefixes and ranges in one list.
const MAX_SOURCES: usize = 1_000;

/// RFC 8760 §2.3 puts the strongest first.
const ALL_DIGESTS: [DigestAlgorithm; 2] = [DigestAlgorithm::Sha256, DigestAlgorithm::Md5];

const SOURCES: &str = "a list of addresses, prefixes and ranges such as \
    [\"192.0.2.10\", \"198.51.100.0/24\", \"127.0.0.20-127.0.0.29\"]";

/// The source addresses given away so far, and to whom: each can be one peer's only.
#[derive(Default)]
pub(super) struct Sources {
    taken: Vec<(IpPrefix, String)>,
}

pub(super) fn read_trunks(
    root: &Section<'_, '_>,
    names: &mut Names,
    sources: &mut Sources,
    listen: &[SipListen],
    files: &Files<'_>,
) -> Vec<Trunk> {
    let sections = root.tables("trunk", "name", MAX_TRUNKS);
    // Before anything else of them, so that one may speak of another further down.
    let own_names: Vec<_> = sections.iter().map(|section| section.new_name("name", names)).collect();
    sections
        .into_iter()
        .zip(own_names)
        .filter_map(|(section, name)| {
            let owner = format!("trunk {:?}", name.as_deref().unwrap_or_default());
            let prefixes = read_sources(&section, &owner, sources);
            let routes = read_routes(&section, listen, prefixes.as_deref());
            let peer = read_peer(&section, listen, prefixes.as_deref(), routes.as_deref());
            let failover_on = read_failover_on(&section);
            let health = read_health(&section);
            let is_tls = peer.as_ref().is_none_or(|peer| peer.transport() == Some(Transport::Tls))
                || routes.iter().flatten().any(|route| route.uses(Transport::Tls));
            let tls = read_trunk_tls(&section, is_tls, files);
            let max_calls = section.integer_or("max_calls", 1..=1_000_000, 1_000);
            let max_calls_per_second = section.integer_or("max_calls_per_second", 1..=100_000, 100);
            let rate = max_calls_per_second.unwrap_or(100);
            let max_calls_per_second_out = section.integer_or("max_calls_per_second_out", 1..=100_000, rate);
            let per_source = max_calls.unwrap_or(1_000);
            let max_calls_per_source = section.integer_or("max_calls_per_source", 1..=1_000_000, per_source);
            let credentials = read_credentials(&section);
            let refer_out = section.boolean_or("refer_out", false);
            let call_progress = read_call_progress(&section);
            let redirects = read_redirects(&section, name.as_deref(), names);
            let refer_out_attended = section.boolean_or("refer_out_attended", false);
            let registrations = read_registrations(&section, listen, prefixes.as_deref());
            let profile = read_profile(&section, Profile::default());
            let record = read_record(root, &section);
            let rules = read_rules(&section);
            let numbers = read_numbers(&section);
            section.finish();
            Some(Trunk {
                name: name?,
                sources: prefixes?,
                peer: peer?,
                routes: routes?,
                health: health?,
                failover_on: failover_on?,
                max_calls: max_calls?,
                max_calls_per_second: max_calls_per_second?,
                max_calls_per_second_out: max_calls_per_second_out?,
                max_calls_per_source: max_calls_per_source?,
                credentials: credentials?,
                refer_out: refer_out?,
                call_progress: call_progress?,
                redirects: redirects?,
                refer_out_attended: refer_out_attended?,
                registrations: registrations?,
                profile: profile?,
                tls: tls?,
                record: record?,
                rules,
                numbers: numbers?,
            })
        })
        .collect()
}

pub(super) fn read_phones(
    root: &Section<'_, '_>,
    names: &mut Names,
    sources: &mut Sources,
) -> Option<Phones> {
    let users = root
        .tables("user", "name", MAX_USERS)
        .into_iter()
        .filter_map(|section| {
            let name = section.new_name("name", names);
            let password = section.secret("password", "the digest password");
            section.finish();
            Some(User { name: name?, password: password? })
        })
        .collect();
    let pickup_groups = read_pickup_groups(root, names);
    let section = root.table("phones");
    section.know(&["sources"]);
    let prefixes =
        if section.has("sources") { read_sources(&section, "the phones", sources) } else { Some(Vec::new()) };
    let realm = section.parsed_or("realm", "a realm without quotes", "tandem".to_owned(), |text| {
        text.chars().all(|c| c != '"' && c != '\\' && !c.is_control()).then(|| text.to_owned())
    });
    section.know(&["digest"]);
    let digest = if section.has("digest") { read_digest(&section) } else { Some(ALL_DIGESTS.to_vec()) };
    let profile = read_profile(&section, Profile::default());
    let min_expires = section.seconds_or("min_expires_s", 1..=86_400, 30);
    let max_expires = section.seconds_or("max_expires_s", 1..=86_400, 3_600);
    if let (Some(low), Some(high)) = (min_expires, max_expires) {
        ordered(&section, ("min_expires_s", low), ("max_expires_s", high));
    }
    let keep_alive = section.seconds_or("keep_alive_s", 0..=3_600, 25);
    let flow_timer = section.seconds_or("flow_timer_s", 0..=300, 120);
    let max_calls_per_source = section.integer_or("max_calls_per_source", 1..=1_000_000, 100);
    let max_calls_per_second_per_source =
        section.integer_or("max_calls_per_second_per_source", 1..=100_000, 20);
    section.finish();
    let section = root.table("browsers");
    let browsers = read_profile(&section, Profile::web_rtc());
    section.finish();
    Some(Phones {
        sources: prefixes?,
        realm: realm?,
        digest: digest?,
        min_expires: min_expires?,
        max_expires: max_expires?,
        keep_alive: Some(keep_alive?).filter(|interval| !interval.is_zero()),
        flow_timer: Some(flow_timer?).filter(|interval| !interval.is_zero()),
        max_calls_per_source: max_calls_per_source?,
        max_calls_per_second_per_source: max_calls_per_second_per_source?,
        profile: profile?,
        browsers: browsers?,
        users,
        pickup_groups,
    })
}

/// Who may take whose calls while they ring.
fn read_pickup_groups(root: &Section<'_, '_>, users: &Names) -> Vec<Vec<String>> {
    let mut groups = Names::default();
    let mut read = |section: Section<'_, '_>| {
        let name = section.new_name("name", &mut groups);
        let entries = section.strings("users", "a list of users", MAX_USERS_PER_GROUP);
        if entries.as_ref().is_some_and(|entries| entries.len() < 2) {
            section.problem_at(
                "users",
                "nobody is there to pick up for".into(),
                "name two users or more".into(),
            );
        }
        let is_known = |(user, field): &(String, _)| section.check_reference(user, field, "user", users);
        let known =
            entries.map(|entries| entries.into_iter().filter(is_known).map(|(user, _)| user).collect());
        section.finish();
        name.and(known)
    };
    root.tables("pickup_group", "name", MAX_GROUPS).into_iter().filter_map(&mut read).collect()
}

fn read_digest(section: &Section<'_, '_>) -> Option<Vec<DigestAlgorithm>> {
    let expected = "a list of \"SHA-256\" and \"MD5\", the preferred one first";
    let mut algorithms = Vec::new();
    let entries = section.strings("digest", expected, ALL_DIGESTS.len())?;
    for (text, field) in &entries {
        match text.as_str() {
            "MD5" => algorithms.push(DigestAlgorithm::Md5),
            "SHA-256" => algorithms.push(DigestAlgorithm::Sha256),
            _ => section.problem(field, format!("found {text:?}"), "write \"SHA-256\" or \"MD5\"".into()),
        }
    }
    if entries.is_empty() {
        section
            .problem_here("digest is empty, so no phone could register".into(), format!("write {expected}"));
    }
    Some(algorithms)
}

pub(super) fn read_agents(
    root: &Section<'_, '_>,
    names: &mut Names,
    trunks: &Names,
    users: &Names,
) -> Vec<Agent> {
    let mut agents: Vec<Agent> = Vec::new();
    // By phone: an agent who shares one could be offered two calls.
    let mut owners: BTreeMap<Reach, String> = BTreeMap::new();
    for section in root.tables("agent", "name", MAX_AGENTS) {
        let name = section.new_name("name", names);
        let reach = read_reach(&section, trunks, users);
        if let (Some(name), Some(reach)) = (name, reach) {
            if let Some(owner) = owners.insert(reach.clone(), name.clone()) {
                section
                    .problem_here(format!("agent {owner:?} has the same phone"), "give each its own".into());
            }
            agents.push(Agent { name, reach });
        }
        section.finish();
    }
    agents
}

fn read_reach(section: &Section<'_, '_>, trunks: &Names, users: &Names) -> Option<Reach> {
    section.know(&["user", "number", "trunk"]);
    match (section.has("user"), section.has("number")) {
        (true, false) => section.reference("user", "user", users).map(Reach::User),
        (false, true) => {
            let number = section.parsed("number", "a number such as \"+15550199\"", parse_number);
            let trunk = section.reference("trunk", "trunk", trunks);
            Some(Reach::Number { number: number?, trunk: trunk? })
        }
        (both, _) => {
            let found = if both { "both user and number" } else { "neither user nor number" };
            let advice = "write user = \"…\" for a softphone, or number = \"…\" and trunk = \"…\"";
            section.problem_here(format!("there is {found}"), advice.into());
            None
        }
    }
}

pub(super) fn read_queues(
    root: &Section<'_, '_>,
    agents: &Names,
    files: &Files<'_>,
    prompts: Option<&Path>,
) -> Vec<Queue> {
    let mut names = Names::default();
    root.tables("queue", "name", MAX_QUEUES)
        .into_iter()
        .filter_map(|section| {
            let name = section.new_name("name", &mut names);
            let members = read_members(&section, agents);
            let ring_timeout = section.seconds_or("ring_timeout_s", 1..=300, 15);
            let wrap_up = section.seconds_or("wrap_up_s", 0..=3_600, 10);
            let max_wait = section.seconds_or("max_wait_s", 1..=86_400, 3_600);
            let max_waiting = section.integer_or("max_waiting", 1..=100_000, 1_000);
            let music = files.prompt(&section, "music", prompts);
            let announcement = read_announcement(&section, files, prompts);
            let zip_tone = section.boolean_or("zip_tone", false);
            let record = read_record(root, &section);
            section.finish();
            Some(Queue {
                name: name?,
                agents: members?,
                ring_timeout: ring_timeout?,
                wrap_up: wrap_up?,
                max_wait: max_wait?,
                max_waiting: max_waiting?,
                music: music?,
                announcement: announcement?,
                zip_tone: zip_tone?,
                record: record?,
            })
        })
        .collect()
}

/// `Some(None)` when there is none, `None` when it is wrong.
fn read_announcement(
    queue: &Section<'_, '_>,
    files: &Files<'_>,
    prompts: Option<&Path>,
) -> Option<Option<Announcement>> {
    queue.know(&["announcement", "announcement_every_s"]);
    if !queue.has("announcement") && !queue.has("announcement_every_s") {
        return Some(None);
    }
    let prompt = files.prompt(queue, "announcement", prompts);
    let every = queue.seconds_or("announcement_every_s", 5..=3_600, 30);
    Some(Some(Announcement { prompt: prompt?, every: every? }))
}

fn read_members(section: &Section<'_, '_>, agents: &Names) -> Option<Vec<String>> {
    let mut members: Vec<String> = Vec::new();
    for (name, field) in section.strings("agents", "a list of agents' names", MAX_AGENTS_PER_QUEUE)? {
        if members.contains(&name) {
            section.problem(&field, format!("{name:?} stands here twice"), "remove one".into());
        } else if section.check_reference(&name, &field, "agent", agents) {
            members.push(name);
        }
    }
    Some(members)
}

pub(super) fn read_entry_points(
    root: &Section<'_, '_>,
    (trunks, users): (&Names, &Names),
    recorded: &BTreeSet<&str>,
    files: &Files<'_>,
    (flows, prompts): (Option<&Path>, Option<&Path>),
) -> Vec<EntryPoint> {
    let mut numbers = Names::default();
    root.tables("entry_point", "number", MAX_ENTRY_POINTS)
        .into_iter()
        .filter_map(|section| {
            let number = section.new_name("number", &mut numbers);
            let treatment = read_treatment(&section, number.as_deref(), trunks, users, files, flows);
            let announce = read_announce(&section, files, prompts);
            check_direct(&section, treatment.as_ref(), recorded);
            section.finish();
            Some(EntryPoint { number: number?, announce: announce?, treatment: treatment? })
        })
        .collect()
}

fn read_treatment(
    section: &Section<'_, '_>,
    dialled: Option<&str>,
    trunks: &Names,
    users: &Names,
    files: &Files<'_>,
    flows: Option<&Path>,
) -> Option<Treatment> {
    section.know(&["flow", "user", "trunk", "refuse", "to", "ring_timeout_s", "media", "announce"]);
    let kinds = ["flow", "user", "trunk", "refuse"];
    let written: Vec<_> = kinds.into_iter().filter(|key| section.has(key)).collect();
    let only_with = |key: &str, others: &str| {
        if section.has(key) {
            let message = format!("{key} goes with {others} only");
            section.problem_here(message, format!("remove {key}"));
        }
    };
    if let ["flow" | "refuse"] = written[..] {
        only_with("to", "trunk");
        only_with("ring_timeout_s", "user and trunk");
        only_with("media", "user and trunk");
        if section.has("flow") {
            return files.named(section, "flow", flows, "toml").map(Treatment::Flow);
        }
        return section.parsed("refuse", REFUSALS, parse_refusal).map(Treatment::Refuse);
    }
    only_with("announce", "flow and refuse");
    let reach = match written[..] {
        ["user"] => {
            only_with("to", "trunk");
            section.reference("user", "user", users).map(Reach::User)
        }
        ["trunk"] => {
            let trunk = section.reference("trunk", "trunk", trunks);
            let same = dialled.unwrap_or_default().to_owned();
            let number = section.parsed_or("to", "a number such as \"+15550199\"", same, parse_number);
            Some(Reach::Number { number: number?, trunk: trunk? })
        }
        _ => {
            let found = match written.as_slice() {
                [] => "neither flow nor user nor trunk nor refuse".to_owned(),
                several => several.join(" and "),
            };
            let advice = "write flow = \"…\" to answer, user = \"…\" or trunk = \"…\" to go straight through, or refuse = \"…\"";
            section.problem_here(format!("there is {found}"), advice.into());
            None
        }
    };
    let ring_timeout = section.seconds_or("ring_timeout_s", 1..=600, 60);
    let media = section.parsed_or("media", "anchored or direct", MediaPath::Anchored, |text| match text {
        "anchored" => Some(MediaPath::Anchored),
        "direct" => Some(MediaPath::Direct),
        _ => None,
    });
    Some(Treatment::Route { reach: reach?, ring_timeout: ring_timeout?, media: media? })
}

/// What may be written for a refusal.
const REFUSALS: &str = "not_found, busy, declined, unavailable or no_answer";

fn parse_refusal(text: &str) -> Option<Refusal> {
    Some(match text {
        "not_found" => Refusal::NotFound,
        "busy" => Refusal::Busy,
        "declined" => Refusal::Declined,
        "unavailable" => Refusal::Unavailable,
        "no_answer" => Refusal::NoAnswer,
        _ => return None,
    })
}

fn read_announce(section: &Section<'_, '_>, files: &Files<'_>, folder: Option<&Path>) -> Option<Vec<String>> {
    if !section.has("announce") {
        return Some(Vec::new());
    }
    let named = section.strings("announce", "the names of prompts, as in [\"closed\"]", MAX_ANNOUNCED)?;
    let known: Vec<bool> =
        named.iter().map(|(name, field)| files.has_prompt(section, name, field, folder)).collect();
    known.into_iter().all(|it| it).then(|| named.into_iter().map(|(name, _)| name).collect())
}

fn read_sources(section: &Section<'_, '_>, owner: &str, sources: &mut Sources) -> Option<Vec<IpPrefix>> {
    let mut prefixes = Vec::new();
    let mut are_read = true;
    let entries = section.strings("sources", SOURCES, MAX_SOURCES)?;
    if entries.is_empty() {
        section
            .problem_here("sources is empty, so nothing would be let in".into(), format!("write {SOURCES}"));
    }
    for (text, field) in entries {
        let parsed = match IpPrefix::parse_all(&text) {
            Ok(parsed) => parsed,
            Err(message) => {
                section.problem(&field, message, "write an address, PREFIX/BITS or FIRST-LAST".into());
                are_read = false;
                continue;
            }
        };
        for prefix in parsed {
            let other = sources.taken.iter().find(|(taken, _)| taken.overlaps(prefix));
            if let Some((taken, whose)) = other {
                let message = format!("{prefix} overlaps {taken} of {whose}");
                section.problem(&field, message, "give each address to one peer".into());
            }
            prefixes.push(prefix);
            sources.taken.push((prefix, owner.to_owned()));
        }
    }
    are_read.then_some(prefixes)
}

/// Digits with an optional `+`, as dialled.
fn parse_number(text: &str) -> Option<String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let valid = (1..=20).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
    valid.then(|| text.to_owned())
}
