//! What each type of activity may and must say.

use tandem_control_api::{BargeIn, CollectRules, RecordAction, Repeat};
use toml::de::DeValue;

use super::Scope;
use super::prompts::prompts;
use super::table::Table;
use crate::flow::template::TemplateError;
use crate::flow::{
    Assignment, Exit, FlowError, FlowProblem, Kind, Operator, Template, Type, Value, Variable,
};

const TYPES: [&str; 10] =
    ["play", "menu", "collect", "set", "condition", "queue", "play-digits", "record", "echo", "disconnect"];

/// Reads the activity's `type` and what belongs to it.
pub(super) fn kind(table: &Table<'_>, scope: &Scope<'_>) -> Result<Kind, FlowError> {
    let variables = scope.variables;
    let (offset, name) = table.string("type", "type = \"play\"")?;
    match name {
        "play" => play(table, scope),
        "menu" => menu(table, scope),
        "collect" => collect(table, scope),
        "set" => set(table, variables),
        "condition" => condition(table, variables),
        "queue" => Ok(Kind::Queue { queue: table.string("queue", "queue = \"sales\"")?.1.to_owned() }),
        "play-digits" => play_digits(table, variables),
        "record" => record(table),
        "echo" => Ok(Kind::Echo),
        "disconnect" => Ok(Kind::Disconnect),
        other => {
            let known = TYPES.iter().map(|name| (*name).to_owned()).collect();
            let problem = FlowProblem::UnknownType { found: other.to_owned(), known };
            Err(table.place.error(offset, problem))
        }
    }
}

impl Kind {
    pub(super) fn required_exits(&self) -> &'static [Exit] {
        match self {
            Self::Play { repeat: Repeat::Forever, interruptible: BargeIn::Never, .. } => &[],
            Self::Play { .. } | Self::Set { .. } | Self::PlayDigits { .. } | Self::Record { .. } => {
                &[Exit::Done]
            }
            Self::Menu { .. } => &[Exit::Timeout, Exit::Invalid],
            Self::Collect { .. } => &[Exit::Done, Exit::Timeout, Exit::Invalid],
            Self::Condition { .. } => &[Exit::True, Exit::False],
            Self::Queue { .. } => &[Exit::Failure],
            Self::Echo | Self::Disconnect => &[],
        }
    }

    fn optional_exits(&self) -> &'static [Exit] {
        match self {
            Self::Play { .. }
            | Self::Set { .. }
            | Self::PlayDigits { .. }
            | Self::Record { .. }
            | Self::Menu { .. }
            | Self::Collect { .. }
            | Self::Echo => &[Exit::Error],
            Self::Queue { .. } => &[Exit::Timeout],
            Self::Condition { .. } | Self::Disconnect => &[],
        }
    }

    pub(super) fn has_digit_exits(&self) -> bool {
        matches!(self, Self::Menu { .. })
    }

    pub(super) fn has_exit(&self, exit: Exit) -> bool {
        match exit {
            Exit::Digit(_) => self.has_digit_exits(),
            other => self.required_exits().contains(&other) || self.optional_exits().contains(&other),
        }
    }

    pub(super) fn exit_names(&self) -> Vec<String> {
        let digits = self.has_digit_exits().then(|| "0 to 9, * and #".to_owned());
        let named = self.required_exits().iter().chain(self.optional_exits());
        digits.into_iter().chain(named.map(Exit::to_string)).collect()
    }
}

fn play(table: &Table<'_>, scope: &Scope<'_>) -> Result<Kind, FlowError> {
    let prompts = prompts(table, scope, false)?;
    let interruptible = interruptible(table, BargeIn::Never)?;
    let forever = table.find("repeat").is_some_and(|(_, value)| value.get_ref().as_str() == Some("forever"));
    let repeat = if forever {
        Repeat::Forever
    } else {
        let times = table.integer("repeat", 1..=1_000, 1)?;
        Repeat::Times(u32::try_from(times).unwrap_or(1))
    };
    Ok(Kind::Play { prompts, repeat, interruptible })
}

/// `true` by a digit, `"voice"` by the caller's voice too.
fn interruptible(table: &Table<'_>, default: BargeIn) -> Result<BargeIn, FlowError> {
    let Some((offset, value)) = table.find("interruptible") else { return Ok(default) };
    match value.get_ref() {
        DeValue::Boolean(true) => Ok(BargeIn::Digit),
        DeValue::Boolean(false) => Ok(BargeIn::Never),
        DeValue::String(text) if text == "voice" => Ok(BargeIn::DigitOrVoice),
        _ => Err(table.wrong_type(
            "interruptible",
            offset,
            value,
            "true, false, or \"voice\" for a voice as well",
        )),
    }
}

fn menu(table: &Table<'_>, scope: &Scope<'_>) -> Result<Kind, FlowError> {
    let interruptible = interruptible(table, BargeIn::Digit)?;
    let timeout = table.milliseconds("timeout_ms", 1_000..=30_000, 3_000)?;
    let rules = CollectRules {
        min_digits: 1,
        max_digits: 1,
        terminators: String::new(),
        first_digit_timeout: timeout,
        inter_digit_timeout: timeout,
        clear_typeahead: interruptible == BargeIn::Never,
        sensitive: false,
    };
    Ok(Kind::Menu { prompts: prompts(table, scope, false)?, interruptible, rules })
}

fn collect(table: &Table<'_>, scope: &Scope<'_>) -> Result<Kind, FlowError> {
    let variables = scope.variables;
    let digits = |key, default| {
        table.integer(key, 1..=20, default).map(|count| u8::try_from(count).unwrap_or(u8::MAX))
    };
    let (min_digits, max_digits) = (digits("min_digits", 1)?, digits("max_digits", 20)?);
    if min_digits > max_digits {
        let offset = table.find("min_digits").map_or(table.offset, |(offset, _)| offset);
        let wanted = format!("at most `max_digits`, which is {max_digits}");
        return Err(table.place.error(offset, FlowProblem::OutOfRange { key: "min_digits".into(), wanted }));
    }
    let interruptible = interruptible(table, BargeIn::Digit)?;
    let variable = variable_of_type(table, variables, Type::String)?;
    let rules = CollectRules {
        min_digits,
        max_digits,
        terminators: terminator(table)?.to_owned(),
        first_digit_timeout: table.milliseconds("first_digit_timeout_ms", 1_000..=30_000, 3_000)?,
        inter_digit_timeout: table.milliseconds("inter_digit_timeout_ms", 100..=30_000, 3_000)?,
        clear_typeahead: interruptible == BargeIn::Never,
        sensitive: variables[variable].sensitive,
    };
    Ok(Kind::Collect { prompts: prompts(table, scope, true)?, interruptible, rules, variable })
}

fn terminator<'a>(table: &Table<'a>) -> Result<&'a str, FlowError> {
    if table.find("terminator").is_none() {
        return Ok("");
    }
    let (offset, text) = table.string("terminator", "terminator = \"#\"")?;
    match text {
        "" | "#" | "*" => Ok(text),
        other => {
            let problem = FlowProblem::BadDigits {
                key: "terminator".into(),
                found: other.to_owned(),
                wanted: "\"#\" or \"*\"".into(),
            };
            Err(table.place.error(offset, problem))
        }
    }
}

fn record(table: &Table<'_>) -> Result<Kind, FlowError> {
    let (offset, word) = table.string("action", "action = \"begin\"")?;
    let action = match word {
        "begin" => RecordAction::Begin,
        "pause" => RecordAction::Pause,
        "resume" => RecordAction::Resume,
        "end" => RecordAction::End,
        _ => {
            let wanted = "\"begin\", \"pause\", \"resume\" or \"end\"".to_owned();
            return Err(table.place.error(offset, FlowProblem::OutOfRange { key: "action".into(), wanted }));
        }
    };
    Ok(Kind::Record { action })
}

fn set(table: &Table<'_>, variables: &[Variable]) -> Result<Kind, FlowError> {
    let (offset, variable) = variable(table, variables)?;
    let target = &variables[variable];
    if matches!(target.name.as_str(), "ani" | "dnis") {
        let why = "it is built in and cannot be set".to_owned();
        return Err(table.place.error(offset, FlowProblem::BadVariable { name: target.name.clone(), why }));
    }
    if let Some((offset, value)) = table.find("add") {
        let Some(amount) = super::table::whole_number(value.get_ref()) else {
            return Err(table.wrong_type("add", offset, value, "a whole number"));
        };
        expect_type(table, offset, target, Type::Integer)?;
        return Ok(Kind::Set { variable, assignment: Assignment::Add(amount) });
    }
    let (offset, value) = table.require("to", "to = \"text with {{variable}}\"")?;
    let assignment = match table.scalar("to", offset, value)? {
        Value::String(text) if text.contains("{{") => template(table, offset, &text, target, variables)?,
        literal => {
            expect_type(table, offset, target, literal.kind())?;
            Assignment::Literal(literal)
        }
    };
    Ok(Kind::Set { variable, assignment })
}

fn template(
    table: &Table<'_>,
    offset: usize,
    text: &str,
    target: &Variable,
    variables: &[Variable],
) -> Result<Assignment, FlowError> {
    let template = template_of(table, "to", offset, text, variables)?;
    let leak = template.variables().find(|index| variables[*index].sensitive && !target.sensitive);
    match leak {
        None => Ok(Assignment::Template(template)),
        Some(index) => {
            let problem = FlowProblem::Leak { from: variables[index].name.clone(), to: target.name.clone() };
            Err(table.place.error(offset, problem))
        }
    }
}

/// A text with variables in it, which stands under `key`.
pub(super) fn template_of(
    table: &Table<'_>,
    key: &str,
    offset: usize,
    text: &str,
    variables: &[Variable],
) -> Result<Template, FlowError> {
    let find = |name: &str| variables.iter().position(|variable| variable.name == name);
    Template::parse(text, find).map_err(|error| {
        let problem = match error {
            TemplateError::Unclosed => FlowProblem::BadTemplate { key: key.to_owned() },
            TemplateError::UnknownVariable(name) => unknown_variable(name, variables),
        };
        table.place.error(offset, problem)
    })
}

fn condition(table: &Table<'_>, variables: &[Variable]) -> Result<Kind, FlowError> {
    let (_, variable) = variable(table, variables)?;
    let (operator_offset, text) = table.string("operator", "operator = \"==\"")?;
    let operator = match text {
        "==" => Operator::Equal,
        "!=" => Operator::NotEqual,
        "<" => Operator::Less,
        ">" => Operator::Greater,
        _ => {
            let wanted = "one of \"==\", \"!=\", \"<\", \">\"".to_owned();
            let problem = FlowProblem::OutOfRange { key: "operator".into(), wanted };
            return Err(table.place.error(operator_offset, problem));
        }
    };
    let (offset, value) = table.require("value", "value = 3")?;
    let value = table.scalar("value", offset, value)?;
    expect_type(table, offset, &variables[variable], value.kind())?;
    if value.kind() == Type::Boolean && matches!(operator, Operator::Less | Operator::Greater) {
        let wanted = "\"==\" or \"!=\" for a boolean".to_owned();
        let problem = FlowProblem::OutOfRange { key: "operator".into(), wanted };
        return Err(table.place.error(operator_offset, problem));
    }
    Ok(Kind::Condition { variable, operator, value })
}

fn play_digits(table: &Table<'_>, variables: &[Variable]) -> Result<Kind, FlowError> {
    Ok(Kind::PlayDigits { variable: variable_of_type(table, variables, Type::String)? })
}

/// The variable the activity names: where, and its index.
fn variable(table: &Table<'_>, variables: &[Variable]) -> Result<(usize, usize), FlowError> {
    let (offset, name) = table.string("variable", "variable = \"digits\"")?;
    match variables.iter().position(|variable| variable.name == name) {
        Some(index) => Ok((offset, index)),
        None => Err(table.place.error(offset, unknown_variable(name.to_owned(), variables))),
    }
}

fn variable_of_type(table: &Table<'_>, variables: &[Variable], kind: Type) -> Result<usize, FlowError> {
    let (offset, index) = variable(table, variables)?;
    expect_type(table, offset, &variables[index], kind)?;
    Ok(index)
}

fn expect_type(table: &Table<'_>, offset: usize, variable: &Variable, wanted: Type) -> Result<(), FlowError> {
    let found = variable.initial.kind();
    if found == wanted {
        return Ok(());
    }
    let problem =
        FlowProblem::WrongVariable { variable: variable.name.clone(), found, wanted: wanted.to_string() };
    Err(table.place.error(offset, problem))
}

fn unknown_variable(name: String, variables: &[Variable]) -> FlowProblem {
    FlowProblem::UnknownVariable { name, known: variables.iter().map(|known| known.name.clone()).collect() }
}
