//! The real queue, with Poisson arrivals and exponential conversations, is an M/M/c queue: its waiting must be
//! what Erlang's C formula says.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tandem_control::{ContactCentre, ContactCentreConfig, QueueConfig};
use tandem_control_api::conformance::{Caller, ModelSwitch, Phone, World};
use tandem_control_api::{CallFact, CallRecord, DialTarget, Event};
use tandem_time::Instant;

use crate::support::{agent, config, queue};

/// Phones are answered at once and hung up after an exponential time.
#[derive(Debug)]
struct Telephony {
    rng: ChaCha8Rng,
    handling: Duration,
    waits: Vec<Duration>,
}

fn exponential(rng: &mut ChaCha8Rng, mean: Duration) -> Duration {
    let uniform: f64 = rng.random();
    mean.mul_f64(-(1.0 - uniform).ln())
}

impl World for Telephony {
    fn phone(&mut self, _target: &DialTarget) -> Phone {
        let talks = exponential(&mut self.rng, self.handling);
        Phone::Answers { after: Duration::ZERO, talks: Some(talks) }
    }

    fn told(&mut self, _now: Instant, event: &Event) {
        if let Event::CallEnded { record, .. } = event {
            self.waits.extend(wait(record));
        }
    }
}

fn wait(record: &CallRecord) -> Option<Duration> {
    let at = |wanted: fn(&CallFact) -> bool| {
        record.timeline.iter().find(|entry| wanted(&entry.fact)).map(|entry| entry.at)
    };
    let entered = at(|fact| matches!(fact, CallFact::QueueEntered { .. }))?;
    let answered = at(|fact| matches!(fact, CallFact::AgentAnswered { .. }))?;
    Some(answered - entered)
}

fn one_queue(agents: usize) -> ContactCentreConfig {
    let ids: Vec<String> = (0..agents).map(|index| format!("agent-{index:02}")).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    let sales = QueueConfig {
        wrap_up: Duration::ZERO,
        max_wait: QueueConfig::MAX_WAIT,
        max_waiting: QueueConfig::MAX_WAITING,
        ..queue("sales", &names, None)
    };
    let trunk = |id: &String| DialTarget::Trunk { trunk: "carrier".into(), number: id.clone() };
    ContactCentreConfig {
        agents: ids.iter().map(|id| agent(id, trunk(id))).collect(),
        queues: vec![sales, queue("support", &[], None)],
        ..config()
    }
}

/// Waits of so many calls, after a tenth of them to warm up.
fn simulate(agents: usize, between: Duration, handling: Duration, calls: usize, seed: u64) -> Vec<Duration> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let world = Telephony { rng: rng.clone(), handling, waits: Vec::new() };
    rng.set_stream(1);
    let mut model = ModelSwitch::new(ContactCentre::new(one_queue(agents)).expect("sound"), world);
    let mut at = Instant::START;
    for _ in 0..calls {
        at += exponential(&mut rng, between);
        let caller = Caller { number: String::new(), dialled: "+15550101".into(), patience: None };
        model.call_at(at, caller);
    }
    while model.run_next() {}
    assert_eq!(model.violations(), []);
    let mut waits = std::mem::take(&mut model.world_mut().waits);
    assert_eq!(waits.len(), calls, "everybody is answered");
    waits.drain(..calls / 10);
    waits
}

/// Batch means (Law & Kelton): the waits of successive callers depend on each other, those of long batches hardly.
/// Four standard errors of twenty batches are exceeded by chance about once in a thousand.
fn agrees(samples: &[f64], expected: f64) -> Result<(), String> {
    const BATCHES: usize = 20;
    let size = samples.len() / BATCHES;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means: Vec<f64> = samples.chunks_exact(size).take(BATCHES).map(mean).collect();
    let centre = mean(&means);
    let variance = means.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (BATCHES - 1) as f64;
    let error = (variance / BATCHES as f64).sqrt();
    let (low, high) = (centre - 4.0 * error, centre + 4.0 * error);
    // The interval must also be narrow enough to tell something.
    if (low..=high).contains(&expected) && error < 0.1 * expected {
        Ok(())
    } else {
        Err(format!("expected {expected}, simulated {centre:.5} in {low:.5} to {high:.5}"))
    }
}

#[test]
fn the_probability_of_waiting_is_erlang_s() {
    // a = 8 erlangs, c = 10 agents.
    let handling = Duration::from_secs(180);
    let waits = simulate(10, handling / 8, handling, 40_000, 1);
    let waited: Vec<f64> = waits.iter().map(|wait| f64::from(u8::from(!wait.is_zero()))).collect();
    agrees(&waited, 0.409_180).unwrap_or_else(|error| panic!("P(wait): {error}"));
}

#[test]
fn the_average_speed_of_answer_and_the_service_level_are_erlang_s() {
    // 100 calls an hour, 180 s, 8 agents: ASA 10.036 s, 88.015 % within 20 s.
    let waits = simulate(8, Duration::from_secs(36), Duration::from_secs(180), 40_000, 2);
    let seconds: Vec<f64> = waits.iter().map(Duration::as_secs_f64).collect();
    agrees(&seconds, 10.036).unwrap_or_else(|error| panic!("ASA: {error}"));
    let within: Vec<f64> =
        waits.iter().map(|wait| f64::from(u8::from(*wait <= Duration::from_secs(20)))).collect();
    agrees(&within, 0.880_15).unwrap_or_else(|error| panic!("service level: {error}"));
}

#[test]
fn ten_thousand_callers_wait_at_a_time_and_are_answered_in_the_order_they_came() {
    let waits = simulate(1, Duration::from_micros(100), Duration::from_millis(100), 10_000, 3);
    let longest = waits.iter().max().expect("there are waits");
    assert!(*longest > Duration::from_secs(900), "nearly all of them at a time: {longest:?}");
    let step_back = |pair: &[Duration]| pair[1] + Duration::from_millis(1) < pair[0];
    assert!(!waits.windows(2).any(step_back), "whoever came later, waited longer");
}
