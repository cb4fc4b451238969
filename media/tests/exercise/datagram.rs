//! Any bytes as a datagram at a port of the worker's: RTP, RTCP, SRTP, STUN and DTLS come in by the same door (RFC 7983).

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tandem_media::codec::OpusParameters;
use tandem_media::{
    Channel, Codec, Command, Disposition, EndpointId, IceCredentials, IoRequest, StreamParameters, Worker,
    rtp,
};
use tandem_time::Instant;

/// Parties: of each codec, the last one behind ICE with one port for all.
const CODECS: [(Codec, u8); 4] = [
    (Codec::Pcmu, 0),
    (Codec::Pcma, 8),
    (Codec::G722, 9),
    (
        Codec::Opus(OpusParameters {
            in_band_fec: true,
            dtx: true,
            constant_bitrate: false,
            max_average_bitrate: 24_000,
            max_playback_rate_hz: 48_000,
        }),
        111,
    ),
];

/// Lets bytes in at the port that the first one names: to parties in bridges and to those in a conference, twice, and
/// lets the time go on. What is relayed is RTP, and no longer than it was.
pub(crate) fn read(bytes: &[u8]) {
    let Some((&way, packet)) = bytes.split_first() else { return };
    let mut now = Instant::from_millis(1);
    let mut worker = Worker::new(ChaCha8Rng::seed_from_u64(1), CODECS.len());
    let ids: [EndpointId; 4] = std::array::from_fn(|n| open(&mut worker, now, n as u32));
    let [a, b, c, d] = ids;
    if way & 0x40 == 0 {
        worker.handle_command(now, Command::Bridge { a, b: d });
        worker.handle_command(now, Command::Bridge { a: b, b: c });
    } else {
        let conference = tandem_media::ConferenceId(1);
        for endpoint in ids {
            let audience = tandem_media::Audience::Everybody;
            worker.handle_command(now, Command::Join { endpoint, conference, audience });
        }
    }
    let endpoint = ids[usize::from(way & 3)];
    let channel = if way & 0x80 == 0 { Channel::Rtp } else { Channel::Rtcp };
    let mut buffer = [0; 2_048];
    for _ in 0..2 {
        let len = packet.len().min(buffer.len() - 64);
        buffer[..len].copy_from_slice(&packet[..len]);
        let done = worker.handle_packet(now, endpoint, channel, party(endpoint.index), &mut buffer, len);
        if let Disposition::Forward { len: relayed, .. } = done {
            assert!(relayed <= len, "what is stripped may be missing");
            rtp::Header::parse(&buffer[..relayed]).expect("what is relayed is RTP");
        }
        for _ in 0..8 {
            now += Duration::from_millis(20);
            worker.handle_timeout(now);
            while let Some(sent) = worker.poll_transmit() {
                assert!(sent.bytes.len() <= 1_500, "it fits in a datagram");
            }
        }
    }
    while worker.poll_event().is_some() {}
}

fn party(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 10], 30_000 + 2 * index as u16))
}

fn open(worker: &mut Worker, now: Instant, index: u32) -> EndpointId {
    let endpoint = EndpointId { index, generation: 1 };
    let (codec, number) = CODECS[index as usize];
    let behind_ice = index == 3;
    // RFC 5769 §2.1.
    let ice = IceCredentials {
        local_fragment: "evtj".to_owned(),
        local_password: "VOkJxbRl1RmTxUk/WvJxBt".to_owned(),
    };
    let stream = StreamParameters {
        send_event_payload_type: Some(96),
        event_clock_hz: codec.clock_hz(),
        comfort_noise: true,
        media_timeout: Some(Duration::from_secs(5)),
        rtcp_mux: behind_ice,
        ice: behind_ice.then(|| Box::new(ice)),
        ..StreamParameters::new(party(index), codec, number)
    };
    let local = SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * index as u16));
    worker.handle_command(now, Command::Open { endpoint, local });
    while let Some(request) = worker.poll_io() {
        assert!(matches!(request, IoRequest::Bind { .. }));
        worker.handle_bound(now, endpoint, true);
    }
    worker.handle_command(now, Command::Configure { endpoint, stream });
    endpoint
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let at = |way: u8, packet: &[u8]| [&[way][..], packet].concat();
    let mut seeds = vec![at(3, &BINDING_REQUEST), at(3, &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0])];
    for conference in [0, 0x40] {
        for (way, (_, number)) in (conference..).zip(CODECS) {
            let rtp = |payload: &[u8]| [&[0x80, number, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7], payload].concat();
            seeds.push(at(way, &rtp(&[0x55; 160])));
            seeds.push(at(way, &rtp(&[0x08, 0x0b, 0xe4, 0xc1, 0x36, 0xec, 0xc5, 0x80])));
        }
    }
    let press = [0x80, 101, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7, 5, 0x8a, 1, 64];
    let noise = [0x80, 13, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7, 60, 3, 9];
    seeds.extend([at(0, &press), at(1, &noise)]);
    seeds.extend(super::packet::rtcp_seeds().iter().map(|report| at(0x80, report)));
    seeds
}

/// RFC 5769 §2.1: a check with user name, integrity and fingerprint.
const BINDING_REQUEST: [u8; 108] = [
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa,
    0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20,
    0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00,
    0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a,
    0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf,
    0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28,
    0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];
