//! Text with variables in it: `Your number is {{ani}}`.

use super::Value;

/// A template whose variables are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(usize),
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// `{{` without `}}`.
    Unclosed,
    /// A variable that the flow does not declare.
    UnknownVariable(String),
}

impl Template {
    /// Reads a text; `find` gives a variable's index.
    pub(crate) fn parse(
        text: &str,
        mut find: impl FnMut(&str) -> Option<usize>,
    ) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
            let name = name.trim();
            let variable = find(name).ok_or_else(|| TemplateError::UnknownVariable(name.to_owned()))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Variable(variable));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    /// The text, when there is no variable in it.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The variables in it.
    pub(crate) fn variables(&self) -> impl Iterator<Item = usize> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(index) => Some(*index),
            Piece::Text(_) => None,
        })
    }

    /// The text with the variables' values put in; none when it becomes longer than a value may be.
    pub(crate) fn render(&self, values: &[Value]) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Variable(index) => text.push_str(&values.get(*index)?.to_string()),
            }
            if text.len() > Value::MAX_BYTES {
                return None;
            }
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Option<usize> {
        ["ani", "count"].iter().position(|known| *known == name)
    }

    #[test]
    fn variables_are_put_in() {
        let template = Template::parse("{{ani}} called {{ count }} times", find).unwrap();
        let values = [Value::String("+1555".into()), Value::Integer(3)];
        assert_eq!(template.render(&values).as_deref(), Some("+1555 called 3 times"));
        assert_eq!(template.variables().collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        assert_eq!(Template::parse("{{ani", find), Err(TemplateError::Unclosed));
        assert_eq!(Template::parse("{{who}}", find), Err(TemplateError::UnknownVariable("who".into())));
    }

    #[test]
    fn a_template_cannot_outgrow_a_value() {
        let template = Template::parse("{{ani}}{{ani}}", find).unwrap();
        let half = Value::String("x".repeat(Value::MAX_BYTES / 2));
        assert!(template.render(&[half]).is_some());
        let more_than_half = Value::String("x".repeat(Value::MAX_BYTES / 2 + 1));
        assert!(template.render(&[more_than_half]).is_none());
    }
}
