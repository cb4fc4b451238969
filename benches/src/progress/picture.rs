//! The confusion matrix and the latencies as a picture. Plain SVG, without a library.

use std::fmt::Write as _;

use super::{Class, Matrix, VERDICTS};

const CELL: (f64, f64) = (88.0, 34.0);
const LEFT: f64 = 170.0;
const TOP: f64 = 110.0;
/// The longest latency that is drawn; ringing takes a minute.
const LONGEST_S: f64 = 4.0;
const GAP: f64 = 40.0;

impl Matrix {
    /// The matrix, the darker the more of a class; beside it the latency of each verdict as a tick, the median longer.
    #[must_use]
    pub fn draw(&self) -> String {
        let (width, height) = CELL;
        let columns = VERDICTS.len() as f64;
        let right = LEFT + columns * width + GAP;
        let total = (right + 320.0, TOP + Class::ALL.len() as f64 * height + 50.0);
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" \
             font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#222222\">\n\
             <rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
            total.0, total.1
        );
        let all: usize = Class::ALL.iter().map(|class| self.count(*class)).sum();
        text(
            &mut out,
            (20.0, 30.0),
            "start",
            "font-size=\"18\" font-weight=\"bold\"",
            "Call-progress analysis",
        );
        let subtitle = format!(
            "{all} generated calls, by what they are (rows) and what they were taken for (columns), in percent"
        );
        text(&mut out, (20.0, 52.0), "start", "fill=\"#777777\"", &subtitle);
        text(&mut out, (right, TOP - 12.0), "start", "", "seconds to the verdict");
        for (n, verdict) in VERDICTS.iter().enumerate() {
            text(&mut out, (LEFT + (n as f64 + 0.5) * width, TOP - 12.0), "middle", "", verdict);
        }
        for (n, class) in Class::ALL.iter().enumerate() {
            let top = TOP + n as f64 * height;
            let name = format!("{} ({})", class.name(), self.count(*class));
            text(&mut out, (LEFT - 10.0, top + height * 0.6), "end", "", &name);
            for (n, verdict) in VERDICTS.iter().enumerate() {
                cell(&mut out, (LEFT + n as f64 * width, top), self.share(*class, verdict));
            }
            self.draw_latencies(&mut out, *class, (right, top));
        }
        for second in 0..=LONGEST_S as u32 {
            let x = right + f64::from(second) / LONGEST_S * 260.0;
            let bottom = TOP + Class::ALL.len() as f64 * height + 18.0;
            text(&mut out, (x, bottom), "middle", "fill=\"#777777\"", &second.to_string());
        }
        out.push_str("</svg>\n");
        out
    }

    fn draw_latencies(&self, out: &mut String, class: Class, (left, top): (f64, f64)) {
        let latencies = self.latencies(class);
        for (n, latency) in latencies.iter().enumerate() {
            let x = left + (latency.as_secs_f64() / LONGEST_S).min(1.0) * 260.0;
            let is_median = n == latencies.len() / 2;
            let (from, to, colour, wide) =
                if is_median { (4.0, 30.0, "#d55e00", 3.0) } else { (11.0, 23.0, "#0072b2", 1.0) };
            let _ = writeln!(
                out,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{wide}\"/>",
                top + from,
                top + to
            );
        }
    }
}

fn cell(out: &mut String, (x, y): (f64, f64), percent: f64) {
    let (width, height) = CELL;
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"#0072b2\" fill-opacity=\"{:.2}\" \
         stroke=\"#dddddd\"/>",
        percent / 100.0
    );
    if percent > 0.0 {
        let colour = if percent > 50.0 { "fill=\"#ffffff\"" } else { "" };
        text(out, (x + width / 2.0, y + height * 0.6), "middle", colour, &format!("{percent:.1}"));
    }
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, style: &str, words: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{words}</text>");
}
