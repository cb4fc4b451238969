//! What the transports count, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

pub(crate) fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Relaxed);
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Running totals of all transports. Relaxed: each is exact, together they are no snapshot.
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
    /// Datagrams from listed sources.
    udp_received,
    /// Datagrams from unlisted sources, dropped unread. With the kernel filter on, none gets so far.
    udp_unlisted,
    /// Datagrams from banned sources, dropped unread.
    udp_banned,
    /// Datagrams beyond the rate of their source, dropped unread.
    udp_over_rate,
    /// Datagrams dropped because the core's inbox was full.
    udp_inbox_full,
    /// Datagrams of nothing but line ends: keep-alives of phones behind NAT.
    udp_keep_alives,
    /// Datagrams given to the kernel.
    udp_sent,
    /// Datagrams that had to wait for the socket.
    udp_send_queued,
    /// Datagrams that could not be sent.
    udp_send_failures,
    /// Connections accepted from listed sources; here and below all streams count, whatever is on top of TCP.
    tcp_accepted,
    /// Connections from unlisted sources, reset.
    tcp_unlisted,
    /// Connections from listed sources reset, and connections not made, because there were too many.
    tcp_over_limit,
    /// Connections made.
    tcp_connected,
    /// Connections that could not be made.
    tcp_connect_failures,
    /// Messages received.
    tcp_received,
    /// Keep-alives answered (RFC 5626 §3.5.1).
    tcp_keep_alives,
    /// Connections closed because what came was no SIP message, or too large a one.
    tcp_framing_errors,
    /// Connections closed because nothing came for too long, or a message did not end.
    tcp_timeouts,
    /// Messages written.
    tcp_sent,
    /// Connections cut because the peer did not read.
    tcp_slow_readers,
    /// Connections that ended.
    tcp_closed,
    /// TLS handshakes that led to a connection, whoever began.
    tls_handshakes,
    /// TLS handshakes that did not: no version or cipher in common, or a certificate that one side refused.
    tls_handshake_failures,
    /// Handshakes of TLS and WebSocket that clients did not end in time.
    handshake_timeouts,
    /// Certificates of trunks that we refused.
    tls_peers_refused,
    /// Connections upgraded to WebSocket.
    ws_handshakes,
    /// Connections not upgraded: no WebSocket, another subprotocol than `sip`, or a page of another origin.
    ws_refused,
    /// WebSocket pings sent.
    ws_pings,
}
