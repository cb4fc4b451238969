//! `tandem-sim SEED [--trace]`: plays one seed and says what became of it. Ends with 1 when a check failed.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep_trace = arguments.iter().any(|argument| argument == "--trace");
    let Some(seed) = arguments.iter().find_map(|argument| argument.parse().ok()) else {
        eprintln!("usage: tandem-sim SEED [--trace]");
        return ExitCode::from(2);
    };
    let verdict = tandem_sim::run(seed, keep_trace);
    for line in verdict.trace.lines() {
        println!("{line}");
    }
    for failure in &verdict.failures {
        println!("FAILED {}: {}", failure.check, failure.message);
    }
    let observed = &verdict.observed;
    println!(
        "seed {seed}: {} callers, {} records, {} SIP messages, settled at {:?}, trace {:016x}, {} failures",
        observed.scenario.callers.len(),
        observed.records.len(),
        observed.sip.len(),
        observed.settled_at,
        verdict.trace.hash(),
        verdict.failures.len(),
    );
    if verdict.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
