//! The user agent against peers that speak raw SIP text, in virtual time. One behaviour a file.

mod call_from_trunk;
mod call_to_trunk;
mod support;
