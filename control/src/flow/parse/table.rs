//! One table of a flow file, read key by key; what nobody asked for is an error.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::flow::{FlowError, FlowProblem, Value};

/// Where we are, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) flow: &'a str,
    pub(super) text: &'a str,
    pub(super) activity: Option<&'a str>,
}

impl<'a> Place<'a> {
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    pub(super) fn error(&self, offset: usize, problem: FlowProblem) -> FlowError {
        FlowError {
            flow: self.flow.to_owned(),
            line: self.line(offset),
            activity: self.activity.map(str::to_owned),
            problem: Box::new(problem),
        }
    }

    pub(super) fn wrong_type(
        &self,
        key: &str,
        offset: usize,
        found: &Spanned<DeValue<'_>>,
        wanted: &str,
    ) -> FlowError {
        let found = match found.get_ref() {
            DeValue::Table(_) => "a table".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            scalar => format!("of type {}", scalar.type_str()),
        };
        self.error(offset, FlowProblem::WrongType { key: key.to_owned(), found, wanted: wanted.to_owned() })
    }
}

/// A table and the keys asked of it so far.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) place: Place<'a>,
    /// Where the table begins in the text.
    pub(super) offset: usize,
    entries: &'a DeTable<'a>,
    asked: RefCell<Vec<&'static str>>,
}

type Entry<'a> = &'a Spanned<DeValue<'a>>;

impl<'a> Table<'a> {
    pub(super) fn new(place: Place<'a>, offset: usize, entries: &'a DeTable<'a>) -> Self {
        Self { place, offset, entries, asked: RefCell::default() }
    }

    /// The table's own entries, for tables whose keys are names.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, usize, Entry<'a>)> + use<'a> {
        self.entries.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span().start, value))
    }

    pub(super) fn find(&self, key: &'static str) -> Option<(usize, Entry<'a>)> {
        self.asked.borrow_mut().push(key);
        self.entries().find(|(name, ..)| *name == key).map(|(_, offset, value)| (offset, value))
    }

    pub(super) fn require(&self, key: &'static str, example: &str) -> Result<(usize, Entry<'a>), FlowError> {
        self.find(key).ok_or_else(|| {
            let problem = FlowProblem::MissingKey { key: key.into(), example: example.into() };
            self.place.error(self.offset, problem)
        })
    }

    /// To be called when all keys have been asked for.
    pub(super) fn finish(self) -> Result<(), FlowError> {
        let asked = self.asked.borrow();
        match self.entries().find(|(name, ..)| !asked.contains(name)) {
            None => Ok(()),
            Some((key, offset, _)) => {
                let known = asked.iter().map(|key| (*key).to_owned()).collect();
                Err(self.place.error(offset, FlowProblem::UnknownKey { key: key.to_owned(), known }))
            }
        }
    }

    pub(super) fn wrong_type(&self, key: &str, offset: usize, found: Entry<'_>, wanted: &str) -> FlowError {
        self.place.wrong_type(key, offset, found, wanted)
    }

    pub(super) fn string(&self, key: &'static str, example: &str) -> Result<(usize, &'a str), FlowError> {
        let (offset, value) = self.require(key, example)?;
        let text = value.get_ref().as_str();
        text.map(|text| (offset, text)).ok_or_else(|| self.wrong_type(key, offset, value, "a text in quotes"))
    }

    pub(super) fn boolean(&self, key: &'static str, default: bool) -> Result<bool, FlowError> {
        let Some((offset, value)) = self.find(key) else { return Ok(default) };
        value.get_ref().as_bool().ok_or_else(|| self.wrong_type(key, offset, value, "true or false"))
    }

    pub(super) fn integer(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> Result<i64, FlowError> {
        let Some((offset, value)) = self.find(key) else { return Ok(default) };
        let Some(number) = whole_number(value.get_ref()) else {
            return Err(self.wrong_type(key, offset, value, "a whole number"));
        };
        if range.contains(&number) {
            return Ok(number);
        }
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        Err(self.place.error(offset, FlowProblem::OutOfRange { key: key.to_owned(), wanted }))
    }

    pub(super) fn milliseconds(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> Result<Duration, FlowError> {
        Ok(Duration::from_millis(self.integer(key, range, default)?.unsigned_abs()))
    }

    /// A text, number or truth value.
    pub(super) fn scalar(&self, key: &str, offset: usize, found: Entry<'_>) -> Result<Value, FlowError> {
        let value = match found.get_ref() {
            DeValue::String(text) => Value::read(crate::flow::Type::String, text),
            DeValue::Boolean(truth) => Some(Value::Boolean(*truth)),
            number => whole_number(number).map(Value::Integer),
        };
        value.ok_or_else(|| {
            let wanted =
                format!("a text of at most {} bytes, a whole number, true or false", Value::MAX_BYTES);
            self.wrong_type(key, offset, found, &wanted)
        })
    }
}

pub(super) fn whole_number(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}
