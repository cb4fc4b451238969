//! "Did you mean": the known word nearest to a mistyped one.

/// The most edits between a word and a suggestion for it.
const MAX_EDITS: usize = 3;

/// The one of `known` with the fewest edits to `word`, when they are few enough to be a slip.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = MAX_EDITS.min(word.chars().count().div_ceil(2));
    known
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, one row at a time.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (removed, have) in from.chars().enumerate() {
        let mut diagonal = removed;
        let mut left = removed + 1;
        for (want, cell) in to.iter().zip(row.iter_mut().skip(1)) {
            let substituted = diagonal + usize::from(have != *want);
            diagonal = *cell;
            left = substituted.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = removed + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn suggests_slips_and_nothing_far_off() {
        assert_eq!(nearest("max_cals", ["max_calls", "name"]), Some("max_calls"));
        assert_eq!(nearest("colour", ["max_calls", "name"]), None);
        assert_eq!(nearest("x", ["peer"]), None, "one letter is not a slip of four");
    }
}
