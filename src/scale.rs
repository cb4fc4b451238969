//! Scales of plots: steps that people count in, and numbers without digits that say nothing.

/// A step of 1, 2 or 5 times a power of ten that makes at most five of `most`.
pub(crate) fn round_step(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf((most / 5.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|it| it * power).find(|step| most / step <= 5.0).unwrap_or(power)
}

/// Without digits that say nothing.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A step of time, in seconds, that makes at most five of `seconds` and is one that clocks have.
pub(crate) fn clock_step(seconds: f64) -> f64 {
    const STEPS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0];
    let hours = || round_step(seconds / 3_600.0).max(1.0) * 3_600.0;
    STEPS.into_iter().find(|step| seconds / step <= 5.0).unwrap_or_else(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_have_round_steps() {
        assert_eq!([0.0, 0.9, 5.0, 12.0, 100.0, 1_001.0].map(round_step), [1.0, 0.2, 1.0, 5.0, 20.0, 500.0]);
        assert_eq!([0.0, 0.25, 5.0, 12.5, 1_500.0].map(number), ["0", "0.25", "5", "12.5", "1500"]);
    }

    #[test]
    fn times_have_the_steps_of_clocks() {
        let seconds = [0.0, 5.0, 6.0, 75.0, 76.0, 480.0, 3_600.0, 9_000.0, 9_001.0, 36_000.0];
        let steps = [1.0, 1.0, 2.0, 15.0, 30.0, 120.0, 900.0, 1_800.0, 3_600.0, 7_200.0];
        assert_eq!(seconds.map(clock_step), steps);
    }
}
