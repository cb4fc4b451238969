//! Endpoints leave no descriptor behind. Alone in its process, since it counts the process's descriptors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_media::{Command, EndpointId, Event};
use tandem_media_net::{IoChoice, MediaHandle, MediaThreads, MediaThreadsConfig};

const ROUNDS: u32 = 1_000;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("proc").count()
}

fn event(handle: &mut MediaHandle) -> Event {
    loop {
        if let Some(event) = handle.poll_event() {
            return event;
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

#[test]
fn no_descriptor_is_left_after_a_thousand_opens_and_closes() {
    for io in [IoChoice::Mmsg, IoChoice::Auto] {
        leaves_no_descriptor(io);
    }
}

fn leaves_no_descriptor(io: IoChoice) {
    let before = open_descriptors();
    let core = std::thread::current();
    let config = MediaThreadsConfig {
        threads: 1,
        pin_to: vec![],
        realtime: false,
        other_address: None,
        io,
        max_endpoints: 4,
        seed: [1; 32],
        epoch: Instant::now(),
        wake: Arc::new(move || core.unpark()),
        dtls: None,
    };
    let (mut threads, mut handles) = MediaThreads::start(&config).expect("a thread");
    let handle = handles.last_mut().expect("a handle");
    let running = open_descriptors();
    assert!(running > before);
    let mut opened = 0;
    for round in 0..ROUNDS {
        let endpoint = EndpointId { index: round % 4, generation: round };
        let local = SocketAddr::from(([127, 0, 0, 1], 24_000 + 2 * (round % 500) as u16));
        handle.send(Command::Open { endpoint, local }).expect("room");
        // Of a port that is taken by somebody else neither socket may stay.
        if event(handle) == (Event::Opened { endpoint }) {
            opened += 1;
            handle.send(Command::Close { endpoint }).expect("room");
            assert!(matches!(event(handle), Event::Closed { .. }));
        }
    }
    assert!(opened > ROUNDS / 2);
    assert_eq!(open_descriptors(), running);
    threads.stop();
    drop((threads, handles));
    assert_eq!(open_descriptors(), before);
}
