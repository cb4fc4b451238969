//! What is going to happen in a run, all of it drawn from the seed before the run begins.

mod carriers;
mod codecs;
mod conferences;
mod extensions;
mod goal;
mod hand_backs;
mod links;
mod listening;
mod naming;
mod packets;
mod pick_ups;
mod protection;
mod recording;
mod silence;
mod strangers;
mod transfers;
mod vanishing;

pub use self::goal::{Goal, Supervision};

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Answer, Codec, Habit, Manner, Transport};
use tandem_sbc::user_agent::{
    AudioCodec, ExtendedReports, Repacketise, SessionIdPolicy, SessionTimers, SrtpPolicy,
};

use crate::configuration::{self, USERS};
use crate::connection;
use crate::network::{Link, Partition, Weather};
use crate::registrar::RegistrarPlan;
use crate::rogue::{self, RoguePlan};
use crate::voices::party_frequencies;

/// Nobody begins a call after this.
const LAST_CALL: Duration = Duration::from_secs(45);
/// The longest conversation.
const LONGEST_TALK: Duration = Duration::from_secs(30);
/// From here on the network is fine, and everybody who still talks hangs up.
pub(crate) const HEALS_AT: Duration = Duration::from_secs(80);
/// After that everything must be settled within this: a vanished party is noticed by its silence (20 s), its BYE
/// gives up after 32 s, and what that sets off may take another 32 s.
pub(crate) const SETTLES_WITHIN: Duration = Duration::from_secs(120);

/// Somebody on no list.
pub(crate) const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 99));
/// From where parties send RTP that must not be believed.
pub(crate) const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));

/// What is decided about the node.
#[derive(Clone, Debug)]
pub struct Knobs {
    /// The most calls at a time.
    pub max_calls: u32,
    /// How many RTP and RTCP ports it has.
    pub media_ports: u16,
    /// The worker's slots.
    pub max_endpoints: usize,
    /// How often a port turns out to be taken.
    pub bind_failures_permille: u32,
    /// The trunk's concurrent calls.
    pub trunk_max_calls: u32,
    /// The trunk's new calls a second.
    pub trunk_max_calls_per_second: u32,
    /// When its unchanged configuration is read again, which must change nothing.
    pub reloads_at: Option<Duration>,
    /// When it refuses new calls from.
    pub drains_at: Option<Duration>,
    /// Silence that ends a leg.
    pub media_timeout: Duration,
    /// Whether media with the carrier is protected.
    pub trunk_srtp: SrtpPolicy,
    /// Whether media with softphones is protected.
    pub phones_srtp: SrtpPolicy,
    /// How long sessions last without being refreshed.
    pub session_timers: SessionTimers,
    /// Whether whoever is put on hold hears music.
    pub hold_music: bool,
    /// Whether the carrier is asked to transfer its own callers to its own numbers.
    pub refer_out: bool,
    /// Whether it is asked to join two callers of its own that an agent has put together.
    pub refer_out_attended: bool,
    /// Whether the carrier's two proxies are asked whether they are there.
    pub health: bool,
    /// Whether the node registers with a carrier.
    pub registers: bool,
    /// Whether it is found out what answers at the carrier.
    pub listens: bool,
    /// The codecs that are spoken with carriers, and with phones; G.711 as the other side has it when empty.
    pub codecs: [Vec<AudioCodec>; 2],
    /// Whether packets of another length than a party asks for are relayed to it.
    pub repacketise: Repacketise,
    /// Whether pauses are described (RFC 3389) by the node and by parties that do it, too.
    pub comfort_noise: bool,
    /// Who tells whom how it is heard.
    pub rtcp_xr: ExtendedReports,
    /// How often who is on hold is asked whether it is there.
    pub alive_check: Duration,
    /// Whether calls of its carriers are recorded.
    pub records: bool,
    /// Whether phones can have their conversations recorded.
    pub records_by_key: bool,
    /// Whether phones can make conferences, and the last user may listen, coach and join in.
    pub confers: bool,
    /// Whether parties are asked for codecs that need no transcoding.
    pub codec_change: bool,
    /// Whether some callers of the carrier's are turned away.
    pub screens: bool,
    /// Whether carriers hear who is at the other end.
    pub session_id: SessionIdPolicy,
}

impl Knobs {
    /// Whether nobody should ever find the node full.
    #[must_use]
    pub const fn are_ample(&self) -> bool {
        self.max_calls >= 100
            && self.media_ports >= 400
            && self.max_endpoints >= 256
            && self.bind_failures_permille <= 10
            && self.trunk_max_calls >= 100
            && self.trunk_max_calls_per_second >= 50
            && self.drains_at.is_none()
    }
}

/// One run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// The node.
    pub knobs: Knobs,
    /// The network until it heals.
    pub weather: Weather,
    /// Where it is better, each way for itself; nowhere worse.
    pub links: Vec<Link>,
    /// Of a thousand packets to the node, so many arrive with a few octets changed.
    pub mangled_permille: u32,
    /// Who is cut off when.
    pub partitions: Vec<Partition>,
    /// The softphones.
    pub phones: Vec<PhonePlan>,
    /// The outside agents, `sales` before `support`.
    pub outside_agents: Vec<OutsideAgent>,
    /// How [`Goal::Subscriber`] answers, and [`Goal::TwoWays`] at the carrier's first proxy and at its second.
    pub subscriber: [Manner; 3],
    /// The callers.
    pub callers: Vec<CallerPlan>,
    /// What strangers send.
    pub strangers: Vec<StrangerPlan>,
    /// The registrar that the node registers with, if it does.
    pub registrar: Option<RegistrarPlan>,
    /// Who means harm.
    pub rogues: Vec<RoguePlan>,
}

/// A softphone and its user.
#[derive(Clone, Debug)]
pub struct PhonePlan {
    /// 1 is user 1001. Two phones may be of one user.
    pub user: u16,
    /// Which host it is: 1 is the first.
    pub host: u16,
    /// When it registers.
    pub registers_at: Duration,
    /// When it unregisters, if it does.
    pub leaves_at: Option<Duration>,
    /// What carries its SIP.
    pub over: Transport,
    /// When its connection breaks, and for how long there is none.
    pub breaks: Option<(Duration, Duration)>,
    /// Whether it knows its password.
    pub knows_password: bool,
    /// How it behaves when called.
    pub manner: Manner,
}

/// An agent at a number of the carrier.
#[derive(Clone, Debug)]
pub struct OutsideAgent {
    /// The number.
    pub number: String,
    /// Whether it serves `support` rather than `sales`.
    pub support: bool,
    /// How it behaves when called.
    pub manner: Manner,
}

/// Who places a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placer {
    /// A subscriber of the carrier.
    Carrier,
    /// A softphone, by its place in [`Scenario::phones`].
    Phone(usize),
}

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct CallerPlan {
    /// When.
    pub at: Duration,
    /// By whom.
    pub placer: Placer,
    /// The caller's number.
    pub from: String,
    /// What for.
    pub goal: Goal,
    /// How the caller behaves.
    pub manner: Manner,
}

/// What a stranger sends.
#[derive(Clone, Debug)]
pub enum StrangerPlan {
    /// A SIP message.
    Sip {
        /// When.
        at: Duration,
        /// From where.
        source: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// RTP to a port of the node for half a second.
    Rtp {
        /// When.
        at: Duration,
        /// From where.
        source: SocketAddr,
        /// Whereto.
        port: u16,
        /// Its voice.
        hz: u16,
    },
}

impl Scenario {
    /// Draws a run.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        // Fair weather, where nothing may be missing; bad; or a storm, where it only matters how it ends.
        let (fair, storm) = (seed.is_multiple_of(3), seed % 6 == 5);
        draw.bad_habits_percent = if storm { 70 } else { 25 };
        let weather = match (fair, storm) {
            (true, _) => Weather::FINE,
            (_, true) => draw.storm(),
            _ => draw.weather(),
        };
        let knobs = draw.knobs();
        let phones = draw.phones();
        let outside_agents = draw.outside_agents();
        let callers = draw.callers(&phones);
        let partitions = if fair { Vec::new() } else { draw.partitions() };
        let strangers = draw.strangers().into_iter().chain(strangers::scan()).collect();
        let mut scenario = Self {
            seed,
            knobs,
            weather,
            links: Vec::new(),
            mangled_permille: 0,
            partitions,
            phones,
            outside_agents,
            subscriber: [0; 3].map(|hz| Manner::polite(hz, Duration::ZERO)),
            callers,
            strangers,
            registrar: RegistrarPlan::of(seed),
            rogues: rogue::plans(seed),
        };
        draw.protect(&mut scenario);
        draw.extend(&mut scenario);
        draw.carriers(&mut scenario);
        scenario.knobs.registers = scenario.registrar.is_some();
        if seed % 4 == 1 {
            scenario.listen();
        }
        scenario.knobs.codec_change = seed % 4 >= 2;
        connection::connect(&mut scenario, fair);
        transfers::plan(&mut scenario);
        conferences::plan(&mut scenario);
        links::plan(&mut scenario);
        codecs::plan(&mut scenario);
        vanishing::plan(&mut scenario);
        pick_ups::plan(&mut scenario);
        hand_backs::plan(&mut scenario);
        naming::plan(&mut scenario);
        packets::plan(&mut scenario);
        silence::plan(&mut scenario);
        scenario.knobs.records = seed % 5 == 2;
        recording::plan(&mut scenario);
        scenario
    }

    pub(crate) fn agents(&self) -> configuration::Agents {
        let numbers = |support: bool| {
            let of_queue = self.outside_agents.iter().filter(|agent| agent.support == support);
            of_queue.map(|agent| agent.number.clone()).collect()
        };
        configuration::Agents { outside: [numbers(false), numbers(true)] }
    }

    /// Everybody's voices, strangers' too.
    pub(crate) fn voices(&self) -> impl Iterator<Item = u16> {
        let phones = self.phones.iter().map(|it| &it.manner);
        let agents = self.outside_agents.iter().map(|it| &it.manner);
        let callers = self.callers.iter().map(|it| &it.manner);
        let manners = phones.chain(agents).chain(callers).chain(&self.subscriber);
        let strangers = self.strangers.iter().filter_map(|stranger| match stranger {
            StrangerPlan::Rtp { hz, .. } => Some(*hz),
            StrangerPlan::Sip { .. } => None,
        });
        manners.map(|manner| manner.hz).chain(strangers)
    }

    /// Whether a host was cut off at any time between two others.
    #[must_use]
    pub fn cut_off(&self, host: IpAddr, from: Duration, until: Duration) -> bool {
        let node = crate::node::ADDRESS;
        self.partitions
            .iter()
            .any(|cut| (cut.host == host || cut.host == node) && cut.from < until && from < cut.until)
    }
}

struct Draw {
    rng: ChaCha8Rng,
    bad_habits_percent: u32,
    frequencies: Vec<u16>,
}

impl Draw {
    fn new(seed: u64) -> Self {
        Self::on_stream(seed, 1, party_frequencies().collect())
    }

    /// With randomness of its own, and these voices to give away.
    fn on_stream(seed: u64, stream: u64, frequencies: Vec<u16>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { rng, bad_habits_percent: 25, frequencies }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(from..=to))
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.rng.random_range(0..choices.len())].clone()
    }

    /// None as a rule, else one or two.
    fn some_of(&mut self, habits: &[Habit]) -> Vec<Habit> {
        if !self.chance(self.bad_habits_percent) {
            return Vec::new();
        }
        let count = if self.chance(25) { 2 } else { 1 };
        (0..count).map(|_| self.one_of(habits)).collect()
    }

    /// A voice nobody else has.
    fn voice(&mut self) -> u16 {
        let n = self.rng.random_range(0..self.frequencies.len());
        self.frequencies.swap_remove(n)
    }

    fn weather(&mut self) -> Weather {
        Weather {
            latency: self.millis(1, 60),
            jitter: self.millis(0, 80),
            loss_permille: self.rng.random_range(0..=80),
            duplicate_permille: self.rng.random_range(0..=50),
            reordered_permille: 0,
        }
    }

    fn storm(&mut self) -> Weather {
        Weather {
            latency: self.millis(1, 300),
            jitter: self.millis(0, 800),
            loss_permille: self.rng.random_range(100..=400),
            duplicate_permille: self.rng.random_range(0..=300),
            reordered_permille: 0,
        }
    }

    fn knobs(&mut self) -> Knobs {
        let tight = |draw: &mut Self, tight: u32, ample: u32| if draw.chance(8) { tight } else { ample };
        Knobs {
            max_calls: tight(self, 3, 100),
            media_ports: if self.chance(8) { 8 } else { 400 },
            max_endpoints: if self.chance(8) { 4 } else { 256 },
            bind_failures_permille: tight(self, 300, 10),
            trunk_max_calls: tight(self, 3, 100),
            trunk_max_calls_per_second: tight(self, 1, 50),
            reloads_at: if self.chance(20) { Some(self.millis(5_000, 70_000)) } else { None },
            drains_at: if self.chance(5) { Some(self.millis(20_000, 60_000)) } else { None },
            media_timeout: Duration::from_secs(20),
            trunk_srtp: self.srtp_policy(),
            phones_srtp: self.srtp_policy(),
            session_timers: extensions::NO_TIMERS,
            hold_music: false,
            refer_out: false,
            refer_out_attended: false,
            health: false,
            registers: false,
            listens: false,
            codecs: [Vec::new(), Vec::new()],
            repacketise: Repacketise::Limit,
            comfort_noise: false,
            rtcp_xr: ExtendedReports::Accept,
            alive_check: vanishing::SELDOM,
            session_id: SessionIdPolicy::Accept,
            records: false,
            records_by_key: false,
            confers: false,
            codec_change: false,
            screens: false,
        }
    }

    fn phones(&mut self) -> Vec<PhonePlan> {
        let mut plans = Vec::new();
        for host in 1..=USERS {
            if !self.chance(45) {
                continue;
            }
            // Some users have a second phone: both ring, the first to answer wins.
            let user = if host > 1 && self.chance(15) { self.rng.random_range(1..host) } else { host };
            plans.push(PhonePlan {
                user,
                host,
                registers_at: self.millis(100, 8_000),
                leaves_at: if self.chance(10) { Some(self.millis(15_000, 60_000)) } else { None },
                over: Transport::Udp,
                breaks: None,
                knows_password: !self.chance(5),
                manner: self.agent(),
            });
        }
        plans
    }

    fn outside_agents(&mut self) -> Vec<OutsideAgent> {
        let count = self.rng.random_range(0..=3);
        (0..count)
            .map(|n| {
                let number = format!("+1555019{n}");
                let (support, mut manner) = (self.chance(50), self.agent());
                extensions::redirect(&number, &mut manner);
                OutsideAgent { number, support, manner }
            })
            .collect()
    }

    fn agent(&mut self) -> Manner {
        let answer = match self.rng.random_range(0..100) {
            0..62 => Answer::After(self.millis(0, 4_000)),
            62..72 => Answer::RingForEver,
            72..88 => Answer::Refuse {
                after: self.millis(0, 3_000),
                status: self.one_of(&[486, 603, 480, 404, 500]),
            },
            88..93 => Answer::Redirect { contact: "sip:elsewhere@127.0.0.20".into() },
            93..96 => Answer::Ignore,
            _ => Answer::After(self.millis(5_800, 6_200)),
        };
        let talk = if self.chance(50) { Some(self.millis(500, 15_000)) } else { None };
        let manner = Manner { answer, talk, ..self.somebody() };
        let habits = [
            Habit::AnswersTwice,
            Habit::NeverAnswersBye,
            Habit::Slow(self.millis(50, 1_500)),
            Habit::SendsFrom(ELSEWHERE),
            Habit::ByesTwice,
            Habit::StrayAcks,
            Habit::RepeatsEverything,
            Habit::Vanishes { after: self.millis(500, 8_000) },
        ];
        found_out(Manner { habits: self.some_of(&habits), ..manner })
    }

    /// Voice, codecs, keys and holds as anybody may have them.
    fn somebody(&mut self) -> Manner {
        let codecs = self.one_of(&[
            vec![Codec::Pcmu, Codec::Pcma],
            vec![Codec::Pcma, Codec::Pcmu],
            vec![Codec::Pcmu],
            vec![Codec::Pcma],
        ]);
        let holds = if self.chance(8) {
            vec![(self.millis(500, 6_000), self.millis(500, 4_000))]
        } else {
            Vec::new()
        };
        let keys =
            if self.chance(15) { vec![(self.millis(0, 9_000), self.digits(1, 4))] } else { Vec::new() };
        let events = match self.rng.random_range(0..100) {
            0..70 => Some(101),
            70..92 => Some(self.rng.random_range(96..=127)),
            _ => None,
        };
        let hz = self.voice();
        Manner { codecs, events, holds, keys, ..Manner::polite(hz, Duration::ZERO) }
    }

    fn digits(&mut self, least: usize, most: usize) -> String {
        let count = self.rng.random_range(least..=most);
        (0..count).map(|_| self.one_of(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*'])).collect()
    }

    fn callers(&mut self, phones: &[PhonePlan]) -> Vec<CallerPlan> {
        let count = self.rng.random_range(4..=20);
        (0..count).map(|n| self.caller(n, phones)).collect()
    }

    fn caller(&mut self, n: usize, phones: &[PhonePlan]) -> CallerPlan {
        let goal = match self.rng.random_range(0..100) {
            0..35 => Goal::Menu,
            35..60 => Goal::Sales,
            60..72 => Goal::Prompt,
            72..84 => Goal::Echo,
            84..95 => Goal::ReadBack,
            95..98 => Goal::Gone,
            _ => Goal::Nowhere,
        };
        let softphone = phones.iter().position(|phone| phone.user == USERS);
        let (placer, from) = match softphone {
            Some(place) if self.chance(40) => (Placer::Phone(place), configuration::user(USERS)),
            _ => (Placer::Carrier, format!("+155502{n:02}")),
        };
        let at = self.millis(2_000, LAST_CALL.as_millis() as u64);
        let mut manner = self.somebody();
        manner.talk = Some(self.millis(200, LONGEST_TALK.as_millis() as u64));
        manner.patience = if self.chance(12) { Some(self.millis(0, 1_500)) } else { None };
        if !self.chance(25) {
            manner.keys = self.keys_for(goal);
        }
        let habits = [
            Habit::NeverAcks,
            Habit::NeverAnswersBye,
            Habit::Slow(self.millis(50, 1_500)),
            Habit::CancelsTooLate,
            Habit::OffersNothing,
            Habit::SendsFrom(ELSEWHERE),
            Habit::ByesTwice,
            Habit::StrayAcks,
            Habit::RepeatsEverything,
            Habit::Vanishes { after: self.millis(500, 12_000) },
        ];
        manner.habits = self.some_of(&habits);
        CallerPlan { at, placer, from, goal, manner: found_out(manner) }
    }

    /// What somebody presses who knows what the number is for; sometimes at once, ahead of the prompt.
    fn keys_for(&mut self, goal: Goal) -> Vec<(Duration, String)> {
        let when = if self.chance(30) { self.millis(0, 200) } else { self.millis(500, 6_000) };
        match goal {
            Goal::Menu => match self.rng.random_range(0..100) {
                0..30 => vec![(when, "1".into())],
                30..55 => vec![(when, "2".into())],
                55..65 => vec![(when, "92".into())],
                65..85 => vec![(when, self.digits(1, 2)), (when + Duration::from_secs(5), "1".into())],
                _ => Vec::new(),
            },
            Goal::Echo => vec![(when, self.digits(1, 6))],
            Goal::ReadBack => match self.rng.random_range(0..100) {
                0..70 => vec![(when, format!("{}#", self.digits(4, 4)))],
                70..85 => vec![(when, format!("{}#", self.digits(1, 3)))],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

/// Who vanishes while it holds is missed by nobody until the call has lasted as long as it may: nothing but its
/// silence would tell, and who holds may be silent.
fn found_out(manner: Manner) -> Manner {
    let vanishes = manner.habits.iter().any(|habit| matches!(habit, Habit::Vanishes { .. }));
    if vanishes { Manner { holds: Vec::new(), ..manner } } else { manner }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Whoever is heard is known only if nobody shares a voice.
    #[test]
    fn everybody_has_a_voice_of_their_own() {
        for seed in 0..500 {
            let scenario = Scenario::of(seed);
            let phones = scenario.phones.iter().map(|it| it.manner.hz);
            let outside = scenario.outside_agents.iter().map(|it| it.manner.hz);
            let callers = scenario.callers.iter().map(|it| it.manner.hz);
            let subscriber = scenario.subscriber.iter().map(|it| it.hz);
            let voices: Vec<u16> = phones.chain(outside).chain(subscriber).chain(callers).collect();
            assert_eq!(voices.iter().collect::<BTreeSet<_>>().len(), voices.len(), "seed {seed}");
            assert!(voices.iter().all(|hz| crate::voices::PROMPTS.iter().all(|(_, prompt, _)| prompt != hz)));
        }
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let text = |seed| format!("{:?}", Scenario::of(seed));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }
}
