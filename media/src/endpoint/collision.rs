//! A party that speaks under our own SSRC (RFC 3550 §8.2): we say goodbye under it and go on under another one. Once: who
//! then has that one too sends our packets back to us.
//!
//! Under SRTP the two streams have different keys, and keep their SSRC.
//!
//! ```text
//! None ──a packet with our SSRC──► Seen ──timeout (at once)──► Leaving ──BYE──► Left
//! ```

use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use super::{Endpoint, MAX_PACKET_LEN};
use crate::Channel;
use crate::outgoing::Outgoing;
use crate::protection::Guard;

#[derive(Debug)]
pub(super) enum Collision {
    None,
    Seen,
    /// For another one.
    Leaving(Box<Outgoing>),
    Left,
}

impl Collision {
    pub(super) const fn is_seen(&self) -> bool {
        matches!(self, Self::Seen)
    }

    pub(super) const fn is_leaving(&self) -> bool {
        matches!(self, Self::Leaving(_))
    }
}

impl Endpoint {
    /// Whether a packet under that SSRC is the first that collides with ours.
    #[inline]
    pub(super) fn collides(&mut self, ssrc: u32) -> bool {
        let collides = ssrc == self.outgoing.ssrc()
            && matches!((&self.collision, &self.guard), (Collision::None, Guard::Plain));
        if collides {
            self.collision = Collision::Seen;
        }
        collides
    }

    pub(super) fn leave_collision(&mut self, rng: &mut ChaCha8Rng) {
        if self.collision.is_seen() {
            let mut other = Box::new(self.outgoing.clone());
            other.restart(rng);
            self.collision = Collision::Leaving(other);
        }
    }

    /// Writes the goodbye, if one is due; what follows it is under another SSRC.
    pub(super) fn begin_anew(
        &mut self,
        now: Instant,
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(Channel, SocketAddr, usize)> {
        let other = match std::mem::replace(&mut self.collision, Collision::Left) {
            Collision::Leaving(other) => other,
            collision => {
                self.collision = collision;
                return None;
            }
        };
        let goodbye = self.owes_goodbye().then(|| self.write_report(now, true, buffer)).flatten();
        self.outgoing = *other;
        self.rtcp.restart();
        goodbye
    }
}
