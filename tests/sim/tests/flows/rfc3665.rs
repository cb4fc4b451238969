//! The flows of RFC 3665: the node is the caller's UAS, the callee's UAC, the registrar, the proxy that challenges.

pub(crate) mod registration;
mod sessions;
mod unsuccessful;
