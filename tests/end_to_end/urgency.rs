//! Which threads the kernel runs first: media, then signalling, then everything else.

use std::time::Instant;

use tandem_peers::Node;

use crate::support::{PATIENCE, node_with};

/// The priorities of media threads and of signalling, once all of them have set out: a node is ready before they have.
fn priorities(node: &Node) -> (Vec<u32>, Vec<u32>) {
    let of = |name| node.process().real_time_priorities(name).expect("a running node");
    let deadline = Instant::now() + PATIENCE;
    while of("media-").len() < 2 || of("tandem-core").is_empty() || of("tandem-store").is_empty() {
        assert!(Instant::now() < deadline, "threads are missing");
    }
    (of("media-"), of("tandem-core"))
}

/// Where the kernel does not let it, the log says so, and the node runs all the same.
#[test]
fn audio_runs_before_signalling_and_both_before_the_rest() {
    let mut node = node_with(|_, text| text.replace("threads = 0 ", "threads = 2 "));
    let (media, core) = priorities(&node);
    let rest = node.process().real_time_priorities("tandem-store").expect("a running node");
    node.stop().expect("it stops");
    let refused = node.log().iter().any(|line| line.contains("runs in the usual class"));
    let wanted = if refused { (vec![0, 0], vec![0]) } else { (vec![2, 2], vec![1]) };
    assert_eq!((media, core), wanted);
    assert_eq!(rest, [0]);
}

#[test]
fn either_runs_in_the_usual_class_when_told_to() {
    let usual = |text: String| text.replace("\nrealtime = true", "\nrealtime = false");
    let node = node_with(|_, text| usual(text.replace("threads = 0 ", "threads = 2 ")));
    assert_eq!(priorities(&node), (vec![0, 0], vec![0]));
}
