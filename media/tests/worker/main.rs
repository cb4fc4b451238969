//! The media worker in virtual time, against parties that speak through the `rtp` crate.

mod codes;
mod collect;
mod conference;
mod continuity;
mod handshake;
mod hygiene;
mod ice;
mod in_band;
mod keys;
mod latch;
mod life;
mod moving;
mod music;
mod play;
mod progress;
mod recording;
mod relay;
mod rtcp;
mod silence;
mod srtp;
mod support;
mod telephone_event;
mod tones;
mod transcoding;
mod voice;
mod wideband;
