//! A trunk's rules from its configuration: compiled, or told with the line of each mistake.

mod numbering;
mod trial;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tandem_config as config;
use tandem_config::{Config, Place, Placed, Problem, Trunk};
use tandem_sbc::rules::{
    ActionText, ConditionText, Direction, NumberFormat, Numbers, On, RuleError, RuleSet, RuleText, Subject,
    TestText, Text, TrunkRules,
};

pub(crate) use trial::{TrialDirection, try_rules};

use numbering::Country;

/// The rules of each trunk that has some, by its name.
pub(crate) type Rulebook = BTreeMap<String, Arc<TrunkRules>>;

/// Compiles what stands in `config`, read from `path`.
///
/// # Errors
/// Everything that is wrong with the rules.
pub(crate) fn compile(path: &Path, config: &Config) -> Result<Rulebook, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut book = Rulebook::new();
    for trunk in config.trunks.iter().filter(|trunk| !trunk.rules.is_empty() || trunk.numbers.is_some()) {
        match compile_trunk(trunk) {
            Ok(rules) => drop(book.insert(trunk.name.clone(), Arc::new(rules))),
            Err(mistakes) => problems.extend(mistakes.into_iter().map(|mistake| mistake.in_file(path))),
        }
    }
    if problems.is_empty() { Ok(book) } else { Err(problems) }
}

/// Something wrong, and where.
struct Mistake {
    place: Place,
    message: String,
    advice: String,
}

impl Mistake {
    fn in_file(self, path: &Path) -> Problem {
        let Place { line, column, field } = self.place;
        let (message, advice) = (self.message, self.advice);
        Problem { file: path.display().to_string(), line, column, field, message, advice }
    }
}

fn compile_trunk(trunk: &Trunk) -> Result<TrunkRules, Vec<Mistake>> {
    let country = trunk.numbers.as_ref().map(country).transpose().map_err(|mistake| vec![mistake])?;
    let inbound = compile_direction(trunk, Direction::In, country.as_ref());
    let outbound = compile_direction(trunk, Direction::Out, country.as_ref());
    match (inbound, outbound) {
        (Ok(inbound), Ok(outbound)) => Ok(TrunkRules { inbound, outbound }),
        (inbound, outbound) => Err([inbound.err(), outbound.err()].into_iter().flatten().flatten().collect()),
    }
}

fn country(forms: &config::NumberForms) -> Result<Arc<Country>, Mistake> {
    Country::of(&forms.country.value).map(Arc::new).ok_or_else(|| Mistake {
        place: forms.country.place.clone(),
        message: format!("there is no country {:?}", forms.country.value),
        advice: "write the two letters of ISO 3166-1, such as \"DE\"".to_owned(),
    })
}

fn compile_direction(
    trunk: &Trunk,
    direction: Direction,
    country: Option<&Arc<Country>>,
) -> Result<RuleSet, Vec<Mistake>> {
    let mut places = Places::default();
    let is_its = |rule: &&config::Rule| match rule.direction {
        config::Direction::In => direction == Direction::In,
        config::Direction::Out => direction == Direction::Out,
    };
    let texts: Vec<RuleText> = trunk.rules.iter().filter(is_its).map(|rule| places.rule(rule)).collect();
    let numbers = country.zip(trunk.numbers.as_ref()).and_then(|(country, forms)| {
        let form = match direction {
            Direction::In => forms.inbound,
            Direction::Out => forms.outbound,
        };
        Some(Numbers {
            plan: country.clone(),
            format: number_format(form?),
            digits_are_e164: forms.e164_without_plus && direction == Direction::In,
        })
    });
    RuleSet::compile(direction, &texts, numbers)
        .map_err(|errors| errors.into_iter().map(|error| places.mistake(error)).collect())
}

const fn number_format(form: config::NumberFormat) -> NumberFormat {
    match form {
        config::NumberFormat::Plus => NumberFormat::Plus,
        config::NumberFormat::Digits => NumberFormat::Digits,
        config::NumberFormat::Zeros => NumberFormat::Zeros,
        config::NumberFormat::National => NumberFormat::National,
    }
}

/// The places of what is handed to the compiler, which names them by their numbers.
#[derive(Default)]
struct Places(Vec<Place>);

impl Places {
    fn at(&mut self, place: &Place) -> usize {
        self.0.push(place.clone());
        self.0.len() - 1
    }

    fn text(&mut self, placed: &Placed<String>) -> Text {
        Text { text: placed.value.clone(), at: self.at(&placed.place) }
    }

    fn mistake(&self, error: RuleError) -> Mistake {
        let RuleError { at, message, advice } = error;
        let nowhere = Place { line: 0, column: 0, field: String::new() };
        Mistake { place: self.0.get(at).cloned().unwrap_or(nowhere), message, advice }
    }

    fn rule(&mut self, rule: &config::Rule) -> RuleText {
        RuleText {
            at: self.at(&rule.place),
            name: rule.name.clone(),
            on: match rule.on {
                config::RuleOn::Request => On::Request,
                config::RuleOn::Response => On::Response,
            },
            methods: rule.methods.iter().map(|method| self.text(method)).collect(),
            statuses: rule.statuses.iter().map(|status| self.text(status)).collect(),
            when: rule.when.iter().map(|condition| self.condition(condition)).collect(),
            actions: rule.actions.iter().map(|action| self.action(action)).collect(),
            stop: rule.stop,
        }
    }

    fn condition(&mut self, condition: &config::RuleCondition) -> ConditionText {
        ConditionText {
            field: self.text(&condition.field),
            subject: subject(condition.subject),
            test: match &condition.test {
                config::RuleTest::Present => TestText::Present,
                config::RuleTest::Absent => TestText::Absent,
                config::RuleTest::Matches(pattern) => TestText::Matches(self.text(pattern)),
                config::RuleTest::Differs(pattern) => TestText::Differs(self.text(pattern)),
            },
        }
    }

    fn action(&mut self, action: &config::RuleAction) -> ActionText {
        match action {
            config::RuleAction::Remove { field, matching } => ActionText::Remove {
                field: self.text(field),
                matching: matching.as_ref().map(|pattern| self.text(pattern)),
            },
            config::RuleAction::Replace { subject: of, field, pattern, with } => ActionText::Replace {
                field: self.text(field),
                subject: subject(*of),
                pattern: self.text(pattern),
                with: self.text(with),
            },
            config::RuleAction::SetUser { field, value } => {
                ActionText::SetUser { field: self.text(field), value: self.text(value) }
            }
            config::RuleAction::Add { field, value } => {
                ActionText::Add { field: self.text(field), value: self.text(value) }
            }
        }
    }
}

const fn subject(subject: config::RuleSubject) -> Subject {
    match subject {
        config::RuleSubject::Value => Subject::Value,
        config::RuleSubject::User => Subject::User,
    }
}

#[cfg(test)]
mod tests;
