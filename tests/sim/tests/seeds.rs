//! CI's runs: every seed must pass every check, and a seed must give the same trace each time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tandem_sim::Verdict;

const SEEDS: u64 = 600;
/// Seeds that are also played with mangled packets.
const MANGLED_SEEDS: u64 = 200;
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
fn six_hundred_seeds_pass_every_check() {
    let findings = play(SEEDS, run_some_twice);
    println!("{:#?}", findings.judged);
    for (check, count) in findings.judged {
        assert!(count >= LEAST_JUDGED, "{check} looked at {count} things only");
    }
}

fn run_some_twice(seed: u64) -> Verdict {
    let verdict = tandem_sim::run(seed, false);
    if seed.is_multiple_of(AGAIN_EVERY) {
        let again = tandem_sim::run(seed, false).trace.hash();
        assert_eq!(again, verdict.trace.hash(), "two runs of seed {seed} give two traces");
    }
    verdict
}

/// A few octets of one packet in fifty are not what they were: nobody may be stuck, nothing may be kept.
#[test]
fn mangled_packets_leave_nothing_behind() {
    play(MANGLED_SEEDS, tandem_sim::run_mangled);
}

/// Plays all seeds on all cores; fails with everything that any check found.
fn play(seeds: u64, run: impl Fn(u64) -> Verdict + Sync) -> Findings {
    let next = AtomicU64::new(0);
    let findings = Mutex::new(Findings::default());
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(seeds, &next, &run, &findings));
        }
    });
    let mut findings = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    findings.failures.sort();
    assert!(
        findings.failures.is_empty(),
        "{} failures; `cargo xtask sim SEED --trace` explains one:\n{}",
        findings.failures.len(),
        findings.failures.join("\n")
    );
    findings
}

fn work(seeds: u64, next: &AtomicU64, run: impl Fn(u64) -> Verdict, findings: &Mutex<Findings>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds {
            return;
        }
        let judgement = run(seed).judgement;
        let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
        for failure in &judgement.failures {
            findings.failures.push(format!("seed {seed:>3}: {}: {}", failure.check, failure.message));
        }
        for (check, count) in judgement.judged {
            *findings.judged.entry(check).or_default() += count;
        }
    }
}
