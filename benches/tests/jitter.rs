//! The jitter buffer is worth its while.

use tandem_benches::jitter::{BUFFERS, PATHS, outcome};

/// On no path is any buffer of a fixed delay better, and each of those is much worse on some.
#[test]
fn no_fixed_delay_is_heard_better_on_any_path() {
    for path in &PATHS {
        let [ours, fixed @ ..] = BUFFERS.map(|(name, buffer)| (name, outcome(path, buffer)));
        for (name, other) in fixed {
            assert!(ours.1.score >= other.score, "{}: {:?}, {name} {other:?}", path.name, ours.1);
        }
    }
}
