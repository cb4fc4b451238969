//! A message that is sent again until it is answered.

use std::net::SocketAddr;
use std::time::Duration;

use crate::access::Access;

/// Round-trip estimate (RFC 3261 §17.1.1.1).
pub(crate) const T1: Duration = Duration::from_millis(500);
/// Longest interval between retransmissions.
const T2: Duration = Duration::from_secs(4);
/// Timers B, F and H: 64·T1.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(32);

/// A message and when it leaves again.
#[derive(Clone, Debug)]
pub(crate) struct Retransmission {
    bytes: Vec<u8>,
    destination: SocketAddr,
    again_at: Option<Duration>,
    interval: Duration,
    longest: Duration,
    give_up_at: Duration,
}

/// What is due.
pub(crate) enum Due {
    Nothing,
    Again(SocketAddr, Vec<u8>),
    GiveUp,
}

impl Retransmission {
    /// An INVITE: timers A (doubling without limit) and B.
    pub(crate) fn invite(now: Duration, destination: SocketAddr, bytes: Vec<u8>) -> Self {
        Self::new(now, destination, bytes, GIVE_UP)
    }

    /// Any other request, or a final response to an INVITE: timers E and F, or G and H (doubling up to T2).
    pub(crate) fn other(now: Duration, destination: SocketAddr, bytes: Vec<u8>) -> Self {
        Self::new(now, destination, bytes, T2)
    }

    fn new(now: Duration, destination: SocketAddr, bytes: Vec<u8>, longest: Duration) -> Self {
        let (again_at, give_up_at) = (Some(now + T1), now + GIVE_UP);
        Self { bytes, destination, again_at, interval: T1, longest, give_up_at }
    }

    /// The same under this access: given up when its phone does, and sent once only where nothing gets lost.
    pub(crate) fn on(mut self, access: &Access) -> Self {
        if access.transport.is_reliable() {
            self.again_at = None;
        }
        self.until_acknowledged(access)
    }

    /// A 2xx to an INVITE under this access: sent again over streams, too (RFC 3261 §13.3.1.4).
    pub(crate) fn until_acknowledged(mut self, access: &Access) -> Self {
        self.give_up_at = self.give_up_at + access.give_up - GIVE_UP;
        self
    }

    /// A provisional response came: an INVITE leaves no more, and its answer may take as long as it likes.
    pub(crate) fn rest(&mut self) {
        self.again_at = None;
        self.give_up_at = Duration::MAX;
    }

    /// From now on there must be an answer within 64·T1 (RFC 3261 §9.1, after CANCEL).
    pub(crate) fn expect_answer(&mut self, now: Duration) {
        self.give_up_at = now + GIVE_UP;
    }

    pub(crate) fn next_at(&self) -> Duration {
        self.again_at.map_or(self.give_up_at, |again| again.min(self.give_up_at))
    }

    pub(crate) fn due(&mut self, now: Duration) -> Due {
        if now >= self.give_up_at {
            return Due::GiveUp;
        }
        match self.again_at {
            Some(again) if now >= again => {
                self.interval = (self.interval * 2).min(self.longest);
                self.again_at = Some(again + self.interval);
                Due::Again(self.destination, self.bytes.clone())
            }
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(mut message: Retransmission) -> (Vec<u64>, u64) {
        let mut again = Vec::new();
        loop {
            let now = message.next_at();
            match message.due(now) {
                Due::Again(..) => again.push(now.as_millis() as u64),
                Due::GiveUp => return (again, now.as_millis() as u64),
                Due::Nothing => panic!("woken for nothing"),
            }
        }
    }

    /// RFC 3261 §17.1.1.2 and §17.1.2.2.
    #[test]
    fn intervals_are_those_of_the_standard() {
        let to = "127.0.0.1:5060".parse().unwrap();
        let invite = Retransmission::invite(Duration::ZERO, to, Vec::new());
        assert_eq!(times(invite), (vec![500, 1_500, 3_500, 7_500, 15_500, 31_500], 32_000));
        let bye = Retransmission::other(Duration::ZERO, to, Vec::new());
        let expected = vec![500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        assert_eq!(times(bye), (expected, 32_000));
    }
}
