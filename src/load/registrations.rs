//! The scenario that registers: again and again, refreshed in between, removed at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use tandem_phone::{Event, Phone, Place};
use tandem_phone_net::{Happening, LiveCrowd};

use super::arguments::Plan;
use super::parties;
use super::tally::{Step, Tally};

/// Users that register.
pub(super) struct Registrations {
    places: Vec<Place>,
    concurrent: usize,
    stay: bool,
    /// Asked for by us and not answered, since then.
    open: BTreeMap<Place, Duration>,
    registered: BTreeSet<Place>,
    removing: BTreeMap<Place, Duration>,
}

impl Registrations {
    pub(super) fn new(plan: &Plan, crowd: &mut LiveCrowd) -> io::Result<Self> {
        let mut places = Vec::with_capacity(plan.users.len());
        for (n, user) in plan.users.iter().enumerate() {
            places.push(parties::add_user(plan, crowd, n, user)?);
        }
        Ok(Self {
            places,
            concurrent: plan.concurrent,
            stay: plan.stay_registered,
            open: BTreeMap::new(),
            registered: BTreeSet::new(),
            removing: BTreeMap::new(),
        })
    }

    /// How many begin when nothing else says so: each user once.
    pub(super) fn once(&self) -> u64 {
        self.places.len() as u64
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Users that are registered now.
    pub(super) fn registered(&self) -> usize {
        self.registered.len()
    }

    /// Number `n`: the users take turns; one who still waits for an answer is passed over.
    pub(super) fn begin(&mut self, crowd: &mut LiveCrowd, tally: &mut Tally, n: u64) {
        let turn = usize::try_from(n).unwrap_or(0) % self.places.len().max(1);
        let Some(place) = self.places.get(turn).copied() else { return };
        if self.open.contains_key(&place) || self.open.len() >= self.concurrent {
            tally.counts.held_back += 1;
            return;
        }
        tally.counts.begun += 1;
        self.open.insert(place, crowd.now());
        tally.open(self.open.len());
        crowd.act(place, |phone, now| phone.register(now));
    }

    pub(super) fn happened(&mut self, tally: &mut Tally, Happening { at, place, event }: Happening) {
        match event {
            Event::RegisterAnswered { status: 401 | 407, took } if self.open.contains_key(&place) => {
                tally.took(Step::RegisterChallenged, took);
            }
            Event::Registered { .. } => {
                self.registered.insert(place);
                match self.open.remove(&place) {
                    Some(since) => {
                        tally.took(Step::Registered, at.saturating_sub(since));
                        tally.counts.completed += 1;
                    }
                    None => tally.counts.refreshed += 1,
                }
            }
            Event::RegistrationFailed { status } => self.failed(tally, place, status),
            Event::Unregistered => {
                self.registered.remove(&place);
                if let Some(since) = self.removing.remove(&place) {
                    tally.took(Step::Unregistered, at.saturating_sub(since));
                    tally.counts.removed += 1;
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, tally: &mut Tally, place: Place, status: Option<u16>) {
        let what = match (self.open.remove(&place), self.removing.remove(&place)) {
            (_, Some(_)) => "de-REGISTER",
            (Some(_), None) => "REGISTER",
            (None, None) if self.registered.remove(&place) => "refresh",
            // A phone tries again what has failed before; that was counted.
            (None, None) => return,
        };
        tally.failed(match status {
            Some(503) => format!("{what}: status 503, or connection lost"),
            Some(status) => format!("{what}: status {status}"),
            None => format!("{what}: no answer"),
        });
    }

    /// Removes the contact of the next user who has one; false when there is none left.
    pub(super) fn remove_one(&mut self, crowd: &mut LiveCrowd) -> bool {
        let next = self.registered.iter().find(|place| !self.removing.contains_key(*place)).copied();
        let Some(place) = next.filter(|_| !self.stay) else { return false };
        self.registered.remove(&place);
        self.open.remove(&place);
        self.removing.insert(place, crowd.now());
        crowd.act(place, Phone::unregister);
        true
    }

    /// Contacts that are being removed.
    pub(super) fn removing(&self) -> usize {
        self.removing.len()
    }

    /// The time is over: what is left has failed.
    pub(super) fn give_up(&mut self, tally: &mut Tally) {
        for _ in std::mem::take(&mut self.open) {
            tally.failed("REGISTER: no answer");
        }
        for _ in std::mem::take(&mut self.removing) {
            tally.failed("de-REGISTER: no answer");
        }
    }
}
