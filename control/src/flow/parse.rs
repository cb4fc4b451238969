//! Reads a flow file.
//!
//! ```toml
//! start = "ask"
//! language = "en"    # in which values are said
//!
//! [variables]
//! tries = 0
//! pin = { value = "", sensitive = true }
//!
//! [activities.ask]
//! type = "menu"
//! prompts = ["menu"]
//! exits = { 1 = "sales", timeout = "bye", invalid = "bye" }
//!
//! [activities.sales]
//! type = "queue"
//! queue = "sales"
//! exits = { failure = "bye" }
//!
//! [activities.bye]
//! type = "disconnect"
//! ```

mod activity;
mod prompts;
mod table;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::table::{Place, Table};
use super::check::check_graph;
use super::{Activity, Exit, Flow, FlowError, FlowProblem, Kind, Value, Variable};

/// Reads a flow and proves it sound in itself. `name` is the file's name without `.toml`.
///
/// # Errors
/// The first fault, with its line and what to write instead.
pub fn parse(name: &str, text: &str) -> Result<Flow, FlowError> {
    let place = Place { flow: name, text, activity: None };
    let document = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        place.error(offset, FlowProblem::Syntax(error.message().to_owned()))
    })?;
    let root = Table::new(place, 0, document.get_ref());
    let (start_offset, start) = root.string("start", "start = \"welcome\"")?;
    let variables = variables(&root)?;
    let sections = sections(&root)?;
    let language = root.find("language").map(|_| root.string("language", "language = \"en\"")).transpose()?;
    root.finish()?;

    let names: Vec<&str> = sections.iter().map(|section| section.name).collect();
    let Some(start) = names.iter().position(|name| *name == start) else {
        let target = start.to_owned();
        return Err(place.error(start_offset, dangling("start".to_owned(), target, &names)));
    };
    let scope = Scope { variables: &variables, language: language.map(|(_, language)| language) };
    let activities =
        sections.iter().map(|section| section.read(place, &names, &scope)).collect::<Result<_, _>>()?;
    let flow = Flow { name: name.to_owned(), start, activities, variables };
    check_graph(&flow)?;
    Ok(flow)
}

fn dangling(from: String, target: String, names: &[&str]) -> FlowProblem {
    FlowProblem::Dangling { from, target, known: names.iter().map(|name| (*name).to_owned()).collect() }
}

/// What activities may refer to.
struct Scope<'a> {
    variables: &'a [Variable],
    /// In which values are said, when they say no other.
    language: Option<&'a str>,
}

/// An activity's table before it is understood.
struct Section<'a> {
    name: &'a str,
    offset: usize,
    entry: &'a Spanned<DeValue<'a>>,
}

/// The activities in the order of the file.
fn sections<'a>(root: &Table<'a>) -> Result<Vec<Section<'a>>, FlowError> {
    let (offset, value) = root.require("activities", "[activities.welcome]")?;
    let Some(entries) = value.get_ref().as_table() else {
        return Err(root.wrong_type("activities", offset, value, "a table `[activities.NAME]` for each"));
    };
    if entries.len() > Flow::MAX_ACTIVITIES {
        return Err(root.place.error(offset, FlowProblem::TooManyActivities));
    }
    let mut sections: Vec<Section<'a>> = entries
        .iter()
        .map(|(name, entry)| Section { name: name.get_ref(), offset: name.span().start, entry })
        .collect();
    sections.sort_by_key(|section| section.offset);
    Ok(sections)
}

impl<'a> Section<'a> {
    fn read(&self, place: Place<'a>, names: &[&str], scope: &Scope<'_>) -> Result<Activity, FlowError> {
        let place = Place { activity: Some(self.name), ..place };
        let Some(entries) = self.entry.get_ref().as_table() else {
            return Err(place.wrong_type(self.name, self.offset, self.entry, "a table with a `type`"));
        };
        let table = Table::new(place, self.offset, entries);
        let kind = activity::kind(&table, scope)?;
        let exits = exits(&table, &kind, names)?;
        table.finish()?;
        Ok(Activity { name: self.name.to_owned(), line: place.line(self.offset), kind, exits })
    }
}

/// Reads `exits` and holds it against those the activity has.
fn exits(table: &Table<'_>, kind: &Kind, names: &[&str]) -> Result<BTreeMap<Exit, usize>, FlowError> {
    let found = table.find("exits");
    let offset = found.map_or(table.offset, |(offset, _)| offset);
    let mut exits = BTreeMap::new();
    if let Some((_, value)) = found {
        let Some(entries) = value.get_ref().as_table() else {
            return Err(table.wrong_type("exits", offset, value, "a table such as { done = \"bye\" }"));
        };
        for (key, target) in entries.iter() {
            let (exit, target) = wire(table, kind, names, key, target)?;
            exits.insert(exit, target);
        }
    }
    let missing = |exit: String| table.place.error(offset, FlowProblem::MissingExit { exit });
    if let Some(exit) = kind.required_exits().iter().find(|exit| !exits.contains_key(exit)) {
        return Err(missing(exit.to_string()));
    }
    if kind.has_digit_exits() && !exits.keys().any(|exit| matches!(exit, Exit::Digit(_))) {
        return Err(missing("1".to_owned()));
    }
    Ok(exits)
}

fn wire(
    table: &Table<'_>,
    kind: &Kind,
    names: &[&str],
    key: &Spanned<std::borrow::Cow<'_, str>>,
    target: &Spanned<DeValue<'_>>,
) -> Result<(Exit, usize), FlowError> {
    let offset = key.span().start;
    let Some(exit) = Exit::parse(key.get_ref()).filter(|exit| kind.has_exit(*exit)) else {
        let problem = FlowProblem::UnknownExit { exit: key.get_ref().to_string(), known: kind.exit_names() };
        return Err(table.place.error(offset, problem));
    };
    let Some(name) = target.get_ref().as_str() else {
        return Err(table.wrong_type(key.get_ref(), offset, target, "the name of an activity in quotes"));
    };
    match names.iter().position(|known| *known == name) {
        Some(index) => Ok((exit, index)),
        None => Err(table.place.error(offset, dangling(exit.to_string(), name.to_owned(), names))),
    }
}

/// The built-in variables and those of `[variables]`.
fn variables(root: &Table<'_>) -> Result<Vec<Variable>, FlowError> {
    let built_in = |name: &str| Variable {
        name: name.to_owned(),
        initial: Value::String(String::new()),
        sensitive: false,
    };
    let mut variables = vec![built_in("ani"), built_in("dnis")];
    let Some((offset, value)) = root.find("variables") else { return Ok(variables) };
    let Some(entries) = value.get_ref().as_table() else {
        return Err(root.wrong_type("variables", offset, value, "a table `[variables]`"));
    };
    if entries.len() + variables.len() > Flow::MAX_VARIABLES {
        return Err(root.place.error(offset, FlowProblem::TooManyVariables));
    }
    for (name, value) in entries.iter() {
        let offset = name.span().start;
        let name = name.get_ref().as_ref();
        if let Some(why) = unfit_name(name, &variables) {
            let problem = FlowProblem::BadVariable { name: name.to_owned(), why: why.to_owned() };
            return Err(root.place.error(offset, problem));
        }
        variables.push(variable(root, name, offset, value)?);
    }
    Ok(variables)
}

fn unfit_name(name: &str, taken: &[Variable]) -> Option<&'static str> {
    if taken.iter().any(|variable| variable.name == name) {
        return Some("the name is built in");
    }
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let fit = name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(fits);
    (!fit).then_some("a name is a letter, then letters, digits and `_`")
}

/// `tries = 0`, or `pin = { value = "", sensitive = true }`.
fn variable(
    root: &Table<'_>,
    name: &str,
    offset: usize,
    value: &Spanned<DeValue<'_>>,
) -> Result<Variable, FlowError> {
    let Some(entries) = value.get_ref().as_table() else {
        let initial = root.scalar(name, offset, value)?;
        return Ok(Variable { name: name.to_owned(), initial, sensitive: false });
    };
    let table = Table::new(root.place, offset, entries);
    let (value_offset, value) = table.require("value", "value = \"\"")?;
    let initial = table.scalar("value", value_offset, value)?;
    let sensitive = table.boolean("sensitive", false)?;
    table.finish()?;
    Ok(Variable { name: name.to_owned(), initial, sensitive })
}
