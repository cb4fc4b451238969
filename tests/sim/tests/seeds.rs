//! CI's runs: every seed must pass every check, and a seed must give the same trace each time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

const SEEDS: u64 = 300;
/// Every so many seeds, one is run a second time and its hash compared.
const AGAIN_EVERY: u64 = 25;
/// Over all seeds, each check must have looked at so many things: one that looks at nothing shows nothing.
const LEAST_JUDGED: u64 = 100;

#[derive(Default)]
struct Findings {
    failures: Vec<String>,
    judged: BTreeMap<&'static str, u64>,
}

#[test]
fn three_hundred_seeds_pass_every_check() {
    let next = AtomicU64::new(0);
    let findings = Mutex::new(Findings::default());
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    judge(seed, &findings);
                }
            });
        }
    });
    let Findings { mut failures, judged } = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} failures; `cargo xtask sim SEED` shows one at length:\n{}",
        failures.len(),
        failures.join("\n")
    );
    println!("{judged:#?}");
    for (check, count) in judged {
        assert!(count >= LEAST_JUDGED, "{check} looked at {count} things only");
    }
}

fn judge(seed: u64, findings: &Mutex<Findings>) {
    let verdict = tandem_sim::run(seed, false);
    let again = seed.is_multiple_of(AGAIN_EVERY).then(|| tandem_sim::run(seed, false).trace.hash());
    let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
    for failure in &verdict.judgement.failures {
        findings.failures.push(format!("seed {seed:>3}: {}: {}", failure.check, failure.message));
    }
    if again.is_some_and(|hash| hash != verdict.trace.hash()) {
        findings.failures.push(format!("seed {seed:>3}: two runs, two traces"));
    }
    for (check, count) in verdict.judgement.judged {
        *findings.judged.entry(check).or_default() += count;
    }
}
