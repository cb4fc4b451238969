//! Mistakes in `[contact_centre]`.

use super::{changed, one_problem, parse};

#[test]
fn the_contact_centre_names_what_there_is() {
    one_problem(
        "outbound_trunk = \"carrier-a\"",
        "outbound_trunk = \"carrier-b\"",
        "\"carrier-b\"",
        "contact_centre.outbound_trunk: there is no trunk \"carrier-b\"; write \"carrier-a\", or add [[trunk]] name = \"carrier-b\"",
    );
}

#[test]
fn codes_and_supervisors_are_checked() {
    one_problem(
        "supervisors = [\"1010\"]",
        "supervisors = [\"1010\", \"1011\"]",
        "\"1011\"",
        "contact_centre.supervisors[2]: there is no user \"1011\"; write \"1001\", or add [[user]] name = \"1011\"",
    );
    one_problem(
        "conference_code = \"*3\" ",
        "conference_code = \"33\" ",
        "\"33\"",
        "contact_centre.conference_code: found \"33\"; write a code of up to 8 keys that begins with * or #, such as \"*3\"",
    );
    one_problem(
        "coach_code = \"*52\"",
        "coach_code = \"*512\"",
        "\"*512\"",
        "contact_centre.coach_code: \"*512\" begins with \"*51\", which is monitor_code; write another code",
    );
    one_problem(
        "pickup_code = \"*8\"",
        "pickup_code = \"*511\"",
        "\"*511\"",
        "contact_centre.pickup_code: \"*511\" begins with \"*51\", which is monitor_code; write another code",
    );
}

#[test]
fn codes_of_recordings_need_a_place_for_them_and_are_told_apart() {
    for key in ["record_code", "pause_recording_code"] {
        one_problem(
            "conference_tone = true",
            &format!("{key} = \"*1\" # conference_tone = true"),
            "\"*1\"",
            &format!(
                "contact_centre.{key}: it is not said where recordings go; add [recording] with folder = \"…\", or \
                 remove {key}"
            ),
        );
    }
    one_problem(
        "# record_code = \"*1\" ",
        "record_code = \"*31\" ",
        "\"*31\"",
        "contact_centre.record_code: it is not said where recordings go; add [recording] with folder = \"…\", or remove \
         record_code",
    );
    let with_recordings = changed("[store]\n", "[recording]\nfolder = \"recordings\"\n\n[store]\n");
    let codes = with_recordings.replacen("# record_code = \"*1\" ", "record_code = \"*31\" ", 1);
    let problems = parse(&codes).expect_err("a problem").to_string();
    let expected = "contact_centre.record_code: \"*31\" begins with \"*3\", which is conference_code; write another code";
    assert!(problems.ends_with(expected), "{problems}");
    let codes = with_recordings.replacen("# record_code = \"*1\" ", "record_code = \"*1\" ", 1);
    let features = parse(&codes).expect("a configuration").features;
    assert_eq!((features.record.as_deref(), features.pause_recording), (Some("*1"), None));
}
