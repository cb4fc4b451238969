//! Content that says what it is: of packets that nobody may change, and of a prompt.

use super::FRAME;

/// Frames of [`prompt`]: 20 s.
pub const PROMPT_FRAMES: u32 = 1_000;
/// Stream, number and time, before the noise.
const STAMP: usize = 16;
/// The characters that a prompt's frame says its number with.
const DIGITS: usize = 4;

/// What a packet says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Whose it is.
    pub stream: u32,
    /// Which of them.
    pub number: u32,
    /// When it left.
    pub at_ns: u64,
}

/// Packet `number` of a stream: all but the time follows from these two.
pub(super) fn fill(frame: &mut [u8; FRAME], stream: u32, number: u32, at_ns: u64) {
    let (stamp, noise) = frame.split_at_mut(STAMP);
    let stamps = [stream.to_be_bytes(), number.to_be_bytes()];
    for (to, from) in stamp.iter_mut().zip(stamps.into_iter().flatten().chain(at_ns.to_be_bytes())) {
        *to = from;
    }
    for (word, octets) in words(seed(stream, number)).zip(noise.chunks_mut(8)) {
        octets.copy_from_slice(&word.to_be_bytes()[..octets.len()]);
    }
}

/// What an unchanged frame says; none when it is none, or was changed.
#[must_use]
pub fn read(frame: &[u8]) -> Option<Stamp> {
    let (stream, rest) = frame.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<4>()?;
    let (at_ns, noise) = rest.split_first_chunk::<8>()?;
    let (stream, number) = (u32::from_be_bytes(*stream), u32::from_be_bytes(*number));
    let is_right = noise.len() == FRAME - STAMP
        && words(seed(stream, number))
            .zip(noise.chunks(8))
            .all(|(word, octets)| word.to_be_bytes() == octets);
    is_right.then_some(Stamp { stream, number, at_ns: u64::from_be_bytes(*at_ns) })
}

/// A prompt of which each 20 ms say where in it they are, as G.711 µ-law: what a player sends of it that neither
/// resamples nor changes it.
#[must_use]
pub fn prompt() -> Vec<u8> {
    (0..PROMPT_FRAMES).flat_map(prompt_frame).collect()
}

/// The frame of the prompt that this is, if any.
#[must_use]
pub(super) fn prompt_frame_in(frame: &[u8]) -> Option<u32> {
    let digits = frame.get(..DIGITS)?;
    let number = digits.iter().fold(0, |number, digit| number << 6 | u32::from(digit & 0x3f));
    (number < PROMPT_FRAMES && prompt_frame(number) == frame).then_some(number)
}

fn prompt_frame(number: u32) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    let (digits, noise) = frame.split_at_mut(DIGITS);
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        *digit = 0x80 | (number >> (6 * place)) as u8 & 0x3f;
    }
    for (word, octets) in words(seed(u32::MAX, number)).zip(noise.chunks_mut(8)) {
        octets.copy_from_slice(&word.to_be_bytes()[..octets.len()]);
    }
    // G.711 has two zeros, and linear samples one: the other would come back changed.
    for octet in noise.iter_mut().filter(|octet| **octet == 0x7f) {
        *octet = 0x7e;
    }
    frame
}

fn seed(stream: u32, number: u32) -> u64 {
    u64::from(stream) << 32 | u64::from(number)
}

/// SplitMix64 (Steele, Lea, Flood 2014): noise that takes a nanosecond a word.
fn words(mut state: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    })
}
