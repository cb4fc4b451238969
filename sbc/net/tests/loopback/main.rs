//! The transports against real sockets on loopback, one subject a file.

mod certificates;
mod dns;
mod node;
mod sources;
mod tcp;
mod timeouts;
mod tls;
mod udp;
mod websocket;
