//! Messages and keep-alives on a stream (RFC 3261 §18.3, §7.5; RFC 5626 §3.5.1).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tandem_sbc::framing::{Frame, StreamFramer};
use tandem_sbc::message::{ErrorKind, HeaderName};

const BYE: &str = "BYE sip:a@example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n";
const INFO: &str = "INFO sip:a@example.com SIP/2.0\r\nl:\r\n 5\r\n\r\nhello";

/// What comes out of a stream that is read in pieces of `size` bytes.
fn frames(stream: &str, size: usize) -> Result<Vec<String>, ErrorKind> {
    let mut framer = StreamFramer::new();
    let mut found = Vec::new();
    for piece in stream.as_bytes().chunks(size) {
        framer.push(piece);
        while let Some(frame) = framer.next_frame().map_err(|error| error.kind)? {
            found.push(match frame {
                Frame::Message(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                Frame::Ping => "ping".into(),
                Frame::Pong => "pong".into(),
            });
        }
    }
    Ok(found)
}

#[test]
fn messages_come_out_whole_however_the_stream_is_cut() {
    let stream = format!("{BYE}{INFO}{BYE}");
    for size in 1..=stream.len() {
        assert_eq!(frames(&stream, size).unwrap(), [BYE, INFO, BYE], "pieces of {size}");
    }
}

#[test]
fn a_double_crlf_is_a_ping_and_a_single_one_is_not() {
    assert_eq!(frames("\r\n\r\n", 4).unwrap(), ["ping"]);
    assert_eq!(frames("\r\n", 2).unwrap(), ["pong"]);
    assert_eq!(frames(&format!("\r\n\r\n\r\n\r\n{BYE}"), 500).unwrap(), ["ping", "ping", BYE]);
    assert_eq!(frames(&format!("{BYE}\r\n{BYE}"), 500).unwrap(), [BYE, "pong", BYE]);
}

/// In two pieces the first half looks like a pong, to which nobody answers; the second makes it a ping.
#[test]
fn a_ping_in_pieces_is_answered_once() {
    for size in 1..4 {
        let pings = frames("\r\n\r\n", size).unwrap();
        assert_eq!(pings.iter().filter(|frame| *frame == "ping").count(), 1, "pieces of {size}");
    }
    assert_eq!(frames("\r\n\r\n\r\n\r\n", 2).unwrap(), ["pong", "ping", "pong", "ping"]);
    assert_eq!(frames(&format!("\r\n{BYE}\r\n\r\n"), 2).unwrap().last().unwrap(), "ping");
}

/// RFC 3261 §20.14: on a stream the header must be there.
#[test]
fn a_message_without_content_length_loses_the_frame() {
    assert_eq!(frames("BYE sip:a@example.com SIP/2.0\r\nX: y\r\n\r\n", 7), Err(ErrorKind::NoContentLength));
}

#[test]
fn a_content_length_that_is_no_number_or_two_numbers_loses_the_frame() {
    let stream = |headers: &str| format!("BYE sip:a@example.com SIP/2.0\r\n{headers}\r\n\r\n");
    assert_eq!(frames(&stream("Content-Length: five"), 500), Err(ErrorKind::Number));
    assert_eq!(frames(&stream("Content-Length: -1"), 500), Err(ErrorKind::Number));
    assert_eq!(frames(&stream("Content-Length: 99999999999999999999"), 500), Err(ErrorKind::Number));
    assert_eq!(frames(&stream("l: 0\r\nContent-Length: 1"), 500), Err(ErrorKind::Repeated));
    assert_eq!(frames(&stream("l: 0\r\nContent-Length: 0"), 500).unwrap().len(), 1);
}

#[test]
fn the_error_says_where() {
    let mut framer = StreamFramer::new();
    framer.push(b"BYE sip:a@example.com SIP/2.0\r\nX: y\r\nContent-Length: x\r\n\r\n");
    let error = framer.next_frame().unwrap_err();
    assert_eq!((error.header, error.offset), (Some(HeaderName::ContentLength), 37));
    assert_eq!(error.to_string(), "number out of range in Content-Length at byte 37");
}

#[test]
fn a_message_that_is_not_whole_is_known_to_be_partial() {
    let mut framer = StreamFramer::new();
    assert!(!framer.is_partial());
    framer.push(&BYE.as_bytes()[..20]);
    assert_eq!(framer.next_frame(), Ok(None));
    assert!(framer.is_partial());
    framer.push(&BYE.as_bytes()[20..]);
    assert!(framer.next_frame().unwrap().is_some());
    assert!(!framer.is_partial());
}
