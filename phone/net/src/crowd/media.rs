//! The RTP and RTCP sockets of calls that speak.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};

use tandem_phone::Place;

/// The longest packet that is read whole.
const MAX_PACKET: usize = 2_048;
/// Packets read from one socket before the others get a turn.
const MAX_AT_ONCE: usize = 32;

struct Media {
    place: Place,
    local: SocketAddr,
    socket: UdpSocket,
}

#[derive(Default)]
pub(crate) struct MediaSockets {
    sockets: BTreeMap<u64, Media>,
    by_address: BTreeMap<SocketAddr, u64>,
}

impl MediaSockets {
    pub(crate) fn keep(&mut self, token: u64, place: Place, local: SocketAddr, socket: UdpSocket) {
        self.by_address.insert(local, token);
        self.sockets.insert(token, Media { place, local, socket });
    }

    /// Closes the even port and the odd one after it; the tokens they had.
    pub(crate) fn close(&mut self, rtp: SocketAddr) -> Vec<u64> {
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
        let tokens: Vec<u64> = [rtp, rtcp].iter().filter_map(|local| self.by_address.remove(local)).collect();
        for token in &tokens {
            self.sockets.remove(token);
        }
        tokens
    }

    /// Whether it left.
    pub(crate) fn send(&self, local: SocketAddr, destination: SocketAddr, bytes: &[u8]) -> bool {
        let media = self.by_address.get(&local).and_then(|token| self.sockets.get(token));
        media.is_some_and(|media| media.socket.send_to(bytes, destination).is_ok())
    }

    pub(crate) fn read(&mut self, token: u64, mut take: impl FnMut(Place, SocketAddr, SocketAddr, &[u8])) {
        let Some(media) = self.sockets.get(&token) else { return };
        let mut packet = [0; MAX_PACKET];
        for _ in 0..MAX_AT_ONCE {
            let Ok((len, source)) = media.socket.recv_from(&mut packet) else { return };
            take(media.place, media.local, source, packet.get(..len).unwrap_or_default());
        }
    }
}
