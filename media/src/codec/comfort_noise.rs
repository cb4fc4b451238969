//! Comfort noise (RFC 3389): what a silent party's line sounds like, by its level and its spectrum.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |0|   level     |  spectral 1   |      ...      |  spectral M   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

/// The payload type of comfort noise at a clock of 8 kHz (RFC 3389 §4).
pub const PAYLOAD_TYPE: u8 = 13;

/// The most reflection coefficients that are taken; those beyond shape nothing that one hears in noise.
pub const MAX_ORDER: usize = 12;

/// The level in dBov below which there is nothing to hear.
const SILENT_LEVEL: u8 = 90;

/// Makes the noise of one party.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    /// The excitation's amplitude.
    gain: f32,
    /// Reflection coefficients of the all-pole lattice, and its state.
    reflections: [f32; MAX_ORDER],
    state: [f32; MAX_ORDER],
    /// Of a generator of noise: it need not be unpredictable, only sound so.
    seed: u32,
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self { gain: 0.0, reflections: [0.0; MAX_ORDER], state: [0.0; MAX_ORDER], seed: 1 }
    }
}

impl ComfortNoise {
    /// Takes a payload; one without a level says nothing.
    pub fn describe(&mut self, payload: &[u8]) {
        let Some((level, spectrum)) = payload.split_first() else { return };
        self.reflections = [0.0; MAX_ORDER];
        for (reflection, octet) in self.reflections.iter_mut().zip(spectrum) {
            // §3.2; below 1 the filter is stable.
            *reflection = (258.0 * (f32::from(*octet) - 127.0) / 32_768.0).clamp(-0.99, 0.99);
        }
        let level = level & 0x7f;
        let power: f32 = self.reflections.iter().map(|k| 1.0 - k * k).product();
        // §3.1: level is in −dBov, of which 0 is the square wave of full scale. White noise of amplitude 1 has ⅓.
        let amplitude = 32_768.0 * 10f32.powf(-f32::from(level) / 20.0) * 3f32.sqrt();
        self.gain = if level >= SILENT_LEVEL { 0.0 } else { amplitude * power.sqrt() };
    }

    /// Makes samples, at the rate that the description was made for.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            let mut forward = self.gain * self.white();
            // Each stage takes what the one below it had in the sample before.
            for stage in (0..MAX_ORDER).rev() {
                let backward = self.state[stage];
                forward -= self.reflections[stage] * backward;
                if let Some(above) = self.state.get_mut(stage + 1) {
                    *above = backward + self.reflections[stage] * forward;
                }
            }
            self.state[0] = forward;
            *sample = forward.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
    }

    /// Between −1 and 1.
    fn white(&mut self) -> f32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.seed >> 8) as f32 / 8_388_608.0 - 1.0
    }
}
