//! The daemon under test and the real peers around it.
//!
//! For end-to-end tests and benchmarks: starts `tandem serve` on a copy of the demo's configuration with ports of its
//! own, SIPp as carrier or agent, and baresip as a registered softphone. Nothing here waits by the clock: it waits for
//! what a process says, with a named patience.

mod baresip;
mod capture;
mod certificates;
mod dns;
mod edge_proxy;
mod gateway;
mod kamailio;
mod lines;
mod node;
mod parts;
mod process;
mod registrar;
mod relay;
mod sipp;
mod speech;
mod websocket_phone;

pub use baresip::{Baresip, Softphone, Wideband, share_of_tone};
pub use capture::{Capture, Datagram};
pub use certificates::{Authority, Pair};
pub use dns::{DnsServer, Zone};
pub use edge_proxy::EdgeProxy;
pub use gateway::{Gateway, Refusal};
pub use node::{Configuration, Node, Ports, free_port, free_rtp_ports};
pub use process::Process;
pub use registrar::Registrar;
pub use relay::Relay;
pub use sipp::{Scenario, Sipp};
pub use speech::{RATE_HZ, Voice};
pub use websocket_phone::{Engine, WebSocketAccount, WebSocketPhone};
