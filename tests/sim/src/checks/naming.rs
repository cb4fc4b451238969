//! Who hears whom named, and how (Session-ID, RFC 7989).

use tandem_sbc::user_agent::SessionIdPolicy;

use super::Judge;
use crate::configuration::{CARRIER, FIRST_PROXY, SECOND_PROXY};
use crate::world::{Observed, PartyReport};

/// Each party is called by the name that it gave itself, or by none, and hears of somebody else; and who is not to know of
/// names hears of none.
pub(super) fn each_is_called_by_its_own_name(run: &Observed, judge: &mut Judge) {
    for party in &run.reports {
        let named = &party.report.named;
        let carriers = [CARRIER, FIRST_PROXY, SECOND_PROXY].map(|carrier| carrier.ip());
        let policy = if carriers.contains(&party.host) {
            run.scenario.knobs.session_id
        } else {
            SessionIdPolicy::Accept
        };
        // Phones of one user are rung in one session.
        let is_beside = |other: &&PartyReport| {
            other.party == party.party && other.report.sip_call_id == party.report.sip_call_id
        };
        let is_heard = || {
            let mut beside = run.reports.iter().filter(is_beside);
            beside.any(|other| other.report.named.own.is_some())
        };
        let may_hear = match policy {
            SessionIdPolicy::Off => false,
            SessionIdPolicy::Accept => is_heard(),
            SessionIdPolicy::Send => true,
        };
        judge.looked();
        // Of phones that ring together, what one has said is what the session is called.
        let is_other_phones = |name: &String| {
            let mut beside = run.reports.iter().filter(is_beside);
            beside.any(|other| other.report.named.own.as_ref() == Some(name))
        };
        // Who has no name is not called by one either.
        if named.own.is_some() && !named.misnamed.iter().all(is_other_phones) {
            judge.fail(format!("{} is {:?} and was called {:?}", party.party, named.own, named.misnamed));
        }
        if named.theirs.is_some() && named.theirs == named.own {
            judge.fail(format!("{} heard that it talks to itself", party.party));
        }
        if named.theirs.is_some() && !may_hear {
            judge.fail(format!("{} heard of {:?}, which is not for it", party.party, named.theirs));
        }
    }
}
