//! What phones can key and dial besides numbers.

/// Codes of phones; what has none cannot be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Keyed by who talks to two parties in two calls: they are three in one from then on.
    pub conference: Option<String>,
    /// Keyed by who talks: a recording of the call begins, or ends.
    pub record: Option<String>,
    /// Keyed by who talks: the recording of the call pauses, or goes on.
    pub pause_recording: Option<String>,
    /// Dialled by a supervisor before an agent's name or user: hears the agent's call.
    pub monitor: Option<String>,
    /// The same, and is heard by the agent.
    pub coach: Option<String>,
    /// The same, and is heard by all.
    pub barge: Option<String>,
    /// Dialled alone, or before a colleague's agent or user: takes the call that rings there.
    pub pick_up: Option<String>,
    /// Whether those in a conference hear that somebody has come.
    pub entry_tone: bool,
}
