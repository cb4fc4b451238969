//! The trait anybody can implement to decide what happens to calls.

use tandem_time::Instant;

use crate::{Event, Request};

/// Decides what happens to calls.
///
/// The switch owns the plane and drives it like every machine here: one input, then a drain of
/// [`ControlPlane::poll_request`] until `None`. A plane reads no clock and starts no thread; what it wants to do
/// later it says with [`ControlPlane::poll_timeout`].
pub trait ControlPlane {
    /// Takes one event.
    fn handle_event(&mut self, now: Instant, event: &Event);

    /// Called at or after the time that [`ControlPlane::poll_timeout`] gave.
    fn handle_timeout(&mut self, now: Instant);

    /// When [`ControlPlane::handle_timeout`] should be called, if ever.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next thing to do, until `None`.
    fn poll_request(&mut self) -> Option<Request>;
}
