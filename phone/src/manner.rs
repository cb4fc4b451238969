//! How a party behaves in a call, well or badly, as data.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::codec::Codec;

/// How a party behaves in one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Manner {
    /// What it does when called.
    pub answer: Answer,
    /// The frequency of its voice; everybody needs another one.
    pub hz: u16,
    /// What it says before its tone begins, at 8 kHz.
    pub says: Option<Arc<[i16]>>,
    /// The codecs it offers and takes, the preferred one first.
    pub codecs: Vec<Codec>,
    /// The payload type, from 96 to 127, that it uses for telephone-event (RFC 4733), of one clock; the next number is
    /// that of the other clock. None when it has none: its keys are tones.
    pub events: Option<u8>,
    /// How much audio its packets carry: 10 to 60 ms in tens, of Opus less where that has no frames of it.
    pub ptime: Duration,
    /// The most that those may carry that it is sent, if it says so (`a=maxptime`).
    pub max_ptime: Option<Duration>,
    /// For how long it speaks and pauses, over and over; it never pauses when absent.
    pub pauses: Option<(Duration, Duration)>,
    /// Whether it offers and takes comfort noise (RFC 3389) beside codecs other than Opus: then it describes its pauses.
    pub comfort_noise: bool,
    /// Whether it asks to be told how it is heard, in extended reports (`a=rtcp-xr`, RFC 3611); who asks it is told by each.
    pub rtcp_xr: bool,
    /// It hangs up so long after the answer; never when absent.
    pub talk: Option<Duration>,
    /// As a caller it gives up (CANCEL) when not answered after so long.
    pub patience: Option<Duration>,
    /// What it presses, and how long after the answer.
    pub keys: Vec<(Duration, String)>,
    /// When it holds, and for how long, counted from the answer.
    pub holds: Vec<(Duration, Duration)>,
    /// Whom it transfers the other side to, if anybody.
    pub transfer: Option<Transfer>,
    /// What it does when it is asked to call somebody.
    pub referred: Referred,
    /// Whether its ringing is reliable, and it acknowledges that of others (RFC 3262), where the other side can.
    pub reliable: bool,
    /// How long its session lasts without being refreshed by it (RFC 4028), where the other side can; for ever when
    /// absent.
    pub session: Option<Duration>,
    /// Whether it says who it is from end to end, and whom it heard (Session-ID, RFC 7989).
    pub session_id: bool,
    /// Whether its media is protected.
    pub srtp: Srtp,
    /// Whether it speaks and listens at all.
    pub media: Media,
    /// Its bad habits.
    pub habits: Vec<Habit>,
}

/// A transfer of the other side to somebody else (RFC 3515).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// How long after the answer it begins.
    pub after: Duration,
    /// The user or number, at the other side's server.
    pub to: String,
    /// How.
    pub way: TransferWay,
}

/// How a party transfers the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferWay {
    /// It asks (REFER) and waits what becomes of it.
    Blind,
    /// It asks, and hangs up as soon as that is accepted.
    BlindAndLeave,
    /// It holds, calls the other one itself, and asks for the two to be joined (Replaces, RFC 3891).
    Attended {
        /// How long it talks to the other one first.
        talks: Duration,
    },
    /// It does not transfer: it holds, calls the other one itself, and keys a code there by which its server makes one
    /// call of the two.
    Conference {
        /// How long it talks to the other one first.
        talks: Duration,
        /// The code.
        code: &'static str,
    },
}

impl TransferWay {
    /// Whether it talks to the other one itself first, and holds meanwhile.
    #[must_use]
    pub const fn consults(self) -> bool {
        matches!(self, Self::Attended { .. } | Self::Conference { .. })
    }
}

/// What a party does that is asked to call somebody (REFER).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referred {
    /// It does not.
    Refuses {
        /// 300 to 699.
        status: u16,
    },
    /// It says that it tries, and how that ended; who is called is none of our business.
    Tells {
        /// How long it takes.
        after: Duration,
        /// 200 to 699.
        status: u16,
    },
    /// It says that it tries, hangs up, and says no more.
    Leaves,
}

/// Whether a party's media is protected, with keys in the session description (RFC 4568).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Srtp {
    /// Never: it offers and takes RTP/AVP without keys.
    Off,
    /// When the other side can: it offers RTP/AVP with keys, and takes everything.
    Offered,
    /// Always: it offers and takes RTP/SAVP only.
    Required,
}

/// Whether a party speaks and listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// It has a port of its own, sends its tone there and hears what comes.
    Spoken,
    /// It says that it is at this address, sends nothing and hears nothing: for load without media.
    Elsewhere(SocketAddr),
}

impl Manner {
    /// Answers after `ring` with the voice `hz`, G.711 µ-law first, and leaves hanging up to the other side.
    #[must_use]
    pub fn polite(hz: u16, ring: Duration) -> Self {
        Self {
            answer: Answer::After(ring),
            hz,
            says: None,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            events: Some(101),
            ptime: Duration::from_millis(20),
            max_ptime: None,
            pauses: None,
            comfort_noise: false,
            rtcp_xr: false,
            talk: None,
            patience: None,
            keys: Vec::new(),
            holds: Vec::new(),
            transfer: None,
            referred: Referred::Refuses { status: 501 },
            reliable: false,
            session: None,
            session_id: false,
            srtp: Srtp::Off,
            media: Media::Spoken,
            habits: Vec::new(),
        }
    }

    pub(crate) fn has(&self, habit: Habit) -> bool {
        self.habits.contains(&habit)
    }

    /// How much later than it should everything of this party leaves.
    pub(crate) fn slowness(&self) -> Duration {
        let slow = |habit: &Habit| match habit {
            Habit::Slow(by) => Some(*by),
            _ => None,
        };
        self.habits.iter().find_map(slow).unwrap_or_default()
    }

    pub(crate) fn sends_from(&self) -> Option<IpAddr> {
        self.habits.iter().find_map(|habit| match habit {
            Habit::SendsFrom(address) => Some(*address),
            _ => None,
        })
    }

    /// Whether an RTP packet of that number gets lost.
    pub(crate) fn loses(&self, sequence: u16) -> bool {
        self.habits.iter().any(|habit| match habit {
            Habit::LosesSpeech { every } => *every > 0 && sequence.is_multiple_of(*every),
            _ => false,
        })
    }

    pub(crate) fn vanishes_after(&self) -> Option<Duration> {
        self.habits.iter().find_map(|habit| match habit {
            Habit::Vanishes { after } => Some(*after),
            _ => None,
        })
    }
}

/// What a called party does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Rings, then answers.
    After(Duration),
    /// Rings until the caller gives up.
    RingForEver,
    /// Rings, then refuses with this final status (486, 603, …).
    Refuse {
        /// How long it rings first.
        after: Duration,
        /// 400 to 699.
        status: u16,
    },
    /// 302 with this Contact URI.
    Redirect {
        /// Whereto.
        contact: String,
    },
    /// Never says anything.
    Ignore,
}

/// What a misbehaving party does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Every SIP message leaves so much later.
    Slow(Duration),
    /// Its ACKs get lost.
    NeverAcks,
    /// Its answers to BYE get lost.
    NeverAnswersBye,
    /// Sends CANCEL only when the answer has come (RFC 3261 §9.1), then ACK and BYE.
    CancelsTooLate,
    /// Its INVITE has no offer: the offer is the other side's, the answer in its ACK (RFC 3261 §13.2.1).
    OffersNothing,
    /// Answers an INVITE with two 200s of different tags, as if forked; the second dialog is never heard of again.
    AnswersTwice,
    /// Its RTP comes from another address than the one it told.
    SendsFrom(IpAddr),
    /// Packets of its speech get lost on their way, one of so many.
    LosesSpeech {
        /// Of how many; none of 0.
        every: u16,
    },
    /// A second BYE follows the first.
    ByesTwice,
    /// Sends an ACK nobody waits for right after its INVITE, and after each BYE.
    StrayAcks,
    /// Sends every SIP message twice.
    RepeatsEverything,
    /// Does not refresh its session, though it said that it would.
    ForgetsToRefresh,
    /// Ceases to exist so long after the answer, without BYE.
    Vanishes {
        /// Counted from the answer.
        after: Duration,
    },
}
