//! Faults put into the node's shell on purpose, so that tests can show that each check fails when it should.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_control_api::{CallRecord, Command, CommandId, Event, Request};
use tandem_media::progress::{Finding, Verdict};
use tandem_media::{Audience, Command as MediaCommand, Event as MediaEvent, PacketTimes};

use crate::configuration::{CARRIER, phone_address};
use crate::node::{Departure, Making, SIP};
use crate::recording::Recorded;
use crate::rogue::ACCOMPLICE;
use crate::scenario::STRANGER;
use crate::watched::Said;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Records get lost.
    LosesRecords,
    /// Records last a second longer than the call.
    AddsASecond,
    /// Records have caller and dialled number the wrong way round.
    SwapsNumbers,
    /// The news of closed endpoints gets lost.
    KeepsEndpoints,
    /// What one party is sent, another is sent too.
    CrossesWires,
    /// RTP from parties is not listened to.
    Deaf,
    /// What the node plays is not sent.
    Mute,
    /// Telephone-events from parties get lost.
    LosesDigits,
    /// Strangers get an answer.
    AnswersStrangers,
    /// A refusal follows each acceptance of a call.
    AnswersTwice,
    /// ACKs are not sent.
    NeverAcks,
    /// 180 is sent with another version of SIP.
    Garbles,
    /// The outcomes of some commands get lost.
    LosesOutcomes,
    /// Agents are offered a second call at once.
    OffersTwice,
    /// Agents are free though callers wait.
    LeavesAgentsIdle,
    /// Acceptances of calls get lost.
    LosesAcceptances,
    /// The node is due again and again.
    StandsStill,
    /// The carrier is told where a phone is.
    ShowsPhones,
    /// Nobody is banned.
    BansNobody,
    /// Who takes somebody else's dialog is obeyed.
    ObeysThieves,
    /// Peers are told that sessions last one second.
    StretchesSessions,
    /// Transferors are never told that they have heard all.
    LeavesTransfersOpen,
    /// Dialogs are not ended.
    NeverHangsUp,
    /// Registrations with carriers are not refreshed.
    ForgetsToRegister,
    /// Who listens to a conference is heard there.
    ExposesMonitors,
    /// What could be relayed is made anew.
    RelaysNothing,
    /// Pauses are not described.
    TellsNoPauses,
    /// RTCP is not sent.
    WritesNoReports,
    /// Packets are relayed however long they are.
    RelaysAnyLength,
    /// In recordings the sides are the wrong way round.
    SwapsSides,
    /// Whatever answers is a person.
    BelievesMachines,
    /// Nobody is asked whether it is there.
    AsksNobody,
    /// Parties are called by the name of whom they talk to.
    Misnames,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 33] = [
        Self::LosesRecords,
        Self::AddsASecond,
        Self::SwapsNumbers,
        Self::KeepsEndpoints,
        Self::CrossesWires,
        Self::Deaf,
        Self::Mute,
        Self::LosesDigits,
        Self::AnswersStrangers,
        Self::AnswersTwice,
        Self::NeverAcks,
        Self::Garbles,
        Self::LosesOutcomes,
        Self::OffersTwice,
        Self::LeavesAgentsIdle,
        Self::LosesAcceptances,
        Self::StandsStill,
        Self::ShowsPhones,
        Self::BansNobody,
        Self::ObeysThieves,
        Self::StretchesSessions,
        Self::LeavesTransfersOpen,
        Self::NeverHangsUp,
        Self::ForgetsToRegister,
        Self::ExposesMonitors,
        Self::RelaysNothing,
        Self::TellsNoPauses,
        Self::WritesNoReports,
        Self::RelaysAnyLength,
        Self::SwapsSides,
        Self::BelievesMachines,
        Self::AsksNobody,
        Self::Misnames,
    ];

    pub(crate) fn spoil_command(self, command: &mut MediaCommand) {
        match (self, command) {
            (Self::ExposesMonitors, MediaCommand::Join { audience, .. }) => *audience = Audience::Everybody,
            (Self::RelaysAnyLength, MediaCommand::Configure { stream, .. }) => {
                stream.packet_times = PacketTimes::Any;
            }
            _ => {}
        }
    }

    /// Whether an incoming packet to an RTP port is lost.
    pub(crate) fn loses_media(self, bytes: &[u8]) -> bool {
        match self {
            Self::Deaf => true,
            Self::LosesDigits => bytes.get(1).is_some_and(|second| (96..=127).contains(&(second & 0x7f))),
            _ => false,
        }
    }

    pub(crate) fn loses_event(self, event: &MediaEvent) -> bool {
        self == Self::KeepsEndpoints && matches!(event, MediaEvent::Closed { .. })
    }

    pub(crate) const fn spoil_event(self, event: &mut MediaEvent) {
        if let (
            Self::BelievesMachines,
            MediaEvent::Progress { finding: Finding::Verdict { verdict, .. }, .. },
        ) = (self, event)
        {
            *verdict = Verdict::LiveVoice;
        }
    }

    pub(crate) fn answer_to(self, source: SocketAddr) -> Option<Departure> {
        let answers = self == Self::AnswersStrangers && source.ip() == STRANGER;
        answers.then(|| Departure {
            source: SIP,
            destination: source,
            bytes: b"SIP/2.0 403 Forbidden\r\n\r\n".to_vec(),
            making: Making::Sip,
            stream: None,
        })
    }

    pub(crate) fn spoil_departures(self, departures: &mut Vec<Departure>) {
        let is_sip = |it: &Departure, start: &[u8]| it.making == Making::Sip && it.bytes.starts_with(start);
        match self {
            Self::Mute => departures.retain(|it| it.making != Making::Played),
            Self::NeverAcks => departures.retain(|it| !is_sip(it, b"ACK ")),
            Self::Garbles => {
                for it in departures.iter_mut().filter(|it| is_sip(it, b"SIP/2.0 100")) {
                    it.bytes.splice(..7, *b"SIP/9.0");
                }
            }
            Self::ObeysThieves => {
                for it in
                    departures.iter_mut().filter(|it| it.destination == ACCOMPLICE && it.bytes.len() > 12)
                {
                    it.bytes.splice(8..11, *b"200");
                }
            }
            Self::LeavesTransfersOpen => {
                departures.retain(|it| {
                    !is_sip(it, b"NOTIFY") || !String::from_utf8_lossy(&it.bytes).contains("terminated")
                });
            }
            Self::ForgetsToRegister => {
                let is_first =
                    |it: &Departure| String::from_utf8_lossy(&it.bytes).contains("CSeq: 1 REGISTER");
                departures.retain(|it| !is_sip(it, b"REGISTER ") || is_first(it));
            }
            Self::RelaysNothing => {
                for it in departures.iter_mut().filter(|it| it.making == Making::Relayed) {
                    it.making = Making::Played;
                }
            }
            Self::TellsNoPauses => departures.retain(|it| payload_type(it) != Some(COMFORT_NOISE)),
            Self::WritesNoReports => departures.retain(|it| !is_report(it)),
            Self::Misnames => departures.iter_mut().for_each(swap_names),
            Self::NeverHangsUp => departures.retain(|it| !is_sip(it, b"BYE ")),
            Self::StretchesSessions => departures.iter_mut().for_each(shorten_session),
            Self::LosesAcceptances => departures.retain(|it| !is_acceptance(it)),
            Self::ShowsPhones => {
                departures.iter_mut().filter(|it| it.destination == CARRIER).for_each(show_phone)
            }
            Self::AnswersTwice => {
                let again: Vec<Departure> =
                    departures.iter().filter(|it| is_acceptance(it)).map(refusal).collect();
                departures.extend(again);
            }
            _ => {}
        }
    }

    /// What a second party is sent of a packet for the first.
    pub(crate) fn crosses(self, making: Making) -> bool {
        self == Self::CrossesWires && making == Making::Relayed
    }

    pub(crate) fn spoil_records(self, records: &mut Vec<CallRecord>) {
        match self {
            Self::LosesRecords => records.clear(),
            Self::AddsASecond => {
                for leg in records.iter_mut().flat_map(|record| &mut record.legs) {
                    leg.ended += Duration::from_secs(1);
                }
            }
            Self::SwapsNumbers => {
                for record in records {
                    std::mem::swap(&mut record.from.number, &mut record.dialled);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn spoil_recordings(self, recorded: &mut [Recorded]) {
        if self == Self::SwapsSides {
            recorded.iter_mut().for_each(|it| std::mem::swap(&mut it.said, &mut it.heard));
        }
    }

    pub(crate) fn spoil_log(self, log: &mut Vec<(Duration, Said)>) {
        match self {
            Self::LosesOutcomes => {
                log.retain(|(_, said)| !matches!(said, Said::Event(Event::Done { command, .. }) if command.0 % 7 == 0));
            }
            Self::OffersTwice => {
                let second = |(at, said): &(Duration, Said)| match said {
                    Said::Request(Request { id, command: command @ Command::Dial { .. } }) => {
                        let id = CommandId(u64::MAX - id.0);
                        Some((*at, Said::Request(Request { id, command: command.clone() })))
                    }
                    _ => None,
                };
                let offers: Vec<_> = log.iter().filter_map(second).collect();
                log.extend(offers);
            }
            _ => {}
        }
    }
}

/// RFC 3389 §4.
const COMFORT_NOISE: u8 = 13;

/// Of a packet that is no SIP.
fn payload_type(departure: &Departure) -> Option<u8> {
    let second = departure.bytes.get(1).filter(|_| departure.making != Making::Sip)?;
    Some(second & 0x7f)
}

/// RFC 5761 §4.
fn is_report(departure: &Departure) -> bool {
    departure.making != Making::Sip && matches!(departure.bytes.get(1), Some(192..=223))
}

/// Who talks to whom, the wrong way round.
fn swap_names(departure: &mut Departure) {
    const NAME: &str = "\r\nSession-ID: ";
    const DIGITS: usize = 32;
    const REMOTE: &str = ";remote=";
    let text = String::from_utf8_lossy(&departure.bytes);
    let Some(at) = text.find(NAME).filter(|_| departure.making == Making::Sip) else { return };
    let local = at + NAME.len();
    let remote = local + DIGITS + REMOTE.len();
    if departure.bytes.len() > remote + DIGITS {
        for digit in 0..DIGITS {
            departure.bytes.swap(local + digit, remote + digit);
        }
    }
}

/// A 2xx that says one second instead of what was agreed.
fn shorten_session(departure: &mut Departure) {
    const HEADER: &str = "Session-Expires: ";
    let text = String::from_utf8_lossy(&departure.bytes).into_owned();
    if departure.making == Making::Sip
        && text.starts_with("SIP/2.0 200")
        && let Some((before, after)) = text.split_once(HEADER)
        && let Some((_, rest)) = after.split_once(';')
    {
        departure.bytes = format!("{before}{HEADER}1;{rest}").into_bytes();
    }
}

/// With a Warning that names a phone's address.
fn show_phone(departure: &mut Departure) {
    let text = String::from_utf8_lossy(&departure.bytes);
    if departure.making == Making::Sip {
        let warning = format!("\r\nWarning: 399 {} \"busy\"\r\n", phone_address(1).ip());
        departure.bytes = text.replacen("\r\n", &warning, 1).into_bytes();
    }
}

/// A 200 to an INVITE.
fn is_acceptance(departure: &Departure) -> bool {
    departure.making == Making::Sip
        && departure.bytes.starts_with(b"SIP/2.0 200")
        && String::from_utf8_lossy(&departure.bytes).contains(" INVITE\r\n")
}

/// The same answer as a refusal by somebody else.
fn refusal(accepted: &Departure) -> Departure {
    let text = String::from_utf8_lossy(&accepted.bytes).replacen("200 OK", "486 Busy Here", 1);
    Departure {
        source: accepted.source,
        destination: accepted.destination,
        bytes: text.into_bytes(),
        making: Making::Sip,
        stream: accepted.stream,
    }
}
