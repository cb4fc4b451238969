//! The thread: a packet time is cut into steps, each stream has its step, and between the steps what came is read.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tandem_phone::measured::{Counts, MeasuredStream, PTIME};

use super::batch::{self, Batch};
use super::{Asked, StreamId, Totals};

/// Sends are spread over a packet time in so many steps.
const STEPS: u32 = 40;
/// Totals are told every so many steps.
const TELLS: u32 = STEPS * 5;
/// Further behind than this, packets are let go: the machine slept.
const MAX_BEHIND: Duration = Duration::from_millis(100);

struct Open {
    id: StreamId,
    socket: usize,
    stream: MeasuredStream,
    /// What has been told of it.
    told: Counts,
}

/// Bound before the thread begins, so that who starts it hears what cannot be had.
pub(super) struct Sockets {
    locals: Vec<SocketAddr>,
    rtp: Vec<UdpSocket>,
    rtcp: Vec<UdpSocket>,
}

impl Sockets {
    pub(super) fn bind(locals: &[SocketAddr]) -> io::Result<Self> {
        let after = |local: &SocketAddr| SocketAddr::new(local.ip(), local.port().saturating_add(1));
        Ok(Self {
            locals: locals.to_vec(),
            rtp: locals.iter().map(|local| batch::bind(*local)).collect::<io::Result<_>>()?,
            rtcp: locals.iter().map(|local| batch::bind(after(local))).collect::<io::Result<_>>()?,
        })
    }
}

pub(super) struct Engine {
    rtp: Vec<Batch>,
    rtcp: Vec<Batch>,
    by_local: BTreeMap<SocketAddr, usize>,
    open: Vec<Option<Open>>,
    by_id: BTreeMap<StreamId, usize>,
    /// By socket and where they come from.
    by_remote: BTreeMap<(usize, SocketAddr), usize>,
    /// The streams of each step.
    steps: Vec<Vec<usize>>,
    asked: Receiver<Asked>,
    fresh: Arc<Mutex<Totals>>,
    totals: Totals,
    spare: Vec<Vec<u8>>,
    is_hushed: bool,
}

impl Engine {
    pub(super) fn new(sockets: Sockets, asked: Receiver<Asked>, fresh: Arc<Mutex<Totals>>) -> Self {
        Self {
            rtp: sockets.rtp.into_iter().map(Batch::new).collect(),
            rtcp: sockets.rtcp.into_iter().map(Batch::new).collect(),
            by_local: sockets.locals.into_iter().zip(0..).collect(),
            open: Vec::new(),
            by_id: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            steps: vec![Vec::new(); STEPS as usize],
            asked,
            fresh,
            totals: Totals::default(),
            spare: Vec::new(),
            is_hushed: false,
        }
    }

    pub(super) fn run(mut self) -> Vec<(StreamId, Counts)> {
        let mut began = Instant::now();
        let mut step: u32 = 0;
        while self.take_asked() {
            let due = began + PTIME * step / STEPS;
            let late = Instant::now().saturating_duration_since(due);
            if late > MAX_BEHIND {
                began += late;
            }
            self.speak((step % STEPS) as usize, late);
            self.listen();
            step = step.wrapping_add(1);
            if step.is_multiple_of(TELLS) {
                self.tell();
                (began, step) = (began + PTIME * (step / STEPS), 0);
            }
            let next = began + PTIME * step / STEPS;
            if let Some(left) = next.checked_duration_since(Instant::now()) {
                std::thread::park_timeout(left);
            }
        }
        self.listen();
        self.tell();
        self.open.iter().flatten().map(|open| (open.id, open.stream.counts())).collect()
    }

    /// False when it is over.
    fn take_asked(&mut self) -> bool {
        loop {
            match self.asked.try_recv() {
                Ok(Asked::Open(id, stream)) => self.begin(id, *stream),
                Ok(Asked::Close(id)) => self.end(id),
                Ok(Asked::Settle) => self.settle(true),
                Ok(Asked::Hush) => {
                    self.is_hushed = true;
                    self.settle(false);
                }
                Ok(Asked::Stop) => return false,
                Err(_) => return true,
            }
        }
    }

    fn settle(&mut self, is_settled: bool) {
        for open in self.open.iter_mut().flatten() {
            open.stream.settle(is_settled);
        }
    }

    fn begin(&mut self, id: StreamId, stream: MeasuredStream) {
        let agreed = stream.agreed();
        let Some(socket) = self.by_local.get(&agreed.local).copied() else { return };
        let place = self.open.len();
        self.by_remote.insert((socket, agreed.remote), place);
        self.by_id.insert(id, place);
        self.open.push(Some(Open { id, socket, stream, told: Counts::default() }));
        let step = place % self.steps.len();
        if let Some(step) = self.steps.get_mut(step) {
            step.push(place);
        }
    }

    fn end(&mut self, id: StreamId) {
        let place = self.by_id.remove(&id);
        let Some(open) = place.and_then(|place| self.open.get_mut(place)?.take()) else { return };
        self.totals.counts.add(&open.stream.counts().since(&open.told));
        self.by_remote.remove(&(open.socket, open.stream.agreed().remote));
        for step in &mut self.steps {
            step.retain(|it| Some(*it) != place);
        }
    }

    fn speak(&mut self, step: usize, late: Duration) {
        let Some(places) = self.steps.get(step).filter(|_| !self.is_hushed) else { return };
        for place in places {
            let Some(Some(open)) = self.open.get_mut(*place) else { continue };
            let Some(batch) = self.rtp.get_mut(open.socket) else { continue };
            let packet = batch.packet_to(open.stream.agreed().remote, self.spare.pop().unwrap_or_default());
            if open.stream.speak(now_ns(), packet) {
                self.totals.late.record(late);
            } else {
                self.spare.extend(batch.take_back());
            }
            if batch.is_full() {
                self.totals.not_sent += batch.flush(&mut self.spare);
            }
        }
        for batch in &mut self.rtp {
            self.totals.not_sent += batch.flush(&mut self.spare);
        }
    }

    fn listen(&mut self) {
        let (open, by_remote, totals) = (&mut self.open, &self.by_remote, &mut self.totals);
        for (socket, batch) in self.rtp.iter_mut().enumerate() {
            batch.receive(|source, at_ns, packet| {
                let place = by_remote.get(&(socket, source)).copied();
                match place.and_then(|place| open.get_mut(place)?.as_mut()) {
                    Some(open) => {
                        if let Some(delay) = open.stream.hear(at_ns, packet) {
                            totals.delays.record(delay);
                        }
                    }
                    None => totals.strays += 1,
                }
            });
        }
        for batch in &mut self.rtcp {
            batch.receive(|_, _, _| totals.reports += 1);
        }
    }

    fn tell(&mut self) {
        for open in self.open.iter_mut().flatten() {
            let counts = open.stream.counts();
            self.totals.counts.add(&counts.since(&open.told));
            open.told = counts;
        }
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).add(&self.totals);
        self.totals = Totals::default();
    }
}

/// The clock that the kernel's stamps are of.
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}
