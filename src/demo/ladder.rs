//! The ladder of the demo's main call: who sent what to whom, as it happens.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_sbc::message::{HeaderIndex, Message, StartLine};

use super::paint::{Colour, Paint};
use crate::node::{Seen, Way};

/// From one lifeline to the next.
const COLUMN: usize = 35;
/// From the edge to the first lifeline.
const MARGIN: usize = 14;

/// Prints messages between the node in the middle and a party on either side, and what is heard in between.
pub(super) struct Ladder {
    left: SocketAddr,
    right: SocketAddr,
    paint: Paint,
}

impl Ladder {
    /// A ladder whose outer lifelines are the SIP addresses `left` and `right`; prints its head.
    pub(super) fn begin(paint: Paint, left: (&str, SocketAddr), right: (&str, SocketAddr)) -> Self {
        println!("{}", head([left.0, "tandem", right.0]));
        let (left_at, right_at) = (left.1.to_string(), right.1.to_string());
        println!("{}", paint.apply(Colour::Faint, &head([&left_at, "", &right_at])));
        Self { left: left.1, right: right.1, paint }
    }

    /// Prints a message, if one of the two parties sent or got it.
    pub(super) fn message(&self, seen: &Seen) {
        let mut index = HeaderIndex::default();
        let Some((label, colour)) = Message::parse(&seen.bytes, &mut index).ok().and_then(|it| describe(&it))
        else {
            return;
        };
        let towards_right = (seen.peer == self.left) == (seen.way == Way::In);
        let arrow = self.paint.apply(colour, &arrow(&label, towards_right));
        let (empty, line) = (" ".repeat(COLUMN - 1), self.paint.apply(Colour::Faint, "│"));
        let time = time(seen.at.since_start());
        if seen.peer == self.left {
            println!("{time}{line}{arrow}{line}{empty}{line}");
        } else if seen.peer == self.right {
            println!("{time}{line}{empty}{line}{arrow}{line}");
        }
    }

    /// Prints what happened beside the messages.
    pub(super) fn note(&self, text: &str) {
        println!("{}{}", " ".repeat(MARGIN), self.paint.apply(Colour::Note, &format!("· {text}")));
    }
}

/// A text in the middle of each lifeline.
fn head(texts: [&str; 3]) -> String {
    let (width, gap) = (2 * MARGIN, " ".repeat(COLUMN - 2 * MARGIN));
    texts.map(|text| format!("{text:^width$}")).join(&gap)
}

/// What a message says in a few words.
fn describe(message: &Message<'_>) -> Option<(String, Colour)> {
    match message.start() {
        StartLine::Request { method, uri, .. } => {
            let user = message.request_uri().ok().and_then(|uri| uri.user().map(|user| user.into_owned()));
            let text = match method.as_str() {
                "INVITE" => format!("INVITE {}", user.unwrap_or_else(|| lossy(uri))),
                other => other.to_owned(),
            };
            Some((text, Colour::Ask))
        }
        StartLine::Response { status, reason, .. } => {
            let of = message.cseq().ok().map(|cseq| cseq.method.as_str().to_owned()).unwrap_or_default();
            let colour = match status {
                100..=199 => Colour::Faint,
                200..=299 | 401 | 407 => Colour::Good,
                _ => Colour::Bad,
            };
            Some((format!("{status} {} ({of})", lossy(reason)), colour))
        }
    }
}

/// `──── label ───►`, as wide as a column.
fn arrow(label: &str, towards_right: bool) -> String {
    let label: String = label.chars().take(COLUMN - 7).collect();
    let shaft = COLUMN - 4 - label.chars().count();
    let (before, after) = ("─".repeat(shaft / 2), "─".repeat(shaft - shaft / 2));
    if towards_right {
        format!("{before} {label} {after}►")
    } else {
        format!("◄{before} {label} {after}")
    }
}

fn time(at: Duration) -> String {
    format!("{:>width$.3}  ", at.as_secs_f64(), width = MARGIN - 2)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
