//! Who picks up whose calls.

use crate::one_problem;

#[test]
fn a_group_is_of_users() {
    one_problem(
        "users = [\"1001\", \"1002\"]",
        "users = [\"1001\", \"1099\"]",
        "\"1099\"",
        "pickup_group.sales.users[2]: there is no user \"1099\"; write \"1009\", or add [[user]] name = \"1099\"",
    );
    one_problem(
        "users = [\"1001\", \"1002\"]",
        "users = [\"1001\"]",
        "[\"1001\"]",
        "pickup_group.sales.users: nobody is there to pick up for; name two users or more",
    );
}
