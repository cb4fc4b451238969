//! What relaying one packet costs without its sockets: the media worker against a parse and marshal by the `rtp`
//! crate, and against copying the packet; also a frame of a player.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rtp::packet::Packet;
use tandem_media::codec::OpusParameters;
use tandem_media::srtp::{MAX_TRAILER_LEN, MasterKey, Sender, SrtpKeys, Suite};
use tandem_media::{
    Audio, BargeIn, Channel, Codec, Command, Disposition, EndpointId, PlayId, Security, Segment,
    StreamParameters, Worker,
};
use tandem_time::Instant;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;
use webrtc_util::marshal::{Marshal, Unmarshal};

/// Octets of a packet with 20 ms of G.711.
const PACKET: usize = 172;

fn party(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 1, (index >> 8) as u8], 10_000 + 2 * (index & 0xff) as u16))
}

/// One that is given up when it is silent.
fn stream(index: u32, codec: Codec) -> StreamParameters {
    StreamParameters {
        media_timeout: Some(Duration::from_secs(30)),
        ..StreamParameters::new(party(index), codec, 0)
    }
}

/// A worker with `count` open endpoints; those of odd index speak `odd`.
fn worker(count: u32, odd: Codec) -> (Worker, Vec<EndpointId>) {
    let mut worker = Worker::new(ChaCha8Rng::seed_from_u64(1), count as usize);
    let ids: Vec<_> = (0..count).map(|index| EndpointId { index, generation: 1 }).collect();
    for endpoint in &ids {
        let (endpoint, now) = (*endpoint, Instant::START);
        let codec = if endpoint.index % 2 == 1 { odd } else { Codec::Pcmu };
        worker.handle_command(now, Command::Open { endpoint, local: party(endpoint.index) });
        worker.handle_bound(now, endpoint, true);
        worker.handle_command(now, Command::Configure { endpoint, stream: stream(endpoint.index, codec) });
    }
    (worker, ids)
}

fn packet() -> [u8; PACKET] {
    let mut packet = [0x55; PACKET];
    packet[..12].copy_from_slice(&[0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7]);
    packet
}

/// Relays packets of all endpoints in turn, as 50 a second of each would come.
fn relay(c: &mut Criterion, name: &str, endpoints: u32, odd: Codec) {
    let (mut worker, ids) = worker(endpoints, odd);
    for pair in ids.chunks_exact(2) {
        worker.handle_command(Instant::START, Command::Bridge { a: pair[0], b: pair[1] });
    }
    let (mut buffer, mut round, mut next) = (packet(), 0u32, 0);
    c.benchmark_group("relay").throughput(Throughput::Elements(1)).bench_function(name, |bencher| {
        bencher.iter(|| {
            if next == ids.len() {
                (next, round) = (0, round + 1);
            }
            let endpoint = ids[next];
            next += 1;
            buffer[1] = 0;
            buffer[2..4].copy_from_slice(&(round as u16).to_be_bytes());
            buffer[4..8].copy_from_slice(&(round * 160).to_be_bytes());
            buffer[8..12].copy_from_slice(&endpoint.index.to_be_bytes());
            let now = Instant::from_millis(u64::from(round) * 20);
            let source = party(endpoint.index);
            let disposition =
                worker.handle_packet(now, endpoint, Channel::Rtp, source, black_box(&mut buffer), PACKET);
            assert!(matches!(disposition, Disposition::Forward { .. }));
        });
    });
}

fn relays(c: &mut Criterion) {
    relay(c, "worker, one call", 2, Codec::Pcmu);
    relay(c, "worker, 1000 calls", 2_000, Codec::Pcmu);
    relay(c, "worker, one call, transcoding", 2, Codec::Pcma);
    let mut group = c.benchmark_group("relay");
    group.throughput(Throughput::Elements(1));
    let original = packet();
    group.bench_function("rtp crate, parse and marshal", |bencher| {
        bencher.iter(|| {
            let mut packet = Packet::unmarshal(&mut black_box(&original[..])).expect("a packet");
            packet.header.ssrc = 9;
            packet.header.sequence_number = packet.header.sequence_number.wrapping_add(1);
            black_box(packet.marshal().expect("a packet"))
        });
    });
    let mut copy = packet();
    group.bench_function("copy of the packet", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&original)));
    });
}

const SUITES: [(Suite, ProtectionProfile, &str); 2] = [
    (Suite::AesCm128HmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_80, "AES_CM_128_HMAC_SHA1_80"),
    (Suite::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm, "AEAD_AES_128_GCM"),
];

const KEY: [u8; 30] = [7; 30];

fn master_key(suite: Suite) -> MasterKey {
    MasterKey::new(suite, &KEY[..suite.key_len() + suite.salt_len()]).expect("the suite's length")
}

/// RTP in, SRTP out, through the worker; and the way back, with the packets protected outside of the measurement.
fn secure_relays(c: &mut Criterion) {
    let mut group = c.benchmark_group("srtp");
    group.throughput(Throughput::Elements(1));
    for (suite, profile, name) in SUITES {
        let key = master_key(suite);
        let (mut worker, ids) = worker(2, Codec::Pcmu);
        let secure = Box::new(SrtpKeys { send: key.clone(), receive: key.clone() });
        let stream = StreamParameters { security: Security::Keys(secure), ..stream(1, Codec::Pcmu) };
        worker.handle_command(Instant::START, Command::Configure { endpoint: ids[1], stream });
        worker.handle_command(Instant::START, Command::Bridge { a: ids[0], b: ids[1] });
        let mut buffer = [0x55; PACKET + MAX_TRAILER_LEN];
        let mut round = 0u32;
        let mut relay = |from: usize, buffer: &mut [u8], len: usize, round: u32| {
            let now = Instant::from_millis(u64::from(round) * 20);
            let source = party(from as u32);
            let disposition = worker.handle_packet(now, ids[from], Channel::Rtp, source, buffer, len);
            assert!(matches!(disposition, Disposition::Forward { .. }));
        };
        group.bench_function(format!("worker, RTP to SRTP, {name}"), |bencher| {
            bencher.iter(|| {
                number(&mut buffer, round);
                relay(0, black_box(&mut buffer), PACKET, round);
                round += 1;
            });
        });
        let mut phone = Sender::new(&key);
        let mut number_sent = 0u32;
        group.bench_function(format!("worker, SRTP to RTP, {name}"), |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut buffer = [0x55; PACKET + MAX_TRAILER_LEN];
                    number(&mut buffer, number_sent);
                    number_sent += 1;
                    let len = phone.protect_rtp(&mut buffer, PACKET).expect("a new number");
                    (buffer, len, number_sent)
                },
                |(buffer, len, round)| relay(1, black_box(buffer), *len, *round),
                criterion::BatchSize::NumIterations(1),
            );
        });
        let (octets, salt) = KEY.split_at(suite.key_len());
        let context =
            || Context::new(octets, &salt[..suite.salt_len()], profile, None, None).expect("a context");
        let (mut sends, mut receives) = (context(), context());
        let mut original = packet();
        group.bench_function(format!("webrtc-srtp, protect, {name}"), |bencher| {
            bencher.iter(|| {
                number(&mut original, round);
                round += 1;
                black_box(sends.encrypt_rtp(black_box(&original)).expect("a packet"))
            });
        });
        let protected = context().encrypt_rtp(&packet()).expect("a packet");
        group.bench_function(format!("webrtc-srtp, unprotect, {name}"), |bencher| {
            bencher.iter(|| black_box(receives.decrypt_rtp(black_box(&protected)).expect("a packet")));
        });
    }
}

/// A packet's header, the `round`th of its source.
fn number(buffer: &mut [u8], round: u32) {
    buffer[..12].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    buffer[2..4].copy_from_slice(&(round as u16).to_be_bytes());
    buffer[4..8].copy_from_slice(&(round * 160).to_be_bytes());
}

/// One tick of callers on hold, with Opus: what 1,000 cost against one, and against each coding for itself.
fn music(c: &mut Criterion) {
    const OPUS: Codec = Codec::Opus(OpusParameters {
        in_band_fec: false,
        dtx: false,
        constant_bitrate: false,
        max_average_bitrate: OpusParameters::MAX_BITRATE,
        max_playback_rate_hz: 48_000,
    });
    let sample = |n| (8_000.0 * (f64::from(n) * 0.3).sin()) as i16;
    let audio = Arc::new(Audio::from_samples((0..80_000).map(sample).collect::<Vec<_>>()));
    let shared: Arc<[Segment]> = [Segment::Music(Arc::clone(&audio))].into();
    let own: Arc<[Segment]> = [Segment::Audio(audio)].into();
    let mut group = c.benchmark_group("music on hold, Opus");
    for (name, segments, callers) in
        [("1 caller", &shared, 1), ("1000 callers", &shared, 1_000), ("20 callers, each its own", &own, 20)]
    {
        let (mut worker, ids) = worker(callers, OPUS);
        for endpoint in ids {
            let (play, segments) = (PlayId(1), Arc::clone(segments));
            let barge_in = BargeIn::Never;
            let play = Command::Play { endpoint, play, segments, times: None, barge_in };
            worker.handle_command(Instant::START, play);
        }
        let mut round = 0;
        group.throughput(Throughput::Elements(callers.into()));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                worker.handle_timeout(Instant::from_millis(round * 20));
                round += 1;
                while let Some(transmit) = worker.poll_transmit() {
                    black_box(transmit.bytes);
                }
            });
        });
    }
}

/// One tick of 1,000 players, as cost of a frame.
fn players(c: &mut Criterion) {
    const PLAYERS: u32 = 1_000;
    let (mut worker, ids) = worker(PLAYERS, Codec::Pcma);
    let music: Arc<[Segment]> = [Segment::Audio(Arc::new(Audio::from_samples(vec![900; 80_000])))].into();
    for endpoint in ids {
        let (play, segments) = (PlayId(1), Arc::clone(&music));
        worker.handle_command(
            Instant::START,
            Command::Play { endpoint, play, segments, times: None, barge_in: BargeIn::Never },
        );
    }
    let mut round = 0;
    let mut group = c.benchmark_group("play");
    group.throughput(Throughput::Elements(u64::from(PLAYERS)));
    group.bench_function("worker, a frame of each of 1000 players", |bencher| {
        bencher.iter(|| {
            worker.handle_timeout(Instant::from_millis(round * 20));
            round += 1;
            while let Some(transmit) = worker.poll_transmit() {
                black_box(transmit.bytes);
            }
            while let Some(event) = worker.poll_event() {
                black_box(event);
            }
        });
    });
}

criterion_group!(benches, relays, secure_relays, players, music);
criterion_main!(benches);
