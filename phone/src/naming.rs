//! Who a party is to the other end of its call, and whom it hears that it talks to: Session-ID (RFC 7989).
//!
//! A UUID is 32 digits. A party makes up one for each call, and says it in every message of that call, beside the one that
//! it heard last.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rsip::Header;
use rsip::prelude::HasHeaders;

use crate::extensions::{other, value};

const NAME: &str = "Session-ID";

/// RFC 7989 §5: a side that is not known.
pub(crate) const NIL: &str = "00000000000000000000000000000000";

/// What a party said and heard of Session-ID in one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// What it called itself; none when it knows nothing of Session-ID.
    pub own: Option<String>,
    /// Whom it heard last that it talks to.
    pub theirs: Option<String>,
    /// Every other UUID that it was called by: none is right but its own, and nil.
    pub misnamed: Vec<String>,
}

impl Named {
    /// UUIDs that are remembered of one call.
    const MISNAMED_MAX: usize = 8;

    /// A party that knows of it.
    pub(crate) fn new(rng: &mut ChaCha8Rng) -> Self {
        // RFC 9562 §5.4: version 4.
        let random = rng.random::<u128>() & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
        Self { own: Some(format!("{random:032x}")), ..Self::default() }
    }

    /// What its next message says.
    pub(crate) fn header(&self) -> Option<Header> {
        let own = self.own.as_ref()?;
        Some(other(NAME, format!("{own};remote={}", self.theirs.as_deref().unwrap_or(NIL))))
    }

    /// A message of the other side.
    pub(crate) fn hear(&mut self, message: &impl HasHeaders) {
        let Some(said) = value(message, NAME) else { return };
        let (theirs, ours) = said.split_once(";remote=").unwrap_or((said.as_str(), NIL));
        if theirs != NIL {
            self.theirs = Some(theirs.to_owned());
        }
        let is_right = ours == NIL || self.own.as_deref() == Some(ours);
        if !is_right && self.misnamed.len() < Self::MISNAMED_MAX {
            self.misnamed.push(ours.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rsip::{Headers, Response, StatusCode, Version};

    use super::*;

    fn saying(text: &str) -> Response {
        Response {
            status_code: StatusCode::OK,
            version: Version::V2,
            headers: Headers::from(vec![other(NAME, text)]),
            body: Vec::new(),
        }
    }

    /// RFC 7989 §5: nil until the other side is known, and the last that was heard then.
    #[test]
    fn a_party_says_who_it_is_and_whom_it_heard() {
        let mut named = Named::new(&mut ChaCha8Rng::seed_from_u64(1));
        let own = named.own.clone().expect("a name");
        assert_eq!((own.len(), &own[12..13]), (32, "4"));
        let said = |named: &Named| named.header().map(|header| header.to_string()).expect("a header");
        assert_eq!(said(&named), format!("Session-ID: {own};remote={NIL}"));
        for theirs in ["a", "b"].map(|digit| digit.repeat(32)) {
            named.hear(&saying(&format!("{theirs};remote={own}")));
            named.hear(&saying(&format!("{NIL};remote={own}")));
            assert_eq!(said(&named), format!("Session-ID: {own};remote={theirs}"));
        }
        assert_eq!(named.misnamed, Vec::<String>::new());
        named.hear(&saying(&format!("{own};remote={}", "c".repeat(32))));
        assert_eq!(named.misnamed, ["c".repeat(32)]);
    }
}
