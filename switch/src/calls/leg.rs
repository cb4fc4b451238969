//! One leg: one party, one SIP session, one media endpoint.

use std::sync::Arc;

use tandem_control_api::{
    CallId, CollectEnd, CommandError, CommandId, DialFailure, DialTarget, Direction, EndedBy, LegEnd, LegId,
    LegRecord, MediaPath, Outcome, PlayEnd,
};
use tandem_media::{CollectId, EndpointId, EndpointStatistics, PlayId};
use tandem_sbc::user_agent::{AudioCodec, Identity, NegotiatedAudio, Reason, Scheme, SessionId};
use tandem_time::Instant;

use super::analysis::Analysis;
use super::cause::EndCause;
use super::recording::Recording;
use super::transfer::Refer;
use super::translate::{self, PeerKind};

/// Where a leg stands. What it holds is in the variant: a state without a session has none to forget. A leg without an
/// endpoint, once it is being answered or dialled, is one whose media does not pass us: it goes from Offered to Accepting
/// at once, and is invited as soon as it is made.
///
/// ```text
///  incoming                                            dialled
///  Offered ─Answer▶ Preparing ─Opened▶ Accepting       Dialling ─Opened▶ Inviting ─180▶ Ringing ─183▶ Early
///     │   Progress▶ Preparing ─Opened▶ Progressing ─Answer▶ │               │ 200          │ 200       │ 200
///     │                                    │ ACK                            │              │           │
///     │                                    ▼                                ▼              ▼           │
///     │                                Agreeing ◀───────────────────────────┴──────────────┘           │
///     │                                    │                                                           │
///     │                                    │ audio agreed (at once when it was before)
///     │                                    ▼
///     │                                Answered ◀─Bridge, Unbridge─▶ Bridged ◀─────was bridged────────┤
///     │                                    ▲ ◀──Unbridge─ Conferring ◀─Join── Answered, Bridged         │
///     │                                    ▲──────────────────────────────────────────was not──────────┘
///     │ Reject                             │
///     └──────────────┬─────────────────────┘ Hangup, or a timer of ours: from every state with a session
///                    ▼
///                  Ending ───the session ended───▶ Ended ───session released, endpoint closed───▶ (freed)
///                  every other state ─the session ended, or there was none yet─▶ Ended
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LegState {
    /// Incoming: the control plane was told and has not decided.
    Offered { session: SessionId },
    /// Incoming: to be answered, or heard, as soon as there is an endpoint.
    Preparing { session: SessionId, endpoint: EndpointId, opening: Opening, attempts: u8 },
    /// Incoming: not answered, and has an endpoint. Once it hears us it may hear a play, or be joined to another leg.
    Progressing {
        session: SessionId,
        endpoint: EndpointId,
        heard: Heard,
        play: Option<Play>,
        peer: Option<LegId>,
    },
    /// Incoming: 200 is out, ACK awaited.
    Accepting { session: SessionId, endpoint: Option<EndpointId>, answer: CommandId, peer: Option<LegId> },
    /// Dialled: to be invited as soon as there is an endpoint.
    Dialling { endpoint: Option<EndpointId>, dial: CommandId, attempts: u8, ring_until: Instant },
    /// Dialled: INVITE is out.
    Inviting { session: SessionId, endpoint: Option<EndpointId>, dial: CommandId, ring_until: Instant },
    /// Dialled: the phone rings.
    Ringing { session: SessionId, endpoint: Option<EndpointId>, dial: CommandId, ring_until: Instant },
    /// Dialled: not answered, and its media can be heard. It may be joined to an answered leg.
    Early {
        session: SessionId,
        endpoint: Option<EndpointId>,
        dial: CommandId,
        ring_until: Instant,
        peer: Option<LegId>,
    },
    /// Answered, but offer and answer are not complete.
    Agreeing { session: SessionId, endpoint: Option<EndpointId>, opener: Opener },
    /// Answered, and for itself: it may hear a play and be collected from.
    Answered {
        session: SessionId,
        endpoint: Option<EndpointId>,
        play: Option<Play>,
        collect: Option<Collect>,
    },
    /// Answered, and joined to another leg, or to itself.
    Bridged { session: SessionId, endpoint: Option<EndpointId>, peer: LegId },
    /// Answered, and in its call's conference.
    Conferring { session: SessionId, endpoint: EndpointId },
    /// We ended it; the user agent has not said so yet.
    Ending {
        session: SessionId,
        endpoint: Option<EndpointId>,
        asked: Option<Asked>,
        by: EndedBy,
        cause: EndCause,
    },
    /// Over, and the control plane was told; what is still to be released.
    Ended { session: Option<SessionId>, endpoint: Option<EndpointId> },
}

/// What an endpoint is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Answer(CommandId),
    Progress(CommandId),
}

/// Whether a caller hears us before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The user agent is asked.
    Asked(CommandId),
    Yes,
    /// Its offer does not allow it.
    No,
}

/// The command that is done when a leg is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opener {
    Answer(CommandId),
    Dial(CommandId),
}

/// A play under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Play {
    pub(crate) id: PlayId,
    pub(crate) command: CommandId,
}

/// A collection under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Collect {
    pub(crate) id: CollectId,
    pub(crate) command: CommandId,
    pub(crate) sensitive: bool,
}

/// The command that is done when a leg has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Reject(CommandId),
    Hangup(CommandId),
}

impl Asked {
    pub(crate) const fn settled(self) -> Settled {
        match self {
            Self::Reject(command) => Settled::new("reject", command, Ok(Outcome::Ok)),
            Self::Hangup(command) => Settled::new("hangup", command, Ok(Outcome::Ok)),
        }
    }
}

/// A command and its outcome, to be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settled {
    pub(crate) name: &'static str,
    pub(crate) command: CommandId,
    pub(crate) outcome: Result<Outcome, CommandError>,
}

impl Settled {
    pub(crate) const fn new(
        name: &'static str,
        command: CommandId,
        outcome: Result<Outcome, CommandError>,
    ) -> Self {
        Self { name, command, outcome }
    }

    pub(crate) const fn stopped_play(play: Play) -> Self {
        Self::new("play", play.command, Ok(Outcome::Played { end: PlayEnd::Stopped }))
    }

    pub(crate) const fn stopped_collect(collect: Collect) -> Self {
        let outcome = Outcome::Collected { digits: String::new(), end: CollectEnd::Stopped };
        Self::new("collect", collect.command, Ok(outcome))
    }
}

impl LegState {
    /// Whether we have invited its party, who has not answered.
    pub(crate) const fn is_rung(&self) -> bool {
        matches!(self, Self::Inviting { .. } | Self::Ringing { .. } | Self::Early { .. })
    }

    /// As tables, logs and errors show it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Offered { .. } => "offered",
            Self::Preparing { .. } => "preparing",
            Self::Progressing { .. } => "progressing",
            Self::Accepting { .. } => "accepting",
            Self::Dialling { .. } => "dialling",
            Self::Inviting { .. } => "inviting",
            Self::Ringing { .. } => "ringing",
            Self::Early { .. } => "early",
            Self::Agreeing { .. } => "agreeing",
            Self::Answered { .. } => "answered",
            Self::Bridged { .. } => "bridged",
            Self::Conferring { .. } => "conferring",
            Self::Ending { .. } => "ending",
            Self::Ended { .. } => "ended",
        }
    }

    pub(crate) const fn session(&self) -> Option<SessionId> {
        match *self {
            Self::Dialling { .. } => None,
            Self::Offered { session }
            | Self::Preparing { session, .. }
            | Self::Progressing { session, .. }
            | Self::Accepting { session, .. }
            | Self::Inviting { session, .. }
            | Self::Ringing { session, .. }
            | Self::Early { session, .. }
            | Self::Agreeing { session, .. }
            | Self::Answered { session, .. }
            | Self::Bridged { session, .. }
            | Self::Conferring { session, .. }
            | Self::Ending { session, .. } => Some(session),
            Self::Ended { session, .. } => session,
        }
    }

    pub(crate) const fn endpoint(&self) -> Option<EndpointId> {
        match *self {
            Self::Offered { .. } => None,
            Self::Preparing { endpoint, .. }
            | Self::Progressing { endpoint, .. }
            | Self::Conferring { endpoint, .. } => Some(endpoint),
            Self::Accepting { endpoint, .. }
            | Self::Dialling { endpoint, .. }
            | Self::Inviting { endpoint, .. }
            | Self::Ringing { endpoint, .. }
            | Self::Early { endpoint, .. }
            | Self::Agreeing { endpoint, .. }
            | Self::Answered { endpoint, .. }
            | Self::Bridged { endpoint, .. }
            | Self::Ending { endpoint, .. }
            | Self::Ended { endpoint, .. } => endpoint,
        }
    }

    /// The same with another session; of a state that can go on with one.
    pub(crate) const fn with_session(self, new: SessionId) -> Self {
        match self {
            Self::Inviting { endpoint, dial, ring_until, .. } => {
                Self::Inviting { session: new, endpoint, dial, ring_until }
            }
            Self::Ringing { endpoint, dial, ring_until, .. } => {
                Self::Ringing { session: new, endpoint, dial, ring_until }
            }
            Self::Early { endpoint, dial, ring_until, peer, .. } => {
                Self::Early { session: new, endpoint, dial, ring_until, peer }
            }
            Self::Agreeing { endpoint, opener, .. } => Self::Agreeing { session: new, endpoint, opener },
            Self::Answered { endpoint, play, collect, .. } => {
                Self::Answered { session: new, endpoint, play, collect }
            }
            Self::Bridged { endpoint, peer, .. } => Self::Bridged { session: new, endpoint, peer },
            Self::Conferring { endpoint, .. } => Self::Conferring { session: new, endpoint },
            other => other,
        }
    }

    pub(crate) const fn is_early(&self) -> bool {
        matches!(self, Self::Early { .. })
    }

    /// Whether it can be joined to another leg.
    pub(crate) const fn is_free(&self) -> bool {
        matches!(
            self,
            Self::Answered { .. }
                | Self::Early { peer: None, .. }
                | Self::Progressing { heard: Heard::Yes, peer: None, .. }
        )
    }

    /// To which leg it is joined.
    pub(crate) const fn peer(&self) -> Option<LegId> {
        match *self {
            Self::Bridged { peer, .. } => Some(peer),
            Self::Early { peer, .. } | Self::Progressing { peer, .. } | Self::Accepting { peer, .. } => peer,
            _ => None,
        }
    }

    /// The same, joined to another leg; of a state in which that can be.
    pub(crate) const fn joined(self, peer: LegId) -> Self {
        match self {
            Self::Answered { session, endpoint, .. } => Self::Bridged { session, endpoint, peer },
            Self::Early { session, endpoint, dial, ring_until, .. } => {
                Self::Early { session, endpoint, dial, ring_until, peer: Some(peer) }
            }
            Self::Progressing { session, endpoint, heard, .. } => {
                Self::Progressing { session, endpoint, heard, play: None, peer: Some(peer) }
            }
            other => other,
        }
    }

    /// The same, for itself again.
    pub(crate) const fn parted(self) -> Self {
        match self {
            Self::Bridged { session, endpoint, .. } => {
                Self::Answered { session, endpoint, play: None, collect: None }
            }
            Self::Early { session, endpoint, dial, ring_until, .. } => {
                Self::Early { session, endpoint, dial, ring_until, peer: None }
            }
            Self::Progressing { session, endpoint, heard, .. } => {
                Self::Progressing { session, endpoint, heard, play: None, peer: None }
            }
            Self::Accepting { session, endpoint, answer, .. } => {
                Self::Accepting { session, endpoint, answer, peer: None }
            }
            other => other,
        }
    }

    /// Where it may hear a play: answered and for itself, or heard before that.
    pub(crate) const fn player(&self) -> Option<EndpointId> {
        match *self {
            Self::Answered { endpoint, .. } => endpoint,
            Self::Progressing { endpoint, heard: Heard::Yes, peer: None, .. } => Some(endpoint),
            _ => None,
        }
    }

    /// What it hears, if that is a play.
    pub(crate) const fn playing(&self) -> Option<Play> {
        match *self {
            Self::Answered { play, .. } | Self::Progressing { play, .. } => play,
            _ => None,
        }
    }

    /// What is collected from it.
    pub(crate) const fn collecting(&self) -> Option<Collect> {
        match *self {
            Self::Answered { collect, .. } => collect,
            _ => None,
        }
    }

    /// The same, with neither a play nor a collection.
    pub(crate) const fn idle(self) -> Self {
        match self {
            Self::Answered { session, endpoint, .. } => {
                Self::Answered { session, endpoint, play: None, collect: None }
            }
            other => other.hearing(None),
        }
    }

    /// The same, hearing another play or none; of a state that can.
    pub(crate) const fn hearing(self, play: Option<Play>) -> Self {
        match self {
            Self::Answered { session, endpoint, collect, .. } => {
                Self::Answered { session, endpoint, play, collect }
            }
            Self::Progressing { session, endpoint, heard, peer, .. } => {
                Self::Progressing { session, endpoint, heard, play, peer }
            }
            other => other,
        }
    }

    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// Until when a dialled leg may ring.
    pub(crate) const fn ring_until(&self) -> Option<Instant> {
        match *self {
            Self::Dialling { ring_until, .. }
            | Self::Inviting { ring_until, .. }
            | Self::Ringing { ring_until, .. }
            | Self::Early { ring_until, .. } => Some(ring_until),
            _ => None,
        }
    }

    /// The outcomes of the commands that end with this leg; `failure` is what a `Dial` is told.
    pub(crate) fn settle(self, failure: DialFailure) -> impl Iterator<Item = Settled> {
        let ended = |name, command| Settled::new(name, command, Err(CommandError::LegEnded));
        let failed = |command| Settled::new("dial", command, Err(CommandError::NotAnswered(failure)));
        let (first, second) = match self {
            Self::Offered { .. } | Self::Bridged { .. } | Self::Conferring { .. } | Self::Ended { .. } => {
                (None, None)
            }
            Self::Preparing { opening: Opening::Answer(answer), .. } | Self::Accepting { answer, .. } => {
                (Some(ended("answer", answer)), None)
            }
            Self::Preparing { opening: Opening::Progress(progress), .. }
            | Self::Progressing { heard: Heard::Asked(progress), .. } => {
                (Some(ended("progress", progress)), None)
            }
            Self::Progressing { play, .. } => (play.map(|play| ended("play", play.command)), None),
            Self::Dialling { dial, .. }
            | Self::Inviting { dial, .. }
            | Self::Ringing { dial, .. }
            | Self::Early { dial, .. } => (Some(failed(dial)), None),
            Self::Agreeing { opener: Opener::Answer(answer), .. } => (Some(ended("answer", answer)), None),
            Self::Agreeing { opener: Opener::Dial(dial), .. } => (Some(failed(dial)), None),
            Self::Answered { play, collect, .. } => (
                play.map(|play| ended("play", play.command)),
                collect.map(|collect| ended("collect", collect.command)),
            ),
            Self::Ending { asked, .. } => (asked.map(Asked::settled), None),
        };
        first.into_iter().chain(second)
    }
}

/// One leg.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) call: CallId,
    /// Its place among the legs of its call.
    pub(crate) ordinal: u32,
    pub(crate) state: LegState,
    pub(crate) direction: Direction,
    pub(crate) peer: PeerKind,
    pub(crate) party: String,
    /// Over which trunk it is reached, if it is.
    pub(crate) trunk: Option<String>,
    /// What to invite once there is an endpoint; gone then.
    pub(crate) invitation: Option<Box<Invitation>>,
    pub(crate) sip_call_id: String,
    /// What its session was called from end to end, when that has ended.
    pub(crate) session_id: Option<String>,
    /// What its party asked for, and nobody has decided on.
    pub(crate) refer: Option<Refer>,
    pub(crate) started: Instant,
    pub(crate) ringing: Option<Instant>,
    pub(crate) answered: Option<Instant>,
    pub(crate) end: Option<Box<(Instant, LegEnd)>>,
    /// What offer and answer agreed last.
    pub(crate) audio: Option<Arc<NegotiatedAudio>>,
    /// Whether it was asked for another codec.
    pub(crate) codec_asked: CodecAsked,
    pub(crate) media_path: MediaPath,
    /// The analysis of what answers it.
    pub(crate) analysis: Option<Box<Analysis>>,
    /// The recording of it that is under way.
    pub(crate) recording: Option<Recording>,
    /// Why its party ended it, if it said.
    pub(crate) stated: Option<Reason>,
}

/// Whether a party was asked to speak another codec, so that it can be relayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CodecAsked {
    #[default]
    Never,
    /// For this one; it has not said.
    For(AudioCodec),
    /// It went on with what it spoke, and is not asked again.
    Declined,
}

/// Whom to invite, and who calls.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) target: DialTarget,
    pub(crate) from: Identity,
    /// What is asked of the way there.
    pub(crate) scheme: Scheme,
}

impl Leg {
    /// A leg that begins now: an offered one is inbound, any other outbound.
    pub(crate) const fn new(
        call: CallId,
        ordinal: u32,
        state: LegState,
        peer: PeerKind,
        party: String,
        now: Instant,
    ) -> Self {
        let direction = match state {
            LegState::Offered { .. } => Direction::Inbound,
            _ => Direction::Outbound,
        };
        Self {
            call,
            ordinal,
            state,
            direction,
            peer,
            party,
            trunk: None,
            invitation: None,
            sip_call_id: String::new(),
            session_id: None,
            refer: None,
            started: now,
            ringing: None,
            answered: None,
            end: None,
            audio: None,
            codec_asked: CodecAsked::Never,
            media_path: MediaPath::Anchored,
            analysis: None,
            recording: None,
            stated: None,
        }
    }

    /// What is kept of it, once it has ended and its endpoint is closed.
    pub(crate) fn record(&mut self, id: LegId, totals: Option<&EndpointStatistics>) -> Option<LegRecord> {
        let (ended, end) = *self.end.take()?;
        let codec = self.audio.as_ref().map(|audio| audio.codec);
        Some(LegRecord {
            id,
            direction: self.direction,
            party: std::mem::take(&mut self.party),
            sip_call_id: std::mem::take(&mut self.sip_call_id),
            session_id: self.session_id.take(),
            started: self.started,
            ringing: self.ringing,
            answered: self.answered,
            ended,
            end,
            media_path: self.media_path,
            reason: self.stated.map(|reason| reason.to_string()),
            media: totals.map(|totals| translate::statistics(codec, totals)),
        })
    }
}
