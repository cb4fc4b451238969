//! Reads fields out of TOML tables, and notes every problem with its place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Problem;
use crate::model::{Place, Placed};
use crate::nearest::nearest;

/// Problems kept; the rest of a file that is so wrong is not worth listing.
pub(crate) const MAX_PROBLEMS: usize = 100;

/// Collects the problems of one file.
pub(crate) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    problems: RefCell<Vec<(usize, Problem)>>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    /// Notes a problem with the text at `span`.
    pub(crate) fn problem(&self, span: &Range<usize>, field: &str, message: String, advice: String) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            let (line, column) = self.position(span.start);
            let problem = Problem {
                file: self.file.to_owned(),
                line,
                column,
                field: field.to_owned(),
                message,
                advice,
            };
            problems.push((span.start, problem));
        }
    }

    /// The problems, in the order of the file.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(offset, _)| *offset);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }
}

/// One table of the file, and which of its keys were asked for.
pub(crate) struct Section<'r, 't> {
    reader: &'r Reader<'t>,
    path: String,
    span: Range<usize>,
    table: Option<&'r DeTable<'t>>,
    known: RefCell<Vec<&'static str>>,
}

/// A value and where it stands.
pub(crate) struct Field<'r, 't> {
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
    value: &'r DeValue<'t>,
}

impl<'r, 't> Section<'r, 't> {
    pub(crate) fn root(reader: &'r Reader<'t>, table: &'r Spanned<DeTable<'t>>) -> Self {
        Self {
            reader,
            path: String::new(),
            span: 0..0,
            table: Some(table.get_ref()),
            known: RefCell::default(),
        }
    }

    /// The table under `key`; an empty one when there is none, so that its defaults and needs are looked at.
    pub(crate) fn table(&self, key: &'static str) -> Section<'r, 't> {
        let field = self.field(key);
        let (span, table) = match &field {
            None => (self.span.clone(), None),
            Some(field) => (field.span.clone(), field.value.as_table()),
        };
        if let (Some(field), None) = (&field, table) {
            self.mismatch(field, &format!("a table: [{}]", self.path_of(key)));
        }
        let path = self.path_of(key);
        Section { reader: self.reader, path, span, table, known: RefCell::default() }
    }

    /// The tables of the array `[[key]]`, each called by its `name` field (or `label`), else by its number from 1.
    pub(crate) fn tables(&self, key: &'static str, label: &str, max: usize) -> Vec<Section<'r, 't>> {
        let Some(field) = self.field(key) else { return Vec::new() };
        let Some(array) = field.value.as_array() else {
            self.mismatch(&field, &format!("an array of tables: [[{}]]", field.path));
            return Vec::new();
        };
        if array.len() > max {
            let message = format!("there are {} entries", array.len());
            self.reader.problem(&field.span, &field.path, message, format!("at most {max} are possible"));
        }
        let mut sections = Vec::new();
        for (index, entry) in array.iter().take(max).enumerate() {
            let own_label = entry.get_ref().get(label).and_then(|value| value.get_ref().as_str());
            let path = match own_label {
                Some(text) => format!("{}.{text}", field.path),
                None => format!("{}.{}", field.path, index + 1),
            };
            match entry.get_ref().as_table() {
                Some(table) => sections.push(Section {
                    reader: self.reader,
                    path,
                    span: entry.span(),
                    table: Some(table),
                    known: RefCell::default(),
                }),
                None => self.mismatch(
                    &Field { path, span: entry.span(), value: entry.get_ref() },
                    &format!("a table: [[{}]]", field.path),
                ),
            }
        }
        sections
    }

    /// A string, needed.
    pub(crate) fn string(&self, key: &'static str, expected: &str) -> Option<(String, Field<'r, 't>)> {
        let field = self.needed(key, expected)?;
        let Some(text) = field.value.as_str().filter(|text| !text.is_empty()) else {
            self.mismatch(&field, expected);
            return None;
        };
        Some((text.to_owned(), field))
    }

    /// A string that is to stand in no log, needed: what was found instead is not shown.
    pub(crate) fn secret(&self, key: &'static str, expected: &str) -> Option<String> {
        let field = self.needed(key, expected)?;
        let text = field.value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.problem(
                &field,
                "found no text, or none at all".into(),
                format!("write {expected}, in quotes"),
            );
        }
        text.map(str::to_owned)
    }

    /// A string that `read` understands, needed.
    pub(crate) fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (text, field) = self.string(key, expected)?;
        let value = read(&text);
        if value.is_none() {
            self.mismatch(&field, expected);
        }
        value
    }

    /// A string that `read` understands, or `default`. `None` only when it is wrong.
    pub(crate) fn parsed_or<T>(
        &self,
        key: &'static str,
        expected: &str,
        default: T,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.has(key) { self.parsed(key, expected, read) } else { self.absent(key, default) }
    }

    /// A whole number within `range`, or `default`. `None` only when it is wrong.
    pub(crate) fn integer_or(
        &self,
        key: &'static str,
        range: RangeInclusive<u32>,
        default: u32,
    ) -> Option<u32> {
        if self.has(key) { self.integer(key, range) } else { self.absent(key, default) }
    }

    /// A whole number within `range`, needed.
    pub(crate) fn integer(&self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let field = self.needed(key, &expected)?;
        let number = field.value.as_integer().and_then(|number| {
            i64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .and_then(|number| u32::try_from(number).ok())
        });
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.mismatch(&field, &expected);
        }
        number
    }

    /// Seconds within `range`, or `default`. `None` only when it is wrong.
    pub(crate) fn seconds_or(
        &self,
        key: &'static str,
        range: RangeInclusive<u32>,
        default: u32,
    ) -> Option<Duration> {
        self.integer_or(key, range, default).map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Milliseconds within `range`, or `default`. `None` only when it is wrong.
    pub(crate) fn millis_or(
        &self,
        key: &'static str,
        range: RangeInclusive<u32>,
        default: u32,
    ) -> Option<Duration> {
        self.integer_or(key, range, default).map(|millis| Duration::from_millis(millis.into()))
    }

    /// `true` or `false`, or `default`. `None` only when it is wrong.
    pub(crate) fn boolean_or(&self, key: &'static str, default: bool) -> Option<bool> {
        let Some(field) = self.field(key) else { return Some(default) };
        let value = field.value.as_bool();
        if value.is_none() {
            self.mismatch(&field, "true or false");
        }
        value
    }

    /// A list of strings with their places, needed; `max` entries at most.
    pub(crate) fn strings(
        &self,
        key: &'static str,
        expected: &str,
        max: usize,
    ) -> Option<Vec<(String, Field<'r, 't>)>> {
        let field = self.needed(key, expected)?;
        let Some(array) = field.value.as_array() else {
            self.mismatch(&field, expected);
            return None;
        };
        if array.len() > max {
            let message = format!("there are {} entries", array.len());
            self.reader.problem(&field.span, &field.path, message, format!("at most {max} are possible"));
            return None;
        }
        let mut strings = Vec::new();
        for (index, entry) in array.iter().enumerate() {
            let path = format!("{}[{}]", field.path, index + 1);
            let item = Field { path, span: entry.span(), value: entry.get_ref() };
            match item.value.as_str() {
                Some(text) => strings.push((text.to_owned(), item)),
                None => self.mismatch(&item, expected),
            }
        }
        Some(strings)
    }

    /// A name that must be among `known`, needed.
    pub(crate) fn reference(&self, key: &'static str, what: &str, known: &Names) -> Option<String> {
        let (name, field) = self.string(key, &format!("the name of {}", with_article(what)))?;
        self.check_reference(&name, &field, what, known).then_some(name)
    }

    /// Whether `name` is among `known`; a problem otherwise.
    pub(crate) fn check_reference(
        &self,
        name: &str,
        field: &Field<'_, '_>,
        what: &str,
        known: &Names,
    ) -> bool {
        if known.contains(name) {
            return true;
        }
        let advice = match known.suggestion(name) {
            Some(near) => format!("write {near:?}, or add [[{what}]] name = {name:?}"),
            None => format!("add [[{what}]] name = {name:?}"),
        };
        self.reader.problem(&field.span, &field.path, format!("there is no {what} {name:?}"), advice);
        false
    }

    /// A name that is not taken yet, needed; it is taken from now on.
    pub(crate) fn new_name(&self, key: &'static str, names: &mut Names) -> Option<String> {
        let expected = "a name of letters, digits, '-', '_', '.' or '+'";
        let (name, field) = self.string(key, expected)?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
            || name.len() > Names::MAX_LEN
        {
            self.mismatch(&field, expected);
            return None;
        }
        if let Some(first) = names.taken.get(&name) {
            let (line, _) = self.reader.position(first.start);
            let message = format!("{name:?} is taken by line {line}");
            self.reader.problem(&field.span, &field.path, message, format!("write another {key}"));
            return None;
        }
        names.taken.insert(name.clone(), field.span);
        Some(name)
    }

    /// Whether the file has `key` here.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether what stands under `key` is a list.
    pub(crate) fn is_list(&self, key: &'static str) -> bool {
        self.field(key).is_some_and(|field| field.value.as_array().is_some())
    }

    /// Notes a problem with `field`.
    pub(crate) fn problem(&self, field: &Field<'_, '_>, message: String, advice: String) {
        self.reader.problem(&field.span, &field.path, message, advice);
    }

    /// Notes a problem with what stands under `key`, or with the section when nothing does.
    pub(crate) fn problem_with(&self, key: &'static str, message: String, advice: String) {
        match self.field(key) {
            Some(field) => self.problem(&field, message, advice),
            None => self.problem_here(message, advice),
        }
    }

    /// Notes a problem with the section as a whole.
    pub(crate) fn problem_here(&self, message: String, advice: String) {
        self.reader.problem(&self.span, &self.path, message, advice);
    }

    /// A string, needed; it may be empty.
    pub(crate) fn any_string(&self, key: &'static str, expected: &str) -> Option<(String, Field<'r, 't>)> {
        let field = self.needed(key, expected)?;
        let Some(text) = field.value.as_str() else {
            self.mismatch(&field, expected);
            return None;
        };
        Some((text.to_owned(), field))
    }

    /// Where the section begins.
    pub(crate) fn place(&self) -> Place {
        let (line, column) = self.reader.position(self.span.start);
        Place { line, column, field: self.path.clone() }
    }

    /// A value with the place of its field.
    pub(crate) fn placed<T>(&self, value: T, field: &Field<'_, '_>) -> Placed<T> {
        let (line, column) = self.reader.position(field.span.start);
        Placed { value, place: Place { line, column, field: field.path.clone() } }
    }

    /// Notes a problem with the value of `key`.
    pub(crate) fn problem_at(&self, key: &'static str, message: String, advice: String) {
        if let Some(field) = self.field(key) {
            self.problem(&field, message, advice);
        }
    }

    /// Says that `keys` are known here, whether or not they are asked for.
    pub(crate) fn know(&self, keys: &[&'static str]) {
        self.known.borrow_mut().extend(keys);
    }

    /// Ends the section: whatever was not asked for is unknown.
    pub(crate) fn finish(self) {
        let mut known = self.known.into_inner();
        known.sort_unstable();
        known.dedup();
        for (key, _) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let advice = match nearest(name, known.iter().copied()) {
                Some(near) => format!("write {near:?}"),
                None => format!("known here: {}", known.join(", ")),
            };
            let path = join(&self.path, name);
            self.reader.problem(&key.span(), &path, format!("unknown key {name:?}"), advice);
        }
    }

    fn field(&self, key: &'static str) -> Option<Field<'r, 't>> {
        self.know(&[key]);
        let value = self.table?.get(key)?;
        Some(Field { path: self.path_of(key), span: value.span(), value: value.get_ref() })
    }

    fn needed(&self, key: &'static str, expected: &str) -> Option<Field<'r, 't>> {
        let field = self.field(key);
        if field.is_none() {
            let message = format!("{key:?} is missing");
            self.reader.problem(&self.span, &self.path_of(key), message, format!("write {expected}"));
        }
        field
    }

    fn absent<T>(&self, key: &'static str, default: T) -> Option<T> {
        self.know(&[key]);
        Some(default)
    }

    fn mismatch(&self, field: &Field<'_, '_>, expected: &str) {
        let found = self.reader.text.get(field.span.clone()).unwrap_or_default();
        let found = found.lines().next().unwrap_or_default();
        let message = format!("found {found}");
        self.reader.problem(&field.span, &field.path, message, format!("write {expected}"));
    }

    fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

/// Names of one kind, with where each stands.
#[derive(Default)]
pub(crate) struct Names {
    taken: BTreeMap<String, Range<usize>>,
}

impl Names {
    /// The longest name, in bytes.
    pub(crate) const MAX_LEN: usize = 64;

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.taken.contains_key(name)
    }

    fn suggestion(&self, name: &str) -> Option<&str> {
        nearest(name, self.taken.keys().map(String::as_str))
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
