//! A media thread allocates nothing per packet. Alone in its process, since it counts allocations.

mod counting;

use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tandem_media::codec::OpusParameters;
use tandem_media::{
    Audience, Audio, Codec, Command, ConferenceId, EndpointId, Event, PlayId, Segment, StreamParameters,
};
use tandem_media_net::sys::SendRing;
use tandem_media_net::{IoChoice, MediaHandle, MediaThreads, MediaThreadsConfig};

use counting::Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Set on the media thread, by the callback with which it tells of events.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.fetch_add(1, SeqCst);
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting(count);

const MAX_ENDPOINTS: usize = 11;
/// More packets at once than a jitter buffer takes.
const BURST: u16 = 80;
const PATIENCE: Duration = Duration::from_secs(20);

fn event(handle: &mut MediaHandle) -> Event {
    loop {
        if let Some(event) = handle.poll_event() {
            return event;
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

/// Opens an endpoint for a party of its own; where the party sends to.
fn open(handle: &mut MediaHandle, index: u32, codec: Codec) -> (EndpointId, UdpSocket, SocketAddr) {
    let endpoint = EndpointId { index, generation: 1 };
    let party = UdpSocket::bind("127.0.0.2:0").expect("a free port");
    party.set_read_timeout(Some(PATIENCE)).expect("set");
    let remote = party.local_addr().expect("bound");
    let local = (25_000..26_000)
        .step_by(2)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|local| {
            handle.send(Command::Open { endpoint, local: *local }).expect("room");
            event(handle) == Event::Opened { endpoint }
        })
        .expect("a free pair");
    let stream = StreamParameters {
        send_event_payload_type: None,
        receive_event_payload_type: None,
        ..StreamParameters::new(remote, codec, 0)
    };
    handle.send(Command::Configure { endpoint, stream }).expect("room");
    (endpoint, party, local)
}

/// Three who confer: what the first says, and what the last hears.
fn confer(handle: &mut MediaHandle, first: u32) -> (UdpSocket, SocketAddr, UdpSocket) {
    let [speaks, _, hears] = [0, 1, 2].map(|index| {
        let (endpoint, party, local) = open(handle, first + index, Codec::Pcmu);
        let conference = ConferenceId(1);
        let join = Command::Join { endpoint, conference, audience: Audience::Everybody };
        handle.send(join).expect("room");
        (party, local)
    });
    (speaks.0, speaks.1, hears.0)
}

fn packet(number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend([7; 4 + 160]);
    packet
}

/// They have room for what usually waits, and get as much more as ever waits at a time.
fn fill_jitter_buffers(parties: [(&UdpSocket, SocketAddr); 3]) {
    for number in 0..BURST {
        for (party, to) in parties {
            party.send_to(&packet(number), to).expect("sent");
        }
    }
}

#[test]
fn relaying_playing_mixing_and_transcoding_allocate_nothing_per_packet() {
    allocates_nothing(IoChoice::Mmsg);
    if SendRing::open().is_ok() {
        allocates_nothing(IoChoice::IoUring);
    }
}

fn allocates_nothing(io: IoChoice) {
    let so_far = ALLOCATIONS.load(SeqCst);
    let core = std::thread::current();
    let config = MediaThreadsConfig {
        threads: 1,
        pin_to: vec![],
        realtime: false,
        other_address: None,
        io,
        max_endpoints: MAX_ENDPOINTS,
        seed: [1; 32],
        epoch: Instant::now(),
        wake: Arc::new(move || {
            COUNTED.set(true);
            core.unpark();
        }),
        dtls: None,
    };
    let (_threads, mut handles) = MediaThreads::start(&config).expect("a thread");
    let handle = handles.last_mut().expect("a handle");
    let (a, alice, to_alice) = open(handle, 0, Codec::Pcmu);
    let (b, bob, _) = open(handle, 1, Codec::Pcmu);
    let (listening, listener, _) = open(handle, 2, Codec::Pcmu);
    let (c, carol, to_carol) = open(handle, 3, Codec::Pcmu);
    let (d, dave, _) = open(handle, 4, Codec::Opus(OpusParameters::default()));
    let (e, erin, to_erin) = open(handle, 5, Codec::Pcma);
    let (f, frank, _) = open(handle, 6, Codec::G722);
    assert!(ALLOCATIONS.load(SeqCst) > so_far, "the thread is counted: opening allocates");

    let (talker, to_talker, third) = confer(handle, 7);
    for (a, b) in [(a, b), (c, d), (e, f)] {
        handle.send(Command::Bridge { a, b }).expect("room");
    }
    let segments: Arc<[Segment]> = Arc::new([Segment::Audio(Arc::new(Audio::from_samples(vec![9; 800])))]);
    let play = Command::Play {
        endpoint: listening,
        play: PlayId(1),
        segments,
        times: None,
        barge_in: tandem_media::BargeIn::Never,
    };
    handle.send(play).expect("room");
    // The answer to an impossible command: what was sent before it has been taken.
    let nobody = EndpointId { index: MAX_ENDPOINTS as u32, generation: 0 };
    handle.send(Command::Open { endpoint: nobody, local: to_alice }).expect("room");
    assert_eq!(event(handle), Event::OpenFailed { endpoint: nobody });

    fill_jitter_buffers([(&talker, to_talker), (&carol, to_carol), (&erin, to_erin)]);
    let mut buffer = [0; 2048];
    let mut exchange = |number: u16| {
        alice.send_to(&packet(number), to_alice).expect("sent");
        bob.recv(&mut buffer).expect("relayed");
        talker.send_to(&packet(BURST + number), to_talker).expect("sent");
        if number.is_multiple_of(10) {
            listener.recv(&mut buffer).expect("played");
            carol.send_to(&packet(BURST + number / 10), to_carol).expect("sent");
            erin.send_to(&packet(BURST + number / 10), to_erin).expect("sent");
            dave.recv(&mut buffer).expect("transcoded");
            frank.recv(&mut buffer).expect("transcoded");
            third.recv(&mut buffer).expect("mixed");
        }
    };
    (0..100).for_each(&mut exchange);
    let before = ALLOCATIONS.load(SeqCst);
    (100..600).for_each(&mut exchange);
    assert_eq!(ALLOCATIONS.load(SeqCst), before);
}
