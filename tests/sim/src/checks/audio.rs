//! Who hears whom, by a frequency for each party and prompt, through the real codecs and the real network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tandem_control_api::{CallFact, CallRecord, LegId, LegRecord, TimelineEntry};
use tandem_phone::{Heard, Manner, TransferWay, WINDOW_SAMPLES, Window};

use super::Judge;
use super::control::went_on;
use super::parties::Calls;
use super::talks::Talks;
use crate::configuration::{ANNOUNCEMENT, MUSIC};
use crate::network::Weather;
use crate::scenario::Goal;
use crate::voices::{PROMPTS, prompt_hz};
use crate::world::{Observed, PartyReport};

/// How long a change may take until it is heard: rings, a jittery network, the start of a stream.
pub(super) const SETTLING: Duration = Duration::from_millis(700);

/// Stretches shorter than this prove nothing.
const SHORTEST: Duration = Duration::from_millis(800);

/// A stretch of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: Duration,
    pub(super) until: Duration,
}

impl Span {
    /// Without its ends, if enough is left.
    pub(super) fn settled(from: Duration, until: Duration) -> Option<Self> {
        let (from, until) = (from + SETTLING, until.checked_sub(SETTLING)?);
        (until >= from + SHORTEST).then_some(Self { from, until })
    }

    /// The part of it in which something else was there, too.
    pub(super) fn within(self, from: Duration, until: Duration) -> Option<Self> {
        let (from, until) = (self.from.max(from + SETTLING), self.until.min(until.saturating_sub(SETTLING)));
        (until >= from + SHORTEST).then_some(Self { from, until })
    }
}

/// The share of a span's windows in which one of `tones` stands out.
pub(super) fn share_heard(heard: &Heard, span: Span, tones: &[u16]) -> f64 {
    let is_there = |window: &&Window| window.tones.iter().any(|hz| tones.contains(hz));
    let count = windows_in(heard, span).filter(is_there).count();
    let windows = (span.until - span.from).as_millis() / 100;
    count as f64 / windows.max(1) as f64
}

fn windows_in(heard: &Heard, span: Span) -> impl Iterator<Item = &Window> {
    heard.windows.iter().filter(move |window| (span.from..span.until).contains(&window.at))
}

/// Whether packets may be lost or late.
pub(super) fn is_foul(run: &Observed) -> bool {
    run.scenario.weather != Weather::FINE
}

/// How much must be heard of something that is there all the time; in a storm nothing can be expected.
pub(super) fn enough(run: &Observed) -> Option<f64> {
    match run.scenario.weather {
        Weather::FINE => Some(0.9),
        weather if weather.is_storm() => None,
        _ => Some(0.6),
    }
}

/// How long after two parties are parted the one may still hear the other: what is under way in a storm.
const TRAILING: Duration = Duration::from_millis(1_500);

/// A window of what is heard is known by its beginning, and may begin so long before what is in it.
const WINDOW: Duration = Duration::from_millis(120);
/// How much it tells of.
const WINDOW_S: f64 = 0.1;

/// Far below any voice, which is at −16: what such a decoder makes of silence, and what it fades out to, is noise, and a
/// fading tone is not of its frequency alone.
const QUIET_DBOV: i8 = -40;

/// Above all voices of a conference together. Opus's own decoder runs away from pure tones when packets are lost, to noise at
/// full scale for seconds: what it was sent is not to be heard in that.
const RUNAWAY_DBOV: i8 = -5;

/// How long a key takes, with the pause behind it.
pub(super) const TYPING: Duration = Duration::from_millis(240);

/// Everybody's calls as the node, the parties and the control plane tell of them.
pub(super) struct Conversations<'a> {
    calls: Calls<'a>,
    pub(super) talks: Talks,
    pub(super) legs: BTreeMap<LegId, &'a LegRecord>,
}

impl<'a> Conversations<'a> {
    pub(super) fn of(run: &'a Observed) -> Self {
        let legs = run.records.iter().flat_map(|(_, record)| &record.legs).map(|leg| (leg.id, leg)).collect();
        Self { calls: Calls::of(run), talks: Talks::of(run), legs }
    }

    pub(super) fn party(&self, leg: LegId) -> Option<&'a PartyReport> {
        self.calls.party(self.legs.get(&leg)?)
    }

    /// What a leg may have heard: frequencies, each with the time in which.
    fn audible(&self, run: &Observed, leg: LegId, is_caller: bool) -> Vec<(u16, Duration, Duration)> {
        let always = |hz| (hz, Duration::ZERO, Duration::MAX);
        let mut audible = Vec::new();
        if is_caller || self.talks.prompted.contains(&leg) {
            audible.extend(PROMPTS.iter().map(|(_, hz, _)| always(*hz)));
        }
        if let Some(plan) = self.party(leg).and_then(|party| party.plan(run))
            && plan.goal == Goal::ReadBack
        {
            audible.extend(
                [700, 750, 850, 900, 950, 1_200, 1_250, 1_300, 1_350, 1_450, 1_500].into_iter().map(always),
            );
        }
        for talk in &self.talks.all {
            if let Some(other) = talk.other(leg).and_then(|other| self.party(other)) {
                audible.push((other.report.hz, talk.from.saturating_sub(WINDOW), talk.until + TRAILING));
            }
        }
        for hearing in self.talks.in_conferences.iter().filter(|it| it.listener == leg) {
            if let Some(speaker) = self.party(hearing.speaker) {
                audible.push((
                    speaker.report.hz,
                    hearing.from.saturating_sub(WINDOW),
                    hearing.until + TRAILING,
                ));
            }
        }
        // Where media goes past us, so does when it begins and ends; and of several phones that ring each can be heard.
        let direct =
            run.records.iter().map(|(_, record)| record).filter(|it| self.talks.direct.0.contains(&it.id));
        for record in direct.filter(|record| record.legs.iter().any(|it| it.id == leg)) {
            let is_there =
                |call_id: &str| record.legs.iter().any(|it| it.id != leg && it.sip_call_id == call_id);
            let others = run.reports.iter().filter(|it| is_there(&it.report.sip_call_id));
            audible.extend(others.map(|other| always(other.report.hz)));
        }
        audible
    }
}

/// Whether there are decoders that remember what was said before.
fn remembers(run: &Observed) -> bool {
    run.scenario.knobs.codecs.iter().any(|codecs| !codecs.is_empty())
}

/// Whether a window tells of the decoder and not of what was sent: a tone in which a cycle was left out or put in may become louder
/// and louder in Opus, whether or not packets get lost.
fn has_run_away(run: &Observed, window: &Window) -> bool {
    remembers(run) && window.level_dbov > RUNAWAY_DBOV
}

/// Nobody ever hears a party it is not put together with at the time, nor a stranger, nor anything else unexplained.
pub(super) fn nobody_hears_a_third_party(run: &Observed, judge: &mut Judge) {
    let conversations = Conversations::of(run);
    let is_foul = is_foul(run);
    let remembers = remembers(run);
    let voices: BTreeSet<u16> = run.scenario.voices().chain(PROMPTS.map(|(_, hz, _)| hz)).collect();
    let mut legs: BTreeMap<&str, (LegId, bool)> = BTreeMap::new();
    for (_, record) in &run.records {
        for (place, leg) in record.legs.iter().enumerate().filter(|(_, leg)| !went_on(leg)) {
            legs.insert(&leg.sip_call_id, (leg.id, place == 0));
        }
    }
    for party in &run.reports {
        let leg = legs.get(party.report.sip_call_id.as_str());
        let audible =
            leg.map(|(leg, is_caller)| conversations.audible(run, *leg, *is_caller)).unwrap_or_default();
        for window in &party.report.heard.windows {
            // What such a decoder makes of pieces out of context is noise, too.
            let is_piece = is_foul && usize::from(window.samples) < WINDOW_SAMPLES;
            if remembers && (is_piece || window.level_dbov < QUIET_DBOV || has_run_away(run, window)) {
                continue;
            }
            judge.looked();
            let now = audible.iter().filter(|(_, from, until)| (*from..=*until).contains(&window.at));
            let now: Vec<u16> = now.map(|(hz, ..)| *hz).collect();
            let may_be_heard = |hz: u16| now.contains(&hz);
            // What is filled in for lost packets, up to 50 a second, gives a voice sidebands that may be all there is of it, and
            // may sound like nobody. So may what comes first of another encoder, to a decoder that remembers what the one
            // before it said.
            let may_be_filling = |hz: u16| {
                let is_near = |voice: &u16| voice.abs_diff(hz) <= 100;
                (is_foul && now.iter().any(is_near)) || ((is_foul || remembers) && !voices.contains(&hz))
            };
            let is_foreign = |hz: &&u16| !may_be_heard(**hz) && !may_be_filling(**hz);
            if let Some(hz) = window.tones.iter().find(is_foreign) {
                let (name, call_id) = (&party.party, &party.report.sip_call_id);
                judge.fail(format!("{name} in {call_id} hears {hz} Hz at {:?} ({window:?})", window.at));
                break;
            }
        }
    }
}

/// Who is put together hears the other from then on until they are parted, unless one of them sends from where it must
/// not be believed: then it is not heard at all.
pub(super) fn bridged_parties_hear_each_other(run: &Observed, judge: &mut Judge) {
    judge_talks(run, judge, false);
}

/// The same of those whom a transfer has put together.
pub(super) fn transferred_parties_hear_each_other(run: &Observed, judge: &mut Judge) {
    judge_talks(run, judge, true);
}

/// In a conference each hears exactly those who are heard by all, and whoever coaches it.
pub(super) fn conferring_parties_hear_each_other(run: &Observed, judge: &mut Judge) {
    let conversations = Conversations::of(run);
    for hearing in &conversations.talks.in_conferences {
        let (Some(listener), Some(speaker)) =
            (conversations.party(hearing.listener), conversations.party(hearing.speaker))
        else {
            continue;
        };
        let from = [Some(hearing.from), listener.report.answered, speaker.report.answered];
        let both = [listener, speaker];
        let until = both.map(|party| party.report.ended.min(holds_at(run, party)));
        let span = Span::settled(
            from.into_iter().flatten().max().unwrap_or_default(),
            until.into_iter().chain([hearing.until]).min().unwrap_or_default(),
        );
        if let Some(span) = span {
            judge_direction(run, listener, speaker, (span, OF_MIXED), judge);
        }
    }
}

fn judge_talks(run: &Observed, judge: &mut Judge, by_transfer: bool) {
    let conversations = Conversations::of(run);
    for talk in conversations.talks.all.iter().filter(|talk| talk.by_transfer == by_transfer) {
        let [a, b] = talk.legs;
        let (Some(one), Some(other)) = (conversations.party(a), conversations.party(b)) else { continue };
        let from = [Some(talk.from), one.report.answered, other.report.answered];
        let until =
            [talk.until, one.report.ended, other.report.ended, holds_at(run, one), holds_at(run, other)];
        let span = Span::settled(
            from.into_iter().flatten().max().unwrap_or_default(),
            until.into_iter().min().unwrap_or_default(),
        );
        let Some(span) = span.filter(|_| a != b) else { continue };
        // Between the two, what to believe is theirs to decide.
        if conversations.talks.is_direct(talk) && (one.is_unbelievable(run) || other.is_unbelievable(run)) {
            continue;
        }
        judge_direction(run, one, other, (span, 1.0), judge);
        judge_direction(run, other, one, (span, 1.0), judge);
    }
}

/// When a party holds for a consultation; what it hears and says after that is between it and its phone.
pub(super) fn holds_at(run: &Observed, party: &PartyReport) -> Duration {
    let transfer = party.manner(run).and_then(|manner| manner.transfer.as_ref());
    let consults = transfer.filter(|transfer| transfer.way.consults());
    match (consults, party.report.answered) {
        (Some(transfer), Some(answered)) if !is_consultation(party) => answered + transfer.after,
        _ => Duration::MAX,
    }
}

/// In bad weather the share of less of a mix proves nothing.
const LONG: Duration = Duration::from_secs(3);

/// Of a voice among others so much must be heard of what must be of one alone, where packets are lost.
const OF_MIXED: f64 = 0.7;

/// Of what is spoken between pauses so much falls into a span of any length.
const LEAST_SPOKEN: f64 = 0.8;

/// Whether `listener` hears `speaker` as it should in a span, in bad weather so much less.
fn judge_direction(
    run: &Observed,
    listener: &PartyReport,
    speaker: &PartyReport,
    (span, less): (Span, f64),
    judge: &mut Judge,
) {
    let (Some(theirs), Some(ours)) = (speaker.manner(run), listener.manner(run)) else { return };
    let share = share_heard(&listener.report.heard, span, &[speaker.report.hz]);
    let names = format!("{} hears {} ({} Hz)", listener.party, speaker.party, speaker.report.hz);
    if speaker.is_unbelievable(run) {
        if share > 0.0 {
            judge.fail(format!("{names}, whose RTP comes from elsewhere"));
        }
        return;
    }
    // A line that is busy although it was answered has no voice.
    let has_voice = theirs.says.is_none();
    let disturbed =
        !has_voice || presses_in(speaker, theirs, span) || !theirs.holds.is_empty() || !ours.holds.is_empty();
    let cut =
        [listener.host, speaker.host].iter().any(|host| run.scenario.cut_off(*host, span.from, span.until));
    let Some(enough) = enough(run).filter(|_| !disturbed && !cut) else { return };
    let is_foul = is_foul(run);
    if is_foul && less < 1.0 && span.until - span.from < LONG {
        return;
    }
    let run_away = windows_in(&listener.report.heard, span).filter(|it| has_run_away(run, it)).count();
    let told = 1.0 - run_away as f64 * WINDOW_S / (span.until - span.from).as_secs_f64();
    if told < 0.5 {
        return;
    }
    let enough = told * if is_foul { enough * less } else { enough };
    let enough = match theirs.pauses {
        Some(_) if span.until - span.from < LONG => return,
        Some((speaks, pauses)) => enough * LEAST_SPOKEN * speaks.div_duration_f64(speaks + pauses),
        None => enough,
    };
    judge.looked();
    if share < enough {
        let missing: Vec<&Window> = windows_in(&listener.report.heard, span)
            .filter(|window| !window.tones.contains(&speaker.report.hz))
            .take(5)
            .collect();
        judge.fail(format!("{names} only {:.0} % of {span:?}, not in {missing:?}", share * 100.0));
    }
}

/// Whether a party presses keys in a span, which are no voice.
pub(super) fn presses_in(party: &PartyReport, manner: &Manner, span: Span) -> bool {
    let Some(answered) = party.report.answered else { return false };
    let is_within = |at: Duration, keys: &str| {
        let begun = answered + at;
        let over = begun + TYPING * u32::try_from(keys.len()).unwrap_or(u32::MAX) + SETTLING;
        begun < span.until && span.from < over
    };
    match manner.transfer.as_ref().map(|transfer| transfer.way) {
        _ if !is_consultation(party) => manner.keys.iter().any(|(at, keys)| is_within(*at, keys)),
        Some(TransferWay::Conference { talks, code }) => is_within(talks, code),
        _ => false,
    }
}

/// A call that a party made out of another one.
pub(super) fn is_consultation(party: &PartyReport) -> bool {
    party.report.caller && party.caller.is_none()
}

/// From entering a queue to leaving it, music or the announcement is there.
pub(super) fn waiting_callers_hear_music(run: &Observed, judge: &mut Judge) {
    let calls = Calls::of(run);
    let Some(enough) = enough(run) else { return };
    for (_, record) in &run.records {
        let Some(caller) = record.legs.first().and_then(|leg| calls.party(leg)) else { continue };
        let Some(span) = waiting(record, caller) else { continue };
        if is_disturbed(run, caller, span) {
            continue;
        }
        judge.looked();
        let share = share_heard(&caller.report.heard, span, &[prompt_hz(MUSIC), prompt_hz(ANNOUNCEMENT)]);
        if share < enough {
            let (call, percent) = (record.id, share * 100.0);
            judge.fail(format!(
                "{} in {call} hears music only {percent:.0} % of {span:?}",
                caller.report.from
            ));
        }
    }
}

fn waiting(record: &CallRecord, caller: &PartyReport) -> Option<Span> {
    let mut entered = None;
    for entry in &record.timeline {
        match &entry.fact {
            CallFact::QueueEntered { .. } => entered = Some(entry.at.since_start()),
            CallFact::QueueLeft { .. } | CallFact::AgentAnswered { .. } => {
                let until = entry.at.since_start().min(caller.report.ended);
                return Span::settled(entered?, until);
            }
            _ => {}
        }
    }
    Span::settled(entered?, caller.report.ended.min(record.ended.since_start()))
}

fn is_disturbed(run: &Observed, party: &PartyReport, span: Span) -> bool {
    let held = party.manner(run).is_none_or(|manner| !manner.holds.is_empty());
    held || run.scenario.cut_off(party.host, span.from, span.until)
}

/// `+15550102` plays its prompt, `+15550103` echoes, for as long as the caller is there.
pub(super) fn announcements_and_echo_are_heard(run: &Observed, judge: &mut Judge) {
    let calls = Calls::of(run);
    let Some(enough) = enough(run) else { return };
    for (_, record) in &run.records {
        let Some(leg) = record.legs.first() else { continue };
        let Some((caller, plan)) = calls.party(leg).and_then(|it| Some((it, it.plan(run)?))) else {
            continue;
        };
        let expected = match plan.goal {
            Goal::Prompt => prompt_hz("loop"),
            Goal::Echo => plan.manner.hz,
            _ => continue,
        };
        let Some(answered) = leg.answered.map(|at| at.since_start()) else { continue };
        let until = caller.report.ended.min(leg.ended.since_start());
        let Some(span) = Span::settled(answered, until) else { continue };
        let share = share_heard(&caller.report.heard, span, &[expected]);
        if plan.goal == Goal::Echo && caller.is_unbelievable(run) {
            if share > 0.0 {
                judge.fail(format!("{} hears an echo of RTP from elsewhere", plan.from));
            }
            continue;
        }
        let is_steady = plan.manner.keys.is_empty() && plan.manner.pauses.is_none();
        if plan.goal == Goal::Echo && !is_steady || is_disturbed(run, caller, span) {
            continue;
        }
        judge.looked();
        if share < enough {
            let percent = share * 100.0;
            judge.fail(format!("{} hears {expected} Hz only {percent:.0} % of {span:?}", plan.from));
        }
    }
}

/// The echo gives back the keys that were pressed, `+15550104` plays them as tones, the menu leads to the queue that was
/// chosen.
pub(super) fn digits_arrive_once_and_in_order(run: &Observed, judge: &mut Judge) {
    let calls = Calls::of(run);
    for (_, record) in &run.records {
        let Some(leg) = record.legs.first() else { continue };
        let Some((caller, plan)) = calls.party(leg).and_then(|it| Some((it, it.plan(run)?))) else {
            continue;
        };
        let Some(answered) = leg.answered.map(|at| at.since_start()) else { continue };
        let report = &caller.report;
        let span = Span { from: answered, until: report.ended };
        let storm = run.scenario.weather.is_storm();
        let mute = plan.manner.events.is_none();
        if storm || mute || is_disturbed(run, caller, span) || caller.is_unbelievable(run) {
            continue;
        }
        let pressed: String = plan.manner.keys.iter().map(|(_, keys)| keys.as_str()).collect();
        // Everything was pressed after our answer and echoed before the end.
        let first = plan.manner.keys.first().map_or(Duration::ZERO, |(at, _)| *at);
        let last = plan.manner.keys.last().map_or(Duration::ZERO, |(at, _)| *at);
        let typing = TYPING * u32::try_from(pressed.len()).unwrap_or(u32::MAX);
        let begun = report.answered.is_some_and(|at| at + first > answered + SETTLING);
        let finished = |extra| report.answered.is_some_and(|at| at + last + typing + extra < report.ended);
        let got = match plan.goal {
            Goal::Echo if begun && finished(SETTLING) => report.received.digit_string(),
            // Tones suffer from lost packets; telephone-events are sent often enough not to.
            Goal::ReadBack
                if begun
                    && pressed.len() == 5
                    && finished(Duration::from_secs(3))
                    && run.scenario.weather == Weather::FINE =>
            {
                format!("{}#", report.heard.digit_string())
            }
            Goal::Menu if begun && matches!(pressed.as_str(), "1" | "2") && finished(SETTLING) => {
                match record.timeline.iter().find_map(queue_entered) {
                    Some("sales") => "1".to_owned(),
                    Some("support") => "2".to_owned(),
                    other => format!("{other:?}"),
                }
            }
            _ => continue,
        };
        judge.looked();
        if got != pressed {
            judge.fail(format!("{} pressed {pressed} and got {got}", plan.from));
        }
    }
}

fn queue_entered(entry: &TimelineEntry) -> Option<&str> {
    match &entry.fact {
        CallFact::QueueEntered { queue } => Some(queue),
        _ => None,
    }
}
