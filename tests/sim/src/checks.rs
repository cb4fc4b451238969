//! What must hold in every run, whatever the network and the parties do.

mod audio;
mod control;
mod crossing;
mod machines;
mod naming;
mod packets;
mod parties;
mod recordings;
mod registrations;
mod resources;
mod rogues;
mod signalling;
mod silence;
mod talks;
mod topology;
mod transfers;
mod vanishing;

use crate::world::Observed;

/// Something that should not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The check's name.
    pub check: &'static str,
    /// What was wrong.
    pub message: String,
}

type Check = fn(&Observed, &mut Judge);

/// What one check found.
#[derive(Debug)]
pub(crate) struct Judge {
    check: &'static str,
    judged: u64,
    failures: Vec<Failure>,
}

impl Judge {
    /// One more thing was looked at that could have been wrong.
    fn looked(&mut self) {
        self.judged += 1;
    }

    fn fail(&mut self, message: String) {
        self.failures.push(Failure { check: self.check, message });
    }
}

/// What all checks found.
#[derive(Debug)]
pub struct Judgement {
    /// What should not have been; empty when all is well.
    pub failures: Vec<Failure>,
    /// How many things each check looked at: a check that looks at nothing shows nothing.
    pub judged: Vec<(&'static str, u64)>,
}

const CHECKS: &[(&str, Check)] = &[
    ("time_goes_on", resources::time_goes_on),
    ("everything_is_given_back_in_bounded_time", resources::everything_is_given_back_in_bounded_time),
    ("strangers_get_nothing", resources::strangers_get_nothing),
    ("scanners_are_banned", resources::scanners_are_banned),
    ("rogues_get_nowhere", rogues::rogues_get_nowhere),
    ("each_side_sees_nothing_of_the_other", topology::each_side_sees_nothing_of_the_other),
    ("one_final_answer_per_invite", signalling::one_final_answer_per_invite),
    ("final_answers_are_acknowledged", signalling::final_answers_are_acknowledged),
    ("no_session_outlives_its_interval", signalling::no_session_outlives_its_interval),
    ("registrations_are_kept", registrations::registrations_are_kept),
    ("the_nodes_messages_can_be_read", signalling::the_nodes_messages_can_be_read),
    ("one_outcome_per_command", control::one_outcome_per_command),
    ("one_record_per_call", control::one_record_per_call),
    (
        "records_count_the_seconds_that_passed_the_edge",
        control::records_count_the_seconds_that_passed_the_edge,
    ),
    ("records_say_who_called_whom", control::records_say_who_called_whom),
    ("records_count_the_packets", control::records_count_the_packets),
    ("callers_get_through_when_nothing_is_wrong", control::callers_get_through_when_nothing_is_wrong),
    ("nobody_waits_while_an_agent_is_free", control::nobody_waits_while_an_agent_is_free),
    ("an_agent_holds_at_most_one_offer", control::an_agent_holds_at_most_one_offer),
    ("nobody_hears_a_third_party", audio::nobody_hears_a_third_party),
    ("bridged_parties_hear_each_other", audio::bridged_parties_hear_each_other),
    ("transferred_parties_hear_each_other", audio::transferred_parties_hear_each_other),
    ("conferring_parties_hear_each_other", audio::conferring_parties_hear_each_other),
    ("those_of_one_codec_are_relayed", crossing::those_of_one_codec_are_relayed),
    ("packets_are_as_long_as_asked", packets::packets_are_as_long_as_asked),
    ("keys_reach_the_other_party", crossing::keys_reach_the_other_party),
    ("recordings_have_both_sides", recordings::recordings_have_both_sides),
    ("who_vanishes_on_hold_is_found_out", vanishing::who_vanishes_on_hold_is_found_out),
    ("each_is_called_by_its_own_name", naming::each_is_called_by_its_own_name),
    ("transferors_are_told_the_end", transfers::transferors_are_told_the_end),
    ("no_call_is_answered_twice", transfers::no_call_is_answered_twice),
    ("waiting_callers_hear_music", audio::waiting_callers_hear_music),
    ("pauses_are_described_to_who_takes_that", silence::pauses_are_described_to_who_takes_that),
    ("who_asks_is_told_how_it_is_heard", silence::who_asks_is_told_how_it_is_heard),
    ("callers_are_connected_to_no_machine", machines::callers_are_connected_to_no_machine),
    ("announcements_and_echo_are_heard", audio::announcements_and_echo_are_heard),
    ("digits_arrive_once_and_in_order", audio::digits_arrive_once_and_in_order),
];

/// The names of all checks.
pub fn names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(name, _)| *name)
}

/// What must hold even when messages arrive mangled: a caller may then be somebody else, but nothing is kept.
const OF_MANGLED: [&str; 6] = [
    "time_goes_on",
    "everything_is_given_back_in_bounded_time",
    "strangers_get_nothing",
    "one_outcome_per_command",
    "nobody_waits_while_an_agent_is_free",
    "an_agent_holds_at_most_one_offer",
];

/// Judges a run by every check.
#[must_use]
pub fn all(run: &Observed) -> Judgement {
    by(run, |_| true)
}

/// Judges a run in which packets were mangled.
#[must_use]
pub fn of_mangled(run: &Observed) -> Judgement {
    by(run, |name| OF_MANGLED.contains(&name))
}

fn by(run: &Observed, wanted: impl Fn(&str) -> bool) -> Judgement {
    let mut judgement = Judgement { failures: Vec::new(), judged: Vec::new() };
    for (name, check) in CHECKS.iter().filter(|(name, _)| wanted(name)) {
        let mut judge = Judge { check: name, judged: 0, failures: Vec::new() };
        check(run, &mut judge);
        judgement.failures.extend(judge.failures);
        judgement.judged.push((name, judge.judged));
    }
    judgement
}
