//! Just enough SDP (RFC 8866) to offer and answer one audio stream (RFC 3264).

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::g711::Law;
use crate::manner::Srtp;
use crate::secure::CryptoLine;

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
    pub(crate) laws: Vec<(u8, Law)>,
    pub(crate) event_payload_type: Option<u8>,
    pub(crate) direction: Direction,
    /// RTP/SAVP rather than RTP/AVP.
    pub(crate) secure_profile: bool,
    pub(crate) cryptos: Vec<CryptoLine>,
}

impl AudioStream {
    /// Our offer.
    pub(crate) fn offer(rtp: SocketAddr, laws: &[Law], events: Option<u8>, direction: Direction) -> Self {
        Self {
            rtp,
            laws: laws.iter().map(|law| (law.payload_type(), *law)).collect(),
            event_payload_type: events,
            direction,
            secure_profile: false,
            cryptos: Vec::new(),
        }
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

    /// Our answer to an offer: its first codec that we have too, and its telephone-event if we have that; none when
    /// there is no codec.
    pub(crate) fn answer(offer: &Self, rtp: SocketAddr, laws: &[Law], events: Option<u8>) -> Option<Self> {
        let chosen = offer.laws.iter().find(|(_, law)| laws.contains(law))?;
        Some(Self {
            rtp,
            laws: vec![*chosen],
            event_payload_type: events.and(offer.event_payload_type),
            direction: offer.direction.seen_from_the_other_side(),
            secure_profile: false,
            cryptos: Vec::new(),
        })
    }

    /// The first audio stream of a session description; none when it has none we can use.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let (mut address, mut port, mut formats) = (None, None, Vec::new());
        let mut maps: Vec<(u8, String)> = Vec::new();
        let mut direction = Direction::SendReceive;
        let (mut secure_profile, mut cryptos) = (false, Vec::new());
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
        let law = |payload_type: u8| match (payload_type, encoding(payload_type)) {
            (0, "") | (_, "PCMU/8000" | "PCMU/8000/1") => Some((payload_type, Law::Mu)),
            (8, "") | (_, "PCMA/8000" | "PCMA/8000/1") => Some((payload_type, Law::A)),
            _ => None,
        };
        Some(Self {
            rtp: SocketAddr::new(address?, port?),
            laws: formats.iter().copied().filter_map(law).collect(),
            event_payload_type: formats
                .iter()
                .copied()
                .find(|format| encoding(*format).starts_with("TELEPHONE-EVENT/8000")),
            direction,
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
        let mut formats: Vec<u8> = self.laws.iter().map(|(payload_type, _)| *payload_type).collect();
        formats.extend(self.event_payload_type);
        let formats: Vec<String> = formats.iter().map(u8::to_string).collect();
        let profile = if self.secure_profile { "RTP/SAVP" } else { "RTP/AVP" };
        // Writing to a String cannot fail.
        let _ = write!(text, "m=audio {} {profile} {}\r\n", self.rtp.port(), formats.join(" "));
        for (payload_type, law) in &self.laws {
            let _ = write!(text, "a=rtpmap:{payload_type} {}/8000\r\n", law.name());
        }
        if let Some(payload_type) = self.event_payload_type {
            let _ = write!(text, "a=rtpmap:{payload_type} telephone-event/8000\r\n");
            let _ = write!(text, "a=fmtp:{payload_type} 0-15\r\n");
        }
        text.extend(self.cryptos.iter().map(CryptoLine::print));
        let _ = write!(text, "a=ptime:20\r\na={}\r\n", self.direction.name());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(laws: &[Law]) -> AudioStream {
        AudioStream::offer("127.0.0.10:4000".parse().unwrap(), laws, Some(101), Direction::SendOnly)
    }

    #[test]
    fn an_offer_reads_back_as_it_was() {
        let offer = stream(&[Law::A, Law::Mu]);
        assert_eq!(AudioStream::parse(offer.print(1, 1).as_bytes()), Some(offer));
    }

    /// RFC 3264 §6.1: sendonly is answered with recvonly, telephone-event with the offer's payload type.
    #[test]
    fn an_answer_takes_the_offers_first_common_codec() {
        let mut offer = stream(&[Law::A, Law::Mu]);
        offer.event_payload_type = Some(96);
        let ours = "127.0.0.20:6000".parse().unwrap();
        let answer = AudioStream::answer(&offer, ours, &[Law::Mu], Some(101)).unwrap();
        assert_eq!(answer.laws, [(0, Law::Mu)]);
        assert_eq!(answer.event_payload_type, Some(96));
        assert_eq!(answer.direction, Direction::ReceiveOnly);
        let without_keys = AudioStream::answer(&offer, ours, &[Law::Mu], None).unwrap();
        assert_eq!(without_keys.event_payload_type, None);
        assert_eq!(AudioStream::answer(&stream(&[Law::A]), ours, &[Law::Mu], None), None);
    }
}
