//! The whole daemon on real sockets, with real peers: one behaviour a file.

mod agent_on_trunk;
mod carrier_sipp;
mod echo_and_digits;
mod menu_to_softphone;
mod support;
mod two_softphones;
mod unlisted_source;
