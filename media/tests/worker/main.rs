//! The media worker in virtual time, against parties that speak through the `rtp` crate.

mod collect;
mod play;
mod relay;
#[cfg(test)]
mod support;
