//! What becomes of 3xx of carriers.

use crate::model::Redirects;
use crate::reader::{Names, Section};

/// The most trunks, and beginnings of numbers, that redirections may lead to.
const MAX_ENTRIES: usize = 100;

const TRUNKS: &str = "a list of trunks such as [\"carrier-b\"]";
const PREFIXES: &str = "a list of how numbers begin, such as [\"+1555\"]";

/// `Some(None)` when they are refusals, `None` when it is wrong. `own` is the trunk's name, which is among `trunks`.
pub(super) fn read_redirects(
    section: &Section<'_, '_>,
    own: Option<&str>,
    trunks: &Names,
) -> Option<Option<Redirects>> {
    const KEYS: [&str; 3] = ["max_redirects", "redirect_to", "redirect_prefixes"];
    section.know(&KEYS);
    let follows = section.parsed_or("redirects", "refuse or follow", false, |text| match text {
        "refuse" => Some(false),
        "follow" => Some(true),
        _ => None,
    })?;
    if !follows {
        if let Some(key) = KEYS.into_iter().find(|key| section.has(key)) {
            let message = "redirections are refused, so that nothing is asked of them".to_owned();
            section.problem_with(key, message, "write redirects = \"follow\", or remove the key".into());
        }
        return Some(None);
    }
    let max = section.integer_or("max_redirects", 1..=8, 3);
    let named = if section.has("redirect_to") {
        let entries = section.strings("redirect_to", TRUNKS, MAX_ENTRIES)?;
        if entries.is_empty() {
            let message = "redirect_to is empty, so nothing could be followed".to_owned();
            section.problem_here(message, format!("write {TRUNKS}"));
        }
        let is_known = |(name, field): &&(String, _)| section.check_reference(name, field, "trunk", trunks);
        entries.iter().filter(is_known).map(|(name, _)| name.clone()).collect()
    } else {
        own.map(str::to_owned).into_iter().collect()
    };
    let mut prefixes = Vec::new();
    if section.has("redirect_prefixes") {
        for (text, field) in section.strings("redirect_prefixes", PREFIXES, MAX_ENTRIES)? {
            let digits = text.strip_prefix('+').unwrap_or(&text);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                prefixes.push(text);
            } else {
                let advice = "write how a number begins, such as \"+1555\"";
                section.problem(&field, format!("found {text:?}"), advice.to_owned());
            }
        }
    }
    Some(Some(Redirects { max: u8::try_from(max?).ok()?, trunks: named, prefixes }))
}
