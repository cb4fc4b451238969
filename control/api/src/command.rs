//! What a control plane may ask of the switch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{CallId, CommandId, LegId, Level, ProgressReport, ProgressRules, Role};

/// A command and the id its outcome will carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Repeated in the one [`crate::Event::Done`] this request ends in.
    pub id: CommandId,
    /// What to do.
    pub command: Command,
}

/// What to do. Each ends in exactly one [`crate::Event::Done`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Tells the caller of an offered leg that the called party rings (180).
    Ring {
        /// The leg.
        leg: LegId,
    },
    /// Lets the caller of an offered leg hear what is played to it, or what it is bridged to, from then on, before it is
    /// answered (183 with a description, RFC 3960). Done at once, or when there is a port for it; `WrongState` when the caller's offer does not
    /// let it be heard so early, which can be answered all the same.
    Progress {
        /// The leg.
        leg: LegId,
    },
    /// Answers an offered leg. Done when its ACK has come and media flows.
    Answer {
        /// The leg.
        leg: LegId,
    },
    /// Refuses an offered leg.
    Reject {
        /// The leg.
        leg: LegId,
        /// Why.
        reason: RejectReason,
    },
    /// Ends a leg in whatever state it is: rejects, cancels or hangs up. Done when the leg has ended.
    Hangup {
        /// The leg.
        leg: LegId,
        /// Why, for the record and the Reason header (RFC 3326).
        cause: HangupCause,
    },
    /// Plays prompts in order to an answered leg that is not bridged, or to one that hears us before it is answered
    /// ([`Command::Progress`]), whose answer stops it. Replaces what was playing. Done when it ended.
    Play {
        /// The leg.
        leg: LegId,
        /// Played one after the other.
        prompts: Vec<Prompt>,
        /// How often the whole sequence is played.
        repeat: Repeat,
        /// What of the party's ends it. A digit stays in the type-ahead for the next [`Command::Collect`].
        #[serde(default)]
        barge_in: BargeIn,
    },
    /// Stops what a leg hears, and a collection under way; their commands end as stopped.
    Stop {
        /// The leg.
        leg: LegId,
    },
    /// Collects digits; those typed ahead count unless the rules say otherwise. May run beside a `Play`.
    Collect {
        /// The leg.
        leg: LegId,
        /// How many, how long, what ends it.
        rules: CollectRules,
    },
    /// Makes a new leg in a call. Done when it is answered or has failed; `Hangup` of the new leg (whose id comes
    /// in [`crate::Event::LegCreated`]) cancels it.
    Dial {
        /// The call that gets the leg.
        call: CallId,
        /// Whom to ring.
        target: DialTarget,
        /// The number or user shown to the called party; the caller's own when absent.
        caller_id: Option<String>,
        /// Given up (CANCEL) after this long without an answer.
        ring_timeout: Duration,
        /// Which way the new leg's media goes.
        #[serde(default)]
        media: MediaPath,
    },
    /// Lets two answered legs of one call hear each other, or one that can be heard early, ending whatever they heard before. A leg bridged to
    /// itself hears its own audio and digits.
    Bridge {
        /// One leg.
        a: LegId,
        /// The other, or the same.
        b: LegId,
    },
    /// Parts a bridged leg from its peer, or takes a leg out of its conference; it then hears nothing, nor does the peer.
    Unbridge {
        /// Either leg of the bridge, or the one that leaves.
        leg: LegId,
    },
    /// Takes an answered leg into the conference of a call, whatever it heard before; of a leg that is there it changes the
    /// role. A call has one conference, as long as there is somebody in it; each leg is to be asked for, also those that
    /// are bridged to each other. A leg of another call moves ([`crate::Event::LegMoved`]). When two parties are left, their
    /// media is relayed again.
    Join {
        /// The leg.
        leg: LegId,
        /// The call.
        call: CallId,
        /// What it is there.
        role: Role,
        /// What everybody there hears when it comes, itself included.
        #[serde(default)]
        announce: Vec<Prompt>,
    },
    /// How loud a leg is in its conference. A word for all replaces those for one.
    SetLevel {
        /// The leg.
        leg: LegId,
        /// Who hears it so; everybody when absent.
        #[serde(default)]
        to: Option<LegId>,
        /// How loud.
        level: Level,
    },
    /// Takes the transferee from the transferor and gives it to somebody else. The legs are two answered ones of a
    /// call, bridged to each other or not. Whoever asked ([`crate::Event::TransferAsked`]) is told how it goes. Done
    /// when it is: then the transferor is hung up, if it is still there, and has no part in the call any more. When
    /// it fails the two are as they were, if both are still there.
    Transfer {
        /// The transferor.
        leg: LegId,
        /// Who is transferred.
        transferee: LegId,
        /// To whom.
        to: TransferTo,
    },
    /// Refuses what a leg asked for with [`crate::Event::TransferAsked`].
    RefuseTransfer {
        /// The leg that asked.
        leg: LegId,
        /// Why.
        reason: RejectReason,
    },
    /// Gives an offered leg's party the place of a leg that rings in another call (directed and group pick-up, RFC 5359
    /// §2.16), which is answered by it: its `Dial` is done, and [`crate::Event::LegReplaced`] says who has come. The offered
    /// leg ends, and its call with it. Done at once; `WrongState` when there is nothing to take any more.
    PickUp {
        /// The offered leg.
        leg: LegId,
        /// The leg that rings.
        rung: LegId,
    },
    /// Finds out what answers a dialled leg, or what has answered it (call-progress analysis). Done at once; then
    /// [`crate::Event::ProgressFound`] says what, unless the leg ends before. Asked for before the answer it hears busy and
    /// other tones of the network as soon as there is early media, and counts from the answer what a party says. Goes on
    /// whatever else is done with the leg; a second one replaces the first.
    Analyse {
        /// The leg.
        leg: LegId,
        /// What it goes by.
        rules: ProgressRules,
    },
    /// Records what the party of an answered leg says and hears, until the leg ends: holds, bridges, conferences and transfers
    /// are all in one recording. Whatever is not [`RecordAction::Begin`] goes for all recordings of the leg's call, since
    /// whoever is recorded hears the others. Done at once, also when nothing changes; what becomes of the file is the
    /// node's, and when it cannot be written [`crate::Event::RecordingFailed`] says so. `Invalid` on a node that keeps no
    /// recordings.
    Record {
        /// The leg.
        leg: LegId,
        /// What to do.
        action: RecordAction,
    },
    /// Adds a fact to the call's record.
    SetData {
        /// The call.
        call: CallId,
        /// The fact.
        fact: CallFact,
    },
}

impl Command {
    /// The command's name as logs, tables and metrics show it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ring { .. } => "ring",
            Self::Progress { .. } => "progress",
            Self::Answer { .. } => "answer",
            Self::Reject { .. } => "reject",
            Self::Hangup { .. } => "hangup",
            Self::Play { .. } => "play",
            Self::Stop { .. } => "stop",
            Self::Collect { .. } => "collect",
            Self::Dial { .. } => "dial",
            Self::Bridge { .. } => "bridge",
            Self::Unbridge { .. } => "unbridge",
            Self::Join { .. } => "join",
            Self::SetLevel { .. } => "set-level",
            Self::Transfer { .. } => "transfer",
            Self::RefuseTransfer { .. } => "refuse-transfer",
            Self::PickUp { .. } => "pick-up",
            Self::Analyse { .. } => "analyse",
            Self::Record { .. } => "record",
            Self::SetData { .. } => "set-data",
        }
    }
}

/// What becomes of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordAction {
    /// One of the leg begins, unless there is one.
    Begin,
    /// Nothing is kept until it goes on; time passes in it.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    End,
    /// For a key that does both: it ends, or one of the leg begins when the call has none.
    BeginOrEnd,
    /// For a key that does both: it goes on when all of the call's pause, else it pauses.
    PauseOrResume,
}

/// To whom a party is transferred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferTo {
    /// Somebody who is rung on a new leg, while the transferee hears the prompts over and over. Bridged on answer.
    Dial {
        /// Whom to ring.
        target: DialTarget,
        /// The number or user shown to the called party; the caller's own when absent.
        caller_id: Option<String>,
        /// Given up (CANCEL) after this long without an answer.
        ring_timeout: Duration,
        /// What the transferee hears meanwhile.
        prompts: Vec<Prompt>,
    },
    /// The party of another leg of the transferor's, which ends too (attended transfer, RFC 5589 §7). When it is in
    /// another call, it moves ([`crate::Event::LegMoved`]).
    Party {
        /// The party.
        leg: LegId,
        /// The transferor's leg to it.
        consulted_on: LegId,
    },
    /// The control plane: the transferee is for itself, and the transferor leaves.
    Control,
}

/// Something to hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// A prompt of the node's library, by name.
    Named(String),
    /// A prompt that goes on for ever, the same for all who hear it: whoever begins hears it where it is. What follows it is
    /// never heard.
    Music(String),
    /// A part of one.
    Part {
        /// Its name.
        name: String,
        /// From here on.
        offset: Duration,
        /// So long at most; to its end when absent.
        length: Option<Duration>,
    },
    /// The digits `0-9 * # A-D` as in-band tones (ITU-T Q.23), 100 ms on and 100 ms off.
    Digits(String),
    /// A call-progress tone.
    Tone(Tone),
    /// Nothing, for so long.
    Silence(Duration),
    /// Words that the node's provider of speech renders. What cannot be is passed over, or the node's fallback prompt is
    /// heard instead; the record says so.
    Speech {
        /// The words.
        text: String,
        /// Their language, as the provider knows it.
        language: String,
    },
}

/// Call-progress tones (ITU-T E.180; frequencies of the North American plan).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    /// 440 + 480 Hz, 2 s on and 4 s off.
    Ringback,
    /// 480 + 620 Hz, 0.5 s on and 0.5 s off.
    Busy,
    /// One second of 1000 Hz.
    Beep,
    /// 800 Hz, soft, 0.2 s: somebody has come.
    Entry,
    /// 480 Hz, 0.5 s: a call comes to who works hands-free.
    Zip,
}

/// How often to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repeat {
    /// So many times; 0 counts as 1.
    Times(u32),
    /// Until stopped.
    Forever,
}

/// What of a party's ends what it hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BargeIn {
    /// Nothing.
    #[default]
    Never,
    /// A digit.
    Digit,
    /// A digit, or its voice.
    DigitOrVoice,
}

/// The rules of a digit collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectRules {
    /// Fewer digits than this at a timeout or terminator count as invalid.
    pub min_digits: u8,
    /// Ends as soon as so many digits are in.
    pub max_digits: u8,
    /// Digits that end the collection and are not part of it, such as `#`.
    pub terminators: String,
    /// How long to wait for the first digit, counted from the end of the play under way, if there is one.
    pub first_digit_timeout: Duration,
    /// How long to wait for each further digit.
    pub inter_digit_timeout: Duration,
    /// Forget what was typed before.
    pub clear_typeahead: bool,
    /// Never shown in logs, traces or records.
    pub sensitive: bool,
}

/// Which way a leg's media goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaPath {
    /// Through the node.
    #[default]
    Anchored,
    /// Straight between the caller, who must not be answered yet, and the new leg: nothing can be played to either or
    /// collected from it, and it can be bridged to the other only.
    Direct,
}

/// Whom to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DialTarget {
    /// A registered phone, by its user name.
    User(String),
    /// A number over a named trunk.
    Trunk {
        /// The trunk's name in the configuration.
        trunk: String,
        /// The number, E.164.
        number: String,
    },
}

/// Why an offered call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RejectReason {
    /// 404: nothing answers at that number.
    NotFound,
    /// 486: busy.
    Busy,
    /// 603: not wanted.
    Declined,
    /// 503 with Retry-After: cannot take it now.
    Unavailable,
    /// 488: no common codec.
    NotAcceptable,
    /// 480: nobody answers there now.
    NoAnswer,
    /// As a leg that was dialled for this one was refused. What is true only of that leg, such as a challenge to us,
    /// becomes what it means for the caller.
    Relayed {
        /// The final status of that leg.
        status: u16,
    },
}

/// Why the control plane ends a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HangupCause {
    /// The conversation or flow is over.
    Normal,
    /// Rang too long.
    NoAnswer,
    /// Somebody else answered, or the caller has gone.
    Cancelled,
    /// The control plane cannot go on.
    Error,
}

/// A fact that a control plane adds to a call's record; each is stamped with the time it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallFact {
    /// The caller heard prompts before anything else.
    Announced {
        /// Their names.
        prompts: Vec<String>,
        /// Whether it was answered for it; else it was early media.
        is_answered: bool,
    },
    /// A flow began.
    FlowStarted {
        /// Its name.
        flow: String,
    },
    /// The flow took a step.
    FlowStep {
        /// The activity's name.
        activity: String,
        /// The exit it left by.
        exit: String,
    },
    /// A variable was set (never for sensitive ones).
    Variable {
        /// Its name.
        name: String,
        /// Its value as text.
        value: String,
    },
    /// The call began to wait.
    QueueEntered {
        /// The queue.
        queue: String,
    },
    /// The call stopped waiting.
    QueueLeft {
        /// The queue.
        queue: String,
        /// `answered`, `abandoned`, `overflow`, …
        reason: String,
    },
    /// An agent was rung.
    AgentOffered {
        /// The agent.
        agent: String,
    },
    /// The agent did not take it.
    AgentMissed {
        /// The agent.
        agent: String,
        /// `no-answer`, `declined`, `unreachable`, …
        reason: String,
    },
    /// Somebody was transferred.
    Transferred {
        /// Who wanted it: an agent, a user, a number.
        by: String,
        /// To whom.
        to: String,
        /// `answered`, `busy`, …; `refused` before anything was done.
        outcome: String,
    },
    /// A party's carrier was asked to transfer it by itself (REFER), so that the call leaves us.
    Referred {
        /// The party's leg.
        leg: LegId,
        /// `taken`, `accepted` when it has agreed and said no more, `refused` with a status, `no word`.
        outcome: String,
    },
    /// A leg came from another call.
    LegJoined {
        /// The leg.
        leg: LegId,
        /// The call.
        from: CallId,
    },
    /// A leg went on in another call, whose record has it.
    LegLeft {
        /// The leg.
        leg: LegId,
        /// The call.
        to: CallId,
    },
    /// A leg is in the call's conference, or has another role there.
    ConferenceJoined {
        /// The leg.
        leg: LegId,
        /// Who that is.
        party: String,
        /// `party`, `monitor`, `coach`.
        role: String,
    },
    /// A leg is in it no more.
    ConferenceLeft {
        /// The leg.
        leg: LegId,
        /// Who that is.
        party: String,
    },
    /// Somebody goes on in a leg's place; its record has who that is.
    LegReplaced {
        /// The leg.
        leg: LegId,
        /// Who was there before.
        party: String,
        /// The Call-ID that it had.
        sip_call_id: String,
    },
    /// Words could not be spoken.
    NotSpoken {
        /// Their language; what they were may be nobody's business.
        language: String,
    },
    /// What answered a leg is known.
    ProgressFound {
        /// The leg.
        leg: LegId,
        /// What, and why that is thought.
        report: Box<ProgressReport>,
    },
    /// A leg is recorded.
    RecordingStarted {
        /// The leg.
        leg: LegId,
        /// The file, below the node's folder of recordings.
        file: String,
    },
    /// Its recording pauses.
    RecordingPaused {
        /// The leg.
        leg: LegId,
    },
    /// It goes on.
    RecordingResumed {
        /// The leg.
        leg: LegId,
    },
    /// It has ended before the leg.
    RecordingEnded {
        /// The leg.
        leg: LegId,
    },
    /// It cannot be written, or not to its end.
    RecordingFailed {
        /// The leg.
        leg: LegId,
        /// Why.
        reason: String,
    },
    /// A leg was sent to, and nothing had come from it for some seconds although it should.
    LegUnheard {
        /// The leg.
        leg: LegId,
    },
    /// A machine on a leg has beeped, and records; or has not in time.
    BeepAwaited {
        /// The leg.
        leg: LegId,
        /// Whether it has.
        heard: bool,
    },
    /// The agent took it.
    AgentAnswered {
        /// The agent.
        agent: String,
    },
}
