//! ITU-T G.711 by its definition, independent of any codec of the node's.
//!
//! Written from the companding laws rather than from tables, so that a mistake in a table of the node's cannot
//! be made twice.

/// Which of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law, RFC 3551 payload type 0.
    Mu,
    /// A-law, RFC 3551 payload type 8.
    A,
}

impl Law {
    /// The octet of a 16-bit linear sample.
    #[must_use]
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => encode_mu(sample),
            Self::A => encode_a(sample),
        }
    }

    /// The 16-bit linear sample of an octet.
    #[must_use]
    pub fn decode(self, octet: u8) -> i16 {
        match self {
            Self::Mu => decode_mu(octet),
            Self::A => decode_a(octet),
        }
    }
}

/// G.711 table 2: magnitudes of 14 bits, biased by 33, in eight chords of sixteen steps; all bits inverted.
fn encode_mu(sample: i16) -> u8 {
    let magnitude = (i32::from(sample).abs() >> 2).min(8_158) + 33;
    let chord = magnitude.ilog2() - 5;
    let step = (magnitude >> (chord + 1)) & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (chord as u8) << 4 | step as u8)
}

fn decode_mu(octet: u8) -> i16 {
    let code = !octet;
    let (chord, step) = (code >> 4 & 0x07, i16::from(code & 0x0f));
    let magnitude = (((2 * step + 33) << chord) - 33) << 2;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// G.711 table 1: magnitudes of 12 bits, the first two chords of the same slope; even bits inverted.
fn encode_a(sample: i16) -> u8 {
    let (magnitude, sign) = if sample < 0 { (!sample >> 3, 0) } else { (sample >> 3, 0x80) };
    let code = if magnitude < 32 {
        (magnitude >> 1) as u8
    } else {
        let chord = magnitude.ilog2() - 4;
        (chord as u8) << 4 | (magnitude >> chord) as u8 & 0x0f
    };
    (sign | code) ^ 0x55
}

fn decode_a(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let (chord, step) = (code >> 4 & 0x07, i16::from(code & 0x0f));
    let magnitude = match chord {
        0 => 2 * step + 1,
        _ => (2 * step + 33) << (chord - 1),
    } << 3;
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711 tables 1a and 2a: decoder output values of chosen character signals.
    #[test]
    fn decodes_the_recommendations_corner_values() {
        assert_eq!(Law::Mu.decode(0x80), 32_124, "8031 of 14 bits");
        assert_eq!(Law::Mu.decode(0x00), -32_124);
        assert_eq!((Law::Mu.decode(0xff), Law::Mu.decode(0x7f)), (0, 0));
        assert_eq!(Law::A.decode(0xaa), 32_256, "4032 of 13 bits");
        assert_eq!(Law::A.decode(0x2a), -32_256);
        assert_eq!((Law::A.decode(0xd5), Law::A.decode(0x55)), (8, -8));
    }

    #[test]
    fn every_octet_survives_decoding_and_encoding() {
        for octet in 0..=255 {
            // Negative zero of µ-law is the one value with two octets.
            let expected = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(Law::Mu.encode(Law::Mu.decode(octet)), expected, "µ-law {octet:#04x}");
            assert_eq!(Law::A.encode(Law::A.decode(octet)), octet, "A-law {octet:#04x}");
        }
    }

    #[test]
    fn the_error_is_at_most_half_a_step() {
        for sample in (-32_124..=32_124_i16).step_by(7) {
            for law in [Law::Mu, Law::A] {
                let error = (i32::from(law.decode(law.encode(sample))) - i32::from(sample)).abs();
                let half_step = (i32::from(sample).abs() / 32).max(8) + 4;
                assert!(error <= half_step, "{law:?} {sample}: off by {error}");
            }
        }
    }
}
