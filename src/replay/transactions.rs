//! Which requests had a final answer.

use std::collections::BTreeMap;

use tandem_sbc::message::{Message, Method, StartLine};

use super::correspondence::label;

/// Requests without a final answer so far, by who sent them, branch and method (RFC 3261 §17.1.3).
#[derive(Debug, Default)]
pub(super) struct Transactions {
    open: BTreeMap<(bool, String, String), (usize, String)>,
    begun: usize,
}

impl Transactions {
    /// A message passed; `ours` when the node sent it.
    pub(super) fn passed(&mut self, message: &Message<'_>, ours: bool) {
        let (Ok(cseq), Some(branch)) =
            (message.cseq(), message.top_via().ok().and_then(|via| via.branch().map(str::to_owned)))
        else {
            return;
        };
        let method = cseq.method.as_str().to_owned();
        match message.start() {
            StartLine::Request { method: Method::Ack, .. } => {}
            StartLine::Request { .. } => {
                self.begun += 1;
                let who = if ours { "the node's" } else { "the party's" };
                let call_id = message.call_id().unwrap_or_default();
                let entry = (self.begun, format!("{who} {} of {call_id}", label(message)));
                self.open.entry((ours, branch, method)).or_insert(entry);
            }
            StartLine::Response { status: 200.., .. } => {
                self.open.remove(&(!ours, branch, method));
            }
            StartLine::Response { .. } => {}
        }
    }

    /// Those that had none, in their order.
    pub(super) fn unanswered(&self) -> Vec<String> {
        let mut open: Vec<&(usize, String)> = self.open.values().collect();
        open.sort();
        open.into_iter().map(|(_, request)| request.clone()).collect()
    }
}
