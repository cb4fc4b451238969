//! Media threads with real sockets on loopback, one subject a file.

mod batch;
mod connected;
mod dtls;
mod media;
mod node;
mod ring;
mod rings;
mod threads;
