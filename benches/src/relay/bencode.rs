//! As much of bencoding as rtpengine's ng protocol needs: dictionaries and lists of strings out, one string of an
//! answer in.

/// A value to send.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// A byte string.
    Text(&'a str),
    /// A list of byte strings.
    List(&'a [&'a str]),
}

/// A dictionary.
#[must_use]
pub fn dictionary(entries: &[(&str, Value<'_>)]) -> String {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(key, _)| *key);
    let mut out = String::from("d");
    for (key, value) in entries {
        push_text(&mut out, key);
        match value {
            Value::Text(text) => push_text(&mut out, text),
            Value::List(items) => {
                out.push('l');
                items.iter().for_each(|item| push_text(&mut out, item));
                out.push('e');
            }
        }
    }
    out.push('e');
    out
}

/// The string that stands behind a key anywhere in a message.
#[must_use]
pub fn text_of<'a>(message: &'a str, key: &str) -> Option<&'a str> {
    let mut prefix = String::new();
    push_text(&mut prefix, key);
    let rest = message.split_once(&prefix)?.1;
    let (len, rest) = rest.split_once(':')?;
    rest.get(..len.parse().ok()?)
}

fn push_text(out: &mut String, text: &str) {
    out.push_str(&text.len().to_string());
    out.push(':');
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_sorted_and_strings_carry_their_length() {
        let entries = [("sdp", Value::Text("v=0")), ("replace", Value::List(&["a", "bc"]))];
        assert_eq!(dictionary(&entries), "d7:replacel1:a2:bce3:sdp3:v=0e");
    }

    #[test]
    fn a_string_is_found_by_its_key() {
        assert_eq!(text_of("d6:result2:ok3:sdp3:v=0e", "sdp"), Some("v=0"));
        assert_eq!(text_of("d6:result2:oke", "sdp"), None);
        assert_eq!(text_of("d3:sdp9:v=0e", "sdp"), None);
    }
}
