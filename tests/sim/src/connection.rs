//! The stream connections of softphones: what is sent arrives in order, in pieces, later when it was lost, and not at
//! all once the connection is broken.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Framer, Habit, Transport};
use tandem_sbc::framing::{Frame, StreamFramer};
use tandem_sbc::user_agent::{self as ua, FlowId};

use crate::configuration::phone_address;
use crate::network::Partition;
use crate::scenario::{Placer, Scenario};

/// One connection of a phone to the node.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) flow: FlowId,
    pub(crate) transport: ua::Transport,
    to_node: StreamFramer,
    to_phone: Framer,
    /// When what was sent last arrives, to the node and to the phone.
    last: [Duration; 2],
}

/// Which end of a connection something goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Node,
    Phone,
}

impl Connection {
    pub(crate) const fn new(flow: FlowId, transport: ua::Transport) -> Self {
        Self {
            flow,
            transport,
            to_node: StreamFramer::new(),
            to_phone: Framer::new(),
            last: [Duration::ZERO; 2],
        }
    }

    /// When a piece arrives that would do so at `at`, were it alone.
    pub(crate) fn in_order(&mut self, end: End, at: Duration) -> Duration {
        let [to_node, to_phone] = &mut self.last;
        let last = if end == End::Node { to_node } else { to_phone };
        *last = (*last).max(at);
        *last
    }

    /// A piece has arrived; the whole messages that it completes.
    pub(crate) fn arrive(&mut self, end: End, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        match end {
            End::Node => {
                self.to_node.push(piece);
                while let Ok(Some(frame)) = self.to_node.next_frame() {
                    if let Frame::Message(bytes) = frame {
                        whole.push(bytes.to_vec());
                    }
                }
            }
            End::Phone => {
                self.to_phone.push(piece);
                while let Ok(Some(bytes)) = self.to_phone.next_message() {
                    whole.push(bytes);
                }
            }
        }
        whole
    }
}

/// The same transport, as the node names it; none for datagrams.
pub(crate) const fn as_stream(transport: Transport) -> Option<ua::Transport> {
    match transport {
        Transport::Udp => None,
        Transport::Tcp => Some(ua::Transport::Tcp),
        Transport::Tls => Some(ua::Transport::Tls),
    }
}

/// Some phones are on connections, and in foul weather those break: from randomness of their own.
pub(crate) fn connect(scenario: &mut Scenario, fair: bool) {
    let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
    rng.set_stream(4);
    for phone in &mut scenario.phones {
        phone.over = match rng.random_range(0..100) {
            0..60 => Transport::Udp,
            60..80 => Transport::Tcp,
            _ => Transport::Tls,
        };
        if phone.over != Transport::Udp {
            // On a connection nothing is sent again (RFC 3261 §17.1.1.2), and no final response acknowledged twice.
            phone.manner.habits.retain(|habit| *habit != Habit::RepeatsEverything);
        }
        let from = Duration::from_millis(rng.random_range(10_000..=60_000));
        let gap = Duration::from_millis(rng.random_range(500..=5_000));
        if !fair && phone.over != Transport::Udp && rng.random_range(0..100) < 60 {
            phone.breaks = Some((from, gap));
            // Nothing else gets through meanwhile either.
            let host = phone_address(phone.host).ip();
            scenario.partitions.push(Partition { host, from, until: from + gap });
        }
    }
    let Scenario { phones, callers, .. } = scenario;
    for caller in callers {
        let Placer::Phone(place) = caller.placer else { continue };
        if phones.get(place).is_some_and(|phone| phone.over != Transport::Udp) {
            caller.manner.habits.retain(|habit| *habit != Habit::RepeatsEverything);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_two_pieces_is_whole_when_both_are_there() {
        let text = b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";
        for end in [End::Node, End::Phone] {
            for place in 0..=text.len() {
                let mut connection = Connection::new(FlowId(1), ua::Transport::Tcp);
                let (first, second) = text.split_at(place);
                let mut whole = connection.arrive(end, first);
                assert_eq!(whole.len(), usize::from(second.is_empty()));
                whole.extend(connection.arrive(end, second));
                assert_eq!(whole, [text.to_vec()], "{end:?}, cut at {place}");
            }
        }
    }

    #[test]
    fn nothing_overtakes_on_a_connection() {
        let mut connection = Connection::new(FlowId(1), ua::Transport::Tls);
        let at = |ms| Duration::from_millis(ms);
        assert_eq!(connection.in_order(End::Node, at(80)), at(80));
        assert_eq!(connection.in_order(End::Node, at(30)), at(80));
        assert_eq!(connection.in_order(End::Phone, at(30)), at(30), "the other way is another way");
    }

    #[test]
    fn connections_break_in_foul_weather_only() {
        let breaks = |over: Transport, fair: bool| {
            let seeds = (0..200_u64).filter(|seed| seed.is_multiple_of(3) == fair).map(Scenario::of);
            let phones = seeds.flat_map(|scenario| scenario.phones);
            phones.filter(|phone| phone.over == over && phone.breaks.is_some()).count()
        };
        assert!(breaks(Transport::Tcp, false) > 50 && breaks(Transport::Tls, false) > 50);
        assert_eq!([Transport::Tcp, Transport::Tls].map(|over| breaks(over, true)), [0, 0]);
        assert_eq!(breaks(Transport::Udp, false), 0);
    }
}
