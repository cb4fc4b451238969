//! SIP transports on tokio.
