//! What the peers of a ladder write.

use std::net::SocketAddr;

use rsip::headers::auth::{Algorithm, AuthQop};
use rsip::services::DigestGenerator;
use rsip::{Method, Uri};
use tandem_sim::Seen;
use tandem_sim::ladder::{Ladder, audio_of};

/// A peer: who it is, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) user: &'static str,
    pub(crate) at: SocketAddr,
}

/// A subscriber of the carrier's.
pub(crate) const BIG_GUY: Peer = Peer { user: "+15555550100", at: Ladder::CARRIER };

/// The user 1001 with the phone that the node rings for `+15550110`.
pub(crate) fn bob() -> Peer {
    Peer { user: "1001", at: Ladder::phone(1) }
}

/// A peer's request outside a dialog. `headers` are whole lines with their ends.
pub(crate) fn request(
    peer: Peer,
    method: &str,
    uri: &str,
    call_id: &str,
    cseq: u32,
    headers: &str,
    body: &str,
) -> String {
    let Peer { user, at } = peer;
    let to = if method == "REGISTER" { format!("sip:{user}@127.0.0.1") } else { uri.to_owned() };
    let contact = if method == "INVITE" { format!("Contact: <sip:{user}@{at}>\r\n") } else { String::new() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-{call_id}-{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@127.0.0.1>;tag=from-{call_id}\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\n{contact}{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A peer's INVITE with an offer.
pub(crate) fn invite(peer: Peer, number: &str, call_id: &str, cseq: u32, headers: &str) -> String {
    request(peer, "INVITE", &format!("sip:{number}@127.0.0.1"), call_id, cseq, headers, &sdp(peer.at))
}

/// The caller's request in the dialog that a response made.
pub(crate) fn within(method: &str, cseq: u32, response: &Seen, body: &str) -> String {
    let (from, to) = (header(response, "From"), header(response, "To"));
    in_dialog(method, cseq, response, (&from, &to), &uri_of(&header(response, "Contact")), "", body)
}

/// The callee's request in the dialog that its response with `tag` to the node's INVITE made.
pub(crate) fn from_callee(method: &str, cseq: u32, invite: &Seen, tag: &str) -> String {
    let (from, to) = (header(invite, "From"), header(invite, "To"));
    let from_callee = format!("{to};tag={tag}");
    in_dialog(method, cseq, invite, (&from_callee, &from), &uri_of(&header(invite, "Contact")), "", "")
}

/// A request in a dialog, between the From and To of its sender, to the Contact of the other side.
pub(crate) fn in_dialog(
    method: &str,
    cseq: u32,
    seen: &Seen,
    (from, to): (&str, &str),
    uri: &str,
    headers: &str,
    body: &str,
) -> String {
    let (at, call_id) = (seen.peer, &seen.call_id);
    let contact = if method == "INVITE" { format!("Contact: <sip:peer@{at}>\r\n") } else { String::new() };
    let kind = if body.is_empty() || headers.contains("Content-Type:") {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-{method}-{cseq}-{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
         {contact}{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The ACK of a final response other than 2xx, which is its INVITE's transaction's (RFC 3261 §17.1.1.3).
pub(crate) fn ack_of_refusal(peer: Peer, response: &Seen) -> String {
    let (call_id, cseq) = (&response.call_id, response.cseq);
    format!(
        "ACK sip:callee@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} ACK\r\nContent-Length: 0\r\n\r\n",
        peer.at,
        response.branch,
        header(response, "From"),
        header(response, "To"),
    )
}

/// The CANCEL of an INVITE (§9.1).
pub(crate) fn cancel(invite: &str) -> String {
    let lines = invite.split("\r\n").filter(|line| {
        ["Via:", "From:", "To:", "Call-ID:", "Max-Forwards:"].iter().any(|name| line.starts_with(name))
    });
    let headers: String = lines.map(|line| format!("{line}\r\n")).collect();
    let start = invite.lines().next().unwrap_or_default().replacen("INVITE", "CANCEL", 1);
    format!("{start}\r\n{headers}CSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n")
}

/// A response to a request of the node's, as a user agent with `tag` gives it.
pub(crate) fn answer(request: &Seen, status: &str, tag: &str, headers: &str, body: &str) -> String {
    let names = ["Via:", "Record-Route:", "From:", "To:", "Call-ID:", "CSeq:"];
    let copied = request.text.split("\r\n").filter(|line| names.iter().any(|name| line.starts_with(name)));
    let copied: String = copied
        .map(|line| {
            let adds_tag = line.starts_with("To:") && !tag.is_empty() && !line.contains(";tag=");
            if adds_tag { format!("{line};tag={tag}\r\n") } else { format!("{line}\r\n") }
        })
        .collect();
    let contact = if request.method == "INVITE" {
        format!("Contact: <sip:callee@{}>\r\n", request.peer)
    } else {
        String::new()
    };
    let contact = if headers.contains("Contact:") { "" } else { contact.as_str() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{copied}{contact}{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// µ-law at the peer's own address.
pub(crate) fn sdp(at: SocketAddr) -> String {
    let audio = audio_of(at);
    format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
        audio.ip(),
        audio.port()
    )
}

/// The first value of a header.
pub(crate) fn header(seen: &Seen, name: &str) -> String {
    headers(seen, name).into_iter().next().unwrap_or_default()
}

/// All values of a header, a line each.
pub(crate) fn headers(seen: &Seen, name: &str) -> Vec<String> {
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
    seen.text.split("\r\n").filter_map(value).collect()
}

/// The URI within angle brackets.
pub(crate) fn uri_of(value: &str) -> String {
    value.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

/// An Authorization line for the challenge of a 401 (RFC 7616 §3.4).
pub(crate) fn credentials(challenge: &Seen, user: &str, password: &str, method: Method, uri: &str) -> String {
    let offered = headers(challenge, "WWW-Authenticate");
    let md5 = offered.iter().find(|value| !value.contains("SHA-256")).expect("a challenge with MD5");
    let parameter = |name: &str| {
        let rest = md5.split(&format!("{name}=\"")).nth(1);
        rest.and_then(|rest| rest.split('"').next()).unwrap_or_default()
    };
    let (realm, nonce) = (parameter("realm"), parameter("nonce"));
    let qop = AuthQop::Auth { cnonce: "c".into(), nc: 1 };
    let response = DigestGenerator {
        username: user,
        password,
        nonce,
        uri: &Uri::try_from(uri).expect("a URI"),
        realm,
        method: &method,
        qop: Some(&qop),
        algorithm: Algorithm::Md5,
    }
    .compute();
    let opaque = parameter("opaque");
    let opaque = if opaque.is_empty() { String::new() } else { format!(", opaque=\"{opaque}\"") };
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"{opaque}\r\n"
    )
}
