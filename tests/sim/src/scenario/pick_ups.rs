//! Colleagues who dial the code of pick-up while phones ring, too late or in vain: from randomness of their own, so that all
//! else is as it was without.

use std::time::Duration;

use tandem_phone::{Answer, Habit, Manner};

use super::conferences::unused_voices;
use super::{CallerPlan, Draw, ELSEWHERE, Goal, LAST_CALL, Placer, Scenario, found_out};
use crate::configuration::{self, COLLEAGUES};

/// Of a hundred runs in so many somebody picks up.
const RUNS_PERCENT: u32 = 40;
/// How often in one.
const TIMES: usize = 4;
/// Who calls, who picks up, and the phone on which that is done.
const VOICES: usize = 2 * TIMES + 1;
/// Who does, of those who may.
const PICKER: u16 = COLLEAGUES[1];

/// Has a colleague try to take calls, a little after somebody has called.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut draw = Draw::on_stream(scenario.seed, 11, unused_voices(scenario));
    if !draw.chance(RUNS_PERCENT) || draw.frequencies.len() < VOICES {
        return;
    }
    let picker = draw.phone_of(scenario, PICKER);
    // The phones of those who are picked up for ring long enough.
    for phone in scenario.phones.iter_mut().filter(|phone| COLLEAGUES.contains(&phone.user)) {
        if draw.chance(80) && matches!(phone.manner.answer, Answer::After(_)) {
            phone.manner.answer = Answer::After(draw.millis(2_000, 5_000));
        }
    }
    for n in 0..TIMES {
        let caller = draw.rings_a_colleague(scenario, n);
        let at = caller.at + draw.millis(300, 3_000);
        let picks_up = draw.picks_up(scenario, picker, at);
        scenario.callers.extend([caller, picks_up]);
    }
}

impl Draw {
    fn rings_a_colleague(&mut self, scenario: &Scenario, n: usize) -> CallerPlan {
        let hz = self.voice();
        let manner = Manner {
            talk: Some(self.millis(3_000, 15_000)),
            patience: if self.chance(30) { Some(self.millis(500, 6_000)) } else { None },
            srtp: self.srtp(scenario.knobs.trunk_srtp, false),
            ..Manner::polite(hz, Duration::ZERO)
        };
        let at = self.millis(6_000, LAST_CALL.as_millis() as u64);
        let (placer, from) = (Placer::Carrier, format!("+155504{n:02}"));
        CallerPlan { at, placer, from, goal: Goal::Phone, manner }
    }

    fn picks_up(&mut self, scenario: &Scenario, picker: usize, at: Duration) -> CallerPlan {
        let habits = [Habit::Slow(self.millis(50, 1_500)), Habit::SendsFrom(ELSEWHERE), Habit::ByesTwice];
        let hz = self.voice();
        let manner = Manner {
            talk: Some(self.millis(2_000, 12_000)),
            srtp: self.srtp(scenario.knobs.phones_srtp, false),
            habits: self.some_of(&habits),
            ..Manner::polite(hz, Duration::ZERO)
        };
        let (placer, from) = (Placer::Phone(picker), configuration::user(PICKER));
        CallerPlan { at, placer, from, goal: Goal::PickUp, manner: found_out(manner) }
    }
}
