//! How much audio packets carry: what a party's turn out to have, and what another one's may.
//!
//! Who wants packets of a certain length says so (`a=ptime`, `a=maxptime`: RFC 8866 §6.4), but what the one it talks to
//! sends is only known when it comes, and may change in mid-call. So lengths are measured, and two parties are relayed for
//! as long as each sends what the other may be sent; else each hears the other by way of samples, in packets of its own.

use std::time::Duration;

use crate::Codec;

/// How much audio the packets may carry that are relayed to a party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketTimes {
    /// As much as they come with.
    #[default]
    Any,
    /// No more than that (`a=maxptime`).
    UpTo(Duration),
    /// As much as what we make for it, see [`crate::StreamParameters::ptime`].
    Exact,
}

impl PacketTimes {
    /// Whether packets of such a length may be relayed to a party for which we make some of `made`; so many as have not
    /// been seen may.
    pub(crate) const fn take(self, length: Length, made: Duration) -> bool {
        match self {
            _ if length.0 == 0 => true,
            Self::Any => true,
            Self::UpTo(most) => length.0 <= Length::of(most).0,
            Self::Exact => length.0 == Length::of(made).0,
        }
    }
}

/// The audio of a packet, in eighths of a millisecond: no codec has frames of odd pieces of that. Zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Length(u16);

impl Length {
    const fn of(duration: Duration) -> Self {
        Self((duration.as_micros() * 8 / 1_000) as u16)
    }

    /// What a payload has.
    fn in_payload(codec: Codec, payload: &[u8]) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => Self(payload.len() as u16),
            Codec::Opus(_) => Self(opus_length(payload)),
        }
    }
}

/// RFC 6716 §3.1: the first octet says how long a frame is, and how many there are; or the second one does.
fn opus_length(payload: &[u8]) -> u16 {
    let Some(toc) = payload.first() else { return 0 };
    let frame = match toc >> 3 {
        silk @ 0..=11 => [80, 160, 320, 480][usize::from(silk & 3)],
        hybrid @ 12..=15 => [80, 160][usize::from(hybrid & 1)],
        celt => [20, 40, 80, 160][usize::from(celt & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u16::from(payload.get(1).map_or(0, |count| count & 0x3f)),
    };
    frame * frames
}

/// So many packets in a row are of another length before it is believed that the party has changed it: the last one of a
/// talkspurt may be shorter.
const RUN: u8 = 3;

/// Watches how much audio a party's packets carry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    usual: Length,
    other: Length,
    run: u8,
}

impl Measured {
    /// What they usually have; nothing before the first.
    pub(crate) const fn usual(self) -> Length {
        self.usual
    }

    /// Takes a packet; whether what is usual has changed.
    #[inline]
    pub(crate) fn take(&mut self, codec: Codec, payload: &[u8]) -> bool {
        let length = Length::in_payload(codec, payload);
        if length == self.usual {
            self.run = 0;
            return false;
        }
        self.differs(length)
    }

    #[cold]
    fn differs(&mut self, length: Length) -> bool {
        if length.0 == 0 {
            return false;
        }
        self.run = if length == self.other { self.run + 1 } else { 1 };
        self.other = length;
        if self.usual.0 != 0 && self.run < RUN {
            return false;
        }
        (self.usual, self.run) = (length, 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::OpusParameters;

    const OPUS: Codec = Codec::Opus(OpusParameters {
        in_band_fec: false,
        dtx: false,
        constant_bitrate: false,
        max_average_bitrate: 24_000,
        max_playback_rate_hz: 48_000,
    });

    /// Every first octet that RFC 6716 §3.1 has, against libopus.
    #[test]
    fn opus_packets_are_as_long_as_libopus_says() {
        for toc in 0..=255_u8 {
            for count in [1, 2, 3, 6] {
                let payload = [toc, count, 0, 0, 0, 0, 0, 0, 0];
                let Ok(samples) = opus::packet::get_nb_samples(&payload, 48_000) else { continue };
                assert_eq!(usize::from(opus_length(&payload)) * 6, samples, "{toc:#010b}, {count} frames");
            }
        }
        assert_eq!((opus_length(&[]), opus_length(&[3])), (0, 0));
    }

    #[test]
    fn one_packet_of_another_length_changes_nothing_and_several_do() {
        let mut measured = Measured::default();
        let mut take = |octets: usize| measured.take(Codec::Pcmu, &[0xff; 480][..octets]);
        let changes = [160, 160, 80, 160, 480, 480, 160, 480, 480, 480, 480].map(&mut take);
        let expected = [true, false, false, false, false, false, false, false, false, true, false];
        assert_eq!(changes, expected);
        assert!(!measured.take(OPUS, &[]), "nothing is no length");
        assert_eq!(measured.usual(), Length(480));
    }

    #[test]
    fn what_may_be_sent_is_as_it_was_agreed() {
        let ms = Duration::from_millis;
        let takes = |times: PacketTimes, length: u64| times.take(Length::of(ms(length)), ms(20));
        for length in [10, 20, 60] {
            assert!(takes(PacketTimes::Any, length));
            assert_eq!(takes(PacketTimes::UpTo(ms(20)), length), length <= 20);
            assert_eq!(takes(PacketTimes::Exact, length), length == 20);
        }
        assert!(PacketTimes::Exact.take(Length::default(), ms(20)), "before the first packet");
    }
}
