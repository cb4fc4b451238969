//! What the benchmarks share: loopback sockets, a bare forwarder and CPU accounting.
