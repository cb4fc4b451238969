//! `[recording]`, and who is recorded.

use std::collections::BTreeSet;

use super::Files;
use crate::model::{
    MediaPath, Reach, Recording, RecordingFormat, RecordingSides, RouteSet, Treatment, Trunk,
};
use crate::reader::Section;

/// The most recipients.
const MAX_RECIPIENTS: usize = 16;

/// `Some(None)` when there is none, `None` when it is wrong.
pub(super) fn read_recording(root: &Section<'_, '_>, files: &Files<'_>) -> Option<Option<Recording>> {
    root.know(&["recording"]);
    if !root.has("recording") {
        return Some(None);
    }
    let section = root.table("recording");
    let folder = files.folder(&section, "folder").filter(|folder| {
        let is_writable = files.disk.is_writable(folder);
        if !is_writable {
            let message = format!("nothing can be written in {}", folder.display());
            section.problem_at("folder", message, "give it to the user that the node runs as".into());
        }
        is_writable
    });
    let format = section.parsed_or("format", "wav or ogg-opus", RecordingFormat::Wav, |text| match text {
        "wav" => Some(RecordingFormat::Wav),
        "ogg-opus" => Some(RecordingFormat::OggOpus),
        _ => None,
    });
    let sides =
        section.parsed_or("sides", "stereo, mixed or party", RecordingSides::Stereo, |text| match text {
            "stereo" => Some(RecordingSides::Stereo),
            "mixed" => Some(RecordingSides::Mixed),
            "party" => Some(RecordingSides::Party),
            _ => None,
        });
    let recipients = read_recipients(&section);
    let beep = section.boolean_or("beep", false);
    let beep_every = section.seconds_or("beep_every_s", 0..=3_600, 0);
    let max = section.integer_or("max", 1..=100_000, 1_000);
    section.finish();
    Some(Some(Recording {
        folder: folder?,
        format: format?,
        sides: sides?,
        recipients: recipients?,
        beep: beep?,
        beep_every: Some(beep_every?).filter(|every| !every.is_zero()),
        max: max?,
    }))
}

fn read_recipients(section: &Section<'_, '_>) -> Option<Vec<String>> {
    section.know(&["recipients"]);
    if !section.has("recipients") {
        return Some(Vec::new());
    }
    let expected = "a list of public keys as age-keygen shows them, [\"age1…\"]";
    let entries = section.strings("recipients", expected, MAX_RECIPIENTS)?;
    for (text, field) in &entries {
        if !is_recipient(text) {
            let advice = "write the public key that age-keygen shows, \"age1…\", without a mistake".into();
            section.problem(field, format!("{text:?} is no recipient of age"), advice);
        }
    }
    Some(entries.into_iter().map(|(text, _)| text).collect())
}

/// Whether its checksum is right: Bech32 (BIP 173) of 32 octets under "age".
fn is_recipient(text: &str) -> bool {
    const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let Some(coded) = text.strip_prefix("age1").filter(|coded| coded.len() == 58) else { return false };
    let values: Option<Vec<u32>> =
        coded.chars().map(|c| ALPHABET.find(c).map(|value| value as u32)).collect();
    let Some(values) = values else { return false };
    let prefix =
        b"age".map(|c| u32::from(c) >> 5).into_iter().chain([0]).chain(b"age".map(|c| u32::from(c) & 31));
    let checksum = prefix.chain(values).fold(1_u32, |sum, value| {
        let next = ((sum & 0x01ff_ffff) << 5) ^ value;
        let terms = GENERATOR.iter().enumerate().filter(|(bit, _)| (sum >> (25 + bit)) & 1 == 1);
        terms.fold(next, |next, (_, term)| next ^ term)
    });
    checksum == 1
}

/// `record`: whether the calls of a trunk or queue are recorded.
pub(super) fn read_record(root: &Section<'_, '_>, section: &Section<'_, '_>) -> Option<bool> {
    let record = section.boolean_or("record", false)?;
    if record && !root.has("recording") {
        let advice = "add [recording] with folder = \"…\", or remove record".into();
        section.problem_at("record", "it is not said where recordings go".into(), advice);
        return None;
    }
    Some(record)
}

/// Trunks whose calls are recorded, and route sets with such a trunk.
pub(super) fn recorded_trunks<'a>(trunks: &'a [Trunk], sets: &'a [RouteSet]) -> BTreeSet<&'a str> {
    let mut recorded: BTreeSet<&str> =
        trunks.iter().filter(|trunk| trunk.record).map(|trunk| trunk.name.as_str()).collect();
    let is_recorded = |set: &&RouteSet| set.trunks.iter().any(|trunk| recorded.contains(trunk.as_str()));
    let sets: Vec<&str> = sets.iter().filter(is_recorded).map(|set| set.name.as_str()).collect();
    recorded.extend(sets);
    recorded
}

/// What does not pass us cannot be recorded.
pub(super) fn check_direct(
    section: &Section<'_, '_>,
    treatment: Option<&Treatment>,
    recorded: &BTreeSet<&str>,
) {
    if let Some(Treatment::Route { reach: Reach::Number { trunk, .. }, media: MediaPath::Direct, .. }) =
        treatment
        && recorded.contains(trunk.as_str())
    {
        let message = format!("calls over {trunk:?} are recorded, which needs their media to pass us");
        section.problem_with("media", message, "write anchored, or remove record of the trunk".into());
    }
}
