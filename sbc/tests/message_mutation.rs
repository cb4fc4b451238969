//! More than a million mutated messages through the parser, the typed views, session descriptions, stream framing and
//! header rules: nothing panics, and what could be read prints as it came.
//!
//! Seeded, so that a failure names its round and comes back.

mod exercise;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROUNDS: u64 = 260_000;
/// One a thread of the test, so that CI uses the cores it has.
const SEEDS: [u64; 4] = [0x5ba7, 0x1e55, 0xc0de, 0xf00d];

/// Bytes that mean something to one parser or another.
const TELLING: &[u8] = b"\r\n \t,;:<>\"\\/@[]%=?&*+-0189.\0\x7f\xc3\xff";

#[test]
fn first_quarter() {
    mutate(SEEDS[0]);
}

#[test]
fn second_quarter() {
    mutate(SEEDS[1]);
}

#[test]
fn third_quarter() {
    mutate(SEEDS[2]);
}

#[test]
fn fourth_quarter() {
    mutate(SEEDS[3]);
}

/// What makes sense at each door makes sense there.
#[test]
fn every_door_is_open_to_its_seeds() {
    for entry in &exercise::ENTRIES {
        let seeds = (entry.seeds)();
        assert!(!seeds.is_empty(), "{}", entry.name);
        seeds.iter().for_each(|seed| exercise::read(entry.name, seed));
    }
}

fn mutate(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = Vec::with_capacity(8_192);
    for round in 0..ROUNDS {
        bytes.clear();
        bytes.extend_from_slice(pick(&mut rng));
        for _ in 0..rng.random_range(1..=4) {
            one_mutation(&mut rng, &mut bytes);
        }
        let caught = std::panic::catch_unwind(|| {
            exercise::read("sip_message", &bytes);
            if round % 16 == 0 {
                exercise::read("rules", &bytes);
                let pieces = [1 + (round % 97) as u8, 1 + (round % 89) as u8];
                exercise::read("sip_stream", &[&pieces[..], &bytes].concat());
            }
        });
        assert!(caught.is_ok(), "seed {seed:#x} round {round}: {}", bytes.escape_ascii());
    }
}

fn pick(rng: &mut ChaCha8Rng) -> &'static [u8] {
    exercise::MESSAGES[rng.random_range(0..exercise::MESSAGES.len())]
}

fn one_mutation(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..8) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = TELLING[rng.random_range(0..TELLING.len())],
        2 => bytes.insert(at, TELLING[rng.random_range(0..TELLING.len())]),
        3 => _ = bytes.drain(at..(at + rng.random_range(1..=16)).min(bytes.len())),
        4 => bytes.truncate(at),
        5 => duplicate_line(rng, bytes, at),
        6 => splice(rng, bytes, at),
        _ => {
            let other = rng.random_range(0..bytes.len());
            bytes.swap(at, other);
        }
    }
}

/// A line once more, some times over.
fn duplicate_line(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>, at: usize) {
    let start = bytes[..at].iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
    let end = bytes[at..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |end| at + end + 1);
    let line = bytes[start..end].repeat(rng.random_range(1..=3));
    bytes.splice(end..end, line);
}

/// A piece of another message in the middle of this one.
fn splice(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>, at: usize) {
    let other = pick(rng);
    let from = rng.random_range(0..other.len());
    let to = (from + rng.random_range(1..=64)).min(other.len());
    bytes.splice(at..at, other[from..to].iter().copied());
}
