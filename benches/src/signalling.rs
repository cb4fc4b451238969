//! Signalling without media: what passes calls from one SIPp to another, and what it costs.

mod carriers;
mod kamailio;
mod secure;
mod subject;
mod tap;

pub use carriers::{CALLEE, CALLER, Carriers, Load, Traffic};
pub use kamailio::Kamailio;
pub use secure::Secure;
pub use subject::Subject;
pub use tap::Tap;
