//! A run as a picture: what was begun, what went on, how long it took, over time. Plain SVG, without a library: three
//! panels of lines on one axis.

use std::fmt::Write as _;

use super::summary::{Summary, told};
use super::tally::{Second, Step};
use crate::scale::{number, round_step};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 208.0;
/// From the panel to the text of its legends.
const LEGEND: f64 = 34.0;
const TOP: f64 = 84.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 44.0;
/// Points drawn at most: longer runs are told in groups of seconds.
const MAX_POINTS: usize = 480;

/// Colours that are told apart without colour vision, too (Okabe and Ito).
const BLUE: &str = "#0072b2";
const SKY: &str = "#56b4e9";
const GREEN: &str = "#009e73";
const ORANGE: &str = "#e69f00";
const RED: &str = "#d55e00";
const GREY: &str = "#777777";

/// One line of a panel.
struct Line {
    name: String,
    colour: &'static str,
    points: Vec<Option<f64>>,
}

/// A panel: lines on a common scale.
struct Panel {
    title: String,
    unit: &'static str,
    lines: Vec<Line>,
}

/// The whole picture.
pub(super) fn draw(summary: &Summary) -> String {
    let seconds = grouped(&summary.over_time);
    let times: Vec<f64> = seconds.iter().map(|second| second.at_s).collect();
    let panels = panels(summary, &seconds);
    let height = TOP + panels.len() as f64 * (PANEL + GAP) + 8.0;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#222222\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    text(&mut out, (LEFT, 30.0), "font-size=\"18\" font-weight=\"bold\"", &title(summary));
    text(&mut out, (LEFT, 52.0), &format!("fill=\"{GREY}\""), &subtitle(summary));
    for (n, panel) in panels.iter().enumerate() {
        let top = TOP + n as f64 * (PANEL + GAP);
        draw_panel(&mut out, panel, &times, top, n + 1 == panels.len());
    }
    out.push_str("</svg>\n");
    out
}

fn title(summary: &Summary) -> String {
    let Summary { scenario, transport, target, counts, .. } = summary;
    format!(
        "tandem load {} · {transport} · {target} · {} begun, {} failed",
        scenario.name(),
        counts.begun,
        counts.failed
    )
}

fn subtitle(summary: &Summary) -> String {
    let mut parts = vec![format!("{} a second after {} s", number(summary.rate), number(summary.ramp_s))];
    if summary.scenario.calls() {
        parts.push(format!("held {} s", number(summary.hold_s)));
    }
    if let Some(main) = main_step(summary).and_then(|step| summary.steps.get(&step)) {
        parts.push(format!("p99 {} ms", number(main.p99_ms)));
    }
    if let Some(node) = &summary.node {
        parts.push(format!(
            "node {} CPU-s for 1,000, most {:.0} MiB",
            told(node.cpu_s_per_1000),
            node.resident_mib_most
        ));
    }
    parts.push(format!("generator late by p99 {} ms", number(summary.generator.late.p99_ms)));
    parts.join(" · ")
}

fn main_step(summary: &Summary) -> Option<Step> {
    Step::main_of(summary.scenario)
}

fn panels(summary: &Summary, seconds: &[Second]) -> Vec<Panel> {
    let line = |name: &str, colour, of: &dyn Fn(&Second) -> Option<f64>| Line {
        name: name.to_owned(),
        colour,
        points: seconds.iter().map(of).collect(),
    };
    let mut panels = vec![
        Panel {
            title: "A second".to_owned(),
            unit: "",
            lines: vec![
                line("begun", SKY, &|it| Some(it.begun as f64)),
                line("completed", GREEN, &|it| Some(it.completed as f64)),
                line("failed", RED, &|it| Some(it.failed as f64)),
            ],
        },
        Panel {
            title: "Going on".to_owned(),
            unit: "",
            lines: vec![line("at a time", BLUE, &|it| Some(it.open as f64))],
        },
    ];
    if let Some(step) = main_step(summary) {
        panels.push(Panel {
            title: step.label().to_owned(),
            unit: " ms",
            lines: vec![
                line("p50", GREEN, &|it| it.p50_ms),
                line("p90", ORANGE, &|it| it.p90_ms),
                line("p99", RED, &|it| it.p99_ms),
            ],
        });
    }
    if summary.media.is_some() {
        panels.push(Panel {
            title: "Packets a second".to_owned(),
            unit: "",
            lines: vec![
                line("came", GREEN, &|it| Some(it.packets as f64)),
                line("lost or wrong", RED, &|it| Some(it.lost as f64)),
            ],
        });
        panels.push(Panel {
            title: "Added delay".to_owned(),
            unit: " ms",
            lines: vec![line("p50", GREEN, &|it| it.delay_p50_ms), line("p99", RED, &|it| it.delay_p99_ms)],
        });
    }
    if summary.node.is_some() {
        panels.push(Panel {
            title: "Node: CPU, of one core".to_owned(),
            unit: " %",
            lines: vec![line("CPU", BLUE, &|it| it.cpu_percent)],
        });
        panels.push(Panel {
            title: "Node: memory".to_owned(),
            unit: " MiB",
            lines: vec![line("resident", BLUE, &|it| it.resident_mib)],
        });
    }
    panels
}

/// Neighbouring seconds as one, so that there are not more points than can be seen; percentiles are the worst of them.
fn grouped(seconds: &[Second]) -> Vec<Second> {
    let size = seconds.len().div_ceil(MAX_POINTS).max(1);
    seconds
        .chunks(size)
        .filter_map(|group| group.iter().copied().reduce(|a, b| together(a, b, size)))
        .collect()
}

fn together(a: Second, b: Second, size: usize) -> Second {
    let mean = |a: u64, b: u64| a.max(b).max((a + b) / size as u64);
    let worst = |a: Option<f64>, b: Option<f64>| [a, b].into_iter().flatten().reduce(f64::max);
    Second {
        at_s: b.at_s,
        begun: mean(a.begun, b.begun),
        completed: mean(a.completed, b.completed),
        failed: mean(a.failed, b.failed),
        open: a.open.max(b.open),
        p50_ms: worst(a.p50_ms, b.p50_ms),
        p90_ms: worst(a.p90_ms, b.p90_ms),
        p99_ms: worst(a.p99_ms, b.p99_ms),
        cpu_percent: worst(a.cpu_percent, b.cpu_percent),
        resident_mib: worst(a.resident_mib, b.resident_mib),
        packets: mean(a.packets, b.packets),
        lost: mean(a.lost, b.lost),
        delay_p50_ms: worst(a.delay_p50_ms, b.delay_p50_ms),
        delay_p99_ms: worst(a.delay_p99_ms, b.delay_p99_ms),
    }
}

fn draw_panel(out: &mut String, panel: &Panel, times: &[f64], top: f64, is_last: bool) {
    let (right, bottom) = (WIDTH - RIGHT, top + PANEL);
    let most = panel.lines.iter().flat_map(|line| &line.points).flatten().copied().fold(0.0, f64::max);
    let step = round_step(most);
    let highest = (most / step).ceil().max(1.0) * step;
    let end = times.last().copied().unwrap_or(1.0).max(1.0);
    let x = |time: f64| LEFT + time / end * (right - LEFT);
    let y = |value: f64| bottom - value / highest * PANEL;
    text(out, (LEFT, top - 8.0), "font-weight=\"bold\"", &panel.title);
    let mut value = 0.0;
    while value <= highest * 1.001 {
        rule(out, (LEFT, y(value)), (right, y(value)), if value == 0.0 { GREY } else { "#e4e4e4" });
        let label = format!("{}{}", number(value), panel.unit);
        text(out, (LEFT - 8.0, y(value) + 4.0), "text-anchor=\"end\"", &label);
        value += step;
    }
    let tick = round_step(end / 2.0);
    let mut time = 0.0;
    while time <= end * 1.001 {
        rule(out, (x(time), bottom), (x(time), bottom + 4.0), GREY);
        let unit = if is_last { " s" } else { "" };
        text(out, (x(time), bottom + 17.0), "text-anchor=\"middle\"", &format!("{}{unit}", number(time)));
        time += tick;
    }
    for (n, line) in panel.lines.iter().enumerate() {
        draw_line(out, line, times, &x, &y);
        let at = top + 14.0 + n as f64 * 18.0;
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"14\" height=\"4\" fill=\"{}\"/>",
            right + 14.0,
            at - 6.0,
            line.colour
        );
        let most = line.points.iter().flatten().copied().fold(0.0, f64::max);
        let legend = format!("{}, most {}{}", line.name, number(most), panel.unit);
        text(out, (right + LEGEND, at), "", &legend);
    }
}

/// Where a second has nothing to tell the line is broken; a point alone is a dot.
fn draw_line(out: &mut String, line: &Line, times: &[f64], x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
    let points: Vec<(f64, Option<f64>)> = times.iter().copied().zip(line.points.iter().copied()).collect();
    for run in points.split(|(_, value)| value.is_none()) {
        let places: Vec<String> = run
            .iter()
            .filter_map(|(time, value)| Some(format!("{:.1},{:.1}", x(*time), y((*value)?))))
            .collect();
        let _ = match (places.as_slice(), run.first()) {
            ([_], Some((time, Some(value)))) => writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\" fill=\"{}\"/>",
                x(*time),
                y(*value),
                line.colour
            ),
            ([], _) => Ok(()),
            (places, _) => writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" stroke-linejoin=\"round\"/>",
                places.join(" "),
                line.colour
            ),
        };
    }
}

fn rule(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"1\"/>"
    );
}

fn text(out: &mut String, (x, y): (f64, f64), attributes: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let space = if attributes.is_empty() { "" } else { " " };
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\"{space}{attributes}>{content}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::cost::MediaUse;
    use crate::load::percentiles::Percentiles;
    use crate::load::scenario::Scenario;
    use crate::load::summary::{GeneratorUse, Messages, NodeUse};
    use crate::load::tally::Counts;

    fn second(at: u64) -> Second {
        let begun = if at < 4 { at * 25 } else { 100 };
        let latency = (at != 9).then_some(at as f64 * 0.25);
        Second {
            at_s: at as f64,
            begun,
            completed: begun.saturating_sub(10),
            failed: u64::from(at == 7) * 12,
            open: begun * 3,
            p50_ms: latency,
            p90_ms: latency.map(|it| it * 2.0),
            p99_ms: latency.map(|it| it * 4.0),
            cpu_percent: Some(20.0 + at as f64),
            resident_mib: Some(64.0),
            ..Second::default()
        }
    }

    fn summary(seconds: Vec<Second>) -> Summary {
        let some = Percentiles { count: 10, p99_ms: 4.25, ..Percentiles::default() };
        Summary {
            scenario: Scenario::Call,
            target: "127.0.0.1:5060".to_owned(),
            transport: "udp",
            rate: 100.0,
            ramp_s: 4.0,
            hold_s: 3.0,
            ran_for_s: 12.0,
            begun_per_second: 83.0,
            counts: Counts { begun: 1_000, completed: 988, failed: 12, ..Counts::default() },
            most_open: 300,
            failures: [("INVITE: status 503".to_owned(), 12)].into(),
            audio: None,
            steps: [(Step::InviteAnswered, some)].into(),
            media: None,
            machine: String::new(),
            node: Some(NodeUse {
                pid: 1,
                cpu_s: 0.25,
                cpu_s_per_1000: Some(0.253),
                cpu_percent: 2.0,
                resident_mib_before: 60.0,
                resident_mib_most: 64.0,
                resident_mib_after: 61.0,
                receive_drops: 0,
            }),
            generator: GeneratorUse {
                cpu_s: 0.1,
                cpu_percent: 1.0,
                late: Percentiles::default(),
                receive_drops: 0,
                events_lost: 0,
            },
            messages: Messages {
                sent: 1,
                received: 1,
                not_sent: 0,
                unusable: 0,
                media_sent: 0,
                connections: 0,
                connections_lost: 0,
                why_lost: None,
            },
            thresholds: Vec::new(),
            passed: true,
            interrupted: false,
            over_time: seconds,
        }
    }

    #[test]
    fn a_run_is_drawn() {
        insta::assert_snapshot!(draw(&summary((1..=12).map(second).collect())));
    }

    #[test]
    fn packets_and_their_delay_are_drawn_where_each_is_checked() {
        let streamed = |at: u64| Second { packets: 50 * at, delay_p99_ms: Some(0.75), ..second(at) };
        let bare = summary((1..=12).map(streamed).collect());
        let checked = draw(&Summary { media: Some(MediaUse::default()), ..bare });
        assert!(checked.contains("Packets a second") && checked.contains("came, most 600"));
        assert!(checked.contains("p99, most 0.75 ms"));
        assert!(!draw(&summary((1..=12).map(streamed).collect())).contains("Packets a second"));
    }

    #[test]
    fn a_run_of_no_seconds_and_one_of_a_day_can_be_drawn() {
        assert!(draw(&summary(Vec::new())).contains("</svg>"));
        let day = draw(&summary((1..=86_400).map(second).collect()));
        assert!(day.len() < 200_000, "{} octets", day.len());
    }

    /// Helvetica's digits and lower-case letters are at most 0.6 of its size wide on the average of a line.
    #[test]
    fn legends_of_great_numbers_fit() {
        let great = |at: u64| {
            let many = 123_456;
            let usage = Some(1_234.0);
            Second {
                begun: many,
                completed: many,
                failed: many,
                open: many,
                resident_mib: usage,
                ..second(at)
            }
        };
        let svg = draw(&summary((1..=12).map(great).collect()));
        let texts = svg.lines().filter_map(|line| line.strip_suffix("</text>")?.rsplit_once('>'));
        let x = format!("x=\"{:.1}\"", WIDTH - RIGHT + LEGEND);
        let legends: Vec<&str> = texts.filter(|(tag, _)| tag.contains(&x)).map(|(_, text)| text).collect();
        assert_eq!(legends.len(), 9, "{legends:#?}");
        for legend in legends {
            let width = legend.chars().count() as f64 * 12.0 * 0.6;
            assert!(LEGEND + width <= RIGHT, "{legend} is {width} wide");
        }
    }
}
