//! Who transfers what, and who is asked whether it is there.

use super::one_problem;

#[test]
fn transfers_of_a_trunk_are_yes_or_no() {
    one_problem(
        "# refer_out = false         #",
        "refer_out = \"always\"       #",
        "\"always\"",
        "trunk.carrier-a.refer_out: found \"always\"; write true or false",
    );
    one_problem(
        "# refer_out_attended = false #",
        "refer_out_attended = 1     #",
        "1     #",
        "trunk.carrier-a.refer_out_attended: found 1; write true or false",
    );
    one_problem(
        "# refer_subscription = true #",
        "refer_subscription = \"no\" #",
        "\"no\"",
        "trunk.carrier-a.refer_subscription: found \"no\"; write true or false",
    );
}

#[test]
fn parties_are_asked_at_most_daily() {
    one_problem(
        "alive_check_s = 300         #",
        "alive_check_s = 90000       #",
        "90000",
        "trunk.carrier-a.alive_check_s: found 90000; write a whole number from 0 to 86400",
    );
}

#[test]
fn a_call_is_named_from_end_to_end_or_not() {
    one_problem(
        "session_id = \"accept\"       #",
        "session_id = \"yes\"          #",
        "\"yes\"",
        "trunk.carrier-a.session_id: found \"yes\"; write off, accept or send",
    );
}
