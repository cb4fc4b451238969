//! The project's tasks: what a newcomer types, and what CI runs.
//!
//! Each is a few commands that it names before it runs them. Nothing here knows what the project does.

mod fuzz;
mod tools;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::{Parser, Subcommand};

/// Project tasks.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs the daemon with built-in phones on loopback: a call from carrier to agent, shown and verified.
    Demo {
        /// Handed to `tandem demo`, such as `--keep`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Runs all tests, those with SIPp and baresip included; installs these with apt when they are missing and it may.
    Test {
        /// Draws the inputs of property tests from another seed than the one that they always have.
        #[arg(long)]
        seed: Option<u64>,
        /// So many inputs for each property test, instead of what each asks for.
        #[arg(long)]
        cases: Option<u32>,
        /// Handed to `cargo test`, such as a name to filter by.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// What CI runs: format, clippy with warnings as errors, and the tests.
    Ci,
    /// Simulates calls in virtual time under a seed.
    Sim {
        /// Handed to the simulator: the seed, and its options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Fuzzes what strangers' bytes come in by; needs a nightly toolchain and cargo-fuzz, and says so.
    Fuzz {
        /// One of the targets of `tests/fuzz`; all of them, one after the other, when absent.
        target: Option<String>,
        /// How long each is fuzzed.
        #[arg(default_value_t = 60)]
        seconds: u32,
    },
    /// Runs the benchmarks.
    Bench {
        /// Handed to `cargo bench`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// A step that failed; it has said why itself.
struct Failed;

fn main() -> ExitCode {
    match tools::ensure(tools::BUILD).and_then(|()| perform(Arguments::parse().task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed) => ExitCode::FAILURE,
    }
}

fn perform(task: Task) -> Result<(), Failed> {
    match task {
        Task::Demo { arguments } => cargo(["run", "--bin", "tandem", "--", "demo"], arguments),
        Task::Test { seed, cases, arguments } => test(Draw { seed, cases }, arguments),
        Task::Ci => ci(),
        Task::Sim { arguments } => cargo(["run", "--release", "--package", "tandem-sim", "--"], arguments),
        Task::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Task::Bench { arguments } => cargo(["bench", "--package", "tandem-benches"], arguments),
    }
}

/// What property tests try; `.cargo/config.toml` says what holds otherwise.
#[derive(Default)]
struct Draw {
    seed: Option<u64>,
    cases: Option<u32>,
}

fn test(draw: Draw, arguments: Vec<OsString>) -> Result<(), Failed> {
    tools::ensure(tools::TESTS)?;
    let mut command = cargo_command(["test", "--workspace", "--no-fail-fast"], arguments);
    command.envs(draw.seed.map(|seed| ("PROPTEST_RNG_SEED", seed.to_string())));
    // What tests ask for themselves counts for nothing then.
    command.envs(draw.cases.map(|cases| ("PROPTEST_CASES", cases.to_string())));
    run(&mut command)
}

fn ci() -> Result<(), Failed> {
    let started = Instant::now();
    cargo(["fmt", "--all", "--check"], Vec::new())?;
    cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"], Vec::new())?;
    test(Draw::default(), Vec::new())?;
    println!("==> all of it held, in {} s", started.elapsed().as_secs());
    Ok(())
}

fn cargo<const N: usize>(fixed: [&str; N], more: Vec<OsString>) -> Result<(), Failed> {
    run(&mut cargo_command(fixed, more))
}

fn cargo_command<const N: usize>(fixed: [&str; N], more: Vec<OsString>) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(cargo);
    command.current_dir(root).args(fixed).args(more);
    command
}

/// Names the command, runs it, and says so when it fails.
fn run(command: &mut Command) -> Result<(), Failed> {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let name = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    println!("==> {name}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            eprintln!("==> {name}: {status}");
            Err(Failed)
        }
        Err(error) => {
            eprintln!("==> {name}: {error}");
            Err(Failed)
        }
    }
}
