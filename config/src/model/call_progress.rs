//! What calls to a carrier are listened to for.

use std::time::Duration;

/// How it is found out what answers a call to a carrier: a person, a machine, a fax, a tone of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallProgress {
    /// Whether people are told from machines; else whoever speaks is a person.
    pub machines: bool,
    /// Whether the beep of a machine is waited for.
    pub beep: bool,
    /// A pause of so long ends what is said.
    pub min_silence: Duration,
    /// Who speaks so long without a pause is a machine.
    pub analysis_period: Duration,
    /// Who pauses after so much speech at most is a person.
    pub live_voice: Duration,
    /// Less is no speech.
    pub min_speech: Duration,
    /// Decided by then, counted from the answer, or from when the party begins to speak.
    pub max_time: Duration,
    /// How long the beep is waited for.
    pub max_beep: Duration,
    /// How long it may ring after it was answered.
    pub max_ringing: Duration,
}
