//! Any bytes as a stream.

use tandem_sbc::framing::{Frame, StreamFramer};
use tandem_sbc::message::limits::MAX_MESSAGE;

/// Reads bytes as a stream; the first two say in what pieces it comes, over and over.
pub(crate) fn read(bytes: &[u8]) {
    let Some((&[first, second], bytes)) = bytes.split_first_chunk() else { return };
    in_pieces(bytes, &[usize::from(first), usize::from(second) * 8]);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    super::MESSAGES.iter().map(|message| [&[40, 90][..], message, message].concat()).collect()
}

fn in_pieces(bytes: &[u8], pieces: &[usize]) {
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
