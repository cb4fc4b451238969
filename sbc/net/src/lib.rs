//! SIP transports on tokio: UDP, TCP, TLS and WebSocket listeners, connections, and the source allow-list in front of them.
//!
//! Owner: tokio tasks of the shell receive; the signalling core's thread sends, without a task in between for UDP.
//! Nothing here looks into a message beyond its length: what an unlisted source sends is not even framed. Every
//! queue is bounded: a full one drops datagrams, stops reading a stream, or cuts a peer that does not read.

mod allow_list;
mod ban_list;
mod counters;
mod filter;
mod inbox;
mod rate;
mod stream;
mod tls;
mod transports;
mod udp;

pub use allow_list::AllowList;
pub use counters::{Counters, CountersSnapshot};
pub use filter::{FilterError, FilterState};
pub use inbox::{Inbound, InboundPacket, Inbox, InboxReader, Wake};
pub use rate::PacketRates;
pub use stream::{
    CONNECT_TIMEOUT, CONNECTION_QUEUE, HANDSHAKE_TIMEOUT, MESSAGE_TIMEOUT, WEBSOCKET_PING, WEBSOCKET_SILENCE,
    WRITE_TIMEOUT,
};
pub use tls::{Authorities, Certificate, PeerName, PemError, TlsConfig, TlsError, TlsTrunk};
pub use transports::{BindError, MAX_LISTEN, TcpLimits, Transports, TransportsConfig};
pub use udp::UDP_SEND_QUEUE;
