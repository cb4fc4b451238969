//! What an operator decides about calls.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tandem_media as media;

/// The prompts of the node, by the name flows use.
pub type PromptLibrary = BTreeMap<String, Arc<media::Audio>>;

/// What an operator decides about calls.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// Our address in SDP, and where RTP sockets are bound.
    pub media_address: IpAddr,
    /// RTP and RTCP ports. Fixed for the life of the switch.
    pub media_ports: RangeInclusive<u16>,
    /// How long a port rests after a call before another one may have it.
    pub port_rest: Duration,
    /// How many media workers there are; 0 counts as 1. Fixed for the life of the switch.
    pub workers: usize,
    /// The most calls with a leg that has not ended; 503 beyond. Calls whose legs have all ended do not count, though
    /// SIP may keep their transactions for another 32 s.
    pub max_calls: u32,
    /// The most legs in a call at a time.
    pub max_legs_per_call: u8,
    /// A leg from which nothing is heard for so long is ended.
    pub media_timeout: Option<Duration>,
    /// The longest a call may last.
    pub max_call_duration: Duration,
    /// Whether phones behind NAT may send RTP from where their signalling comes.
    pub phones_behind_nat: bool,
    /// One more address that RTP of phones behind NAT may come from.
    pub phone_gateway: Option<IpAddr>,
    /// The trunks whose own calls are transferred by them, when the target is theirs too (REFER, RFC 3515).
    pub refer_out: BTreeSet<String>,
    /// The trunks that join two of their calls by themselves that were transferred to each other (REFER with Replaces,
    /// RFC 5589 §7).
    pub refer_out_attended: BTreeSet<String>,
    /// Codes that phones key in a call, and that whom they talk to is not to hear; none begins with another one.
    pub feature_codes: Arc<[media::DigitString]>,
    /// How legs are recorded; not at all when absent.
    pub recording: Option<RecordingConfig>,
    /// How words are spoken; not at all when absent.
    pub speech: Option<SpeechConfig>,
}

/// How legs are recorded by somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingConfig {
    /// The trunks of whose calls one leg is recorded, from its answer on.
    pub trunks: BTreeSet<String>,
    /// Whether the parties hear a tone when a recording begins, pauses and goes on.
    pub beep: bool,
    /// How often they hear it while it goes on; not at all when absent.
    pub beep_every: Option<Duration>,
    /// The most recordings at a time: each holds [`media::recorder::TAP_CAPACITY`] octets.
    pub max: usize,
}

/// How words are spoken that somebody else renders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpeechConfig {
    /// The prompt that is heard instead of words that could not be rendered.
    pub fallback: Option<String>,
}

impl SwitchConfig {
    /// One with the usual limits, one media worker and no phones behind NAT.
    #[must_use]
    pub fn new(media_address: IpAddr, media_ports: RangeInclusive<u16>) -> Self {
        Self {
            media_address,
            media_ports,
            port_rest: Duration::from_secs(2),
            workers: 1,
            max_calls: 5_000,
            max_legs_per_call: 8,
            media_timeout: None,
            max_call_duration: Duration::from_secs(14_400),
            phones_behind_nat: false,
            phone_gateway: None,
            refer_out: BTreeSet::new(),
            refer_out_attended: BTreeSet::new(),
            feature_codes: Arc::default(),
            recording: None,
            speech: None,
        }
    }

    /// The most endpoints at a time, one a pair of ports: what each worker must have room for, since endpoint ids are
    /// shared among workers.
    #[must_use]
    pub fn max_endpoints(&self) -> usize {
        let (first, last) = (*self.media_ports.start(), *self.media_ports.end());
        let even = first.saturating_add(first % 2);
        usize::from(last.saturating_sub(even).saturating_add(1) / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_time::Instant;

    #[test]
    fn there_are_as_many_endpoints_as_whole_port_pairs() {
        for (ports, endpoints) in
            [(20_000..=20_099, 50), (20_001..=20_006, 2), (20_000..=20_000, 0), (1..=2, 0)]
        {
            let mut pool = media::PortPool::new(ports.clone());
            let leased = std::iter::from_fn(|| pool.lease(Instant::START, Duration::ZERO)).count();
            let config = SwitchConfig::new(std::net::Ipv4Addr::LOCALHOST.into(), ports);
            assert_eq!((config.max_endpoints(), leased), (endpoints, endpoints));
        }
    }
}
