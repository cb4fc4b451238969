//! The transports against real sockets on loopback, one subject a file.

mod node;
mod sources;
mod tcp;
mod timeouts;
mod udp;
