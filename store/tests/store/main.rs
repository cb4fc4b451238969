//! The store's behaviours, one a module.

mod failing_disk;
mod opening;
mod round_trip;
mod support;
mod whole_calls;
