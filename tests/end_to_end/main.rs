//! The whole daemon on real sockets, with real peers: one behaviour a file.

mod agent_on_trunk;
mod busy_address;
mod carrier_habits;
mod carrier_sipp;
mod check;
mod crash;
mod demo;
mod drain;
mod echo_and_digits;
mod generator;
mod ipv6;
mod ledger;
mod load;
mod load_streams;
mod menu_to_softphone;
mod reload;
mod service_manager;
mod srtp_softphone;
mod straight_through;
mod support;
mod tls;
mod tls_softphone;
mod tls_trunk;
mod two_softphones;
mod unlisted_source;
mod websocket;
