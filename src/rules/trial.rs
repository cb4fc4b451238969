//! `tandem check --rules`: what a trunk's rules make of one message.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;

use tandem_sbc::message::{HeaderIndex, Message, StartLine};
use tandem_sbc::rules::{RuleSet, Stage};

use crate::configuration::Loaded;

/// The largest file that is read; longer messages are refused anyway.
const MAX_BYTES: u64 = 1 << 20;

/// Which of a trunk's rules are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TrialDirection {
    /// For what comes from the trunk.
    In,
    /// For what leaves to it.
    Out,
}

/// A message's head before and after, line by line.
#[derive(Debug)]
pub(crate) struct Trial {
    title: String,
    lines: Vec<Line>,
    passed_over: Vec<String>,
}

/// A line, and the rule that is why it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Kept(String),
    Removed(String, String),
    Added(String, String),
}

/// Runs the message in a file through a trunk's rules.
///
/// # Errors
/// In words: what cannot be read, and where.
pub(crate) fn try_rules(
    config: &Path,
    file: &Path,
    trunk: Option<&str>,
    direction: TrialDirection,
) -> Result<Trial, String> {
    let loaded = Loaded::read(config).map_err(|error| error.to_string())?;
    let name = name_of(&loaded, trunk)?;
    let bytes = with_line_ends(&read(file)?);
    let mut index = HeaderIndex::new();
    let message = Message::parse(&bytes, &mut index)
        .map_err(|malformed| malformed.error)
        .and_then(|message| message.essentials().map(|_| message))
        .map_err(|error| {
            let line = bytes.iter().take(error.offset).filter(|byte| **byte == b'\n').count() + 1;
            format!("{}:{line}: this is no SIP message: {error}", file.display())
        })?;
    let none = RuleSet::default();
    let rules = loaded.rules.get(name).map_or(&none, |rules| match direction {
        TrialDirection::In => &rules.inbound,
        TrialDirection::Out => &rules.outbound,
    });
    Ok(Trial::of(name, direction, &message, &rules.stages(&message)))
}

fn name_of<'l>(loaded: &'l Loaded, trunk: Option<&str>) -> Result<&'l str, String> {
    let Some(wanted) = trunk else {
        let with_rules: Vec<&str> = loaded.rules.keys().map(String::as_str).collect();
        return match with_rules.as_slice() {
            [only] => Ok(only),
            [] => Err("no trunk has rules or numbers; write [[trunk.rule]] or [trunk.numbers]".to_owned()),
            several => Err(format!("these trunks have rules: {}; write --trunk NAME", several.join(", "))),
        };
    };
    let found = loaded.config.trunks.iter().find(|trunk| trunk.name == wanted);
    found.map(|trunk| trunk.name.as_str()).ok_or_else(|| {
        let names: Vec<&str> = loaded.config.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
        format!("there is no trunk {wanted:?}; there are: {}", names.join(", "))
    })
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(MAX_BYTES).read_to_end(&mut bytes)
    } else {
        fs::File::open(file).and_then(|open| open.take(MAX_BYTES).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("{}: cannot be read: {error}", file.display())),
    }
}

/// Editors end lines with LF, SIP with CRLF; and the empty line after the headers is easily forgotten.
fn with_line_ends(bytes: &[u8]) -> Vec<u8> {
    let mut ended = Vec::with_capacity(bytes.len() + 64);
    for &byte in bytes {
        if byte == b'\n' && ended.last() != Some(&b'\r') {
            ended.push(b'\r');
        }
        ended.push(byte);
    }
    if !ended.windows(4).any(|four| four == b"\r\n\r\n") {
        while ended.ends_with(b"\r\n") {
            ended.truncate(ended.len() - 2);
        }
        ended.extend_from_slice(b"\r\n\r\n");
    }
    ended
}

impl Trial {
    fn of(trunk: &str, direction: TrialDirection, message: &Message<'_>, stages: &[Stage]) -> Self {
        let what = match message.start() {
            StartLine::Request { method, .. } => method.to_string(),
            StartLine::Response { status, .. } => status.to_string(),
        };
        let way = match direction {
            TrialDirection::In => "from",
            TrialDirection::Out => "to",
        };
        let mut lines: Vec<Line> = head(message.bytes()).into_iter().map(Line::Kept).collect();
        for stage in stages.iter().filter(|stage| !stage.passed_over) {
            lines = merged(lines, &head(&stage.bytes), &stage.rule);
        }
        let passed_over = stages.iter().filter(|stage| stage.passed_over);
        Self {
            title: format!("{what} {way} {trunk}"),
            lines,
            passed_over: passed_over.map(|stage| stage.rule.clone()).collect(),
        }
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_changed = self.lines.iter().any(|line| !matches!(line, Line::Kept(_)));
        let verdict = if is_changed { "" } else { ": nothing changes" };
        write!(f, "{}{verdict}", self.title)?;
        for rule in &self.passed_over {
            write!(f, "\n! {rule}: passed over, since the message could not be read after it")?;
        }
        for line in &self.lines {
            match line {
                Line::Kept(text) => write!(f, "\n  {text}")?,
                Line::Removed(text, rule) => write!(f, "\n- {text}    [{rule}]")?,
                Line::Added(text, rule) => write!(f, "\n+ {text}    [{rule}]")?,
            }
        }
        Ok(())
    }
}

/// The start line and the headers, one a line; what is no UTF-8 is replaced.
fn head(bytes: &[u8]) -> Vec<String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(bytes)).lines().map(str::to_owned).collect()
}

/// The lines after one more rule, whose outcome is `after`. Lines that came and went between are not shown.
fn merged(before: Vec<Line>, after: &[String], rule: &str) -> Vec<Line> {
    let mut merged = Vec::new();
    let mut rest = after;
    for line in before {
        let text = match &line {
            Line::Removed(..) => {
                merged.push(line);
                continue;
            }
            Line::Kept(text) | Line::Added(text, _) => text.clone(),
        };
        // Rules keep the order of what they keep: what stands before the next kept line is new.
        match rest.iter().position(|other| *other == text) {
            Some(at) => {
                merged.extend(rest[..at].iter().map(|new| Line::Added(new.clone(), rule.to_owned())));
                merged.push(line);
                rest = &rest[at + 1..];
            }
            None => match line {
                Line::Kept(text) => merged.push(Line::Removed(text, rule.to_owned())),
                Line::Removed(..) | Line::Added(..) => {}
            },
        }
    }
    merged.extend(rest.iter().map(|new| Line::Added(new.clone(), rule.to_owned())));
    merged
}
