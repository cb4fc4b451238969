//! Whether the party is where it will stay: its RTP socket may then be connected to it, which spares the kernel work for
//! each packet. Nothing depends on it: a packet of somebody else is refused by the latch, too.
//!
//! ```text
//!             believed from where nothing can move it from
//!          ┌──────────────────────────────────────────────┐
//! Abroad ──┘                                              └─► Settled
//!   ▲                                                            │
//!   └── Left ◄── it is agreed anew, or the party falls silent ───┘
//! ```
//! Who has fallen silent may have moved: its socket hears everybody again, so that what comes from elsewhere is counted.

use std::net::SocketAddr;

use super::Endpoint;

/// Where the party is, as far as its socket is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Packets may come from elsewhere yet.
    #[default]
    Abroad,
    /// All that is believed comes from there.
    Settled(SocketAddr),
    /// No longer; the socket is still as it was.
    Left,
}

impl Endpoint {
    /// A packet was believed; whether its source is the only one from now on.
    #[inline]
    pub(super) fn settle(&mut self, source: SocketAddr) -> bool {
        let Place::Abroad = self.place else { return false };
        let settles = self.agreed.as_ref().and_then(|agreed| agreed.settled_at()) == Some(source);
        if settles {
            self.place = Place::Settled(source);
        }
        settles
    }

    /// What was agreed has changed.
    pub(super) fn resettle(&mut self) {
        if let Place::Settled(at) = self.place
            && self.agreed.as_ref().and_then(|agreed| agreed.settled_at()) != Some(at)
        {
            self.place = Place::Left;
        }
    }

    /// The party has fallen silent.
    pub(super) fn unsettle(&mut self) {
        if let Place::Settled(_) = self.place {
            self.place = Place::Left;
        }
    }

    /// Whether the socket is to hear everybody again.
    pub(crate) fn take_left(&mut self) -> bool {
        let left = self.place == Place::Left;
        if left {
            self.place = Place::Abroad;
        }
        left
    }

    /// It has another socket from now on.
    pub(crate) fn arrive(&mut self) {
        self.place = Place::Abroad;
    }
}
