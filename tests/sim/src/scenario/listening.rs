//! Where it is found out what answers, and what does.

use super::Scenario;
use crate::network::Weather;
use crate::voices;

impl Scenario {
    /// What answers at outside numbers is found out; every second of them is a line that is busy although it was answered, and
    /// the first of those where nothing is lost a machine.
    pub(super) fn listen(&mut self) {
        self.knobs.listens = true;
        let is_fine = self.weather == Weather::FINE;
        for (n, agent) in self.outside_agents.iter_mut().step_by(2).enumerate() {
            let is_machine = is_fine && n == 0;
            agent.manner.says = Some(if is_machine { voices::greeting() } else { voices::busy_tone() });
        }
    }
}
