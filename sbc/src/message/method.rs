//! Request methods.

use std::fmt;

macro_rules! methods {
    ($($variant:ident = $name:literal,)*) => {
        /// A request method. Case matters (RFC 3261 §7.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is the method of that name")]
        pub enum Method<'a> {
            $($variant,)*
            /// Any other, verbatim.
            Other(&'a str),
        }

        impl<'a> Method<'a> {
            /// Reads a method; `None` when it is no token.
            #[must_use]
            #[inline]
            pub fn parse(token: &'a [u8]) -> Option<Self> {
                $(if token == $name.as_bytes() { return Some(Self::$variant); })*
                crate::lex::all(token, crate::lex::TOKEN).then(|| Self::Other(crate::lex::ascii(token)))
            }

            /// As written on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'a str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name,
                }
            }
        }
    };
}

methods! {
    Invite = "INVITE",
    Ack = "ACK",
    Bye = "BYE",
    Cancel = "CANCEL",
    Register = "REGISTER",
    Options = "OPTIONS",
    Prack = "PRACK",
    Update = "UPDATE",
    Info = "INFO",
    Subscribe = "SUBSCRIBE",
    Notify = "NOTIFY",
    Refer = "REFER",
    Message = "MESSAGE",
    Publish = "PUBLISH",
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_matters_and_unknown_methods_stay_verbatim() {
        assert_eq!(Method::parse(b"INVITE"), Some(Method::Invite));
        assert_eq!(Method::parse(b"invite"), Some(Method::Other("invite")));
        assert_eq!(Method::parse(b"RE%47IST%45R"), Some(Method::Other("RE%47IST%45R")));
        assert_eq!(Method::parse(b"IN VITE"), None);
        assert_eq!(Method::parse(b""), None);
    }
}
