//! What the control plane is told, and the records that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tandem_control_api::{CallFact, CallRecord, Command, CommandId, DialTarget, Direction, Event, LegRecord};
use tandem_phone::Manner;
use tandem_time::Instant;

use super::Judge;
use super::crossing::is_offered_again;
use super::parties::Calls;
use crate::network::Weather;
use crate::rogue::Rogue;
use crate::scenario::{Goal, Placer};
use crate::tap::{Kind, Seen, Way};
use crate::watched::Said;
use crate::world::Observed;

/// Each command ends in exactly one `Done`, and nothing is done that nobody asked for.
pub(super) fn one_outcome_per_command(run: &Observed, judge: &mut Judge) {
    let mut asked: BTreeMap<CommandId, (&'static str, u32)> = BTreeMap::new();
    for (at, said) in &run.control {
        match said {
            Said::Request(request) => {
                if asked.insert(request.id, (request.command.name(), 0)).is_some() {
                    judge.fail(format!("{:?} was used twice, at {at:?}", request.id));
                }
            }
            Said::Event(Event::Done { command, .. }) => match asked.get_mut(command) {
                Some((_, outcomes)) => *outcomes += 1,
                None => judge.fail(format!("{command:?} was done at {at:?}, but never asked for")),
            },
            Said::Event(_) => {}
        }
    }
    for (id, (name, outcomes)) in asked {
        judge.looked();
        if outcomes != 1 {
            judge.fail(format!("{name} {id:?} had {outcomes} outcomes"));
        }
    }
}

/// Each offered call ends once, last of all, and has one record; a caller who was answered has one.
pub(super) fn one_record_per_call(run: &Observed, judge: &mut Judge) {
    let (mut offered, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for (at, said) in &run.control {
        let Said::Event(event) = said else { continue };
        let call = match event {
            Event::CallOffered { call, .. } => {
                offered.insert(*call);
                *call
            }
            Event::CallEnded { call, .. } => {
                if !ended.insert(*call) {
                    judge.fail(format!("{call} ended twice"));
                }
                continue;
            }
            Event::LegCreated { call, .. }
            | Event::LegRinging { call, .. }
            | Event::LegEarlyMedia { call, .. }
            | Event::TransferAsked { call, .. }
            | Event::LegMoved { call, .. }
            | Event::LegReplaced { call, .. }
            | Event::ProgressFound { call, .. }
            | Event::LegUnheard { call, .. }
            | Event::RecordingFailed { call, .. }
            | Event::BeepAwaited { call, .. }
            | Event::LegHeld { call, .. }
            | Event::LegResumed { call, .. }
            | Event::Digit { call, .. }
            | Event::LegEnded { call, .. } => *call,
            Event::Done { .. } | Event::Registration { .. } => continue,
        };
        if ended.contains(&call) {
            judge.fail(format!("{event:?} at {at:?}, after the call's end"));
        }
    }
    if offered != ended {
        judge.fail(format!("offered {offered:?}, ended {ended:?}"));
    }
    let mut records: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, record) in &run.records {
        judge.looked();
        if !offered.remove(&record.id) {
            judge.fail(format!("{} has a record too many", record.id));
        }
        // Who picks up goes on in another call, and is of that one.
        for leg in record.legs.iter().filter(|leg| !went_on(leg)) {
            *records.entry(&leg.sip_call_id).or_default() += 1;
        }
        for entry in &record.timeline {
            // Somebody may answer at the moment in which the call is taken over.
            if let CallFact::LegReplaced { sip_call_id, .. } = &entry.fact {
                *records.entry(sip_call_id).or_default() += 1;
            }
        }
    }
    if !offered.is_empty() {
        judge.fail(format!("no record of {offered:?}"));
    }
    for report in &run.reports {
        let count = records.get(report.report.sip_call_id.as_str()).copied().unwrap_or(0);
        if count > 1 || (count == 0 && report.report.answered.is_some()) {
            let (party, call_id) = (&report.party, &report.report.sip_call_id);
            judge.fail(format!("{count} records of the answered call {call_id} of {party}"));
        }
    }
}

/// A leg whose party has picked up another call.
pub(super) fn went_on(leg: &LegRecord) -> bool {
    leg.end.cause == "picked up another"
}

/// A leg that somebody else has taken over.
fn was_taken(record: &CallRecord, leg: &LegRecord) -> bool {
    let is_its =
        |fact: &CallFact| matches!(fact, CallFact::LegReplaced { leg: taken, .. } if *taken == leg.id);
    record.timeline.iter().any(|entry| is_its(&entry.fact))
}

/// An answered leg lasts from the ACK of its caller (with the answer, if the offer was ours), or the 200 of the called party, to the first BYE, to the
/// nanosecond.
pub(super) fn records_count_the_seconds_that_passed_the_edge(run: &Observed, judge: &mut Judge) {
    for (made, record) in &run.records {
        // What a rogue sends says nothing of when its call ends: a BYE out of order does not end it.
        if record.legs.iter().any(|leg| Rogue::number_of(&leg.sip_call_id).is_some()) {
            continue;
        }
        // A leg that was taken over has been one thing and another.
        for leg in record.legs.iter().filter(|leg| !went_on(leg) && !was_taken(record, leg)) {
            let talk = Talk::seen(run, leg);
            judge.looked();
            if leg.answered.map(Instant::since_start) != talk.answered {
                let (id, call, seen) = (leg.id, record.id, talk.answered);
                judge.fail(format!("{id} of {call} answered {:?}, by the edge {seen:?}", leg.answered));
            }
            if leg.answered.is_some() && talk.ended != Some(leg.ended.since_start()) {
                let (id, call, seen) = (leg.id, record.id, talk.ended);
                judge.fail(format!("{id} of {call} ended {:?}, by the edge {seen:?}", leg.ended));
            }
        }
        check_totals(run, *made, record, judge);
    }
}

/// From when to when a leg was answered, by the messages that passed the edge.
#[derive(Default)]
struct Talk {
    /// Our 200 (inbound), or theirs (outbound): the dialog's tag and the INVITE's sequence number.
    accepted: Option<(Option<String>, u32)>,
    /// Whether the caller's INVITE had an offer; without one, the ACK must have the answer.
    offered: bool,
    /// The sequence number of our latest INVITE: those before it were left for other destinations.
    latest: u32,
    answered: Option<Duration>,
    ended: Option<Duration>,
}

impl Talk {
    fn seen(run: &Observed, leg: &LegRecord) -> Self {
        let mut talk = Self::default();
        for seen in run.sip.iter().filter(|seen| seen.call_id == leg.sip_call_id) {
            match leg.direction {
                Direction::Inbound => talk.inbound(seen),
                Direction::Outbound => talk.outbound(seen),
            }
        }
        // A 2xx after the leg's end is acknowledged and hung up at once: nobody answered any more.
        if talk.answered.is_some_and(|at| at > leg.ended.since_start()) {
            talk.answered = None;
        }
        talk
    }

    fn inbound(&mut self, seen: &Seen) {
        let tag = self.accepted.as_ref().and_then(|(tag, _)| tag.as_ref());
        match (&seen.kind, seen.way) {
            (Kind::Request { method, .. }, Way::In) if method == "INVITE" && self.accepted.is_none() => {
                self.offered |= seen.has_body;
            }
            (Kind::Response { status: 200..300 }, Way::Out) if seen.method == "INVITE" => {
                self.accepted.get_or_insert((seen.to_tag.clone(), seen.cseq));
            }
            (Kind::Request { method, .. }, Way::In) if method == "ACK" => {
                let ours = self.accepted == Some((seen.to_tag.clone(), seen.cseq));
                if ours && self.ended.is_none() && (self.offered || seen.has_body) {
                    self.answered.get_or_insert(seen.at);
                }
            }
            (Kind::Request { method, .. }, way) if method == "BYE" => {
                let their_tag = if way == Way::In { &seen.to_tag } else { &seen.from_tag };
                if tag.is_some() && tag == their_tag.as_ref() {
                    self.ended.get_or_insert(seen.at);
                }
            }
            _ => {}
        }
    }

    fn outbound(&mut self, seen: &Seen) {
        let tag = self.accepted.as_ref().and_then(|(tag, _)| tag.as_ref());
        match (&seen.kind, seen.way) {
            (Kind::Response { status: 200..300 }, Way::In)
                if seen.method == "INVITE" && seen.cseq >= self.latest =>
            {
                if self.ended.is_none() && self.accepted.is_none() {
                    self.answered = Some(seen.at);
                }
                self.accepted.get_or_insert((seen.to_tag.clone(), seen.cseq));
            }
            (Kind::Request { method, .. }, Way::Out) if method == "INVITE" && tag.is_none() => {
                self.latest = seen.cseq;
            }
            // With an answer, it is for the user's other phones.
            (Kind::Request { method, .. }, Way::Out)
                if method == "CANCEL" && tag.is_none() && self.latest == seen.cseq =>
            {
                self.ended.get_or_insert(seen.at);
            }
            (Kind::Request { method, .. }, way) if method == "BYE" => {
                let their_tag = if way == Way::In { &seen.from_tag } else { &seen.to_tag };
                if tag.is_some() && tag == their_tag.as_ref() {
                    self.ended.get_or_insert(seen.at);
                }
            }
            _ => {}
        }
    }
}

fn check_totals(run: &Observed, made: Duration, record: &CallRecord, judge: &mut Judge) {
    // A leg that goes on in another call, by a transfer or a conference, is in the record of that one.
    let moves = run.control.iter().filter_map(|(at, said)| match said {
        Said::Event(Event::LegMoved { from, .. }) if *from == record.id => Some(*at),
        _ => None,
    });
    let moved = moves.max();
    let last = record.legs.iter().map(|leg| leg.ended.since_start()).chain(moved).max();
    if last != Some(record.ended.since_start()) {
        judge.fail(format!("{} ended {:?}, its last leg {last:?}", record.id, record.ended));
    }
    if record.ended.since_start() > made {
        judge.fail(format!("{} was recorded before its end", record.id));
    }
    let caller = record.legs.first();
    if moved.is_none()
        && caller.is_none_or(|caller| caller.answered != record.answered || caller.started != record.offered)
    {
        judge.fail(format!("{} does not begin as its caller's leg does", record.id));
    }
}

/// From the `Dial` of a queue that rings it to the end of that leg, an agent's phone is no other queue's. Phones may
/// call it all the same.
pub(super) fn an_agent_holds_at_most_one_offer(run: &Observed, judge: &mut Judge) {
    let numbers = [Goal::Menu, Goal::Sales].map(Goal::number);
    let mut of_flows = BTreeSet::new();
    let mut dials = BTreeMap::new();
    let mut legs = BTreeMap::new();
    let mut holding: BTreeMap<String, CommandId> = BTreeMap::new();
    for (at, said) in &run.control {
        match said {
            Said::Event(Event::CallOffered { call, dialled, .. }) if numbers.contains(dialled) => {
                of_flows.insert(*call);
            }
            Said::Request(request) => {
                if let Command::Dial { call, target, .. } = &request.command
                    && of_flows.contains(call)
                {
                    let agent = match target {
                        DialTarget::User(user) => user.clone(),
                        DialTarget::Trunk { number, .. } => number.clone(),
                    };
                    judge.looked();
                    if let Some(other) = holding.insert(agent.clone(), request.id) {
                        judge.fail(format!(
                            "{agent} is rung by {:?} at {at:?} and still held by {other:?}",
                            request.id
                        ));
                    }
                    dials.insert(request.id, agent);
                }
            }
            Said::Event(Event::LegCreated { leg, command, .. }) => {
                legs.insert(*leg, *command);
            }
            // Or is somebody else's from now on.
            Said::Event(Event::LegEnded { leg, .. } | Event::LegReplaced { leg, .. }) => {
                if let Some(agent) = legs.remove(leg).and_then(|dial| dials.remove(&dial)) {
                    holding.remove(&agent);
                }
            }
            Said::Event(Event::Done { command, outcome: Err(_) })
                if !legs.values().any(|dial| dial == command) =>
            {
                if let Some(agent) = dials.remove(command) {
                    holding.remove(&agent);
                }
            }
            Said::Event(_) => {}
        }
    }
}

/// Caller and dialled number are those of whoever placed the call.
pub(super) fn records_say_who_called_whom(run: &Observed, judge: &mut Judge) {
    for party in &run.reports {
        let Some(plan) = party.caller.and_then(|n| run.scenario.callers.get(n)) else { continue };
        let of_call = |record: &&CallRecord| {
            record.legs.first().is_some_and(|leg| leg.sip_call_id == party.report.sip_call_id)
        };
        let Some(record) = run.records.iter().map(|(_, record)| record).find(of_call) else { continue };
        judge.looked();
        if record.from.number != plan.from || record.dialled != plan.goal.number() {
            let (from, to) = (&record.from.number, &record.dialled);
            judge.fail(format!(
                "{} called {}, the record has {from} and {to}",
                plan.from,
                plan.goal.number()
            ));
        }
    }
}

/// In fair weather no packet is lost, and all but those around answer and end are counted: as received, or as refused
/// when they came before the answer that announced them. (A hold may change the codec under way, and so may we.)
pub(super) fn records_count_the_packets(run: &Observed, judge: &mut Judge) {
    const AT_THE_EDGES: u64 = 10;
    if run.scenario.weather != Weather::FINE {
        return;
    }
    let calls = Calls::of(run);
    for leg in run.records.iter().flat_map(|(_, record)| &record.legs).filter(|leg| leg.answered.is_some()) {
        let (Some(party), Some(media)) = (calls.party(leg), &leg.media) else { continue };
        let held = party.manner(run).is_none_or(holds);
        if held || is_offered_again(run, leg) || party.is_unbelievable(run) {
            continue;
        }
        judge.looked();
        let sent = party.report.sent.packets;
        let received = media.packets_received;
        // Strangers' packets are refused as well.
        let missing = sent.saturating_sub(received + media.packets_refused);
        if media.packets_lost != 0 || received > sent || missing > AT_THE_EDGES || media.codec.is_empty() {
            judge.fail(format!("{} sent {sent} packets, the record has {media:?}", party.party));
        }
    }
}

fn holds(manner: &Manner) -> bool {
    let consults = manner.transfer.as_ref().is_some_and(|transfer| transfer.way.consults());
    !manner.holds.is_empty() || consults
}

/// In fair weather, with room in the node, a caller without bad habits is answered at once.
pub(super) fn callers_get_through_when_nothing_is_wrong(run: &Observed, judge: &mut Judge) {
    const AT_ONCE: Duration = Duration::from_secs(1);
    if run.scenario.weather != Weather::FINE || !run.scenario.knobs.are_ample() {
        return;
    }
    for party in &run.reports {
        let Some(plan) = party.caller.and_then(|n| run.scenario.callers.get(n)) else { continue };
        let knows_password = match plan.placer {
            Placer::Carrier => true,
            Placer::Phone(place) => run.scenario.phones.get(place).is_some_and(|phone| phone.knows_password),
        };
        let polite = plan.manner.habits.is_empty() && plan.manner.patience.is_none() && knows_password;
        let report = &party.report;
        if polite && plan.goal.is_answered_here() {
            judge.looked();
            if report.answered.is_none_or(|at| at - report.began > AT_ONCE) {
                judge.fail(format!(
                    "{} was answered {:?}, status {}",
                    plan.from, report.answered, report.status
                ));
            }
        }
    }
}

/// After everything that happens, no queue has both a caller for whom nobody is rung and an available agent.
pub(super) fn nobody_waits_while_an_agent_is_free(run: &Observed, judge: &mut Judge) {
    judge.judged += run.queues_looked_at;
    if let Some((at, queue)) = &run.idle_agent {
        judge.fail(format!("at {at:?} {queue}"));
    }
}
