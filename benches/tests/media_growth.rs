//! What a call keeps in the media worker, and that nothing grows there, however many calls it has had: relayed, under SRTP,
//! transcoded, in rooms of three.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tandem_benches::counting::{Counting, live_bytes};
use tandem_media::rtp::{HEADER_LEN, Stamp};
use tandem_media::srtp::{MasterKey, SrtpKeys, Suite};
use tandem_media::{
    Audience, Channel, Codec, Command, ConferenceId, EndpointId, Event, Security, StreamParameters, Worker,
};
use tandem_time::Instant;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// After so many calls everything has found its size.
const FIRST: u32 = 2_000;
const CALLS: u32 = 100_000;
/// At a time.
const SLOTS: u32 = 8;
/// What a relayed call may keep in the worker …
const RELAYED_CALL_BYTES: isize = 3 * 1_024 + 256;
/// … and when one of its parties is under SRTP.
const PROTECTED_CALL_BYTES: isize = 8 * 1_024;
const PTIME: Duration = Duration::from_millis(20);
const OCTETS: usize = 160;

/// How the parties of a call are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Relayed,
    Protected,
    Transcoded,
    Conference,
}

struct Calls {
    worker: Worker,
    now: Instant,
    made: u32,
    relayed: u64,
    transmitted: u64,
    closed: u64,
}

fn party(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 10], 30_000 + 2 * index as u16))
}

/// One that is given up when it is silent.
fn stream(index: u32, codec: Codec, security: Security) -> StreamParameters {
    let media_timeout = Some(Duration::from_secs(30));
    StreamParameters { media_timeout, security, ..StreamParameters::new(party(index), codec, 0) }
}

impl Calls {
    fn new(slots: u32) -> Self {
        let worker = Worker::new(ChaCha8Rng::seed_from_u64(1), slots as usize);
        Self { worker, now: Instant::from_millis(1_000), made: 0, relayed: 0, transmitted: 0, closed: 0 }
    }

    /// One call from its beginning to its end.
    fn call(&mut self) {
        self.made += 1;
        let kind = match self.made % 20 {
            0 => Kind::Transcoded,
            1 => Kind::Conference,
            2..=9 => Kind::Protected,
            _ => Kind::Relayed,
        };
        let parties = if kind == Kind::Conference { 3 } else { 2 };
        let first = self.made % (SLOTS - 2);
        let ids: Vec<EndpointId> =
            (first..first + parties).map(|index| EndpointId { index, generation: self.made }).collect();
        for id in &ids {
            self.open(*id, kind, *id == ids[1]);
        }
        match kind {
            Kind::Conference => {
                for endpoint in &ids {
                    let (endpoint, conference) = (*endpoint, ConferenceId(u64::from(self.made)));
                    self.command(Command::Join { endpoint, conference, audience: Audience::Everybody });
                }
            }
            _ => self.command(Command::Bridge { a: ids[0], b: ids[1] }),
        }
        for number in 0..4 {
            // What comes from under SRTP would have to be protected; to there is enough.
            let speak = if kind == Kind::Protected { &ids[..1] } else { &ids[..] };
            for id in speak {
                self.packet(*id, number, if kind == Kind::Transcoded && *id == ids[1] { 9 } else { 0 });
            }
            self.pass(PTIME);
        }
        for endpoint in ids {
            self.command(Command::Close { endpoint });
        }
        self.pass(PTIME);
    }

    fn open(&mut self, endpoint: EndpointId, kind: Kind, is_second: bool) {
        let local = SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * endpoint.index as u16));
        self.command(Command::Open { endpoint, local });
        self.worker.handle_bound(self.now, endpoint, true);
        let key = |octet| MasterKey::new(Suite::AesCm128HmacSha1_80, &[octet; 30]).expect("its length");
        let (codec, security) = match (kind, is_second) {
            (Kind::Protected, true) => {
                let keys = SrtpKeys { send: key(1), receive: key(2) };
                (Codec::Pcmu, Security::Keys(Box::new(keys)))
            }
            (Kind::Transcoded, true) => (Codec::G722, Security::Plain),
            _ => (Codec::Pcmu, Security::Plain),
        };
        let mut stream = stream(endpoint.index, codec, security);
        if codec == Codec::G722 {
            (stream.send_payload_type, stream.receive_payload_type) = (9, 9);
        }
        self.command(Command::Configure { endpoint, stream });
    }

    fn command(&mut self, command: Command) {
        self.worker.handle_command(self.now, command);
        self.drain();
    }

    fn packet(&mut self, endpoint: EndpointId, number: u16, payload_type: u8) {
        let mut buffer = [0x55; 200];
        let timestamp = u32::from(number) * OCTETS as u32;
        let stamp =
            Stamp { marker: false, payload_type, sequence: number, timestamp, ssrc: endpoint.generation };
        stamp.write(&mut buffer);
        let source = party(endpoint.index);
        let len = HEADER_LEN + OCTETS;
        let done = self.worker.handle_packet(self.now, endpoint, Channel::Rtp, source, &mut buffer, len);
        self.relayed += u64::from(matches!(done, tandem_media::Disposition::Forward { .. }));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.worker.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.worker.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while self.worker.poll_io().is_some() {}
        while self.worker.poll_transmit().is_some() {
            self.transmitted += 1;
        }
        while let Some(event) = self.worker.poll_event() {
            self.closed += u64::from(matches!(event, Event::Closed { .. }));
        }
    }
}

/// What a call keeps of the worker's memory while it is up and relayed: two endpoints, one of them under SRTP or not.
fn kept(kind: Kind) -> isize {
    const HELD: u32 = 500;
    let mut calls = Calls::new(2 * HELD);
    let before = live_bytes();
    for pair in 0..HELD {
        let [a, b] = [0, 1].map(|n| EndpointId { index: 2 * pair + n, generation: 1 });
        calls.open(a, kind, false);
        calls.open(b, kind, true);
        calls.command(Command::Bridge { a, b });
        calls.packet(a, 0, 0);
    }
    assert_eq!(calls.relayed, u64::from(HELD));
    (live_bytes() - before) / HELD as isize
}

#[test]
fn a_relayed_call_keeps_less_than_its_budget() {
    let (plain, protected) = (kept(Kind::Relayed), kept(Kind::Protected));
    println!("{plain} bytes a relayed call, {protected} with one side under SRTP");
    assert!(plain <= RELAYED_CALL_BYTES, "{plain} bytes");
    assert!(protected <= PROTECTED_CALL_BYTES, "{protected} bytes");
}

#[test]
fn a_hundred_thousand_calls_leave_nothing_behind() {
    let mut calls = Calls::new(SLOTS);
    (0..FIRST).for_each(|_| calls.call());
    let before = live_bytes();
    (0..CALLS).for_each(|_| calls.call());
    assert_eq!(live_bytes() - before, 0, "bytes after {CALLS} calls");
    assert_eq!(calls.worker.endpoints(), 0);
    let all = u64::from(FIRST + CALLS);
    // 4 packets of one side or both are relayed; rooms and transcoded calls are made anew.
    assert_eq!(calls.relayed, all / 20 * (8 * 4 + 10 * 8));
    assert_eq!(calls.closed, 2 * all + all / 20);
    assert!(calls.worker.counters().frames_mixed > all / 20 * 3, "{:?}", calls.worker.counters());
    assert!(calls.worker.counters().frames_transcoded > all / 20, "{:?}", calls.worker.counters());
}
