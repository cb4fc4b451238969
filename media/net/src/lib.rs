//! Media threads and sockets; the only crate with unsafe code.
