//! Typed configuration with precise errors.
//!
//! [`Config::parse`] turns the text of one TOML file into [`Config`], or into every [`Problem`] it has: file, line,
//! column, field, what is wrong and what to write instead. Owner thread: whoever starts or reloads the node. This
//! crate must not open a file (it is handed a way to look, see [`Disk`]), nor know the types of any other crate: the
//! daemon's wiring translates.

mod address;
mod model;
mod nearest;
mod parse;
mod problem;
mod reader;

pub use address::IpPrefix;
pub use model::{
    Agent, Announcement, CallProgress, ClientCertificate, Codec, Config, DigestAlgorithm, Direction,
    DiversionHeader, Dns, Domain, Dtmf, EarlyMedia, EntryPoint, ExtendedReports, Features, Health,
    IdentityHeader, KeyPair, Keying, Limits, Log, LogFormat, LogLevel, MediaPath, NumberFormat, NumberForms,
    Opus, PeerTimers, Phones, Place, Placed, Profile, Prompts, Protection, Queue, Reach, Recording,
    RecordingFormat, RecordingSides, Redirects, ReferPolicy, Refusal, Register, ReliableProvisional,
    Repacketise, Route, RouteSet, Rtp, RtpIo, Rule, RuleAction, RuleCondition, RuleOn, RuleSubject, RuleTest,
    SessionId, SessionRefresher, SessionTimerPolicy, SessionTimers, Sip, SipListen, SipTimers, Speech,
    SpeechProvider, SrtpPolicy, Target, Tls, Transport, Treatment, Trunk, TrunkCredentials, TrunkTls, User,
};
pub use parse::{Disk, PROMPT_ENDINGS};
pub use problem::{Problem, Problems};
