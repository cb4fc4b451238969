//! Which threads the kernel runs first: media, then signalling, then everything else.

use std::time::Instant;

use tandem_peers::Node;

use crate::support::{PATIENCE, node_with};

/// The priorities of media threads, of signalling and of the store.
type Priorities = (Vec<u32>, Vec<u32>, Vec<u32>);

/// As soon as they are as `wanted`, or after a while as they are: a node is ready before its threads have set out.
fn priorities(node: &Node, wanted: &Priorities) -> Priorities {
    let begun = Instant::now();
    loop {
        let of = |name| node.process().real_time_priorities(name).expect("a running node");
        let found = (of("media-"), of("tandem-core"), of("tandem-store"));
        if found == *wanted || begun.elapsed() > PATIENCE {
            return found;
        }
        std::thread::yield_now();
    }
}

/// Where the kernel does not let it, the log says so, and the node runs all the same.
#[test]
fn audio_runs_before_signalling_and_both_before_the_rest() {
    let mut node = node_with(|_, text| text.replace("threads = 0 ", "threads = 2 "));
    let wanted = (vec![2, 2], vec![1], vec![0]);
    let found = priorities(&node, &wanted);
    node.stop().expect("it stops");
    let refused = node.log().iter().any(|line| line.contains("runs in the usual class"));
    assert_eq!(found, if refused { (vec![0, 0], vec![0], vec![0]) } else { wanted });
}

#[test]
fn either_runs_in_the_usual_class_when_told_to() {
    let usual = |text: String| text.replace("\nrealtime = true", "\nrealtime = false");
    let node = node_with(|_, text| usual(text.replace("threads = 0 ", "threads = 2 ")));
    let wanted = (vec![0, 0], vec![0], vec![0]);
    assert_eq!(priorities(&node, &wanted), wanted);
}
