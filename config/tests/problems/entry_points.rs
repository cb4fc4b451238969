//! Where numbers lead.

use crate::one_problem;

#[test]
fn an_entry_point_leads_to_one_place() {
    one_problem(
        "[[entry_point]]\nnumber = \"+15550103\"\nflow = \"echo\"",
        "[[entry_point]]\nnumber = \"+15550103\"\nflow = \"echo\"\nuser = \"1001\"",
        "[[entry_point]]",
        "entry_point.+15550103: there is flow and user; \
         write flow = \"…\" to answer, or user = \"…\" or trunk = \"…\" to go straight through",
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
