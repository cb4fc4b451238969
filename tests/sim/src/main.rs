//! `tandem-sim SEED [--trace]` plays one seed and says what became of it; `tandem-sim FROM..TO` plays many and shows
//! those that fail, and how many things each check looked at. Ends with 1 when a check failed.

use std::collections::BTreeMap;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep_trace = arguments.iter().any(|argument| argument == "--trace");
    let Some((from, to)) = arguments.iter().find_map(|argument| seeds(argument)) else {
        eprintln!("usage: tandem-sim SEED [--trace] | FROM..TO");
        return ExitCode::from(2);
    };
    let mut judged = BTreeMap::new();
    let failed = (from..to).filter(|seed| !play(*seed, keep_trace, to - from == 1, &mut judged)).count();
    for (check, looked) in judged.iter().filter(|_| to - from > 1) {
        println!("{check} looked at {looked} things");
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `7` or `0..300`.
fn seeds(argument: &str) -> Option<(u64, u64)> {
    match argument.split_once("..") {
        Some((from, to)) => Some((from.parse().ok()?, to.parse().ok()?)),
        None => argument.parse().ok().map(|seed| (seed, seed + 1)),
    }
}

/// Whether the seed passed.
fn play(seed: u64, keep_trace: bool, tell: bool, judged: &mut BTreeMap<&'static str, u64>) -> bool {
    let verdict = tandem_sim::run(seed, keep_trace);
    let failures = &verdict.judgement.failures;
    for (check, looked) in &verdict.judgement.judged {
        *judged.entry(*check).or_default() += looked;
    }
    for line in verdict.trace.lines() {
        println!("{line}");
    }
    for failure in failures {
        println!("FAILED {}: {}", failure.check, failure.message);
    }
    let observed = &verdict.observed;
    if tell || !failures.is_empty() {
        println!(
            "seed {seed}: {} callers, {} records, {} SIP messages, settled at {:?}, trace {:016x}, {} failures",
            observed.scenario.callers.len(),
            observed.records.len(),
            observed.sip.len(),
            observed.settled_at,
            verdict.trace.hash(),
            failures.len(),
        );
    }
    failures.is_empty()
}
