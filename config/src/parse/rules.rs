//! Header and number rules of a trunk. Here their shape is read; what they say is checked by whoever compiles them,
//! who has their places for that.

use crate::model::{
    Direction, NumberFormat, NumberForms, Placed, Rule, RuleAction, RuleCondition, RuleOn, RuleSubject,
    RuleTest,
};
use crate::reader::{Field, Section};

/// The most rules of a trunk, both directions together.
const MAX_RULES: usize = 200;
/// The most methods, statuses, conditions or actions of a kind in a rule.
const MAX_LIST: usize = 32;

const HEADER: &str = "a header's name such as \"P-Asserted-Identity\", or \"Request-URI\"";
const PATTERN: &str = "a regular expression";

pub(super) fn read_rules(trunk: &Section<'_, '_>) -> Vec<Rule> {
    trunk.tables("rule", "name", MAX_RULES).into_iter().enumerate().filter_map(read_rule).collect()
}

fn read_rule((index, section): (usize, Section<'_, '_>)) -> Option<Rule> {
    let name =
        section.parsed_or("name", "a name", format!("rule {}", index + 1), |text| Some(text.to_owned()));
    let direction = section.parsed("direction", "in or out", |text| match text {
        "in" => Some(Direction::In),
        "out" => Some(Direction::Out),
        _ => None,
    });
    let on = section.parsed_or("on", "request or response", RuleOn::Request, |text| match text {
        "request" => Some(RuleOn::Request),
        "response" => Some(RuleOn::Response),
        _ => None,
    });
    let methods = read_list(&section, "methods", "a list of methods such as [\"INVITE\"]");
    let statuses = read_list(&section, "statuses", "a list of statuses such as [\"486\", \"5xx\"]");
    let when = section.tables("when", "", MAX_LIST).into_iter().map(read_condition).collect::<Option<_>>();
    let actions = read_actions(&section);
    let stop = section.boolean_or("stop", false);
    let place = section.place();
    section.finish();
    Some(Rule {
        place,
        name: name?,
        direction: direction?,
        on: on?,
        methods: methods?,
        statuses: statuses?,
        when: when?,
        actions: actions?,
        stop: stop?,
    })
}

/// Strings with their places; none when the key is absent.
fn read_list(section: &Section<'_, '_>, key: &'static str, expected: &str) -> Option<Vec<Placed<String>>> {
    section.know(&[key]);
    if !section.has(key) {
        return Some(Vec::new());
    }
    let entries = section.strings(key, expected, MAX_LIST)?;
    Some(entries.into_iter().map(|(text, field)| section.placed(text, &field)).collect())
}

fn read_condition(section: Section<'_, '_>) -> Option<RuleCondition> {
    let subject = read_subject(&section);
    section.know(&["matches", "differs", "absent"]);
    let given: Vec<&str> =
        ["matches", "differs", "absent"].into_iter().filter(|key| section.has(key)).collect();
    let test = match given.as_slice() {
        [] => Some(RuleTest::Present),
        ["matches"] => text(&section, "matches", PATTERN).map(RuleTest::Matches),
        ["differs"] => text(&section, "differs", PATTERN).map(RuleTest::Differs),
        ["absent"] => match section.boolean_or("absent", false) {
            Some(true) => Some(RuleTest::Absent),
            Some(false) => Some(RuleTest::Present),
            None => None,
        },
        _ => {
            section.problem_here(format!("there are {}", given.join(" and ")), "write one of them".into());
            None
        }
    };
    section.finish();
    let (subject, field) = subject?;
    Some(RuleCondition { subject, field, test: test? })
}

/// `header = "…"` or `user = "…"`.
fn read_subject(section: &Section<'_, '_>) -> Option<(RuleSubject, Placed<String>)> {
    section.know(&["header", "user"]);
    match (section.has("header"), section.has("user")) {
        (true, false) => Some((RuleSubject::Value, text(section, "header", HEADER)?)),
        (false, true) => Some((RuleSubject::User, text(section, "user", HEADER)?)),
        (both, _) => {
            let found = if both { "both header and user" } else { "neither header nor user" };
            let advice = "write header = \"…\" for the whole value, or user = \"…\" for the number in it";
            section.problem_here(format!("there is {found}"), advice.into());
            None
        }
    }
}

/// In the order in which they are done, whatever their order in the file.
fn read_actions(section: &Section<'_, '_>) -> Option<Vec<RuleAction>> {
    let removed = read_list(section, "remove", "a list of headers' names such as [\"X-Internal\"]");
    let mut actions: Vec<Option<RuleAction>> =
        removed?.into_iter().map(|field| Some(RuleAction::Remove { field, matching: None })).collect();
    for entry in section.tables("remove_matching", "", MAX_LIST) {
        let (field, matching) = (text(&entry, "header", HEADER), text(&entry, "pattern", PATTERN));
        entry.finish();
        actions.push(
            field
                .zip(matching)
                .map(|(field, matching)| RuleAction::Remove { field, matching: Some(matching) }),
        );
    }
    for entry in section.tables("replace", "", MAX_LIST) {
        let subject = read_subject(&entry);
        let pattern = text(&entry, "pattern", PATTERN);
        let with = possibly_empty(&entry, "with", "what stands in its place, with ${1} for a capture");
        entry.finish();
        actions.push(subject.zip(pattern.zip(with)).map(|((subject, field), (pattern, with))| {
            RuleAction::Replace { subject, field, pattern, with }
        }));
    }
    for entry in section.tables("set_user", "", MAX_LIST) {
        let (field, value) = (text(&entry, "header", HEADER), text(&entry, "to", "a number or name"));
        entry.finish();
        actions.push(field.zip(value).map(|(field, value)| RuleAction::SetUser { field, value }));
    }
    for entry in section.tables("add", "", MAX_LIST) {
        let field = text(&entry, "header", "a header's name such as \"X-Account\"");
        let value = text(&entry, "value", "the header's value");
        entry.finish();
        actions.push(field.zip(value).map(|(field, value)| RuleAction::Add { field, value }));
    }
    actions.into_iter().collect()
}

fn text(section: &Section<'_, '_>, key: &'static str, expected: &str) -> Option<Placed<String>> {
    let (text, field) = section.string(key, expected)?;
    Some(section.placed(text, &field))
}

fn possibly_empty(section: &Section<'_, '_>, key: &'static str, expected: &str) -> Option<Placed<String>> {
    let (text, field): (String, Field<'_, '_>) = section.any_string(key, expected)?;
    Some(section.placed(text, &field))
}

/// `[trunk.numbers]`; `Some(None)` when there is none, `None` when it is wrong.
pub(super) fn read_numbers(trunk: &Section<'_, '_>) -> Option<Option<NumberForms>> {
    trunk.know(&["numbers"]);
    if !trunk.has("numbers") {
        return Some(None);
    }
    let section = trunk.table("numbers");
    let country = text(&section, "country", "a country's two letters (ISO 3166-1) such as \"DE\"");
    let form = |key, usual: Option<NumberFormat>| {
        section.parsed_or(key, "+e164, e164, 00e164, national or as-is", usual, parse_format)
    };
    let inbound = form("in", Some(NumberFormat::Plus));
    let outbound = form("out", None);
    let e164_without_plus = section.boolean_or("e164_without_plus", false);
    section.finish();
    Some(Some(NumberForms {
        e164_without_plus: e164_without_plus?,
        country: country?,
        inbound: inbound?,
        outbound: outbound?,
    }))
}

fn parse_format(text: &str) -> Option<Option<NumberFormat>> {
    Some(Some(match text {
        "+e164" => NumberFormat::Plus,
        "e164" => NumberFormat::Digits,
        "00e164" => NumberFormat::Zeros,
        "national" => NumberFormat::National,
        "as-is" => return Some(None),
        _ => return None,
    }))
}
