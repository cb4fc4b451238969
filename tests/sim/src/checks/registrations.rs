//! The node's registrations with carriers.

use std::time::Duration;

use super::Judge;
use crate::configuration::REGISTRAR;
use crate::network::Weather;
use crate::tap::{Seen, Way};
use crate::world::Observed;

/// New REGISTERs are so far apart at least, however the last one ended.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// RFC 3261 §10.2: one Call-ID, one sequence number after the other; §10.2.4: in fair weather, with a registrar that
/// grants, a registration is refreshed before it is over. Whatever happens, no registrar is stormed.
pub(super) fn registrations_are_kept(run: &Observed, judge: &mut Judge) {
    let mut last: Option<&Seen> = None;
    let mut granted_until: Option<Duration> = None;
    let is_fair = run.scenario.weather == Weather::FINE
        && run.scenario.registrar.as_ref().is_some_and(|plan| plan.trouble.is_none());
    for seen in &run.sip {
        if let Some(until) = granted_until.filter(|until| is_fair && *until < seen.at) {
            judge.fail(format!("the registration was over at {until:?}"));
            return;
        }
        if seen.peer != REGISTRAR {
            continue;
        }
        if seen.way == Way::In {
            if let Some(200) = seen.status_to("REGISTER") {
                granted_until = expires(seen).map(|expires| seen.at + expires);
            }
            continue;
        }
        let before = last.replace(seen).filter(|before| before.branch != seen.branch);
        let Some(before) = before else { continue };
        judge.looked();
        if before.call_id != seen.call_id || seen.cseq != before.cseq + 1 {
            judge.fail(format!(
                "REGISTER {} {} after {} {}",
                seen.call_id, seen.cseq, before.call_id, before.cseq
            ));
        }
        if seen.at < before.at + SHORTEST_PAUSE {
            judge.fail(format!("two REGISTERs at {:?} and {:?}", before.at, seen.at));
        }
    }
}

fn expires(ok: &Seen) -> Option<Duration> {
    let value = ok.text.split(";expires=").nth(1)?;
    value.split("\r\n").next()?.parse().ok().map(Duration::from_secs)
}
