//! The phones and carriers of a run, as their plans have them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tandem_phone::{Access, Answer, CallKey, Credentials, Manner, Phone, PhoneConfig, Transport};

use crate::configuration::{self, CARRIER, FIRST_PROXY, SECOND_PROXY, SUBSCRIBER, phone_address};
use crate::gossip::{OF_CARRIERS, OF_PHONES};
use crate::node;
use crate::scenario::{PhonePlan, Scenario};
use crate::voices;

/// A phone or carrier of a run.
pub(super) struct Party {
    pub(super) name: String,
    /// What it tells of itself begins with this.
    pub(super) mark: String,
    pub(super) phone: Phone,
    pub(super) due: Option<Duration>,
    pub(super) callers: BTreeMap<CallKey, usize>,
}

pub(super) fn carrier(scenario: &Scenario, rng: ChaCha8Rng) -> Party {
    let [subscriber, ..] = &scenario.subscriber;
    let agents = scenario.outside_agents.iter().map(|agent| (agent.number.clone(), agent.manner.clone()));
    let numbers = agents.chain([(SUBSCRIBER.to_owned(), subscriber.clone())]).collect();
    proxy("carrier", CARRIER, numbers, rng)
}

/// The two proxies of another carrier.
pub(super) fn proxies(scenario: &Scenario, rngs: [ChaCha8Rng; 2]) -> [Party; 2] {
    let [_, first, second] = &scenario.subscriber;
    let [rng, other_rng] = rngs;
    let at = |manner: &Manner| BTreeMap::from([(SUBSCRIBER.to_owned(), manner.clone())]);
    [
        proxy("first-proxy", FIRST_PROXY, at(first), rng),
        proxy("second-proxy", SECOND_PROXY, at(second), other_rng),
    ]
}

/// A host of a carrier's, where these numbers are.
fn proxy(name: &str, address: SocketAddr, numbers: BTreeMap<String, Manner>, rng: ChaCha8Rng) -> Party {
    let config = PhoneConfig {
        user: "carrier".into(),
        address,
        media_address: address.ip(),
        media_ports: 30_000..=39_999,
        server: node::SIP,
        credentials: None,
        expires: Duration::from_secs(60),
        manner: Manner {
            answer: Answer::Refuse { after: Duration::ZERO, status: 404 },
            ..Manner::polite(300, Duration::ZERO)
        },
        numbers,
        lines: 1_000,
        listen_for: voices::all_frequencies(),
    };
    let mark = format!("{OF_CARRIERS}{name}-");
    Party { name: name.to_owned(), mark, phone: Phone::new(config, rng), due: None, callers: BTreeMap::new() }
}

pub(super) fn softphone(plan: &PhonePlan, rng: ChaCha8Rng) -> Party {
    let user = configuration::user(plan.user);
    let password = if plan.knows_password { configuration::password(&user) } else { "guessed".to_owned() };
    let address = phone_address(plan.host);
    let config = PhoneConfig {
        user: user.clone(),
        address,
        media_address: address.ip(),
        media_ports: 4_000..=4_099,
        server: if plan.over == Transport::Tls { node::SIPS } else { node::SIP },
        credentials: Some(Credentials { user: user.clone(), password }),
        expires: Duration::from_secs(60),
        manner: plan.manner.clone(),
        numbers: BTreeMap::new(),
        lines: 4,
        listen_for: voices::all_frequencies(),
    };
    let access = Access { transport: plan.over, ..Access::default() };
    let phone = Phone::connected(config, access, rng);
    let mark = format!("{OF_PHONES}{user}-");
    Party { name: user, mark, phone, due: None, callers: BTreeMap::new() }
}
