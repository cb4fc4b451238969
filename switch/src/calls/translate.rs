//! Between the words of the control plane and those of the media worker.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tandem_control_api as api;
use tandem_control_api::CommandError;
use tandem_media as media;
use tandem_sbc::user_agent::{
    AudioCodec, DtlsRole, Dtmf, InviteTarget, LocalMedia, MediaDirection, MediaSecurity, NegotiatedAudio,
    PacketTimes, SrtpKey, SrtpKeys, SrtpSuite,
};

use super::PTIME;
use crate::{PromptLibrary, SwitchConfig};

/// The most prompts in one `Play`.
pub(crate) const MAX_PROMPTS: usize = 256;
/// The most digits in one prompt.
pub(crate) const MAX_PROMPT_DIGITS: usize = 64;

/// The pieces of a play.
///
/// # Errors
/// `UnknownPrompt` for a name that is not in the library or a string with something else than digits, `Limit` past
/// [`MAX_PROMPTS`] or [`MAX_PROMPT_DIGITS`], `Invalid` when there is nothing to hear and no silence to wait for.
pub(crate) fn segments(
    prompts: &[api::Prompt],
    library: &PromptLibrary,
) -> Result<Arc<[media::Segment]>, CommandError> {
    if prompts.len() > MAX_PROMPTS {
        return Err(CommandError::Limit("prompts in a play".to_owned()));
    }
    let segments: Arc<[media::Segment]> =
        prompts.iter().map(|prompt| segment(prompt, library)).collect::<Result<_, _>>()?;
    if segments.iter().all(media::Segment::is_empty) {
        return Err(CommandError::Invalid("prompts: nothing to play".to_owned()));
    }
    Ok(segments)
}

/// A piece of a play.
///
/// # Errors
/// As [`segments`]; `Invalid` for words, which only a play of its own can wait for.
pub(super) fn segment(prompt: &api::Prompt, library: &PromptLibrary) -> Result<media::Segment, CommandError> {
    match prompt {
        api::Prompt::Named(name) => Ok(media::Segment::Audio(named(name, library)?)),
        api::Prompt::Music(name) => Ok(media::Segment::Music(named(name, library)?)),
        api::Prompt::Part { name, offset, length } => {
            let audio = named(name, library)?;
            if *offset >= audio.duration() {
                return Err(CommandError::Invalid(format!("offset: {name} lasts {:?}", audio.duration())));
            }
            Ok(media::Segment::Part { audio, offset: *offset, length: length.unwrap_or(Duration::MAX) })
        }
        api::Prompt::Digits(digits) if digits.len() > MAX_PROMPT_DIGITS => {
            Err(CommandError::Limit("digits in a prompt".to_owned()))
        }
        api::Prompt::Digits(digits) => {
            if digits.chars().all(|symbol| media::Digit::from_char(symbol).is_some()) {
                Ok(media::Segment::Digits(Arc::from(digits.as_str())))
            } else {
                Err(CommandError::UnknownPrompt(digits.clone()))
            }
        }
        api::Prompt::Tone(tone) => Ok(media::Segment::Tone(match tone {
            api::Tone::Ringback => media::Tone::Ringback,
            api::Tone::Busy => media::Tone::Busy,
            api::Tone::Beep => media::Tone::Beep,
            api::Tone::Entry => media::Tone::Entry,
            api::Tone::Zip => media::Tone::Zip,
        })),
        api::Prompt::Speech { .. } => {
            Err(CommandError::Invalid("speech: not while somebody is rung".to_owned()))
        }
        api::Prompt::Silence(duration) => Ok(media::Segment::Silence(*duration)),
    }
}

/// A prompt of the library.
pub(super) fn named(name: &str, library: &PromptLibrary) -> Result<Arc<media::Audio>, CommandError> {
    library.get(name).cloned().ok_or_else(|| CommandError::UnknownPrompt(name.to_owned()))
}

pub(crate) const fn barge_in(barge_in: api::BargeIn) -> media::BargeIn {
    match barge_in {
        api::BargeIn::Never => media::BargeIn::Never,
        api::BargeIn::Digit => media::BargeIn::Digit,
        api::BargeIn::DigitOrVoice => media::BargeIn::DigitOrVoice,
    }
}

/// How often a worker plays the segments.
pub(crate) fn times(repeat: api::Repeat) -> Option<u32> {
    match repeat {
        api::Repeat::Times(times) => Some(times.max(1)),
        api::Repeat::Forever => None,
    }
}

/// The rules of a collection. `min_digits` stays here: the worker reports what it got, and why it stopped; whether
/// that is enough is the control plane's to decide.
///
/// # Errors
/// `Invalid` names the field.
pub(crate) fn collect_rules(rules: &api::CollectRules) -> Result<media::CollectRules, CommandError> {
    let invalid = |what: &str| CommandError::Invalid(what.to_owned());
    if !(1..=media::CollectRules::MAX_DIGITS).contains(&rules.max_digits) {
        return Err(invalid("max_digits"));
    }
    if rules.min_digits > rules.max_digits {
        return Err(invalid("min_digits"));
    }
    Ok(media::CollectRules {
        max_digits: rules.max_digits,
        terminators: media::Terminators::parse(&rules.terminators).ok_or_else(|| invalid("terminators"))?,
        first_digit_timeout: rules.first_digit_timeout,
        inter_digit_timeout: rules.inter_digit_timeout,
        clear_typeahead: rules.clear_typeahead,
        sensitive: rules.sensitive,
    })
}

pub(crate) const fn play_end(end: media::PlayEnd) -> api::PlayEnd {
    match end {
        media::PlayEnd::Finished => api::PlayEnd::Finished,
        media::PlayEnd::BargedIn => api::PlayEnd::BargedIn,
        media::PlayEnd::Stopped => api::PlayEnd::Stopped,
    }
}

pub(crate) const fn collect_end(end: media::CollectEnd) -> api::CollectEnd {
    match end {
        media::CollectEnd::MaxDigits => api::CollectEnd::MaxDigits,
        media::CollectEnd::Terminator => api::CollectEnd::Terminator,
        media::CollectEnd::FirstDigitTimeout => api::CollectEnd::FirstDigitTimeout,
        media::CollectEnd::InterDigitTimeout => api::CollectEnd::InterDigitTimeout,
        media::CollectEnd::Stopped => api::CollectEnd::Stopped,
    }
}

/// Whom to invite.
pub(crate) fn invite_target(target: api::DialTarget) -> InviteTarget {
    match target {
        api::DialTarget::User(user) => InviteTarget::User(user),
        api::DialTarget::Trunk { trunk, number } => InviteTarget::Trunk { trunk, number },
    }
}

/// From where RTP of a leg may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerKind {
    /// A carrier: exactly from where it said it would.
    Trunk,
    /// A phone, whose own idea of its address is wrong behind NAT.
    Phone {
        /// Whether it may send from where its signalling comes.
        behind_nat: bool,
        /// One more address it may then send from.
        gateway: Option<IpAddr>,
    },
}

impl PeerKind {
    pub(crate) const fn phone(config: &SwitchConfig) -> Self {
        Self::Phone { behind_nat: config.phones_behind_nat, gateway: config.phone_gateway }
    }
}

/// Keys whose length is not their suite's. Without keys there is no media: nothing goes in clear that was to be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnusableKeys;

/// What the worker is told of what offer and answer agreed.
///
/// # Errors
/// For keys that the worker could not use.
pub(crate) fn stream(
    audio: &NegotiatedAudio,
    peer: PeerKind,
    media_timeout: Option<Duration>,
) -> Result<media::StreamParameters, UnusableKeys> {
    Ok(media::StreamParameters {
        remote_rtp: audio.remote_rtp,
        remote_rtcp: audio.remote_rtcp,
        codec: codec(audio),
        send_payload_type: audio.send_payload_type,
        receive_payload_type: audio.receive_payload_type,
        send_event_payload_type: audio.send_event_payload_type,
        receive_event_payload_type: audio.receive_event_payload_type,
        event_clock_hz: audio.event_clock_hz,
        comfort_noise: audio.comfort_noise,
        in_band: in_band(audio),
        direction: match audio.direction {
            MediaDirection::SendReceive => media::Direction::SendReceive,
            MediaDirection::SendOnly => media::Direction::SendOnly,
            MediaDirection::ReceiveOnly => media::Direction::ReceiveOnly,
            MediaDirection::Inactive => media::Direction::Inactive,
        },
        ptime: audio.ptime,
        packet_times: match audio.packet_times {
            PacketTimes::Any => media::PacketTimes::Any,
            PacketTimes::UpTo(most) => media::PacketTimes::UpTo(most),
            PacketTimes::Exact => media::PacketTimes::Exact,
        },
        latch: latch(peer, audio.signalling_source),
        media_timeout,
        rtcp_mux: audio.rtcp_mux,
        extended_reports: match audio.extended_reports {
            None => media::ExtendedReports::Off,
            Some(false) => media::ExtendedReports::InReturn,
            Some(true) => media::ExtendedReports::Asked,
        },
        security: security(&audio.security)?,
        ice: audio.ice.as_ref().map(|ice| {
            Box::new(media::IceCredentials {
                local_fragment: ice.local_fragment.clone(),
                local_password: ice.local_password.clone(),
            })
        }),
    })
}

fn codec(audio: &NegotiatedAudio) -> media::Codec {
    match audio.codec {
        AudioCodec::Pcmu => media::Codec::Pcmu,
        AudioCodec::Pcma => media::Codec::Pcma,
        AudioCodec::G722 => media::Codec::G722,
        AudioCodec::Opus => media::Codec::Opus(media::codec::OpusParameters {
            in_band_fec: audio.opus.in_band_fec,
            dtx: audio.opus.dtx,
            constant_bitrate: audio.opus.constant_bitrate,
            max_average_bitrate: audio
                .opus
                .max_average_bitrate
                .unwrap_or(media::codec::OpusParameters::MAX_BITRATE),
            max_playback_rate_hz: audio.opus.max_playback_rate_hz,
        }),
    }
}

const fn in_band(audio: &NegotiatedAudio) -> media::InBand {
    match (audio.send_event_payload_type, audio.dtmf) {
        (Some(_), _) | (None, Dtmf::Off) => media::InBand::Sounds,
        (None, Dtmf::Info | Dtmf::InfoDtmf) => media::InBand::Heard,
        (None, Dtmf::Rfc4733 | Dtmf::InBand) => media::InBand::HeardAndSent,
    }
}

fn security(security: &MediaSecurity) -> Result<media::Security, UnusableKeys> {
    Ok(match security {
        MediaSecurity::Plain => media::Security::Plain,
        MediaSecurity::Sdes(keys) => media::Security::Keys(srtp(keys)?),
        MediaSecurity::Dtls(association) => media::Security::Dtls(Box::new(media::DtlsParameters {
            role: match association.role {
                DtlsRole::Client => media::DtlsRole::Client,
                DtlsRole::Server => media::DtlsRole::Server,
            },
            fingerprints: association.fingerprints.iter().map(|it| media::Fingerprint(it.0)).collect(),
        })),
    })
}

fn srtp(keys: &SrtpKeys) -> Result<Box<media::srtp::SrtpKeys>, UnusableKeys> {
    let key = |key: &SrtpKey| master_key(key.suite(), key.octets());
    Ok(Box::new(media::srtp::SrtpKeys { send: key(&keys.send)?, receive: key(&keys.receive)? }))
}

fn master_key(of: SrtpSuite, octets: &[u8]) -> Result<media::srtp::MasterKey, UnusableKeys> {
    media::srtp::MasterKey::new(suite(of), octets).ok_or(UnusableKeys)
}

const fn suite(suite: SrtpSuite) -> media::srtp::Suite {
    match suite {
        SrtpSuite::AesCm128HmacSha1_80 => media::srtp::Suite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32 => media::srtp::Suite::AesCm128HmacSha1_32,
        SrtpSuite::AeadAes128Gcm => media::srtp::Suite::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm => media::srtp::Suite::AeadAes256Gcm,
    }
}

const fn latch(peer: PeerKind, signalling_source: IpAddr) -> media::LatchPolicy {
    match peer {
        PeerKind::Trunk => media::LatchPolicy::Signalled,
        PeerKind::Phone { behind_nat: false, .. } => media::LatchPolicy::SignalledAddress,
        PeerKind::Phone { behind_nat: true, gateway } => {
            media::LatchPolicy::BehindNat { signalling: signalling_source, gateway }
        }
    }
}

/// Our side of a leg's media: what everybody speaks, and the codec that avoids transcoding.
pub(crate) fn local_media(rtp: SocketAddr, preferred: Option<AudioCodec>) -> LocalMedia {
    LocalMedia { rtp, codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma], preferred, ptime: PTIME }
}

/// A leg's media for the record.
pub(crate) fn statistics(
    codec: Option<AudioCodec>,
    totals: &media::EndpointStatistics,
) -> api::MediaStatistics {
    api::MediaStatistics {
        codec: codec.map(|codec| codec.name().to_owned()).unwrap_or_default(),
        packets_received: totals.packets_received,
        packets_sent: totals.packets_sent,
        packets_lost: totals.packets_lost,
        packets_refused: totals.packets_refused,
        jitter_us: totals.jitter_us,
        jitter_max_us: totals.jitter_max_us,
        remote_loss_percent: totals.remote_loss_percent,
        remote_jitter_us: totals.remote_jitter_us,
        round_trip_us: totals.round_trip_us,
        mos: totals.mos,
        remote_mos: totals.remote_mos,
        quality: totals.quality.iter().map(quality_point).collect(),
        digits_received: totals.digits_received,
    }
}

fn quality_point(point: &media::quality::QualityPoint) -> api::QualityPoint {
    let heard = |it: media::quality::Heard| api::Heard {
        loss_percent: it.loss_percent,
        jitter_us: it.jitter_us,
        mos: it.mos,
    };
    api::QualityPoint {
        at: point.at,
        received: point.received.map(heard),
        sent: point.sent.map(heard),
        round_trip_us: point.round_trip_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4568 §6.2 and RFC 7714 §14: the suites' lengths are the same to those who agree on keys and to those who use
    /// them; keys of any other length are refused, never passed over.
    #[test]
    fn keys_of_a_wrong_length_protect_nothing_and_are_refused() {
        for suite in SrtpSuite::ALL {
            let octets = vec![7; suite.key_len()];
            assert!(master_key(suite, &octets).is_ok(), "{}", suite.name());
            for wrong in [suite.key_len() - 1, suite.key_len() + 1, 0] {
                assert_eq!(master_key(suite, &vec![7; wrong]).err(), Some(UnusableKeys), "{wrong} octets");
            }
            let key = SrtpKey::new(suite, &octets).expect("of its length");
            let agreed = MediaSecurity::Sdes(SrtpKeys { send: key.clone(), receive: key });
            assert!(matches!(security(&agreed), Ok(media::Security::Keys(_))), "{}", suite.name());
        }
    }
}
