//! The calls of which every packet is checked: who says what in them, who must hear it, and whether they did.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tandem_phone::Agreed;
use tandem_phone::measured::{Counts, Hears, MeasuredStream, Says};
use tandem_phone_net::{RtpStreams, StreamId, Totals};

use super::arguments::Plan;
use super::scenario::Scenario;

/// Sockets that the streams of one side share.
const SOCKETS: u16 = 4;
/// The voices of conferences, and of those who are transcoded: no two in a call have the same.
const TONES: u32 = 24;
const FIRST_HZ: u32 = 400;
const APART_HZ: u32 = 100;
/// Tones that a party of a conference listens for in vain, besides its own.
const OTHERS: u32 = 5;
/// Packets in a hundred that may sound wrong where they went through a jitter buffer, which stretches and shortens.
const BLURRED: u64 = 2;

/// Whose end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    Called,
    /// The third of a conference.
    Third,
}

impl Role {
    const fn index(self) -> u32 {
        match self {
            Self::Caller => 0,
            Self::Called => 1,
            Self::Third => 2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Caller => "the caller",
            Self::Called => "the called party",
            Self::Third => "the third party",
        }
    }
}

/// The streams of a run.
pub(super) struct Streams {
    rtp: RtpStreams,
    scenario: Scenario,
    /// Whether the prompt is ours, and known octet by octet.
    knows_prompt: bool,
    says_nothing: bool,
    /// Where each role's streams are.
    locals: BTreeMap<u32, Vec<SocketAddr>>,
    rng: ChaCha8Rng,
}

impl Streams {
    pub(super) fn start(plan: &Plan) -> io::Result<Self> {
        let caller = plan.from.first().map(SocketAddr::ip);
        let sides = [
            (Role::Caller, caller),
            (Role::Called, plan.answer_at.map(|at| at.ip())),
            (Role::Third, plan.third),
        ];
        let mut first = *plan.media_ports.start();
        let mut locals = BTreeMap::new();
        for (role, address) in sides {
            if let Some(address) = address.filter(|_| roles(plan.scenario).contains(&role)) {
                locals.insert(role.index(), ports(address, first)?);
                // Two roles may be at one address.
                first = first.saturating_add(2 * SOCKETS);
            }
        }
        let all: Vec<SocketAddr> = locals.values().flatten().copied().collect();
        Ok(Self {
            rtp: RtpStreams::start(&all)?,
            scenario: plan.scenario,
            knows_prompt: plan.start,
            says_nothing: plan.silent_callers,
            locals,
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
        })
    }

    /// Where that end of call `n` says that it is.
    pub(super) fn local(&self, n: u64, role: Role) -> Option<SocketAddr> {
        let locals = self.locals.get(&role.index())?;
        locals.get(usize::try_from(n).unwrap_or(0) % locals.len().max(1)).copied()
    }

    /// One end of call `n` is answered.
    pub(super) fn answered(&mut self, n: u64, role: Role, agreed: Agreed) {
        let (says, hears) = self.part(n, role);
        let id = stream_id(n, role);
        // Without one, the verdict says that the keys were of no use.
        if let Some(stream) = MeasuredStream::new(id, agreed, says, hears, self.rng.next_u64()) {
            self.rtp.open(id, stream);
        }
    }

    /// Call `n` is over before its time.
    pub(super) fn ended(&self, n: u64) {
        for role in roles(self.scenario) {
            self.rtp.close(stream_id(n, *role));
        }
    }

    /// All are up: from now on each must hear the others.
    pub(super) fn settle(&self) {
        self.rtp.settle();
    }

    pub(super) fn hush(&self) {
        self.rtp.hush();
    }

    pub(super) fn take_totals(&self) -> Totals {
        self.rtp.take_totals()
    }

    /// What became of the calls whose streams are open: by their number, none when all of it was right.
    pub(super) fn finish(self) -> Verdicts {
        let (scenario, counts) = (self.scenario, self.rtp.finish());
        Verdicts { scenario, counts: counts.into_iter().collect() }
    }

    fn part(&self, n: u64, role: Role) -> (Says, Hears) {
        let other = if role == Role::Caller { Role::Called } else { Role::Caller };
        match self.scenario {
            Scenario::Play if self.knows_prompt => (self.callers_voice(), Hears::Prompt),
            Scenario::Play => (self.callers_voice(), Hears::Sound),
            Scenario::Conference => {
                let hz = |role: Role| tone(3 * n as u32 + role.index());
                let own = hz(role);
                let roles = roles(Scenario::Conference).iter().filter(|it| **it != role);
                let present: Vec<u16> = roles.map(|role| hz(*role)).collect();
                let others = (0..TONES).map(|it| tone(3 * n as u32 + it)).skip(3).take(OTHERS as usize);
                (Says::Tone(own), Hears::Tones { present, absent: others.chain([own]).collect() })
            }
            Scenario::Transcode => {
                let hz = |role: Role| tone(2 * n as u32 + role.index());
                let others = (0..TONES).map(|it| tone(2 * n as u32 + it)).skip(2).take(OTHERS as usize);
                let absent = others.chain([hz(role)]).collect();
                (Says::Tone(hz(role)), Hears::Tones { present: vec![hz(other)], absent })
            }
            _ => (Says::Pattern, Hears::Pattern(stream_id(n, other))),
        }
    }

    fn callers_voice(&self) -> Says {
        if self.says_nothing { Says::Nothing } else { Says::Pattern }
    }
}

/// What the streams of a run heard.
pub(super) struct Verdicts {
    scenario: Scenario,
    counts: BTreeMap<StreamId, Counts>,
}

impl Verdicts {
    pub(super) fn streams(&self) -> usize {
        self.counts.len()
    }

    /// Whether everybody in call `n` heard what they should.
    pub(super) fn of(&self, n: u64) -> Result<(), String> {
        roles(self.scenario).iter().try_for_each(|role| {
            let counts = self.counts.get(&stream_id(n, *role)).copied();
            self.judge(counts).map_err(|wrong| format!("media: {} {wrong}", role.name()))
        })
    }

    fn judge(&self, counts: Option<Counts>) -> Result<(), &'static str> {
        let Some(counts) = counts else { return Err("agreed on none that can be used") };
        let is_blurred = matches!(self.scenario, Scenario::Conference | Scenario::Transcode);
        let forgiven = if is_blurred { counts.received * BLURRED / 100 } else { 0 };
        match counts {
            Counts { received: 0, unusable: 0, .. } => Err("heard nothing"),
            Counts { unusable: 1.., .. } => Err("got packets that are not as agreed"),
            Counts { wrong_content, .. } if wrong_content > forgiven => Err("heard something else"),
            Counts { wrong_headers: 1.., .. } => Err("got sequence numbers or timestamps that leap"),
            _ => Ok(()),
        }
    }
}

/// Who takes part in a call.
const fn roles(scenario: Scenario) -> &'static [Role] {
    match scenario {
        Scenario::Play => &[Role::Caller],
        Scenario::Conference => &[Role::Caller, Role::Called, Role::Third],
        _ => &[Role::Caller, Role::Called],
    }
}

fn stream_id(n: u64, role: Role) -> StreamId {
    4 * n as u32 + role.index()
}

fn tone(n: u32) -> u16 {
    u16::try_from(FIRST_HZ + n % TONES * APART_HZ).unwrap_or(0)
}

fn ports(address: IpAddr, first: u16) -> io::Result<Vec<SocketAddr>> {
    let first = first.next_multiple_of(2);
    let port = |n: u16| first.checked_add(2 * n).filter(|port| *port < u16::MAX);
    let ports = (0..SOCKETS).map(|n| Some(SocketAddr::new(address, port(n)?))).collect::<Option<_>>();
    ports.ok_or_else(|| io::Error::other("--media-ports: too high"))
}
