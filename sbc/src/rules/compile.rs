//! From what an operator wrote to rules that can run, or to everything that is wrong with them.

use regex::bytes::{Regex, RegexBuilder};

use super::field::Field;
use super::rule::{Action, Condition, Rule, Statuses, Test};
use super::template::Template;
use super::{MAX_COMPILED, MAX_PARTS, MAX_RULES, MAX_TEXT, On, Subject};
use crate::message::{HeaderName, Method};

/// Something written, and where: a number of the caller's own that comes back in errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What.
    pub text: String,
    /// Where.
    pub at: usize,
}

/// A rule as it is written.
#[derive(Clone, Debug)]
pub struct RuleText {
    /// Where.
    pub at: usize,
    /// Its name in what is told of it.
    pub name: String,
    /// Requests or responses.
    pub on: On,
    /// Methods; any when empty.
    pub methods: Vec<Text>,
    /// `486`, `4xx`; any when empty. For responses only.
    pub statuses: Vec<Text>,
    /// What must hold, all of it.
    pub when: Vec<ConditionText>,
    /// What is done, in order.
    pub actions: Vec<ActionText>,
    /// Whether it is the last for the messages that it is for.
    pub stop: bool,
}

/// What must hold of a message.
#[derive(Clone, Debug)]
pub struct ConditionText {
    /// A header, or `Request-URI`.
    pub field: Text,
    /// What of it.
    pub subject: Subject,
    /// What must hold of that.
    pub test: TestText,
}

/// What must hold of a field.
#[derive(Clone, Debug)]
pub enum TestText {
    /// The message has it.
    Present,
    /// The message does not have it.
    Absent,
    /// One of its values has a match of the pattern.
    Matches(Text),
    /// None of its values has one.
    Differs(Text),
}

/// What is done to a message.
#[derive(Clone, Debug)]
pub enum ActionText {
    /// Takes out each line of a header, or those with a match of the pattern.
    Remove {
        /// The header.
        field: Text,
        /// The pattern.
        matching: Option<Text>,
    },
    /// Replaces the first match of a pattern in each value.
    Replace {
        /// The header, or `Request-URI`.
        field: Text,
        /// What of it.
        subject: Subject,
        /// The pattern.
        pattern: Text,
        /// What stands in its place, with `${1}` and `${name}` for captures.
        with: Text,
    },
    /// Gives each address another user part, without parameters.
    SetUser {
        /// The header, or `Request-URI`.
        field: Text,
        /// The user, with `${name}` for captures of the conditions.
        value: Text,
    },
    /// Adds a line.
    Add {
        /// The header.
        field: Text,
        /// Its value, with `${name}` for captures of the conditions.
        value: Text,
    },
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {advice}")]
pub struct RuleError {
    /// Where, as [`Text::at`] and [`RuleText::at`] said.
    pub at: usize,
    /// What.
    pub message: String,
    /// What to write instead.
    pub advice: String,
}

/// Everything found wrong so far.
#[derive(Default)]
struct Errors(Vec<RuleError>);

impl Errors {
    fn note(&mut self, at: usize, message: impl Into<String>, advice: impl Into<String>) {
        self.0.push(RuleError { at, message: message.into(), advice: advice.into() });
    }
}

pub(super) fn rules(texts: &[RuleText]) -> Result<Vec<Rule>, Vec<RuleError>> {
    let mut errors = Errors::default();
    if let Some(one_more) = texts.get(MAX_RULES) {
        let advice = format!("at most {MAX_RULES} are possible for a trunk and direction");
        errors.note(one_more.at, format!("there are {} rules", texts.len()), advice);
    }
    let mut rules: Vec<Rule> = Vec::new();
    for text in texts.iter().take(MAX_RULES) {
        let rule = rule(text, &mut errors);
        if let Some(before) = rules.iter().find(|before| hides(before, &rule)) {
            let message = format!("it is never reached: {:?} stops before it", before.name);
            errors.note(text.at, message, "move it up, or give that one a condition");
        }
        rules.push(rule);
    }
    if errors.0.is_empty() { Ok(rules) } else { Err(errors.0) }
}

/// Whether no message that comes past `before` can be one that `rule` is for.
fn hides(before: &Rule, rule: &Rule) -> bool {
    let covers_methods = before.methods.is_empty()
        || (!rule.methods.is_empty() && rule.methods.iter().all(|method| before.methods.contains(method)));
    let covers_statuses = before.statuses.is_empty()
        || (!rule.statuses.is_empty() && rule.statuses.iter().all(|it| before.statuses.contains(it)));
    before.stop && before.when.is_empty() && before.on == rule.on && covers_methods && covers_statuses
}

fn rule(text: &RuleText, errors: &mut Errors) -> Rule {
    for (count, what) in [(text.when.len(), "conditions"), (text.actions.len(), "actions")] {
        if count > MAX_PARTS {
            let advice = format!("at most {MAX_PARTS} are possible, split the rule");
            errors.note(text.at, format!("there are {count} {what}"), advice);
        }
    }
    if text.actions.is_empty() && !text.stop {
        errors.note(text.at, "it does nothing", "write remove, replace, set_user, add or stop = true");
    }
    let methods = text.methods.iter().filter_map(|method| method_of(method, errors)).collect();
    let statuses = statuses(text, errors);
    let when: Vec<Condition> = text.when.iter().filter_map(|it| condition(it, text.on, errors)).collect();
    contradictions(text, &when, errors);
    let named: Vec<String> = when.iter().flat_map(names).collect();
    let actions: Vec<Action> =
        text.actions.iter().filter_map(|it| action(it, text.on, &named, errors)).collect();
    let rule =
        Rule { name: text.name.clone(), on: text.on, methods, statuses, when, actions, stop: text.stop };
    check_effect(text, &rule, errors);
    rule
}

fn method_of(text: &Text, errors: &mut Errors) -> Option<String> {
    let upper = text.text.to_ascii_uppercase();
    match Method::parse(text.text.as_bytes()) {
        Some(Method::Other(_)) if Method::parse(upper.as_bytes()).is_some_and(is_known) => {
            let message = format!("{:?} can never match: methods are told apart by case", text.text);
            errors.note(text.at, message, format!("write {upper:?}"));
            None
        }
        Some(method) => Some(method.as_str().to_owned()),
        None => {
            errors.note(text.at, format!("{:?} is no method", text.text), "write one such as \"INVITE\"");
            None
        }
    }
}

const fn is_known(method: Method<'_>) -> bool {
    !matches!(method, Method::Other(_))
}

fn statuses(text: &RuleText, errors: &mut Errors) -> Vec<Statuses> {
    if let (On::Request, Some(first)) = (text.on, text.statuses.first()) {
        errors.note(first.at, "requests have no status, so it can never match", "write on = \"response\"");
    }
    let read = |status: &Text| {
        let digits = status.text.as_str();
        if let Some(class) = digits.strip_suffix("xx") {
            return class.parse().ok().filter(|class| (1..=6).contains(class)).map(Statuses::Class);
        }
        digits.parse().ok().filter(|status| (100..700).contains(status)).map(Statuses::One)
    };
    let mut found = Vec::new();
    for status in &text.statuses {
        match read(status) {
            Some(statuses) => found.push(statuses),
            None => errors.note(
                status.at,
                format!("{:?} is no status", status.text),
                "write one such as \"486\", or a class such as \"5xx\"",
            ),
        }
    }
    found
}

fn condition(text: &ConditionText, on: On, errors: &mut Errors) -> Option<Condition> {
    let field = field(&text.field, errors);
    if field == Some(Field::RequestUri) && on == On::Response {
        let advice = "look at To, or write on = \"request\"";
        errors.note(text.field.at, "responses have no Request-URI, so it can never match", advice);
    }
    let test = match &text.test {
        TestText::Present => Some(Test::Present),
        TestText::Absent => Some(Test::Absent),
        TestText::Matches(it) => pattern(it, errors).map(Test::Matches),
        TestText::Differs(it) => pattern(it, errors).map(Test::Differs),
    };
    Some(Condition { field: field?, subject: text.subject, test: test? })
}

/// A field that must be there and must not.
fn contradictions(text: &RuleText, when: &[Condition], errors: &mut Errors) {
    for (index, absent) in when.iter().enumerate().filter(|(_, it)| matches!(it.test, Test::Absent)) {
        let contradicts = when.iter().any(|other| {
            other.field == absent.field && matches!(other.test, Test::Present | Test::Matches(_))
        });
        let is_always_there = matches!(
            absent.field,
            Field::RequestUri
                | Field::Known(
                    HeaderName::From
                        | HeaderName::To
                        | HeaderName::Via
                        | HeaderName::CallId
                        | HeaderName::CSeq
                )
        );
        if contradicts || (is_always_there && absent.subject == Subject::Value) {
            let at = text.when.get(index).map_or(text.at, |condition| condition.field.at);
            let message = format!("{} is never absent here, so it can never match", absent.field.as_str());
            errors.note(at, message, "take out one of the conditions");
        }
    }
}

/// A rule all of whose actions are on what its messages never change.
fn check_effect(text: &RuleText, rule: &Rule, errors: &mut Errors) {
    let copies = |method: &String| matches!(method.as_str(), "ACK" | "CANCEL");
    let on_parties = |action: &Action| match action {
        Action::Replace { field, .. } | Action::SetUser { field, .. } => field.is_party(),
        Action::Remove { .. } | Action::Add { .. } => false,
    };
    let is_for_copies = !rule.methods.is_empty() && rule.methods.iter().all(copies);
    if is_for_copies && !rule.actions.is_empty() && rule.actions.iter().all(on_parties) {
        errors.note(
            text.at,
            "ACK and CANCEL repeat the Request-URI, From and To of their INVITE, so it can never do anything",
            "write methods = [\"INVITE\"]",
        );
    }
}

fn action(text: &ActionText, on: On, named: &[String], errors: &mut Errors) -> Option<Action> {
    match text {
        ActionText::Remove { field, matching } => {
            let pattern = matching.as_ref().map(|it| pattern(it, errors));
            let field = changeable(field, on, Change::Lines, errors);
            match pattern {
                None => Some(Action::Remove { field: field?, matching: None }),
                Some(pattern) => Some(Action::Remove { field: field?, matching: Some(pattern?) }),
            }
        }
        ActionText::Replace { field, subject, pattern: it, with } => {
            let field = changeable(field, on, Change::Value, errors);
            let pattern = pattern(it, errors)?;
            let with = template(with, Some(&pattern), named, errors);
            Some(Action::Replace { field: field?, subject: *subject, pattern, with: with? })
        }
        ActionText::SetUser { field, value } => {
            let field = changeable(field, on, Change::Value, errors);
            let value = template(value, None, named, errors);
            Some(Action::SetUser { field: field?, value: value? })
        }
        ActionText::Add { field, value } => {
            let field = changeable(field, on, Change::Lines, errors);
            let value = template(value, None, named, errors);
            Some(Action::Add { field: field?, value: value? })
        }
    }
}

/// What an action does to a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Value,
    /// Lines come or go.
    Lines,
}

fn changeable(text: &Text, on: On, change: Change, errors: &mut Errors) -> Option<Field> {
    let field = field(text, errors)?;
    let name = field.as_str();
    if field.is_protected() {
        let message = format!("{name} belongs to the transaction, the dialog or the body");
        errors.note(text.at, message, "leave it alone");
        return None;
    }
    if field.is_party() && change == Change::Lines {
        let message = format!("a request has one {name}");
        errors.note(text.at, message, "write replace or set_user");
        return None;
    }
    if field.is_party() && on == On::Response {
        let message = format!("a response has the {name} of its request (RFC 3261 §8.2.6.2)");
        errors.note(text.at, message, "change it in requests");
        return None;
    }
    Some(field)
}

fn field(text: &Text, errors: &mut Errors) -> Option<Field> {
    let field = Field::parse(&text.text);
    if field.is_none() {
        let advice = "write one such as \"P-Asserted-Identity\", or \"Request-URI\"";
        errors.note(text.at, format!("{:?} is no header's name", text.text), advice);
    }
    field
}

fn pattern(text: &Text, errors: &mut Errors) -> Option<Regex> {
    if is_too_long(text, errors) {
        return None;
    }
    let built = RegexBuilder::new(&text.text)
        .unicode(false)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .build();
    match built {
        Ok(pattern) => Some(pattern),
        Err(regex::Error::CompiledTooBig(_)) => {
            let advice = format!("write one that compiles to less than {MAX_COMPILED} bytes");
            errors.note(text.at, "the pattern is too large", advice);
            None
        }
        Err(error) => {
            // The last line says what is wrong; those before it draw where.
            let message = error.to_string();
            let last = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let advice = "the syntax is that of Rust's regex crate, without look-around and back-references";
            errors.note(text.at, format!("bad pattern: {last}"), advice);
            None
        }
    }
}

fn template(text: &Text, own: Option<&Regex>, named: &[String], errors: &mut Errors) -> Option<Template> {
    if is_too_long(text, errors) {
        return None;
    }
    match Template::parse(&text.text, own, named) {
        Ok(template) => Some(template),
        Err((message, advice)) => {
            errors.note(text.at, message, advice);
            None
        }
    }
}

fn is_too_long(text: &Text, errors: &mut Errors) -> bool {
    let is_too_long = text.text.len() > MAX_TEXT;
    if is_too_long {
        errors.note(
            text.at,
            format!("{} bytes are too many", text.text.len()),
            format!("write at most {MAX_TEXT}"),
        );
    }
    is_too_long
}

fn names(condition: &Condition) -> Vec<String> {
    match &condition.test {
        Test::Matches(pattern) => pattern.capture_names().flatten().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
