//! What passes the node's edge: each SIP message, read with a few string searches that owe nothing to the node.

use std::net::SocketAddr;
use std::time::Duration;

/// Which way a message passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the node.
    In,
    /// From the node.
    Out,
}

/// The start line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request, with the user part of its URI.
    Request {
        /// INVITE, ACK, …
        method: String,
        /// The user part of the Request-URI.
        user: String,
    },
    /// A response.
    Response {
        /// 100 to 699.
        status: u16,
    },
}

/// One SIP message at the node's edge.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Duration,
    /// Which way.
    pub way: Way,
    /// The other end.
    pub peer: SocketAddr,
    /// Request or response.
    pub kind: Kind,
    /// The Call-ID.
    pub call_id: String,
    /// The sequence number of CSeq.
    pub cseq: u32,
    /// The method of CSeq.
    pub method: String,
    /// The topmost Via's branch.
    pub branch: String,
    /// The From tag.
    pub from_tag: Option<String>,
    /// The To tag.
    pub to_tag: Option<String>,
    /// Whether it has a body: an offer or answer.
    pub has_body: bool,
    /// All of it.
    pub text: String,
}

impl Seen {
    /// Reads a message; none when it is not one.
    pub(crate) fn read(at: Duration, way: Way, peer: SocketAddr, bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.split("\r\n");
        let start = lines.next()?;
        let (first, rest) = start.split_once(' ')?;
        let kind = if first == "SIP/2.0" {
            Kind::Response { status: rest.get(..3)?.parse().ok()? }
        } else {
            let uri = rest.split(' ').next()?;
            let user = uri.split_once('@').map_or("", |(user, _)| user);
            Kind::Request { method: first.into(), user: user.trim_start_matches("sip:").into() }
        };
        let header = |name: &str, compact: &str| {
            text.split("\r\n").skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
                let (known, value) = line.split_once(':')?;
                let known = known.trim();
                (known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(compact))
                    .then(|| value.trim())
            })
        };
        let (cseq, method) = header("CSeq", "CSeq")?.split_once(' ')?;
        Some(Self {
            at,
            way,
            peer,
            kind,
            call_id: header("Call-ID", "i")?.to_owned(),
            cseq: cseq.parse().ok()?,
            method: method.trim().to_owned(),
            branch: parameter(header("Via", "v")?, "branch")?,
            from_tag: parameter(header("From", "f")?, "tag"),
            to_tag: parameter(header("To", "t")?, "tag"),
            text: text.to_owned(),
            has_body: text.split_once("\r\n\r\n").is_some_and(|(_, body)| !body.is_empty()),
        })
    }

    /// Whether it is a request of this method.
    #[must_use]
    pub fn is_request(&self, wanted: &str) -> bool {
        matches!(&self.kind, Kind::Request { method, .. } if method == wanted)
    }

    /// The status of a response to this method.
    #[must_use]
    pub fn status_to(&self, wanted: &str) -> Option<u16> {
        match &self.kind {
            Kind::Response { status } if self.method == wanted => Some(*status),
            _ => None,
        }
    }
}

fn parameter(value: &str, name: &str) -> Option<String> {
    let after_uri = value.rsplit_once('>').map_or(value, |(_, after)| after);
    let mut parameters = after_uri.split([';', ',']);
    let found = parameters.find_map(|it| it.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(found.to_owned())
}
