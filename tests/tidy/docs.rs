//! What README.md and ARCHITECTURE.md point at exists.

use std::collections::BTreeSet;

const PAGES: &[&str] = &["README.md", "ARCHITECTURE.md"];

/// The `code` spans of a page.
fn spans(page: &str) -> Vec<String> {
    super::read(page.as_ref()).split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_file_the_pages_name_is_there() {
    let mut missing = Vec::new();
    for page in PAGES {
        for span in spans(page) {
            let is_path =
                !span.contains([' ', '*', ':', '…']) && (span.ends_with('/') || has_known_ending(&span));
            if is_path && !super::root().join(&span).exists() {
                missing.push(format!("{page}: {span}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

fn has_known_ending(span: &str) -> bool {
    span.contains('/') && [".rs", ".toml", ".md", ".xml", ".pcap"].iter().any(|ending| span.ends_with(ending))
}

#[test]
fn every_test_the_architecture_names_is_there() {
    let functions: BTreeSet<String> = super::files(".rs")
        .iter()
        .flat_map(|file| {
            let text = super::read(file);
            text.split("fn ")
                .skip(1)
                .filter_map(|rest| rest.split('(').next())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let page = super::read("ARCHITECTURE.md".as_ref());
    let table = page.split("## Invariants").nth(1).expect("a chapter of invariants");
    let named: Vec<&str> = table
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|span| {
            span.contains('_')
                && span.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
        })
        .collect();
    assert!(named.len() >= 10, "the invariants name their tests");
    let missing: Vec<&&str> = named.iter().filter(|name| !functions.contains(**name)).collect();
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}
