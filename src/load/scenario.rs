//! What can be done to a node, by name.

use clap::ValueEnum;
use serde::Serialize;

/// What is done over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// INVITE, answered, held for --hold, BYE.
    Call,
    /// A call to a number that echoes: its own tone must come back.
    Echo,
    /// A call with SRTP, keys in SDP (RFC 4568).
    SrtpCall,
    /// Both the carrier that calls and the carrier that is called.
    Straight,
    /// Streams from carrier to carrier, every packet checked.
    Relay,
    /// The same, the called carrier under SRTP.
    Srtp,
    /// Callers who hear a prompt, every packet checked.
    Play,
    /// Streams from a carrier with G.711 to one with another codec, every packet checked.
    Transcode,
    /// Rooms of three who hear each other, every packet checked.
    Conference,
    /// Registrations with digest.
    Register,
    /// OPTIONS.
    Options,
    /// Junk that nobody waits for.
    Flood,
}

impl Scenario {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Echo => "echo",
            Self::SrtpCall => "srtp-call",
            Self::Straight => "straight",
            Self::Relay => "relay",
            Self::Srtp => "srtp",
            Self::Play => "play",
            Self::Transcode => "transcode",
            Self::Conference => "conference",
            Self::Register => "register",
            Self::Options => "options",
            Self::Flood => "flood",
        }
    }

    /// Whether it makes calls.
    pub(super) const fn calls(self) -> bool {
        matches!(self, Self::Call | Self::Echo | Self::SrtpCall | Self::Straight) || self.streams()
    }

    /// Whether all calls go on together, and every packet of them is checked.
    pub(super) const fn streams(self) -> bool {
        matches!(self, Self::Relay | Self::Srtp | Self::Play | Self::Transcode | Self::Conference)
    }

    const fn explanation(self) -> &'static str {
        match self {
            Self::Call => {
                "calls --to, waits for the answer, holds for --hold, hangs up. A sample of the calls speaks a tone and\n\
                 listens: with --answer-at both ways are verified by tones, without it what comes back must not be\n\
                 silence (or must be --hear HZ)."
            }
            Self::Echo => {
                "the same to a number that echoes (+15550103 in the demo): each caller hears its own tone."
            }
            Self::SrtpCall => "`call` over SRTP: RTP/SAVP with SDES keys is offered, and nothing else taken.",
            Self::Straight => {
                "plays both carriers: calls from --from, is called at --answer-at. For a node that passes calls\n\
                 straight through; tells how long an INVITE takes to come out on the other side."
            }
            Self::Relay => {
                "sets up --calls from --from to --answer-at, waits until all are up, and sends RTP both ways for\n\
                 --duration. Every packet is checked: its content, sequence number and timestamp; loss, duplicates,\n\
                 disorder and added delay are counted, and what it costs the node. With --start on a node of its own."
            }
            Self::Srtp => "`relay` where the called carrier has SRTP and the caller has not.",
            Self::Play => {
                "the same with calls that hear a prompt: compared octet by octet with --start, else it must not be\n\
                 silence. The callers speak too, unless --silent-callers."
            }
            Self::Transcode => {
                "`relay` where the called carrier has --codec alone and the caller G.711: each must hear the tone of the\n\
                 other in every packet, and never its own."
            }
            Self::Conference => {
                "the same with rooms of three (a call, and a supervisor who joins in): each must hear the tones of\n\
                 both others in every packet, and never its own. Needs --start."
            }
            Self::Register => {
                "registers --users 1000-1999 (or a --users-file of `user password` lines) with digest, again and\n\
                 again at --rate, refreshes at half the granted time, removes every contact at the end."
            }
            Self::Options => "asks OPTIONS at --rate.",
            Self::Flood => {
                "sends --junk random,mangled,options,register,invite at --rate; counts what comes back. Run it beside\n\
                 another scenario to see what the node makes of it."
            }
        }
    }
}

/// What `--list` prints.
pub(super) fn list() -> String {
    let mut text = String::new();
    for scenario in Scenario::value_variants() {
        let explanation = scenario.explanation().replace('\n', "\n             ");
        text.push_str(&format!("{:<12} {explanation}\n", scenario.name()));
    }
    text
}
