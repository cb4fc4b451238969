use crate::one_problem;

#[test]
fn prompts_have_a_folder_and_a_most_of_memory() {
    one_problem(
        "max_memory_mib = 512",
        "max_memory_mib = 0",
        "0",
        "prompts.max_memory_mib: found 0; write a whole number from 1 to 65536",
    );
    one_problem(
        "grammars = \"grammars\"",
        "grammars = \"missing\"",
        "\"missing\"",
        "prompts.grammars: there is no folder demo/missing; create it, or write where it is",
    );
}
