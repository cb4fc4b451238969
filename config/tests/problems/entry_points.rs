//! Where numbers lead.

use crate::one_problem;

#[test]
fn an_announcement_has_prompts_and_something_that_follows() {
    let with = |line: &str| format!("[[entry_point]]\nnumber = \"+15550103\"\n{line}");
    let plain = with("flow = \"echo\"");
    one_problem(
        &plain,
        &with("refuse = \"gone\""),
        "\"gone\"",
        "entry_point.+15550103.refuse: found \"gone\"; write not_found, busy, declined, unavailable or no_answer",
    );
    one_problem(
        &plain,
        &with("refuse = \"busy\"\nannounce = [\"welcome\", \"missing\"]"),
        "\"missing\"",
        "entry_point.+15550103.announce[2]: there is no file demo/prompts/missing.wav or demo/prompts/missing.opus or \
         demo/prompts/missing.ogg; create it, or write the name of one that is there",
    );
    one_problem(
        &plain,
        &with("user = \"1005\"\nannounce = [\"welcome\"]"),
        "[[entry_point]]",
        "entry_point.+15550103: announce goes with flow and refuse only; remove announce",
    );
    let seventeen = vec!["\"welcome\""; 17].join(", ");
    one_problem(
        &plain,
        &with(&format!("flow = \"echo\"\nannounce = [{seventeen}]")),
        &format!("[{seventeen}]"),
        "entry_point.+15550103.announce: there are 17 entries; at most 16 are possible",
    );
}

#[test]
fn an_entry_point_leads_to_one_place() {
    one_problem(
        "[[entry_point]]\nnumber = \"+15550103\"\nflow = \"echo\"",
        "[[entry_point]]\nnumber = \"+15550103\"\nflow = \"echo\"\nuser = \"1001\"",
        "[[entry_point]]",
        "entry_point.+15550103: there is flow and user; \
         write flow = \"…\" to answer, user = \"…\" or trunk = \"…\" to go straight through, or refuse = \"…\"",
    );
    one_problem(
        "trunk = \"carrier-a\"         # over this trunk",
        "trunk = \"carrier-b\"",
        "\"carrier-b\"",
        "entry_point.+15550111.trunk: there is no trunk \"carrier-b\"; write \"carrier-a\", \
         or add [[trunk]] name = \"carrier-b\"",
    );
    one_problem(
        "[[entry_point]]\nnumber = \"+15550110\"\nuser = \"1005\"\nring_timeout_s = 60 ",
        "[[entry_point]]\nnumber = \"+15550110\"\nuser = \"1005\"\nto = \"+15550199\" ",
        "[[entry_point]]",
        "entry_point.+15550110: to goes with trunk only; remove to",
    );
    one_problem(
        "[[entry_point]]\nnumber = \"+15550103\"\nflow = \"echo\"",
        "[[entry_point]]\nnumber = \"+15550103\"\nflow = \"echo\"\nmedia = \"direct\"",
        "[[entry_point]]",
        "entry_point.+15550103: media goes with user and trunk only; remove media",
    );
    one_problem(
        "media = \"anchored\"          # through this node",
        "media = \"bypass\"          # through this node",
        "\"bypass\"",
        "entry_point.+15550110.media: found \"bypass\"; write anchored or direct",
    );
}
