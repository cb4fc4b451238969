//! How loud somebody is heard.

use std::ops::RangeInclusive;

/// A factor for samples, in 4096ths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain(u16);

/// Bits behind the point.
const FRACTION_BITS: u32 = 12;

impl Gain {
    /// Not heard at all.
    pub const MUTED: Self = Self(0);
    /// As loud as it came.
    pub const UNITY: Self = Self(1 << FRACTION_BITS);
    /// What can be asked for, in decibels.
    pub const DECIBELS: RangeInclusive<i8> = -40..=20;

    /// So many decibels louder than it came; none beyond [`Gain::DECIBELS`].
    #[must_use]
    pub fn from_decibels(decibels: i8) -> Option<Self> {
        let factor = 10f64.powf(f64::from(decibels) / 20.0) * f64::from(Self::UNITY.0);
        Self::DECIBELS.contains(&decibels).then(|| Self(factor.round() as u16))
    }

    /// Whether anything is heard.
    pub(crate) const fn is_heard(self) -> bool {
        self.0 > 0
    }

    /// Whether it makes nothing louder.
    pub(crate) const fn is_at_most_unity(self) -> bool {
        self.0 <= Self::UNITY.0
    }

    /// Adds samples to a sum.
    #[inline]
    pub(crate) fn add(self, samples: &[i16], sum: &mut [i32]) {
        if self == Self::UNITY {
            sum.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += i32::from(*sample));
        } else {
            let factor = i32::from(self.0);
            let scaled = samples.iter().map(|sample| (i32::from(*sample) * factor) >> FRACTION_BITS);
            sum.iter_mut().zip(scaled).for_each(|(sum, sample)| *sum += sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_are_factors_and_have_limits() {
        let heard = |gain: Gain, sample: i16| {
            let mut sum = [0];
            gain.add(&[sample], &mut sum);
            sum[0]
        };
        for (decibels, expected) in [(0, 10_000), (20, 100_000), (-20, 1_000), (-40, 100), (6, 19_953)] {
            let gain = Gain::from_decibels(decibels).unwrap();
            assert!((heard(gain, 10_000) - expected).abs() <= expected / 100, "{decibels} dB");
        }
        assert_eq!(heard(Gain::MUTED, i16::MIN), 0);
        assert_eq!((Gain::from_decibels(21), Gain::from_decibels(-41)), (None, None));
    }
}
