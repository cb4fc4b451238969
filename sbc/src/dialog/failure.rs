//! What a failure response to a request in a dialog ends.

use crate::message::Method;

/// How far a failure response reaches. A dialog has usages, each with a life of its own: the INVITE's, and that of each
/// subscription (RFC 5057 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The request failed, and everything else is as it was.
    Transaction,
    /// What the request belongs to is over; what else goes on in the dialog goes on.
    Usage,
    /// The peer cannot be reached in this dialog any more.
    Dialog,
}

/// RFC 5057 §5.1:
///
/// | response | to | ends |
/// |---|---|---|
/// | 404, 410, 416, 482, 483, 484, 485, 502, 604 | any | dialog: the remote target, or the route to it, is wrong |
/// | 484 | REFER | transaction: it speaks of Refer-To |
/// | 408, 480, 481 | any | usage |
/// | 403, 405, 501 | INVITE, SUBSCRIBE, NOTIFY | usage: what made it is not possible any more |
/// | 489 | SUBSCRIBE, NOTIFY | usage |
/// | all others | any | transaction |
///
/// 483 could be tried again with more hops; ours have as many as the first request had.
pub(crate) const fn ends(method: Method<'_>, status: u16) -> Ends {
    let is_of_subscription = matches!(method, Method::Subscribe | Method::Notify);
    let is_of_usage = is_of_subscription || matches!(method, Method::Invite);
    match status {
        484 if matches!(method, Method::Refer) => Ends::Transaction,
        404 | 410 | 416 | 482..=485 | 502 | 604 => Ends::Dialog,
        408 | 480 | 481 => Ends::Usage,
        403 | 405 | 501 if is_of_usage => Ends::Usage,
        489 if is_of_subscription => Ends::Usage,
        _ => Ends::Transaction,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// RFC 5057 §5.1, every response that RFC 3261 and its extensions have, to each method that we send in dialogs.
    #[test]
    fn every_failure_ends_what_it_should() {
        const STATUSES: [u16; 60] = [
            300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414, 415,
            416, 417, 420, 421, 422, 423, 428, 429, 433, 436, 437, 438, 469, 480, 481, 482, 483, 484, 485,
            486, 487, 488, 489, 491, 493, 494, 500, 501, 502, 503, 504, 505, 513, 580, 600, 603, 604, 606,
            607, 608, 699,
        ];
        const METHODS: [Method<'static>; 7] = [
            Method::Invite,
            Method::Update,
            Method::Prack,
            Method::Info,
            Method::Refer,
            Method::Notify,
            Method::Options,
        ];
        let mut table = String::from("status");
        METHODS.iter().for_each(|method| write!(table, "  {:11}", method.as_str()).expect("a String"));
        for status in STATUSES {
            write!(table, "\n{status:6}").expect("a String");
            for method in METHODS {
                write!(table, "  {:11}", format!("{:?}", ends(method, status))).expect("a String");
            }
        }
        let table: Vec<&str> = table.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
