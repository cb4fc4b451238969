//! `[contact_centre]`: what phones can key and dial, and who may.

use crate::model::Features;
use crate::reader::{Names, Section};

/// The most supervisors.
const MAX_SUPERVISORS: usize = 10_000;
/// Keys of a code.
const MAX_CODE_LEN: usize = 8;

const CODE: &str = "a code of up to 8 keys that begins with * or #, such as \"*3\"";

pub(super) fn read_features(section: &Section<'_, '_>) -> Option<Features> {
    const DIALLED: [&str; 4] = ["monitor_code", "coach_code", "barge_code", "pickup_code"];
    let conference = read_code(section, "conference_code");
    let [monitor, coach, barge, pick_up] = DIALLED.map(|key| read_code(section, key));
    let entry_tone = section.boolean_or("conference_tone", true);
    let (monitor, coach, barge, pick_up) = (monitor?, coach?, barge?, pick_up?);
    let codes: Vec<(&'static str, &String)> = DIALLED
        .into_iter()
        .zip([&monitor, &coach, &barge, &pick_up])
        .filter_map(|(key, code)| Some((key, code.as_ref()?)))
        .collect();
    for (key, code) in &codes {
        for (other, begins) in codes.iter().filter(|(other, _)| other != key) {
            if code.starts_with(begins.as_str()) {
                let message = format!("{code:?} begins with {begins:?}, which is {other}");
                section.problem_at(key, message, "write another code".into());
                return None;
            }
        }
    }
    Some(Features { conference: conference?, monitor, coach, barge, pick_up, entry_tone: entry_tone? })
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
