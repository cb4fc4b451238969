//! The demo's flows with two small queues, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tandem_control::{AgentConfig, Announcement, ContactCentre, ContactCentreConfig, QueueConfig, flow};
use tandem_control_api::DialTarget;

pub(crate) const PAUSE: Duration = Duration::from_secs(30);
pub(crate) const WRAP_UP: Duration = Duration::from_secs(5);
pub(crate) const RING_TIMEOUT: Duration = Duration::from_secs(15);

/// The demo's flows behind the demo's numbers; sales is served by 1001, 1002 and an outside number, support by
/// 1002 and 1003.
pub(crate) fn config() -> ContactCentreConfig {
    let flows = [
        ("main-menu", include_str!("../../../config/demo/flows/main-menu.toml")),
        ("sales", include_str!("../../../config/demo/flows/sales.toml")),
        ("prompt-loop", include_str!("../../../config/demo/flows/prompt-loop.toml")),
        ("echo", include_str!("../../../config/demo/flows/echo.toml")),
        ("read-back", include_str!("../../../config/demo/flows/read-back.toml")),
    ];
    let numbers = ["+15550100", "+15550101", "+15550102", "+15550103", "+15550104"];
    ContactCentreConfig {
        entry_points: numbers
            .iter()
            .zip(&flows)
            .map(|(number, (flow, _))| ((*number).to_owned(), (*flow).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        flows: flows.iter().map(|(name, text)| flow::parse(name, text).expect("a sound flow")).collect(),
        queues: vec![
            queue("sales", &["alice", "bob", "zoe"], Some(Duration::from_secs(20))),
            queue("support", &["bob", "carol"], None),
        ],
        agents: vec![
            agent("alice", DialTarget::User("1001".into())),
            agent("bob", DialTarget::User("1002".into())),
            agent("carol", DialTarget::User("1003".into())),
            agent("zoe", DialTarget::Trunk { trunk: "carrier".into(), number: "+15550199".into() }),
        ],
        prompts: [
            "welcome",
            "menu",
            "invalid",
            "no-input",
            "goodbye",
            "enter-digits",
            "please-wait",
            "music",
            "loop",
        ]
        .into_iter()
        .map(str::to_owned)
        .collect::<BTreeSet<_>>(),
        not_responding_pause: PAUSE,
    }
}

pub(crate) fn centre() -> ContactCentre {
    ContactCentre::new(config()).expect("a sound configuration")
}

pub(crate) fn agent(id: &str, target: DialTarget) -> AgentConfig {
    AgentConfig { id: id.to_owned(), target }
}

pub(crate) fn queue(name: &str, agents: &[&str], announce: Option<Duration>) -> QueueConfig {
    QueueConfig {
        name: name.to_owned(),
        agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
        ring_timeout: RING_TIMEOUT,
        music: "music".to_owned(),
        announcement: announce.map(|every| Announcement { prompt: "please-wait".to_owned(), every }),
        max_wait: Duration::from_secs(120),
        wrap_up: WRAP_UP,
        max_waiting: 10,
    }
}
