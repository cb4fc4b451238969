//! Emergency calls, and what is done about those who guess, scan and flood.

use super::ordered;
use crate::address::IpPrefix;
use crate::model::Protection;
use crate::reader::Section;

/// The most emergency numbers and services.
const MAX_EMERGENCY_NUMBERS: usize = 100;

const EMERGENCY: &str = "a list such as [\"112\", \"911\", \"urn:service:sos\"]";

/// The most exempt addresses, prefixes and ranges.
const MAX_EXEMPT: usize = 1_000;

const EXEMPT: &str = "a list of addresses, prefixes and ranges such as [\"192.0.2.10\", \"198.51.100.0/24\"]";

pub(super) fn read_protection(section: Section<'_, '_>) -> Option<Protection> {
    let ban = section.seconds_or("ban_s", 0..=86_400, 60);
    let max_ban = section.seconds_or("max_ban_s", 1..=604_800, 86_400);
    if let (Some(ban), Some(max_ban)) = (ban, max_ban) {
        ordered(&section, ("ban_s", ban), ("max_ban_s", max_ban));
    }
    let window = section.seconds_or("window_s", 1..=3_600, 60);
    let threshold = |key, default| section.integer_or(key, 0..=1_000_000, default);
    let authentication_failures = threshold("authentication_failures", 20);
    let unknown_users = section.integer_or("unknown_users", 0..=200, 10);
    let unknown_numbers = section.integer_or("unknown_numbers", 0..=200, 20);
    let malformed = threshold("malformed", 100);
    let packets_over_rate = threshold("packets_over_rate", 10_000);
    let max_bans = section.integer_or("max_bans", 1..=100_000, 4_096);
    let ban_trunks = section.boolean_or("ban_trunks", false);
    let exempt = read_exempt(&section);
    let packets_per_second = section.integer_or("packets_per_second", 10..=1_000_000, 2_000);
    let trunk_packets_per_second = section.integer_or("trunk_packets_per_second", 10..=1_000_000, 100_000);
    section.finish();
    Some(Protection {
        ban: ban?,
        max_ban: max_ban?,
        window: window?,
        authentication_failures: authentication_failures?,
        unknown_users: unknown_users?,
        unknown_numbers: unknown_numbers?,
        malformed: malformed?,
        packets_over_rate: packets_over_rate?,
        max_bans: max_bans?,
        ban_trunks: ban_trunks?,
        exempt: exempt?,
        packets_per_second: packets_per_second?,
        trunk_packets_per_second: trunk_packets_per_second?,
    })
}

fn read_exempt(section: &Section<'_, '_>) -> Option<Vec<IpPrefix>> {
    section.know(&["exempt"]);
    if !section.has("exempt") {
        return Some(Vec::new());
    }
    let mut prefixes = Vec::new();
    for (text, field) in section.strings("exempt", EXEMPT, MAX_EXEMPT)? {
        match IpPrefix::parse_all(&text) {
            Ok(parsed) => prefixes.extend(parsed),
            Err(message) => {
                section.problem(&field, message, "write an address, PREFIX/BITS or FIRST-LAST".into());
            }
        }
    }
    Some(prefixes)
}

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
