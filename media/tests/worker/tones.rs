//! Digits and tones as a party hears them, measured through G.711.

use std::time::Duration;

use tandem_media::*;

use crate::support::*;

fn heard(segment: Segment, duration: Duration) -> Vec<i16> {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, alaw_stream(0));
    bench.command(play(endpoint, 1, vec![segment]));
    bench.run(duration);
    decode(Law::Pcma, &bench.take_rtp(endpoint))
}

fn loudest(samples: &[i16]) -> u16 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

/// ITU-T Q.23: each digit is one of four low and one of four high frequencies.
#[test]
fn every_digit_is_its_pair_100_ms_on_and_100_ms_off() {
    const LOW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
    const HIGH_HZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
    let keypad = ["123A", "456B", "789C", "*0#D"];
    let all = keypad.concat();
    let samples = heard(Segment::Digits(all.as_str().into()), Duration::from_secs(4));
    assert_eq!(samples.len(), 16 * 1_600);
    for (digit, samples) in all.chars().zip(samples.chunks(1_600)) {
        let row = keypad.iter().position(|row| row.contains(digit)).unwrap();
        let column = keypad[row].find(digit).unwrap();
        let (on, off) = samples.split_at(800);
        for (n, frequency) in LOW_HZ.iter().enumerate() {
            let level = level_dbm0(on, *frequency);
            assert_eq!((-11.5..-10.5).contains(&level), n == row, "{digit}: {frequency} Hz at {level} dBm0");
            assert!(n == row || level < -25.0);
        }
        for (n, frequency) in HIGH_HZ.iter().enumerate() {
            let level = level_dbm0(on, *frequency);
            assert_eq!((-9.5..-8.5).contains(&level), n == column, "{digit}: {frequency} Hz at {level} dBm0");
            assert!(n == column || level < -25.0);
        }
        assert!(loudest(off) <= 8, "{digit} is followed by silence");
    }
}

#[test]
fn call_progress_tones_have_their_frequencies_and_cadences() {
    let second = 8_000;
    let ringback = heard(Segment::Tone(Tone::Ringback), Duration::from_secs(7));
    assert_eq!(ringback.len(), 6 * second);
    let (on, off) = ringback.split_at(2 * second);
    assert!([440.0, 480.0].iter().all(|hz| (level_dbm0(on, *hz) + 13.0).abs() < 0.2));
    assert!(loudest(off) <= 8);

    let busy = heard(Segment::Tone(Tone::Busy), Duration::from_secs(2));
    assert_eq!(busy.len(), second);
    let (on, off) = busy.split_at(second / 2);
    assert!([480.0, 620.0].iter().all(|hz| (level_dbm0(on, *hz) + 13.0).abs() < 0.2));
    assert!(loudest(off) <= 8);

    let beep = heard(Segment::Tone(Tone::Beep), Duration::from_secs(2));
    assert_eq!(beep.len(), second);
    assert!((level_dbm0(&beep, 1_000.0) + 10.0).abs() < 0.2);
}

/// No step from sample to sample is larger than the steepest slope of the sum: phases run on across packets.
#[test]
fn a_tone_runs_on_across_packets_without_a_click() {
    let ringback = heard(Segment::Tone(Tone::Ringback), Duration::from_secs(2));
    let peak = 32_124.0 * 10f64.powf((-13.0 - 3.17) / 20.0);
    let steepest: f64 = [440.0, 480.0].iter().map(|hz| peak * std::f64::consts::TAU * hz / 8_000.0).sum();
    let quantised = steepest * 1.05 + 300.0;
    for pair in ringback[..15_900].windows(2) {
        let step = f64::from(pair[1]) - f64::from(pair[0]);
        assert!(step.abs() < quantised, "a step of {step}, more than {quantised}");
    }
}
