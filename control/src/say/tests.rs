use proptest::prelude::*;

use super::*;

fn grammar(language: &str) -> Grammar {
    let text = match language {
        "en" => include_str!("../../../config/demo/grammars/en.toml"),
        _ => include_str!("../../../config/demo/grammars/de.toml"),
    };
    parse(language, text).unwrap_or_else(|error| panic!("{error}"))
}

/// What is heard, without the folder of the language.
fn said(language: &str, manner: &Manner, value: &str) -> String {
    let folder = format!("{language}/");
    match grammar(language).say(manner, value) {
        Ok(words) => words.join(" ").replace(&folder, ""),
        Err(error) => error.to_string(),
    }
}

#[test]
fn numbers_are_said_as_they_are_in_english() {
    for (value, words) in [
        ("0", "0"),
        ("7", "7"),
        ("20", "20"),
        ("42", "40 2"),
        ("100", "1 hundred"),
        ("101", "1 hundred and 1"),
        ("342", "3 hundred and 40 2"),
        ("1000", "1 thousand"),
        ("1005", "1 thousand and 5"),
        ("1100", "1 thousand 1 hundred"),
        ("21000", "20 1 thousand"),
        ("999999", "9 hundred and 90 9 thousand 9 hundred and 90 9"),
        ("2000017", "2 million and 17"),
        ("-15", "minus 15"),
        ("3.140", "3 point 1 4 0"),
        ("-0.5", "minus 0 point 5"),
    ] {
        assert_eq!(said("en", &Manner::Number, value), words, "{value}");
    }
}

/// Units before tens, "ein" before another word and "eins" at the end, "eine Million", "zwei Millionen".
#[test]
fn numbers_are_said_as_they_are_in_german() {
    for (value, words) in [
        ("1", "eins"),
        ("21", "ein und 20"),
        ("30", "30"),
        ("99", "9 und 90"),
        ("101", "ein hundert eins"),
        ("121", "ein hundert ein und 20"),
        ("1001", "ein tausend eins"),
        ("101000", "ein hundert ein tausend"),
        ("987654", "9 hundert 7 und 80 tausend 6 hundert 4 und 50"),
        ("1000001", "eine million eins"),
        ("2000000", "2 millionen"),
        ("-2.5", "minus 2 komma 5"),
    ] {
        assert_eq!(said("de", &Manner::Number, value), words, "{value}");
    }
}

#[test]
fn places_dates_times_and_amounts_are_said_in_both() {
    let money = |code: &str| Manner::Money(code.to_owned());
    for (manner, value, english, german) in [
        (Manner::Ordinal, "21", "20 1st", "ein und 20te"),
        (Manner::Ordinal, "3", "3rd", "3te"),
        (Manner::Digits, "+15-0#", "plus 1 5 0 hash", "plus eins 5 0 raute"),
        (
            Manner::Date,
            "2026-11-21",
            "saturday november 20 1st 20 20 6",
            "samstag der ein und 20te november 2 tausend 6 und 20",
        ),
        (Manner::Date, "1905-03-01", "wednesday march 1st 19 oh 5", "mittwoch der 1te maerz 19 hundert 5"),
        (
            Manner::Date,
            "2000-02-29",
            "tuesday february 20 9th 2 thousand",
            "dienstag der 9 und 20te februar 2 tausend",
        ),
        (Manner::Time, "17:30", "5 30 pm", "17 uhr 30"),
        (Manner::Time, "01:00", "1 am", "ein uhr"),
        (Manner::Time, "00:05:59", "12 oh 5 am", "0 uhr 5"),
        (money("EUR"), "1", "1 euro", "ein euro"),
        (
            money("EUR"),
            "1234.50",
            "1 thousand 2 hundred and 30 4 euros and 50 cents",
            "ein tausend 2 hundert 4 und 30 euro und 50 cent",
        ),
        (money("EUR"), "0.01", "1 cent", "ein cent"),
        (money("EUR"), "-2.00", "minus 2 euros", "minus 2 euro"),
        (money("EUR"), "0", "0 euros", "0 euro"),
    ] {
        assert_eq!(said("en", &manner, value), english, "{value}");
        assert_eq!(said("de", &manner, value), german, "{value}");
    }
    assert_eq!(said("en", &money("GBP"), "3.01"), "3 pounds and 1 penny");
}

#[test]
fn what_cannot_be_said_is_an_error_of_whoever_made_it() {
    for (manner, value) in [
        (Manner::Number, "12a"),
        (Manner::Number, "1.2.3"),
        (Manner::Number, "1."),
        (Manner::Number, ""),
        (Manner::Number, "99999999999999999999"),
        (Manner::Ordinal, "1.5"),
        (Manner::Digits, "12A"),
        (Manner::Digits, " "),
        (Manner::Date, "2026-02-30"),
        (Manner::Time, "25:00"),
        (Manner::Money("EUR".to_owned()), "1.234"),
    ] {
        assert_eq!(grammar("en").say(&manner, value), Err(Unsayable::Value), "{manner:?} {value}");
    }
    for (manner, value) in
        [(Manner::Ordinal, "-1"), (Manner::Ordinal, "100"), (Manner::Money("XAU".to_owned()), "1")]
    {
        assert_eq!(grammar("en").say(&manner, value), Err(Unsayable::Grammar), "{manner:?} {value}");
    }
}

#[test]
fn as_many_words_as_may_be_are_said_and_one_more_is_not() {
    let words = |count: usize| grammar("en").say(&Manner::Digits, &"7".repeat(count));
    assert_eq!(words(Grammar::MAX_WORDS).map(|words| words.len()), Ok(Grammar::MAX_WORDS));
    assert_eq!(words(Grammar::MAX_WORDS + 1), Err(Unsayable::TooLong));
}

proptest! {
    /// Whatever is said was among the prompts that are checked for when the node starts.
    #[test]
    fn no_word_is_said_that_was_not_announced(
        number in prop_oneof![any::<i64>(), -10_000i64..10_000],
        day in (1u16..=9_999, 1u8..=12, 1u8..=28, 0u8..24, 0u8..60),
        decimals in 0u8..100,
    ) {
        let (year, month, day, hour, minute) = day;
        for language in ["en", "de"] {
            let grammar = grammar(language);
            let prompts = grammar.prompts();
            for (manner, value) in [
                (Manner::Number, number.to_string()),
                (Manner::Number, format!("{number}.{decimals}")),
                (Manner::Ordinal, number.to_string()),
                (Manner::Digits, number.to_string().replace('-', "*")),
                (Manner::Date, format!("{year:04}-{month:02}-{day:02}")),
                (Manner::Time, format!("{hour:02}:{minute:02}")),
                (Manner::Money("EUR".to_owned()), format!("{number}.{decimals:02}")),
            ] {
                match grammar.say(&manner, &value) {
                    Ok(words) => prop_assert!(words.iter().all(|word| prompts.contains(word)), "{words:?}"),
                    Err(Unsayable::Grammar) => prop_assert_eq!(manner, Manner::Ordinal),
                    // The least number of 64 bits has no amount of its own.
                    Err(error) => prop_assert!(number == i64::MIN, "{manner:?} {value}: {error}"),
                }
            }
        }
    }

    /// A file of any content is a grammar or refused; a grammar says any value, or says why not.
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}", at in any::<prop::sample::Index>(), value in "\\PC{0,20}") {
        let _ = parse("any", &text);
        let good = include_str!("../../../config/demo/grammars/de.toml");
        let lines: Vec<&str> = good.lines().collect();
        let mut changed = lines.clone();
        changed[at.index(lines.len())] = &text;
        if let Ok(grammar) = parse("any", &changed.join("\n")) {
            for manner in [Manner::Number, Manner::Digits, Manner::Date, Manner::Time] {
                let _ = grammar.say(&manner, &value);
            }
        }
    }
}

/// One fault each, with its line and what to write instead.
#[test]
fn faults_are_named() {
    let fault = |text: &str| parse("xx", text).expect_err("a fault").to_string();
    let set = |rules: &str| format!("number = \"n\"\n[rules.n]\n{rules}\n");
    let with = |line: &str, rules: &str| format!("number = \"n\"\n{line}\n[rules.n]\n{rules}\n");
    let faults = [
        fault("number = \n"),
        fault("nummer = \"n\"\n"),
        fault("[rules.n]\n0 = \"#\"\n1 = \"\"\n"),
        fault("number = \"n\"\n"),
        fault("number = \"m\"\n[rules.n]\n0 = \"\"\n"),
        fault(&set("1 = \"one\"")),
        fault(&set("0 = \"\"\ntwenty = \"20\"")),
        fault(&set("0 = \"\"\n\"10/20\" = \"20\"")),
        fault(&set("0 = \"\"\n\"10/5\" = \"a\"\n10 = \"b\"")),
        fault(&set("0 = \"\"\n5 = \"<< five\"")),
        fault(&set("0 = \"\"\n20 = \"[>>\"")),
        fault(&set("0 = \"\"\n20 = \"a<b\"")),
        fault(&set("0 = \"\"\n20 = \">other>\"")),
        fault(&set("0 = \"#\"")),
        fault(&set("0 = \"#\"\n1001 = \"\"")),
        fault(&format!("{}[rules.m]\n0 = \"=n=\"\n", set("0 = \"=m=\""))),
        fault(&with("date = \"{day}\"", "0 = \"\"")),
        fault(&with("time = \"{day:n}\"", "0 = \"\"")),
        fault(&with("signs = { \"!\" = \"bang\" }", "0 = \"\"")),
        fault(&with("money = { whole = \"\", part = \"\", both = \"\" }", "0 = \"\"")),
        fault(&with(
            "money = { whole = \"\", part = \"\", both = \"\", currencies.EUR = { decimals = 5 } }",
            "0 = \"\"",
        )),
        fault(&with(
            "money = { whole = \"\", part = \"\", both = \"\", currencies.EUR = { units = \"n\" } }",
            "0 = \"\"",
        )),
    ];
    insta::assert_snapshot!(faults.join("\n"));
}

/// A number may be passed on a thousand times at its own size, but not for ever: at most by so many sets.
#[test]
fn rules_that_pass_a_number_on_and_on_come_to_an_end() {
    let chain: String = (0..99).map(|n| format!("[rules.s{n}]\n0 = \"=s{}=\"\n", n + 1)).collect();
    let text = format!("number = \"s0\"\n{chain}[rules.s99]\n0 = \"x\"\n");
    assert_eq!(
        parse("xx", &text).map(|grammar| grammar.say(&Manner::Number, "1")),
        Ok(Err(Unsayable::TooLong))
    );
    let one_more = format!("{text}[rules.s100]\n0 = \"x\"\n");
    assert!(parse("xx", &one_more).is_err_and(|error| error.to_string().contains("more than 100 rule sets")));
}
