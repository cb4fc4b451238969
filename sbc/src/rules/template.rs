//! Values with captures in them.

use std::collections::BTreeMap;

use regex::bytes::{Captures, Regex};

/// What named groups of a rule's conditions matched.
pub(super) type Named = BTreeMap<String, Vec<u8>>;

/// Text with `${1}` and `${name}` in it; `$$` is a dollar.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Group(usize),
    Name(String),
}

impl Template {
    /// Reads a value. `own` is the pattern it stands beside, `named` the names that the rule's conditions capture.
    ///
    /// # Errors
    /// In words, with what to write instead.
    pub(super) fn parse(text: &str, own: Option<&Regex>, named: &[String]) -> Result<Self, (String, String)> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            let after = &rest[at + 1..];
            if let Some(after) = after.strip_prefix('$') {
                pieces.push(Piece::Text("$".to_owned()));
                rest = after;
                continue;
            }
            let Some((name, after)) = after.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
                let advice = "write ${1} or ${name} for a capture, $$ for a dollar".to_owned();
                return Err(("a $ that begins no capture".to_owned(), advice));
            };
            pieces.push(capture(name, own, named)?);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self { pieces })
    }

    /// The value for these captures; what matched nothing is empty.
    pub(super) fn expand(&self, own: Option<&Captures<'_>>, named: &Named) -> Vec<u8> {
        let mut value = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => value.extend_from_slice(text.as_bytes()),
                Piece::Group(group) => {
                    let found = own.and_then(|captures| captures.get(*group));
                    value.extend_from_slice(found.map_or(&[], |found| found.as_bytes()));
                }
                Piece::Name(name) => {
                    let own = own.and_then(|captures| captures.name(name)).map(|found| found.as_bytes());
                    let found = own.or_else(|| named.get(name).map(Vec::as_slice));
                    value.extend_from_slice(found.unwrap_or_default());
                }
            }
        }
        value
    }
}

fn capture(name: &str, own: Option<&Regex>, named: &[String]) -> Result<Piece, (String, String)> {
    let own_names: Vec<&str> = own.into_iter().flat_map(Regex::capture_names).flatten().collect();
    let groups = own.map_or(0, Regex::captures_len);
    if let Ok(group) = name.parse::<usize>() {
        if group < groups {
            return Ok(Piece::Group(group));
        }
    } else if own_names.contains(&name) || named.iter().any(|known| known == name) {
        return Ok(Piece::Name(name.to_owned()));
    }
    let mut known: Vec<String> = (0..groups).map(|group| format!("${{{group}}}")).collect();
    known.extend(own_names.iter().map(|name| format!("${{{name}}}")));
    known.extend(named.iter().map(|name| format!("${{{name}}}")));
    let advice = if known.is_empty() {
        "name a group of a condition, (?<name>…), or write $$ for a dollar".to_owned()
    } else {
        format!("there are {}", known.join(", "))
    };
    Err((format!("there is no capture ${{{name}}}"), advice))
}
