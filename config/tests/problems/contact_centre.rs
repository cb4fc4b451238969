//! Mistakes in `[contact_centre]`.

use super::one_problem;

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
