//! The contact centre keeps the rules of every control plane, whatever the switch and the parties do.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tandem_control::AgentState;
use tandem_control_api::conformance::run_random_calls;

use crate::support;

#[test]
fn random_calls_break_no_rule() {
    for seed in 0..500 {
        let centre = support::centre();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let numbers = [
            "+15550100",
            "+15550101",
            "+15550102",
            "+15550103",
            "+15550104",
            "+15550105",
            "+15550106",
            "+15550107",
            "+15559999",
        ];
        let centre = run_random_calls(centre, &numbers, &["1001", "1002", "1003"], rng)
            .unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        assert_eq!(centre.calls(), 0, "seed {seed}");
        for (queue, depth) in centre.queue_depths() {
            assert_eq!((depth.waiting, depth.offered), (0, 0), "seed {seed}: queue {queue}");
        }
        for (agent, state) in centre.agent_states() {
            assert!(
                matches!(state, AgentState::Available { .. } | AgentState::LoggedOut),
                "seed {seed}: agent {agent} is {}",
                state.name()
            );
        }
    }
}
