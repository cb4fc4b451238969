//! Offer and answer for one audio stream with telephone events (RFC 3264).
//!
//! Owner thread: the signalling core. This module must not know messages: it is handed descriptions and gives them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::sdp::{Attribute, Connection, Direction, Media, Origin, RtpMap, SessionDescription};
use crate::user_agent::{AudioCodec, LocalMedia, MediaDirection, NegotiatedAudio};

/// telephone-event in our offers (RFC 4733); dynamic, since it has no static number.
const EVENT_PAYLOAD_TYPE: u8 = 101;

/// The packet time of a peer that names none (RFC 3551 §4.5).
const DEFAULT_PTIME: Duration = Duration::from_millis(20);

/// The packet times we keep to, whatever a peer asks for.
const PTIME_MIN: Duration = Duration::from_millis(10);
const PTIME_MAX: Duration = Duration::from_millis(200);

/// Why there is nothing to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disagreement {
    /// It is no session description.
    Malformed,
    /// No audio stream of a kind we speak, at an address we can reach.
    NothingInCommon,
}

/// Our side of a session's descriptions.
#[derive(Clone, Debug)]
pub(crate) struct Negotiation {
    origin_id: u64,
    version: u64,
    local: LocalMedia,
    /// What we sent last.
    described: Option<SessionDescription>,
    /// What stands agreed.
    agreed: Option<NegotiatedAudio>,
}

/// Whether an offer has an audio stream that we could take with some codec of ours.
pub(crate) fn is_acceptable(offer: &[u8]) -> bool {
    let Ok(offer) = SessionDescription::parse(offer) else { return false };
    offer.media.iter().any(|media| {
        remote_address(&offer, media).is_some()
            && codec_in(media, &[AudioCodec::Pcmu, AudioCodec::Pcma]).is_some()
    })
}

impl Negotiation {
    /// `origin_id` names the session in `o=`.
    pub(crate) fn new(origin_id: u64, local: LocalMedia) -> Self {
        // Some peers read the numbers of `o=` as signed 64 bits.
        Self { origin_id: origin_id >> 1, version: 0, local, described: None, agreed: None }
    }

    /// Our offer: all our codecs, and the streams refused before, refused again (§8).
    pub(crate) fn offer(&mut self) -> Vec<u8> {
        let audio = self.offered_audio();
        let media = match &self.described {
            None => vec![audio],
            Some(described) => {
                let mut media = described.media.clone();
                match media.iter_mut().find(|media| media.port != 0) {
                    Some(slot) => *slot = audio,
                    None => media.push(audio),
                }
                media
            }
        };
        self.describe(media)
    }

    /// Answers an offer (§6): the first stream we can take, in the offerer's order of codecs; every other one is
    /// refused with port 0, in its place.
    pub(crate) fn answer(
        &mut self,
        offer: &[u8],
        signalling_source: IpAddr,
    ) -> Result<(Vec<u8>, NegotiatedAudio), Disagreement> {
        let offer = SessionDescription::parse(offer).map_err(|_| Disagreement::Malformed)?;
        let (place, audio) = offer
            .media
            .iter()
            .enumerate()
            .find_map(|(place, media)| Some((place, self.agree(&offer, media, signalling_source)?)))
            .ok_or(Disagreement::NothingInCommon)?;
        let media = offer
            .media
            .iter()
            .enumerate()
            .map(|(index, media)| if index == place { self.answered_audio(&audio) } else { refused(media) })
            .collect();
        let answer = self.describe(media);
        self.agreed = Some(audio.clone());
        Ok((answer, audio))
    }

    /// Takes the answer to our offer.
    pub(crate) fn accept_answer(
        &mut self,
        answer: &[u8],
        signalling_source: IpAddr,
    ) -> Result<NegotiatedAudio, Disagreement> {
        let answer = SessionDescription::parse(answer).map_err(|_| Disagreement::Malformed)?;
        let place =
            self.described.as_ref().and_then(|ours| ours.media.iter().position(|media| media.port != 0));
        let media = place.and_then(|place| answer.media.get(place)).ok_or(Disagreement::NothingInCommon)?;
        let mut audio = self.agree(&answer, media, signalling_source).ok_or(Disagreement::NothingInCommon)?;
        // §5.1: each side sends with the numbers the other one gave.
        audio.receive_payload_type = payload_type(audio.codec);
        audio.receive_event_payload_type = audio.send_event_payload_type.map(|_| EVENT_PAYLOAD_TYPE);
        self.agreed = Some(audio.clone());
        Ok(audio)
    }

    /// What stands agreed.
    pub(crate) fn agreed(&self) -> Option<&NegotiatedAudio> {
        self.agreed.as_ref()
    }

    /// What a stream of the peer's description comes to, if it is one for us.
    fn agree(
        &self,
        theirs: &SessionDescription,
        media: &Media,
        signalling_source: IpAddr,
    ) -> Option<NegotiatedAudio> {
        let remote_rtp = remote_address(theirs, media)?;
        if remote_rtp.is_ipv4() != self.local.rtp.is_ipv4() {
            return None;
        }
        let (codec, number) = codec_in(media, &self.local.codecs)?;
        let events = event_payload_type(media);
        Some(NegotiatedAudio {
            remote_rtp,
            remote_rtcp: remote_rtcp(media, remote_rtp),
            codec,
            send_payload_type: number,
            receive_payload_type: number,
            send_event_payload_type: events,
            receive_event_payload_type: events,
            direction: our_direction(theirs.direction_of(media), remote_rtp.ip()),
            ptime: ptime(media),
            signalling_source,
        })
    }

    fn offered_audio(&self) -> Media {
        let codecs: Vec<(AudioCodec, u8)> =
            self.local.codecs.iter().map(|codec| (*codec, payload_type(*codec))).collect();
        self.audio(&codecs, Some(EVENT_PAYLOAD_TYPE), Direction::SendRecv)
    }

    fn answered_audio(&self, audio: &NegotiatedAudio) -> Media {
        let direction = match audio.direction {
            MediaDirection::SendReceive => Direction::SendRecv,
            MediaDirection::SendOnly => Direction::SendOnly,
            MediaDirection::ReceiveOnly => Direction::RecvOnly,
            MediaDirection::Inactive => Direction::Inactive,
        };
        let codec = (audio.codec, audio.receive_payload_type);
        self.audio(&[codec], audio.receive_event_payload_type, direction)
    }

    fn audio(&self, codecs: &[(AudioCodec, u8)], events: Option<u8>, direction: Direction) -> Media {
        let mut media = Media::new("audio", self.local.rtp.port(), "RTP/AVP");
        for (codec, number) in codecs {
            media.formats.push(number.to_string());
            let rtpmap = format!("{number} {}/8000", encoding(*codec));
            media.attributes.push(Attribute::new("rtpmap", rtpmap));
        }
        if let Some(number) = events {
            media.formats.push(number.to_string());
            media.attributes.push(Attribute::new("rtpmap", format!("{number} telephone-event/8000")));
            media.attributes.push(Attribute::new("fmtp", format!("{number} 0-15")));
        }
        let ptime_ms = self.local.ptime.as_millis();
        media.attributes.push(Attribute::new("ptime", ptime_ms.to_string()));
        media.attributes.push(Attribute::flag(direction.as_str()));
        media
    }

    /// Writes our description; its version grows when it differs from the one before (§8).
    fn describe(&mut self, media: Vec<Media>) -> Vec<u8> {
        let address = self.local.rtp.ip();
        if self.described.as_ref().is_some_and(|before| before.media != media) {
            self.version += 1;
        }
        let mut description = SessionDescription::new(Origin {
            username: "-".to_owned(),
            session_id: self.origin_id,
            session_version: self.version,
            address: address.into(),
        });
        description.connection = Some(Connection::from(address));
        description.media = media;
        let text = description.to_string().into_bytes();
        self.described = Some(description);
        text
    }
}

/// A stream we do not take (§6): its port is 0, its formats stand.
fn refused(media: &Media) -> Media {
    let mut refused = Media::new(media.kind.clone(), 0, media.protocol.clone());
    refused.formats.clone_from(&media.formats);
    refused
}

/// Where an audio stream wants RTP; `None` when it is not one we can speak to.
fn remote_address(description: &SessionDescription, media: &Media) -> Option<SocketAddr> {
    if media.kind != "audio" || media.port == 0 || media.protocol != "RTP/AVP" {
        return None;
    }
    let connection = description.connection_of(media)?;
    let address = connection.address.ip().filter(|address| !address.is_multicast())?;
    Some(SocketAddr::new(address, media.port))
}

/// RFC 3605, else the next port (RFC 3550 §11).
fn remote_rtcp(media: &Media, remote_rtp: SocketAddr) -> SocketAddr {
    match media.rtcp() {
        Some(rtcp) => SocketAddr::new(rtcp.ip().unwrap_or(remote_rtp.ip()), rtcp.port),
        None => SocketAddr::new(remote_rtp.ip(), remote_rtp.port().saturating_add(1)),
    }
}

/// The first format of a stream that is one of `ours`, with its number.
fn codec_in(media: &Media, ours: &[AudioCodec]) -> Option<(AudioCodec, u8)> {
    media.payload_types().find_map(|number| {
        let codec = match media.rtpmap(number) {
            Some(rtpmap) => codec_named(&rtpmap)?,
            // RFC 3551 §6: static numbers need no rtpmap.
            None => [AudioCodec::Pcmu, AudioCodec::Pcma]
                .into_iter()
                .find(|codec| payload_type(*codec) == number)?,
        };
        ours.contains(&codec).then_some((codec, number))
    })
}

fn codec_named(rtpmap: &RtpMap) -> Option<AudioCodec> {
    [AudioCodec::Pcmu, AudioCodec::Pcma].into_iter().find(|codec| {
        rtpmap.encoding.eq_ignore_ascii_case(encoding(*codec))
            && rtpmap.clock_rate == 8_000
            && rtpmap.channels.unwrap_or(1) == 1
    })
}

fn event_payload_type(media: &Media) -> Option<u8> {
    media.payload_types().find(|number| {
        media.rtpmap(*number).is_some_and(|rtpmap| {
            rtpmap.encoding.eq_ignore_ascii_case("telephone-event") && rtpmap.clock_rate == 8_000
        })
    })
}

fn encoding(codec: AudioCodec) -> &'static str {
    match codec {
        AudioCodec::Pcmu => "PCMU",
        AudioCodec::Pcma => "PCMA",
    }
}

/// The static numbers of RFC 3551 §6.
fn payload_type(codec: AudioCodec) -> u8 {
    match codec {
        AudioCodec::Pcmu => 0,
        AudioCodec::Pcma => 8,
    }
}

fn ptime(media: &Media) -> Duration {
    let asked = media.ptime().unwrap_or(DEFAULT_PTIME);
    asked.min(media.maxptime().unwrap_or(PTIME_MAX)).clamp(PTIME_MIN, PTIME_MAX)
}

/// Their direction seen from us (§6.1). An unspecified address says "send me nothing", as clients of RFC 2543 put
/// a call on hold (§8.4).
fn our_direction(theirs: Direction, address: IpAddr) -> MediaDirection {
    let held = address.is_unspecified();
    match theirs {
        Direction::SendRecv if held => MediaDirection::ReceiveOnly,
        Direction::SendRecv => MediaDirection::SendReceive,
        Direction::SendOnly => MediaDirection::ReceiveOnly,
        Direction::RecvOnly if held => MediaDirection::Inactive,
        Direction::RecvOnly => MediaDirection::SendOnly,
        Direction::Inactive => MediaDirection::Inactive,
    }
}

#[cfg(test)]
mod tests;
