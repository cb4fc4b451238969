//! Which party's report belongs to which leg.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tandem_control_api::LegRecord;

use crate::tap::Way;
use crate::world::{Observed, PartyReport};

/// Everybody's calls, put together by the Call-IDs in the records.
pub(super) struct Calls<'a> {
    by_call_id: BTreeMap<&'a str, &'a PartyReport>,
}

impl<'a> Calls<'a> {
    pub(super) fn of(run: &'a Observed) -> Self {
        // A user's phones ring under one Call-ID: the one whose 200 came first is the one that counts. So do the
        // destinations of a carrier, one after the other: there it is the last one's.
        let mut winners: BTreeMap<&str, (u32, IpAddr)> = BTreeMap::new();
        for seen in run.sip.iter().filter(|seen| seen.way == Way::In) {
            if matches!(seen.status_to("INVITE"), Some(200..300))
                && winners.get(seen.call_id.as_str()).is_none_or(|(cseq, _)| *cseq < seen.cseq)
            {
                winners.insert(&seen.call_id, (seen.cseq, seen.peer.ip()));
            }
        }
        let mut by_call_id: BTreeMap<&str, &PartyReport> = BTreeMap::new();
        for party in &run.reports {
            let call_id = party.report.sip_call_id.as_str();
            let first = by_call_id.entry(call_id).or_insert(party);
            if winners.get(call_id).is_some_and(|(_, host)| *host == party.host) {
                *first = party;
            }
        }
        Self { by_call_id }
    }

    /// Who was at the other end of a leg.
    pub(super) fn party(&self, leg: &LegRecord) -> Option<&'a PartyReport> {
        self.by_call_id.get(leg.sip_call_id.as_str()).copied()
    }
}
