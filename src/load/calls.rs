//! The scenarios that make calls: who calls whom, who speaks, and whether a call went well.

use std::collections::BTreeMap;
use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use tandem_phone::{
    Answer, CallKey, Event, Manner, Media, Phone, Place, Report, Side, Srtp, Step as CallStep,
};
use tandem_phone_net::{Happening, LiveCrowd};

use super::arguments::Plan;
use super::media::{Role, Streams};
use super::own_node;
use super::parties::{self, Part};
use super::scenario::Scenario;
use super::tally::{Step, Tally};
use super::voices::{Expected, Voices, answer_hz, caller_hz};

/// The number of the first caller who does not speak, and how many there are.
const FIRST_NUMBER: u64 = 2_000_000;
const NUMBERS: u64 = 8_000_000;

/// A call to be made.
struct Placed {
    place: Place,
    number: String,
    to: String,
    manner: Manner,
}

/// A call of ours that is not over.
#[derive(Debug)]
struct Open {
    n: u64,
    role: Role,
    voice: Option<usize>,
    number: String,
    answered: bool,
    /// The called carrier has told what it heard, or was never asked.
    other_side_told: bool,
    /// Our side is over: BYE answered, or nothing to be answered.
    released: bool,
    /// The first thing that went wrong.
    wrong: Option<String>,
    heard: bool,
}

/// Calls that go on, and what the next ones are like.
pub(super) struct Calls {
    callers: Vec<Place>,
    answerer: Option<Place>,
    /// Where those who do not listen say they are: nobody reads it.
    _elsewhere: UdpSocket,
    to: String,
    caller: String,
    silent: Manner,
    hold: Duration,
    concurrent: usize,
    voices: Voices,
    open: BTreeMap<(Place, CallKey), Open>,
    of_voice: BTreeMap<usize, (Place, CallKey)>,
    /// Calls that came to the called carrier and go on there.
    called: usize,
    /// Of every call, where every packet is checked.
    streams: Option<Streams>,
    /// Who joins those who talk to each other.
    third: Option<Place>,
    /// The numbers of the calls that came to the called carrier.
    came: BTreeMap<CallKey, u64>,
    /// When calls left that have not come out at the called carrier, by the caller's number.
    on_the_way: BTreeMap<String, Duration>,
}

impl Calls {
    pub(super) fn new(plan: &Plan, crowd: &mut LiveCrowd) -> io::Result<Self> {
        let ip = plan.from.first().map_or(plan.target, |first| *first).ip();
        let elsewhere = UdpSocket::bind((ip, 0))?;
        let srtp = if plan.scenario == Scenario::SrtpCall { Srtp::Required } else { Srtp::Off };
        let streams = if plan.scenario.streams() { Some(Streams::start(plan)?) } else { None };
        let silent = Manner {
            media: Media::Elsewhere(elsewhere.local_addr()?),
            talk: streams.is_none().then_some(plan.hold),
            patience: Some(plan.timeout),
            srtp,
            // Who calls is not called: a node that rings here was told another address than --answer-at.
            answer: Answer::Refuse { after: Duration::ZERO, status: 480 },
            ..Manner::polite(0, Duration::ZERO)
        };
        let (ours, theirs) = parties::split(&plan.media_ports);
        let mut callers = Vec::new();
        for (n, address) in plan.from.iter().enumerate() {
            // Those that speak all sit at the first address.
            let ports = if n == 0 { ours.clone() } else { 0..=0 };
            let part = Part { user: "load", address: *address, media_ports: ports, manner: silent.clone() };
            callers.push(parties::add(plan, crowd, n as u64, part)?);
        }
        let expected = match (plan.scenario, plan.answer_at, plan.hear) {
            (Scenario::Echo, _, _) => Expected::Own,
            (_, Some(_), _) => Expected::OfTheOtherSide,
            (_, None, Some(hz)) => Expected::Tone(hz),
            (_, None, None) => Expected::AnySound,
        };
        let voices = Voices::new(plan.media, expected);
        let answerer = match plan.answer_at {
            None => None,
            Some(address) => {
                let manner = Manner { talk: None, patience: None, ..silent.clone() };
                let srtp = if plan.scenario == Scenario::Srtp { Srtp::Required } else { Srtp::Off };
                let codecs = plan.codec.map_or_else(|| manner.codecs.clone(), |codec| vec![codec]);
                let manner = Manner { answer: Answer::After(plan.ring), srtp, codecs, ..manner };
                let part = Part { user: "called", address, media_ports: theirs, manner: manner.clone() };
                let place = parties::add(plan, crowd, parties::CALLED, part)?;
                for voice in voices.all() {
                    let speaking = Manner { hz: answer_hz(voice), media: Media::Spoken, ..manner.clone() };
                    let number = number_of_voice(&plan.caller, voice);
                    crowd.act(place, |phone, _| phone.expect_caller(&number, speaking));
                }
                Some(place)
            }
        };
        let third = match plan.third {
            Some(address) => Some(parties::add_third(plan, crowd, address, silent.clone())?),
            None => None,
        };
        Ok(Self {
            streams,
            third,
            came: BTreeMap::new(),
            callers,
            answerer,
            _elsewhere: elsewhere,
            to: plan.to.clone(),
            caller: plan.caller.clone(),
            silent,
            hold: plan.hold,
            concurrent: plan.concurrent,
            voices,
            open: BTreeMap::new(),
            of_voice: BTreeMap::new(),
            called: 0,
            on_the_way: BTreeMap::new(),
        })
    }

    /// What was listened to, in words.
    pub(super) const fn listened_to(&self) -> Option<&'static str> {
        self.voices.listened_to()
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Calls that go on at either end: the called carrier hears of a BYE later than its answer comes.
    pub(super) fn unfinished(&self) -> usize {
        self.open.len() + self.called
    }

    /// Call number `n`.
    pub(super) fn begin(&mut self, crowd: &mut LiveCrowd, tally: &mut Tally, n: u64) {
        if self.open.len() >= self.concurrent {
            tally.counts.held_back += 1;
            return;
        }
        let voice = self.voices.take();
        let number = match voice {
            Some(voice) => number_of_voice(&self.caller, voice),
            None => format!("{}{:07}", self.caller, FIRST_NUMBER + n % NUMBERS),
        };
        let manner = match voice {
            Some(voice) => Manner { hz: caller_hz(voice), media: Media::Spoken, ..self.silent.clone() },
            None => self.silent.clone(),
        };
        let turn = usize::try_from(n).unwrap_or(0) % self.callers.len().max(1);
        let turn = if voice.is_some() { 0 } else { turn };
        let Some(place) = self.callers.get(turn).copied() else { return };
        let to = self.number_called(n);
        let manner = self.at_its_streams(manner, n, Role::Caller);
        if let Some(answerer) = self.answerer.filter(|_| self.streams.is_some()) {
            let answering = crowd.phone(answerer).map(|phone| phone.config().manner.clone());
            if let Some(answering) = answering {
                let answering = self.at_its_streams(answering, n, Role::Called);
                crowd.act(answerer, |phone, _| phone.expect_caller(&number, answering));
            }
        }
        let call = Placed { place, number, to, manner };
        self.place_call(crowd, tally, (n, Role::Caller), voice, call);
    }

    /// The third of a conference joins the two who talk.
    fn begin_third(&mut self, crowd: &mut LiveCrowd, tally: &mut Tally, n: u64) {
        let Some(place) = self.third else { return };
        let manner = self.at_its_streams(self.silent.clone(), n, Role::Third);
        let (number, _) = own_node::supervisor();
        let call = Placed { place, number, to: own_node::joins_room(n), manner };
        self.place_call(crowd, tally, (n, Role::Third), None, call);
    }

    fn number_called(&self, n: u64) -> String {
        if self.third.is_some() { own_node::number_of_room(n) } else { self.to.clone() }
    }

    fn at_its_streams(&self, manner: Manner, n: u64, role: Role) -> Manner {
        match self.streams.as_ref().and_then(|streams| streams.local(n, role)) {
            Some(local) => Manner { media: Media::Elsewhere(local), ..manner },
            None => manner,
        }
    }

    fn place_call(
        &mut self,
        crowd: &mut LiveCrowd,
        tally: &mut Tally,
        (n, role): (u64, Role),
        voice: Option<usize>,
        call: Placed,
    ) {
        tally.counts.begun += 1;
        let Placed { place, number, to, manner } = call;
        let Some(Some(key)) = crowd.act(place, |phone, now| phone.call(now, &number, &to, manner)) else {
            self.voices.give_back(voice);
            return tally.failed("no RTP port left");
        };
        if self.answerer.is_some() && role == Role::Caller {
            self.on_the_way.insert(number.clone(), crowd.now());
        }
        if let Some(voice) = voice {
            self.of_voice.insert(voice, (place, key));
        }
        let other_side_told = voice.is_none() || self.answerer.is_none();
        let open = Open {
            n,
            role,
            voice,
            number,
            answered: false,
            other_side_told,
            released: false,
            wrong: None,
            heard: false,
        };
        self.open.insert((place, key), open);
        tally.open(self.open.len());
    }

    pub(super) fn happened(&mut self, crowd: &mut LiveCrowd, tally: &mut Tally, happening: Happening) {
        let Happening { at, place, event } = happening;
        match event {
            Event::Answered { call } => self.answered(crowd, tally, (place, call)),
            Event::Incoming { call, from, .. } => {
                self.called += usize::from(Some(place) == self.answerer);
                if let Some(n) = self.number_of(&from) {
                    self.came.insert(call, n);
                }
                if let Some(left) = self.on_the_way.remove(&from) {
                    tally.took(Step::InviteOut, at.saturating_sub(left));
                }
            }
            Event::Step { call, step, took } => self.step(tally, (place, call), step, took),
            Event::Ended { report, .. } if Some(place) == self.answerer => {
                self.other_side_ended(tally, &report)
            }
            Event::Ended { call, report } => self.ended(tally, (place, call), &report),
            Event::Released { call, status, took } => self.released(tally, (place, call), status, took),
            _ => {}
        }
    }

    /// The media of one end begins.
    fn answered(&mut self, crowd: &mut LiveCrowd, tally: &mut Tally, (place, call): (Place, CallKey)) {
        let Some(streams) = &mut self.streams else { return };
        let end = if Some(place) == self.answerer {
            self.came.remove(&call).map(|n| (n, Role::Called))
        } else {
            self.open.get(&(place, call)).map(|open| (open.n, open.role))
        };
        let agreed = crowd.phone(place).and_then(|phone| phone.agreed(call));
        let (Some((n, role)), Some(agreed)) = (end, agreed) else { return };
        streams.answered(n, role, agreed);
        if role == Role::Caller {
            self.begin_third(crowd, tally, n);
        }
    }

    /// Which call that is, at the called carrier.
    fn number_of(&self, from: &str) -> Option<u64> {
        let number: u64 = from.strip_prefix(&self.caller)?.parse().ok()?;
        self.streams.as_ref().and_then(|_| number.checked_sub(FIRST_NUMBER))
    }

    fn step(&mut self, tally: &mut Tally, key: (Place, CallKey), step: CallStep, took: Duration) {
        let step = match step {
            CallStep::Trying => Step::InviteTrying,
            CallStep::Ringing => Step::InviteRinging,
            CallStep::Answered => Step::InviteAnswered,
            CallStep::Acknowledged => Step::AnswerAcknowledged,
        };
        tally.took(step, took);
        if step == Step::InviteAnswered
            && let Some(open) = self.open.get_mut(&key)
        {
            open.answered = true;
            tally.counts.answered += 1;
        }
    }

    fn ended(&mut self, tally: &mut Tally, key: (Place, CallKey), report: &Report) {
        let (hold, voices) = (self.hold, &self.voices);
        let Some(open) = self.open.get_mut(&key) else { return };
        if let Some(streams) = self.streams.as_ref().filter(|_| report.by != Side::Ours) {
            streams.ended(open.n);
        }
        // A BYE of ours is yet to be answered.
        open.released = report.status != 200 || report.by == Side::Theirs;
        if !open.answered {
            open.other_side_told = true;
        }
        open.wrong = open.wrong.take().or(unsuccessful(report, hold));
        if let (None, Some(voice)) = (&open.wrong, open.voice) {
            open.wrong = voices.judge(voice, report).err();
            open.heard = open.wrong.is_none();
        }
        self.finish(tally, key);
    }

    fn other_side_ended(&mut self, tally: &mut Tally, report: &Report) {
        self.called = self.called.saturating_sub(1);
        let voice = self.voices.all().find(|voice| number_of_voice(&self.caller, *voice) == report.from);
        let Some(key) = voice.and_then(|voice| self.of_voice.get(&voice)).copied() else { return };
        let verdict = voice.map_or(Ok(()), |voice| self.voices.judge_other_side(voice, report));
        let Some(open) = self.open.get_mut(&key) else { return };
        open.other_side_told = true;
        if let (None, Err(cause)) = (&open.wrong, verdict) {
            open.wrong = Some(cause);
        }
        self.finish(tally, key);
    }

    fn released(&mut self, tally: &mut Tally, key: (Place, CallKey), status: Option<u16>, took: Duration) {
        let Some(open) = self.open.get_mut(&key) else { return };
        if status.is_some() {
            tally.took(Step::ByeAnswered, took);
        }
        open.released = true;
        let wrong = match status {
            Some(200..300) => None,
            Some(status) => Some(format!("BYE: status {status}")),
            None => Some("BYE: no answer".to_owned()),
        };
        open.wrong = open.wrong.take().or(wrong);
        self.finish(tally, key);
    }

    /// Counts a call of which nothing more is to come.
    fn finish(&mut self, tally: &mut Tally, key: (Place, CallKey)) {
        if !self.open.get(&key).is_some_and(|open| open.released && open.other_side_told) {
            return;
        }
        let Some(open) = self.open.remove(&key) else { return };
        self.on_the_way.remove(&open.number);
        if let Some(voice) = open.voice {
            self.of_voice.remove(&voice);
        }
        self.voices.give_back(open.voice);
        match open.wrong {
            None => {
                tally.counts.completed += 1;
                tally.counts.audio_verified += u64::from(open.heard);
            }
            Some(cause) => tally.failed(cause),
        }
    }

    /// Calls that are neither answered nor over.
    pub(super) fn on_their_way(&self) -> usize {
        self.open.values().filter(|open| !open.answered).count()
    }

    /// Calls that are answered and not over.
    pub(super) fn up(&self) -> usize {
        self.open.len() - self.on_their_way()
    }

    /// Calls that go on: in a conference each party's is one, the called carrier's too.
    pub(super) fn talking(&self) -> u64 {
        let called = if self.third.is_some() { self.called } else { 0 };
        (self.up() + called) as u64
    }

    pub(super) const fn streams(&self) -> Option<&Streams> {
        self.streams.as_ref()
    }

    /// Ends the streams; what each heard is what becomes of its call. How many there were.
    pub(super) fn judge_streams(&mut self) -> usize {
        let Some(verdicts) = self.streams.take().map(Streams::finish) else { return 0 };
        for open in self.open.values_mut().filter(|open| open.role == Role::Caller && open.answered) {
            let verdict = verdicts.of(open.n);
            open.heard = verdict.is_ok();
            open.wrong = open.wrong.take().or(verdict.err());
        }
        verdicts.streams()
    }

    /// Everybody hangs up, or gives up.
    pub(super) fn hang_up(&mut self, crowd: &mut LiveCrowd) {
        for place in self.callers.iter().copied().chain(self.answerer).chain(self.third) {
            crowd.act(place, |phone: &mut Phone, now| {
                let calls: Vec<CallKey> = phone.live_calls().collect();
                for call in calls {
                    phone.hang_up(now, call);
                }
            });
        }
    }

    /// The time is over: what is left has failed.
    pub(super) fn give_up(&mut self, tally: &mut Tally) {
        for open in std::mem::take(&mut self.open).into_values() {
            tally.failed(match (open.wrong, open.released) {
                (Some(cause), _) => cause,
                (None, true) => "the called party told nothing: is the caller's number handed on?".to_owned(),
                (None, false) => "not over when the run was".to_owned(),
            });
        }
    }
}

fn number_of_voice(caller: &str, voice: usize) -> String {
    format!("{caller}{:07}", 1_000_000 + voice)
}

/// Why a call did not go as it should, by its signalling.
fn unsuccessful(report: &Report, hold: Duration) -> Option<String> {
    /// Who hangs up so much earlier than we would have interrupts us.
    const EARLY: Duration = Duration::from_millis(500);
    match (report.status, report.by, report.answered) {
        (200, Side::Ours, Some(_)) => None,
        (200, Side::Theirs, Some(answered)) if report.ended + EARLY >= answered + hold => None,
        (200, Side::Theirs, _) => Some("hung up by the node".to_owned()),
        (200, Side::Nobody, _) | (503, Side::Nobody, _) => Some("transport: connection lost".to_owned()),
        (0, ..) => Some("INVITE: no answer".to_owned()),
        (487, Side::Ours, _) => Some("INVITE: not answered in time".to_owned()),
        (status, ..) => Some(format!("INVITE: status {status}")),
    }
}
