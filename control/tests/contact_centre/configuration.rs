//! A configuration that does not fit together is refused, in words that say what to change.

use std::time::Duration;

use tandem_control::{Announcement, ContactCentre, ContactCentreConfig, QueueConfig};

use crate::support::config;

fn refusal(change: impl FnOnce(&mut ContactCentreConfig)) -> String {
    let mut config = config();
    change(&mut config);
    ContactCentre::new(config).map(|_| ()).expect_err("does not fit").to_string()
}

#[test]
fn what_does_not_fit_is_named() {
    let announcement = |every| Some(Announcement { prompt: "please-wait".into(), every });
    let refusals = [
        refusal(|config| config.queues[0].agents.push("nobody".into())),
        refusal(|config| config.queues[0].music = "silence".into()),
        refusal(|config| config.queues[1].name = "sales".into()),
        refusal(|config| config.queues.truncate(1)),
        refusal(|config| config.agents[1].id = "alice".into()),
        refusal(|config| config.agents[1].target = config.agents[0].target.clone()),
        refusal(|config| config.flows.truncate(1)),
        refusal(|config| {
            config.prompts.remove("goodbye");
        }),
        refusal(|config| {
            config.entry_points.insert("+15550105".into(), "echo".into());
        }),
        refusal(|config| {
            config.routes.values_mut().for_each(|route| route.ring_timeout = Duration::from_secs(601));
        }),
        refusal(|config| config.queues[0].ring_timeout = Duration::ZERO),
        refusal(|config| config.queues[0].max_wait = QueueConfig::MAX_WAIT + Duration::from_secs(1)),
        refusal(|config| config.queues[0].wrap_up = Duration::from_secs(3_601)),
        refusal(|config| config.queues[0].max_waiting = QueueConfig::MAX_WAITING + 1),
        refusal(|config| config.queues[0].announcement = announcement(Duration::from_secs(4))),
        refusal(|config| config.not_responding_pause = Duration::from_millis(999)),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn every_limit_is_allowed_itself() {
    let mut config = config();
    config.routes.values_mut().for_each(|route| route.ring_timeout = Duration::from_secs(600));
    config.queues[0].ring_timeout = Duration::from_secs(300);
    config.queues[0].max_wait = QueueConfig::MAX_WAIT;
    config.queues[0].wrap_up = Duration::from_secs(3_600);
    config.queues[0].max_waiting = QueueConfig::MAX_WAITING;
    config.not_responding_pause = Duration::from_secs(1);
    assert!(ContactCentre::new(config).is_ok());
}
