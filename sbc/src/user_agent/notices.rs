//! What transactions say by themselves: that nobody answered, or that nothing could be sent.

use tandem_time::Instant;

use super::{Role, UserAgent};
use crate::transaction::Tell;

impl UserAgent {
    /// Deals with what transactions have to say by themselves.
    pub(super) fn handle_notices(&mut self, now: Instant) {
        while let Some(notice) = self.transactions.poll_notice() {
            match (notice.user, notice.tell) {
                (Role::Fork(session), Tell::Timeout) => {
                    self.handle_fork_failure(now, session, notice.transaction, 408, "no response");
                }
                (Role::Fork(session), Tell::TransportError) => {
                    self.handle_fork_failure(now, session, notice.transaction, 503, "cannot be reached");
                }
                (Role::Change(session), Tell::Timeout) => {
                    self.handle_change_failure(now, session, notice.transaction, 408);
                }
                (Role::Change(session), Tell::TransportError) => {
                    self.handle_change_failure(now, session, notice.transaction, 503);
                }
                (Role::Passed(session), Tell::Timeout) => {
                    self.handle_passed_failure(now, session, notice.transaction, 408);
                }
                (Role::Passed(session), Tell::TransportError) => {
                    self.handle_passed_failure(now, session, notice.transaction, 503);
                }
                (Role::Farewell(session), Tell::Timeout | Tell::TransportError) => {
                    self.end_farewell(session);
                }
                (Role::Prack(session), Tell::Timeout) => {
                    self.handle_prack_failure(now, session, None, 408);
                }
                (Role::Refer(session), Tell::Timeout | Tell::TransportError) => {
                    self.handle_refer_answered(now, session, 408, None);
                }
                (Role::Key(session), Tell::Timeout | Tell::TransportError) => {
                    self.handle_key_answered(now, session);
                }
                (Role::Notify(session, refer), Tell::Timeout | Tell::TransportError) => {
                    self.handle_notified(now, session, refer, 408);
                }
                (Role::Watch(session), Tell::Timeout | Tell::TransportError) => {
                    self.handle_watched(now, session, 408);
                }
                (Role::Register(id), Tell::Timeout | Tell::TransportError) => {
                    self.handle_register_failure(now, id, notice.transaction);
                }
                (Role::Probe(probe), Tell::Timeout | Tell::TransportError) => {
                    self.handle_probe_failure(now, probe, notice.transaction);
                }
                _ => {}
            }
        }
    }
}
