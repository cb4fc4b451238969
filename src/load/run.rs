//! A run: what is due begins, what happens is counted, at the end everybody hangs up.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tandem_phone_net::{Happening, LiveCrowd, Tls};

use super::arguments::Plan;
use super::calls::Calls;
use super::pace::Pace;
use super::process::{self, Process};
use super::questions::{Flood, Questions};
use super::registrations::Registrations;
use super::scenario::Scenario;
use super::summary::{self, Measured, Summary};
use super::tally::{Counts, Second, Tally};

/// How late something may begin; what is due beyond waits for the next turn.
const MAX_AT_ONCE: u64 = 1_000;
/// How long the sockets are watched when nothing is due: also how soon Ctrl-C is noticed.
const WATCH: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);
/// How long hanging up may take after Ctrl-C.
const HASTE: Duration = Duration::from_secs(5);
/// How much longer than it should the last call may take.
const GRACE: Duration = Duration::from_secs(2);

/// What is done over and over.
pub(super) enum Work {
    Calls(Box<Calls>),
    Registrations(Registrations),
    Questions(Questions),
    Flood(Box<Flood>),
}

/// A run.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    crowd: LiveCrowd,
    pub(super) work: Work,
    pub(super) tally: Tally,
    node: Option<Process>,
    start: Duration,
    next_second: Duration,
    interrupted: &'a AtomicUsize,
}

impl<'a> Run<'a> {
    /// Binds the addresses. `interrupted` counts how often somebody pressed Ctrl-C.
    pub(super) fn new(plan: &'a Plan, interrupted: &'a AtomicUsize) -> io::Result<Self> {
        let tls =
            (plan.transport == tandem_phone::Transport::Tls).then(|| Tls::read(&plan.tls)).transpose()?;
        let mut crowd = LiveCrowd::new(plan.transport, tls)?;
        let work = match plan.scenario {
            scenario if scenario.calls() => Work::Calls(Box::new(Calls::new(plan, &mut crowd)?)),
            Scenario::Register => Work::Registrations(Registrations::new(plan, &mut crowd)?),
            Scenario::Options => Work::Questions(Questions::new(plan, &mut crowd)?),
            _ => Work::Flood(Box::new(Flood::new(plan, &mut crowd)?)),
        };
        let node = plan.pid.map(Process::new).or_else(|| Process::listening_at(plan.target));
        let tally = Tally::new(plan.scenario, node.and_then(Process::usage));
        let start = crowd.now();
        Ok(Self { plan, crowd, work, tally, node, start, next_second: SECOND, interrupted })
    }

    /// Goes through with it.
    pub(super) fn go(mut self) -> io::Result<Summary> {
        let before = self.measure();
        let begun_for = self.begin_all()?;
        let streamed = self.measure_streams(&before)?;
        let measured = self.measure();
        self.end_all()?;
        let since = self.since();
        let node = self.node.and_then(Process::usage);
        if since + SECOND > self.next_second {
            self.tally.second_over(since, self.work.open(), node);
        }
        let after = Measured { drops: self.measure().drops, own_drops: self.measure().own_drops, ..measured };
        let listened_to = match &self.work {
            Work::Calls(calls) => calls.listened_to(),
            _ => None,
        };
        let ending = summary::Ending {
            ran_for: begun_for,
            interrupted: self.interruptions() > 0,
            listened_to,
            traffic: self.crowd.traffic(),
            why_lost: self.crowd.why_lost().map(str::to_owned),
            pid: self.node.map(Process::pid),
        };
        Ok(Summary::of(self.plan, &self.tally, ending, streamed, [before, after]))
    }

    /// Begins what is due until the time, or the number, is over and all of it has ended; how long that took.
    fn begin_all(&mut self) -> io::Result<Duration> {
        let pace = Pace::new(self.plan.rate, self.plan.ramp);
        let once = match &self.work {
            Work::Registrations(registrations) => Some(registrations.once()),
            _ => None,
        };
        let last = self.plan.calls.or(once.filter(|_| self.plan.duration.is_none())).unwrap_or(u64::MAX);
        let mut n = 0;
        while self.interruptions() == 0 {
            let since = self.since();
            let duration = self.plan.duration.filter(|_| !self.plan.scenario.streams());
            let open_until = duration.unwrap_or(Duration::MAX);
            let due = pace.due(since.min(open_until)).min(last);
            let now = n..due.min(n + MAX_AT_ONCE);
            n = n.max(now.end);
            for number in now {
                self.tally.late.record(self.since().saturating_sub(pace.at(number)));
                self.begin(number);
            }
            let is_over = n >= last || pace.at(n) >= open_until;
            if is_over && n >= due {
                return self.await_end(since);
            }
            self.turn(self.since().max(pace.at(n)))?;
        }
        Ok(self.since())
    }

    /// No more begin: waits until the last one has ended, or is up where all go on together.
    fn await_end(&mut self, since: Duration) -> io::Result<Duration> {
        let patience = self.plan.timeout + self.plan.hold + self.plan.ring + GRACE;
        while self.work.awaited() > 0 && self.interruptions() == 0 && self.since() < since + patience {
            self.turn(self.since() + WATCH)?;
        }
        Ok(since)
    }

    /// Everybody hangs up, and every contact is removed.
    fn end_all(&mut self) -> io::Result<()> {
        if let Work::Calls(calls) = &mut self.work {
            calls.hang_up(&mut self.crowd);
        }
        let began = self.since();
        let pace = Pace::new(self.plan.rate.max(1_000.0), Duration::ZERO);
        let (mut removed, mut more) = (0, true);
        while more || self.work.ending() > 0 {
            let since = self.since() - began;
            if let Work::Registrations(registrations) = &mut self.work {
                while more && removed < pace.due(since) {
                    more = registrations.remove_one(&mut self.crowd);
                    removed += 1;
                }
            } else {
                more = false;
            }
            let patience = if self.interruptions() > 0 { HASTE } else { self.plan.timeout + GRACE };
            if since > patience.max(pace.at(removed) + GRACE) || self.interruptions() > 1 {
                break;
            }
            self.turn(self.since() + if more { SECOND / 1_000 } else { WATCH })?;
        }
        match &mut self.work {
            Work::Calls(calls) => calls.give_up(&mut self.tally),
            Work::Registrations(registrations) => registrations.give_up(&mut self.tally),
            Work::Questions(questions) => questions.give_up(&mut self.tally),
            Work::Flood(_) => {}
        }
        // The last messages leave, such as the answer to somebody's BYE.
        self.turn(self.since() + WATCH)
    }

    fn begin(&mut self, n: u64) {
        let (crowd, tally) = (&mut self.crowd, &mut self.tally);
        match &mut self.work {
            Work::Calls(calls) => calls.begin(crowd, tally, n),
            Work::Registrations(registrations) => registrations.begin(crowd, tally, n),
            Work::Questions(questions) => questions.begin(crowd, tally, n),
            Work::Flood(flood) => flood.begin(crowd, tally, n),
        }
    }

    /// Lets the sockets and timers have their turn, and says how it goes once a second.
    pub(super) fn turn(&mut self, until: Duration) -> io::Result<()> {
        let watch = self.since() + WATCH;
        self.crowd.turn(self.start + until.min(watch).min(self.next_second))?;
        while let Some(happening) = self.crowd.poll_happening() {
            self.happened(happening);
        }
        if self.since() >= self.next_second {
            self.take_totals();
            let node = self.node.and_then(Process::usage);
            let second = self.tally.second_over(self.since(), self.work.open(), node);
            self.next_second += SECOND;
            if !self.plan.quiet {
                self.tell(second);
            }
        }
        Ok(())
    }

    fn happened(&mut self, happening: Happening) {
        match &mut self.work {
            Work::Calls(calls) => calls.happened(&mut self.crowd, &mut self.tally, happening),
            Work::Registrations(registrations) => registrations.happened(&mut self.tally, happening),
            Work::Questions(questions) => questions.happened(&mut self.tally, happening),
            Work::Flood(_) => {}
        }
    }

    fn tell(&self, second: Second) {
        let Counts { answered, completed, failed, .. } = self.tally.counts;
        let p99 = second.p99_ms.map_or_else(|| "–".to_owned(), |p99| format!("{p99:.1} ms"));
        let cpu = second.cpu_percent.map_or_else(String::new, |cpu| format!("  node {cpu:.0} % CPU"));
        let going_well = match &self.work {
            Work::Calls(_) if self.plan.scenario.streams() => format!(
                "up {}  {} packets/s  {} wrong  delay p99 {:.2} ms ",
                second.open,
                second.packets,
                second.lost,
                second.delay_p99_ms.unwrap_or(0.0)
            ),
            Work::Calls(_) => format!("up {}  answered {answered}", second.open),
            Work::Registrations(registrations) => {
                format!("registered {}  done {completed}", registrations.registered())
            }
            Work::Questions(_) => format!("answered {completed}"),
            Work::Flood(_) => format!("sent {completed}  came back {}", self.crowd.traffic().received),
        };
        // Nobody has to look at the progress.
        let _ = writeln!(
            io::stderr(),
            "{:5.0} s  {}/s  {going_well}  failed {failed}  p99 {p99}{cpu}",
            second.at_s,
            second.begun,
        );
    }

    pub(super) fn since(&self) -> Duration {
        self.crowd.now().saturating_sub(self.start)
    }

    pub(super) fn interruptions(&self) -> usize {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// What streams counted since this was asked last.
    pub(super) fn take_totals(&mut self) {
        if let Work::Calls(calls) = &self.work
            && let Some(streams) = calls.streams()
        {
            self.tally.streamed(&streams.take_totals());
        }
    }

    pub(super) fn measure(&self) -> Measured {
        let own = self.plan.from.iter().chain(&self.plan.answer_at).map(|address| address.port());
        Measured {
            at: self.since(),
            node: self.node.and_then(Process::usage),
            ours: Process::ours().usage().unwrap_or_default(),
            drops: process::receive_drops(&[self.plan.target.port()]),
            own_drops: process::receive_drops(&own.collect::<Vec<_>>()),
        }
    }
}

impl Work {
    /// Those that go on.
    fn open(&self) -> usize {
        match self {
            Self::Calls(calls) => calls.open(),
            Self::Registrations(registrations) => registrations.open(),
            Self::Questions(questions) => questions.open(),
            Self::Flood(_) => 0,
        }
    }

    /// Those that are waited for before it is over.
    fn awaited(&self) -> usize {
        match self {
            Self::Calls(calls) if calls.streams().is_some() => calls.on_their_way(),
            _ => self.unfinished(),
        }
    }

    /// Those that go on anywhere.
    fn unfinished(&self) -> usize {
        match self {
            Self::Calls(calls) => calls.unfinished(),
            _ => self.open(),
        }
    }

    /// Those that are being ended.
    fn ending(&self) -> usize {
        match self {
            Self::Registrations(registrations) => registrations.removing(),
            Self::Calls(calls) => calls.unfinished(),
            Self::Questions(_) | Self::Flood(_) => 0,
        }
    }
}
