//! CI's runs: every seed must pass every check, and a seed must give the same trace each time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

const SEEDS: u64 = 300;
/// Every so many seeds, one is run a second time and its hash compared.
const AGAIN_EVERY: u64 = 25;

#[test]
fn three_hundred_seeds_pass_every_check() {
    let next = AtomicU64::new(0);
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let found = judge(seed);
                    failures.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} failures; `cargo xtask sim SEED` shows one at length:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn judge(seed: u64) -> Vec<String> {
    let verdict = tandem_sim::run(seed, false);
    let mut found: Vec<String> = verdict
        .failures
        .iter()
        .map(|failure| format!("seed {seed:>3}: {}: {}", failure.check, failure.message))
        .collect();
    if seed.is_multiple_of(AGAIN_EVERY) && tandem_sim::run(seed, false).trace.hash() != verdict.trace.hash() {
        found.push(format!("seed {seed:>3}: two runs, two traces"));
    }
    found
}
