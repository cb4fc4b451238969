//! The order in which the fields of a date, a time or an amount are said: `{weekday:weekday} {day:ordinal} {month:month}`.

use super::rules::Sets;
use super::value::Amount;
use super::{Currency, Unsayable};

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Of a date.
    Year,
    Month,
    Day,
    /// 1 is Monday.
    Weekday,
    /// Of a time: 0 to 23.
    Hour,
    /// 1 to 12.
    Hour12,
    Minute,
    /// Of the day: 0 before noon, 1 after.
    Half,
    /// Of an amount, said by the currency's rules.
    Units,
    Subunits,
}

impl Field {
    pub(super) const OF_DATE: [Self; 4] = [Self::Year, Self::Month, Self::Day, Self::Weekday];
    pub(super) const OF_TIME: [Self; 4] = [Self::Hour, Self::Hour12, Self::Minute, Self::Half];
    pub(super) const OF_AMOUNT: [Self; 2] = [Self::Units, Self::Subunits];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
            Self::Hour12 => "hour12",
            Self::Minute => "minute",
            Self::Half => "half",
            Self::Units => "units",
            Self::Subunits => "subunits",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(pub(super) Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Word(String),
    /// A field, said by a rule set; by the currency's when there is none.
    Field(Field, Option<usize>),
}

impl Template {
    pub(super) fn words(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter_map(|part| match part {
            Part::Word(word) => Some(word),
            Part::Field(..) => None,
        })
    }

    /// Says a value whose fields `value` gives.
    pub(super) fn say(
        &self,
        sets: &Sets,
        value: impl Fn(Field) -> Option<i64>,
        words: &mut Vec<String>,
    ) -> Result<(), Unsayable> {
        for part in &self.0 {
            match part {
                Part::Word(word) => words.push(word.clone()),
                Part::Field(field, set) => {
                    let (number, set) = value(*field).zip(*set).ok_or(Unsayable::Grammar)?;
                    sets.say(set, number, words)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn say_amount(
        &self,
        sets: &Sets,
        currency: &Currency,
        amount: &Amount,
        words: &mut Vec<String>,
    ) -> Result<(), Unsayable> {
        for part in &self.0 {
            match part {
                Part::Word(word) => words.push(word.clone()),
                Part::Field(Field::Units, _) => sets.say(currency.unit, amount.units, words)?,
                Part::Field(_, _) => {
                    sets.say(currency.subunit.ok_or(Unsayable::Grammar)?, amount.subunits, words)?;
                }
            }
        }
        Ok(())
    }
}
