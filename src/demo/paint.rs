//! Colours, where they can be seen.

use std::io::IsTerminal;

/// Colours text, if the output is a terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

/// What a colour stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// A request.
    Ask,
    /// Of less interest.
    Faint,
    /// Beside the messages.
    Note,
}

impl Paint {
    /// Colours when standard output is a terminal and nobody minds (<https://no-color.org>).
    pub(super) fn for_output() -> Self {
        Self(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    /// `text` in its colour.
    pub(super) fn apply(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Good => "32",
            Colour::Bad => "1;31",
            Colour::Ask => "36",
            Colour::Faint => "2",
            Colour::Note => "35",
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
