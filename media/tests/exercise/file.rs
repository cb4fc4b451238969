//! Any bytes as a prompt.

use ogg::PacketWriter;
use ogg::writing::PacketWriteEndInfo;
use tandem_media::{MAX_PROMPT, decode_ogg_opus, decode_wav};

/// Reads bytes as a WAV file.
pub(crate) fn wav(bytes: &[u8]) {
    match decode_wav(bytes) {
        Ok(audio) => assert!(audio.samples().len() <= MAX_PROMPT.as_secs() as usize * 8_000),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn wav_seeds() -> Vec<Vec<u8>> {
    let file = |tag: u8, channels: u8, rate: u32, bits: u8| {
        let align = channels * bits / 8;
        let mut file = b"RIFF\xff\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        file.extend([tag, 0, channels, 0]);
        file.extend(rate.to_le_bytes());
        file.extend((rate * u32::from(align)).to_le_bytes());
        file.extend([align, 0, bits, 0]);
        file.extend(b"data\x30\0\0\0");
        file.extend([0x2a; 48]);
        file
    };
    vec![
        file(1, 1, 8_000, 16),
        file(1, 2, 8_000, 8),
        file(1, 2, 16_000, 24),
        file(1, 1, 8_000, 32),
        file(3, 1, 24_000, 32),
        file(6, 1, 8_000, 8),
        file(7, 2, 8_000, 8),
    ]
}

/// Reads bytes as an Ogg Opus file.
pub(crate) fn ogg_opus(bytes: &[u8]) {
    match decode_ogg_opus(bytes) {
        Ok(audio) => assert!(audio.samples().len() <= MAX_PROMPT.as_secs() as usize * 8_000),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn ogg_opus_seeds() -> Vec<Vec<u8>> {
    [1, 2].map(|channels| opus_file(channels).expect("a writable buffer")).to_vec()
}

/// Three packets of 20 ms of silence.
fn opus_file(channels: u8) -> std::io::Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut writer = PacketWriter::new(&mut file);
    let head = [&b"OpusHead\x01"[..], &[channels], &[56, 1, 0x80, 0xbb, 0, 0, 0, 0, 0]].concat();
    writer.write_packet(head, 7, PacketWriteEndInfo::EndPage, 0)?;
    writer.write_packet(b"OpusTags\0\0\0\0\0\0\0\0".to_vec(), 7, PacketWriteEndInfo::EndPage, 0)?;
    // RFC 6716 §3.1: CELT of 20 ms at fullband, one frame.
    let toc = if channels == 2 { 0xfc } else { 0xf8 };
    for granule in [960, 1_920] {
        writer.write_packet(vec![toc, 0xff, 0xfe], 7, PacketWriteEndInfo::NormalPacket, granule)?;
    }
    writer.write_packet(vec![toc, 0xff, 0xfe], 7, PacketWriteEndInfo::EndStream, 2_600)?;
    Ok(file)
}
