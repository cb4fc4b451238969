//! The jitter buffer against buffers of a fixed delay, on generated paths: see `benches/src/jitter.rs`.
//!
//! ```text
//! cargo bench -p tandem-benches --bench jitter [-- benches/results/jitter.svg]
//! ```
//!
//! The plot has the scores side by side; the last line is JSON.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tandem_benches::jitter::{BUFFERS, Outcome, PATHS, outcome};

fn main() -> Result<(), Box<dyn Error>> {
    let mut outcomes = Vec::new();
    println!("{:16} {:10} {:>12} {:>12} {:>7}", "path", "buffer", "missed", "delay", "score");
    for path in &PATHS {
        let of_path = BUFFERS.map(|(name, buffer)| {
            let outcome = outcome(path, buffer);
            let Outcome { missed_percent, delay_ms, score } = outcome;
            println!("{:16} {name:10} {missed_percent:>10.2} % {delay_ms:>9.1} ms {score:>7.2}", path.name);
            outcome
        });
        outcomes.push(of_path);
    }
    if let Some(file) = std::env::args().skip(1).find(|it| it.ends_with(".svg")) {
        // Of the workspace, wherever cargo runs benches.
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::write(root.join(file), plot(&outcomes))?;
    }
    let rows = PATHS.iter().zip(&outcomes).map(|(path, of_path)| {
        let of_buffer = |(name, it): (&str, &Outcome)| {
            json!({ "buffer": name, "missed_percent": it.missed_percent, "delay_ms": it.delay_ms, "score": it.score })
        };
        let names = BUFFERS.map(|(name, _)| name);
        json!({ "path": path.name, "buffers": names.into_iter().zip(of_path).map(of_buffer).collect::<Vec<_>>() })
    });
    println!("{}", json!(rows.collect::<Vec<_>>()));
    Ok(())
}

/// Scores as bars, a group for each path.
fn plot(outcomes: &[[Outcome; 4]]) -> String {
    const COLOURS: [&str; 4] = ["#1f6f8b", "#c9d6df", "#a6b1bb", "#7d8790"];
    const GROUP: usize = 130;
    let width = 60 + GROUP * outcomes.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} 330\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"330\" fill=\"white\"/>\n"
    );
    let height = |score: f64| ((score - 2.0) * 90.0).max(2.0);
    for score in 2..=4 {
        let y = 270.0 - height(f64::from(score));
        let _ = writeln!(
            svg,
            "<path d=\"M40 {y}H{width}\" stroke=\"#eee\"/><text x=\"20\" y=\"{y}\">{score}</text>"
        );
    }
    for (group, (path, of_path)) in PATHS.iter().zip(outcomes).enumerate() {
        let left = 50 + group * GROUP;
        for (bar, (outcome, colour)) in of_path.iter().zip(COLOURS).enumerate() {
            let (x, tall) = (left + bar * 26, height(outcome.score));
            let y = 270.0 - tall;
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y:.1}\" width=\"22\" height=\"{tall:.1}\" fill=\"{colour}\"/>"
            );
            let (middle, above) = (x + 11, y - 4.0);
            let label = format!("{:.0} ms, {:.1} %", outcome.delay_ms, outcome.missed_percent);
            let _ = write!(
                svg,
                "<text x=\"{middle}\" y=\"{above:.1}\" font-size=\"9\" text-anchor=\"middle\">{:.2}</text>\n\
                 <text transform=\"translate({} 265) rotate(-90)\" font-size=\"9\" fill=\"{}\">{label}</text>\n",
                outcome.score,
                x + 14,
                if bar == 0 { "white" } else { "black" },
            );
        }
        let _ = writeln!(svg, "<text x=\"{left}\" y=\"288\">{}</text>", path.name);
    }
    let _ = writeln!(
        svg,
        "<text x=\"50\" y=\"22\">MOS (E-model), delay and share of the time that was missed</text>"
    );
    for (bar, ((name, _), colour)) in BUFFERS.iter().zip(COLOURS).enumerate() {
        let x = 50 + bar * 110;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"302\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"312\">{name}</text>", x + 18);
    }
    svg + "</svg>\n"
}
