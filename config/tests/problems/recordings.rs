//! Who is recorded, and where that goes.

use super::{changed, one_problem, parse};

const RECORDING: &str = "[recording]\nfolder = \"recordings\"\n\n[store]\n";

#[test]
fn recordings_need_a_folder_that_is_there_and_writable() {
    one_problem(
        "[store]\n",
        "[recording]\nfolder = \"missing\"\n\n[store]\n",
        "\"missing\"",
        "recording.folder: there is no folder demo/missing; create it, or write where it is",
    );
    one_problem(
        "[store]\n",
        "[recording]\nfolder = \"locked\"\n\n[store]\n",
        "\"locked\"",
        "recording.folder: nothing can be written in demo/locked; give it to the user that the node runs as",
    );
    one_problem(
        "[store]\n",
        "[recording]\nfolder = \"recordings\"\nmax = 0\n\n[store]\n",
        "0\n\n",
        "recording.max: found 0; write a whole number from 1 to 100000",
    );
}

#[test]
fn the_form_of_recordings_is_one_there_is() {
    let with = |key: &str| format!("[recording]\nfolder = \"recordings\"\n{key}\n\n[store]\n");
    for (key, at, expected) in [
        ("format = \"mp3\"", "\"mp3\"", "recording.format: found \"mp3\"; write wav or ogg-opus"),
        ("sides = \"left\"", "\"left\"", "recording.sides: found \"left\"; write stereo, mixed or party"),
        ("beep_every_s = -1", "-1", "recording.beep_every_s: found -1; write a whole number from 0 to 3600"),
    ] {
        one_problem("[store]\n", &with(key), at, expected);
    }
    // The second has one letter changed.
    let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let config =
        parse(&changed("[store]\n", &with(&format!("recipients = [{key:?}]")))).expect("a recipient");
    assert_eq!(config.recording.expect("recordings").recipients, [key]);
    let wrong = key.replace("ql3z", "ql3y");
    one_problem(
        "[store]\n",
        &with(&format!("recipients = [{wrong:?}]")),
        &format!("{wrong:?}"),
        &format!(
            "recording.recipients[1]: {wrong:?} is no recipient of age; write the public key that age-keygen shows, \
             \"age1…\", without a mistake"
        ),
    );
}

#[test]
fn who_is_recorded_needs_a_place_for_it() {
    one_problem(
        "# record = false            # its",
        "record = true # its",
        "true",
        "trunk.carrier-a.record: it is not said where recordings go; add [recording] with folder = \"…\", or remove \
         record",
    );
    one_problem(
        "# record = false            # callers",
        "record = true # callers",
        "true",
        "queue.sales.record: it is not said where recordings go; add [recording] with folder = \"…\", or remove \
         record",
    );
}

#[test]
fn recordings_are_none_unless_asked_for() {
    let config = parse(&changed("[store]\n", RECORDING)).expect("a configuration");
    assert!(config.recording.is_some_and(|recording| recording.folder.ends_with("recordings")));
    assert!(!config.trunks.iter().any(|trunk| trunk.record));
    assert!(!config.queues.iter().any(|queue| queue.record));
}

/// On the trunk that a number leads to, or on one of its route set.
#[test]
fn what_is_recorded_passes_us() {
    let recorded = changed("[store]\n", RECORDING).replacen(
        "# record = false            # its",
        "record = true # its",
        1,
    );
    let direct = recorded.replacen(
        "trunk = \"carrier-a\"         # over",
        "media = \"direct\"\ntrunk = \"carrier-a\" # over",
        1,
    );
    assert_ne!(recorded, direct);
    let problems = parse(&direct).expect_err("a problem").to_string();
    let expected = ": entry_point.+15550111.media: calls over \"carrier-a\" are recorded, which needs their media to pass us; \
                    write anchored, or remove record of the trunk";
    assert!(problems.ends_with(expected), "{problems}");
    let line = direct.lines().position(|line| line == "media = \"direct\"").expect("there") + 1;
    assert!(problems.starts_with(&format!("demo/tandem.toml:{line}:")), "{problems}");

    let set = "[[route_set]]\nname = \"carriers\"\ntrunks = [\"carrier-a\"]\n\n[[entry_point]]\nnumber = \"+15550103\"";
    let direct = recorded.replacen("[[entry_point]]\nnumber = \"+15550103\"", set, 1).replacen(
        "trunk = \"carrier-a\"         # over",
        "media = \"direct\"\ntrunk = \"carriers\" # over",
        1,
    );
    let problems = parse(&direct).expect_err("a problem").to_string();
    assert!(problems.contains("calls over \"carriers\" are recorded"), "{problems}");
    assert!(parse(&recorded).is_ok());
}
