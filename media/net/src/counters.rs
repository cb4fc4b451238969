//! What a media thread counts, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tandem_media::{Refusal, Worker};

macro_rules! counters {
    (
        own { $($(#[$doc:meta])* $name:ident,)* }
        worker { $($(#[$worker_doc:meta])* $worker_name:ident,)* }
    ) => {
        /// Running totals of one media thread and its worker. Relaxed: each is exact, together they are no snapshot.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub(crate) $name: AtomicU64,)*
            $($(#[$worker_doc])* $worker_name: AtomicU64,)*
            endpoints: AtomicU64,
            refused: [AtomicU64; Refusal::ALL.len()],
        }

        /// The totals at one time.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct CountersSnapshot {
            $($(#[$doc])* pub $name: u64,)*
            $($(#[$worker_doc])* pub $worker_name: u64,)*
        }

        impl Counters {
            /// The totals now.
            #[must_use]
            pub fn snapshot(&self) -> CountersSnapshot {
                CountersSnapshot {
                    $($name: self.$name.load(Relaxed),)*
                    $($worker_name: self.$worker_name.load(Relaxed),)*
                }
            }

            /// Makes the worker's own totals readable.
            pub(crate) fn publish(&self, worker: &Worker) {
                let totals = worker.counters();
                $(self.$worker_name.store(totals.$worker_name, Relaxed);)*
                self.endpoints.store(worker.endpoints() as u64, Relaxed);
                for (published, why) in self.refused.iter().zip(Refusal::ALL) {
                    published.store(totals.refused(why), Relaxed);
                }
            }
        }

        impl CountersSnapshot {
            /// Name and value of each, for metrics.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)* $((stringify!($worker_name), self.$worker_name),)*]
                    .into_iter()
            }
        }
    };
}

impl Counters {
    /// Endpoints that hold a slot now: zero at rest.
    #[must_use]
    pub fn endpoints(&self) -> u64 {
        self.endpoints.load(Relaxed)
    }

    /// How many packets were dropped, by reason.
    pub fn refused(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().zip(&self.refused).map(|(why, count)| (why, count.load(Relaxed)))
    }
}

counters! {
    own {
        /// Packets read from sockets.
        packets_received,
        /// Packets given to the kernel.
        packets_sent,
        /// Packets too long to be media, dropped.
        packets_too_long,
        /// Packets the kernel would not take: full send buffer, no route.
        send_failures,
        /// Errors that ICMP told of connected parties' packets, for the most part that nobody listens there. Packets go
        /// on to them.
        icmp_errors,
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
    worker {
        /// RTP packets accepted.
        rtp_received,
        /// RTP packets made or relayed.
        rtp_sent,
        /// RTCP packets accepted.
        rtcp_received,
        /// RTCP packets made.
        rtcp_sent,
        /// Accepted packets that the bridged party was not sent, for instance on hold.
        not_relayed,
        /// Commands for endpoints that are not open, or that were impossible otherwise.
        commands_ignored,
        /// Frames of a player a whole packet time late or more.
        frames_late,
        /// Frames of a player that were given up.
        frames_skipped,
        /// Frames mixed for members of conferences.
        frames_mixed,
        /// Frames made of what a bridged party says in another codec.
        frames_transcoded,
        /// Frames of music coded, however many heard them.
        music_frames,
        /// Packets for which a bridged party hears something else: lost, or not here in time.
        packets_concealed,
        /// Key presses not kept: the type-ahead was full.
        digits_dropped,
        /// Events not reported: too many waited for the core.
        events_dropped,
    }
}

/// Only the thread itself writes most counters: adding needs no bus lock then.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

/// For counters that the handle's thread writes as well.
pub(crate) fn add_shared(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
