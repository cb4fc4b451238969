//! G.711 against the decision values of the recommendation, for every sample and every character.

use proptest::prelude::*;
use tandem_media::codec::g711::Law as Coding;

/// Decision values x1 … x128 of one law: `first` and the steps of its eight segments of 16 (ITU-T G.711, column 4
/// of tables 1a and 2a).
fn decision_values(first: i32, steps: [i32; 8]) -> Vec<i32> {
    let mut values = vec![first];
    for (segment, step) in steps.into_iter().enumerate() {
        for _ in 0..16 - usize::from(segment == 0 && first > 0) {
            values.push(values[values.len() - 1] + step);
        }
    }
    values
}

/// Tables 2a and 2b: x1 = 1, x2 = 3, … x128 = 8159; y0 = 0; scaled to 16 bits by 4.
fn mu_law() -> Law {
    let mut decisions = vec![0];
    decisions.extend(decision_values(1, [2, 4, 8, 16, 32, 64, 128, 256]));
    assert_eq!((decisions[15], decisions[16], decisions[128]), (29, 31, 8_159));
    let mut outputs = vec![0];
    outputs.extend((1..128).map(|n| (decisions[n] + decisions[n + 1]) / 2));
    assert_eq!((outputs[1], outputs[127]), (2, 8_031));
    Law { scale: 4, decisions, outputs, positive: |n| 0xff ^ n, negative: |n| 0x7f ^ n }
}

/// Tables 1a and 1b: x1 = 2, x2 = 4, … x128 = 4096; scaled to 16 bits by 8.
fn a_law() -> Law {
    let decisions = decision_values(0, [2, 2, 4, 8, 16, 32, 64, 128]);
    assert_eq!((decisions[1], decisions[128]), (2, 4_096));
    let outputs: Vec<i32> = (0..128).map(|n| (decisions[n] + decisions[n + 1]) / 2).collect();
    assert_eq!((outputs[0], outputs[127]), (1, 4_032));
    Law { scale: 8, decisions, outputs, positive: |n| (0x80 | n) ^ 0x55, negative: |n| n ^ 0x55 }
}

struct Law {
    scale: i32,
    decisions: Vec<i32>,
    outputs: Vec<i32>,
    positive: fn(u8) -> u8,
    negative: fn(u8) -> u8,
}

impl Law {
    fn interval(&self, magnitude: i32) -> u8 {
        let above = self.decisions.iter().take_while(|decision| magnitude >= **decision * self.scale).count();
        u8::try_from(above - 1).expect("an interval").min(127)
    }

    fn check(&self, codec: Coding) {
        for sample in i16::MIN..=i16::MAX {
            let character = if sample < 0 {
                (self.negative)(self.interval(i32::from(!sample)))
            } else {
                (self.positive)(self.interval(i32::from(sample)))
            };
            assert_eq!(codec.encode(sample), character, "sample {sample}");
        }
        for n in 0..128u8 {
            let value = i16::try_from(self.outputs[usize::from(n)] * self.scale).expect("16 bits");
            assert_eq!(codec.decode((self.positive)(n)), value, "interval {n}");
            assert_eq!(codec.decode((self.negative)(n)), -value, "interval -{n}");
        }
    }
}

#[test]
fn mu_law_is_that_of_tables_2a_and_2b() {
    mu_law().check(Coding::Pcmu);
    assert_eq!([0, i16::MAX, i16::MIN].map(|s| Coding::Pcmu.encode(s)), [0xff, 0x80, 0x00]);
}

#[test]
fn a_law_is_that_of_tables_1a_and_1b() {
    a_law().check(Coding::Pcma);
    assert_eq!([0, i16::MAX, i16::MIN].map(|s| Coding::Pcma.encode(s)), [0xd5, 0xaa, 0x2a]);
}

#[test]
fn a_character_survives_decoding_and_encoding() {
    for character in 0..=255u8 {
        assert_eq!(Coding::Pcma.encode(Coding::Pcma.decode(character)), character);
        // µ-law has two zeros; linear has one.
        let meant = if character == 0x7f { 0xff } else { character };
        assert_eq!(Coding::Pcmu.encode(Coding::Pcmu.decode(character)), meant);
    }
}

#[test]
fn transcoding_in_place_is_decoding_and_encoding() {
    let all: Vec<u8> = (0..=255).collect();
    for (from, to) in
        [(Coding::Pcmu, Coding::Pcma), (Coding::Pcma, Coding::Pcmu), (Coding::Pcmu, Coding::Pcmu)]
    {
        let mut characters = all.clone();
        from.transcode(to, &mut characters);
        for (character, transcoded) in all.iter().zip(characters) {
            let meant = if from == to { *character } else { to.encode(from.decode(*character)) };
            assert_eq!(transcoded, meant);
        }
    }
}

proptest! {
    /// A coded sample is off by at most half of its interval: a 16th of its size in the upper segments.
    #[test]
    fn a_sample_keeps_its_size(sample: i16) {
        for codec in [Coding::Pcmu, Coding::Pcma] {
            let coded = i32::from(codec.decode(codec.encode(sample)));
            let error = (coded - i32::from(sample)).abs();
            let clipped = if sample.unsigned_abs() > 32_124 { 644 } else { 0 };
            prop_assert!(error <= i32::from(sample.unsigned_abs()) / 30 + 9 + clipped, "{sample} became {coded}");
        }
    }
}
