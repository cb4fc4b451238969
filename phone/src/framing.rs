//! Whole messages out of a stream (RFC 3261 §18.3): a head up to an empty line, then as many octets as its
//! Content-Length says.

/// The longest message taken from a stream, in octets.
const MAX_MESSAGE: usize = 65_535;

/// What came is not SIP, or too long: the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came over the connection is no SIP message, or a too long one")]
pub struct NotSip;

/// Collects what a connection brings.
#[derive(Debug, Default)]
pub struct Framer {
    bytes: Vec<u8>,
}

impl Framer {
    /// For a fresh connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Takes what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, until there is none.
    ///
    /// # Errors
    /// When there will never be one.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, NotSip> {
        // Keep-alives stand between messages (RFC 5626 §3.5.1).
        let blank = self.bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.bytes.drain(..blank);
        let Some(head) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if self.bytes.len() > MAX_MESSAGE { Err(NotSip) } else { Ok(None) };
        };
        let whole = head + 4 + content_length(self.bytes.get(..head).unwrap_or_default())?;
        match whole {
            MAX_MESSAGE.. => Err(NotSip),
            _ if whole > self.bytes.len() => Ok(None),
            _ => Ok(Some(self.bytes.drain(..whole).collect())),
        }
    }
}

fn content_length(head: &[u8]) -> Result<usize, NotSip> {
    let head = std::str::from_utf8(head).map_err(|_| NotSip)?;
    let value = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        let name = name.trim();
        (name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("l")).then_some(value)
    });
    value.and_then(|value| value.trim().parse().ok()).ok_or(NotSip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        format!("SIP/2.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// RFC 3261 §18.3: however the stream is cut, the same messages come out; keep-alives vanish.
    #[test]
    fn messages_come_out_however_the_stream_is_cut() {
        let (one, two) = (message("v=0\r\n\r\nx"), message(""));
        let stream = format!("\r\n\r\n{one}\r\n\r\n{two}");
        for cut in 1..stream.len() {
            let (mut framer, mut out) = (Framer::default(), Vec::new());
            for part in [&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]] {
                framer.push(part);
                while let Some(whole) = framer.next_message().unwrap() {
                    out.push(String::from_utf8(whole).unwrap());
                }
            }
            assert_eq!(out, [one.clone(), two.clone()], "cut at {cut}");
        }
    }

    #[test]
    fn what_can_be_no_message_is_refused() {
        let mut framer = Framer::default();
        framer.push(b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n");
        assert_eq!(framer.next_message(), Err(NotSip), "no Content-Length");
        let mut framer = Framer::default();
        framer.push(&[b'x'; MAX_MESSAGE]);
        assert_eq!(framer.next_message(), Ok(None));
        framer.push(b"x");
        assert_eq!(framer.next_message(), Err(NotSip), "one too many");
    }
}
