//! A flow file is accepted, or refused with its line and what to write instead.

use std::collections::BTreeSet;

use tandem_control::flow;

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
    ];
    for (name, text) in files {
        let flow = flow::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(flow.name(), name);
        flow.check(&queues, &prompts).unwrap_or_else(|error| panic!("{error}"));
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
    let refusal = flow.check(&some("sales"), &some("helo")).expect_err("no prompt `hello`");
    assert_eq!(
        refusal.to_string(),
        "greeting.toml:2: activity `a`: there is no prompt `hello`; write one of: helo"
    );
    let refusal = flow.check(&some("support"), &some("hello")).expect_err("no queue `sales`");
    assert_eq!(
        refusal.to_string(),
        "greeting.toml:6: activity `q`: there is no queue `sales`; write one of: support"
    );
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
