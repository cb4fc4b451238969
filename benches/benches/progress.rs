//! Call-progress analysis on a labelled corpus of generated calls:
//!
//! ```text
//! cargo bench -p tandem-benches --bench progress [-- PICTURE.svg]
//! ```
//!
//! Speech by espeak-ng in seven languages, clean and with noise, greetings of people and machines, tones of several
//! countries, faxes, music, noise and silence. Prints the confusion matrix, how long verdicts took from the first word or
//! tone on, and what a second of listening costs; draws both when told where to. The last line is JSON.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use tandem_benches::progress::{Bar, Class, Matrix, corpus};
use tandem_media::progress::{Analyser, ProgressRules};

fn main() -> ExitCode {
    let picture = std::env::args().skip(1).find(|it| it.ends_with(".svg"));
    match run(picture.as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("progress: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the bar is reached.
fn run(picture: Option<&str>) -> Result<bool, Box<dyn Error>> {
    let samples = corpus()?;
    let matrix = Matrix::of(&samples, ProgressRules::default());
    print!("{}", matrix.table());
    if let Some(picture) = picture {
        std::fs::write(picture, matrix.draw())?;
    }
    // One that never comes to an end, over all there is to hear.
    let voices = || samples.iter().filter(|it| matches!(it.class, Class::Person | Class::Machine));
    let seconds = voices().map(|sample| sample.audio.len()).sum::<usize>() as f64 / 8_000.0;
    let begun = Instant::now();
    let mut analyser = Analyser::new(ProgressRules::default(), false);
    for sample in voices() {
        analyser.hear(sample.audio.iter().copied());
    }
    let cost_us = begun.elapsed().as_secs_f64() / seconds * 1e6;
    println!("{cost_us:.0} µs for a second of listening");
    let missed = matrix.missed(&Bar::default());
    for missed in &missed {
        println!("missed: {missed}");
    }
    let (beeps, _) = matrix.beeps();
    let line = json!({
        "bench": "progress", "calls": samples.len(), "us_a_second": cost_us,
        "people_right": matrix.share(Class::Person, "live voice"),
        "people_called_machines": matrix.share(Class::Person, "machine"),
        "machines_right": matrix.share(Class::Machine, "machine"),
        "machines_called_people": matrix.share(Class::Machine, "live voice"),
        "beeps": beeps, "reached": missed.is_empty(),
    });
    println!("{line}");
    Ok(missed.is_empty())
}
