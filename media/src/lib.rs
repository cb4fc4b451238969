//! RTP, SRTP, RTCP, codecs, jitter buffers, players, digits and the media worker: a function of packets, commands and time.
//!
//! Owner thread: one media worker each (see `tandem-media-net`). This crate must not open a socket or a file, read
//! a clock, start a thread, or allocate per packet.

pub mod codec;
mod collector;
mod command;
mod correlation;
mod counters;
mod deadlines;
mod digit;
mod dtmf;
mod endpoint;
mod event_queue;
pub mod jitter;
mod keying;
mod latch;
mod mix;
mod music;
mod ogg_opus;
mod outgoing;
mod packet_time;
mod player;
mod playing;
mod port_pool;
pub mod progress;
mod prompt;
mod prompt_file;
mod protection;
pub mod quality;
pub mod reception;
pub mod recorder;
mod resample;
pub mod rtcp;
mod rtcp_session;
pub mod rtcp_xr;
pub mod rtp;
mod schedule;
mod security;
mod spectrum;
pub mod srtp;
mod stun;
pub mod telephone_event;
mod tone;
mod voice_detector;
mod wav;
mod worker;

pub use codec::Codec;
pub use command::{
    BargeIn, CollectEnd, CollectId, CollectRules, Command, Direction, EndpointId, EndpointStatistics, Event,
    ExtendedReports, InBand, LatchPolicy, Parcel, PlayEnd, PlayId, Segment, StreamParameters,
};
pub use counters::{Counters, Refusal};
pub use digit::{Digit, DigitString, Terminators};
pub use mix::{Audience, ConferenceId, Gain};
pub use ogg_opus::{OggOpusError, decode_ogg_opus};
pub use packet_time::PacketTimes;
pub use port_pool::{PortLease, PortPool};
pub use prompt::{Audio, Tone};
pub use prompt_file::{PromptError, decode_prompt};
pub use security::{
    DtlsParameters, DtlsRole, Fingerprint, HandshakeFailed, HandshakeId, HandshakeOutcome, IceCredentials,
    Security,
};
pub use wav::{MAX_PROMPT, RATES_HZ, WavError, decode_wav};
pub use worker::{Channel, Disposition, IoRequest, Transmit, Worker};
