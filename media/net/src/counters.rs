//! What a media thread counts, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Running totals of one media thread. Relaxed: each is exact, together they are no snapshot.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub(crate) $name: AtomicU64,)*
        }

        /// The totals at one time.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct CountersSnapshot {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// The totals now.
            #[must_use]
            pub fn snapshot(&self) -> CountersSnapshot {
                CountersSnapshot { $($name: self.$name.load(Relaxed),)* }
            }
        }

        impl CountersSnapshot {
            /// Name and value of each, for metrics.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }
    };
}

counters! {
    /// Packets read from sockets.
    packets_received,
    /// Packets given to the kernel.
    packets_sent,
    /// Packets too long to be media, dropped.
    packets_too_long,
    /// Packets the kernel would not take: full send buffer, no route.
    send_failures,
    /// Packets the kernel dropped since a socket's buffer was full; counted when the socket closes.
    kernel_drops,
    /// Times the thread woke up and looked at its sockets.
    wakeups,
    /// Timer turns more than 5 ms late.
    late_turns,
    /// Commands handed back because the ring was full.
    command_ring_full,
    /// Times an event had to wait because the ring was full.
    event_ring_full,
    /// Socket pairs bound.
    pairs_bound,
    /// Socket pairs that could not be bound.
    pairs_refused,
    /// Socket pairs closed.
    pairs_closed,
}

/// Only the thread itself writes most counters: adding needs no bus lock then.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

/// For counters that the handle's thread writes as well.
pub(crate) fn add_shared(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
