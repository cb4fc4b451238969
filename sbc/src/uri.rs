//! URIs: sip and sips (RFC 3261 §19.1), tel (RFC 3966), and any other scheme kept verbatim.
//!
//! Views of bytes; nothing is copied or unescaped until asked for.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::header::{Params, ValueError};
use crate::lex::{self, HOST, URI, URI_PARAM, USER};
use crate::message::ErrorKind;
use crate::message::limits::MAX_URI_PARAMS;
use crate::transport::Transport;

/// A URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` and `sips:`.
    Sip(SipUri<'a>),
    /// `tel:`.
    Tel(TelUri<'a>),
    /// Any other scheme.
    Other(OtherUri<'a>),
}

/// What a URI asks of the way to it (RFC 3261 §26.2.2); the greater asks for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// `sip:`: any transport.
    #[default]
    Sip,
    /// `sips:`: TLS on every hop.
    Sips,
}

impl Scheme {
    /// That of a URI of either scheme.
    #[must_use]
    pub fn of(uri: &[u8]) -> Self {
        let is_secure = uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:"));
        if is_secure { Self::Sips } else { Self::Sip }
    }

    /// As URIs begin.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
        }
    }

    /// Whether a request to such a URI may go by this transport.
    #[must_use]
    pub fn allows(self, transport: Transport) -> bool {
        self == Self::Sip || transport.is_secure()
    }
}

/// A `sip:` or `sips:` URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// Its bytes, scheme included.
    pub bytes: &'a [u8],
    /// Whether it is `sips:`.
    pub secure: bool,
    /// The user part, still escaped; see [`SipUri::user`].
    pub user_bytes: Option<&'a [u8]>,
    /// The password, still escaped.
    pub password: Option<&'a [u8]>,
    /// The host.
    pub host: Host<'a>,
    /// The port, when given.
    pub port: Option<u16>,
    /// Parameters such as `transport` and `lr`, still escaped.
    pub params: Params<'a>,
    /// What follows `?`, still escaped.
    pub headers: Option<&'a [u8]>,
}

/// A `tel:` URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelUri<'a> {
    /// Its bytes, scheme included.
    pub bytes: &'a [u8],
    /// The number as written, with its visual separators.
    pub number: &'a str,
    /// Parameters such as `phone-context`.
    pub params: Params<'a>,
}

/// A URI of a scheme we know nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherUri<'a> {
    /// Its bytes, scheme included.
    pub bytes: &'a [u8],
    /// The scheme as written.
    pub scheme: &'a str,
}

/// A host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// An address.
    Ip(IpAddr),
    /// A name, as written.
    Name(&'a str),
}

impl<'a> Uri<'a> {
    /// Reads a URI that stands alone: no white space, no angle brackets.
    ///
    /// # Errors
    /// [`ErrorKind::Uri`] where the grammar is broken.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let colon = memchr::memchr(b':', bytes).ok_or(malformed(bytes.len()))?;
        let scheme = &bytes[..colon];
        let starts_well = scheme.first().is_some_and(u8::is_ascii_alphabetic);
        if !starts_well || !scheme.iter().all(|&b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
            return Err(malformed(0));
        }
        if scheme.eq_ignore_ascii_case(b"sip") {
            return SipUri::parse_after_scheme(bytes, colon + 1, false).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case(b"sips") {
            return SipUri::parse_after_scheme(bytes, colon + 1, true).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case(b"tel") {
            return TelUri::parse_after_scheme(bytes, colon + 1).map(Self::Tel);
        }
        let rest = &bytes[colon + 1..];
        match rest.iter().position(|&b| b <= b' ' || b == 0x7f || b"<>\"".contains(&b)) {
            Some(at) => Err(malformed(colon + 1 + at)),
            None if rest.is_empty() => Err(malformed(bytes.len())),
            None => Ok(Self::Other(OtherUri { bytes, scheme: lex::ascii(scheme) })),
        }
    }

    /// Its bytes as written.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Sip(uri) => uri.bytes,
            Self::Tel(uri) => uri.bytes,
            Self::Other(uri) => uri.bytes,
        }
    }

    /// The scheme as written.
    #[must_use]
    pub fn scheme(&self) -> &'a str {
        let bytes = self.bytes();
        lex::ascii(bytes.split(|&b| b == b':').next().unwrap_or_default())
    }

    /// The sip or sips URI, if it is one.
    #[must_use]
    pub const fn as_sip(&self) -> Option<&SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// Who is meant: the unescaped user part of a sip URI, the number of a tel URI.
    #[must_use]
    pub fn user(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Sip(uri) => uri.user(),
            Self::Tel(uri) => Some(uri.number.into()),
            Self::Other(_) => None,
        }
    }
}

impl<'a> SipUri<'a> {
    fn parse_after_scheme(bytes: &'a [u8], start: usize, secure: bool) -> Result<Self, ValueError> {
        let rest = &bytes[start..];
        if let Some(at) = rest.iter().position(|&b| !lex::is(b, URI) && !is_tolerated(b)) {
            return Err(malformed(start + at));
        }
        let (user_bytes, password, host_start) = match memchr::memchr(b'@', rest) {
            None => (None, None, start),
            Some(at) => {
                let (user, password) = split_at_byte(&rest[..at], b':');
                if !is_user(user) || password.is_some_and(|p| !p.is_empty() && !is_user(p)) {
                    return Err(malformed(start));
                }
                (Some(user), password, start + at + 1)
            }
        };
        let rest = &bytes[host_start..];
        let (before_headers, headers) = split_at_byte(rest, b'?');
        let (host_port, params) = match memchr::memchr(b';', before_headers) {
            None => (before_headers, Params::default()),
            Some(at) => {
                let offset = host_start + at;
                (&before_headers[..at], uri_params(&before_headers[at..]).map_err(|e| e.moved(offset))?)
            }
        };
        let (host, port) = host_port_of(host_port).ok_or(malformed(host_start))?;
        if headers.is_some_and(|h| !headers_are_well_formed(h)) {
            return Err(malformed(bytes.len() - headers.map_or(0, <[u8]>::len)));
        }
        Ok(Self { bytes, secure, user_bytes, password, host, port, params, headers })
    }

    /// All of it but its headers, which are none of a Request-URI's (RFC 3261 §19.1.1, table 1).
    #[must_use]
    pub fn without_headers(&self) -> &'a [u8] {
        let headers = self.headers.map_or(0, |headers| headers.len() + 1);
        self.bytes.get(..self.bytes.len().saturating_sub(headers)).unwrap_or(self.bytes)
    }

    /// The user part, unescaped; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn user(&self) -> Option<Cow<'a, str>> {
        self.user_bytes.map(|user| match lex::unescape(user) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        })
    }

    /// The `transport` parameter.
    #[must_use]
    pub fn transport(&self) -> Option<&'a str> {
        self.params.value("transport").map(lex::ascii)
    }

    /// Whether it has the `lr` parameter: a loose router (RFC 3261 §19.1.1).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// Equality as RFC 3261 §19.1.4 has it, except that URI headers are compared as written.
    #[must_use]
    pub fn is_equivalent(&self, other: &SipUri<'_>) -> bool {
        self.secure == other.secure && self.is_same_place(other)
    }

    /// The same, but for the scheme: one place, asked for with or without TLS on every hop (RFC 5630 §4.1).
    #[must_use]
    pub fn is_same_place(&self, other: &SipUri<'_>) -> bool {
        same_escaped(self.user_bytes, other.user_bytes)
            && same_escaped(self.password, other.password)
            && self.host.is_same(&other.host)
            && self.port == other.port
            && self.headers == other.headers
            && self.params_agree(other)
            && other.params_agree(self)
    }

    /// Any parameter in both must match; `user`, `ttl`, `method`, `maddr` and `transport` count even in one.
    fn params_agree(&self, other: &SipUri<'_>) -> bool {
        const ALWAYS: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];
        self.params.iter().all(|param| match other.params.find(param.name) {
            Some(theirs) => {
                let ours = lex::unescape(param.value.unwrap_or_default());
                ours.eq_ignore_ascii_case(&lex::unescape(theirs.value.unwrap_or_default()))
            }
            None => !ALWAYS.iter().any(|name| param.name.eq_ignore_ascii_case(name)),
        })
    }
}

impl<'a> TelUri<'a> {
    /// RFC 3966 §3: `global-number / local-number` and `;`-separated parameters.
    fn parse_after_scheme(bytes: &'a [u8], start: usize) -> Result<Self, ValueError> {
        let rest = &bytes[start..];
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let number = &rest[..end];
        let (plus, digits) = match number.strip_prefix(b"+") {
            Some(digits) => (true, digits),
            None => (false, number),
        };
        let separators = b"-.()";
        let is_digit = |b: &u8| b.is_ascii_digit() || (!plus && (b.is_ascii_hexdigit() || b"*#".contains(b)));
        let well_formed = digits.iter().all(|b| is_digit(b) || separators.contains(b));
        if !well_formed || !digits.iter().any(is_digit) {
            return Err(malformed(start));
        }
        let params = uri_params(&rest[end..]).map_err(|e| e.moved(start + end))?;
        Ok(Self { bytes, number: lex::ascii(number), params })
    }

    /// The number without visual separators.
    #[must_use]
    pub fn digits(&self) -> String {
        self.number.chars().filter(|c| !"-.()".contains(*c)).collect()
    }
}

impl<'a> Host<'a> {
    /// Reads a host name, an IPv4 address or an IPv6 reference in brackets.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if let Some(inner) = bytes.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
            return ipv6(inner).map(|address| Self::Ip(address.into()));
        }
        if !lex::all(bytes, HOST) {
            return None;
        }
        let text = lex::ascii(bytes);
        if bytes.last().is_some_and(u8::is_ascii_digit)
            && let Ok(address) = text.parse::<Ipv4Addr>()
        {
            return Some(Self::Ip(address.into()));
        }
        Some(Self::Name(text))
    }

    /// Whether both name the same host, without asking DNS.
    #[must_use]
    pub fn is_same(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Self::Ip(a), Host::Ip(b)) => a == b,
            (Self::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }

    /// The address, if it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Name(_) => None,
        }
    }
}

/// A user part as a URI has it (RFC 3261 §25.1): unreserved and user-unreserved stand for themselves; `#` is dialled,
/// and sent as it is nowhere.
#[must_use]
pub fn escaped_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The value of a header as a URI has it (RFC 3261 §25.1: hvalue).
#[must_use]
pub fn escaped_header(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/?:+$".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

impl std::fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// An IPv6 address without brackets. The grammar of RFC 3261 has three colons before an embedded IPv4 address where
/// two are meant; RFC 5118 §4.10 asks to take both.
fn ipv6(bytes: &[u8]) -> Option<Ipv6Addr> {
    const LONGEST: usize = 46;
    let parse = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
    if let Some(address) = parse(bytes) {
        return Some(address);
    }
    let colons = memchr::memmem::find(bytes, b":::")?;
    let mut fixed = [0; LONGEST];
    let fixed = fixed.get_mut(..bytes.len() - 1)?;
    fixed[..colons].copy_from_slice(&bytes[..colons]);
    fixed[colons..].copy_from_slice(&bytes[colons + 1..]);
    parse(fixed)
}

/// `hostport` without white space.
pub(crate) fn host_port_of(bytes: &[u8]) -> Option<(Host<'_>, Option<u16>)> {
    let host_end = if bytes.first() == Some(&b'[') {
        memchr::memchr(b']', bytes)? + 1
    } else {
        memchr::memchr(b':', bytes).unwrap_or(bytes.len())
    };
    let host = Host::parse(&bytes[..host_end])?;
    match &bytes[host_end..] {
        [] => Some((host, None)),
        [b':', digits @ ..] => Some((host, Some(lex::port(digits)?))),
        _ => None,
    }
}

/// `*( ";" pname [ "=" pvalue ] )`; `bytes` is empty or begins with the semicolon. RFC 3261 §19.1.1: no name appears
/// more than once.
fn uri_params(bytes: &[u8]) -> Result<Params<'_>, ValueError> {
    let Some(list) = bytes.strip_prefix(b";") else {
        return if bytes.is_empty() { Ok(Params::default()) } else { Err(malformed(0)) };
    };
    let params = || list.split(|&b| b == b';').map(|param| split_at_byte(param, b'='));
    let mut offset = 1;
    for (count, (name, value)) in params().enumerate() {
        let repeated = || params().take(count).any(|(earlier, _)| earlier.eq_ignore_ascii_case(name));
        if !is_param(name, value) || count == MAX_URI_PARAMS || repeated() {
            return Err(malformed(offset));
        }
        offset += name.len() + value.map_or(0, |value| 1 + value.len()) + 1;
    }
    Ok(Params::checked(list))
}

fn is_param(name: &[u8], value: Option<&[u8]>) -> bool {
    let fits = |text: &[u8]| {
        text.iter().all(|&b| lex::is(b, URI_PARAM) || is_tolerated(b)) && lex::escapes_are_whole(text)
    };
    !name.is_empty() && fits(name) && value.is_none_or(fits)
}

/// `header *( "&" header )` with `hname "=" hvalue`.
fn headers_are_well_formed(headers: &[u8]) -> bool {
    lex::escapes_are_whole(headers)
        && headers.split(|&b| b == b'&').all(|header| !header.is_empty() && header[0] != b'=')
}

fn is_user(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|&b| lex::is(b, USER) || is_tolerated(b))
        && lex::escapes_are_whole(bytes)
}

/// Against the grammar, yet sent: raw UTF-8, and `#` in dialled service codes.
const fn is_tolerated(b: u8) -> bool {
    b >= 0x80 || b == b'#'
}

fn split_at_byte(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(separator, bytes) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}

fn same_escaped(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => lex::unescape(a) == lex::unescape(b),
        _ => false,
    }
}

const fn malformed(offset: usize) -> ValueError {
    ValueError { kind: ErrorKind::Uri, offset }
}
