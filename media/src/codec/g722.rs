//! G.722 at 64 kbit/s (ITU-T G.722, mode 1): two sub-band ADPCM coders behind a quadrature mirror filter.
//!
//! Names of variables and blocks are the recommendation's (§6.2 and its tables 10 to 21): all of it is arithmetic on 16
//! bits that both sides must do alike, to the last bit. Two samples at 16 kHz are one octet: two bits of the higher
//! band, six of the lower.

/// The mirror filter (table 11): half of its symmetric 24 taps, interleaved as the two polyphases want them.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band (table 14, Q6).
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121,
    1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// Output values of the lower band by its 6 bits and by the first 4 of them, and of the higher band (table 15).
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776,
    -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280,
    11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168,
    2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];
const QM4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584,
    1_200, 0,
];
const QM2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// Logarithmic multipliers of the lower band by the first 4 bits, and of the higher band (tables 16 and 21).
const WL: [i32; 16] = [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];
const WH: [i32; 4] = [798, -214, 798, -214];
/// The antilogarithm (table 17).
const ILB: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774,
    2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838,
    3_922, 4_008,
];

/// Samples of one octet.
pub const SAMPLES_PER_OCTET: usize = 2;

/// The encoder of one stream.
#[derive(Clone, Debug)]
pub struct Encoder {
    filter: [i32; 24],
    low: Band,
    high: Band,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { filter: [0; 24], low: Band::new(32), high: Band::new(8) }
    }
}

impl Encoder {
    /// Encodes pairs of samples into octets, as far as both reach; how many octets.
    pub fn encode(&mut self, samples: &[i16], octets: &mut [u8]) -> usize {
        let (pairs, _) = samples.as_chunks::<SAMPLES_PER_OCTET>();
        let coded = octets.iter_mut().zip(pairs);
        coded.map(|(octet, pair)| *octet = self.octet(*pair)).count()
    }

    fn octet(&mut self, [earlier, later]: [i16; 2]) -> u8 {
        self.filter.copy_within(2.., 0);
        self.filter[22] = i32::from(earlier);
        self.filter[23] = i32::from(later);
        let (even, odd) = polyphases(&self.filter);
        let low = encode_low(&mut self.low, (even + odd) >> 14);
        let high = encode_high(&mut self.high, (even - odd) >> 14);
        (high << 6) | low
    }
}

/// Blocks 1L to 4L (§3, §6.2.1).
fn encode_low(band: &mut Band, xlow: i32) -> u8 {
    let el = saturate(xlow - band.s);
    let magnitude = if el >= 0 { el } else { !el };
    let mil = (1..Q6.len()).find(|level| magnitude < (Q6[*level] * band.det) >> 12).unwrap_or(Q6.len()) as u8;
    // Table 18: positive intervals count down from 61, negative ones from 63, with two of them at 31 and below.
    let il = match (el < 0, mil) {
        (false, mil) => 62 - mil,
        (true, mil @ 1..=2) => 64 - mil,
        (true, mil) => 34 - mil,
    };
    band.adapt_low(il >> 2);
    il
}

/// Blocks 1H to 4H.
fn encode_high(band: &mut Band, xhigh: i32) -> u8 {
    let eh = saturate(xhigh - band.s);
    let magnitude = if eh >= 0 { eh } else { !eh };
    let is_outer = magnitude >= (564 * band.det) >> 12;
    let ih = match (eh < 0, is_outer) {
        (true, false) => 1,
        (true, true) => 0,
        (false, false) => 3,
        (false, true) => 2,
    };
    band.adapt_high(ih);
    ih
}

/// The decoder of one stream.
#[derive(Clone, Debug)]
pub struct Decoder {
    filter: [i32; 24],
    low: Band,
    high: Band,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { filter: [0; 24], low: Band::new(32), high: Band::new(8) }
    }
}

impl Decoder {
    /// Decodes octets into pairs of samples, as far as both reach; how many samples.
    pub fn decode(&mut self, octets: &[u8], samples: &mut [i16]) -> usize {
        let (pairs, _) = samples.as_chunks_mut::<SAMPLES_PER_OCTET>();
        let decoded = pairs.iter_mut().zip(octets);
        decoded.map(|(pair, octet)| *pair = self.pair(*octet)).count() * SAMPLES_PER_OCTET
    }

    fn pair(&mut self, octet: u8) -> [i16; 2] {
        let (il, ih) = (octet & 0x3f, octet >> 6);
        // Block 5L: the output has all six bits, the prediction four.
        let rlow = limit(self.low.s + ((self.low.det * QM6[usize::from(il)]) >> 15));
        self.low.adapt_low(il >> 2);
        let rhigh = limit(self.high.s + ((self.high.det * QM2[usize::from(ih)]) >> 15));
        self.high.adapt_high(ih);
        self.filter.copy_within(2.., 0);
        self.filter[22] = rlow + rhigh;
        self.filter[23] = rlow - rhigh;
        let (first, second) = polyphases(&self.filter);
        [saturate(first >> 11) as i16, saturate(second >> 11) as i16]
    }
}

/// Both halves of the mirror filter: over the odd places, and over the even ones.
fn polyphases(filter: &[i32; 24]) -> (i32, i32) {
    let (pairs, _) = filter.as_chunks::<2>();
    let taps = pairs.iter().zip(QMF.iter().zip(QMF.iter().rev()));
    taps.fold((0, 0), |(odd, even), ([x0, x1], (tap, mirrored))| (odd + x1 * mirrored, even + x0 * tap))
}

const fn saturate(value: i32) -> i32 {
    if value > 32_767 {
        32_767
    } else if value < -32_768 {
        -32_768
    } else {
        value
    }
}

/// Block 6: 15 bits.
fn limit(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

/// The predictor and the step size of one band.
#[derive(Clone, Debug)]
struct Band {
    /// The signal as predicted.
    s: i32,
    /// The part of its zeros.
    sz: i32,
    /// The step size and its logarithm.
    det: i32,
    nb: i32,
    /// The latest two reconstructed signals and partial ones, and six differences, newest first.
    r: [i32; 2],
    p: [i32; 2],
    d: [i32; 6],
    /// Coefficients of two poles and six zeros.
    a: [i32; 2],
    b: [i32; 6],
}

impl Band {
    const fn new(det: i32) -> Self {
        Self { s: 0, sz: 0, det, nb: 0, r: [0; 2], p: [0; 2], d: [0; 6], a: [0; 2], b: [0; 6] }
    }

    /// Blocks 2L, 3L and 4L, by the first four bits.
    fn adapt_low(&mut self, ril: u8) {
        let ril = usize::from(ril & 15);
        let d = (self.det * QM4[ril]) >> 15;
        self.nb = (((self.nb * 127) >> 7) + WL[ril]).clamp(0, 18_432);
        self.det = scale(self.nb, 8);
        self.predict(d);
    }

    /// Blocks 2H, 3H and 4H.
    fn adapt_high(&mut self, ih: u8) {
        let ih = usize::from(ih & 3);
        let d = (self.det * QM2[ih]) >> 15;
        self.nb = (((self.nb * 127) >> 7) + WH[ih]).clamp(0, 22_528);
        self.det = scale(self.nb, 10);
        self.predict(d);
    }

    /// Block 4 (§6.2.1.4): takes the quantised difference and predicts the next signal.
    fn predict(&mut self, d: i32) {
        let r = saturate(self.s + d);
        let p = saturate(self.sz + d);
        let a2 = self.second_pole(p);
        let a1 = self.first_pole(p, a2);
        self.zeros(d);
        self.a = [a1, a2];
        self.r = [r, self.r[0]];
        self.p = [p, self.p[0]];
        self.d.copy_within(..5, 1);
        self.d[0] = d;
        // FILTEP, FILTEZ, PREDIC.
        let poles = self.a.iter().zip(&self.r).map(|(a, r)| (a * saturate(r + r)) >> 15).sum();
        let zeros = self.b.iter().zip(&self.d).rev().map(|(b, d)| (b * saturate(d + d)) >> 15).sum();
        self.sz = saturate(zeros);
        self.s = saturate(saturate(poles) + self.sz);
    }

    /// UPPOL2.
    fn second_pole(&self, p: i32) -> i32 {
        let quadrupled = saturate(self.a[0] << 2);
        let first = if is_same_sign(p, self.p[0]) { -quadrupled } else { quadrupled };
        let second = if is_same_sign(p, self.p[1]) { 128 } else { -128 };
        let next = second + (first.min(32_767) >> 7) + ((self.a[1] * 32_512) >> 15);
        next.clamp(-12_288, 12_288)
    }

    /// UPPOL1.
    fn first_pole(&self, p: i32, a2: i32) -> i32 {
        let step = if is_same_sign(p, self.p[0]) { 192 } else { -192 };
        let next = saturate(step + ((self.a[0] * 32_640) >> 15));
        let bound = saturate(15_360 - a2);
        next.clamp(-bound, bound)
    }

    /// UPZERO.
    fn zeros(&mut self, d: i32) {
        let step = if d == 0 { 0 } else { 128 };
        for (b, before) in self.b.iter_mut().zip(&self.d) {
            let step = if is_same_sign(d, *before) { step } else { -step };
            *b = saturate(step + ((*b * 32_640) >> 15));
        }
    }
}

const fn is_same_sign(one: i32, other: i32) -> bool {
    (one < 0) == (other < 0)
}

/// SCALEL and SCALEH: the step size of a logarithm.
fn scale(nb: i32, base: i32) -> i32 {
    let value = ILB[((nb >> 6) & 31) as usize];
    let shift = base - (nb >> 11);
    (if shift < 0 { value << -shift } else { value >> shift }) << 2
}
