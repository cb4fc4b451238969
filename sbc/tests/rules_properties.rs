//! Whatever rules an operator writes, what goes out is a message that our own parser reads, and what belongs to the
//! transaction and the dialog is as it was.

use proptest::prelude::*;
use tandem_sbc::message::{HeaderIndex, HeaderName, Message};
use tandem_sbc::rules::{
    ActionText, ConditionText, Direction, MAX_RULES, MAX_TEXT, NumberFormat, NumberingPlan, Numbers, On,
    RuleSet, RuleText, Subject, TestText, Text,
};

const INVITE: &str = "INVITE sip:+15550100;npdi@127.0.0.1;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.10:5070;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
    From: \"A, \\\"B\\\"\" <sip:+15550199@127.0.0.10>;tag=1;x=y\r\nt: sip:+15550100@127.0.0.1\r\n\
    Call-ID: c1\r\nCSeq: 1 INVITE\r\nContact: <sip:127.0.0.10:5070>\r\n\
    P-Asserted-Identity: \"Caf\u{e9}\" <sip:+15550199@c.example>, <tel:+1-555-0199;isub=1>\r\n\
    Diversion: <sip:1@h>;reason=unconditional,\r\n <sip:2@h>;reason=user-busy\r\nX-Note: one\r\nx-note: two\r\n\
    Privacy: id;header\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const BYE: &str = "BYE sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.10:5070;branch=z9hG4bK2\r\n\
    From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c1\r\nCSeq: 2 BYE\r\nX-Note: bye\r\n\
    Content-Length: 0\r\n\r\n";
const BUSY: &str = "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK3\r\nFrom: <sip:a@h>;tag=1\r\n\
    To: <sip:b@h>;tag=2\r\nCall-ID: c1\r\nCSeq: 2 INVITE\r\nWarning: 399 h \"busy\"\r\nContent-Length: 0\r\n\r\n";

/// A plan without countries: seven digits and more are +1.
#[derive(Debug)]
struct Plan;

impl NumberingPlan for Plan {
    fn e164(&self, dialled: &str) -> Option<String> {
        Some(format!("+1{}", dialled.trim_start_matches(['+', '0', '1'])))
    }

    fn national(&self, e164: &str) -> Option<String> {
        Some(format!("0{}", e164.trim_start_matches("+1")))
    }
}

fn text() -> impl Strategy<Value = Text> {
    let odd = prop::sample::select(vec![
        "",
        "a",
        "\r\nVia: evil",
        "<sip:x@y>",
        "sip:x@y",
        "\"",
        "<",
        ">",
        ";tag=9",
        ",",
        "\u{0}",
        "\u{e9}",
        "@",
        "%",
        "%zz",
        "sip:",
        "tel:",
        "tel:abc",
        "#",
        " ",
        "${0}",
        "${0}${0}",
        "+49",
        "é<sip:é@é>;é",
        "INVITE",
        "70",
        "sip:x y@z",
        "id",
        "1;2",
        "$$",
    ]);
    prop_oneof![
        8 => odd.prop_map(str::to_owned),
        1 => Just("long".repeat(MAX_TEXT / 4)),
    ]
    .prop_map(|text| Text { text, at: 0 })
}

fn field() -> impl Strategy<Value = Text> {
    prop::sample::select(vec![
        "Request-URI",
        "From",
        "To",
        "P-Asserted-Identity",
        "Diversion",
        "X-Note",
        "Privacy",
        "Subject",
        "Require",
        "Expires",
        "Warning",
        "Reason",
        "Session-Expires",
    ])
    .prop_map(|field| Text { text: field.to_owned(), at: 0 })
}

fn pattern() -> impl Strategy<Value = Text> {
    prop::sample::select(vec![
        "", "^", "$", ".*", ".", "sip", "<.*>", "\\d+", "(.)(.)", "@.*", "x", "^(\\+?)1", "[^a]",
    ])
    .prop_map(|pattern| Text { text: pattern.to_owned(), at: 0 })
}

fn subject() -> impl Strategy<Value = Subject> {
    prop::sample::select(vec![Subject::Value, Subject::User])
}

fn action() -> impl Strategy<Value = ActionText> {
    prop_oneof![
        (field(), prop::option::of(pattern()))
            .prop_map(|(field, matching)| ActionText::Remove { field, matching }),
        (field(), subject(), pattern(), text()).prop_map(|(field, subject, pattern, with)| {
            ActionText::Replace { field, subject, pattern, with }
        }),
        (field(), text()).prop_map(|(field, value)| ActionText::SetUser { field, value }),
        (field(), text()).prop_map(|(field, value)| ActionText::Add { field, value }),
    ]
}

fn condition() -> impl Strategy<Value = ConditionText> {
    let test = prop_oneof![
        Just(TestText::Present),
        Just(TestText::Absent),
        pattern().prop_map(TestText::Matches),
        pattern().prop_map(TestText::Differs),
    ];
    (field(), subject(), test).prop_map(|(field, subject, test)| ConditionText { field, subject, test })
}

fn rule() -> impl Strategy<Value = RuleText> {
    (
        prop::sample::select(vec![On::Request, On::Response]),
        prop::collection::vec(condition(), 0..2),
        prop::collection::vec(action(), 1..6),
        any::<bool>(),
    )
        .prop_map(|(on, when, actions, stop)| RuleText {
            at: 0,
            name: "rule".to_owned(),
            on,
            methods: Vec::new(),
            statuses: Vec::new(),
            when,
            actions,
            stop,
        })
}

fn numbers() -> impl Strategy<Value = Option<Numbers>> {
    use NumberFormat as F;
    let format = prop::sample::select(vec![F::Plus, F::Digits, F::Zeros, F::National]);
    prop::option::of(format.prop_map(|format| Numbers {
        plan: std::sync::Arc::new(Plan),
        format,
        digits_are_e164: false,
    }))
}

/// The rules that compile of those given.
fn compiled(direction: Direction, rules: &[RuleText], numbers: Option<Numbers>) -> RuleSet {
    let good: Vec<RuleText> = rules
        .iter()
        .filter(|rule| RuleSet::compile(direction, std::slice::from_ref(rule), None).is_ok())
        .map(|rule| RuleText { stop: rule.stop && !rule.when.is_empty(), ..rule.clone() })
        .collect();
    RuleSet::compile(direction, &good, numbers).expect("each compiles by itself")
}

/// What no rule may touch, with the tags.
fn untouchable(message: &Message<'_>) -> Vec<Vec<u8>> {
    let names = [
        HeaderName::Via,
        HeaderName::CallId,
        HeaderName::CSeq,
        HeaderName::MaxForwards,
        HeaderName::Contact,
        HeaderName::ContentLength,
        HeaderName::ContentType,
        HeaderName::Route,
        HeaderName::RecordRoute,
    ];
    let headers = names.into_iter().flat_map(|name| message.lines(name)).map(|line| line.value.to_vec());
    let tags = [message.from(), message.to()]
        .map(|party| party.expect("a party").tag().unwrap_or_default().as_bytes().to_vec());
    headers.chain(tags).chain([message.body().to_vec()]).collect()
}

/// What holds of whatever rules make of a message.
fn check(set: &RuleSet) -> Result<(), TestCaseError> {
    for text in [INVITE, BYE, BUSY] {
        let mut index = HeaderIndex::new();
        let before = Message::parse(text.as_bytes(), &mut index).expect("a message");
        let Some(after) = set.apply(&before) else { continue };
        for bytes in std::iter::once(&after.bytes).chain(&after.with_own_parties) {
            let mut index = HeaderIndex::new();
            let message = Message::parse(bytes, &mut index).expect("what rules made can be read");
            prop_assert_eq!(message.validate(), Ok(()));
            prop_assert_eq!(untouchable(&message), untouchable(&before));
            prop_assert_eq!(message.status(), before.status());
            if text != INVITE {
                prop_assert_eq!(message.value(HeaderName::From), before.value(HeaderName::From));
                prop_assert_eq!(message.value(HeaderName::To), before.value(HeaderName::To));
            }
        }
        // What is shown of the rules one by one comes to the same.
        let stages = set.stages(&before);
        let last = stages.iter().rfind(|stage| !stage.passed_over);
        prop_assert_eq!(last.map(|stage| &stage.bytes[..]).unwrap_or(text.as_bytes()), &after.bytes[..]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_rules_make_of_a_message_can_be_read(
        rules in prop::collection::vec(rule(), 1..5),
        numbers in numbers(),
        direction in prop::sample::select(vec![Direction::In, Direction::Out]),
    ) {
        check(&compiled(direction, &rules, numbers))?;
    }
}

/// The first action leaves nothing that can be read, the second an address again: its tag is still the dialog's
/// (RFC 3261 §12).
#[test]
fn a_tag_outlives_an_action_that_leaves_no_address() {
    let text = |text: &str| Text { text: text.into(), at: 0 };
    let replace = |pattern: &str, with: &str| ActionText::Replace {
        field: text("From"),
        subject: Subject::Value,
        pattern: text(pattern),
        with: text(with),
    };
    let rule = RuleText {
        at: 0,
        name: "rule".into(),
        on: On::Request,
        methods: Vec::new(),
        statuses: Vec::new(),
        when: Vec::new(),
        actions: vec![replace("", "a"), replace(".*", "tel:abc")],
        stop: false,
    };
    let set = RuleSet::compile(Direction::In, &[rule], None).expect("it compiles");
    check(&set).expect("what holds of all rules");
    let mut index = HeaderIndex::new();
    let before = Message::parse(INVITE.as_bytes(), &mut index).expect("a message");
    let after = set.apply(&before).expect("it is changed");
    let mut index = HeaderIndex::new();
    let after = Message::parse(&after.bytes, &mut index).expect("a message");
    assert_eq!(after.value(HeaderName::From), Some(&b"tel:abc;tag=1"[..]));
}

#[test]
fn as_many_rules_as_the_limit_says_and_not_one_more() {
    let add = ActionText::Add {
        field: Text { text: "X-A".into(), at: 0 },
        value: Text { text: "1".into(), at: 0 },
    };
    let rule = |at: usize| RuleText {
        at,
        name: format!("rule {at}"),
        on: On::Request,
        methods: Vec::new(),
        statuses: Vec::new(),
        when: Vec::new(),
        actions: vec![add.clone()],
        stop: false,
    };
    let mut rules: Vec<RuleText> = (0..MAX_RULES).map(rule).collect();
    assert!(RuleSet::compile(Direction::In, &rules, None).is_ok());
    rules.push(rule(MAX_RULES));
    let errors = RuleSet::compile(Direction::In, &rules, None).expect_err("one too many");
    assert_eq!(errors.iter().map(|error| error.at).collect::<Vec<_>>(), [MAX_RULES]);
}

#[test]
fn a_pattern_or_value_is_as_long_as_the_limit_says_and_no_longer() {
    let compile = |length: usize| {
        let text = |text: String| Text { text, at: 7 };
        let rule = RuleText {
            at: 0,
            name: "rule".into(),
            on: On::Request,
            methods: Vec::new(),
            statuses: Vec::new(),
            when: Vec::new(),
            actions: vec![ActionText::Replace {
                field: text("X-A".into()),
                subject: Subject::Value,
                pattern: text("a".repeat(length)),
                with: text("b".repeat(length)),
            }],
            stop: false,
        };
        RuleSet::compile(Direction::In, &[rule], None).map(|_| ())
    };
    assert_eq!(compile(MAX_TEXT), Ok(()));
    assert!(compile(MAX_TEXT + 1).is_err());
}
