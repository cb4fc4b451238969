//! Sequence numbers as they come (RFC 3550 §A.1).

/// Further ahead than this is no loss but another beginning.
const MAX_DROPOUT: u16 = 3_000;
/// Further behind than this cannot be told from another beginning.
const MAX_MISORDER: u16 = 64;

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// After all that came.
    Next,
    /// Before one that came.
    Late,
    /// It came before.
    Duplicate,
    /// Nowhere near.
    Leap,
}

/// What has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    run: Option<Run>,
    lost_before: u64,
}

#[derive(Clone, Debug)]
struct Run {
    highest: u16,
    /// With its rollovers.
    extended: u32,
    /// Bit n: `highest − n` has come.
    seen: u64,
    missing: u64,
}

impl Order {
    /// Where that number belongs, and what it is with its rollovers.
    pub(super) fn place(&mut self, sequence: u16) -> (Place, u32) {
        let Some(run) = &mut self.run else {
            self.run = Some(Run::from(sequence));
            return (Place::Next, u32::from(sequence));
        };
        let ahead = sequence.wrapping_sub(run.highest);
        let behind = run.highest.wrapping_sub(sequence);
        if ahead != 0 && ahead < MAX_DROPOUT {
            run.missing += u64::from(ahead) - 1;
            run.seen = run.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            run.highest = sequence;
            run.extended = run.extended.wrapping_add(u32::from(ahead));
            return (Place::Next, run.extended);
        }
        if behind < MAX_MISORDER {
            let (bit, extended) = (1 << behind, run.extended.wrapping_sub(u32::from(behind)));
            if run.seen & bit != 0 {
                return (Place::Duplicate, extended);
            }
            run.seen |= bit;
            run.missing = run.missing.saturating_sub(1);
            return (Place::Late, extended);
        }
        self.lost_before += run.missing;
        self.run = Some(Run::from(sequence));
        (Place::Leap, u32::from(sequence))
    }

    /// Numbers that never came.
    pub(super) fn lost(&self) -> u64 {
        self.lost_before + self.run.as_ref().map_or(0, |run| run.missing)
    }
}

impl From<u16> for Run {
    fn from(sequence: u16) -> Self {
        Self { highest: sequence, extended: u32::from(sequence), seen: 1, missing: 0 }
    }
}
