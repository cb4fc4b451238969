//! From the file an operator names to everything a node needs, checked.

mod prompts;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tandem_config::{CallProgress, Config, Disk, MediaPath, Problem, Reach, Refusal, Treatment};
use tandem_control::flow::{Flow, Inventory};
use tandem_control::say::{self, Grammars};
use tandem_control::{AgentConfig, Announcement, ContactCentreConfig, Features, QueueConfig};
use tandem_control_api::{DialTarget, ProgressRules, RejectReason, Route};
use tandem_sbc_net::TlsConfig;
use tandem_switch::PromptLibrary;

use crate::rules::Rulebook;

/// The most files of flows, of prompts or of grammars.
const MAX_FILES: usize = 10_000;

/// A configuration that fits together, with its flows and prompts read.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The configuration.
    pub(crate) config: Config,
    /// What the contact centre is told.
    pub(crate) contact_centre: ContactCentreConfig,
    /// The prompts by name.
    pub(crate) prompts: PromptLibrary,
    /// What the transports are told of TLS.
    pub(crate) tls: TlsConfig,
    /// The rules of trunks that have some.
    pub(crate) rules: Rulebook,
}

/// Everything an operator has to correct, one line each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoadError(Vec<String>);

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl From<Problem> for LoadError {
    fn from(problem: Problem) -> Self {
        Self(vec![problem.to_string()])
    }
}

impl Loaded {
    /// Reads and checks the configuration at `path` and all it names.
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        let text = read_text(path)?;
        let config = Config::parse(path, &text, &RealDisk)
            .map_err(|problems| LoadError(problems.0.iter().map(ToString::to_string).collect()))?;
        let rules = crate::rules::compile(path, &config)
            .map_err(|problems| LoadError(problems.iter().map(ToString::to_string).collect()))?;
        let mut mistakes = Vec::new();
        let flows = read_flows(&config.flows_folder, &mut mistakes);
        let prompts = prompts::read(&config.prompts, &mut mistakes);
        let grammars = read_grammars(config.prompts.grammars.as_deref(), &mut mistakes);
        let tls = tls::read(path, &config, &mut mistakes);
        if let Some(Err(error)) = config.recording.as_ref().map(crate::node::recorder::form) {
            mistakes.push(format!("{}: recording.recipients: {error}", path.display()));
        }
        if !mistakes.is_empty() {
            return Err(LoadError(mistakes));
        }
        let contact_centre = contact_centre(&config, flows, &prompts, grammars);
        for flow in &contact_centre.flows {
            let queues = contact_centre.queues.iter().map(|queue| queue.name.clone()).collect();
            let (prompts, grammars) = (&contact_centre.prompts, contact_centre.grammars.as_ref());
            let (speech, recording) = (contact_centre.speech, contact_centre.recording);
            let inventory = Inventory { queues: &queues, prompts, grammars, speech, recording };
            if let Err(error) = flow.check(inventory) {
                mistakes.push(in_folder(&config.flows_folder, &error));
            }
        }
        if mistakes.is_empty()
            && let Err(error) = contact_centre.check()
        {
            mistakes.push(format!("{}: {error}", path.display()));
        }
        if mistakes.is_empty() {
            Ok(Self { config, contact_centre, prompts, tls, rules })
        } else {
            Err(LoadError(mistakes))
        }
    }

    /// Refuses certificates that are out of date, unless they are those in use: the one that runs may be better.
    ///
    /// # Errors
    /// Names each.
    pub(crate) fn without_expired_news(self, running: &Self, now: SystemTime) -> Result<Self, LoadError> {
        let (expired, _) = tls::out_of_date(&self.config, &tls::news(&self.tls, &running.tls), now);
        if expired.is_empty() { Ok(self) } else { Err(LoadError(expired)) }
    }

    /// What there is of everything.
    pub(crate) fn summary(&self) -> String {
        let count = |count: usize, what: &str, plural: &str| {
            if count == 1 { format!("1 {what}") } else { format!("{count} {plural}") }
        };
        [
            count(self.config.trunks.len(), "trunk", "trunks"),
            count(self.config.phones.users.len(), "user", "users"),
            count(self.config.agents.len(), "agent", "agents"),
            count(self.config.queues.len(), "queue", "queues"),
            count(self.config.entry_points.len(), "entry point", "entry points"),
            count(self.contact_centre.flows.len(), "flow", "flows"),
            count(self.prompts.len(), "prompt", "prompts"),
        ]
        .join(", ")
    }
}

struct RealDisk;

impl Disk for RealDisk {
    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    /// Tried, since permissions alone do not say it.
    fn is_writable(&self, path: &Path) -> bool {
        let probe = path.join(format!(".tandem-{}", std::process::id()));
        fs::write(&probe, []).and_then(|()| fs::remove_file(&probe)).is_ok()
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> LoadError {
    LoadError(vec![format!(
        "{}: cannot be read: {error}; name a file that this user may read",
        path.display()
    )])
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        LoadError(vec![format!("{}:{line}: is not UTF-8; save the file as UTF-8", path.display())])
    })
}

/// An error about `NAME.toml:LINE`, with the folder in front.
fn in_folder(folder: &Path, error: &dyn fmt::Display) -> String {
    folder.join(error.to_string()).display().to_string()
}

fn read_flows(folder: &Path, mistakes: &mut Vec<String>) -> Vec<Flow> {
    let mut flows = Vec::new();
    for (name, path) in files_of(folder, "toml", mistakes) {
        match read_text(&path) {
            Err(error) => mistakes.extend(error.0),
            Ok(text) => match tandem_control::flow::parse(&name, &text) {
                Ok(flow) => flows.push(flow),
                Err(error) => mistakes.push(in_folder(folder, &error)),
            },
        }
    }
    flows
}

fn read_grammars(folder: Option<&Path>, mistakes: &mut Vec<String>) -> Grammars {
    let mut grammars = Grammars::new();
    let Some(folder) = folder else { return grammars };
    for (language, path) in files_of(folder, "toml", mistakes) {
        match read_text(&path) {
            Err(error) => mistakes.extend(error.0),
            Ok(text) => match say::parse(&language, &text) {
                Ok(grammar) => drop(grammars.insert(language, grammar)),
                Err(error) => mistakes.push(in_folder(folder, &error)),
            },
        }
    }
    grammars
}

/// The files `NAME.extension` of a folder, by name.
fn files_of(folder: &Path, extension: &str, mistakes: &mut Vec<String>) -> BTreeMap<String, PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            mistakes.extend(unreadable(folder, &error).0);
            return BTreeMap::new();
        }
    };
    let files: BTreeMap<_, _> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .take(MAX_FILES + 1)
        .collect();
    if files.len() > MAX_FILES {
        mistakes.push(format!("{}: holds more than {MAX_FILES} .{extension} files", folder.display()));
    }
    files
}

fn contact_centre(
    config: &Config,
    flows: Vec<Flow>,
    prompts: &PromptLibrary,
    grammars: Grammars,
) -> ContactCentreConfig {
    let queues = config.queues.iter().map(|queue| QueueConfig {
        name: queue.name.clone(),
        agents: queue.agents.clone(),
        ring_timeout: queue.ring_timeout,
        music: queue.music.clone(),
        announcement: queue
            .announcement
            .as_ref()
            .map(|it| Announcement { prompt: it.prompt.clone(), every: it.every }),
        zip_tone: queue.zip_tone,
        record: queue.record,
        max_wait: queue.max_wait,
        wrap_up: queue.wrap_up,
        max_waiting: usize::try_from(queue.max_waiting).unwrap_or(QueueConfig::MAX_WAITING),
    });
    let agents = config
        .agents
        .iter()
        .map(|agent| AgentConfig { id: agent.name.clone(), target: target(&agent.reach) });
    let answered = config.entry_points.iter().filter_map(|it| match &it.treatment {
        Treatment::Flow(flow) => Some((it.number.clone(), flow.clone())),
        Treatment::Route { .. } | Treatment::Refuse(_) => None,
    });
    let refused = config.entry_points.iter().filter_map(|it| match it.treatment {
        Treatment::Refuse(refusal) => Some((it.number.clone(), reason(refusal))),
        Treatment::Flow(_) | Treatment::Route { .. } => None,
    });
    let announcing = config.entry_points.iter().filter(|it| !it.announce.is_empty());
    let straight = config.entry_points.iter().filter_map(|it| match &it.treatment {
        Treatment::Flow(_) | Treatment::Refuse(_) => None,
        Treatment::Route { reach, ring_timeout, media } => Some((
            it.number.clone(),
            Route { target: target(reach), ring_timeout: *ring_timeout, media: path(*media) },
        )),
    });
    let recorded = config.trunks.iter().filter(|trunk| trunk.record);
    ContactCentreConfig {
        entry_points: answered.collect(),
        routes: straight.collect(),
        refusals: refused.collect(),
        announcements: announcing.map(|it| (it.number.clone(), it.announce.clone())).collect(),
        flows,
        queues: queues.collect(),
        agents: agents.collect(),
        prompts: prompts.keys().cloned().collect(),
        grammars: Arc::new(grammars),
        speech: config.speech.is_some(),
        recording: config.recording.is_some(),
        recorded_trunks: recorded.map(|trunk| trunk.name.clone()).collect(),
        not_responding_pause: config.not_responding_pause,
        hold_music: config.hold_music.clone(),
        outbound_trunk: config.outbound_trunk.clone(),
        supervisors: config.supervisors.iter().cloned().collect(),
        pickup_groups: config.phones.pickup_groups.iter().map(|it| it.iter().cloned().collect()).collect(),
        features: features(config),
        call_progress: call_progress(config),
    }
}

/// What phones key and dial.
fn features(config: &Config) -> Features {
    Features {
        conference: config.features.conference.clone(),
        record: config.features.record.clone(),
        pause_recording: config.features.pause_recording.clone(),
        monitor: config.features.monitor.clone(),
        coach: config.features.coach.clone(),
        barge: config.features.barge.clone(),
        pick_up: config.features.pick_up.clone(),
        entry_tone: config.features.entry_tone,
    }
}

/// By trunk, and by route set as with the first of its trunks that has any.
fn call_progress(config: &Config) -> BTreeMap<String, ProgressRules> {
    let trunks = config
        .trunks
        .iter()
        .filter_map(|trunk| Some((trunk.name.clone(), progress_rules(trunk.call_progress.as_ref()?))));
    let mut rules: BTreeMap<_, _> = trunks.collect();
    for set in &config.route_sets {
        if let Some(first) = set.trunks.iter().find_map(|trunk| rules.get(trunk)).copied() {
            rules.insert(set.name.clone(), first);
        }
    }
    rules
}

const fn progress_rules(it: &CallProgress) -> ProgressRules {
    ProgressRules {
        tells_machines: it.machines,
        awaits_beep: it.beep,
        min_silence: it.min_silence,
        analysis_period: it.analysis_period,
        live_voice: it.live_voice,
        min_speech: it.min_speech,
        max_time: it.max_time,
        max_beep: it.max_beep,
        max_ringing: it.max_ringing,
    }
}

fn target(reach: &Reach) -> DialTarget {
    match reach {
        Reach::User(user) => DialTarget::User(user.clone()),
        Reach::Number { number, trunk } => DialTarget::Trunk { trunk: trunk.clone(), number: number.clone() },
    }
}

const fn reason(refusal: Refusal) -> RejectReason {
    match refusal {
        Refusal::NotFound => RejectReason::NotFound,
        Refusal::Busy => RejectReason::Busy,
        Refusal::Declined => RejectReason::Declined,
        Refusal::Unavailable => RejectReason::Unavailable,
        Refusal::NoAnswer => RejectReason::NoAnswer,
    }
}

const fn path(media: MediaPath) -> tandem_control_api::MediaPath {
    match media {
        MediaPath::Anchored => tandem_control_api::MediaPath::Anchored,
        MediaPath::Direct => tandem_control_api::MediaPath::Direct,
    }
}
