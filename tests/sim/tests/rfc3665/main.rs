//! The flows of RFC 3665, arrow by arrow, with the node in the place of every server and user agent of the RFC's that
//! it can be: the caller's UAS, the callee's UAC, the registrar, the proxy that challenges.

mod messages;
mod registration;
mod sessions;
mod unsuccessful;
