//! A check that cannot fail shows nothing: with a fault put into the node, the one that should see it does.

use std::collections::BTreeSet;

use tandem_sim::{Sabotage, run_sabotaged};

/// Runs of fine weather, in which nothing else explains what is missing. Some must be without SRTP: crossed wires are
/// silent when each has its own key.
const SEEDS: [u64; 14] = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 51, 57];

#[test]
fn every_sabotage_is_found_by_the_check_it_is_for() {
    let table = [
        (Sabotage::AddsASecond, "records_count_the_seconds_that_passed_the_edge"),
        (Sabotage::KeepsEndpoints, "everything_is_given_back_in_bounded_time"),
        (Sabotage::CrossesWires, "nobody_hears_a_third_party"),
        (Sabotage::Deaf, "bridged_parties_hear_each_other"),
        (Sabotage::Mute, "waiting_callers_hear_music"),
        (Sabotage::Mute, "announcements_and_echo_are_heard"),
        (Sabotage::LosesDigits, "digits_arrive_once_and_in_order"),
        (Sabotage::AnswersStrangers, "strangers_get_nothing"),
        (Sabotage::AnswersTwice, "one_final_answer_per_invite"),
        (Sabotage::NeverAcks, "final_answers_are_acknowledged"),
        (Sabotage::Garbles, "the_nodes_messages_can_be_read"),
        (Sabotage::LosesOutcomes, "one_outcome_per_command"),
        (Sabotage::OffersTwice, "an_agent_holds_at_most_one_offer"),
        (Sabotage::LosesRecords, "one_record_per_call"),
        (Sabotage::SwapsNumbers, "records_say_who_called_whom"),
        (Sabotage::Deaf, "records_count_the_packets"),
        (Sabotage::LosesAcceptances, "callers_get_through_when_nothing_is_wrong"),
        (Sabotage::LeavesAgentsIdle, "nobody_waits_while_an_agent_is_free"),
        (Sabotage::StandsStill, "time_goes_on"),
        (Sabotage::ShowsPhones, "each_side_sees_nothing_of_the_other"),
        (Sabotage::BansNobody, "scanners_are_banned"),
        (Sabotage::ObeysThieves, "rogues_get_nowhere"),
        (Sabotage::StretchesSessions, "no_session_outlives_its_interval"),
        (Sabotage::Deaf, "transferred_parties_hear_each_other"),
        (Sabotage::Deaf, "conferring_parties_hear_each_other"),
        (Sabotage::ExposesMonitors, "nobody_hears_a_third_party"),
        (Sabotage::RelaysNothing, "those_of_one_codec_are_relayed"),
        (Sabotage::RelaysAnyLength, "packets_are_as_long_as_asked"),
        (Sabotage::LosesDigits, "keys_reach_the_other_party"),
        (Sabotage::SwapsSides, "recordings_have_both_sides"),
        (Sabotage::TellsNoPauses, "pauses_are_described_to_who_takes_that"),
        (Sabotage::WritesNoReports, "who_asks_is_told_how_it_is_heard"),
        (Sabotage::BelievesMachines, "callers_are_connected_to_no_machine"),
        (Sabotage::AsksNobody, "who_vanishes_on_hold_is_found_out"),
        (Sabotage::Misnames, "each_is_called_by_its_own_name"),
        (Sabotage::LeavesTransfersOpen, "transferors_are_told_the_end"),
        (Sabotage::NeverHangsUp, "no_call_is_answered_twice"),
        (Sabotage::ForgetsToRegister, "registrations_are_kept"),
    ];
    let all: BTreeSet<&str> = tandem_sim::checks::names().collect();
    let shown: BTreeSet<&str> = table.iter().map(|(_, check)| *check).collect();
    assert_eq!(shown, all, "every check has a sabotage");
    for sabotage in Sabotage::ALL {
        let wanted: BTreeSet<&str> =
            table.iter().filter(|(it, _)| *it == sabotage).map(|(_, check)| *check).collect();
        let mut found = BTreeSet::new();
        for seed in SEEDS {
            if wanted.is_subset(&found) {
                break;
            }
            let failures = run_sabotaged(seed, sabotage).judgement.failures;
            found.extend(failures.into_iter().map(|failure| failure.check));
        }
        for check in wanted {
            assert!(found.contains(check), "{check} does not see that the node {sabotage:?}; {found:?} do");
        }
    }
}
