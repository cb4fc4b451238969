//! The scenarios of single messages: OPTIONS that are answered, and junk that nobody waits for.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tandem_phone::{CallKey, Event, Junk, JunkKind, Manner, Place};
use tandem_phone_net::{Happening, LiveCrowd};

use super::arguments::Plan;
use super::parties::{self, Part};
use super::tally::{Step, Tally};

fn askers(plan: &Plan, crowd: &mut LiveCrowd) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    for (n, address) in plan.from.iter().enumerate() {
        let manner = Manner::polite(0, Duration::ZERO);
        let part = Part { user: "load", address: *address, media_ports: 0..=0, manner };
        places.push(parties::add(plan, crowd, n as u64, part)?);
    }
    Ok(places)
}

/// OPTIONS.
pub(super) struct Questions {
    askers: Vec<Place>,
    to: String,
    concurrent: usize,
    open: BTreeSet<(Place, CallKey)>,
}

impl Questions {
    pub(super) fn new(plan: &Plan, crowd: &mut LiveCrowd) -> io::Result<Self> {
        let askers = askers(plan, crowd)?;
        Ok(Self { askers, to: plan.to.clone(), concurrent: plan.concurrent, open: BTreeSet::new() })
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    pub(super) fn begin(&mut self, crowd: &mut LiveCrowd, tally: &mut Tally, n: u64) {
        let turn = usize::try_from(n).unwrap_or(0) % self.askers.len().max(1);
        let Some(place) = self.askers.get(turn).copied() else { return };
        let asked = (self.open.len() < self.concurrent)
            .then(|| crowd.act(place, |phone, now| phone.ask_options(now, &self.to)));
        let Some(Some(Some(key))) = asked else {
            tally.counts.held_back += 1;
            return;
        };
        tally.counts.begun += 1;
        self.open.insert((place, key));
        tally.open(self.open.len());
    }

    pub(super) fn happened(&mut self, tally: &mut Tally, happening: Happening) {
        let Event::Inquired { inquiry, status, took } = happening.event else { return };
        if !self.open.remove(&(happening.place, inquiry)) {
            return;
        }
        let Some(status) = status else { return tally.failed("OPTIONS: no answer") };
        tally.took(Step::OptionsAnswered, took);
        if status < 300 {
            tally.counts.completed += 1;
        } else {
            tally.failed(format!("OPTIONS: status {status}"));
        }
    }

    /// The time is over: what is left has failed.
    pub(super) fn give_up(&mut self, tally: &mut Tally) {
        for _ in std::mem::take(&mut self.open) {
            tally.failed("OPTIONS: no answer");
        }
    }
}

/// Junk.
pub(super) struct Flood {
    from: Vec<SocketAddr>,
    target: SocketAddr,
    kinds: Vec<JunkKind>,
    junk: Junk,
}

impl Flood {
    pub(super) fn new(plan: &Plan, crowd: &mut LiveCrowd) -> io::Result<Self> {
        // The phones own the sockets; what comes back is none of theirs.
        askers(plan, crowd)?;
        let junk = Junk::new(ChaCha8Rng::seed_from_u64(plan.seed), plan.target);
        Ok(Self { from: plan.from.clone(), target: plan.target, kinds: plan.junk.clone(), junk })
    }

    pub(super) fn begin(&mut self, crowd: &mut LiveCrowd, tally: &mut Tally, n: u64) {
        let n = usize::try_from(n).unwrap_or(0);
        let kind = self.kinds.get(n % self.kinds.len().max(1)).copied();
        let local = self.from.get(n % self.from.len().max(1)).copied();
        if let (Some(kind), Some(local)) = (kind, local) {
            crowd.send_raw(local, self.target, &self.junk.next(kind, local));
            tally.counts.begun += 1;
            tally.counts.completed += 1;
        }
    }
}
