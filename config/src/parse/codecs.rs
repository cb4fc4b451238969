//! What is spoken with a peer: keys of a profile.

use crate::model::{Codec, Opus};
use crate::reader::Section;

/// The codecs there are.
const CODECS: [(&str, Codec); 4] =
    [("PCMU", Codec::Pcmu), ("PCMA", Codec::Pcma), ("G722", Codec::G722), ("opus", Codec::Opus)];

/// Bits a second that RFC 7587 §6.1 allows to ask for.
const BITRATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;

/// What Opus codes at.
const PLAYBACK_RATES_HZ: [u32; 5] = [8_000, 12_000, 16_000, 24_000, 48_000];

/// None are named when the key is absent: then the call decides.
pub(super) fn read_codecs(section: &Section<'_, '_>) -> Option<Vec<Codec>> {
    section.know(&["codecs"]);
    if !section.has("codecs") {
        return Some(Vec::new());
    }
    let expected = "a list of \"PCMU\", \"PCMA\", \"G722\" and \"opus\", the preferred one first";
    let mut codecs = Vec::new();
    let entries = section.strings("codecs", expected, CODECS.len())?;
    for (text, field) in &entries {
        match CODECS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            None => {
                let advice =
                    "write \"PCMU\", \"PCMA\", \"G722\" or \"opus\"; other codecs are not spoken".into();
                section.problem(field, format!("found {text:?}"), advice);
            }
            Some((_, codec)) if codecs.contains(codec) => {
                section.problem(field, format!("{text:?} stands here twice"), "remove one".into());
            }
            Some((_, codec)) => codecs.push(*codec),
        }
    }
    if entries.is_empty() {
        let advice = format!("write {expected}, or leave codecs out for all");
        section.problem_here("codecs is empty, so no call could be made".into(), advice);
    }
    Some(codecs)
}

/// What we ask of a peer's Opus.
pub(super) fn read_opus(section: &Section<'_, '_>, usual: Opus) -> Option<Opus> {
    let fec = section.boolean_or("opus_fec", usual.fec);
    let dtx = section.boolean_or("opus_dtx", usual.dtx);
    section.know(&["opus_max_bitrate"]);
    let max_bitrate = if section.has("opus_max_bitrate") {
        section.integer("opus_max_bitrate", BITRATES).map(Some)
    } else {
        Some(usual.max_bitrate)
    };
    let rate = section.integer_or("opus_max_playback_rate_hz", 8_000..=48_000, usual.max_playback_rate_hz)?;
    if !PLAYBACK_RATES_HZ.contains(&rate) {
        let advice = "write 8000, 12000, 16000, 24000 or 48000".into();
        section.problem_at("opus_max_playback_rate_hz", format!("found {rate}"), advice);
    }
    Some(Opus { fec: fec?, dtx: dtx?, max_bitrate: max_bitrate?, max_playback_rate_hz: rate })
}
