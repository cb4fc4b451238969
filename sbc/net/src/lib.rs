//! SIP transports on tokio: UDP, TCP, TLS and WebSocket listeners, connections, and the source allow-list in front of them.
//!
//! Owner: the signalling core's thread receives and sends datagrams itself ([`Datagrams`]); streams are read and written
//! by tokio tasks of the shell.
//! Nothing here looks into a message beyond its length: what an unlisted source sends is not even framed. Every
//! queue is bounded: a full one drops datagrams, stops reading a stream, or cuts a peer that does not read.

mod allow_list;
mod ban_list;
mod bell;
mod counters;
mod dns;
mod filter;
mod inbox;
mod rate;
mod stream;
mod tls;
mod transports;
mod udp;

pub use allow_list::AllowList;
pub use bell::Bell;
pub use counters::{Counters, CountersSnapshot};
pub use dns::{DnsConfig, Resolver};
pub use filter::{FilterError, FilterState};
pub use inbox::{Inbound, InboundPacket, Inbox, InboxReader, Wake};
pub use rate::PacketRates;
pub use stream::{
    CONNECT_TIMEOUT, CONNECTION_QUEUE, HANDSHAKE_TIMEOUT, MESSAGE_TIMEOUT, WEBSOCKET_PING, WEBSOCKET_SILENCE,
    WRITE_TIMEOUT,
};
pub use tls::{Authorities, Certificate, PeerName, PemError, TlsConfig, TlsError, TlsTrunk};
pub use transports::{BindError, MAX_LISTEN, TcpLimits, Transports, TransportsConfig};
pub use udp::{Datagrams, UDP_SEND_QUEUE};
