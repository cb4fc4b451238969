//! The ladder: what passed between the node and each party, in order; as text and as SVG.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use tandem_config::Config;
use tandem_time::Instant;

/// Steps that are kept.
const MAX_STEPS: usize = 5_000;
/// Parties that have a lane of their own; all others share the last.
const MAX_LANES: usize = 8;

/// Where the node's lane stands, and how far apart lanes are, in columns of text.
const NODE_COLUMN: usize = 12;
const LANE_COLUMNS: usize = 36;

/// The same, and the height of a step, in SVG units.
const NODE_X: usize = 90;
const LANE_WIDTH: usize = 260;
const STEP_HEIGHT: usize = 20;
const HEAD_HEIGHT: usize = 50;

/// What passed.
#[derive(Debug)]
pub(super) struct Ladder {
    lanes: Vec<(IpAddr, String)>,
    /// Names of sources, by prefix.
    trunks: Vec<(tandem_config::IpPrefix, String)>,
    steps: Vec<(Instant, Step)>,
    dropped: usize,
}

#[derive(Debug)]
enum Step {
    Came { lane: usize, what: String },
    Went { lane: usize, what: String },
    Note(String),
}

impl Ladder {
    pub(super) fn new(config: &Config) -> Self {
        let trunks = config.trunks.iter().flat_map(|trunk| {
            trunk.sources.iter().map(|prefix| (*prefix, trunk.name.clone())).collect::<Vec<_>>()
        });
        Self { lanes: Vec::new(), trunks: trunks.collect(), steps: Vec::new(), dropped: 0 }
    }

    /// Something came to the node.
    pub(super) fn came(&mut self, at: Instant, from: SocketAddr, what: String) {
        let lane = self.lane(from.ip());
        self.step(at, Step::Came { lane, what });
    }

    /// The node sent something.
    pub(super) fn went(&mut self, at: Instant, to: SocketAddr, what: String) {
        let lane = self.lane(to.ip());
        self.step(at, Step::Went { lane, what });
    }

    /// The node decided or noticed something.
    pub(super) fn note(&mut self, at: Instant, what: String) {
        self.step(at, Step::Note(what));
    }

    fn step(&mut self, at: Instant, step: Step) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push((at, step));
        } else {
            self.dropped += 1;
        }
    }

    fn lane(&mut self, address: IpAddr) -> usize {
        if let Some(lane) = self.lanes.iter().position(|(known, _)| *known == address) {
            return lane;
        }
        if self.lanes.len() == MAX_LANES {
            if let Some((_, name)) = self.lanes.last_mut() {
                "others".clone_into(name);
            }
            return MAX_LANES - 1;
        }
        let trunk = self.trunks.iter().find(|(prefix, _)| contains(prefix, address));
        let name = trunk.map_or("phone", |(_, name)| name);
        self.lanes.push((address, format!("{name} {address}")));
        self.lanes.len() - 1
    }

    /// As text; every line ends in a line feed.
    pub(super) fn text(&self) -> String {
        let mut text = self.text_head();
        for (at, step) in &self.steps {
            let line = match step {
                Step::Note(what) => format!("{}   * {what}", time(*at)),
                Step::Came { lane, what } => self.arrow(*at, *lane, what, true),
                Step::Went { lane, what } => self.arrow(*at, *lane, what, false),
            };
            text.push_str(line.trim_end());
            text.push('\n');
        }
        if self.dropped > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "          … and {} more steps", self.dropped);
        }
        text
    }

    fn text_head(&self) -> String {
        let mut line = format!("{:>9}   tandem", "seconds");
        for (lane, (_, name)) in self.lanes.iter().enumerate() {
            let column = (NODE_COLUMN + LANE_COLUMNS * (lane + 1)).saturating_sub(name.chars().count() / 2);
            let _ = write!(line, "{:1$}{name}", "", column.saturating_sub(line.chars().count()).max(1));
        }
        line.push('\n');
        line
    }

    fn arrow(&self, at: Instant, lane: usize, what: &str, came: bool) -> String {
        let width = NODE_COLUMN + LANE_COLUMNS * self.lanes.len() + 1;
        let mut cells: Vec<char> = time(at).chars().collect();
        cells.resize(width, ' ');
        for column in (0..=self.lanes.len()).map(|lane| NODE_COLUMN + LANE_COLUMNS * lane) {
            cells[column] = '|';
        }
        let end = NODE_COLUMN + LANE_COLUMNS * (lane + 1);
        cells[NODE_COLUMN + 1..end].fill('-');
        if came {
            cells[NODE_COLUMN + 1] = '<';
        } else {
            cells[end - 1] = '>';
        }
        let what: Vec<char> = format!(" {} ", shorten(what, LANE_COLUMNS - 6)).chars().collect();
        let begin = end - LANE_COLUMNS / 2 - what.len() / 2;
        cells.splice(begin..begin + what.len(), what);
        cells.into_iter().collect()
    }

    /// As an SVG document.
    pub(super) fn svg(&self) -> String {
        let x = |lane: usize| NODE_X + LANE_WIDTH * lane;
        let height = HEAD_HEIGHT + STEP_HEIGHT * (self.steps.len() + 1);
        let width = x(self.lanes.len()) + LANE_WIDTH / 2;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"monospace\" font-size=\"12\">\n<defs><marker id=\"head\" markerWidth=\"8\" \
             markerHeight=\"8\" refX=\"8\" refY=\"4\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\"/></marker></defs>\n"
        );
        let names = std::iter::once("tandem").chain(self.lanes.iter().map(|(_, name)| name.as_str()));
        for (lane, name) in names.enumerate() {
            let (x, bottom) = (x(lane), height - STEP_HEIGHT / 2);
            let _ = write!(
                svg,
                "<text x=\"{x}\" y=\"20\" text-anchor=\"middle\">{}</text>\n\
                 <line x1=\"{x}\" y1=\"30\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#999\"/>\n",
                escape(name)
            );
        }
        for (index, (at, step)) in self.steps.iter().enumerate() {
            let y = HEAD_HEIGHT + STEP_HEIGHT * index;
            let _ = writeln!(svg, "<text x=\"4\" y=\"{y}\" fill=\"#666\">{at}</text>");
            let (from, to, what) = match step {
                Step::Note(what) => {
                    let (x, what) = (NODE_X + 8, escape(what));
                    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"#06c\">{what}</text>");
                    continue;
                }
                Step::Came { lane, what } => (x(lane + 1), NODE_X, what),
                Step::Went { lane, what } => (NODE_X, x(lane + 1), what),
            };
            let (middle, above) = (from.max(to) - LANE_WIDTH / 2, y.saturating_sub(3));
            let _ = write!(
                svg,
                "<line x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\" stroke=\"#000\" \
                 marker-end=\"url(#head)\"/>\n<text x=\"{middle}\" y=\"{above}\" text-anchor=\"middle\">{}</text>\n",
                escape(what)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Seconds, in a column of nine.
fn time(at: Instant) -> String {
    format!("{:>9}", at.to_string())
}

fn contains(prefix: &tandem_config::IpPrefix, address: IpAddr) -> bool {
    tandem_sbc::source::IpPrefix { address: prefix.address, bits: prefix.bits }.contains(address)
}

fn shorten(what: &str, longest: usize) -> String {
    if what.chars().count() <= longest {
        return what.to_owned();
    }
    what.chars().take(longest - 1).chain(['…']).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
