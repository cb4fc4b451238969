//! The demo's configuration says what the product promises.

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::time::Duration;

use tandem_config::{DigestAlgorithm, MediaPath, Reach, Target, Transport, Treatment};

#[test]
fn the_sample_is_the_demo_s_table() {
    let config = support::parse(support::SAMPLE).unwrap();

    let listen: Vec<_> = config.sip.listen.iter().map(|l| (l.transport, l.address.to_string())).collect();
    assert_eq!(
        listen,
        [(Transport::Udp, "127.0.0.1:5060".into()), (Transport::Tcp, "127.0.0.1:5060".into())]
    );
    assert_eq!(config.rtp.ports, 20_000..=29_999);
    assert_eq!(config.http_listen.to_string(), "127.0.0.1:8080");

    let trunk = config.trunks.first().unwrap();
    let address = "127.0.0.10:5070".parse().unwrap();
    assert_eq!(trunk.name, "carrier-a");
    assert_eq!(trunk.peer, Target::Address { address, transport: Transport::Udp });
    let sources: Vec<_> = trunk.sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["127.0.0.10"]);

    let phones: Vec<_> = config.phones.sources.iter().map(ToString::to_string).collect();
    assert_eq!(phones, ["127.0.0.1", "127.0.0.20/30", "127.0.0.24/30", "127.0.0.28/31"]);
    let users: Vec<_> = config.phones.users.iter().map(|user| user.name.clone()).collect();
    assert_eq!(users, (1001..=1010).map(|user| user.to_string()).collect::<Vec<_>>());

    let hold_music = config.hold_music.as_deref();
    assert_eq!((hold_music, config.outbound_trunk.as_deref()), (Some("music"), Some("carrier-a")));
    assert_eq!((config.supervisors.len(), config.features.conference.as_deref()), (1, Some("*3")));
    let alice = config.agents.first().unwrap();
    assert_eq!((alice.name.as_str(), &alice.reach), ("alice", &Reach::User("1001".into())));
    let members = |queue: &str| config.queues.iter().find(|q| q.name == queue).unwrap().agents.len();
    assert_eq!((members("sales"), members("support")), (5, 5));

    let flow = |name: &str| Treatment::Flow(name.into());
    let straight =
        |reach| Treatment::Route { reach, ring_timeout: Duration::from_secs(60), media: MediaPath::Anchored };
    let zoe = Reach::Number { number: "+15550199".into(), trunk: "carrier-a".into() };
    let entries: Vec<_> =
        config.entry_points.iter().map(|e| (e.number.as_str(), e.treatment.clone())).collect();
    assert_eq!(
        entries,
        [
            ("+15550100", flow("main-menu")),
            ("+15550101", flow("sales")),
            ("+15550102", flow("prompt-loop")),
            ("+15550103", flow("echo")),
            ("+15550104", flow("read-back")),
            ("+15550120", flow("say")),
            ("+15550110", straight(Reach::User("1005".into()))),
            ("+15550111", straight(zoe)),
        ]
    );
}

#[test]
fn paths_start_at_the_file_s_folder() {
    let config = support::parse(support::SAMPLE).unwrap();
    assert_eq!(config.prompts.folder, Path::new("demo/prompts"));
    assert_eq!(config.prompts.grammars.as_deref(), Some(Path::new("demo/grammars")));
    assert_eq!(config.prompts.max_memory_mib, 512);
    let elsewhere = support::changed("\"calls.db\"", "\"/var/lib/tandem/calls.db\"");
    assert_eq!(support::parse(&elsewhere).unwrap().store_path, Path::new("/var/lib/tandem/calls.db"));
}

#[test]
fn what_is_left_out_has_the_default_the_sample_names() {
    let written = support::parse(support::SAMPLE).unwrap();
    let short: String = support::SAMPLE
        .lines()
        .filter(|line| !line.contains("(default"))
        .fold(String::new(), |text, line| text + line + "\n");
    let mut left_out = support::parse(&short).unwrap();
    // The values that the demo sets to something else than the default.
    assert_eq!(left_out.node_name, "tandem");
    assert_eq!(left_out.phones.realm, "tandem");
    assert_eq!(left_out.phones.digest, [DigestAlgorithm::Sha256, DigestAlgorithm::Md5]);
    assert_eq!(left_out.trunks[0].max_calls, 1_000);
    assert_eq!(left_out.trunks[0].max_calls_per_second, 100);
    assert_eq!(left_out.queues[0].wrap_up, Duration::from_secs(10));
    left_out.node_name.clone_from(&written.node_name);
    left_out.phones.realm.clone_from(&written.phones.realm);
    left_out.phones.digest.clone_from(&written.phones.digest);
    left_out.trunks.clone_from(&written.trunks);
    left_out.queues[0].wrap_up = written.queues[0].wrap_up;
    assert_eq!(left_out, written);
}

#[test]
fn a_password_is_not_shown() {
    let config = support::parse(support::SAMPLE).unwrap();
    assert!(!format!("{config:?}").contains(&config.phones.users[0].password));
}
