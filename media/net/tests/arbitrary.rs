//! Whatever arrives: no packet of any kind makes a worker panic or allocate, believed or not, protected or not. Alone in
//! its process, since it counts allocations.

mod counting;

use std::cell::Cell;
use std::net::SocketAddr;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tandem_media::srtp::{MasterKey, SrtpKeys, Suite};
use tandem_media::{Channel, Codec, Command, EndpointId, InBand, Security, StreamParameters, Worker};
use tandem_time::Instant;

use counting::Counting;

/// Packets tried, each at every endpoint and on both channels.
const PACKETS: u32 = 20_000;
/// The longest packet a media socket takes, and room for a tag behind it.
const MAX_PACKET: usize = 1_500;

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting(count);

fn party(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 10], 30_000 + 2 * index as u16))
}

/// Two bridged endpoints, plain and under SRTP, and one that listens for keys and shares its port with RTCP.
fn worker(now: Instant) -> (Worker, [EndpointId; 3]) {
    let mut worker = Worker::new(ChaCha8Rng::seed_from_u64(1), 3);
    let ids = [0, 1, 2].map(|index| EndpointId { index, generation: 1 });
    for endpoint in ids {
        let remote_rtp = party(endpoint.index);
        let suite = Suite::AesCm128HmacSha1_80;
        let key = |octet: u8| MasterKey::new(suite, &[octet; 30]).expect("a key");
        let keys = SrtpKeys { send: key(1), receive: key(2) };
        let is_last = endpoint.index == 2;
        let stream = StreamParameters {
            remote_rtcp: SocketAddr::new(remote_rtp.ip(), remote_rtp.port() + 1),
            receive_event_payload_type: (!is_last).then_some(101),
            comfort_noise: true,
            in_band: if is_last { InBand::HeardAndSent } else { InBand::Sounds },
            rtcp_mux: is_last,
            security: if endpoint.index == 1 { Security::Keys(Box::new(keys)) } else { Security::Plain },
            ..StreamParameters::new(remote_rtp, if is_last { Codec::Pcma } else { Codec::Pcmu }, 0)
        };
        let local = SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * endpoint.index as u16));
        worker.handle_command(now, Command::Open { endpoint, local });
        worker.handle_bound(now, endpoint, true);
        worker.handle_command(now, Command::Configure { endpoint, stream });
    }
    worker.handle_command(now, Command::Bridge { a: ids[0], b: ids[1] });
    worker.handle_command(now, Command::Bridge { a: ids[2], b: ids[2] });
    while worker.poll_io().is_some() {}
    while worker.poll_event().is_some() {}
    (worker, ids)
}

/// Anything at all, or what begins like RTP, RTCP, STUN or DTLS and goes on as anything.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let tail = || prop::collection::vec(any::<u8>(), 0..MAX_PACKET - 40);
    let begins = |heads: &'static [&'static [u8]]| {
        (prop::sample::select(heads), tail()).prop_map(|(head, tail)| [head, &tail].concat())
    };
    prop_oneof![
        tail(),
        begins(&[b"\x80\x00", b"\x80\x80", b"\x80\x65", b"\xbf\x00", b"\x90\x00", b"\xa0\x00", b"\xb1\x65"]),
        begins(&[
            b"\x80\xc8",
            b"\x81\xc8\x00\x0c",
            b"\x81\xc9\x00\x07",
            b"\x81\xca",
            b"\xa1\xcb",
            b"\x8f\xcc"
        ]),
        begins(&[
            b"\x00\x01\x00\x08\x21\x12\xa4\x42",
            b"\x01\x01\x00\x00\x21\x12\xa4\x42",
            b"\x00\x01\xff\xff"
        ]),
        begins(&[b"\x16\xfe\xfd", b"\x14", b"\x3f"]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: PACKETS, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_packet_panics_or_allocates(packet in packet(), source in 0..4u32) {
        let now = Instant::from_millis(1);
        let (mut worker, ids) = worker(now);
        let mut buffer = [0; MAX_PACKET + tandem_media::srtp::MAX_TRAILER_LEN];
        let before = ALLOCATIONS.get();
        COUNTED.set(true);
        for endpoint in ids {
            for channel in [Channel::Rtp, Channel::Rtcp] {
                buffer[..packet.len()].copy_from_slice(&packet);
                let _ = worker.handle_packet(now, endpoint, channel, party(source), &mut buffer, packet.len());
            }
        }
        COUNTED.set(false);
        prop_assert_eq!(ALLOCATIONS.get() - before, 0);
    }
}
