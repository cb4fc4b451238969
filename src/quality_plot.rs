//! A call's quality over time as a plot: MOS, loss, jitter and round trip, a line for each direction of each leg.

use std::fmt::Write as _;

use tandem_store::{StoredHeard, StoredPoint};

use crate::scale::{clock_step, number, round_step};

/// A leg with its points.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlottedLeg<'a> {
    /// Who the party is.
    pub(crate) party: &'a str,
    pub(crate) points: &'a [StoredPoint],
}

/// Legs that are drawn; more could not be told apart.
const MAX_LEGS: usize = 6;

/// Of each leg: what its party sent, and what it was sent.
const COLOURS: [[&str; 2]; MAX_LEGS] = [
    ["#1f6f8b", "#7fc4d9"],
    ["#b3541e", "#f0a776"],
    ["#3d7a37", "#9ccf94"],
    ["#6a4c93", "#bda6db"],
    ["#8a1c3c", "#e08aa2"],
    ["#555555", "#b0b0b0"],
];

const LEFT: f64 = 70.0;
const WIDTH: f64 = 700.0;
const PANEL: f64 = 110.0;
const GAP: f64 = 46.0;
const TOP: f64 = 54.0;
const LINE: f64 = 18.0;

/// What a panel shows: its name, how much of it there is at least, and its value of a direction.
struct Panel {
    name: &'static str,
    from: f64,
    least: f64,
    value: Value,
}

enum Value {
    OfDirection(fn(&StoredHeard) -> f64),
    OfBoth(fn(&StoredPoint) -> Option<f64>),
}

const PANELS: [Panel; 4] = [
    Panel { name: "MOS", from: 1.0, least: 5.0, value: Value::OfDirection(|heard| heard.mos) },
    Panel { name: "loss, %", from: 0.0, least: 1.0, value: Value::OfDirection(|heard| heard.loss_percent) },
    Panel { name: "jitter, ms", from: 0.0, least: 10.0, value: Value::OfDirection(|heard| heard.jitter_ms) },
    Panel {
        name: "round trip, ms",
        from: 0.0,
        least: 20.0,
        value: Value::OfBoth(|point| point.round_trip_ms),
    },
];

/// The plot, an SVG document. Legs without a point are left out.
pub(crate) fn plot(title: &str, legs: &[PlottedLeg<'_>]) -> String {
    let legs: Vec<_> = legs.iter().filter(|leg| !leg.points.is_empty()).take(MAX_LEGS).collect();
    let bottom = TOP + PANELS.len() as f64 * (PANEL + GAP);
    let height = bottom + LINE * (2 * legs.len().max(1)) as f64;
    let (end_s, width) = (end(&legs), LEFT + WIDTH + 30.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"14\">{}</text>\n",
        escape(title)
    );
    for (index, panel) in PANELS.iter().enumerate() {
        let top = TOP + index as f64 * (PANEL + GAP);
        draw_panel(&mut svg, panel, top, end_s, &legs);
    }
    if legs.is_empty() {
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{bottom}\">nothing was measured</text>");
    }
    let ways = legs.iter().zip(COLOURS).flat_map(|(leg, [from, to])| {
        [(format!("from {}", leg.party), from), (format!("to {}, by its reports", leg.party), to)]
    });
    for (line, (name, colour)) in ways.enumerate() {
        let y = bottom + LINE * line as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"24\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{:.0}\" y=\"{y:.0}\">{}</text>",
            y - 6.0,
            LEFT + 32.0,
            escape(&name)
        );
    }
    svg + "</svg>\n"
}

/// The end of the latest point, in seconds; some time at least.
fn end(legs: &[&PlottedLeg<'_>]) -> f64 {
    let ends = legs.iter().filter_map(|leg| leg.points.last()).map(|point| point.at_s);
    ends.fold(5.0, f64::max)
}

fn draw_panel(svg: &mut String, panel: &Panel, top: f64, end_s: f64, legs: &[&PlottedLeg<'_>]) {
    let lines: Vec<(&str, Vec<(f64, f64)>)> =
        legs.iter().zip(COLOURS).flat_map(|(leg, colours)| lines(panel, leg, colours)).collect();
    let most = lines.iter().flat_map(|(_, line)| line).map(|(_, value)| *value).fold(panel.least, f64::max);
    let step = round_step(most - panel.from);
    let most = panel.from + ((most - panel.from) / step).ceil() * step;
    let bottom = top + PANEL;
    let y = |value: f64| bottom - (value - panel.from) / (most - panel.from) * PANEL;
    let x = |at_s: f64| LEFT + at_s / end_s * WIDTH;
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{:.0}\" fill=\"#555\">{}</text>", top - 6.0, panel.name);
    for value in marks(panel.from, most, step) {
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}h{WIDTH}\" stroke=\"#ddd\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"10\">{}</text>",
            LEFT - 6.0,
            y(value) + 4.0,
            number(value),
            y = y(value),
        );
    }
    for at_s in marks(0.0, end_s, clock_step(end_s)) {
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {bottom:.1}v4\" stroke=\"#999\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#555\">{}</text>",
            bottom + 16.0,
            clock(at_s),
            x = x(at_s),
        );
    }
    for (colour, line) in lines {
        let points: Vec<String> =
            line.iter().map(|(at_s, value)| format!("{:.1},{:.1}", x(*at_s), y(*value))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        if let ([(at_s, value)], true) = (line.as_slice(), line.len() == 1) {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*at_s),
                y(*value)
            );
        }
    }
}

/// Where a scale has its marks: at each step as far as it goes.
fn marks(from: f64, most: f64, step: f64) -> impl Iterator<Item = f64> {
    let steps = ((most - from) / step + 0.001).floor() as u32;
    (0..=steps).map(move |nth| from + f64::from(nth) * step)
}

/// A leg's lines in a panel, each with its colour; of a point without a value there is nothing.
fn lines<'a>(
    panel: &Panel,
    leg: &PlottedLeg<'_>,
    [from, to]: [&'a str; 2],
) -> Vec<(&'a str, Vec<(f64, f64)>)> {
    let line = |value: &dyn Fn(&StoredPoint) -> Option<f64>| {
        leg.points.iter().filter_map(|point| Some((point.at_s, value(point)?))).collect()
    };
    match panel.value {
        Value::OfDirection(value) => vec![
            (from, line(&|point| point.received.as_ref().map(value))),
            (to, line(&|point| point.sent.as_ref().map(value))),
        ],
        Value::OfBoth(value) => vec![(from, line(&value))],
    }
}

/// Minutes and seconds.
fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_s: f64, mos: f64) -> StoredPoint {
        let heard = StoredHeard { loss_percent: 0.0, jitter_ms: 1.0, mos };
        StoredPoint { at_s, received: Some(heard), sent: None, round_trip_ms: Some(20.0) }
    }

    #[test]
    fn each_direction_of_a_leg_has_its_line_in_each_panel() {
        let points = [point(5.0, 4.4), point(10.0, 2.0)];
        let leg = PlottedLeg { party: "<1001>", points: &points };
        let svg = plot("call", &[leg, PlottedLeg { party: "silent", points: &[] }]);
        assert_eq!(svg.matches("<polyline").count(), 7, "three panels of two directions, and the round trip");
        assert!(svg.contains("from &lt;1001&gt;") && !svg.contains("silent"), "{svg}");
        for number in svg.split(['"', ' ', ',']).filter_map(|it| it.parse::<f64>().ok()) {
            assert!((-1.0..2_000.0).contains(&number), "{number}");
        }
    }

    /// As many legs as can be told apart, and one more.
    #[test]
    fn legs_that_could_not_be_told_apart_are_left_out() {
        let points = [point(5.0, 4.4)];
        let legs = [PlottedLeg { party: "1001", points: &points }; MAX_LEGS + 1];
        assert_eq!(plot("", &legs).matches("from 1001").count(), MAX_LEGS);
        assert!(plot("", &[]).contains("nothing was measured"));
    }
}
