//! Reads a grammar file.
//!
//! ```toml
//! prompts = "en/"            # before the name of every prompt
//! number = "cardinal"        # the rule set of numbers and digits
//! ordinal = "ordinal"        # … of places in a row
//! decimal_point = "point"
//! signs = { "+" = "plus", "*" = "star", "#" = "hash" }
//! date = "{weekday:weekday} {month:month} {day:ordinal} {year:year}"
//! time = "{hour12:cardinal} {minute:minute} {half:half}"
//!
//! [rules.cardinal]           # see [`super::rules`]
//! minus = "minus"
//! 0 = "#"
//! 20 = "20 [>>]"
//!
//! [money]
//! whole = "{units}"
//! part = "{subunits}"
//! both = "{units} and {subunits}"
//! currencies.EUR = { decimals = 2, units = "euro", subunits = "cent" }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::rules::{Piece, Rule, Set, Sets};
use super::template::{Field, Part, Template};
use super::{Currency, Grammar, GrammarError, GrammarProblem as Problem, Money};

/// Reads a grammar and proves it sound in itself. `language` is the file's name without `.toml`.
///
/// # Errors
/// The first fault, with its line and what to write instead.
pub fn parse(language: &str, text: &str) -> Result<Grammar, GrammarError> {
    let place = Place { language, text };
    let document = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        place.error(offset, Problem::Syntax(error.message().to_owned()))
    })?;
    let root = Table { place, offset: 0, entries: document.get_ref() };
    root.know(&["prompts", "number", "ordinal", "decimal_point", "signs", "date", "time", "rules", "money"])?;
    let sets = sets(&root)?;
    let date = template(&root, "date", &sets, &Field::OF_DATE)?;
    let time = template(&root, "time", &sets, &Field::OF_TIME)?;
    let (offset, number) = root.require("number", "number = \"cardinal\"")?.text("the name of a rule set")?;
    Ok(Grammar {
        language: language.to_owned(),
        prefix: root.optional_text("prompts")?.map_or_else(String::new, |(_, text)| text.to_owned()),
        number: place.set(&sets, offset, number)?,
        ordinal: root.optional_set("ordinal", &sets)?,
        decimal_point: root.optional_text("decimal_point")?.map(|(_, text)| text.to_owned()),
        signs: signs(&root)?,
        date,
        time,
        money: money(&root, &sets)?,
        sets,
    })
}

/// Where we are, for errors.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    language: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn error(&self, offset: usize, problem: Problem) -> GrammarError {
        let line = 1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        GrammarError { language: self.language.to_owned(), line, problem }
    }

    fn set(&self, sets: &Sets, offset: usize, name: &str) -> Result<usize, GrammarError> {
        sets.index(name).ok_or_else(|| {
            self.error(offset, Problem::UnknownSet { name: name.to_owned(), known: sets.names() })
        })
    }
}

/// A table of the file.
#[derive(Clone, Copy, Debug)]
struct Table<'a> {
    place: Place<'a>,
    offset: usize,
    entries: &'a DeTable<'a>,
}

/// A value of a table.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    place: Place<'a>,
    key: &'a str,
    offset: usize,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Entry<'a> {
    fn wrong(&self, wanted: &str) -> GrammarError {
        let problem = Problem::Wrong { key: self.key.to_owned(), wanted: wanted.to_owned() };
        self.place.error(self.offset, problem)
    }

    fn text(&self, wanted: &str) -> Result<(usize, &'a str), GrammarError> {
        let text =
            self.value.get_ref().as_str().ok_or_else(|| self.wrong(&format!("{wanted}, in quotes")))?;
        Ok((self.offset, text))
    }

    fn table(&self) -> Result<Table<'a>, GrammarError> {
        let entries = self.value.get_ref().as_table().ok_or_else(|| self.wrong("a table"))?;
        Ok(Table { place: self.place, offset: self.offset, entries })
    }
}

impl<'a> Table<'a> {
    fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let place = self.place;
        let entry = move |(key, value): (&'a Spanned<_>, _)| {
            let name: &'a std::borrow::Cow<'a, str> = key.get_ref();
            Entry { place, key: name.as_ref(), offset: key.span().start, value }
        };
        self.entries.iter().map(entry)
    }

    fn know(&self, known: &[&str]) -> Result<(), GrammarError> {
        match self.entries().find(|entry| !known.contains(&entry.key)) {
            None => Ok(()),
            Some(entry) => {
                let known = known.iter().map(|key| (*key).to_owned()).collect();
                let problem = Problem::UnknownKey { key: entry.key.to_owned(), known };
                Err(self.place.error(entry.offset, problem))
            }
        }
    }

    fn find(&self, key: &str) -> Option<Entry<'a>> {
        self.entries().find(|entry| entry.key == key)
    }

    fn require(&self, key: &str, example: &str) -> Result<Entry<'a>, GrammarError> {
        self.find(key).ok_or_else(|| {
            let problem = Problem::MissingKey { key: key.to_owned(), example: example.to_owned() };
            self.place.error(self.offset, problem)
        })
    }

    fn optional_text(&self, key: &str) -> Result<Option<(usize, &'a str)>, GrammarError> {
        self.find(key).map(|entry| entry.text("a text")).transpose()
    }

    fn optional_set(&self, key: &str, sets: &Sets) -> Result<Option<usize>, GrammarError> {
        let Some((offset, name)) = self.optional_text(key)? else { return Ok(None) };
        self.place.set(sets, offset, name).map(Some)
    }
}

/// The words of `+`, `*` and `#`.
fn signs(root: &Table<'_>) -> Result<BTreeMap<char, String>, GrammarError> {
    let Some(entry) = root.find("signs") else { return Ok(BTreeMap::new()) };
    let table = entry.table()?;
    table.know(&["+", "*", "#"])?;
    let sign = |entry: Entry<'_>| {
        let (_, word) = entry.text("the name of a prompt")?;
        Ok((entry.key.chars().next().unwrap_or_default(), word.to_owned()))
    };
    table.entries().map(sign).collect()
}

/// The rule sets: their names first, since they name each other.
fn sets(root: &Table<'_>) -> Result<Sets, GrammarError> {
    let rules = root.require("rules", "[rules.cardinal]")?.table()?;
    let tables: Vec<Entry<'_>> = rules.entries().collect();
    if tables.len() > Grammar::MAX_SETS {
        let problem = Problem::TooMany { what: "rule sets", limit: Grammar::MAX_SETS };
        return Err(root.place.error(rules.offset, problem));
    }
    let empty = |entry: &Entry<'_>| Set { name: entry.key.to_owned(), rules: Vec::new(), minus: None };
    let mut sets = Sets(tables.iter().map(empty).collect());
    for (index, entry) in tables.iter().enumerate() {
        let set = set(entry, index, &sets)?;
        if let Some(slot) = sets.0.get_mut(index) {
            *slot = set;
        }
    }
    match tables.iter().enumerate().find(|(index, _)| leads_back(&sets, *index)) {
        None => Ok(sets),
        Some((_, entry)) => {
            Err(root.place.error(entry.offset, Problem::Circle { name: entry.key.to_owned() }))
        }
    }
}

fn set(entry: &Entry<'_>, index: usize, sets: &Sets) -> Result<Set, GrammarError> {
    let (place, table) = (entry.place, entry.table()?);
    let (mut rules, mut minus) = (BTreeMap::new(), None);
    for entry in table.entries() {
        let (offset, text) = entry.text("words")?;
        if entry.key == "minus" {
            minus = Some(text.to_owned());
            continue;
        }
        let (base, divisor) =
            base(entry.key).ok_or_else(|| place.error(offset, Problem::BadBase(entry.key.to_owned())))?;
        let pieces = pieces(place, offset, text, (index, sets))?;
        if divisor < 2 && pieces.iter().any(Piece::divides) {
            return Err(place.error(offset, Problem::Indivisible { base }));
        }
        let rule = Rule { base, divisor, pieces, until: None };
        if rules.insert(base, (offset, rule)).is_some() {
            return Err(place.error(offset, Problem::TwiceTheSame(base)));
        }
    }
    if rules.len() > Grammar::MAX_RULES {
        let problem = Problem::TooMany { what: "rules in a set", limit: Grammar::MAX_RULES };
        return Err(place.error(entry.offset, problem));
    }
    if !rules.contains_key(&0) {
        return Err(place.error(entry.offset, Problem::NoZero(entry.key.to_owned())));
    }
    let nexts: Vec<Option<u64>> = rules.keys().skip(1).copied().map(Some).chain([None]).collect();
    let bounded = rules.into_values().zip(nexts).map(|((offset, rule), until)| {
        let numerals = until.map_or(u64::MAX, |until| until - rule.base);
        if rule.pieces.iter().any(Piece::has_numeral) && numerals > Grammar::MAX_NUMERALS {
            return Err(place.error(offset, Problem::TooManyNumerals));
        }
        Ok(Rule { until, ..rule })
    });
    Ok(Set { name: entry.key.to_owned(), rules: bounded.collect::<Result<_, _>>()?, minus })
}

/// `20`, or `1100/100` with a divisor; else it is the largest power of ten in the base.
fn base(key: &str) -> Option<(u64, u64)> {
    let (base, divisor): (u64, Option<u64>) = match key.split_once('/') {
        None => (key.parse().ok()?, None),
        Some((base, divisor)) => (base.parse().ok()?, Some(divisor.parse().ok()?)),
    };
    let divisor = divisor.unwrap_or_else(|| base.checked_ilog10().map_or(1, |power| 10u64.pow(power)));
    (1..=base.max(1)).contains(&divisor).then_some((base, divisor))
}

/// Reads a rule's text; `own` is the set it stands in.
fn pieces(
    place: Place<'_>,
    offset: usize,
    text: &str,
    own: (usize, &Sets),
) -> Result<Vec<Piece>, GrammarError> {
    let spaced = text.replace('[', " [ ").replace(']', " ] ");
    let (mut outside, mut inside) = (Vec::new(), None);
    for token in spaced.split_whitespace() {
        match (token, &mut inside) {
            ("[", None) => inside = Some(Vec::new()),
            ("]", Some(pieces)) => {
                outside.push(Piece::Optional(std::mem::take(pieces)));
                inside = None;
            }
            ("[", Some(_)) | ("]", None) => return Err(place.error(offset, Problem::Brackets)),
            (token, Some(pieces)) => pieces.push(piece(place, offset, token, own)?),
            (token, None) => outside.push(piece(place, offset, token, own)?),
        }
    }
    if inside.is_some() { Err(place.error(offset, Problem::Brackets)) } else { Ok(outside) }
}

fn piece(
    place: Place<'_>,
    offset: usize,
    token: &str,
    (own, sets): (usize, &Sets),
) -> Result<Piece, GrammarError> {
    let between = |sign: char| token.strip_prefix(sign)?.strip_suffix(sign);
    let set = |name: &str| if name.is_empty() { Ok(own) } else { place.set(sets, offset, name) };
    if token == "#" {
        Ok(Piece::Numeral)
    } else if token == "!" {
        Ok(Piece::Wordless)
    } else if let Some(name) = between('<') {
        set(name).map(Piece::Quotient)
    } else if let Some(name) = between('>') {
        set(name).map(Piece::Remainder)
    } else if let Some(name) = between('=').filter(|name| !name.is_empty()) {
        set(name).map(Piece::Whole)
    } else if is_word(token) {
        Ok(Piece::Word(token.to_owned()))
    } else {
        let wanted = "a prompt's name, `<<`, `>>`, `<set<`, `>set>`, `=set=`, `#`, `!` or `[ … ]`".to_owned();
        Err(place.error(offset, Problem::BadPiece { found: token.to_owned(), wanted }))
    }
}

/// A word is a prompt's name.
fn is_word(token: &str) -> bool {
    !token.contains(['<', '>', '=', '#', '!', '{', '}', '[', ']'])
}

impl Piece {
    fn divides(&self) -> bool {
        matches!(self, Self::Quotient(_) | Self::Remainder(_) | Self::Optional(_))
    }

    fn has_numeral(&self) -> bool {
        match self {
            Self::Numeral => true,
            Self::Optional(pieces) => pieces.iter().any(Self::has_numeral),
            _ => false,
        }
    }

    fn passes_to(&self, sets: &mut Vec<usize>) {
        match self {
            Self::Whole(set) => sets.push(*set),
            Self::Optional(pieces) => pieces.iter().for_each(|piece| piece.passes_to(sets)),
            _ => {}
        }
    }
}

/// Whether a number that a set passes on as it is can come back to it.
fn leads_back(sets: &Sets, start: usize) -> bool {
    let (mut seen, mut frontier) = (BTreeSet::new(), vec![start]);
    while let Some(index) = frontier.pop() {
        let mut next = Vec::new();
        let rules = sets.0.get(index).into_iter().flat_map(|set| &set.rules);
        rules.flat_map(|rule| &rule.pieces).for_each(|piece| piece.passes_to(&mut next));
        if next.contains(&start) {
            return true;
        }
        frontier.extend(next.into_iter().filter(|index| seen.insert(*index)));
    }
    false
}

fn template(
    table: &Table<'_>,
    key: &str,
    sets: &Sets,
    fields: &[Field],
) -> Result<Option<Template>, GrammarError> {
    let Some((offset, text)) = table.optional_text(key)? else { return Ok(None) };
    let part = |token: &str| part(table.place, offset, token, sets, fields);
    text.split_whitespace().map(part).collect::<Result<_, _>>().map(Template).map(Some)
}

/// A word, `{field:set}`, or of an amount `{field}`.
fn part(
    place: Place<'_>,
    offset: usize,
    token: &str,
    sets: &Sets,
    fields: &[Field],
) -> Result<Part, GrammarError> {
    if is_word(token) {
        return Ok(Part::Word(token.to_owned()));
    }
    let of_amount = fields == Field::OF_AMOUNT;
    let read = || {
        let inner = token.strip_prefix('{')?.strip_suffix('}')?;
        let (name, set) = inner.split_once(':').map_or((inner, None), |(name, set)| (name, Some(set)));
        let field = fields.iter().find(|field| field.name() == name)?;
        (set.is_none() == of_amount).then_some((*field, set))
    };
    let Some((field, set)) = read() else {
        let end = if of_amount { "" } else { ":SET" };
        let names: Vec<String> = fields.iter().map(|field| format!("`{{{}{end}}}`", field.name())).collect();
        let wanted = format!("a prompt's name or one of {}", names.join(", "));
        return Err(place.error(offset, Problem::BadPiece { found: token.to_owned(), wanted }));
    };
    let set = set.map(|name| place.set(sets, offset, name)).transpose()?;
    Ok(Part::Field(field, set))
}

fn money(root: &Table<'_>, sets: &Sets) -> Result<Option<Money>, GrammarError> {
    let Some(entry) = root.find("money") else { return Ok(None) };
    let table = entry.table()?;
    table.know(&["whole", "part", "both", "currencies"])?;
    let amount = |key: &'static str, example: &str| {
        table.require(key, example)?;
        Ok(template(&table, key, sets, &Field::OF_AMOUNT)?.unwrap_or(Template(Vec::new())))
    };
    let whole = amount("whole", "whole = \"{units}\"")?;
    let part = amount("part", "part = \"{subunits}\"")?;
    let both = amount("both", "both = \"{units} {subunits}\"")?;
    let example = "currencies.EUR = { units = \"euro\", subunits = \"cent\" }";
    let currencies = table.require("currencies", example)?.table()?;
    let currencies = currencies.entries().map(|entry| Ok((entry.key.to_owned(), currency(&entry, sets)?)));
    Ok(Some(Money { whole, part, both, currencies: currencies.collect::<Result<_, _>>()? }))
}

fn currency(entry: &Entry<'_>, sets: &Sets) -> Result<Currency, GrammarError> {
    let table = entry.table()?;
    table.know(&["decimals", "units", "subunits"])?;
    let subunit = table.optional_set("subunits", sets)?;
    let decimals = match table.find("decimals") {
        None => 2,
        Some(entry) => {
            let number = entry.value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
            number.filter(|number| *number <= 4).ok_or_else(|| entry.wrong("a whole number from 0 to 4"))?
        }
    };
    if decimals > 0 {
        table.require("subunits", "subunits = \"cent\"")?;
    }
    let (offset, unit) = table.require("units", "units = \"euro\"")?.text("the name of a rule set")?;
    Ok(Currency { decimals, unit: entry.place.set(sets, offset, unit)?, subunit })
}
