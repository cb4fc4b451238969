//! Who makes a conference of a consultation, and whom a supervisor listens to, coaches and joins: from randomness of its
//! own, so that all else is as it was without.

use std::time::Duration;

use tandem_phone::{Habit, Manner, Transfer, TransferWay, Transport};

use super::{
    CallerPlan, Draw, ELSEWHERE, Goal, LAST_CALL, PhonePlan, Placer, Scenario, Supervision, found_out,
};
use crate::configuration::{self, CONFERENCE_CODE, USERS};
use crate::voices::party_frequencies;

/// Of a hundred runs so many have conferences.
const RUNS_PERCENT: u32 = 40;
/// Of a hundred agents who transfer nobody.
const AGENTS_PERCENT: u32 = 70;
/// How often a supervisor looks in; most agents talk to nobody at the time.
const LOOKS_IN: usize = 12;

/// Gives agents and a supervisor their conferences.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut draw = Draw::on_stream(scenario.seed, 6, unused_voices(scenario));
    scenario.knobs.confers = draw.chance(RUNS_PERCENT);
    if !scenario.knobs.confers {
        return;
    }
    let users: Vec<u16> = scenario.phones.iter().map(|phone| phone.user).collect();
    for phone in &mut scenario.phones {
        let colleagues: Vec<u16> = users.iter().copied().filter(|user| *user != phone.user).collect();
        draw.confer(&mut phone.manner, &colleagues);
    }
    if users.is_empty() || draw.frequencies.is_empty() {
        return;
    }
    let place = draw.phone_of(scenario, USERS);
    for _ in 0..LOOKS_IN.min(draw.frequencies.len()) {
        let caller = draw.looks_in(scenario, place, &users);
        scenario.callers.push(caller);
    }
}

pub(super) fn unused_voices(scenario: &Scenario) -> Vec<u16> {
    let used: Vec<u16> = scenario.voices().collect();
    party_frequencies().filter(|hz| !used.contains(hz)).collect()
}

impl Draw {
    /// An agent who transfers nobody may ask a colleague, and make three of the two calls.
    fn confer(&mut self, manner: &mut Manner, colleagues: &[u16]) {
        let wanted = self.chance(AGENTS_PERCENT) && !colleagues.is_empty();
        let (after, talks) = (self.millis(1_000, 4_000), self.millis(1_500, 4_000));
        if wanted && manner.transfer.is_none() && manner.holds.is_empty() {
            let to = configuration::user(self.one_of(colleagues));
            let way = TransferWay::Conference { talks, code: CONFERENCE_CODE };
            manner.transfer = Some(Transfer { after, to, way });
            manner.keys.clear();
            manner.talk = manner.talk.map(|talk| talk + after + Duration::from_secs(12));
        }
    }

    /// The place of the phone at which a user is sure to be: it is there early, knows its password and stays.
    pub(super) fn phone_of(&mut self, scenario: &mut Scenario, user: u16) -> usize {
        let is_its = |phone: &PhonePlan| phone.host == user;
        let place = scenario.phones.iter().position(is_its).unwrap_or_else(|| {
            let hz = self.voice();
            scenario.phones.push(PhonePlan {
                user,
                host: user,
                registers_at: Duration::from_secs(1),
                leaves_at: None,
                over: Transport::Udp,
                breaks: None,
                knows_password: true,
                manner: Manner {
                    srtp: self.srtp(scenario.knobs.phones_srtp, true),
                    ..Manner::polite(hz, Duration::from_secs(1))
                },
            });
            scenario.phones.len() - 1
        });
        if let Some(phone) = scenario.phones.get_mut(place) {
            (phone.user, phone.knows_password, phone.leaves_at) = (user, true, None);
        }
        place
    }

    fn looks_in(&mut self, scenario: &Scenario, place: usize, users: &[u16]) -> CallerPlan {
        let what = self.one_of(&[Supervision::Monitor, Supervision::Coach, Supervision::Barge]);
        let goal = Goal::Supervision(what, self.one_of(users));
        // What it is in the call changes every three seconds.
        let changes = self.millis(0, 3).as_millis() as u32;
        let keys = (1..=changes)
            .map(|n| (Duration::from_secs(3) * n, self.one_of(&["4", "5", "6"]).to_owned()))
            .collect();
        let habits = [Habit::Slow(self.millis(50, 1_500)), Habit::SendsFrom(ELSEWHERE), Habit::ByesTwice];
        let hz = self.voice();
        let manner = Manner {
            talk: Some(self.millis(3_000, 15_000)),
            keys,
            srtp: self.srtp(scenario.knobs.phones_srtp, false),
            habits: self.some_of(&habits),
            ..Manner::polite(hz, Duration::ZERO)
        };
        let at = self.millis(8_000, LAST_CALL.as_millis() as u64);
        let from = configuration::user(USERS);
        CallerPlan { at, placer: Placer::Phone(place), from, goal, manner: found_out(manner) }
    }
}
