//! What flows say of values: sequences of prompts, by the grammar of a language.

use std::collections::VecDeque;
use std::sync::Arc;

use tandem_control::{ContactCentre, ContactCentreConfig, flow, say};

use crate::support::{Scene, call, config, facts, log, model, run_to};

/// The demo's flow that says what it knows, on a node with the demo's grammars and their words.
fn saying(text: &str) -> ContactCentreConfig {
    let mut config = config();
    let grammars = [
        ("en", include_str!("../../../config/demo/grammars/en.toml")),
        ("de", include_str!("../../../config/demo/grammars/de.toml")),
    ]
    .map(|(language, text)| (language.to_owned(), say::parse(language, text).expect("a sound grammar")));
    config.grammars = Arc::new(grammars.into());
    config.prompts.extend(config.grammars.values().flat_map(say::Grammar::prompts));
    config.flows.push(flow::parse("say", text).expect("a sound flow"));
    config.entry_points.insert("+15550120".to_owned(), "say".to_owned());
    config
}

const DEMO: &str = include_str!("../../../config/demo/flows/say.toml");

#[test]
fn values_are_said_in_the_language_that_the_flow_names() {
    let mut model = model(saying(DEMO), Scene { typed: VecDeque::from(["121#"]), ..Scene::default() }, &[]);
    call(&mut model, 0, "+15550120", None);
    run_to(&mut model, 120);
    let heard: Vec<&str> =
        log(&model).into_iter().filter_map(|line| line.split_once(" play ")).map(|x| x.1).collect();
    assert_eq!(
        heard,
        [
            "welcome[0ns, Some(700ms)] + Silence(300ms) + en/3rd + Silence(300ms) + en/1 + en/thousand + en/2 + \
             en/hundred + en/and + en/30 + en/4 + en/euros + en/and + en/50 + en/cents + Silence(300ms) + \
             en/saturday + en/november + en/20 + en/1st + en/20 + en/20 + en/6 + Silence(300ms) + en/5 + en/30 + en/pm",
            "enter-digits",
            "en/1 + en/2 + en/1 + Silence(300ms) + de/ein + de/hundert + de/ein + de/und + de/20 + Silence(300ms) + \
             de/ein + de/hundert + de/ein + de/und + de/20 + de/franken",
        ]
    );
    assert_eq!(facts(&model).last().map(String::as_str), Some("step end -> disconnect"));
}

#[test]
fn what_cannot_be_said_leaves_by_the_exit_error() {
    for (what, with) in [
        ("balance = \"1234.50\"", "balance = \"plenty\""),
        ("language = \"en\"\nplace", "language = \"fr\"\nplace"),
    ] {
        let text = DEMO.replacen(what, with, 1);
        assert_ne!(text, DEMO);
        let mut model = model(saying(&text), Scene::default(), &[]);
        call(&mut model, 0, "+15550120", None);
        run_to(&mut model, 120);
        assert_eq!(facts(&model)[1], "step hello -> error", "{with}");
    }
}

#[test]
fn a_grammar_whose_words_are_not_recorded_is_refused() {
    let mut config = saying(DEMO);
    config.prompts.remove("de/uhr");
    config.prompts.remove("de/20te");
    let refusal = ContactCentre::new(config).map(|_| ()).expect_err("two words are missing").to_string();
    assert_eq!(
        refusal,
        "the grammar of language `de` needs prompts that do not exist: de/20te, de/uhr; record them, or take them out \
         of the grammar"
    );
}
