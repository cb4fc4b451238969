//! Header names: known ones as an enum, found through a table made at compile time.

macro_rules! header_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $(/ $compact:literal)?,)*) => {
        /// A header name. Unknown ones are [`HeaderName::Extension`]; their bytes are in
        /// [`Header::name_bytes`](super::Header::name_bytes).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each is the header of that name")]
        pub enum HeaderName {
            $($(#[$doc])* $variant,)*
            /// Any other.
            Extension,
        }

        const NAMES: &[(HeaderName, &str)] = &[$((HeaderName::$variant, $name),)*];

        impl HeaderName {
            /// Its one-letter form (RFC 3261 §20 and the registry's additions).
            #[must_use]
            pub const fn compact(self) -> Option<char> {
                match self {
                    $($(Self::$variant => Some($compact),)?)*
                    _ => None,
                }
            }

            const fn of_compact(letter: u8) -> Self {
                $($(if letter as char == $compact { return Self::$variant; })?)*
                Self::Extension
            }
        }
    };
}

header_names! {
    Via = "Via" / 'v',
    From = "From" / 'f',
    To = "To" / 't',
    CallId = "Call-ID" / 'i',
    CSeq = "CSeq",
    MaxForwards = "Max-Forwards",
    Contact = "Contact" / 'm',
    ContentLength = "Content-Length" / 'l',
    ContentType = "Content-Type" / 'c',
    Route = "Route",
    RecordRoute = "Record-Route",
    Accept = "Accept",
    AcceptContact = "Accept-Contact" / 'a',
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AlertInfo = "Alert-Info",
    Allow = "Allow",
    AllowEvents = "Allow-Events" / 'u',
    AuthenticationInfo = "Authentication-Info",
    Authorization = "Authorization",
    CallInfo = "Call-Info",
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding" / 'e',
    ContentLanguage = "Content-Language",
    Date = "Date",
    Diversion = "Diversion",
    ErrorInfo = "Error-Info",
    Event = "Event" / 'o',
    Expires = "Expires",
    HistoryInfo = "History-Info",
    Identity = "Identity" / 'y',
    InReplyTo = "In-Reply-To",
    MimeVersion = "MIME-Version",
    MinExpires = "Min-Expires",
    MinSe = "Min-SE",
    Organization = "Organization",
    PAssertedIdentity = "P-Asserted-Identity",
    PEarlyMedia = "P-Early-Media",
    PPreferredIdentity = "P-Preferred-Identity",
    Path = "Path",
    Priority = "Priority",
    Privacy = "Privacy",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyRequire = "Proxy-Require",
    RAck = "RAck",
    RSeq = "RSeq",
    Reason = "Reason",
    ReferTo = "Refer-To" / 'r',
    ReferredBy = "Referred-By" / 'b',
    RejectContact = "Reject-Contact" / 'j',
    RemotePartyId = "Remote-Party-ID",
    Replaces = "Replaces",
    ReplyTo = "Reply-To",
    RequestDisposition = "Request-Disposition" / 'd',
    Require = "Require",
    RetryAfter = "Retry-After",
    Server = "Server",
    ServiceRoute = "Service-Route",
    SessionExpires = "Session-Expires" / 'x',
    SessionId = "Session-ID",
    Subject = "Subject" / 's',
    SubscriptionState = "Subscription-State",
    Supported = "Supported" / 'k',
    Timestamp = "Timestamp",
    Unsupported = "Unsupported",
    UserAgent = "User-Agent",
    Warning = "Warning",
    WwwAuthenticate = "WWW-Authenticate",
}

const SLOTS: usize = 256;
/// The slot of each name; `NAMES.len()` where there is none.
const TABLE: [u8; SLOTS] = table();

const fn slot(name: &[u8]) -> usize {
    let len = name.len();
    let (first, middle, last) = (name[0] | 0x20, name[len / 2] | 0x20, name[len - 1] | 0x20);
    (first as usize * 132 + middle as usize * 45 + last as usize * 132 + len * 237) % SLOTS
}

/// Fails to compile when two names share a slot.
const fn table() -> [u8; SLOTS] {
    let mut table = [NAMES.len() as u8; SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let at = slot(NAMES[i].1.as_bytes());
        assert!(table[at] == NAMES.len() as u8, "two header names share a slot: change the factors");
        table[at] = i as u8;
        i += 1;
    }
    table
}

impl HeaderName {
    /// The name as we write it; empty for [`HeaderName::Extension`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES.get(self as usize).map_or("", |(_, name)| name)
    }

    /// Reads a name in any case, long or compact.
    #[must_use]
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        match name {
            [] => Self::Extension,
            &[letter] => Self::of_compact(letter.to_ascii_lowercase()),
            _ => match NAMES.get(usize::from(TABLE[slot(name)])) {
                Some((known, text))
                    if text.as_bytes() == name || text.as_bytes().eq_ignore_ascii_case(name) =>
                {
                    *known
                }
                _ => Self::Extension,
            },
        }
    }

    /// Whether its values may be joined by commas on one line (RFC 3261 §7.3.1): the grammar is
    /// `header = name HCOLON value *(COMMA value)`.
    #[must_use]
    pub const fn is_list(self) -> bool {
        use HeaderName as N;
        matches!(
            self,
            N::Via
                | N::Contact
                | N::Route
                | N::RecordRoute
                | N::Accept
                | N::AcceptContact
                | N::AcceptEncoding
                | N::AcceptLanguage
                | N::AlertInfo
                | N::Allow
                | N::AllowEvents
                | N::CallInfo
                | N::ContentEncoding
                | N::ContentLanguage
                | N::Diversion
                | N::ErrorInfo
                | N::HistoryInfo
                | N::InReplyTo
                | N::PAssertedIdentity
                | N::PEarlyMedia
                | N::PPreferredIdentity
                | N::Path
                | N::ProxyRequire
                | N::Reason
                | N::RejectContact
                | N::RemotePartyId
                | N::RequestDisposition
                | N::Require
                | N::ServiceRoute
                | N::Supported
                | N::Unsupported
                | N::Warning
        )
    }

    /// Whether a message may carry it once only.
    #[must_use]
    pub const fn is_single(self) -> bool {
        use HeaderName as N;
        matches!(
            self,
            N::From
                | N::To
                | N::CallId
                | N::CSeq
                | N::MaxForwards
                | N::ContentLength
                | N::ContentType
                | N::ContentDisposition
                | N::Date
                | N::Event
                | N::Expires
                | N::MinExpires
                | N::MinSe
                | N::RAck
                | N::RSeq
                | N::ReferTo
                | N::ReferredBy
                | N::Replaces
                | N::ReplyTo
                | N::SessionExpires
                | N::SubscriptionState
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_unknown_ones_are_extensions() {
        for &(name, text) in NAMES {
            assert_eq!(HeaderName::of(text.as_bytes()), name);
            assert_eq!(HeaderName::of(text.to_uppercase().as_bytes()), name);
            assert_eq!(HeaderName::of(text.to_lowercase().as_bytes()), name);
            assert_eq!(name.as_str(), text);
        }
        assert_eq!(HeaderName::of(b"X-Frame"), HeaderName::Extension);
        assert_eq!(HeaderName::of(b"Viaa"), HeaderName::Extension);
        assert_eq!(HeaderName::of(b""), HeaderName::Extension);
        assert_eq!(HeaderName::Extension.as_str(), "");
    }

    /// RFC 3261 §20 table 1, RFC 3515, 3841, 3892, 4028, 6665, 8224.
    #[test]
    fn compact_forms_are_those_registered() {
        let registered = [
            ('a', "Accept-Contact"),
            ('b', "Referred-By"),
            ('c', "Content-Type"),
            ('d', "Request-Disposition"),
            ('e', "Content-Encoding"),
            ('f', "From"),
            ('i', "Call-ID"),
            ('j', "Reject-Contact"),
            ('k', "Supported"),
            ('l', "Content-Length"),
            ('m', "Contact"),
            ('o', "Event"),
            ('r', "Refer-To"),
            ('s', "Subject"),
            ('t', "To"),
            ('u', "Allow-Events"),
            ('v', "Via"),
            ('x', "Session-Expires"),
            ('y', "Identity"),
        ];
        let found: Vec<_> = ('a'..='z')
            .filter_map(|c| match HeaderName::of(&[c as u8]) {
                HeaderName::Extension => None,
                name => Some((c, name.as_str())),
            })
            .collect();
        assert_eq!(found, registered);
        assert_eq!(HeaderName::of(b"V"), HeaderName::Via);
        assert_eq!(HeaderName::SessionExpires.compact(), Some('x'));
    }
}
