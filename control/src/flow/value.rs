//! Values of flow variables.

use std::fmt;

/// A variable's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
}

impl Value {
    /// The longest text a variable holds, in bytes.
    pub const MAX_BYTES: usize = 1_024;

    /// The value's type.
    #[must_use]
    pub const fn kind(&self) -> Type {
        match self {
            Self::String(_) => Type::String,
            Self::Integer(_) => Type::Integer,
            Self::Boolean(_) => Type::Boolean,
        }
    }

    /// Reads text as a value of that type; none when it is not one, or too long.
    #[must_use]
    pub fn read(kind: Type, text: &str) -> Option<Self> {
        match kind {
            Type::String => (text.len() <= Self::MAX_BYTES).then(|| Self::String(text.to_owned())),
            Type::Integer => text.trim().parse().ok().map(Self::Integer),
            Type::Boolean => text.trim().parse().ok().map(Self::Boolean),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Boolean(truth) => write!(f, "{truth}"),
        }
    }
}

/// A variable's type, fixed by the value it is declared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Yes or no.
    Boolean,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_the_type_it_must_have() {
        assert_eq!(Value::read(Type::Integer, " 42"), Some(Value::Integer(42)));
        assert_eq!(Value::read(Type::Integer, "4x"), None);
        assert_eq!(Value::read(Type::Boolean, "true"), Some(Value::Boolean(true)));
        assert_eq!(Value::read(Type::Boolean, "1"), None);
    }

    #[test]
    fn text_has_a_longest_length() {
        let longest = "x".repeat(Value::MAX_BYTES);
        assert!(Value::read(Type::String, &longest).is_some());
        assert!(Value::read(Type::String, &format!("{longest}x")).is_none());
    }
}
