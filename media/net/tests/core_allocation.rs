//! The media worker allocates nothing once its endpoints are open: relaying, playing, keys, reports and refusals
//! counted call by call. Here, because counting takes unsafe code, which no other crate may hold.

mod counting;

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tandem_media::recorder::{Entry, TAP_CAPACITY, TapReader, tap};
use tandem_media::srtp::{MAX_TRAILER_LEN, MasterKey, Sender, SrtpKeys, Suite};
use tandem_media::{
    Audio, Channel, Codec, CollectId, CollectRules, Command, Disposition, EndpointId, Event, LatchPolicy,
    PlayId, Security, Segment, StreamParameters, Terminators, Tone, Worker,
};
use tandem_time::Instant;

use counting::Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // Not there any more when the thread ends.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

#[global_allocator]
static ALLOCATOR: Counting = Counting(count);

const ENDPOINTS: u32 = 40;

/// Octets of a packet with 20 ms of G.711, and room for its protection.
const BUFFER: usize = 172 + MAX_TRAILER_LEN;

fn party(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 10], 30_000 + 2 * index as u16))
}

fn stream(index: u32) -> StreamParameters {
    let codec = if index.is_multiple_of(3) { Codec::Pcma } else { Codec::Pcmu };
    StreamParameters {
        send_event_payload_type: Some(96),
        latch: LatchPolicy::SignalledAddress,
        media_timeout: Some(Duration::from_millis(500)),
        security: suite(index).map_or(Security::Plain, |suite| {
            Security::Keys(Box::new(SrtpKeys { send: key(suite, 1), receive: key(suite, 2) }))
        }),
        ..StreamParameters::new(party(index), codec, 0)
    }
}

/// Two of three endpoints speak SRTP, so that pairs and players of all kinds occur.
fn suite(index: u32) -> Option<Suite> {
    (!index.is_multiple_of(3)).then(|| Suite::ALL[index as usize % 4])
}

fn key(suite: Suite, fill: u8) -> MasterKey {
    MasterKey::new(suite, &vec![fill; suite.key_len() + suite.salt_len()]).expect("the suite's length")
}

/// What protects a party's packets.
fn party_sender(index: u32) -> Option<Sender> {
    suite(index).map(|suite| Sender::new(&key(suite, 2)))
}

/// Half of the endpoints bridged in pairs, half playing and collecting, and every fourth recorded.
fn worker() -> (Worker, Vec<TapReader>) {
    let mut readers = Vec::new();
    let mut worker = Worker::new(ChaCha8Rng::seed_from_u64(1), ENDPOINTS as usize);
    let now = Instant::START;
    let music: Arc<[Segment]> = [
        Segment::Audio(Arc::new(Audio::from_samples(vec![900; 4_000]))),
        Segment::Digits("12#".into()),
        Segment::Tone(Tone::Busy),
        Segment::Silence(Duration::from_millis(33)),
    ]
    .into();
    let rules = CollectRules {
        max_digits: 64,
        terminators: Terminators::default(),
        first_digit_timeout: Duration::from_secs(3),
        inter_digit_timeout: Duration::from_millis(400),
        clear_typeahead: false,
        sensitive: false,
    };
    for index in 0..ENDPOINTS {
        let endpoint = EndpointId { index, generation: 1 };
        worker.handle_command(now, Command::Open { endpoint, local: party(index) });
        worker.handle_bound(now, endpoint, true);
        worker.handle_command(now, Command::Configure { endpoint, stream: stream(index) });
        if index < ENDPOINTS / 2 && index % 2 == 1 {
            let a = EndpointId { index: index - 1, generation: 1 };
            worker.handle_command(now, Command::Bridge { a, b: endpoint });
        } else if index >= ENDPOINTS / 2 {
            let (play, segments) = (PlayId(1), Arc::clone(&music));
            worker.handle_command(
                now,
                Command::Play {
                    endpoint,
                    play,
                    segments,
                    times: None,
                    barge_in: tandem_media::BargeIn::Never,
                },
            );
            let (collect, rules) = (CollectId(1), rules.clone());
            worker.handle_command(now, Command::Collect { endpoint, collect, rules });
        }
        if index.is_multiple_of(4) {
            let (tap, reader) = tap(TAP_CAPACITY);
            readers.push(reader);
            worker.handle_command(now, Command::Record { endpoint, tap });
        }
    }
    (worker, readers)
}

/// What was seen, so that the test fails when it exercises nothing.
#[derive(Default)]
struct Seen {
    relayed: u64,
    sent: u64,
    digits: u64,
    timeouts: u64,
    recorded: u64,
    collected: u64,
}

fn drain(worker: &mut Worker, seen: &mut Seen) {
    while worker.poll_io().is_some() {}
    while worker.poll_transmit().is_some() {
        seen.sent += 1;
    }
    while let Some(event) = worker.poll_event() {
        match event {
            Event::Digit { .. } => seen.digits += 1,
            Event::MediaTimeout { .. } => seen.timeouts += 1,
            Event::Collected { .. } => seen.collected += 1,
            _ => {}
        }
    }
}

/// One party's packet of this 20 ms: audio, a key for a while, garbage, nothing for a while.
fn packet(index: u32, tick: u32, buffer: &mut [u8; BUFFER]) -> usize {
    buffer[..2].copy_from_slice(&[0x80, 0]);
    buffer[2..4].copy_from_slice(&(tick as u16).to_be_bytes());
    buffer[4..8].copy_from_slice(&(tick * 160).to_be_bytes());
    buffer[8..12].copy_from_slice(&(index + 7).to_be_bytes());
    match tick % 100 {
        0..5 => {
            buffer[1] = 101;
            buffer[4..8].copy_from_slice(&(tick / 100 * 16_000).to_be_bytes());
            buffer[12..16].copy_from_slice(&[(tick / 100 % 16) as u8, 0x0a, 0, 160]);
            16
        }
        50..80 => 0,
        90 => 7,
        _ => 172,
    }
}

#[test]
fn the_worker_allocates_nothing_per_packet_tick_key_or_report() {
    let (mut worker, mut readers) = worker();
    let mut seen = Seen::default();
    drain(&mut worker, &mut seen);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    let mut buffer = [0x55; BUFFER];
    let mut senders: Vec<Option<Sender>> = (0..ENDPOINTS).map(party_sender).collect();
    let before = ALLOCATIONS.get();
    for tick in 0..1_500 {
        let now = Instant::from_millis(u64::from(tick) * 20);
        for index in 0..ENDPOINTS {
            let endpoint = EndpointId { index, generation: 1 };
            let mut len = packet(index, tick, &mut buffer);
            if let Some(sender) = &mut senders[index as usize] {
                // Those of no use stay in clear: forged, here.
                len = sender.protect_rtp(&mut buffer, len).unwrap_or(len);
            }
            let disposition =
                worker.handle_packet(now, endpoint, Channel::Rtp, party(index), &mut buffer, len);
            seen.relayed += u64::from(matches!(disposition, Disposition::Forward { .. }));
            buffer[..8].copy_from_slice(&report);
            let mut len = 8;
            if let Some(sender) = &mut senders[index as usize] {
                len = sender.protect_rtcp(&mut buffer, len).unwrap_or(len);
            }
            worker.handle_packet(now, endpoint, Channel::Rtcp, party(index), &mut buffer, len);
            drain(&mut worker, &mut seen);
        }
        worker.handle_timeout(now);
        drain(&mut worker, &mut seen);
        for reader in &mut readers {
            while let Some(entry) = reader.next_entry() {
                seen.recorded += u64::from(matches!(entry, Entry::Audio(frame) if !frame.payload.is_empty()));
            }
        }
    }
    let allocated = ALLOCATIONS.get() - before;
    assert_eq!(allocated, 0, "in {} packets", seen.relayed + seen.sent);
    assert!(worker.counters().rtcp_received == 1_500 * u64::from(ENDPOINTS));
    assert!(seen.relayed > 10_000 && seen.sent > 10_000, "{} relayed, {} sent", seen.relayed, seen.sent);
    assert!(seen.recorded > 10_000, "{} recorded", seen.recorded);
    assert!(seen.digits >= 600 && seen.timeouts >= 200, "{} digits, {} timeouts", seen.digits, seen.timeouts);
    assert_eq!(seen.collected, u64::from(ENDPOINTS) / 2, "each collection waited for a second key in vain");
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![0u8; 1]));
    assert_eq!(ALLOCATIONS.get(), before + 1, "the count works");
}
