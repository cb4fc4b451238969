//! Nothing that arrives makes the worker panic or send what it should not: hundreds of thousands of mutated packets
//! and files, the same ones every time.

mod exercise;

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tandem_media::*;
use tandem_time::Instant;

const PACKETS: u32 = 400_000;
const FILES: u32 = 100_000;
/// At each door.
const ROUNDS: u32 = 4_000;

/// Flips, cuts, grows or splices a few bytes.
fn mutate(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>, most: usize) {
    for _ in 0..=rng.next_u32() % 4 {
        let at = rng.next_u32() as usize % bytes.len().max(1);
        match (rng.next_u32() % 8, bytes.get_mut(at)) {
            (0, _) => bytes.truncate(at),
            (1, _) => bytes.resize((bytes.len() + at).min(most), rng.next_u32() as u8),
            (2, Some(byte)) => *byte = [0, 0x7f, 0x80, 0xff][rng.next_u32() as usize % 4],
            (_, Some(byte)) => *byte ^= 1 << (rng.next_u32() % 8),
            (_, None) => bytes.push(rng.next_u32() as u8),
        }
    }
}

fn party(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 10], 30_000 + 2 * index as u16))
}

/// Two bridged endpoints and an echo, in both laws.
fn worker(now: Instant) -> (Worker, [EndpointId; 3]) {
    let mut worker = Worker::new(ChaCha8Rng::seed_from_u64(1), 3);
    let ids = [0, 1, 2].map(|index| EndpointId { index, generation: 1 });
    for endpoint in ids {
        let remote_rtp = party(endpoint.index);
        let codec = if endpoint.index == 0 { Codec::Pcma } else { Codec::Pcmu };
        let stream = StreamParameters {
            send_event_payload_type: Some(96),
            media_timeout: Some(Duration::from_millis(50)),
            ..StreamParameters::new(remote_rtp, codec, 0)
        };
        let local = SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * endpoint.index as u16));
        worker.handle_command(now, Command::Open { endpoint, local });
        worker.handle_bound(now, endpoint, true);
        worker.handle_command(now, Command::Configure { endpoint, stream });
    }
    worker.handle_command(now, Command::Bridge { a: ids[0], b: ids[1] });
    worker.handle_command(now, Command::Bridge { a: ids[2], b: ids[2] });
    (worker, ids)
}

fn seeds() -> Vec<(Channel, Vec<u8>)> {
    let rtp = |payload_type: u8, payload: &[u8]| {
        let header = [0x80, payload_type, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7];
        (Channel::Rtp, [&header, payload].concat())
    };
    let extended = [
        &[0xb1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4][..],
        &[5; 20],
        &[4],
    ];
    let info = rtcp::SenderInfo { ntp: 1 << 40, rtp_timestamp: 9, packets: 3, octets: 480 };
    let reception = reception::ReceptionReport {
        ssrc: 7,
        fraction_lost: 3,
        cumulative_lost: -2,
        highest_sequence: 70_000,
        jitter: 11,
    };
    let block = rtcp::ReportBlock { reception, last_sender_report: 77, delay_since_last: 5 };
    let mut buffer = [0; rtcp::MAX_COMPOUND_LEN];
    let compound = rtcp::Compound {
        ssrc: 7,
        sender: Some(info),
        block: Some(block),
        cname: b"0123456789abcdef",
        goodbye: true,
    };
    let len = compound.write(&mut buffer);
    vec![
        rtp(0, &[0x55; 160]),
        rtp(101, &[5, 0x0a, 1, 64]),
        rtp(101, &[5, 0x8a, 1, 64]),
        (Channel::Rtp, extended.concat()),
        (Channel::Rtcp, buffer[..len].to_vec()),
    ]
}

#[test]
fn mutated_packets_are_refused_or_relayed_as_rtp() {
    let mut now = Instant::from_millis(1);
    let (mut worker, ids) = worker(now);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let seeds = seeds();
    let (mut relayed, mut buffer) = (0, [0; 1_500]);
    for n in 0..PACKETS {
        let (channel, seed) = &seeds[rng.next_u32() as usize % seeds.len()];
        let mut packet = seed.clone();
        if packet.len() > 12 && *channel == Channel::Rtp {
            packet[2..4].copy_from_slice(&(n as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(n / 3 * 160).to_be_bytes());
        }
        mutate(&mut rng, &mut packet, buffer.len());
        buffer[..packet.len()].copy_from_slice(&packet);
        let endpoint = ids[rng.next_u32() as usize % ids.len()];
        let source = party(endpoint.index);
        let disposition = worker.handle_packet(now, endpoint, *channel, source, &mut buffer, packet.len());
        if let Disposition::Forward { len, .. } = disposition {
            assert!(len <= packet.len(), "what is stripped may be missing");
            let header = tandem_media::rtp::Header::parse(&buffer[..len]).expect("what is relayed is RTP");
            assert!(matches!(header.payload_type, 0 | 96));
            relayed += 1;
        }
        now += Duration::from_millis(1);
        worker.handle_timeout(now);
        while worker.poll_transmit().is_some() {}
        while worker.poll_event().is_some() {}
    }
    let counters = worker.counters();
    let refused: u64 = Refusal::ALL.into_iter().map(|why| counters.refused(why)).sum();
    let accounted = counters.rtp_received + counters.rtcp_received + refused;
    assert_eq!(accounted, u64::from(PACKETS), "every packet is counted once");
    assert!(relayed > PACKETS / 10, "many mutations leave a good packet: {relayed}");
    assert!(counters.refused(Refusal::Malformed) > u64::from(PACKETS / 20));
}

#[test]
fn a_length_beyond_the_buffer_is_refused() {
    let now = Instant::from_millis(1);
    let (mut worker, ids) = worker(now);
    let disposition = worker.handle_packet(now, ids[0], Channel::Rtp, party(0), &mut [0x80; 100], 101);
    assert_eq!((disposition, worker.counters().refused(Refusal::Malformed)), (Disposition::Done, 1));
}

/// What makes sense at each door, with some of it changed, cut or doubled; and that it makes sense there at all.
#[test]
fn mutated_bytes_break_nothing_at_any_door() {
    for entry in &exercise::ENTRIES {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let seeds = (entry.seeds)();
        seeds.iter().for_each(|seed| exercise::read(entry.name, seed));
        for round in 0..ROUNDS {
            let mut bytes = seeds[rng.next_u32() as usize % seeds.len()].clone();
            mutate(&mut rng, &mut bytes, 1_500);
            let caught = std::panic::catch_unwind(|| exercise::read(entry.name, &bytes));
            assert!(caught.is_ok(), "{} round {round}: {}", entry.name, bytes.escape_ascii());
        }
    }
}

#[test]
fn mutated_wav_files_decode_or_are_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let wav = exercise::ENTRIES.iter().find(|entry| entry.name == "wav").expect("the door of WAV files");
    let seeds = (wav.seeds)();
    let mut decoded = 0;
    for n in 0..FILES {
        let mut file = seeds[n as usize % seeds.len()].clone();
        mutate(&mut rng, &mut file, 400);
        decoded += u32::from(decode_wav(&file).is_ok());
    }
    assert!((FILES / 10..FILES * 9 / 10).contains(&decoded), "{decoded}");
}
