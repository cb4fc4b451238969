//! A flow file is accepted, or refused with its line and what to write instead.

use std::collections::BTreeSet;

use tandem_control::flow::{self, Inventory};
use tandem_control::say::{self, Grammars};

fn check(
    flow: &flow::Flow,
    queues: &BTreeSet<String>,
    prompts: &BTreeSet<String>,
) -> Result<(), flow::FlowError> {
    flow.check(Inventory { queues, prompts, grammars: &demo_grammars(), speech: false, recording: false })
}

fn demo_grammars() -> Grammars {
    [
        ("en", include_str!("../../../config/demo/grammars/en.toml")),
        ("de", include_str!("../../../config/demo/grammars/de.toml")),
    ]
    .map(|(language, text)| (language.to_owned(), say::parse(language, text).expect("a sound grammar")))
    .into()
}

/// A flow with one fault, given as an extra or other activity.
fn refusal(text: &str) -> String {
    flow::parse("faulty", text).expect_err("has a fault").to_string()
}

#[test]
fn the_demo_flows_are_sound() {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let queues = names(&["sales", "support"]);
    let prompts = names(&["welcome", "menu", "invalid", "no-input", "goodbye", "enter-digits", "loop"]);
    let files = [
        ("main-menu", include_str!("../../../config/demo/flows/main-menu.toml")),
        ("sales", include_str!("../../../config/demo/flows/sales.toml")),
        ("prompt-loop", include_str!("../../../config/demo/flows/prompt-loop.toml")),
        ("echo", include_str!("../../../config/demo/flows/echo.toml")),
        ("read-back", include_str!("../../../config/demo/flows/read-back.toml")),
        ("say", include_str!("../../../config/demo/flows/say.toml")),
    ];
    for (name, text) in files {
        let flow = flow::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(flow.name(), name);
        check(&flow, &queues, &prompts).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// One fault each, and what it is.
const FAULTS: &[(&str, &str)] = &[
    ("not toml", "start = \n"),
    ("no start", "[activities.a]\ntype = \"echo\"\n"),
    ("no activities", "start = \"a\"\n"),
    ("start leads nowhere", "start = \"b\"\n[activities.a]\ntype = \"echo\"\n"),
    ("unknown type", "start = \"a\"\n[activities.a]\ntype = \"playy\"\n"),
    ("unknown key at the top", "begin = \"a\"\nstart = \"a\"\n[activities.a]\ntype = \"echo\"\n"),
    ("unknown key", "start = \"a\"\n[activities.a]\ntype = \"echo\"\nvolume = 3\n"),
    (
        "dangling exit",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [\"p\"]\nexits = { done = \"c\" }\n",
    ),
    ("missing exit", "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [\"p\"]\n"),
    (
        "menu without a digit",
        "start = \"a\"\n[activities.a]\ntype = \"menu\"\nprompts = [\"p\"]\n\
             exits = { timeout = \"a\", invalid = \"a\" }\n",
    ),
    ("exit it does not have", "start = \"a\"\n[activities.a]\ntype = \"echo\"\nexits = { done = \"a\" }\n"),
    (
        "digit exit of something else",
        "start = \"a\"\n[activities.a]\ntype = \"queue\"\nqueue = \"q\"\nexits = { 1 = \"a\", failure = \"a\" }\n",
    ),
    (
        "unreachable",
        "start = \"a\"\n[activities.a]\ntype = \"echo\"\n\n[activities.island]\ntype = \"echo\"\n",
    ),
    (
        "no prompts",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = []\nexits = { done = \"a\" }\n",
    ),
    (
        "wrong type",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = \"p\"\nexits = { done = \"a\" }\n",
    ),
    (
        "out of range",
        "start = \"a\"\n[activities.a]\ntype = \"menu\"\nprompts = [\"p\"]\ntimeout_ms = 500\n\
             exits = { 1 = \"a\", timeout = \"a\", invalid = \"a\" }\n",
    ),
    (
        "more digits needed than taken",
        "start = \"a\"\n[variables]\nd = \"\"\n[activities.a]\ntype = \"collect\"\nmin_digits = 5\n\
             max_digits = 4\nvariable = \"d\"\nexits = { done = \"a\", timeout = \"a\", invalid = \"a\" }\n",
    ),
    (
        "terminator that is a digit",
        "start = \"a\"\n[variables]\nd = \"\"\n[activities.a]\ntype = \"collect\"\nterminator = \"5\"\n\
             variable = \"d\"\nexits = { done = \"a\", timeout = \"a\", invalid = \"a\" }\n",
    ),
    (
        "unknown variable",
        "start = \"a\"\n[activities.a]\ntype = \"play-digits\"\nvariable = \"d\"\nexits = { done = \"a\" }\n",
    ),
    (
        "variable of another type",
        "start = \"a\"\n[variables]\nd = 4\n[activities.a]\ntype = \"play-digits\"\nvariable = \"d\"\n\
             exits = { done = \"a\" }\n",
    ),
    ("built-in variable declared", "start = \"a\"\n[variables]\nani = 1\n[activities.a]\ntype = \"echo\"\n"),
    ("bad variable name", "start = \"a\"\n[variables]\n9a = 1\n[activities.a]\ntype = \"echo\"\n"),
    (
        "built-in variable set",
        "start = \"a\"\n[activities.a]\ntype = \"set\"\nvariable = \"ani\"\nto = \"x\"\nexits = { done = \"a\" }\n",
    ),
    (
        "sensitive value copied",
        "start = \"a\"\n[variables]\nshown = \"\"\npin = { value = \"\", sensitive = true }\n\
             [activities.a]\ntype = \"set\"\nvariable = \"shown\"\nto = \"pin {{pin}}\"\nexits = { done = \"a\" }\n",
    ),
    (
        "open template",
        "start = \"a\"\n[variables]\nv = \"\"\n[activities.a]\ntype = \"set\"\nvariable = \"v\"\nto = \"{{ani\"\n\
             exits = { done = \"a\" }\n",
    ),
    (
        "unknown operator",
        "start = \"a\"\n[activities.a]\ntype = \"condition\"\nvariable = \"ani\"\noperator = \"=\"\n\
             value = \"1\"\nexits = { true = \"a\", false = \"a\" }\n",
    ),
    (
        "boolean ordered",
        "start = \"a\"\n[variables]\nb = true\n[activities.a]\ntype = \"condition\"\nvariable = \"b\"\n\
             operator = \"<\"\nvalue = true\nexits = { true = \"a\", false = \"a\" }\n",
    ),
    (
        "a prompt that is a number",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [\"p\", 3]\nexits = { done = \"a\" }\n",
    ),
    (
        "pause too long",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ pause_ms = 86_400_001 }]\nexits = { done = \"a\" }\n",
    ),
    (
        "unknown key of a prompt",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ prompt = \"p\", until_ms = 3 }]\nexits = { done = \"a\" }\n",
    ),
    (
        "a table without a prompt",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ from_ms = 3 }]\nexits = { done = \"a\" }\n",
    ),
    (
        "a tone there is not",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ tone = \"boop\" }]\nexits = { done = \"a\" }\n",
    ),
    (
        "said without a manner",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ say = \"{{ani}}\" }]\nexits = { done = \"a\" }\n",
    ),
    (
        "said in a manner there is not",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ say = \"{{ani}}\", as = \"poem\" }]\nexits = { done = \"a\" }\n",
    ),
    (
        "said in no language",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ say = \"{{ani}}\", as = \"digits\" }]\nexits = { done = \"a\" }\n",
    ),
    (
        "money without a currency",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ say = \"3\", as = \"money\", language = \"en\" }]\nexits = { done = \"a\" }\n",
    ),
    (
        "said of no variable",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ say = \"{{who}}\", as = \"digits\", language = \"en\" }]\nexits = { done = \"a\" }\n",
    ),
    (
        "interruptible by what there is not",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [\"p\"]\ninterruptible = \"cough\"\nexits = { done = \"a\" }\n",
    ),
    (
        "sensitive value spoken",
        "start = \"a\"\nlanguage = \"en\"\n[variables]\npin = { value = \"\", sensitive = true }\n[activities.a]\n\
         type = \"play\"\nprompts = [{ text = \"pin {{pin}}\" }]\nexits = { done = \"a\" }\n",
    ),
    (
        "spoken in no language",
        "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [{ text = \"hi\" }]\nexits = { done = \"a\" }\n",
    ),
];

#[test]
fn every_fault_names_its_line_and_what_to_write() {
    let rendered: Vec<String> =
        FAULTS.iter().map(|(what, text)| format!("{what}\n    {}\n", refusal(text))).collect();
    insta::assert_snapshot!(rendered.join(""));
}

#[test]
fn queues_and_prompts_must_exist_on_the_node() {
    let text = "start = \"a\"\n[activities.a]\ntype = \"play\"\nprompts = [\"hello\"]\nexits = { done = \"q\" }\n\
                [activities.q]\ntype = \"queue\"\nqueue = \"sales\"\nexits = { failure = \"a\" }\n";
    let flow = flow::parse("greeting", text).expect("sound in itself");
    let some = |name: &str| BTreeSet::from([name.to_owned()]);
    let refusal = check(&flow, &some("sales"), &some("helo")).expect_err("no prompt `hello`");
    assert_eq!(
        refusal.to_string(),
        "greeting.toml:2: activity `a`: there is no prompt `hello`; write one of: helo"
    );
    let refusal = check(&flow, &some("support"), &some("hello")).expect_err("no queue `sales`");
    assert_eq!(
        refusal.to_string(),
        "greeting.toml:6: activity `q`: there is no queue `sales`; write one of: support"
    );
}

#[test]
fn a_recording_does_something_there_is_on_a_node_that_keeps_some() {
    let text = |action: &str| {
        format!(
            "start = \"a\"\n[activities.a]\ntype = \"record\"\naction = \"{action}\"\nexits = {{ done = \"a\" }}\n"
        )
    };
    let place = "faulty.toml:4: activity `a`:";
    assert_eq!(
        refusal(&text("stop")),
        format!("{place} `action` must be \"begin\", \"pause\", \"resume\" or \"end\"")
    );
    let nothing = BTreeSet::new();
    let flow = flow::parse("recorded", &text("begin")).expect("sound in itself");
    let refusal = check(&flow, &nothing, &nothing).expect_err("nothing is kept").to_string();
    assert_eq!(
        refusal,
        "recorded.toml:2: activity `a`: the node keeps no recordings; add [recording] with folder = \"…\" to its \
         configuration"
    );
}

/// In the language that it is said in, which must have a grammar with words for it.
#[test]
fn what_is_said_must_have_words() {
    let german = include_str!("../../../config/demo/grammars/de.toml");
    let bare = "number = \"n\"\n[rules.n]\n0 = \"#\"\n10 = \"!\"\n";
    let grammars: Grammars = [("de", german), ("xx", bare)]
        .map(|(language, text)| (language.to_owned(), say::parse(language, text).expect("sound")))
        .into();
    let nothing = BTreeSet::new();
    let refusal = |prompt: &str| {
        let text = format!(
            "start = \"a\"\n[variables]\ntongue = \"\"\n[activities.a]\ntype = \"play\"\nprompts = [{prompt}]\n\
             exits = {{ done = \"a\" }}\n"
        );
        let flow = flow::parse("said", &text).expect("sound in itself");
        let (queues, prompts, grammars) = (&nothing, &nothing, &grammars);
        let inventory = Inventory { queues, prompts, grammars, speech: false, recording: false };
        flow.check(inventory).err().map_or_else(|| "sound".to_owned(), |error| error.to_string())
    };
    let said = |manner: &str, language: &str| {
        refusal(&format!(
            "{{ say = \"1\", as = \"{manner}\", currency = \"CHF\", language = \"{language}\" }}"
        ))
    };
    let place = "said.toml:4: activity `a`:";
    assert_eq!(said("money", "de"), "sound");
    assert_eq!(said("money", "{{tongue}}"), "sound", "known when the call is there");
    assert_eq!(
        refusal("{ text = \"hello\", language = \"en\" }"),
        format!("{place} the node speaks no text; add [speech] to its configuration, or record a prompt")
    );
    assert_eq!(
        said("money", "fr"),
        format!("{place} there is no grammar for language `fr`; write one of: de, xx")
    );
    let wordless = |what| {
        format!(
            "{place} the grammar of language `xx` has no words for {what}; add them, or say something else"
        )
    };
    assert_eq!(said("money", "xx"), wordless("money"));
    for (manner, what) in [("date", "dates"), ("time", "times"), ("ordinal", "ordinals")] {
        let prompt = format!("{{ say = \"1\", as = \"{manner}\", language = \"xx\" }}");
        assert_eq!(refusal(&prompt), wordless(what));
    }
}

#[test]
fn a_flow_has_a_largest_size() {
    let chain = |length: usize| {
        let mut text = "start = \"a0\"\n".to_owned();
        for index in 0..length {
            let next = (index + 1) % length;
            text.push_str(&format!(
                "[activities.a{index}]\ntype = \"play\"\nprompts = [\"p\"]\nexits = {{ done = \"a{next}\" }}\n"
            ));
        }
        flow::parse("long", &text)
    };
    assert!(chain(flow::Flow::MAX_ACTIVITIES).is_ok());
    assert!(chain(flow::Flow::MAX_ACTIVITIES + 1).is_err());
}
