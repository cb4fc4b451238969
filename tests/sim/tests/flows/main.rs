//! Flows as RFCs draw them, arrow by arrow, with the node in the place of every server and user agent of theirs that it
//! can be.

mod messages;
mod rfc3327;
mod rfc3665;
mod rfc5359;
mod rfc7989;
