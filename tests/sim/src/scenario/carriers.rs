//! Calls that go straight through: to a phone, and to a subscriber whose carrier has two proxies, of which the first may be
//! silent, refuse or answer too late. Drawn last, so that all else is as it was without.

use tandem_phone::{Answer, Habit, Manner};

use super::{CallerPlan, Draw, ELSEWHERE, Goal, LAST_CALL, Placer, Scenario, found_out};
use crate::configuration::{self, USERS};

/// The most calls straight through.
const MOST: u32 = 4;

impl Draw {
    pub(super) fn carriers(&mut self, scenario: &mut Scenario) {
        scenario.knobs.health = self.chance(60);
        let answers = [self.second_proxy(), self.first_proxy(), self.second_proxy()];
        scenario.subscriber = answers.map(|answer| {
            let talk = if self.chance(50) { Some(self.millis(500, 15_000)) } else { None };
            let mut manner = Manner { talk, ..self.somebody() };
            // One that answers after it was left.
            if self.chance(15) {
                manner.habits.push(Habit::Slow(self.millis(3_000, 8_000)));
            }
            let srtp = self.srtp(scenario.knobs.trunk_srtp, true);
            self.extend_manner(&mut manner);
            Manner { answer, srtp, ..manner }
        });
        let softphone = scenario.phones.iter().position(|phone| phone.user == USERS);
        for n in 0..self.millis(0, MOST.into()).as_millis() {
            let caller = self.straight_caller(scenario, n, softphone);
            scenario.callers.push(caller);
        }
    }

    fn first_proxy(&mut self) -> Answer {
        match self.millis(0, 99).as_millis() {
            0..30 => Answer::After(self.millis(0, 3_000)),
            30..60 => Answer::Ignore,
            60..80 => Answer::Refuse { after: self.millis(0, 500), status: 503 },
            80..88 => Answer::Refuse { after: self.millis(0, 3_000), status: 486 },
            _ => Answer::RingForEver,
        }
    }

    fn second_proxy(&mut self) -> Answer {
        match self.millis(0, 99).as_millis() {
            0..75 => Answer::After(self.millis(0, 3_000)),
            75..85 => Answer::Ignore,
            _ => Answer::Refuse { after: self.millis(0, 500), status: 503 },
        }
    }

    fn straight_caller(&mut self, scenario: &Scenario, n: u128, softphone: Option<usize>) -> CallerPlan {
        let goals = [Goal::Phone, Goal::Subscriber, Goal::TwoWays, Goal::TwoWays, Goal::PhoneDirectly];
        let (placer, from) = match softphone {
            Some(place) if self.chance(40) => (Placer::Phone(place), configuration::user(USERS)),
            _ => (Placer::Carrier, format!("+155503{n:02}")),
        };
        let policy = match placer {
            Placer::Carrier => scenario.knobs.trunk_srtp,
            Placer::Phone(_) => scenario.knobs.phones_srtp,
        };
        let habits = [
            Habit::NeverAcks,
            Habit::NeverAnswersBye,
            Habit::Slow(self.millis(50, 1_500)),
            Habit::CancelsTooLate,
            Habit::OffersNothing,
            Habit::SendsFrom(ELSEWHERE),
            Habit::ByesTwice,
            Habit::RepeatsEverything,
        ];
        let mut manner = Manner {
            talk: Some(self.millis(1_000, 20_000)),
            patience: if self.chance(15) { Some(self.millis(0, 9_000)) } else { None },
            habits: self.some_of(&habits),
            srtp: self.srtp(policy, false),
            ..self.somebody()
        };
        self.extend_manner(&mut manner);
        let at = self.millis(2_000, LAST_CALL.as_millis() as u64);
        let goal = self.one_of(&goals);
        CallerPlan { at, placer, from, goal, manner: found_out(manner) }
    }
}
