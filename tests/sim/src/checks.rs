//! What must hold in every run, whatever the network and the parties do.

mod audio;
mod control;
mod resources;
mod signalling;

use crate::world::Observed;

/// Something that should not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The check's name.
    pub check: &'static str,
    /// What was wrong.
    pub message: String,
}

type Check = fn(&Observed, &mut dyn FnMut(String));

const CHECKS: &[(&str, Check)] = &[
    ("time_goes_on", resources::time_goes_on),
    ("everything_is_given_back_in_bounded_time", resources::everything_is_given_back_in_bounded_time),
    ("strangers_get_nothing", resources::strangers_get_nothing),
    ("one_final_answer_per_invite", signalling::one_final_answer_per_invite),
    ("final_answers_are_acknowledged", signalling::final_answers_are_acknowledged),
    ("the_nodes_messages_can_be_read", signalling::the_nodes_messages_can_be_read),
    ("one_outcome_per_command", control::one_outcome_per_command),
    ("one_record_per_call", control::one_record_per_call),
    (
        "records_count_the_seconds_that_passed_the_edge",
        control::records_count_the_seconds_that_passed_the_edge,
    ),
    ("an_agent_holds_at_most_one_offer", control::an_agent_holds_at_most_one_offer),
    ("nobody_hears_a_third_party", audio::nobody_hears_a_third_party),
    ("bridged_parties_hear_each_other", audio::bridged_parties_hear_each_other),
    ("waiting_callers_hear_music", audio::waiting_callers_hear_music),
    ("announcements_and_echo_are_heard", audio::announcements_and_echo_are_heard),
    ("digits_arrive_once_and_in_order", audio::digits_arrive_once_and_in_order),
];

/// Judges a run by every check.
#[must_use]
pub fn all(observed: &Observed) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (name, check) in CHECKS {
        check(observed, &mut |message| failures.push(Failure { check: name, message }));
    }
    failures
}
