//! What an activity lets the caller hear.
//!
//! ```toml
//! prompts = [
//!     "welcome",                                                    # a prompt of the node's
//!     { prompt = "terms", from_ms = 500, for_ms = 2_000 },          # a part of one
//!     { pause_ms = 300 },
//!     { music = "music" },                                          # for ever, where it is: all who wait hear the same
//!     { tone = "beep" },                                            # or "busy", "ringback"
//!     { say = "{{balance}}", as = "money", currency = "EUR" },      # a value, by the grammar of the flow's language
//!     { say = "{{place}}", as = "ordinal", language = "de" },       # … or of another one
//!     { text = "Hello {{name}}", language = "en-gb" },              # words, by the node's provider of speech
//! ]
//! ```

use std::time::Duration;

use tandem_control_api::{Prompt, Tone};
use toml::Spanned;
use toml::de::DeValue;

use super::Scope;
use super::activity::template_of;
use super::table::Table;
use crate::flow::{Flow, FlowError, FlowProblem, Template, Utterance};
use crate::say::Manner;

const KEY: &str = "prompts";
/// The longest pause, and the last place in a prompt that can be named: a day.
const LONGEST_MS: i64 = 86_400_000;

/// Reads `prompts`; none at all only where that makes sense.
pub(super) fn prompts(
    table: &Table<'_>,
    scope: &Scope<'_>,
    may_be_empty: bool,
) -> Result<Vec<Utterance>, FlowError> {
    let (offset, value) = match table.find(KEY) {
        Some(found) => found,
        None if may_be_empty => return Ok(Vec::new()),
        None => table.require(KEY, "prompts = [\"welcome\"]")?,
    };
    let Some(items) = value.get_ref().as_array() else {
        return Err(table.wrong_type(KEY, offset, value, "a list such as [\"welcome\"]"));
    };
    if items.len() > Flow::MAX_PROMPTS || (items.is_empty() && !may_be_empty) {
        let wanted = format!("a list of 1 to {} prompts", Flow::MAX_PROMPTS);
        return Err(table.place.error(offset, FlowProblem::OutOfRange { key: KEY.to_owned(), wanted }));
    }
    items.iter().map(|item| utterance(table, scope, item)).collect()
}

fn utterance(
    table: &Table<'_>,
    scope: &Scope<'_>,
    item: &Spanned<DeValue<'_>>,
) -> Result<Utterance, FlowError> {
    let offset = item.span().start;
    match item.get_ref() {
        DeValue::String(name) => Ok(Utterance::Prompt(Prompt::Named(name.to_string()))),
        DeValue::Table(entries) => {
            let item = Table::new(table.place, offset, entries);
            let utterance = if item.find("say").is_some() {
                say(&item, scope)?
            } else if item.find("text").is_some() {
                speak(&item, scope)?
            } else {
                Utterance::Prompt(prompt(&item)?)
            };
            item.finish()?;
            Ok(utterance)
        }
        _ => {
            Err(table.wrong_type(KEY, offset, item, "names in quotes, and tables such as { pause_ms = 300 }"))
        }
    }
}

fn prompt(item: &Table<'_>) -> Result<Prompt, FlowError> {
    let ms = |key, least| item.milliseconds(key, least..=LONGEST_MS, least);
    if item.find("pause_ms").is_some() {
        return ms("pause_ms", 1).map(Prompt::Silence);
    }
    if item.find("tone").is_some() {
        return tone(item);
    }
    if item.find("music").is_some() {
        return Ok(Prompt::Music(item.string("music", "music = \"music\"")?.1.to_owned()));
    }
    let (_, name) = item.string("prompt", "{ prompt = \"welcome\" }")?;
    let length = item.find("for_ms").map(|_| ms("for_ms", 1)).transpose()?;
    match (ms("from_ms", 0)?, length) {
        (Duration::ZERO, None) => Ok(Prompt::Named(name.to_owned())),
        (offset, length) => Ok(Prompt::Part { name: name.to_owned(), offset, length }),
    }
}

fn tone(item: &Table<'_>) -> Result<Prompt, FlowError> {
    let (offset, name) = item.string("tone", "tone = \"beep\"")?;
    match name {
        "beep" => Ok(Prompt::Tone(Tone::Beep)),
        "busy" => Ok(Prompt::Tone(Tone::Busy)),
        "ringback" => Ok(Prompt::Tone(Tone::Ringback)),
        _ => {
            let wanted = "one of \"beep\", \"busy\", \"ringback\"".to_owned();
            Err(item.place.error(offset, FlowProblem::OutOfRange { key: "tone".into(), wanted }))
        }
    }
}

fn say(item: &Table<'_>, scope: &Scope<'_>) -> Result<Utterance, FlowError> {
    let (offset, text) = item.string("say", "say = \"{{variable}}\"")?;
    let value = template_of(item, "say", offset, text, scope.variables)?;
    let (offset, name) = item.string("as", "as = \"number\"")?;
    let manner = match name {
        "number" => Manner::Number,
        "ordinal" => Manner::Ordinal,
        "digits" => Manner::Digits,
        "date" => Manner::Date,
        "time" => Manner::Time,
        "money" => Manner::Money(item.string("currency", "currency = \"EUR\"")?.1.to_owned()),
        _ => {
            let names: Vec<String> = Manner::NAMES.iter().map(|name| format!("\"{name}\"")).collect();
            let wanted = format!("one of {}", names.join(", "));
            return Err(item.place.error(offset, FlowProblem::OutOfRange { key: "as".into(), wanted }));
        }
    };
    Ok(Utterance::Say { value, manner, language: language(item, scope)? })
}

fn speak(item: &Table<'_>, scope: &Scope<'_>) -> Result<Utterance, FlowError> {
    let (offset, text) = item.string("text", "text = \"Hello\"")?;
    let text = template_of(item, "text", offset, text, scope.variables)?;
    // A service elsewhere may be told.
    if let Some(index) = text.variables().find(|index| scope.variables[*index].sensitive) {
        let name = scope.variables[index].name.clone();
        return Err(item.place.error(offset, FlowProblem::Told { name }));
    }
    Ok(Utterance::Speak { text, language: language(item, scope)? })
}

/// The item's own, or the flow's.
fn language(item: &Table<'_>, scope: &Scope<'_>) -> Result<Template, FlowError> {
    let (offset, text) = match (item.find("language"), scope.language) {
        (None, Some(language)) => (item.offset, language),
        _ => {
            item.string("language", "language = \"en\"` here or at the top of the flow, `language = \"en\"")?
        }
    };
    template_of(item, "language", offset, text, scope.variables)
}
