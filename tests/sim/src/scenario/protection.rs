//! Who protects its media.

use tandem_phone::Srtp;
use tandem_sbc::user_agent::SrtpPolicy;

use super::{Draw, Placer, Scenario};

impl Draw {
    pub(super) fn srtp_policy(&mut self) -> SrtpPolicy {
        self.one_of(&[SrtpPolicy::Off, SrtpPolicy::Off, SrtpPolicy::Offered, SrtpPolicy::Required])
    }

    /// How a party protects its media, so that it gets on with the node. Who is called without must not insist.
    pub(super) fn srtp(&mut self, policy: SrtpPolicy, called: bool) -> Srtp {
        match policy {
            SrtpPolicy::Off => Srtp::Off,
            SrtpPolicy::Required => Srtp::Required,
            SrtpPolicy::Offered if called => self.one_of(&[Srtp::Off, Srtp::Offered]),
            SrtpPolicy::Offered => self.one_of(&[Srtp::Off, Srtp::Offered, Srtp::Required]),
        }
    }

    /// Protects everybody's media as the node's knobs allow.
    pub(super) fn protect(&mut self, scenario: &mut Scenario) {
        let (trunk, phones) = (scenario.knobs.trunk_srtp, scenario.knobs.phones_srtp);
        for phone in &mut scenario.phones {
            phone.manner.srtp = self.srtp(phones, true);
        }
        for agent in &mut scenario.outside_agents {
            agent.manner.srtp = self.srtp(trunk, true);
        }
        for caller in &mut scenario.callers {
            let policy = match caller.placer {
                Placer::Carrier => trunk,
                Placer::Phone(_) => phones,
            };
            caller.manner.srtp = self.srtp(policy, false);
        }
    }
}
