//! Codecs against other implementations and against what their recommendations promise, one payload at a time.

use std::f64::consts::TAU;

use proptest::prelude::*;
use tandem_media::codec::comfort_noise::ComfortNoise;
use tandem_media::codec::resampler::Resampler;
use tandem_media::codec::{Codec, Decoder, Encoder, MAX_DECODED_SAMPLES, OpusParameters, Rate, g722};

const RATES: [Rate; 3] = [Rate::Narrowband, Rate::Wideband, Rate::Fullband];

fn opus() -> Codec {
    Codec::Opus(OpusParameters::default())
}

fn codecs() -> [Codec; 4] {
    [Codec::Pcmu, Codec::Pcma, Codec::G722, opus()]
}

fn sine(frequency_hz: f64, rate: Rate, count: usize) -> Vec<i16> {
    let phase = TAU * frequency_hz / f64::from(rate.hz());
    (0..count).map(|n| (10_000.0 * (phase * n as f64).sin()) as i16).collect()
}

/// The amplitude of one frequency (Goertzel), of 10,000.
fn amplitude(samples: &[i16], frequency_hz: f64, rate: Rate) -> f64 {
    let phase = TAU * frequency_hz / f64::from(rate.hz());
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        (one, two) = (f64::from(*sample) + 2.0 * phase.cos() * one - two, one);
    }
    let power: f64 = one * one + two * two - 2.0 * phase.cos() * one * two;
    2.0 * power.max(0.0).sqrt() / samples.len() as f64
}

fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-9).log10()
}

/// Noise that swells, in integers only.
fn noise(count: i32) -> Vec<i16> {
    let (mut state, mut low) = (1u32, 0i32);
    let sample = |n: i32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        low = (low * 7 + (state >> 16) as i32 - 32_768) / 8;
        (low * (n / 500 % 16) / 16) as i16
    };
    (0..count).map(sample).collect()
}

/// ITU-T G.722 lays every bit of both directions down. The sums are those of what SpanDSP 0.0.6 made of the same samples; what
/// is too loud it decodes with the wrong sign, where the recommendation clips.
#[test]
fn g722_agrees_with_another_implementation_bit_by_bit() {
    let loud: Vec<i16> = (0..4_000).map(|n| if n / 13 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    for (samples, octets_sum, samples_sum) in
        [(noise(64_000), 0x2467_c3f1, Some(0xcb18_4d8e)), (loud, 0x002b_f01d, None)]
    {
        let mut octets = vec![0; samples.len() / 2];
        assert_eq!(g722::Encoder::default().encode(&samples, &mut octets), octets.len());
        assert_eq!(crc32fast::hash(&octets), octets_sum);
        let mut decoded = vec![0; samples.len()];
        assert_eq!(g722::Decoder::default().decode(&octets, &mut decoded), decoded.len());
        let octets: Vec<u8> = decoded.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        assert!(samples_sum.is_none_or(|sum| crc32fast::hash(&octets) == sum));
    }
}

/// A coder that both sides of a call know well need not be told its rates: what goes in at one comes out at the other.
#[test]
fn every_codec_carries_a_tone_from_any_rate_to_any_rate() {
    for codec in codecs() {
        for from in RATES {
            for to in RATES {
                let (mut encoder, mut decoder) = (Encoder::new(codec, from), Decoder::new(codec, to));
                let mut heard = vec![];
                for frame in sine(1_000.0, from, from.hz() as usize).chunks(from.hz() as usize / 50) {
                    let mut payload = [0; 480];
                    let len = encoder.encode(frame, &mut payload);
                    let mut samples = [0; MAX_DECODED_SAMPLES];
                    let count = decoder.decode(&payload[..len], &mut samples);
                    assert_eq!(count, to.hz() as usize / 50, "{codec:?}, {from:?} to {to:?}");
                    heard.extend_from_slice(&samples[..count]);
                }
                let level = decibels(amplitude(&heard[heard.len() / 2..], 1_000.0, to) / 10_000.0);
                assert!(level.abs() < 1.5, "{codec:?}, {from:?} to {to:?}: {level:.1} dB");
            }
        }
    }
}

/// What the lower rate can have passes, what it cannot have is not folded into it.
#[test]
fn conversion_passes_the_lower_band_and_stops_the_rest() {
    for (from, to) in [
        (Rate::Wideband, Rate::Narrowband),
        (Rate::Fullband, Rate::Narrowband),
        (Rate::Fullband, Rate::Wideband),
    ] {
        let half = f64::from(to.hz()) / 2.0;
        for (part, passes) in
            [(0.1, true), (0.5, true), (0.82, true), (1.12, false), (1.5, false), (1.9, false)]
        {
            let hz = half * part;
            let mut down = Resampler::new(from, to).expect("two rates");
            let mut out = vec![0; to.hz() as usize];
            let count = down.process(&sine(hz, from, from.hz() as usize), &mut out);
            assert_eq!(count, to.hz() as usize);
            let folded = if hz > half { 2.0 * half - hz } else { hz };
            let level = decibels(amplitude(&out[200..], folded, to) / 10_000.0);
            let good = if passes { level.abs() < 0.5 } else { level < -45.0 };
            assert!(good, "{from:?} to {to:?}: {hz} Hz at {level:.1} dB");
        }
        let mut up = Resampler::new(to, from).expect("two rates");
        let mut out = vec![0; from.hz() as usize];
        assert_eq!(up.process(&sine(half * 0.6, to, to.hz() as usize), &mut out), from.hz() as usize);
        let (meant, image) = (half * 0.6, 2.0 * half - half * 0.6);
        assert!(decibels(amplitude(&out[200..], meant, from) / 10_000.0).abs() < 0.5, "{to:?} to {from:?}");
        assert!(decibels(amplitude(&out[200..], image, from) / 10_000.0) < -45.0, "{to:?} to {from:?}");
    }
}

/// ITU-T G.711 Appendix I: a lost packet of a voiced sound is hardly missed, a long gap ends in silence.
#[test]
fn a_lost_packet_sounds_like_what_was_before_it() {
    for codec in codecs() {
        let rate = codec.rate();
        let frame = rate.hz() as usize / 50;
        // A voice of 125 Hz has all of its harmonics in step.
        let voice: Vec<i16> = (0..rate.hz() as usize)
            .map(|n| {
                (1..8)
                    .map(|k| 2_000.0 * (TAU * 125.0 * f64::from(k) * n as f64 / f64::from(rate.hz())).sin())
                    .sum::<f64>() as i16
            })
            .collect();
        let (mut encoder, mut decoder) = (Encoder::new(codec, rate), Decoder::new(codec, rate));
        let mut said = |number: usize, decoder: &mut Decoder| {
            let mut payload = [0; 480];
            let len = encoder.encode(&voice[number * frame..(number + 1) * frame], &mut payload);
            let mut samples = vec![0; MAX_DECODED_SAMPLES];
            let count = decoder.decode(&payload[..len], &mut samples);
            samples.truncate(count);
            samples
        };
        let mut before = vec![];
        for number in 0..20 {
            before = said(number, &mut decoder);
        }
        let mut lost = vec![0; frame];
        decoder.conceal(&mut lost);
        let level = |samples: &[i16]| amplitude(samples, 250.0, rate);
        let change = decibels(level(&lost) / level(&before));
        assert!((-5.0..4.0).contains(&change), "{codec:?}: {change:.1} dB in the gap");
        let step = |from: i16, to: i16| i32::from(from).abs_diff(i32::from(to));
        let steepest = before.windows(2).map(|it| step(it[0], it[1])).max().unwrap_or(0);
        let seam = step(before[frame - 1], lost[0]);
        assert!(seam <= steepest, "{codec:?}: a click of {seam}, where the voice has {steepest}");
        let mut gap = vec![0; frame * 25];
        gap.chunks_mut(frame).for_each(|frame| decoder.conceal(frame));
        let end = &gap[frame * 20..];
        assert!(end.iter().all(|sample| sample.unsigned_abs() < 300), "{codec:?}: a long gap is not silent");
        let after = said(21, &mut decoder);
        assert_eq!(after.len(), frame, "{codec:?}");
    }
}

/// RFC 6716 §2.1.7: a packet tells the one before it again, for parties that want it (`useinbandfec`).
#[test]
fn an_opus_packet_tells_the_lost_one_before_it() {
    let told = |in_band_fec| {
        let codec = Codec::Opus(OpusParameters { in_band_fec, ..OpusParameters::default() });
        let (mut encoder, mut decoder) =
            (Encoder::new(codec, Rate::Wideband), Decoder::new(codec, Rate::Wideband));
        encoder.expect_loss(30);
        // The lost packet has a tone that none before it had.
        let mut recovered = vec![];
        let low = sine(300.0, Rate::Wideband, 320 * 20);
        for frame in low.chunks(320) {
            let mut payload = [0; 480];
            let len = encoder.encode(frame, &mut payload);
            decoder.decode(&payload[..len], &mut [0; MAX_DECODED_SAMPLES]);
        }
        let high = sine(1_400.0, Rate::Wideband, 320 * 4);
        for (number, frame) in high.chunks(320).enumerate() {
            let mut payload = [0; 480];
            let len = encoder.encode(frame, &mut payload);
            let mut gap = vec![0; 320];
            if number == 0 || number == 2 {
                continue;
            }
            decoder.recover(&payload[..len], &mut gap);
            recovered.extend(gap);
            decoder.decode(&payload[..len], &mut [0; MAX_DECODED_SAMPLES]);
        }
        amplitude(&recovered[..320], 1_400.0, Rate::Wideband)
    };
    assert!(told(true) > 2.0 * told(false), "{:.0} with redundancy", told(true));
    assert!(told(true) > 1_500.0, "{:.0} with redundancy, {:.0} without", told(true), told(false));
}

/// RFC 3389 §3: the level is that of the description, whatever the spectrum.
#[test]
fn comfort_noise_is_as_loud_and_as_shaped_as_described() {
    for payload in [vec![50], vec![30], vec![40, 60, 140, 120], vec![40, 190]] {
        let mut noise = ComfortNoise::default();
        noise.describe(&payload);
        let mut samples = vec![0; 80_000];
        noise.fill(&mut samples);
        let power = samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / samples.len() as f64;
        let level = 10.0 * (power / 32_768f64.powi(2)).log10();
        assert!((level + f64::from(payload[0])).abs() < 1.5, "{payload:?}: {level:.1} dBov");
        let product: f64 = samples.windows(2).map(|it| f64::from(it[0]) * f64::from(it[1])).sum();
        let correlation = product / power / samples.len() as f64;
        let first = payload.get(1).map_or(0.0, |octet| 258.0 * (f64::from(*octet) - 127.0) / 32_768.0);
        assert!(
            (correlation + first).abs() < 0.1,
            "{payload:?}: {correlation:.2} from one sample to the next"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Nothing that comes from the wire may panic, be it no payload at all.
    #[test]
    fn any_payload_is_decoded_or_refused(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 1..8),
        rate in prop::sample::select(RATES.to_vec()),
        room in 0usize..MAX_DECODED_SAMPLES,
    ) {
        for codec in codecs() {
            let mut decoder = Decoder::new(codec, rate);
            let mut samples = vec![0; room];
            for payload in &payloads {
                prop_assert!(decoder.decode(payload, &mut samples) <= room);
                decoder.recover(payload, &mut samples);
                decoder.conceal(&mut samples);
            }
        }
        let mut noise = ComfortNoise::default();
        for payload in &payloads {
            noise.describe(payload);
            noise.fill(&mut [0; 160]);
        }
    }
}
