//! Emergency calls, and what is done about those who guess, scan and flood.

use crate::reader::Section;

/// The most emergency numbers and services.
const MAX_EMERGENCY_NUMBERS: usize = 100;

const EMERGENCY: &str = "a list such as [\"112\", \"911\", \"urn:service:sos\"]";

pub(super) fn read_emergency(section: Section<'_, '_>) -> Option<Vec<String>> {
    section.know(&["numbers"]);
    if !section.has("numbers") {
        section.finish();
        return Some(["112", "911", "urn:service:sos"].map(str::to_owned).into());
    }
    let entries = section.strings("numbers", EMERGENCY, MAX_EMERGENCY_NUMBERS);
    for (text, field) in entries.iter().flatten() {
        if !is_emergency_number(text) {
            let advice = "write a number as it is dialled, or a service such as \"urn:service:sos\"";
            section.problem(field, format!("found {text:?}"), advice.into());
        }
    }
    section.finish();
    Some(entries?.into_iter().map(|(text, _)| text).collect())
}

/// As dialled, or a service of RFC 5031.
fn is_emergency_number(text: &str) -> bool {
    let service = text.strip_prefix("urn:service:").is_some_and(|service| {
        !service.is_empty() && service.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
    });
    let is_dialled = |c: char| c.is_ascii_digit() || matches!(c, '+' | '*' | '#');
    service || ((1..=20).contains(&text.len()) && text.chars().all(is_dialled))
}
