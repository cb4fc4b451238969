//! Call-progress analysis on the labelled corpus, against what is asked of it.

use tandem_benches::progress::{Bar, Class, Matrix, corpus};
use tandem_media::progress::ProgressRules;

/// What is asked: tones and faxes are all told, a machine is hardly ever a person nor a person a machine, what is
/// neither is never a person, and nine of ten calls are decided.
#[test]
fn the_corpus_is_judged_as_well_as_we_say() {
    let samples = corpus().expect("espeak-ng");
    let matrix = Matrix::of(&samples, ProgressRules::default());
    for class in Class::ALL {
        assert!(matrix.count(class) >= 3, "{}", class.name());
    }
    let missed = matrix.missed(&Bar::default());
    assert!(missed.is_empty(), "{}\n{}", missed.join("\n"), matrix.table());
}
