//! Via (RFC 3261 §20.42, RFC 3581).

use std::net::IpAddr;

use super::{Params, ValueError};
use crate::lex::{self, LWS, TOKEN};
use crate::uri::Host;

/// One Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// How it was sent.
    pub transport: ViaTransport<'a>,
    /// The host of `sent-by`.
    pub host: Host<'a>,
    /// The port of `sent-by`, when given.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
}

/// The transport of a Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the transport of that name")]
pub enum ViaTransport<'a> {
    Udp,
    Tcp,
    Tls,
    Sctp,
    Ws,
    Wss,
    /// Any other, as written.
    Other(&'a str),
}

impl<'a> ViaTransport<'a> {
    fn of(token: &'a [u8]) -> Self {
        const KNOWN: [(&[u8], ViaTransport<'static>); 6] = [
            (b"UDP", ViaTransport::Udp),
            (b"TCP", ViaTransport::Tcp),
            (b"TLS", ViaTransport::Tls),
            (b"SCTP", ViaTransport::Sctp),
            (b"WS", ViaTransport::Ws),
            (b"WSS", ViaTransport::Wss),
        ];
        let known = KNOWN.iter().find(|(name, _)| token.eq_ignore_ascii_case(name));
        known.map_or_else(|| Self::Other(lex::ascii(token)), |(_, transport)| *transport)
    }
}

impl<'a> Via<'a> {
    /// Reads a value. White space may stand around the slashes, the colon, semicolons and equals signs.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::message::ErrorKind::Value) or
    /// [`ErrorKind::Unbalanced`](crate::message::ErrorKind::Unbalanced).
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (via, end) = Self::parse_sent_by(value)?;
        let params = Params::parse(&value[end..]).map_err(|e| e.moved(end))?;
        Ok(Self { params, ..via })
    }

    /// Reads what stands before the parameters, and where that ends: enough to send an answer to somebody whose
    /// parameters are broken.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::message::ErrorKind::Value).
    pub fn parse_sent_by(value: &'a [u8]) -> Result<(Self, usize), ValueError> {
        let mut cursor = Cursor { value, at: 0 };
        let _protocol = cursor.token()?;
        cursor.slash()?;
        let _version = cursor.token()?;
        cursor.slash()?;
        let transport = ViaTransport::of(cursor.token()?);
        if cursor.skip_lws() == 0 {
            return Err(ValueError::value(cursor.at));
        }
        let host = cursor.host()?;
        cursor.skip_lws();
        let port = cursor.port()?;
        Ok((Self { transport, host, port, params: Params::default() }, cursor.at))
    }

    /// The `branch` parameter.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.params.token("branch")
    }

    /// The `received` parameter; RFC 5118 §4.5 has it with and without brackets.
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        address(self.params.value("received")?)
    }

    /// The `maddr` parameter, where it is an address.
    #[must_use]
    pub fn maddr(&self) -> Option<IpAddr> {
        address(self.params.value("maddr")?)
    }

    /// Whether there is an `rport` parameter, with or without a value (RFC 3581 §3).
    #[must_use]
    pub fn has_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// The value of `rport`.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.value("rport").and_then(lex::port)
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let bare = bytes.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(bytes);
    std::str::from_utf8(bare).ok()?.parse().ok()
}

struct Cursor<'a> {
    value: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.value.get(self.at..).unwrap_or_default()
    }

    fn skip_lws(&mut self) -> usize {
        let len = lex::span(self.rest(), LWS);
        self.at += len;
        len
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ValueError> {
        let taken = self.rest().get(..len).filter(|t| !t.is_empty()).ok_or(ValueError::value(self.at))?;
        self.at += len;
        Ok(taken)
    }

    fn token(&mut self) -> Result<&'a [u8], ValueError> {
        self.take(lex::span(self.rest(), TOKEN))
    }

    fn slash(&mut self) -> Result<(), ValueError> {
        self.skip_lws();
        if self.rest().first() != Some(&b'/') {
            return Err(ValueError::value(self.at));
        }
        self.at += 1;
        self.skip_lws();
        Ok(())
    }

    fn host(&mut self) -> Result<Host<'a>, ValueError> {
        let start = self.at;
        let rest = self.rest();
        let len = match rest.first() {
            Some(b'[') => memchr::memchr(b']', rest).map_or(0, |end| end + 1),
            _ => lex::span(rest, lex::HOST),
        };
        Host::parse(self.take(len)?).ok_or(ValueError::value(start))
    }

    fn port(&mut self) -> Result<Option<u16>, ValueError> {
        if self.rest().first() != Some(&b':') {
            return Ok(None);
        }
        self.at += 1;
        self.skip_lws();
        let start = self.at;
        let digits = self.token()?;
        lex::port(digits).map(Some).ok_or(ValueError::value(start))
    }
}
