//! Packet indices: their estimation from sequence numbers, and which were used (RFC 3711 §3.3.1, §3.3.2).

/// How many indices back from the highest are told apart; older ones count as used. RFC 3711 §3.3.2 wants 64 at least.
pub(super) const WINDOW: u32 = u128::BITS;

/// The first index that is none: 2^48 packets need a new key (RFC 3711 §9.2).
const INDEX_END: u64 = 1 << 48;

/// The indices of one stream under one key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    highest: u64,
    /// Bit n stands for the index `highest` − n. None is set before the first packet.
    used: u128,
}

impl Window {
    /// The index a sequence number most likely stands for: the one nearest to the highest. The first packet's
    /// rollover counter is 0 (RFC 4568 §6.4). None when the index would be out of range.
    #[inline]
    pub(super) fn estimate(&self, sequence: u16) -> Option<u64> {
        if self.used == 0 {
            return Some(u64::from(sequence));
        }
        let step = sequence.wrapping_sub(self.highest as u16) as i16;
        // RFC 3711 §3.3.1 leaves the step of exactly 2^15 open; here it is one back.
        self.highest.checked_add_signed(i64::from(step)).filter(|index| *index < INDEX_END)
    }

    /// Whether an index was not used yet, for all we know.
    #[inline]
    pub(super) fn is_unused(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(back) => match u32::try_from(back) {
                Ok(back) if back < WINDOW => self.used >> back & 1 == 0,
                _ => self.used == 0,
            },
        }
    }

    /// Marks an index as used: after authentication only.
    #[inline]
    pub(super) fn mark(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            Some(back) if self.used != 0 => {
                self.used |= u32::try_from(back).ok().and_then(|back| 1u128.checked_shl(back)).unwrap_or(0);
            }
            _ => {
                let step = u32::try_from(index - self.highest.min(index)).unwrap_or(WINDOW);
                self.used = self.used.checked_shl(step).unwrap_or(0) | 1;
                self.highest = index;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(indices: impl IntoIterator<Item = u64>) -> Window {
        let mut window = Window::default();
        for index in indices {
            window.mark(index);
        }
        window
    }

    /// RFC 3711 §3.3.1 and appendix A, around a rollover.
    #[test]
    fn the_rollover_counter_follows_the_sequence_number() {
        let estimate = |highest, sequence| window([highest]).estimate(sequence);
        assert_eq!(Window::default().estimate(65_000), Some(65_000), "a first packet has counter 0");
        assert_eq!(estimate(65_535, 0), Some(65_536));
        assert_eq!(estimate(65_536, 65_535), Some(65_535), "late, from before the rollover");
        assert_eq!(estimate(0x3_0001, 0x7fff), Some(0x3_7fff));
        assert_eq!(estimate(0x3_0001, 0x8002), Some(0x2_8002));
        assert_eq!(estimate(0x3_9000, 0x0fff), Some(0x4_0fff));
        assert_eq!(estimate(5, 65_000), None, "nothing is before the first index");
        assert_eq!(estimate(INDEX_END - 1, 0), None, "nothing is after the last");
    }

    #[test]
    fn each_index_is_good_once_and_old_ones_never() {
        let mut window = window([1_000]);
        let oldest = 1_000 - u64::from(WINDOW) + 1;
        assert!(!window.is_unused(1_000));
        assert!(window.is_unused(oldest), "the last that is told apart");
        assert!(!window.is_unused(oldest - 1), "one past it");
        window.mark(oldest);
        assert!(!window.is_unused(oldest));
        window.mark(1_001);
        assert!(!window.is_unused(1_001) && !window.is_unused(1_000) && !window.is_unused(oldest));
        window.mark(1_001 + u64::from(WINDOW));
        assert!(!window.is_unused(1_001), "left behind");
        assert!(window.is_unused(1_002));
    }

    #[test]
    fn an_index_of_0_can_be_the_first() {
        let fresh = Window::default();
        assert!(fresh.is_unused(0) && fresh.is_unused(7));
        let window = window([0]);
        assert!(!window.is_unused(0) && window.is_unused(1));
    }
}
