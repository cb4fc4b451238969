//! Puts one direction of a TCP connection in order.

use super::packet::Segment;

/// Segments kept while one before them is missing.
const MAX_PENDING: usize = 256;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Direction {
    /// The sequence number that comes next; unknown before the first segment.
    next: Option<u32>,
    pending: Vec<(u32, Vec<u8>)>,
    lost: bool,
}

impl Direction {
    /// What a segment adds to the stream. After a gap that never closes there is nothing more.
    pub(super) fn take(&mut self, segment: &Segment) -> Vec<u8> {
        if segment.starts {
            *self = Self { next: Some(segment.sequence.wrapping_add(1)), ..Self::default() };
            return Vec::new();
        }
        let next = *self.next.get_or_insert(segment.sequence);
        if self.lost || segment.payload.is_empty() {
            return Vec::new();
        }
        if distance(next, segment.sequence) > 0 {
            self.keep(segment);
            return Vec::new();
        }
        let mut stream = Vec::new();
        self.append(segment.sequence, &segment.payload, &mut stream);
        while let Some(index) = self.pending.iter().position(|(sequence, _)| self.is_due(*sequence)) {
            let (sequence, payload) = self.pending.swap_remove(index);
            self.append(sequence, &payload, &mut stream);
        }
        stream
    }

    /// Whether bytes are missing for good.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost
    }

    fn keep(&mut self, segment: &Segment) {
        if self.pending.len() == MAX_PENDING {
            self.lost = true;
            self.pending = Vec::new();
        } else {
            self.pending.push((segment.sequence, segment.payload.clone()));
        }
    }

    fn is_due(&self, sequence: u32) -> bool {
        self.next.is_some_and(|next| distance(next, sequence) <= 0)
    }

    /// Adds what is new of a segment that begins at or before the next byte.
    fn append(&mut self, sequence: u32, payload: &[u8], stream: &mut Vec<u8>) {
        let Some(next) = self.next else { return };
        let known = usize::try_from(-distance(next, sequence)).unwrap_or(0);
        if let Some(new) = payload.get(known..) {
            stream.extend_from_slice(new);
            self.next = Some(next.wrapping_add(u32::try_from(new.len()).unwrap_or(0)));
        }
    }
}

/// How far `to` lies behind `from`, on the circle of sequence numbers.
fn distance(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u32, payload: &str) -> Segment {
        Segment { sequence, starts: false, payload: payload.as_bytes().to_vec() }
    }

    #[test]
    fn order_repetition_and_overlap_do_not_matter() {
        let mut direction = Direction::default();
        let start = u32::MAX - 2; // the numbers wrap within the stream
        direction.take(&Segment { starts: true, ..segment(start.wrapping_sub(1), "") });
        let at = |offset: u32| start.wrapping_add(offset);
        assert_eq!(direction.take(&segment(at(0), "abc")), b"abc");
        assert_eq!(direction.take(&segment(at(6), "ghi")), b"");
        assert_eq!(direction.take(&segment(at(0), "abc")), b"", "repeated");
        assert_eq!(direction.take(&segment(at(2), "cdef")), b"defghi", "overlapping, and what waited");
    }

    #[test]
    fn a_gap_is_waited_for_up_to_a_limit() {
        let mut direction = Direction::default();
        direction.take(&segment(0, "a"));
        for index in 0..u32::try_from(MAX_PENDING).expect("small") {
            direction.take(&segment(2 + index, "x"));
        }
        assert!(!direction.is_lost());
        direction.take(&segment(10_000, "y"));
        assert!(direction.is_lost());
        assert_eq!(direction.take(&segment(1, "b")), b"");
    }
}
