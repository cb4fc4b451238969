//! What a party hears: a timeline of tones, in-band digits and levels, made from decoded audio.
//!
//! Audio is put in place by its RTP timestamp, so neither reordering nor jitter on the way changes what is heard;
//! a packet that comes more than [`LATENESS`] late is left out, as a jitter buffer would.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::goertzel::Bank;
use crate::tone::RATE_HZ;

/// How long an analysed stretch of audio is: 100 ms.
pub const WINDOW_SAMPLES: usize = 800;

/// Audio that comes later than this, in samples, is not heard.
const LATENESS: i64 = 1_600;

/// Sources heard at a time.
const MAX_SOURCES: usize = 8;

/// A source that was not heard for so long, while another is, has ceased.
const CEASED: Duration = Duration::from_millis(300);

/// A timestamp this far from the last one is a new beginning, not a gap.
const MAX_JUMP: i64 = 40_000;

/// In-band digits are looked for in stretches of 25 ms, so that 50 ms of tone cannot be missed (ITU-T Q.24).
const DIGIT_BLOCK: usize = 200;

/// 100 ms of what was heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// When its first packet came.
    pub at: Duration,
    /// How many of its [`WINDOW_SAMPLES`] came at all.
    pub samples: u16,
    /// Root mean square in dB below full scale; silence is at most −90.
    pub level_dbov: i8,
    /// The frequencies that stand out, in Hz, the strongest first; empty when most of it is missing.
    pub tones: Vec<u16>,
}

/// The timeline.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Windows in order; at most [`Heard::MAX_WINDOWS`].
    pub windows: Vec<Window>,
    /// In-band dual tones (ITU-T Q.23), with the time they were recognised.
    pub digits: Vec<(Duration, char)>,
    /// Windows left out because the timeline was full.
    pub windows_dropped: u32,
    /// Packets that came too late to be heard.
    pub late: u32,
}

impl Heard {
    /// One hour.
    pub const MAX_WINDOWS: usize = 36_000;
    /// In-band digits kept.
    pub const MAX_DIGITS: usize = 1_000;

    /// Whether `hz` stood out at any time between `from` and `to`.
    #[must_use]
    pub fn tone_between(&self, hz: u16, from: Duration, to: Duration) -> bool {
        self.windows.iter().any(|w| w.at >= from && w.at < to && w.tones.contains(&hz))
    }

    /// How long `hz` stood out altogether.
    #[must_use]
    pub fn time_of_tone(&self, hz: u16) -> Duration {
        let windows = self.windows.iter().filter(|w| w.tones.contains(&hz)).count();
        Duration::from_millis(100) * u32::try_from(windows).unwrap_or(u32::MAX)
    }

    /// The in-band digits as a string.
    #[must_use]
    pub fn digit_string(&self) -> String {
        self.digits.iter().map(|(_, digit)| digit).collect()
    }
}

/// What is heard of samples at 8 kHz that follow each other without a gap, the first of them at `began`.
#[must_use]
pub fn heard_in(samples: &[i16], began: Duration, listen_for: &[u16]) -> Heard {
    const PIECE: usize = 160;
    let mut ear = Ear::new(listen_for);
    for (n, piece) in (0_u32..).zip(samples.chunks(PIECE)) {
        ear.hear(began + Duration::from_millis(20) * n, 0, n.wrapping_mul(PIECE as u32), piece);
    }
    ear.into_heard()
}

/// Puts audio in place and analyses it.
#[derive(Debug)]
pub(crate) struct Ear {
    tones: Bank,
    digits: Bank,
    heard: Heard,
    /// Those heard lately; at most [`MAX_SOURCES`].
    sources: Vec<Source>,
}

/// The audio of one synchronisation source. Two at a time are not what a phone expects, but it hears both.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    last_at: Duration,
    /// The extended timestamp of the next packet if all is in order; none before the first.
    expected: Option<i64>,
    open: BTreeMap<i64, OpenWindow>,
    /// The first window that may still be opened.
    next_window: i64,
    digit_run: DigitRun,
}

#[derive(Debug)]
struct OpenWindow {
    at: Duration,
    present: u16,
    samples: Box<[f32; WINDOW_SAMPLES]>,
}

/// How long the same dual tone has been there.
#[derive(Debug, Default)]
struct DigitRun {
    digit: Option<char>,
    blocks: u8,
}

/// ITU-T Q.23: the low group, then the high group.
const DIGIT_TONES: [u16; 8] = [697, 770, 852, 941, 1209, 1336, 1477, 1633];

const DIGITS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// The low and the high tone of a digit.
pub(crate) fn tones_of(digit: char) -> Option<(u16, u16)> {
    let (low, high) = DIGIT_TONES.split_at(DIGITS.len());
    DIGITS.iter().zip(low).find_map(|(row, low)| {
        let column = row.iter().position(|known| *known == digit)?;
        Some((*low, *high.get(column)?))
    })
}

impl Ear {
    /// An ear for the given frequencies.
    pub(crate) fn new(listen_for: &[u16]) -> Self {
        Self {
            tones: Bank::new(listen_for),
            digits: Bank::new(&DIGIT_TONES),
            heard: Heard::default(),
            sources: Vec::new(),
        }
    }

    /// Takes the audio of one packet.
    pub(crate) fn hear(&mut self, now: Duration, ssrc: u32, timestamp: u32, samples: &[i16]) {
        let ceased = |source: &Source| source.ssrc != ssrc && source.last_at + CEASED < now;
        while let Some(place) = self.sources.iter().position(ceased) {
            self.cease(place);
        }
        let place = self.sources.iter().position(|source| source.ssrc == ssrc).unwrap_or_else(|| {
            if self.sources.len() >= MAX_SOURCES {
                self.cease(0);
            }
            self.sources.push(Source::new(ssrc, now));
            self.sources.len() - 1
        });
        let Some(source) = self.sources.get_mut(place) else { return };
        source.last_at = now;
        let (start, mut done) = source.extend(timestamp);
        if source.place(now, start, samples) {
            done.extend(source.take_before(start + samples.len() as i64 - LATENESS));
        } else {
            self.heard.late += 1;
        }
        self.finish(place, done);
    }

    /// What was heard so far, without the last 200 ms.
    pub(crate) const fn heard(&self) -> &Heard {
        &self.heard
    }

    /// What was heard, all of it.
    pub(crate) fn into_heard(mut self) -> Heard {
        while !self.sources.is_empty() {
            self.cease(0);
        }
        self.heard
    }

    fn cease(&mut self, place: usize) {
        let Some(source) = self.sources.get_mut(place) else { return };
        let done = source.take_before(i64::MAX);
        self.finish(place, done);
        self.sources.remove(place);
    }

    fn finish(&mut self, place: usize, done: Vec<(bool, OpenWindow)>) {
        for (follows, window) in done {
            let Some(source) = self.sources.get_mut(place) else { return };
            let mut run = std::mem::take(&mut source.digit_run);
            if !follows {
                run = DigitRun::default();
            }
            self.analyse(&window, &mut run);
            if let Some(source) = self.sources.get_mut(place) {
                source.digit_run = run;
            }
        }
    }

    fn analyse(&mut self, window: &OpenWindow, run: &mut DigitRun) {
        let samples = window.samples.as_slice();
        let energy: f32 = samples.iter().map(|s| s * s).sum();
        let mean_square = energy / f32::from(window.present.max(1));
        let silent = mean_square < 100.0;
        let tones = if silent || usize::from(window.present) < WINDOW_SAMPLES / 2 {
            Vec::new()
        } else {
            self.tones.standing_out(samples, energy)
        };
        self.look_for_digits(window.at, samples, silent, run);
        if self.heard.windows.len() >= Heard::MAX_WINDOWS {
            self.heard.windows_dropped += 1;
            return;
        }
        let level = 10.0 * (mean_square / (32_768.0_f32 * 32_768.0)).max(1e-9).log10();
        self.heard.windows.push(Window {
            at: window.at,
            samples: window.present,
            level_dbov: level as i8,
            tones,
        });
    }

    /// A digit counts when two blocks in a row have it, and again only after it ceased (ITU-T Q.24).
    fn look_for_digits(&mut self, at: Duration, samples: &[f32], silent: bool, run: &mut DigitRun) {
        for (number, block) in (0..).zip(samples.chunks(DIGIT_BLOCK)) {
            let digit = if silent { None } else { self.dual_tone(block) };
            if digit != run.digit {
                *run = DigitRun { digit, blocks: 0 };
            }
            run.blocks = run.blocks.saturating_add(1);
            if let (Some(digit), 2) = (digit, run.blocks)
                && self.heard.digits.len() < Heard::MAX_DIGITS
            {
                let into = Duration::from_secs(1) * number * DIGIT_BLOCK as u32 / RATE_HZ;
                self.heard.digits.push((at + into, digit));
            }
        }
    }

    /// The digit whose two tones make up most of the block, neither more than 8 dB above the other.
    fn dual_tone(&self, block: &[f32]) -> Option<char> {
        let energy: f32 = block.iter().map(|s| s * s).sum();
        if energy < 100.0 * DIGIT_BLOCK as f32 {
            return None;
        }
        let power = self.digits.shares(block, energy);
        let (low, high) = power.split_at(4);
        let (row, low) = strongest(low)?;
        let (column, high) = strongest(high)?;
        let balanced = low < 6.3 * high && high < 6.3 * low;
        if low + high < 0.7 || !balanced {
            return None;
        }
        DIGITS.get(row)?.get(column).copied()
    }
}

impl Source {
    const fn new(ssrc: u32, now: Duration) -> Self {
        Self {
            ssrc,
            last_at: now,
            expected: None,
            open: BTreeMap::new(),
            next_window: 0,
            digit_run: DigitRun { digit: None, blocks: 0 },
        }
    }

    /// Extends a timestamp to 64 bits beside the last one (RFC 3550 §5.1: it wraps). One that is far off begins anew
    /// and completes the windows that were open.
    fn extend(&mut self, timestamp: u32) -> (i64, Vec<(bool, OpenWindow)>) {
        if let Some(expected) = self.expected {
            let ahead = i64::from(timestamp.wrapping_sub(expected as u32) as i32);
            if ahead.abs() <= MAX_JUMP {
                return (expected + ahead, Vec::new());
            }
        }
        let done = self.take_before(i64::MAX);
        self.expected = None;
        let earliest = self.next_window * WINDOW_SAMPLES as i64;
        let mut start = ((earliest >> 32) << 32) + i64::from(timestamp);
        if start < earliest {
            start += 1 << 32;
        }
        // The first packets may come in another order, too.
        self.next_window = self.next_window.max((start - LATENESS).div_euclid(WINDOW_SAMPLES as i64));
        (start, done)
    }

    /// Puts samples in place; false when it is too late for them.
    fn place(&mut self, now: Duration, start: i64, samples: &[i16]) -> bool {
        if start < self.next_window * WINDOW_SAMPLES as i64 {
            return false;
        }
        for (place, sample) in (start..).zip(samples) {
            let index = place.div_euclid(WINDOW_SAMPLES as i64);
            let window = self.open.entry(index).or_insert_with(|| OpenWindow {
                at: now,
                present: 0,
                samples: Box::new([0.0; WINDOW_SAMPLES]),
            });
            window.present += 1;
            let offset = usize::try_from(place.rem_euclid(WINDOW_SAMPLES as i64)).unwrap_or(0);
            if let Some(slot) = window.samples.get_mut(offset) {
                *slot = f32::from(*sample);
            }
        }
        let end = start + samples.len() as i64;
        self.expected = Some(self.expected.map_or(end, |expected| expected.max(end)));
        true
    }

    /// The windows that end before `place`, each with whether it follows the one before without a gap.
    fn take_before(&mut self, place: i64) -> Vec<(bool, OpenWindow)> {
        let mut done = Vec::new();
        while let Some(entry) = self.open.first_entry() {
            let index = *entry.key();
            if (index + 1).saturating_mul(WINDOW_SAMPLES as i64) > place {
                break;
            }
            done.push((index <= self.next_window, entry.remove()));
            self.next_window = index + 1;
        }
        done
    }
}

fn strongest(shares: &[f32]) -> Option<(usize, f32)> {
    shares.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, from: usize, samples: usize) -> Vec<i16> {
        (from..from + samples)
            .map(|n| ((n as f64 * hz / 8_000.0 * std::f64::consts::TAU).sin() * 7_000.0) as i16)
            .collect()
    }

    fn packets(audio: &[i16], first_timestamp: u32) -> Vec<(u32, Vec<i16>)> {
        (0..)
            .zip(audio.chunks(160))
            .map(|(n, c)| (first_timestamp.wrapping_add(n * 160), c.to_vec()))
            .collect()
    }

    fn heard(packets: &[(u32, Vec<i16>)]) -> Heard {
        let mut ear = Ear::new(&[440, 500, 550, 600, 950]);
        for (n, (timestamp, samples)) in (0..).zip(packets) {
            ear.hear(Duration::from_millis(20) * n, 1, *timestamp, samples);
        }
        ear.into_heard()
    }

    #[test]
    fn hears_each_of_two_tones_and_nothing_else() {
        let sum: Vec<i16> =
            tone(500.0, 0, 8_000).iter().zip(tone(950.0, 0, 8_000)).map(|(a, b)| a + b).collect();
        let heard = heard(&packets(&sum, 7));
        assert!(heard.windows.len() >= 10);
        assert!(heard.windows.iter().filter(|w| w.samples == 800).all(|w| {
            let mut tones = w.tones.clone();
            tones.sort_unstable();
            tones == [500, 950]
        }));
    }

    #[test]
    fn reordering_and_wrapping_timestamps_change_nothing() {
        let audio = tone(500.0, 0, 8_000);
        let mut shuffled = packets(&audio, u32::MAX - 1_000);
        for pair in shuffled.chunks_mut(2) {
            pair.reverse();
        }
        let heard = heard(&shuffled);
        assert!(heard.windows.iter().filter(|w| w.samples == 800).count() >= 8);
        assert!(heard.windows.iter().filter(|w| w.samples == 800).all(|w| w.tones == [500]));
        assert_eq!(heard.late, 0);
    }

    #[test]
    fn two_sources_at_a_time_are_both_heard() {
        let mut ear = Ear::new(&[500, 600]);
        let (one, other) = (packets(&tone(500.0, 0, 8_000), 0), packets(&tone(600.0, 0, 8_000), 99));
        for (n, (one, other)) in (0..).zip(one.iter().zip(&other)) {
            ear.hear(Duration::from_millis(20) * n, 1, one.0, &one.1);
            ear.hear(Duration::from_millis(20) * n, 2, other.0, &other.1);
        }
        let heard = ear.into_heard();
        assert!(heard.time_of_tone(500) >= Duration::from_millis(900));
        assert!(heard.time_of_tone(600) >= Duration::from_millis(900));
    }

    #[test]
    fn a_lost_packet_does_not_invent_tones() {
        let mut some = packets(&tone(500.0, 0, 8_000), 0);
        some.remove(12);
        some.remove(30);
        assert!(heard(&some).windows.iter().all(|w| w.tones == [500]));
    }

    /// ITU-T Q.23 and Q.24: 100 ms on and off, every digit; the same digit twice counts twice.
    #[test]
    fn decodes_in_band_digits() {
        let mut audio = Vec::new();
        for (row, digits) in DIGITS.iter().enumerate() {
            for (column, _) in digits.iter().enumerate() {
                for _ in 0..2 {
                    let low = tone(f64::from(DIGIT_TONES[row]), 0, 800);
                    let high = tone(f64::from(DIGIT_TONES[4 + column]), 0, 800);
                    audio.extend(low.iter().zip(high).map(|(a, b)| a / 2 + b / 2));
                    audio.extend([0; 800]);
                }
            }
        }
        for shift in [0, 130, 550] {
            let heard = heard(&packets(&audio, shift));
            assert_eq!(heard.digit_string(), "112233AA445566BB778899CC**00##DD", "begun {shift} samples in");
        }
    }

    #[test]
    fn a_tone_is_no_digit() {
        assert_eq!(heard(&packets(&tone(697.0, 0, 8_000), 0)).digit_string(), "");
    }
}
