//! Packets that wait, each in the place of its sequence number.

/// Packets that wait at once: 1.28 s of the usual ones. What is further ahead of the next one makes room for itself.
pub const MAX_PACKETS: usize = 64;

/// Payloads for which there is room from the beginning; more of them wait only where the path is bad.
const USUAL_PACKETS: usize = 8;

/// Octets of each of them.
const USUAL_PAYLOAD: usize = 320;

/// Longer payloads are not kept: no packet of ours or of any codec's here is so long.
const MAX_PAYLOAD: usize = 1_500;

/// What a packet has for who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Audio.
    Audio,
    /// Audio that is not to be heard, such as a key's tones: silence of the same length.
    Muted,
    /// A description of comfort noise (RFC 3389).
    ComfortNoise,
    /// Nothing: it only has its number, such as a telephone-event.
    Skipped,
}

/// A packet that waits.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) kind: Kind,
    pub(super) timestamp: u32,
    pub(super) payload: Vec<u8>,
    /// Whose place this is now.
    sequence: Option<u16>,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    Kept,
    /// Its turn is over, or it is here already.
    Late,
    /// So far ahead that so many before it were given up.
    Jumped(usize),
}

/// The packets of one stream.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    /// Only those that wait have a payload.
    places: Box<[Packet]>,
    /// Payloads to be filled anew, the latest one first: it is still in the processor's cache.
    spare: Vec<Vec<u8>>,
    /// The next one to be taken; none before the first.
    next: Option<u16>,
    waiting: usize,
    /// Of the one that is furthest ahead: number and timestamp.
    newest: Option<(u16, u32)>,
}

impl Packets {
    pub(super) fn new() -> Self {
        let place = || Packet { kind: Kind::Skipped, timestamp: 0, payload: Vec::new(), sequence: None };
        Self {
            places: std::iter::repeat_with(place).take(MAX_PACKETS).collect(),
            spare: std::iter::repeat_with(empty_payload).take(USUAL_PACKETS).collect(),
            next: None,
            waiting: 0,
            newest: None,
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        for place in self.places.iter_mut().filter(|place| place.sequence.is_some()) {
            self.spare.push(place.vacate());
        }
        self.next = None;
        self.waiting = 0;
        self.newest = None;
    }

    /// How many there are.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// The timestamp of the one that is furthest ahead, here or taken already.
    pub(super) fn newest(&self) -> Option<u32> {
        self.newest.map(|(_, timestamp)| timestamp)
    }

    pub(super) fn insert(&mut self, sequence: u16, timestamp: u32, kind: Kind, payload: &[u8]) -> Inserted {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next) as i16;
        if ahead < 0 || payload.len() > MAX_PAYLOAD {
            return Inserted::Late;
        }
        let mut inserted = Inserted::Kept;
        let too_far = (ahead as usize + 1).saturating_sub(MAX_PACKETS);
        if too_far > 0 {
            let before = self.waiting;
            for _ in 0..too_far.min(MAX_PACKETS) {
                self.advance();
            }
            inserted = Inserted::Jumped(before - self.waiting);
            self.next = Some(sequence.wrapping_sub(MAX_PACKETS as u16 - 1));
        }
        let Some(place) = self.places.get_mut(usize::from(sequence) % MAX_PACKETS) else { return inserted };
        if place.sequence == Some(sequence) {
            return Inserted::Late;
        }
        if self.newest.is_none_or(|(newest, _)| sequence.wrapping_sub(newest) as i16 > 0) {
            self.newest = Some((sequence, timestamp));
        }
        place.sequence = Some(sequence);
        place.timestamp = timestamp;
        place.kind = kind;
        place.payload = self.spare.pop().unwrap_or_else(empty_payload);
        place.payload.clear();
        place.payload.extend_from_slice(payload);
        self.waiting += 1;
        inserted
    }

    /// The next one, if it is here.
    pub(super) fn next(&self) -> Option<&Packet> {
        self.at(self.next?)
    }

    /// The first one that is here, and how many before it are not.
    pub(super) fn first(&self) -> Option<(&Packet, u16)> {
        let next = self.next?;
        if self.waiting == 0 {
            return None;
        }
        (0..MAX_PACKETS as u16).find_map(|ahead| Some((self.at(next.wrapping_add(ahead))?, ahead)))
    }

    /// The turn of the next one is over.
    pub(super) fn advance(&mut self) {
        let Some(next) = self.next else { return };
        if let Some(place) = self.places.get_mut(usize::from(next) % MAX_PACKETS)
            && place.sequence == Some(next)
        {
            self.spare.push(place.vacate());
            self.waiting -= 1;
        }
        self.next = Some(next.wrapping_add(1));
    }

    fn at(&self, sequence: u16) -> Option<&Packet> {
        self.places.get(usize::from(sequence) % MAX_PACKETS).filter(|it| it.sequence == Some(sequence))
    }
}

impl Packet {
    /// Its turn is over; what its payload was in.
    fn vacate(&mut self) -> Vec<u8> {
        self.sequence = None;
        std::mem::take(&mut self.payload)
    }
}

fn empty_payload() -> Vec<u8> {
    Vec::with_capacity(USUAL_PAYLOAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_past_the_most_packets_that_wait_makes_room() {
        let mut packets = Packets::new();
        let first = u16::MAX - 10;
        for number in 0..MAX_PACKETS as u16 {
            let kept = packets.insert(first.wrapping_add(number), number.into(), Kind::Audio, &[1]);
            assert_eq!(kept, Inserted::Kept);
        }
        assert_eq!(packets.next().map(|packet| packet.timestamp), Some(0));
        let one_past = first.wrapping_add(MAX_PACKETS as u16);
        assert_eq!(packets.insert(one_past, 64, Kind::Audio, &[1]), Inserted::Jumped(1));
        assert_eq!(packets.next().map(|packet| packet.timestamp), Some(1), "the first was given up for it");
        let far = one_past.wrapping_add(1_000);
        assert_eq!(packets.insert(far, 65, Kind::Audio, &[1]), Inserted::Jumped(MAX_PACKETS));
        assert_eq!(packets.first().map(|(packet, _)| packet.timestamp), Some(65));
    }

    #[test]
    fn a_payload_is_kept_where_the_one_before_it_was() {
        let mut packets = Packets::new();
        let mut places = std::collections::BTreeSet::new();
        for number in 0..3 * MAX_PACKETS as u16 {
            packets.insert(number, number.into(), Kind::Audio, &[1; USUAL_PAYLOAD]);
            places.extend(packets.next().map(|packet| packet.payload.as_ptr()));
            packets.advance();
        }
        assert_eq!((places.len(), packets.spare.len()), (1, USUAL_PACKETS));
    }
}
