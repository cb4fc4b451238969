//! Typed access to a message's headers.

use super::limits::MAX_VIAS;
use super::{ErrorKind, Header, HeaderName, Message, Method, ParseError, StartLine};
use crate::header::{
    self, CSeq, Contact, Credentials, MediaType, NameAddr, Parameterised, RAck, ValueError, Via,
};
use crate::lex;
use crate::uri::Uri;

/// What every transaction and dialog reads first, checked together (RFC 3261 §8.1.1).
#[derive(Clone, Copy, Debug)]
pub struct Essentials<'a> {
    /// The topmost Via.
    pub via: Via<'a>,
    /// From.
    pub from: NameAddr<'a>,
    /// To.
    pub to: NameAddr<'a>,
    /// Call-ID.
    pub call_id: &'a str,
    /// CSeq; its method is the request's.
    pub cseq: CSeq<'a>,
    /// Max-Forwards; RFC 2543 clients send none.
    pub max_forwards: Option<u32>,
}

impl<'a> Message<'a> {
    /// Reads the headers that every message must have.
    ///
    /// # Errors
    /// The first that is missing, repeated or malformed, or a CSeq method that is not the request's.
    pub fn essentials(&self) -> Result<Essentials<'a>, ParseError> {
        let via = self.top_via()?;
        let from = self.from()?;
        let to = self.to()?;
        let call_id = self.call_id()?;
        let cseq = self.cseq()?;
        let max_forwards = self.max_forwards()?;
        if self.method().is_some_and(|method| method != cseq.method) {
            return Err(self.error(ErrorKind::CSeqMethod, HeaderName::CSeq));
        }
        Ok(Essentials { via, from, to, call_id, cseq, max_forwards })
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// [`ErrorKind::Uri`], or [`ErrorKind::StartLine`] when this is a response.
    pub fn request_uri(&self) -> Result<Uri<'a>, ParseError> {
        match self.start() {
            StartLine::Request { method, uri } => Uri::parse(uri)
                .map_err(|error| ParseError::new(error.kind, None, method.as_str().len() + 1 + error.offset)),
            StartLine::Response { .. } => Err(ParseError::new(ErrorKind::StartLine, None, 0)),
        }
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// When there is none or it is malformed.
    pub fn top_via(&self) -> Result<Via<'a>, ParseError> {
        self.vias().next().ok_or(self.missing(HeaderName::Via))?
    }

    /// The Vias, topmost first; an error instead of what follows [`MAX_VIAS`] of them.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'a>, ParseError>> + use<'a> {
        let too_many = self.error(ErrorKind::TooManyVias, HeaderName::Via);
        let vias = self.typed(HeaderName::Via, Via::parse).take(MAX_VIAS + 1).enumerate();
        vias.map(move |(hop, via)| if hop < MAX_VIAS { via } else { Err(too_many) })
    }

    /// From.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn from(&self) -> Result<NameAddr<'a>, ParseError> {
        self.mandatory(HeaderName::From, NameAddr::parse)
    }

    /// To.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn to(&self) -> Result<NameAddr<'a>, ParseError> {
        self.mandatory(HeaderName::To, NameAddr::parse)
    }

    /// Call-ID.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn call_id(&self) -> Result<&'a str, ParseError> {
        self.mandatory(HeaderName::CallId, header::call_id)
    }

    /// CSeq.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn cseq(&self) -> Result<CSeq<'a>, ParseError> {
        self.mandatory(HeaderName::CSeq, CSeq::parse)
    }

    /// RAck (RFC 3262).
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn rack(&self) -> Result<RAck<'a>, ParseError> {
        self.mandatory(HeaderName::RAck, RAck::parse)
    }

    /// Max-Forwards; 255 is the most (RFC 3261 §20.22).
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn max_forwards(&self) -> Result<Option<u32>, ParseError> {
        let hops = self.number(HeaderName::MaxForwards)?;
        match hops {
            Some(256..) => Err(self.error(ErrorKind::Number, HeaderName::MaxForwards)),
            _ => Ok(hops),
        }
    }

    /// Content-Length.
    ///
    /// # Errors
    /// When it is malformed, or repeated with different values.
    pub fn content_length(&self) -> Result<Option<usize>, ParseError> {
        let length = self.number(HeaderName::ContentLength)?;
        Ok(length.map(|n| usize::try_from(n).unwrap_or(usize::MAX)))
    }

    /// A header that is one number: Expires, Min-Expires, RSeq, Min-SE.
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn number(&self, name: HeaderName) -> Result<Option<u32>, ParseError> {
        self.optional(name, header::decimal)
    }

    /// Content-Type.
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn content_type(&self) -> Result<Option<MediaType<'a>>, ParseError> {
        self.optional(HeaderName::ContentType, MediaType::parse)
    }

    /// A header that is one address: Refer-To, Referred-By, Reply-To.
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn address(&self, name: HeaderName) -> Result<Option<NameAddr<'a>>, ParseError> {
        self.optional(name, NameAddr::parse)
    }

    /// A header that is one word with parameters: Event, Session-Expires, Subscription-State, Replaces,
    /// Content-Disposition.
    ///
    /// # Errors
    /// When it is repeated or malformed.
    pub fn parameterised(&self, name: HeaderName) -> Result<Option<Parameterised<'a>>, ParseError> {
        self.optional(name, Parameterised::parse)
    }

    /// The Contacts.
    pub fn contacts(&self) -> impl Iterator<Item = Result<Contact<'a>, ParseError>> + use<'a> {
        self.typed(HeaderName::Contact, Contact::parse)
    }

    /// A list of addresses: Route, Record-Route, P-Asserted-Identity, Diversion, Path.
    pub fn addresses(
        &self,
        name: HeaderName,
    ) -> impl Iterator<Item = Result<NameAddr<'a>, ParseError>> + use<'a> {
        self.typed(name, NameAddr::parse)
    }

    /// The credentials of Authorization or Proxy-Authorization, or the challenges of WWW-Authenticate or
    /// Proxy-Authenticate: one a line.
    pub fn credentials(
        &self,
        name: HeaderName,
    ) -> impl Iterator<Item = Result<Credentials<'a>, ParseError>> + use<'a> {
        self.lines(name).map(|line| Credentials::parse(line.value).map_err(|error| at(error, &line)))
    }

    /// Whether a list of tokens has that one, in any case: Require, Supported, Allow, Unsupported.
    #[must_use]
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Checks every header whose grammar we know, beyond [`Message::essentials`]. What an edge refuses with 400.
    ///
    /// # Errors
    /// The first header found wrong.
    pub fn validate(&self) -> Result<(), ParseError> {
        let essentials = self.essentials()?;
        if self.method().is_some()
            && let Uri::Sip(uri) = self.request_uri()?
            && let Some(headers) = uri.headers
        {
            // RFC 3261 §19.1.1, table 1: no headers in a Request-URI.
            return Err(ParseError::new(ErrorKind::Uri, None, self.offset_of(headers).saturating_sub(1)));
        }
        self.validate_uri(HeaderName::From, &essentials.from)?;
        self.validate_uri(HeaderName::To, &essentials.to)?;
        self.vias().try_for_each(|via| via.map(|_| ()))?;
        for contact in self.contacts() {
            if let Contact::Address(address) = contact? {
                self.validate_uri(HeaderName::Contact, &address)?;
            }
        }
        for name in [HeaderName::Route, HeaderName::RecordRoute] {
            for route in self.addresses(name) {
                self.validate_uri(name, &route?)?;
            }
        }
        for name in [HeaderName::Expires, HeaderName::MinExpires, HeaderName::RSeq] {
            self.number(name)?;
        }
        self.content_type()?;
        Ok(())
    }

    fn validate_uri(&self, name: HeaderName, address: &NameAddr<'a>) -> Result<(), ParseError> {
        let start = self.offset_of(address.uri_bytes);
        let located = |error: ValueError| ParseError::new(error.kind, Some(name), start + error.offset);
        address.uri().map(|_| ()).map_err(located)
    }

    /// Where a part of the message begins.
    fn offset_of(&self, part: &[u8]) -> usize {
        part.as_ptr().addr().saturating_sub(self.bytes.as_ptr().addr())
    }

    /// Whether an answer to this request would reach its sender and be understood, however broken the rest is: it is
    /// no ACK (RFC 3261 §17 knows no answer to one), its topmost Via says where to, and it has a CSeq, which together
    /// with the branch is what a client matches an answer by (RFC 3261 §17.1.3).
    #[must_use]
    pub fn is_answerable(&self) -> bool {
        self.method().is_some_and(|method| method != Method::Ack)
            && self.values(HeaderName::Via).next().is_some_and(|via| Via::parse_sent_by(via).is_ok())
            && self.has(HeaderName::CSeq)
    }

    fn mandatory<T>(&self, name: HeaderName, parse: Read<'a, T>) -> Result<T, ParseError> {
        self.optional(name, parse)?.ok_or(self.missing(name))
    }

    /// A header that may come once only. RFC 3261 §7.3.1 calls several a malformed message.
    fn optional<T>(&self, name: HeaderName, parse: Read<'a, T>) -> Result<Option<T>, ParseError> {
        let mut lines = self.lines(name);
        let Some(line) = lines.next() else { return Ok(None) };
        // The same Content-Length twice does no harm; two different ones could hide a message in another.
        let harmless = |second: &Header<'_>| name == HeaderName::ContentLength && second.value == line.value;
        if let Some(second) = lines.find(|second| !harmless(second)) {
            return Err(ParseError::new(ErrorKind::Repeated, Some(name), second.offset));
        }
        parse(line.value).map(Some).map_err(|error| at(error, &line))
    }

    fn typed<T>(&self, name: HeaderName, parse: Read<'a, T>) -> Typed<'a, T> {
        Typed { values: self.values(name), parse }
    }

    fn missing(&self, name: HeaderName) -> ParseError {
        ParseError::new(ErrorKind::Missing, Some(name), self.body_start)
    }

    /// An error at the first line of that name.
    fn error(&self, kind: ErrorKind, name: HeaderName) -> ParseError {
        ParseError::new(kind, Some(name), self.lines(name).next().map_or(0, |header| header.offset))
    }
}

fn at(error: ValueError, line: &Header<'_>) -> ParseError {
    ParseError::new(error.kind, Some(line.name), line.offset + error.offset)
}

type Read<'a, T> = fn(&'a [u8]) -> Result<T, ValueError>;

/// The values of a list header, each read when its turn comes.
struct Typed<'a, T> {
    values: Values<'a>,
    parse: Read<'a, T>,
}

impl<T> Iterator for Typed<'_, T> {
    type Item = Result<T, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, offset) = self.values.next_at()?;
        let name = Some(self.values.name);
        Some((self.parse)(value).map_err(|error| ParseError::new(error.kind, name, offset + error.offset)))
    }
}

/// The values of a list header over all its lines, without white space around them. A value between two commas may
/// be empty; a line that is empty has none. After a quote or bracket left open the rest of the line is one value.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    message: Message<'a>,
    name: HeaderName,
    next_entry: usize,
    /// What is left of the current line, and its offset.
    rest: Option<(&'a [u8], usize)>,
}

impl<'a> Values<'a> {
    pub(super) const fn new(message: Message<'a>, name: HeaderName) -> Self {
        Self { message, name, next_entry: 0, rest: None }
    }

    fn next_at(&mut self) -> Option<(&'a [u8], usize)> {
        let (line, offset) = match self.rest.take() {
            Some(rest) => rest,
            None => self.next_line()?,
        };
        let (value, after) = lex::split_outside(line, b',').unwrap_or((line, None));
        self.rest = after.map(|rest| (rest, offset + value.len() + 1));
        let leading = value.len() - lex::trim_start(value).len();
        Some((lex::trim(value), offset + leading))
    }

    fn next_line(&mut self) -> Option<(&'a [u8], usize)> {
        loop {
            let entry = self.message.entries.get(self.next_entry)?;
            self.next_entry += 1;
            let header = Header::of(self.message.bytes, entry);
            if header.name == self.name && !header.value.is_empty() {
                return Some((header.value, header.offset));
            }
        }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.next_at().map(|(value, _)| value)
    }
}
