//! Every named limit of the message layer: what is accepted at it and refused one past it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tandem_sbc::framing::{Frame, StreamFramer};
use tandem_sbc::header::parts;
use tandem_sbc::message::limits::{
    MAX_BODY_PARTS, MAX_HEADER, MAX_HEADER_NAME, MAX_HEADERS, MAX_MESSAGE, MAX_URI_PARAMS, MAX_VIAS,
};
use tandem_sbc::message::{ErrorKind, HeaderIndex, HeaderName, Message, ParseError};
use tandem_sbc::sdp::{MAX_FORMATS, MAX_LINES, MAX_MEDIA, SdpError, SdpErrorKind, SessionDescription};
use tandem_sbc::uri::Uri;

const VIA: &str = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n";

fn request(headers: &str, body: &str) -> Vec<u8> {
    format!("OPTIONS sip:b@example.com SIP/2.0\r\n{VIA}CSeq: 1 OPTIONS\r\n{headers}\r\n{body}").into_bytes()
}

/// What is wrong, and whether it can be answered.
fn parse(bytes: &[u8]) -> Result<(), (ParseError, bool)> {
    let mut index = HeaderIndex::new();
    match Message::parse(bytes, &mut index) {
        Ok(_) => Ok(()),
        Err(malformed) => Err((malformed.error, malformed.answerable().is_some())),
    }
}

#[test]
fn a_datagram_may_have_65535_bytes() {
    let message = |length: usize| {
        let empty = request("", "").len();
        request("", &"x".repeat(length - empty))
    };
    assert_eq!(parse(&message(MAX_MESSAGE)), Ok(()));
    let (error, answerable) = parse(&message(MAX_MESSAGE + 1)).unwrap_err();
    assert_eq!((error.kind, error.status()), (ErrorKind::MessageTooLarge, 513));
    assert!(!answerable, "nothing of it is read");
}

#[test]
fn a_message_may_have_128_header_lines() {
    let message = |count: usize| request(&"X: y\r\n".repeat(count - 2), "");
    assert_eq!(parse(&message(MAX_HEADERS)), Ok(()));
    let (error, answerable) = parse(&message(MAX_HEADERS + 1)).unwrap_err();
    assert_eq!((error.kind, error.status(), answerable), (ErrorKind::TooManyHeaders, 513, true));
}

#[test]
fn a_header_may_have_8192_bytes() {
    let message = |length: usize| request(&format!("X: {}\r\n", "y".repeat(length - 3)), "");
    assert_eq!(parse(&message(MAX_HEADER)), Ok(()));
    let (error, answerable) = parse(&message(MAX_HEADER + 1)).unwrap_err();
    assert_eq!((error.kind, error.status(), answerable), (ErrorKind::HeaderTooLong, 513, true));
}

/// Folds count: a header cannot grow past its limit by being folded.
#[test]
fn a_folded_header_is_measured_whole() {
    let message = |lines: usize| request(&format!("X: y\r\n{}", " 12345\r\n".repeat(lines)), "");
    assert_eq!(parse(&message(MAX_HEADER / 8 - 1)), Ok(()));
    assert_eq!(parse(&message(MAX_HEADER / 8 + 1)).unwrap_err().0.kind, ErrorKind::HeaderTooLong);
}

#[test]
fn a_start_line_may_have_8192_bytes() {
    let message = |length: usize| {
        let fixed = "OPTIONS sip: SIP/2.0".len();
        format!("OPTIONS sip:{} SIP/2.0\r\n{VIA}\r\n", "h".repeat(length - fixed)).into_bytes()
    };
    assert_eq!(parse(&message(MAX_HEADER)), Ok(()));
    assert_eq!(parse(&message(MAX_HEADER + 1)).unwrap_err().0.kind, ErrorKind::HeaderTooLong);
}

#[test]
fn a_header_name_may_have_255_bytes() {
    let message = |length: usize| request(&format!("{}: y\r\n", "X".repeat(length)), "");
    assert_eq!(parse(&message(MAX_HEADER_NAME)), Ok(()));
    assert_eq!(parse(&message(MAX_HEADER_NAME + 1)).unwrap_err().0.kind, ErrorKind::HeaderName);
}

/// However they are spread over lines.
#[test]
fn a_message_may_have_70_vias() {
    let vias = |count: usize| {
        let list = vec!["SIP/2.0/UDP 192.0.2.2"; count - 1].join(", ");
        let bytes = request(&format!("v: {list}\r\n"), "");
        let mut index = HeaderIndex::new();
        let message = Message::parse(&bytes, &mut index).unwrap();
        message.vias().map(|via| via.map(|_| ())).collect::<Vec<_>>()
    };
    assert!(vias(MAX_VIAS).iter().all(Result::is_ok));
    let past = vias(MAX_VIAS + 1);
    assert_eq!(past.len(), MAX_VIAS + 1);
    assert_eq!(past[MAX_VIAS].unwrap_err().kind, ErrorKind::TooManyVias);
    assert_eq!(vias(MAX_VIAS + 50).len(), MAX_VIAS + 1, "the rest is not read");
}

#[test]
fn a_uri_may_have_32_parameters() {
    let uri = |count: usize| {
        let params: String = (0..count).map(|n| format!(";p{n}")).collect();
        Uri::parse(format!("sip:a@example.com{params}").as_bytes()).map(|_| ()).map_err(|error| error.kind)
    };
    assert_eq!(uri(MAX_URI_PARAMS), Ok(()));
    assert_eq!(uri(MAX_URI_PARAMS + 1), Err(ErrorKind::Uri));
}

#[test]
fn a_body_may_have_16_parts() {
    let count = |parts_in_it: usize| {
        let body = format!("{}--b--\r\n", "--b\r\n\r\nhello\r\n".repeat(parts_in_it));
        parts(body.as_bytes(), b"b").count()
    };
    assert_eq!(count(MAX_BODY_PARTS), MAX_BODY_PARTS);
    assert_eq!(count(MAX_BODY_PARTS + 1), MAX_BODY_PARTS, "the rest is left out");
}

#[test]
fn a_stream_message_may_have_65535_bytes() {
    let message = |length: usize| {
        let room = length - request("Content-Length: 00000\r\n", "").len();
        request(&format!("Content-Length: {room:05}\r\n"), &"x".repeat(room))
    };
    let whole = message(MAX_MESSAGE);
    let mut framer = StreamFramer::new();
    framer.push(&whole);
    assert_eq!(framer.next_frame(), Ok(Some(Frame::Message(&whole))));
    let mut framer = StreamFramer::new();
    framer.push(&message(MAX_MESSAGE + 1));
    let error = framer.next_frame().unwrap_err();
    assert_eq!((error.kind, error.header), (ErrorKind::MessageTooLarge, Some(HeaderName::ContentLength)));
}

/// Whoever never ends the headers is cut off too.
#[test]
fn a_stream_may_hold_65535_bytes_of_headers_and_no_more() {
    let mut framer = StreamFramer::new();
    framer.push(&vec![b'x'; MAX_MESSAGE]);
    assert_eq!(framer.next_frame(), Ok(None));
    framer.push(b"x");
    assert_eq!(framer.next_frame().unwrap_err().kind, ErrorKind::MessageTooLarge);
}

const SESSION: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn media_count(sdp: &str) -> Result<usize, SdpError> {
    SessionDescription::parse(sdp.as_bytes()).map(|description| description.media.len())
}

#[test]
fn a_session_description_may_have_512_lines() {
    let sdp = |lines: usize| format!("{SESSION}{}", "a=x\r\n".repeat(lines - 5));
    assert_eq!(media_count(&sdp(MAX_LINES)), Ok(0));
    let error = SdpError { kind: SdpErrorKind::TooManyLines, line: MAX_LINES + 1 };
    assert_eq!(media_count(&sdp(MAX_LINES + 1)), Err(error));
}

#[test]
fn a_session_description_may_have_16_media_sections() {
    let sdp = |count: usize| format!("{SESSION}{}", "m=audio 1 RTP/AVP 0\r\n".repeat(count));
    assert_eq!(media_count(&sdp(MAX_MEDIA)), Ok(MAX_MEDIA));
    let error = SdpError { kind: SdpErrorKind::TooManyMedia, line: 5 + MAX_MEDIA + 1 };
    assert_eq!(media_count(&sdp(MAX_MEDIA + 1)), Err(error));
}

#[test]
fn a_media_section_may_have_64_formats() {
    let sdp = |count: usize| format!("{SESSION}m=audio 1 RTP/AVP{}\r\n", " 0".repeat(count));
    assert_eq!(media_count(&sdp(MAX_FORMATS)), Ok(1));
    let error = SdpError { kind: SdpErrorKind::TooManyFormats, line: 6 };
    assert_eq!(media_count(&sdp(MAX_FORMATS + 1)), Err(error));
}
