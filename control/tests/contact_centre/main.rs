//! The contact centre from outside: flow files, and calls through the model switch in virtual time.

mod conformance;
mod flow_files;
mod support;
