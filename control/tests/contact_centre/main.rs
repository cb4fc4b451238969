//! The contact centre from outside: flow files, and calls through the model switch in virtual time.

mod agents;
mod announcing;
mod conferences;
mod configuration;
mod conformance;
mod erlang;
mod flow_files;
mod flows;
mod hang_ups;
mod pick_up;
mod random;
mod recordings;
mod said;
mod screening;
mod straight_through;
mod support;
mod transfers;
