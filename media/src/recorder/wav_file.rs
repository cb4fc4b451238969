//! Recordings as WAV: 16 bits, little-endian, PCM.

use crate::codec::Rate;

/// A WAV file whose length is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct WavFile {
    rate: Rate,
    channels: u8,
}

impl WavFile {
    /// Octets before the samples.
    pub const HEADER_LEN: usize = 44;
    /// What a length says that is not known, or cannot be said in 32 bits: readers go by the end of the file.
    pub const UNKNOWN: u32 = u32::MAX;

    /// A file of samples at `rate`.
    #[must_use]
    pub const fn new(rate: Rate, channels: u8) -> Self {
        Self { rate, channels }
    }

    /// What stands before `octets` of samples; before an unknown number when there are none to be told.
    #[must_use]
    pub fn header(self, octets: Option<u64>) -> [u8; Self::HEADER_LEN] {
        let mut header = [0; Self::HEADER_LEN];
        let data = octets.and_then(|octets| u32::try_from(octets).ok()).unwrap_or(Self::UNKNOWN);
        let riff = data.checked_add(Self::HEADER_LEN as u32 - 8).unwrap_or(Self::UNKNOWN);
        let frame = u16::from(self.channels) * 2;
        let hz = self.rate.hz();
        let fields: [&[u8]; 13] = [
            b"RIFF",
            &riff.to_le_bytes(),
            b"WAVE",
            b"fmt ",
            &16_u32.to_le_bytes(),
            &1_u16.to_le_bytes(),
            &u16::from(self.channels).to_le_bytes(),
            &hz.to_le_bytes(),
            &(hz * u32::from(frame)).to_le_bytes(),
            &frame.to_le_bytes(),
            &16_u16.to_le_bytes(),
            b"data",
            &data.to_le_bytes(),
        ];
        let octets = fields.into_iter().flatten();
        header.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        header
    }

    /// Appends samples.
    pub fn write(samples: &[i16], out: &mut Vec<u8>) {
        out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    }
}
