//! The codecs of a stream's description: their numbers, what each side wants of them, and what goes beside them.

use std::time::Duration;

use crate::sdp::{Attribute, Media, RtpMap, SessionDescription};
use crate::user_agent::{AudioCodec, OpusFormat, PacketTimes, Repacketise};

/// Numbers in our offers of what has no static one.
const OPUS: u8 = 111;
const EVENTS_8_KHZ: u8 = 101;
const EVENTS_48_KHZ: u8 = 110;

/// Comfort noise (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;

/// The packet time of a peer that names none (RFC 3551 §4.5).
const DEFAULT_PTIME: Duration = Duration::from_millis(20);

/// The packet times we keep to, whatever a peer asks for.
const PTIME_MIN: Duration = Duration::from_millis(10);
const PTIME_MAX: Duration = Duration::from_millis(200);

/// The bounds of `maxaveragebitrate` (RFC 7587 §6.1), in bit/s.
const BITRATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;

/// telephone-event in a description (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) number: u8,
    pub(super) clock_hz: u32,
}

impl Events {
    /// Those that go beside codecs of ours: of each clock that they have (RFC 4733 §2.1).
    pub(super) fn beside(codecs: &[(AudioCodec, u8)]) -> Vec<Self> {
        let has = |clock_hz| codecs.iter().any(|(codec, _)| codec.clock_hz() == clock_hz);
        let both = [(EVENTS_8_KHZ, 8_000), (EVENTS_48_KHZ, 48_000)];
        let wanted = both.into_iter().filter(|(_, clock_hz)| has(*clock_hz));
        wanted.map(|(number, clock_hz)| Self { number, clock_hz }).collect()
    }
}

/// The number of a codec in our offers: that of RFC 3551 §6, if it has one.
pub(super) const fn number_of(codec: AudioCodec) -> u8 {
    match codec {
        AudioCodec::Pcmu => 0,
        AudioCodec::Pcma => 8,
        AudioCodec::G722 => 9,
        AudioCodec::Opus => OPUS,
    }
}

/// The first format of a stream that is one of `ours`, with its number.
pub(super) fn codec_in(media: &Media, ours: &[AudioCodec]) -> Option<(AudioCodec, u8)> {
    media.payload_types().find_map(|number| {
        let codec = codec_numbered(media, number)?;
        ours.contains(&codec).then_some((codec, number))
    })
}

/// The formats of a stream that we know.
pub(super) fn all_codecs_in(media: &Media) -> impl Iterator<Item = AudioCodec> {
    media.payload_types().filter_map(|number| codec_numbered(media, number))
}

fn codec_numbered(media: &Media, number: u8) -> Option<AudioCodec> {
    match media.rtpmap(number) {
        Some(rtpmap) => codec_named(&rtpmap),
        // RFC 3551 §6: static numbers need no rtpmap.
        None => AudioCodec::ALL.into_iter().find(|it| *it != AudioCodec::Opus && number_of(*it) == number),
    }
}

fn codec_named(rtpmap: &RtpMap) -> Option<AudioCodec> {
    AudioCodec::ALL.into_iter().find(|codec| {
        rtpmap.encoding.eq_ignore_ascii_case(codec.name())
            && rtpmap.clock_rate == codec.clock_hz()
            && (*codec == AudioCodec::Opus || rtpmap.channels.unwrap_or(1) == 1)
    })
}

/// telephone-event of a stream: that of the clock, else any that we know.
pub(super) fn event_in(media: &Media, clock_hz: u32) -> Option<Events> {
    let of_clock = |clock_hz| {
        let is_events =
            |map: &RtpMap| map.encoding.eq_ignore_ascii_case("telephone-event") && map.clock_rate == clock_hz;
        let mut numbers = media.payload_types();
        let number = numbers.find(|number| media.rtpmap(*number).as_ref().is_some_and(is_events))?;
        Some(Events { number, clock_hz })
    };
    of_clock(clock_hz).or_else(|| of_clock(8_000)).or_else(|| of_clock(48_000))
}

pub(super) fn has_comfort_noise(media: &Media) -> bool {
    media.payload_types().any(|number| number == COMFORT_NOISE)
}

/// Whether the peer asks to be told how it is heard: extended reports with VoIP metrics (RFC 3611 §5.1), of this stream or of
/// all. It is a unilateral parameter: whoever it is said to should send such of what it receives, and an answer may ask in
/// return; only of what goes both ways (`rcvr-rtt`) both sides' words count (§5.2).
pub(super) fn wants_metrics(theirs: &SessionDescription, media: &Media) -> bool {
    let attributes = media.attributes.iter().chain(&theirs.attributes);
    let mut formats = attributes.filter(|it| it.name == "rtcp-xr").filter_map(|it| it.value.as_deref());
    formats.any(|formats| formats.split_whitespace().any(|format| format == "voip-metrics"))
}

/// How we ask for them; and who only listens may learn its round trip by our answers (§4.5).
pub(super) fn metrics_wanted() -> Attribute {
    Attribute::new("rtcp-xr", "voip-metrics rcvr-rtt=all".to_owned())
}

/// What the peer wants of the Opus that it is sent; of bit rates no more than we want ourselves.
pub(super) fn opus_format(media: &Media, number: u8, ours: OpusFormat) -> OpusFormat {
    let mut format = OpusFormat { max_average_bitrate: ours.max_average_bitrate, ..OpusFormat::default() };
    let written = media.fmtp(&number.to_string()).unwrap_or_default();
    for parameter in written.split(';') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (name.trim(), value.trim());
        let number = value.parse::<u32>().ok();
        match (name.to_ascii_lowercase().as_str(), number) {
            ("useinbandfec", Some(flag)) => format.in_band_fec = flag == 1,
            ("usedtx", Some(flag)) => format.dtx = flag == 1,
            ("cbr", Some(flag)) => format.constant_bitrate = flag == 1,
            ("maxaveragebitrate", Some(rate)) => {
                let rate = rate.clamp(*BITRATES.start(), *BITRATES.end());
                format.max_average_bitrate = Some(ours.max_average_bitrate.map_or(rate, |own| own.min(rate)));
            }
            ("maxplaybackrate", Some(rate)) => format.max_playback_rate_hz = rate.clamp(8_000, 48_000),
            _ => {}
        }
    }
    format
}

/// Writes codecs, and what goes beside them, into a section of ours.
pub(super) fn describe(
    media: &mut Media,
    codecs: &[(AudioCodec, u8)],
    events: &[Events],
    opus: OpusFormat,
    comfort_noise: bool,
) {
    let mut add = |number: u8, encoding: String, parameters: Option<String>| {
        media.formats.push(number.to_string());
        media.attributes.push(Attribute::new("rtpmap", format!("{number} {encoding}")));
        let parameters = parameters.map(|it| Attribute::new("fmtp", format!("{number} {it}")));
        media.attributes.extend(parameters);
    };
    for (codec, number) in codecs {
        match codec {
            // RFC 7587 §7: two channels, whatever is sent.
            AudioCodec::Opus => add(*number, "opus/48000/2".to_owned(), Some(written(opus))),
            _ => add(*number, format!("{}/{}", codec.name(), codec.clock_hz()), None),
        }
    }
    if comfort_noise {
        add(COMFORT_NOISE, "CN/8000".to_owned(), None);
    }
    for Events { number, clock_hz } in events {
        add(*number, format!("telephone-event/{clock_hz}"), Some("0-15".to_owned()));
    }
}

/// The parameters of our Opus: what is as by default is left out, but for redundancy, which says that it is wanted.
fn written(opus: OpusFormat) -> String {
    let mut parameters = vec![format!("useinbandfec={}", u8::from(opus.in_band_fec))];
    if opus.dtx {
        parameters.push("usedtx=1".to_owned());
    }
    if opus.constant_bitrate {
        parameters.push("cbr=1".to_owned());
    }
    parameters.extend(opus.max_average_bitrate.map(|rate| format!("maxaveragebitrate={rate}")));
    if opus.max_playback_rate_hz < 48_000 {
        parameters.push(format!("maxplaybackrate={}", opus.max_playback_rate_hz));
    }
    parameters.join(";")
}

/// The packet time that the peer asks for, within reason; `ours` when it asks for none and must have one.
pub(super) fn ptime(media: &Media, repacketise: Repacketise, ours: Duration) -> Duration {
    let usual = if repacketise == Repacketise::Always { ours } else { DEFAULT_PTIME };
    let asked = media.ptime().unwrap_or(usual);
    asked.min(media.maxptime().unwrap_or(PTIME_MAX)).clamp(PTIME_MIN, PTIME_MAX)
}

/// What the peer may be sent of what others send.
pub(super) fn packet_times(media: &Media, repacketise: Repacketise) -> PacketTimes {
    match (repacketise, media.maxptime()) {
        (Repacketise::Always, _) => PacketTimes::Exact,
        (Repacketise::Limit, Some(most)) => PacketTimes::UpTo(most.max(PTIME_MIN)),
        (Repacketise::Limit, None) | (Repacketise::Off, _) => PacketTimes::Any,
    }
}
