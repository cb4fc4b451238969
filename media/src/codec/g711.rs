//! G.711 µ-law and A-law (ITU-T G.711, tables 1a, 1b, 2a and 2b): decoded and transcoded by table, encoded by
//! arithmetic, since an encoding table would push what a call needs out of the cache.
//!
//! Linear samples are 16 bits wide: the 14-bit values of µ-law times 4 and the 13-bit values of A-law times 8, so
//! that both laws have the same full scale (+3.17 and +3.14 dBm0).

/// Linear values of the 256 µ-law characters.
const ULAW_LINEAR: [i16; 256] = linear_table(Law::Pcmu);
/// Linear values of the 256 A-law characters.
const ALAW_LINEAR: [i16; 256] = linear_table(Law::Pcma);
/// The A-law character of each µ-law character's linear value.
const ULAW_TO_ALAW: [u8; 256] = transcoding_table(Law::Pcmu);
/// The µ-law character of each A-law character's linear value.
const ALAW_TO_ULAW: [u8; 256] = transcoding_table(Law::Pcma);

/// One of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law.
    Pcmu,
    /// A-law.
    Pcma,
}

impl Law {
    /// The linear value of a character.
    #[inline]
    #[must_use]
    pub const fn decode(self, character: u8) -> i16 {
        match self {
            Self::Pcmu => ULAW_LINEAR[character as usize],
            Self::Pcma => ALAW_LINEAR[character as usize],
        }
    }

    /// The character of a linear value.
    #[inline]
    #[must_use]
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => ulaw_character(sample),
            Self::Pcma => alaw_character(sample),
        }
    }

    /// The character of silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        self.encode(0)
    }

    /// Encodes samples into characters, as far as both reach.
    pub fn encode_into(self, samples: &[i16], characters: &mut [u8]) {
        match self {
            Self::Pcmu => characters.iter_mut().zip(samples).for_each(|(c, s)| *c = ulaw_character(*s)),
            Self::Pcma => characters.iter_mut().zip(samples).for_each(|(c, s)| *c = alaw_character(*s)),
        }
    }

    /// Turns characters of this law into those of `other`, in place.
    #[inline]
    pub fn transcode(self, other: Self, characters: &mut [u8]) {
        let table = match (self, other) {
            (Self::Pcmu, Self::Pcma) => &ULAW_TO_ALAW,
            (Self::Pcma, Self::Pcmu) => &ALAW_TO_ULAW,
            (Self::Pcmu, Self::Pcmu) | (Self::Pcma, Self::Pcma) => return,
        };
        for character in characters {
            *character = table[usize::from(*character)];
        }
    }
}

/// G.711 table 2a: segments of 16 steps, each twice as coarse as the one before; all bits inverted on the line.
/// Negative values are mirrored about −½ in both laws, as in the software tools of ITU-T G.191.
const fn ulaw_character(sample: i16) -> u8 {
    /// Half a step of the first segment, so that each segment's bounds are powers of two.
    const BIAS: u16 = 33 << 2;
    const CLIP: u16 = 32_635;
    let (sign, magnitude) = if sample < 0 { (0x80, !sample as u16) } else { (0, sample as u16) };
    let biased = if magnitude > CLIP { CLIP } else { magnitude } + BIAS;
    let segment = 8 - biased.leading_zeros() as u16;
    let step = (biased >> (segment + 3)) & 0x0f;
    !(sign | ((segment << 4) | step) as u8)
}

/// G.711 table 1a: the first two segments share a step; even bits inverted on the line.
const fn alaw_character(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, !sample as u16) } else { (0x80, sample as u16) };
    let segment = 8u32.saturating_sub(magnitude.leading_zeros());
    let shift = if segment == 0 { 4 } else { segment + 3 };
    let step = (magnitude >> shift) & 0x0f;
    (sign | (segment << 4) as u8 | step as u8) ^ 0x55
}

/// G.711 table 2b.
const fn ulaw_linear(character: u8) -> i16 {
    let inverted = !character;
    let segment = (inverted >> 4) & 7;
    let step = (inverted & 0x0f) as i16;
    let magnitude = ((((step << 1) + 33) << segment) - 33) << 2;
    if inverted & 0x80 != 0 { -magnitude } else { magnitude }
}

/// G.711 table 1b.
const fn alaw_linear(character: u8) -> i16 {
    let inverted = character ^ 0x55;
    let segment = (inverted >> 4) & 7;
    let step = (inverted & 0x0f) as i16;
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if inverted & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn linear_table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut character = 0;
    while character < table.len() {
        table[character] = match law {
            Law::Pcmu => ulaw_linear(character as u8),
            Law::Pcma => alaw_linear(character as u8),
        };
        character += 1;
    }
    table
}

const fn transcoding_table(from: Law) -> [u8; 256] {
    let mut table = [0; 256];
    let mut character = 0;
    while character < table.len() {
        table[character] = match from {
            Law::Pcmu => alaw_character(ulaw_linear(character as u8)),
            Law::Pcma => ulaw_character(alaw_linear(character as u8)),
        };
        character += 1;
    }
    table
}
