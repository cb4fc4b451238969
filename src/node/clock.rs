//! The node's one clock.

use std::time::{Instant as WallInstant, SystemTime};

use tandem_store::NodeClock;
use tandem_time::Instant;

/// Monotonic time since the node started, and the date of that start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: WallInstant,
    started: SystemTime,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self { epoch: WallInstant::now(), started: SystemTime::now() }
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        Instant::START + self.epoch.elapsed()
    }

    /// What [`Instant::START`] stands for.
    pub(crate) const fn epoch(&self) -> WallInstant {
        self.epoch
    }

    /// What turns instants into dates.
    pub(crate) fn dates(&self) -> NodeClock {
        NodeClock::starting_at(self.started)
    }
}
