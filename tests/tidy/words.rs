//! What must not be written: unfinished work, sleeping or skipped tests, unbounded queues, paths of some machine.

use std::path::Path;

/// A word and the files it must not stand in.
struct Ban {
    /// Spelt in two parts, so that this file does not hold it.
    word: (&'static str, &'static str),
    within: fn(&Path) -> bool,
    instead: &'static str,
}

const BANS: &[Ban] = &[
    Ban { word: ("TO", "DO"), within: everywhere, instead: "finish it, or file an issue" },
    Ban { word: ("FIX", "ME"), within: everywhere, instead: "mend it, or file an issue" },
    Ban { word: ("todo", "!("), within: everywhere, instead: "finish it" },
    Ban { word: ("unimplemented", "!("), within: everywhere, instead: "finish it" },
    Ban { word: ("#[ign", "ore"), within: everywhere, instead: "a test runs or is deleted" },
    Ban { word: ("allow(dead", "_code"), within: everywhere, instead: "delete what nobody calls" },
    Ban { word: ("thread::sl", "eep("), within: everywhere, instead: "drive or await time" },
    Ban { word: ("time::sl", "eep("), within: tests, instead: "drive or await what should happen" },
    Ban { word: ("unbounded", "_channel("), within: everywhere, instead: "a channel with a named maximum" },
    Ban { word: ("mpsc::chan", "nel()"), within: everywhere, instead: "a channel with a named maximum" },
    Ban { word: ("/wo", "rk/"), within: everywhere, instead: "no path of some machine" },
    Ban { word: ("/ho", "me/"), within: everywhere, instead: "no path of some machine" },
];

fn everywhere(_: &Path) -> bool {
    true
}

fn tests(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn nothing_unfinished_skipped_unbounded_or_private_is_written() {
    let mut complaints = Vec::new();
    for file in super::files(".rs").iter().chain(&super::files(".toml")).chain(&super::files(".md")) {
        let text = super::read(file);
        for ban in BANS.iter().filter(|ban| (ban.within)(file)) {
            let word = [ban.word.0, ban.word.1].concat();
            for (number, _) in text.lines().enumerate().filter(|(_, line)| line.contains(&word)) {
                complaints.push(format!("{}:{}: {word}: {}", file.display(), number + 1, ban.instead));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
