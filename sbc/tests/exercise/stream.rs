//! Any bytes as a stream.

use tandem_sbc::framing::{Frame, StreamFramer};
use tandem_sbc::message::limits::MAX_MESSAGE;

/// Reads bytes as a stream that comes in pieces of the given lengths, over and over.
pub(crate) fn read(bytes: &[u8], pieces: &[usize]) {
    let mut framer = StreamFramer::new();
    let mut rest = bytes;
    let mut lengths = pieces.iter().cycle();
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |&length| length.clamp(1, rest.len()));
        let (piece, after) = rest.split_at(length);
        rest = after;
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(frame))) => assert!(!frame.is_empty() && frame.len() <= MAX_MESSAGE),
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}
