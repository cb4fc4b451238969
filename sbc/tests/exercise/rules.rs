//! Any bytes as a message that an operator's rules change.

use std::sync::LazyLock;

use tandem_sbc::message::{HeaderIndex, Message};
use tandem_sbc::rules::{
    ActionText, ConditionText, Direction, On, RuleSet, RuleText, Subject, TestText, Text,
};

/// Rules of every kind, for both directions.
static RULES: LazyLock<[RuleSet; 2]> = LazyLock::new(|| {
    [Direction::In, Direction::Out].map(|direction| {
        let all: Vec<RuleText> = [On::Request, On::Response].into_iter().flat_map(rules).collect();
        let compiles =
            |rule: &RuleText| RuleSet::compile(direction, std::slice::from_ref(rule), None).is_ok();
        let good: Vec<RuleText> = all.into_iter().filter(compiles).collect();
        assert!(good.len() >= 4, "rules that are of use");
        RuleSet::compile(direction, &good, None).expect("each compiles by itself")
    })
});

/// Reads bytes as a message, and lets the rules change it: what comes of a message that is valid is valid, and is
/// answered where it was.
pub(crate) fn read(bytes: &[u8]) {
    let mut index = HeaderIndex::new();
    let Ok(before) = Message::parse(bytes, &mut index) else { return };
    let is_valid = before.validate().is_ok();
    for set in RULES.iter() {
        let Some(after) = set.apply(&before) else { continue };
        for bytes in std::iter::once(&after.bytes).chain(&after.with_own_parties) {
            let mut index = HeaderIndex::new();
            let message = Message::parse(bytes, &mut index).expect("what rules made can be read");
            assert_eq!(message.status(), before.status());
            if is_valid {
                assert_eq!(message.validate(), Ok(()));
                assert_eq!(message.call_id(), before.call_id());
                assert_eq!(message.vias().count(), before.vias().count());
                assert_eq!(message.body(), before.body());
            }
        }
    }
}

fn rules(on: On) -> Vec<RuleText> {
    let text = |text: &str| Text { text: text.to_owned(), at: 0 };
    let when = |field: &str, pattern: &str| ConditionText {
        field: text(field),
        subject: Subject::Value,
        test: TestText::Matches(text(pattern)),
    };
    let replace = |field: &str, subject, pattern: &str, with: &str| ActionText::Replace {
        field: text(field),
        subject,
        pattern: text(pattern),
        with: text(with),
    };
    let add = ActionText::Add { field: text("X-Seen"), value: text("here") };
    let set = |field: &str| ActionText::SetUser { field: text(field), value: text("+15550100") };
    let remove = |field: &str| ActionText::Remove { field: text(field), matching: None };
    let actions = [
        vec![add],
        vec![replace("Request-URI", Subject::User, "^(.)(.*)$", "${2}${1}")],
        vec![replace("From", Subject::User, "[0-9]", "1"), set("To")],
        vec![set("P-Asserted-Identity"), replace("Subject", Subject::Value, ".", "${0}${0}")],
        vec![remove("Warning"), remove("User-Agent"), remove("Diversion")],
    ];
    let rule = |(at, actions): (usize, Vec<ActionText>)| RuleText {
        at,
        name: format!("rule {at}"),
        on,
        methods: Vec::new(),
        statuses: Vec::new(),
        when: if at == 4 { vec![when("Call-ID", ".")] } else { Vec::new() },
        actions,
        stop: false,
    };
    actions.into_iter().enumerate().map(rule).collect()
}
