//! The Tandem daemon.
fn main() {}
