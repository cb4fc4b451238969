//! How much there is in samples, and how alike they are. In whole numbers: their sums may be made in any order, so many
//! at a time, which a processor does several times as fast as one after the other.

/// The sum of all squares.
pub(crate) fn power(samples: &[i16]) -> u64 {
    samples.iter().map(|sample| u64::from(sample.unsigned_abs()).pow(2)).sum()
}

/// The sum of all products, as far as both reach.
pub(crate) fn product(one: &[i16], other: &[i16]) -> i64 {
    one.iter().zip(other).map(|(one, other)| i64::from(i32::from(*one) * i32::from(*other))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_samples_have_room() {
        let loudest = [i16::MIN; 1_000];
        let all = 1_000 << 30;
        assert_eq!((power(&loudest), product(&loudest, &loudest)), (all, all as i64));
        assert_eq!(product(&loudest, &[i16::MAX; 500]), -500 * (i64::from(i16::MAX) << 15));
    }
}
