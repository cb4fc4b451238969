//! Just enough SDP (RFC 8866) to offer and answer one audio stream (RFC 3264).

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::codec::Codec;
use crate::manner::{Manner, Srtp};
use crate::secure::CryptoLine;

/// Of a party without telephone-event Opus has a number beside this one.
const EVENTS: u8 = 101;

/// What a packet carries of who says nothing of it (RFC 3551 §4.2).
const PTIME_MS: u64 = 20;

/// RFC 3389 §4.
pub(crate) const COMFORT_NOISE: u8 = 13;

/// Which ways media flows, seen from whoever says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    SendReceive,
    SendOnly,
    ReceiveOnly,
    Inactive,
}

impl Direction {
    const ALL: [Self; 4] = [Self::SendReceive, Self::SendOnly, Self::ReceiveOnly, Self::Inactive];

    const fn name(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    pub(crate) const fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    /// What the other side sees (RFC 3264 §6.1).
    pub(crate) const fn seen_from_the_other_side(self) -> Self {
        match self {
            Self::SendOnly => Self::ReceiveOnly,
            Self::ReceiveOnly => Self::SendOnly,
            both => both,
        }
    }
}

/// One audio stream as a session description has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AudioStream {
    pub(crate) rtp: SocketAddr,
    /// Codecs we know, the preferred one first.
    pub(crate) codecs: Vec<(u8, Codec)>,
    /// telephone-event (RFC 4733): payload types and their clocks in Hz.
    pub(crate) events: Vec<(u8, u32)>,
    pub(crate) direction: Direction,
    /// How much audio a packet to whom says this should carry, and may (RFC 8866 §6.4).
    pub(crate) ptime_ms: u64,
    pub(crate) max_ptime_ms: Option<u64>,
    /// Comfort noise at 8 kHz (RFC 3389 §4).
    pub(crate) comfort_noise: bool,
    /// VoIP metrics are asked for (RFC 3611 §5.1).
    pub(crate) rtcp_xr: bool,
    /// RTP/SAVP rather than RTP/AVP.
    pub(crate) secure_profile: bool,
    pub(crate) cryptos: Vec<CryptoLine>,
}

impl AudioStream {
    /// Our offer.
    pub(crate) fn offer(rtp: SocketAddr, codecs: &[Codec], events: Option<u8>, direction: Direction) -> Self {
        // Next to each other, whichever is the first; and one that is neither.
        let first = events.unwrap_or(EVENTS);
        let number = |codec: &Codec| codec.static_payload_type().unwrap_or(first ^ 2);
        let mut clocks: Vec<u32> = codecs.iter().map(|codec| codec.clock_hz()).collect();
        clocks.sort_unstable();
        clocks.dedup();
        let numbers = [first, first ^ 1];
        Self {
            rtp,
            codecs: codecs.iter().map(|codec| (number(codec), *codec)).collect(),
            events: events.map(|_| numbers.into_iter().zip(clocks).collect()).unwrap_or_default(),
            direction,
            ptime_ms: PTIME_MS,
            max_ptime_ms: None,
            comfort_noise: false,
            rtcp_xr: false,
            secure_profile: false,
            cryptos: Vec::new(),
        }
    }

    /// Our description with what else we want; as an answer with nothing that was not offered.
    pub(crate) fn wanting(mut self, manner: &Manner, offer: Option<&Self>) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        (self.ptime_ms, self.max_ptime_ms) = (ms(manner.ptime), manner.max_ptime.map(ms));
        let has_noise = self.codecs.iter().any(|(_, codec)| *codec != Codec::Opus);
        self.comfort_noise =
            manner.comfort_noise && has_noise && offer.is_none_or(|offer| offer.comfort_noise);
        self.rtcp_xr = manner.rtcp_xr;
        self
    }

    /// Our offer with the lines of ours that `srtp` wants.
    pub(crate) fn offering(mut self, srtp: Srtp, lines: &[CryptoLine]) -> Self {
        self.secure_profile = srtp == Srtp::Required;
        self.cryptos = lines.to_vec();
        self
    }

    /// Our answer with its key; none when `srtp` does not go with what was offered.
    pub(crate) fn answering(mut self, offer: &Self, srtp: Srtp, lines: &[CryptoLine]) -> Option<Self> {
        let line = offer.cryptos.first().and_then(|line| line.in_answer_to(lines));
        self.secure_profile = offer.secure_profile;
        self.cryptos = match (offer.secure_profile, srtp) {
            (true, Srtp::Off) | (false, Srtp::Required) => return None,
            (true, Srtp::Offered | Srtp::Required) => vec![line?],
            (false, Srtp::Off | Srtp::Offered) => line.into_iter().collect(),
        };
        Some(self)
    }

    /// Our answer to an offer: its first codec that we have too, and its telephone-event of that clock if we have that;
    /// none when there is no codec.
    pub(crate) fn answer(
        offer: &Self,
        rtp: SocketAddr,
        codecs: &[Codec],
        events: Option<u8>,
    ) -> Option<Self> {
        let chosen = offer.codecs.iter().find(|(_, codec)| codecs.contains(codec))?;
        let event = events.and_then(|_| offer.event_of(chosen.1));
        Some(Self {
            rtp,
            codecs: vec![*chosen],
            events: event.map(|number| (number, chosen.1.clock_hz())).into_iter().collect(),
            direction: offer.direction.seen_from_the_other_side(),
            ptime_ms: PTIME_MS,
            max_ptime_ms: None,
            comfort_noise: false,
            rtcp_xr: false,
            secure_profile: false,
            cryptos: Vec::new(),
        })
    }

    /// telephone-event beside a codec: the one of its clock (RFC 4733 §2.1).
    pub(crate) fn event_of(&self, codec: Codec) -> Option<u8> {
        self.events.iter().find(|(_, clock_hz)| *clock_hz == codec.clock_hz()).map(|(number, _)| *number)
    }

    /// The number of a codec.
    pub(crate) fn number_of(&self, codec: Codec) -> Option<u8> {
        self.codecs.iter().find(|(_, known)| *known == codec).map(|(number, _)| *number)
    }

    /// The first audio stream of a session description; none when it has none we can use.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let (mut address, mut port, mut formats) = (None, None, Vec::new());
        let mut maps: Vec<(u8, String)> = Vec::new();
        let mut direction = Direction::SendReceive;
        let (mut secure_profile, mut cryptos) = (false, Vec::new());
        let (mut ptime_ms, mut max_ptime_ms, mut rtcp_xr) = (PTIME_MS, None, false);
        for line in text.lines() {
            let (kind, value) = line.split_once('=')?;
            match kind {
                "m" if port.is_some() => break,
                "m" => {
                    let mut words = value.split_whitespace();
                    if words.next()? != "audio" {
                        return None;
                    }
                    port = Some(words.next()?.parse::<u16>().ok()?);
                    secure_profile = words.next()? == "RTP/SAVP";
                    formats = words.filter_map(|word| word.parse::<u8>().ok()).collect();
                }
                "c" => address = value.split_whitespace().nth(2)?.parse::<IpAddr>().ok(),
                "a" => {
                    if let Some(map) = value.strip_prefix("rtpmap:") {
                        let (payload_type, encoding) = map.split_once(' ')?;
                        maps.push((payload_type.parse().ok()?, encoding.to_ascii_uppercase()));
                    }
                    let number = |name| value.strip_prefix(name).and_then(|number| number.parse().ok());
                    ptime_ms = number("ptime:").unwrap_or(ptime_ms);
                    max_ptime_ms = number("maxptime:").or(max_ptime_ms);
                    let xr = value.strip_prefix("rtcp-xr:").unwrap_or_default();
                    rtcp_xr |= xr.split(' ').any(|format| format == "voip-metrics");
                    cryptos.extend(value.strip_prefix("crypto:").and_then(CryptoLine::parse));
                    direction =
                        Direction::ALL.into_iter().find(|known| known.name() == value).unwrap_or(direction);
                }
                _ => {}
            }
        }
        let encoding = |payload_type: u8| {
            let mapped = maps.iter().find(|(known, _)| *known == payload_type);
            mapped.map_or("", |(_, encoding)| encoding.as_str())
        };
        let codec = |payload_type: u8| match (payload_type, encoding(payload_type)) {
            (0, "") | (_, "PCMU/8000" | "PCMU/8000/1") => Some((payload_type, Codec::Pcmu)),
            (8, "") | (_, "PCMA/8000" | "PCMA/8000/1") => Some((payload_type, Codec::Pcma)),
            (9, "") | (_, "G722/8000" | "G722/8000/1") => Some((payload_type, Codec::G722)),
            (_, "OPUS/48000/2") => Some((payload_type, Codec::Opus)),
            _ => None,
        };
        let event = |payload_type: u8| {
            let clock = encoding(payload_type).strip_prefix("TELEPHONE-EVENT/")?;
            Some((payload_type, clock.parse().ok()?))
        };
        Some(Self {
            rtp: SocketAddr::new(address?, port?),
            codecs: formats.iter().copied().filter_map(codec).collect(),
            events: formats.iter().copied().filter_map(event).collect(),
            direction,
            ptime_ms,
            max_ptime_ms,
            comfort_noise: formats.contains(&COMFORT_NOISE),
            rtcp_xr,
            secure_profile,
            cryptos,
        })
    }

    /// The session description, with `version` counting up for each change (RFC 3264 §8).
    pub(crate) fn print(&self, session: u64, version: u64) -> String {
        let family = if self.rtp.is_ipv4() { "IP4" } else { "IP6" };
        let address = self.rtp.ip();
        let mut text = format!(
            "v=0\r\no=- {session} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n"
        );
        let codecs = self.codecs.iter().map(|(payload_type, _)| payload_type);
        let noise = self.comfort_noise.then_some(&COMFORT_NOISE);
        let formats = codecs.chain(noise).chain(self.events.iter().map(|(payload_type, _)| payload_type));
        let formats: Vec<String> = formats.map(u8::to_string).collect();
        let profile = if self.secure_profile { "RTP/SAVP" } else { "RTP/AVP" };
        // Writing to a String cannot fail.
        let _ = write!(text, "m=audio {} {profile} {}\r\n", self.rtp.port(), formats.join(" "));
        for (payload_type, codec) in &self.codecs {
            let _ = write!(text, "a=rtpmap:{payload_type} {}\r\n", codec.rtpmap());
            if *codec == Codec::Opus {
                let _ = write!(text, "a=fmtp:{payload_type} useinbandfec=1\r\n");
            }
        }
        for (payload_type, clock_hz) in &self.events {
            let _ = write!(text, "a=rtpmap:{payload_type} telephone-event/{clock_hz}\r\n");
            let _ = write!(text, "a=fmtp:{payload_type} 0-15\r\n");
        }
        if self.comfort_noise {
            let _ = write!(text, "a=rtpmap:{COMFORT_NOISE} CN/8000\r\n");
        }
        if self.rtcp_xr {
            text.push_str("a=rtcp-xr:voip-metrics\r\n");
        }
        text.extend(self.cryptos.iter().map(CryptoLine::print));
        let _ = write!(text, "a=ptime:{}\r\n", self.ptime_ms);
        text.extend(self.max_ptime_ms.map(|most| format!("a=maxptime:{most}\r\n")));
        let _ = write!(text, "a={}\r\n", self.direction.name());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(codecs: &[Codec]) -> AudioStream {
        AudioStream::offer("127.0.0.10:4000".parse().unwrap(), codecs, Some(101), Direction::SendOnly)
    }

    #[test]
    fn an_offer_reads_back_as_it_was() {
        let manner = Manner {
            ptime: Duration::from_millis(30),
            max_ptime: Some(Duration::from_millis(60)),
            comfort_noise: true,
            rtcp_xr: true,
            ..Manner::polite(500, Duration::ZERO)
        };
        let offer = stream(&[Codec::Opus, Codec::Pcma, Codec::G722, Codec::Pcmu]).wanting(&manner, None);
        assert_eq!(offer.events, [(101, 8_000), (100, 48_000)]);
        assert_eq!(AudioStream::parse(offer.print(1, 1).as_bytes()), Some(offer));
    }

    /// RFC 3264 §6.1: sendonly is answered with recvonly, telephone-event with the offer's payload type.
    #[test]
    fn an_answer_takes_the_offers_first_common_codec() {
        let mut offer = stream(&[Codec::Pcma, Codec::Pcmu, Codec::Opus]);
        offer.events = vec![(96, 8_000), (97, 48_000)];
        let ours = "127.0.0.20:6000".parse().unwrap();
        let answer = AudioStream::answer(&offer, ours, &[Codec::Pcmu], Some(101)).unwrap();
        assert_eq!(answer.codecs, [(0, Codec::Pcmu)]);
        assert_eq!(answer.events, [(96, 8_000)]);
        assert_eq!(answer.direction, Direction::ReceiveOnly);
        let wide = AudioStream::answer(&offer, ours, &[Codec::Opus], Some(101)).unwrap();
        assert_eq!((wide.codecs, wide.events), (vec![(103, Codec::Opus)], vec![(97, 48_000)]));
        let without_keys = AudioStream::answer(&offer, ours, &[Codec::Pcmu], None).unwrap();
        assert_eq!(without_keys.events, []);
        assert_eq!(AudioStream::answer(&stream(&[Codec::Pcma]), ours, &[Codec::Pcmu], None), None);
    }
}
