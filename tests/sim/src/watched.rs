//! The contact centre with everything it is told and everything it asks for written down.

use std::time::Duration;

use tandem_control::ContactCentre;
use tandem_control_api::{ControlPlane, Event, Request};
use tandem_time::Instant;

/// One thing that passed between switch and control plane.
#[derive(Clone, Debug)]
pub enum Said {
    /// The switch told it.
    Event(Event),
    /// It asked for something.
    Request(Request),
}

/// A control plane that keeps a log.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) centre: ContactCentre,
    now: Instant,
    log: Vec<(Duration, Said)>,
}

impl Watched {
    pub(crate) const fn new(centre: ContactCentre) -> Self {
        Self { centre, now: Instant::START, log: Vec::new() }
    }

    /// What was said since the last time.
    pub(crate) fn take_log(&mut self) -> Vec<(Duration, Said)> {
        std::mem::take(&mut self.log)
    }
}

impl ControlPlane for Watched {
    fn handle_event(&mut self, now: Instant, event: &Event) {
        self.now = now;
        self.log.push((now.since_start(), Said::Event(event.clone())));
        self.centre.handle_event(now, event);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.centre.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.centre.poll_timeout()
    }

    fn poll_request(&mut self) -> Option<Request> {
        let request = self.centre.poll_request()?;
        self.log.push((self.now.since_start(), Said::Request(request.clone())));
        Some(request)
    }
}
