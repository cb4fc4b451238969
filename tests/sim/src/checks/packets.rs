//! How long the packets are that parties are sent.

use std::collections::BTreeSet;

use tandem_phone::Manner;
use tandem_sbc::user_agent::Repacketise;

use super::Judge;
use super::talks::Talks;
use crate::world::Observed;

/// Whether the packets of one party may go to another one as they are.
pub(super) fn may_be_sent(run: &Observed, speaker: &Manner, listener: &Manner) -> bool {
    match run.scenario.knobs.repacketise {
        Repacketise::Off => true,
        Repacketise::Limit => listener.max_ptime.is_none_or(|most| speaker.ptime <= most),
        Repacketise::Always => speaker.ptime == listener.ptime,
    }
}

/// RFC 8866 §6.4: who says how much audio a packet may carry is sent none with more, whoever talks to it; and where all are
/// sent what they ask for, nobody is sent anything else.
pub(super) fn packets_are_as_long_as_asked(run: &Observed, judge: &mut Judge) {
    let repacketise = run.scenario.knobs.repacketise;
    let direct = Talks::of(run).direct.0;
    let records = run.records.iter().map(|(_, record)| record).filter(|record| direct.contains(&record.id));
    let past_us: BTreeSet<&str> =
        records.flat_map(|record| &record.legs).map(|leg| leg.sip_call_id.as_str()).collect();
    for party in &run.reports {
        let Some(manner) = party.manner(run).filter(|_| repacketise != Repacketise::Off) else { continue };
        let (received, call_id) = (&party.report.received, party.report.sip_call_id.as_str());
        // Keys that are pressed for it as tones are packets of their own.
        if manner.events.is_none() {
            continue;
        }
        let Some(shortest) = received.shortest.filter(|_| !past_us.contains(call_id)) else { continue };
        let most = manner.max_ptime.unwrap_or(received.longest);
        judge.looked();
        if received.longest > most {
            judge.fail(format!("{} in {call_id} takes {most:?} and got {:?}", party.party, received.longest));
        }
        if repacketise == Repacketise::Always && [shortest, received.longest] != [manner.ptime; 2] {
            judge.fail(format!(
                "{} in {call_id} asks for {:?} and got {shortest:?} to {:?}",
                party.party, manner.ptime, received.longest
            ));
        }
    }
}
