//! `[contact_centre]`: what phones can key and dial, and who may.

use crate::model::Features;
use crate::reader::{Names, Section};

/// The most supervisors.
const MAX_SUPERVISORS: usize = 10_000;
/// Keys of a code.
const MAX_CODE_LEN: usize = 8;

const CODE: &str = "a code of up to 8 keys that begins with * or #, such as \"*3\"";

pub(super) fn read_features(root: &Section<'_, '_>, section: &Section<'_, '_>) -> Option<Features> {
    const KEYED: [&str; 3] = ["conference_code", "record_code", "pause_recording_code"];
    const DIALLED: [&str; 4] = ["monitor_code", "coach_code", "barge_code", "pickup_code"];
    let [conference, record, pause_recording] = KEYED.map(|key| read_code(section, key));
    let [monitor, coach, barge, pick_up] = DIALLED.map(|key| read_code(section, key));
    let entry_tone = section.boolean_or("conference_tone", true);
    for key in ["record_code", "pause_recording_code"] {
        if section.has(key) && !root.has("recording") {
            let advice = format!("add [recording] with folder = \"…\", or remove {key}");
            section.problem_at(key, "it is not said where recordings go".into(), advice);
            return None;
        }
    }
    let (conference, record, pause_recording) = (conference?, record?, pause_recording?);
    let (monitor, coach, barge, pick_up) = (monitor?, coach?, barge?, pick_up?);
    tell_apart(section, KEYED.into_iter().zip([&conference, &record, &pause_recording]))?;
    tell_apart(section, DIALLED.into_iter().zip([&monitor, &coach, &barge, &pick_up]))?;
    let entry_tone = entry_tone?;
    Some(Features { conference, record, pause_recording, monitor, coach, barge, pick_up, entry_tone })
}

/// None of those that are keyed, or dialled, begins with another one.
fn tell_apart<'a>(
    section: &Section<'_, '_>,
    codes: impl Iterator<Item = (&'static str, &'a Option<String>)>,
) -> Option<()> {
    let codes: Vec<(&'static str, &String)> =
        codes.filter_map(|(key, code)| Some((key, code.as_ref()?))).collect();
    for (key, code) in &codes {
        for (other, begins) in codes.iter().filter(|(other, _)| other != key) {
            if code.starts_with(begins.as_str()) {
                let message = format!("{code:?} begins with {begins:?}, which is {other}");
                section.problem_at(key, message, "write another code".into());
                return None;
            }
        }
    }
    Some(())
}

/// `Some(None)` when there is none, `None` when it is wrong.
fn read_code(section: &Section<'_, '_>, key: &'static str) -> Option<Option<String>> {
    section.know(&[key]);
    if !section.has(key) {
        return Some(None);
    }
    let code = section.parsed(key, CODE, |text| {
        let is_key = |c: char| c.is_ascii_digit() || c == '*' || c == '#';
        let fits = text.starts_with(['*', '#']) && (2..=MAX_CODE_LEN).contains(&text.len());
        (fits && text.chars().all(is_key)).then(|| text.to_owned())
    });
    code.map(Some)
}

pub(super) fn read_supervisors(section: &Section<'_, '_>, users: &Names) -> Option<Vec<String>> {
    section.know(&["supervisors"]);
    if !section.has("supervisors") {
        return Some(Vec::new());
    }
    let mut supervisors = Vec::new();
    for (name, field) in section.strings("supervisors", "a list of users", MAX_SUPERVISORS)? {
        if section.check_reference(&name, &field, "user", users) {
            supervisors.push(name);
        }
    }
    Some(supervisors)
}
