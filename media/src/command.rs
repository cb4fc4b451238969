//! What the switch asks of a media worker, and what it is told.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::{Codec, Rate};
use crate::digit::Terminators;
use crate::endpoint::Endpoint;
use crate::mix::{Audience, ConferenceId, Gain};
use crate::packet_time::PacketTimes;
use crate::progress::{Evidence, Finding, ProgressRules};
use crate::prompt::{Audio, Tone};
use crate::recorder::Tap;
use crate::security::{IceCredentials, Security};
use crate::tone::samples_in;

/// Names one RTP/RTCP socket pair and its stream; chosen by the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId {
    /// The slot, below the worker's maximum of endpoints; reused after [`Event::Closed`] or [`Event::OpenFailed`].
    pub index: u32,
    /// Tells this use of the slot from earlier ones.
    pub generation: u32,
}

/// Names a play, chosen by the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId(pub u64);

/// Names a digit collection, chosen by the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectId(pub u64);

/// A command to the worker that owns the endpoint. A command for an endpoint that is not open is ignored, since
/// commands and [`Event::Closed`] may cross.
#[derive(Debug)]
pub enum Command {
    /// Opens an endpoint: RTP on `local`, RTCP on the next port. Ends in [`Event::Opened`] or [`Event::OpenFailed`].
    Open {
        /// The endpoint.
        endpoint: EndpointId,
        /// The even RTP port, leased by the switch from its [`crate::PortPool`].
        local: SocketAddr,
    },
    /// Sets or changes what was agreed by offer and answer.
    Configure {
        /// The endpoint.
        endpoint: EndpointId,
        /// What was agreed.
        stream: StreamParameters,
    },
    /// Relays between two endpoints of this worker; an endpoint bridged to itself hears itself. Plays and
    /// collections under way on either end as stopped.
    Bridge {
        /// One endpoint.
        a: EndpointId,
        /// The other, or the same.
        b: EndpointId,
    },
    /// Ends the relay on both sides, or takes the endpoint out of its conference.
    Unbridge {
        /// Either endpoint of a bridge, or a member.
        endpoint: EndpointId,
    },
    /// Seats an endpoint in a conference of this worker, which there is as long as it has members: it hears whom it
    /// may, never itself, and is heard by its audience. A bridge ends, and so do plays and collections under way. Of a
    /// member it changes the audience. Impossible when [`ConferenceId::MAX_MEMBERS`] sit there.
    Join {
        /// The endpoint.
        endpoint: EndpointId,
        /// The conference.
        conference: ConferenceId,
        /// Who hears it.
        audience: Audience,
    },
    /// How loud a member is for all others, or for one of them, who keeps that until the next word for all.
    Voice {
        /// The member.
        endpoint: EndpointId,
        /// Who hears it so; everybody when absent.
        to: Option<EndpointId>,
        /// How loud.
        gain: Gain,
    },
    /// All members hear this along with what is said; it replaces what was announced before.
    Announce {
        /// The conference.
        conference: ConferenceId,
        /// Heard one after the other, once.
        segments: Arc<[Segment]>,
    },
    /// Plays segments in order; replaces what was playing. Ends in one [`Event::PlayEnded`]. Time passes whether or
    /// not the party may be sent anything. To a bridged party a play replaces the other one for as long as it lasts, to
    /// a member of a conference the others.
    Play {
        /// The endpoint.
        endpoint: EndpointId,
        /// Names this play.
        play: PlayId,
        /// Played one after the other.
        segments: Arc<[Segment]>,
        /// How often all of them are played; `None` is for ever.
        times: Option<u32>,
        /// What of the party's ends it.
        barge_in: BargeIn,
    },
    /// Collects digits, first those typed ahead; replaces a collection under way. Ends in one [`Event::Collected`].
    Collect {
        /// The endpoint.
        endpoint: EndpointId,
        /// Names this collection.
        collect: CollectId,
        /// The rules.
        rules: CollectRules,
    },
    /// Keys of a party that make up one of these codes are not for whom it is bridged to: they are held back until they are
    /// known to be none, for two seconds after the latest at most. Of tones that are keys it may hear the beginning.
    HoldBack {
        /// The endpoint.
        endpoint: EndpointId,
        /// The codes, none of which begins with another one; nothing is held back when there are none.
        codes: Arc<[crate::digit::DigitString]>,
    },
    /// A key of the party's that came by another way than RTP: as if it had come by RTP. Whom it is bridged to hears
    /// it as telephone events, if it takes them.
    Digit {
        /// The endpoint.
        endpoint: EndpointId,
        /// The key.
        digit: crate::digit::Digit,
    },
    /// Begins to find out what answers (call-progress analysis); replaces an analysis under way. Ends in one
    /// [`Finding::Verdict`], unless the endpoint closes first, and after some of them in one of a beep.
    Analyse {
        /// The endpoint.
        endpoint: EndpointId,
        /// What it goes by.
        rules: ProgressRules,
        /// Whether the party has answered; else [`Command::Answered`] follows.
        is_answered: bool,
    },
    /// The party has answered, for the analysis under way.
    Answered {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Copies what the party says and hears to whoever writes; one that is under way ends. Ends with [`Command::StopRecording`]
    /// or with the endpoint, and goes with it to another worker.
    Record {
        /// The endpoint.
        endpoint: EndpointId,
        /// The way to who writes.
        tap: Tap,
    },
    /// Lets a recording pause, or go on.
    PauseRecording {
        /// The endpoint.
        endpoint: EndpointId,
        /// Whether it pauses.
        pause: bool,
    },
    /// Ends a recording.
    StopRecording {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Ends the play and the collection under way, if any.
    Stop {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Gives the endpoint up with all that it knows, for another worker: its sockets are closed, and
    /// [`Event::HandedOver`] brings it. Plays and collections under way go with it; a bridge ends.
    HandOver {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Takes an endpoint that another worker has handed over, at the port it had. Ends in [`Event::Opened`], or in
    /// [`Event::Closed`] when the port was taken meanwhile.
    TakeOver {
        /// The endpoint.
        endpoint: EndpointId,
        /// The RTP port it had.
        local: SocketAddr,
        /// What it knows.
        parcel: Parcel,
    },
    /// Closes the endpoint's sockets. Ends in [`Event::Closed`].
    Close {
        /// The endpoint.
        endpoint: EndpointId,
    },
}

/// An endpoint on its way from one worker to another: streams go on in sequence, keys where they were.
#[derive(Debug)]
pub struct Parcel(pub(crate) Box<Endpoint>);

impl PartialEq for Parcel {
    /// An endpoint is in one place at a time.
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

/// What offer and answer agreed, from our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamParameters {
    /// Where the party wants RTP.
    pub remote_rtp: SocketAddr,
    /// Where the party wants RTCP (RFC 3605, else the next port).
    pub remote_rtcp: SocketAddr,
    /// The codec both ways.
    pub codec: Codec,
    /// Payload type of the codec in what we send.
    pub send_payload_type: u8,
    /// Payload type of the codec in what we receive.
    pub receive_payload_type: u8,
    /// Payload type of telephone-event (RFC 4733) in what we send; none when the party cannot.
    pub send_event_payload_type: Option<u8>,
    /// Payload type of telephone-event in what we receive.
    pub receive_event_payload_type: Option<u8>,
    /// The clock of telephone-events, in Hz: that of the codec, or 8000 beside another one.
    pub event_clock_hz: u32,
    /// Whether comfort noise (RFC 3389, payload type 13) may be sent either way.
    pub comfort_noise: bool,
    /// What dual tones in the audio are.
    pub in_band: InBand,
    /// Which ways media flows.
    pub direction: Direction,
    /// How much audio a packet of ours carries.
    pub ptime: Duration,
    /// How much those may carry that are relayed to the party.
    pub packet_times: PacketTimes,
    /// From where RTP is believed.
    pub latch: LatchPolicy,
    /// The endpoint reports [`Event::MediaTimeout`] after so long without a packet while it should receive.
    pub media_timeout: Option<Duration>,
    /// Whether RTCP travels on RTP's ports (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether the party is told how it is heard here in extended reports (RFC 3611).
    pub extended_reports: ExtendedReports,
    /// How RTP and RTCP are protected.
    pub security: Security,
    /// When the party finds its way by ICE: packets are believed from where its checks come, and nowhere else.
    pub ice: Option<Box<IceCredentials>>,
}

impl StreamParameters {
    /// What is agreed with a party about which nothing else is known: both ways in clear, 20 ms a packet, keys as
    /// telephone-events of type 101, RTCP where RTP is, and all of it from where it was signalled.
    #[must_use]
    pub const fn new(party: SocketAddr, codec: Codec, payload_type: u8) -> Self {
        Self {
            remote_rtp: party,
            remote_rtcp: party,
            codec,
            send_payload_type: payload_type,
            receive_payload_type: payload_type,
            send_event_payload_type: Some(101),
            receive_event_payload_type: Some(101),
            event_clock_hz: 8_000,
            comfort_noise: false,
            in_band: InBand::Sounds,
            direction: Direction::SendReceive,
            ptime: Duration::from_millis(20),
            packet_times: PacketTimes::Any,
            latch: LatchPolicy::Signalled,
            media_timeout: None,
            rtcp_mux: false,
            extended_reports: ExtendedReports::InReturn,
            security: Security::Plain,
            ice: None,
        }
    }
}

/// Who is told how it is heard here in extended reports (RFC 3611).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedReports {
    /// Nobody.
    Off,
    /// Parties that write some themselves.
    #[default]
    InReturn,
    /// This party: it has asked for them (§5).
    Asked,
}

/// What dual tones in a party's audio are (ITU-T Q.23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InBand {
    /// Sounds like any other: keys travel as telephone-events, or not at all.
    #[default]
    Sounds,
    /// Keys of the party; those for it travel in its signalling.
    Heard,
    /// Keys, both ways.
    HeardAndSent,
}

/// Which ways media flows, seen from us (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendReceive,
    /// We send only: the party holds us, or listens to an announcement.
    SendOnly,
    /// We receive only.
    ReceiveOnly,
    /// Neither.
    Inactive,
}

/// From where RTP is believed (RFC 7362 without its "RTP bleed").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatchPolicy {
    /// Only from the signalled address and port.
    Signalled,
    /// From the signalled address, any port; the first accepted packet fixes the port, and answers follow it.
    SignalledAddress,
    /// From either of two more addresses as well as the signalled one: a phone behind NAT. The first accepted packet
    /// fixes address and port.
    BehindNat {
        /// Where the party's signalling comes from.
        signalling: std::net::IpAddr,
        /// A gateway that maps RTP to another address than signalling (RFC 4787 §4.1, "arbitrary" pooling).
        gateway: Option<std::net::IpAddr>,
    },
}

/// A piece of a play.
#[derive(Clone)]
pub enum Segment {
    /// Decoded audio.
    Audio(Arc<Audio>),
    /// A part of it.
    Part {
        /// The whole.
        audio: Arc<Audio>,
        /// From here on; nothing when it is not so long.
        offset: Duration,
        /// At most so long.
        length: Duration,
    },
    /// Audio that goes on for ever, the same for all who hear it: whoever begins hears it where it is. What follows it in a
    /// play is never heard.
    Music(Arc<Audio>),
    /// Digits as in-band dual tones, 100 ms on and 100 ms off.
    Digits(Arc<str>),
    /// A call-progress tone, one cadence.
    Tone(Tone),
    /// Nothing, for so long.
    Silence(Duration),
}

impl Segment {
    /// What it is recorded in, if it is.
    pub(crate) const fn audio(&self) -> Option<&Arc<Audio>> {
        match self {
            Self::Audio(audio) | Self::Part { audio, .. } | Self::Music(audio) => Some(audio),
            Self::Digits(_) | Self::Tone(_) | Self::Silence(_) => None,
        }
    }

    /// Which samples of its audio it is at one of that one's rates; none where there is no audio, or no end to it.
    pub(crate) fn samples(&self, rate: Rate) -> Range<usize> {
        match self {
            Self::Audio(audio) => 0..audio.samples_at(rate).len(),
            Self::Part { audio, offset, length } => {
                let all = audio.samples_at(rate).len();
                let start = samples_in(*offset, rate).min(all);
                start..start.saturating_add(samples_in(*length, rate)).min(all)
            }
            Self::Music(_) | Self::Digits(_) | Self::Tone(_) | Self::Silence(_) => 0..0,
        }
    }

    /// Whether there is nothing to hear, nor silence to wait for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Audio(_) | Self::Part { .. } => self.samples(Rate::Narrowband).is_empty(),
            Self::Music(audio) => audio.samples().is_empty(),
            Self::Digits(digits) => digits.is_empty(),
            Self::Tone(_) => false,
            Self::Silence(duration) => duration.is_zero(),
        }
    }
}

impl fmt::Debug for Segment {
    /// Shows how many digits, never which: they may have been collected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audio(audio) => audio.fmt(f),
            Self::Music(audio) => write!(f, "{audio:?} for ever"),
            Self::Part { audio, offset, length } => write!(f, "{length:?} of {audio:?} from {offset:?}"),
            Self::Digits(digits) => write!(f, "Digits({} of them)", digits.len()),
            Self::Tone(tone) => tone.fmt(f),
            Self::Silence(duration) => write!(f, "Silence({duration:?})"),
        }
    }
}

/// The rules of a digit collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectRules {
    /// Ends as soon as so many digits are in; at most [`CollectRules::MAX_DIGITS`]. A terminator keyed directly
    /// after the last of them is taken for the end of this collection and is not part of the next one.
    pub max_digits: u8,
    /// Digits that end the collection and are not part of it.
    pub terminators: Terminators,
    /// How long to wait for the first digit, from the end of the play under way or from now.
    pub first_digit_timeout: Duration,
    /// How long to wait for each further digit.
    pub inter_digit_timeout: Duration,
    /// Forget what was typed before.
    pub clear_typeahead: bool,
    /// Its digits are not reported one by one ([`Event::Digit`]), only in [`Event::Collected`].
    pub sensitive: bool,
}

impl CollectRules {
    /// The most digits one collection, or the type-ahead, can hold.
    pub const MAX_DIGITS: u8 = 64;
}

/// What a worker tells the switch.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// The endpoint's sockets are bound.
    Opened {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// They could not be bound: the port is taken, or the worker is full. The endpoint does not exist.
    OpenFailed {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// A play ended.
    PlayEnded {
        /// The endpoint.
        endpoint: EndpointId,
        /// Which.
        play: PlayId,
        /// Why.
        end: PlayEnd,
    },
    /// A collection ended.
    Collected {
        /// The endpoint.
        endpoint: EndpointId,
        /// Which.
        collect: CollectId,
        /// The digits, without terminator.
        digits: crate::digit::DigitString,
        /// Why.
        end: CollectEnd,
    },
    /// The party pressed a key (once per press, whatever its retransmissions).
    Digit {
        /// The endpoint.
        endpoint: EndpointId,
        /// Which.
        digit: crate::digit::Digit,
    },
    /// A key of a party with codes was none of a code: whom it is bridged to hears it now. Told after its [`Event::Digit`].
    KeyPassed {
        /// The endpoint.
        endpoint: EndpointId,
        /// Which.
        digit: crate::digit::Digit,
    },
    /// Something was found out of what answers.
    Progress {
        /// The endpoint.
        endpoint: EndpointId,
        /// What.
        finding: Finding,
        /// What a verdict goes by; else nothing.
        evidence: Box<[Evidence]>,
    },
    /// The first packet from the party was accepted.
    MediaStarted {
        /// The endpoint.
        endpoint: EndpointId,
        /// From where.
        source: SocketAddr,
    },
    /// The party is sent to and should send, and nothing has come for some seconds.
    OneWay {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Nothing was received for the configured time.
    MediaTimeout {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// The handshake that was to give keys failed: there will be no media.
    HandshakeFailed {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// The endpoint is here no more, see [`Command::HandOver`].
    HandedOver {
        /// The endpoint.
        endpoint: EndpointId,
        /// What it knows, for [`Command::TakeOver`].
        parcel: Parcel,
    },
    /// The endpoint is closed: sockets and ports are free.
    Closed {
        /// The endpoint.
        endpoint: EndpointId,
        /// Its totals.
        statistics: EndpointStatistics,
    },
}

/// What of a party's ends what it hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BargeIn {
    /// Nothing.
    #[default]
    Never,
    /// A digit: one keyed now, or one typed ahead that a collection takes.
    Digit,
    /// A digit, or its voice: −38 dBm0 or more, for 120 ms of 200.
    DigitOrVoice,
}

/// Why a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayEnd {
    /// All of it was played.
    Finished,
    /// A digit or a voice barged in.
    BargedIn,
    /// Stopped, replaced, bridged or closed.
    Stopped,
}

/// Why a collection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectEnd {
    /// As many digits as asked for.
    MaxDigits,
    /// A terminator.
    Terminator,
    /// No first digit in time.
    FirstDigitTimeout,
    /// No further digit in time.
    InterDigitTimeout,
    /// Stopped, replaced, bridged or closed.
    Stopped,
}

/// An endpoint's totals, counted from our side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointStatistics {
    /// RTP packets accepted from the party.
    pub packets_received: u64,
    /// RTP packets sent to the party.
    pub packets_sent: u64,
    /// Packets of the party that never came (RFC 3550 §A.3).
    pub packets_lost: u64,
    /// Packets dropped: wrong source, not RTP, unknown payload type, not authentic.
    pub packets_refused: u64,
    /// Interarrival jitter in microseconds (RFC 3550 §A.8), at the end.
    pub jitter_us: u32,
    /// The largest jitter seen, in microseconds.
    pub jitter_max_us: u32,
    /// What the party lost of ours by its last receiver report, in percent.
    pub remote_loss_percent: Option<f32>,
    /// Interarrival jitter of ours by the party's last receiver report, in microseconds.
    pub remote_jitter_us: Option<u32>,
    /// Round-trip time by the last receiver report, in microseconds.
    pub round_trip_us: Option<u32>,
    /// Estimated listening quality of what the party sent, 1.0 to 4.5 (ITU-T G.107).
    pub mos: Option<f32>,
    /// The same of what the party was sent: as it says itself (RFC 3611), or by its receiver reports.
    pub remote_mos: Option<f32>,
    /// Both over time, [`quality::MAX_POINTS`](crate::quality::MAX_POINTS) points at most.
    pub quality: Vec<crate::quality::QualityPoint>,
    /// Digits received.
    pub digits_received: u32,
}
