//! Sums that no sample can hold are bent, not cut and never wrapped: loud passages of several speakers stay clean of
//! the clicks that clipping makes.

/// Up to here a sum stays what it is: 2.5 dB below full scale.
const KNEE: i32 = 24_576;

/// Between here and the knee everything louder finds its place.
const ROOM: i64 = i16::MAX as i64 - KNEE as i64;

/// Turns sums into samples.
pub(super) fn saturate(sums: &[i32], samples: &mut [i16]) {
    let loudest = sums.iter().map(|sum| sum.unsigned_abs()).max().unwrap_or(0);
    let pairs = samples.iter_mut().zip(sums);
    if loudest <= KNEE as u32 {
        pairs.for_each(|(sample, sum)| *sample = *sum as i16);
    } else {
        pairs.for_each(|(sample, sum)| *sample = bend(*sum));
    }
}

/// Above the knee y = k + r·d ∕ (d + r): it leaves the knee with the slope 1 and approaches full scale.
fn bend(sum: i32) -> i16 {
    let over = i64::from(sum.unsigned_abs()) - i64::from(KNEE);
    if over <= 0 {
        return sum as i16;
    }
    let magnitude = (i64::from(KNEE) + ROOM * over / (over + ROOM)) as i16;
    if sum < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_wraps_and_louder_stays_louder() {
        let mut last = i16::MIN;
        for sum in (-2_200_000..=2_200_000).step_by(7) {
            let sample = bend(sum);
            assert!(sample >= last, "{sum}");
            assert_eq!(sample.signum() as i32, sum.signum(), "{sum}");
            last = sample;
        }
        assert_eq!(
            (bend(i32::MAX), bend(-i32::MAX)),
            (bend(i32::MAX), -bend(i32::MAX)),
            "the same both ways"
        );
    }

    #[test]
    fn below_the_knee_sums_stay_what_they_are() {
        let sums: Vec<i32> = (-KNEE..=KNEE).collect();
        let mut samples = vec![0; sums.len()];
        saturate(&sums, &mut samples);
        assert!(samples.iter().zip(&sums).all(|(sample, sum)| i32::from(*sample) == *sum));
        assert!(i32::from(bend(KNEE + 2)) > KNEE, "the curve goes on where the line ends");
    }
}
