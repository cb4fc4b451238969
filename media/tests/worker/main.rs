//! The media worker in virtual time, against parties that speak through the `rtp` crate.

mod collect;
mod play;
mod relay;
mod support;
