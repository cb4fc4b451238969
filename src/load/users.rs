//! Who registers.

use std::fs;
use std::path::Path;

/// The most users.
const MAX_USERS: usize = 1_000_000;

/// A user and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

/// Where the users come from.
pub(super) struct Users<'a> {
    pub(super) range: Option<&'a str>,
    pub(super) file: Option<&'a Path>,
}

impl Users<'_> {
    /// All of them; those of a range have the password of `pattern`, in which `{user}` stands for the user.
    pub(super) fn read(&self, pattern: &str) -> Result<Vec<User>, String> {
        match (self.range, self.file) {
            (Some(range), _) => of_range(range, pattern),
            (None, Some(file)) => {
                let text =
                    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
                of_text(&text).map_err(|error| format!("{}:{error}", file.display()))
            }
            (None, None) => Err("register needs --users 1000-1999, or --users-file FILE".into()),
        }
    }
}

fn of_range(range: &str, pattern: &str) -> Result<Vec<User>, String> {
    let user = |name: String| User { password: pattern.replace("{user}", &name), name };
    let Some((first, last)) = range.split_once('-') else { return Ok(vec![user(range.to_owned())]) };
    let wrong = || format!("--users {range}: write 1000-1999, the first one not greater than the last");
    let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
    let (from, to) = (number(first)?, number(last)?);
    if from > to || first.len() > last.len() {
        return Err(wrong());
    }
    if to - from >= MAX_USERS {
        return Err(format!("--users {range}: more than {MAX_USERS}"));
    }
    // 0007-0042 keeps its noughts.
    Ok((from..=to).map(|n| user(format!("{n:0width$}", width = first.len()))).collect())
}

fn of_text(text: &str) -> Result<Vec<User>, String> {
    let mut users = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let Some((name, password)) = line.trim().split_once(char::is_whitespace) else {
            return Err(format!("{number}: write `user password`"));
        };
        users.push(User { name: name.to_owned(), password: password.trim().to_owned() });
    }
    match users.len() {
        0 => Err("1: there is no user in it".into()),
        1..=MAX_USERS => Ok(users),
        _ => Err(format!("{}: more than {MAX_USERS} users", MAX_USERS + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(users: &[User]) -> Vec<(&str, &str)> {
        users.iter().map(|user| (user.name.as_str(), user.password.as_str())).collect()
    }

    #[test]
    fn a_range_has_passwords_by_a_pattern() {
        let users = of_range("0998-1001", "secret-{user}").unwrap();
        assert_eq!(
            names(&users),
            [
                ("0998", "secret-0998"),
                ("0999", "secret-0999"),
                ("1000", "secret-1000"),
                ("1001", "secret-1001")
            ]
        );
        assert_eq!(names(&of_range("alice", "x").unwrap()), [("alice", "x")]);
        assert!(of_range("2-1", "x").is_err());
        assert_eq!(of_range("1-1000000", "x").unwrap().len(), MAX_USERS);
        assert!(of_range("1-1000001", "x").is_err());
    }

    #[test]
    fn a_file_has_one_user_a_line() {
        assert_eq!(names(&of_text("a b\n\n c  d e \n").unwrap()), [("a", "b"), ("c", "d e")]);
        assert_eq!(of_text("a b\nc\n"), Err("2: write `user password`".into()));
        assert!(of_text("\n").is_err());
    }
}
