//! What SIPp's scenarios have in common: a line `{name argument …}` stands for the file `name.txt` of the parts, with
//! `$1`, `$2` … replaced by the arguments, so that a scenario shows only what is its own.

use std::fs;
use std::io;
use std::path::Path;

/// Parts within parts: how deep.
const MAX_DEPTH: usize = 4;

/// Puts the parts of the folder `parts` into a scenario's text.
pub(crate) fn expand(text: &str, parts: &Path) -> io::Result<String> {
    expand_to(text, parts, MAX_DEPTH)
}

fn expand_to(text: &str, parts: &Path, depth: usize) -> io::Result<String> {
    let mut expanded = String::with_capacity(text.len());
    for line in text.lines() {
        let call = line.trim().strip_prefix('{').and_then(|line| line.strip_suffix('}'));
        let Some(call) = call else {
            expanded.push_str(line);
            expanded.push('\n');
            continue;
        };
        if depth == 0 {
            return Err(io::Error::other(format!("{line}: parts within parts, too deep")));
        }
        let mut words = call.split_whitespace();
        let file = parts.join(words.next().unwrap_or_default()).with_extension("txt");
        let part = fs::read_to_string(&file)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
        expanded.push_str(&expand_to(&filled(&part, words), parts, depth - 1)?);
    }
    Ok(expanded)
}

/// A part with its arguments; those that are missing are empty.
fn filled<'a>(part: &str, arguments: impl Iterator<Item = &'a str>) -> String {
    let mut arguments = arguments;
    (1..=9).fold(part.to_owned(), |text, place| {
        text.replace(&format!("${place}"), arguments.next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_braces_is_replaced_by_its_part_and_its_arguments() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("outer.txt"), "before\n{inner $1 x}\n").expect("a part");
        fs::write(folder.path().join("inner.txt"), "<$1$2$3>\n").expect("a part");
        let expanded = expand("a\n  {outer 7}\nb {not} this\n", folder.path()).expect("it expands");
        assert_eq!(expanded, "a\nbefore\n<7x>\nb {not} this\n");
    }

    #[test]
    fn a_part_that_contains_itself_or_is_missing_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("self.txt"), "{self}\n").expect("a part");
        assert!(expand("{self}", folder.path()).is_err_and(|error| error.to_string().contains("{self}")));
        assert!(expand("{none}", folder.path()).is_err_and(|error| error.to_string().contains("none.txt")));
    }
}
