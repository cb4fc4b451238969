//! Who talked to whom and when, by what switch and control plane said to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tandem_control_api::{
    CallId, Command, CommandId, Event, LegId, MediaPath, Outcome, Request, Role, TransferTo,
};

use crate::watched::Said;
use crate::world::Observed;

/// Two legs that heard each other for a while; one leg twice is an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Talk {
    pub(super) legs: [LegId; 2],
    pub(super) from: Duration,
    pub(super) until: Duration,
    /// Whether a transfer put them together.
    pub(super) by_transfer: bool,
}

impl Talk {
    /// The other leg of this one.
    pub(super) fn other(&self, leg: LegId) -> Option<LegId> {
        match self.legs {
            [a, b] if a == leg => Some(b),
            [a, b] if b == leg => Some(a),
            _ => None,
        }
    }
}

/// A leg that heard another one in a conference for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hearing {
    pub(super) listener: LegId,
    pub(super) speaker: LegId,
    pub(super) from: Duration,
    pub(super) until: Duration,
}

/// Everything that was said of a run, in one place.
#[derive(Debug, Default)]
pub(super) struct Talks {
    pub(super) all: Vec<Talk>,
    pub(super) in_conferences: Vec<Hearing>,
    /// Legs that something was played to, also while they were transferred.
    pub(super) prompted: BTreeSet<LegId>,
    /// Calls whose media passes the node, and the legs that were dialled in them.
    pub(super) direct: (BTreeSet<CallId>, BTreeSet<LegId>),
}

impl Talks {
    /// Whether two send each other their media themselves.
    pub(super) fn is_direct(&self, talk: &Talk) -> bool {
        talk.legs.iter().any(|leg| self.direct.1.contains(leg))
    }
}

impl Talks {
    pub(super) fn of(run: &Observed) -> Self {
        let mut reader = Reader::default();
        for (at, said) in &run.control {
            match said {
                Said::Request(request) => reader.asked(*at, request),
                Said::Event(event) => reader.told(*at, event),
            }
        }
        let end = run.control.last().map_or(Duration::ZERO, |(at, _)| *at);
        let open: Vec<LegId> = reader.open.keys().copied().collect();
        open.into_iter().for_each(|leg| reader.close(end, leg));
        reader.conferences.clear();
        reader.confer(end);
        reader.talks
    }
}

#[derive(Debug, Default)]
struct Reader {
    talks: Talks,
    /// Under both of their legs.
    open: BTreeMap<LegId, Talk>,
    bridges: BTreeMap<CommandId, (LegId, LegId)>,
    transfers: BTreeMap<CommandId, Transfer>,
    joins: BTreeMap<CommandId, (LegId, CallId, Role)>,
    conferences: BTreeMap<CallId, BTreeMap<LegId, Role>>,
    /// Listener and speaker, and since when.
    hearings: BTreeMap<(LegId, LegId), Duration>,
    direct: BTreeSet<CommandId>,
    ended: BTreeSet<LegId>,
}

#[derive(Debug)]
struct Transfer {
    transferor: LegId,
    transferee: LegId,
    were_talking: bool,
}

impl Reader {
    fn asked(&mut self, at: Duration, request: &Request) {
        match &request.command {
            Command::Bridge { a, b } => drop(self.bridges.insert(request.id, (*a, *b))),
            Command::Dial { call, media: MediaPath::Direct, .. } => {
                self.talks.direct.0.insert(*call);
                self.direct.insert(request.id);
            }
            Command::Join { leg, call, role, .. } => {
                self.joins.insert(request.id, (*leg, *call, *role));
            }
            Command::Unbridge { leg } => self.close(at, *leg),
            Command::Play { leg, .. } => drop(self.talks.prompted.insert(*leg)),
            Command::Transfer { leg, transferee, to } => {
                let were_talking = self.open.get(leg).and_then(|talk| talk.other(*leg)) == Some(*transferee);
                let transfer = Transfer { transferor: *leg, transferee: *transferee, were_talking };
                self.transfers.insert(request.id, transfer);
                self.talks.prompted.insert(*transferee);
                self.close(at, *leg);
                if let TransferTo::Party { consulted_on, .. } = to {
                    self.close(at, *consulted_on);
                }
            }
            _ => {}
        }
    }

    fn told(&mut self, at: Duration, event: &Event) {
        match event {
            Event::LegEnded { leg, .. } => {
                self.close(at, *leg);
                self.ended.insert(*leg);
            }
            Event::LegCreated { leg, command, .. } if self.direct.contains(command) => {
                self.talks.direct.1.insert(*leg);
            }
            Event::Done { command, outcome } => {
                if let (Some((a, b)), Ok(_)) = (self.bridges.remove(command), outcome) {
                    self.open(at, [a, b], false);
                }
                if let (Some((leg, call, role)), Ok(_)) = (self.joins.remove(command), outcome)
                    && !self.ended.contains(&leg)
                {
                    self.close(at, leg);
                    self.conferences.entry(call).or_default().insert(leg, role);
                    self.confer(at);
                }
                if let Some(transfer) = self.transfers.remove(command) {
                    match outcome {
                        Ok(Outcome::Transferred { leg }) if *leg != transfer.transferee => {
                            self.open(at, [transfer.transferee, *leg], true);
                        }
                        Err(_) if transfer.were_talking => {
                            self.open(at, [transfer.transferor, transfer.transferee], false);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, at: Duration, legs: [LegId; 2], by_transfer: bool) {
        let [a, b] = legs;
        if self.open.get(&a).and_then(|talk| talk.other(a)) == Some(b)
            || legs.iter().any(|leg| self.ended.contains(leg))
        {
            return;
        }
        for leg in legs {
            self.close(at, leg);
        }
        for leg in legs {
            self.open.insert(leg, Talk { legs, from: at, until: at, by_transfer });
        }
    }

    /// Who hears whom in conferences from now on: whoever is heard by all, by all others; a coach by one (`Role`).
    fn confer(&mut self, at: Duration) {
        let pairs = |members: &BTreeMap<LegId, Role>| {
            let heard_by = |speaker: LegId, role: Role| {
                members.keys().copied().filter(move |listener| match role {
                    Role::Party => *listener != speaker,
                    Role::Monitor => false,
                    Role::Coach { leg } => *listener == leg && leg != speaker,
                })
            };
            let pairs = members.iter().flat_map(|(speaker, role)| {
                heard_by(*speaker, *role).map(move |listener| (listener, *speaker))
            });
            pairs.collect::<Vec<_>>()
        };
        let now: BTreeSet<(LegId, LegId)> = self.conferences.values().flat_map(pairs).collect();
        let over: Vec<_> = self.hearings.keys().filter(|pair| !now.contains(pair)).copied().collect();
        for (listener, speaker) in over {
            let Some(from) = self.hearings.remove(&(listener, speaker)) else { continue };
            self.talks.in_conferences.push(Hearing { listener, speaker, from, until: at });
        }
        for pair in now {
            self.hearings.entry(pair).or_insert(at);
        }
    }

    /// Whatever the leg hears is over.
    fn close(&mut self, at: Duration, leg: LegId) {
        let seated =
            self.conferences.values_mut().map(|members| members.remove(&leg)).filter(Option::is_some);
        if seated.count() > 0 {
            self.confer(at);
        }
        let Some(talk) = self.open.remove(&leg) else { return };
        if let Some(other) = talk.other(leg) {
            self.open.remove(&other);
        }
        self.talks.all.push(Talk { until: at, ..talk });
    }
}
