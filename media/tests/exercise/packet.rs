//! Any bytes as RTP, as RTCP and as telephone-events.

use std::time::Duration;

use tandem_media::reception::{Arrival, Reception, ReceptionReport};
use tandem_media::rtcp::{self, Compound, MAX_COMPOUND_LEN, Packet, ReportBlock, SenderInfo};
use tandem_media::rtp::{HEADER_LEN, Header, Stamp};
use tandem_media::telephone_event::{EventBlock, Press, PressDetector};
use tandem_time::Instant;

/// Reads bytes as RTP; what is there is within them, and a new stamp changes nothing else.
pub(crate) fn rtp(bytes: &[u8]) {
    let Some(header) = Header::parse(bytes) else { return };
    let payload = header.payload();
    assert!(HEADER_LEN <= payload.start && payload.start <= payload.end && payload.end <= bytes.len());
    let mut reception = Reception::default();
    let now = Instant::from_millis(1);
    assert_eq!(reception.receive(now, &header, true), Arrival::Restarted);
    _ = (reception.lost(), reception.report());
    let stamp = Stamp {
        marker: !header.marker,
        payload_type: header.payload_type ^ 1,
        sequence: header.sequence.wrapping_add(1),
        timestamp: !header.timestamp,
        ssrc: !header.ssrc,
    };
    let mut rewritten = bytes.to_vec();
    stamp.rewrite(&mut rewritten);
    let again = Header::parse(&rewritten).expect("a stamp breaks no packet");
    assert_eq!(again.payload(), payload);
    assert_eq!((again.ssrc, again.sequence), (stamp.ssrc, stamp.sequence));
    assert_eq!(rewritten[HEADER_LEN..], bytes[HEADER_LEN..]);
}

pub(crate) fn rtp_seeds() -> Vec<Vec<u8>> {
    let plain = [&[0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7][..], &[0x55; 160]].concat();
    let sources = [&[0x82, 0x88, 0xff, 0xff, 0, 0, 0, 160, 0, 0, 0, 7], &[9; 8][..], &[0x2a; 160]].concat();
    // An extension (RFC 8285) and padding.
    let extended = [
        &[0xb1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4][..],
        &[5; 20],
        &[0, 0, 0, 4],
    ];
    vec![plain, sources, extended.concat()]
}

/// Reads bytes as a compound.
pub(crate) fn rtcp(bytes: &[u8]) {
    let Some(packets) = rtcp::parse(bytes) else { return };
    let mut count = 0;
    for packet in packets {
        count += 1;
        if let Packet::Report { blocks, .. } = packet {
            assert!(blocks.count() <= 31, "a report has a count of five bits");
        }
    }
    assert!((1..=bytes.len() / 4).contains(&count));
}

pub(crate) fn rtcp_seeds() -> Vec<Vec<u8>> {
    let sender = Some(SenderInfo { ntp: 1 << 40, rtp_timestamp: 9, packets: 3, octets: 480 });
    let reception = ReceptionReport {
        ssrc: 7,
        fraction_lost: 3,
        cumulative_lost: -2,
        highest_sequence: 70_000,
        jitter: 11,
    };
    let block = Some(ReportBlock { reception, last_sender_report: 77, delay_since_last: 5 });
    let write = |sender, block, goodbye| {
        let mut buffer = [0; MAX_COMPOUND_LEN];
        let compound = Compound { ssrc: 7, sender, block, cname: b"0123456789abcdef", goodbye };
        let len = compound.write(&mut buffer);
        buffer[..len].to_vec()
    };
    let whole = write(sender, block, true);
    let report = write(None, block, false);
    // VoIP metrics (RFC 3611 §4.7) behind a report.
    let mut metrics = report.clone();
    metrics.extend([0x80, 207, 0, 10, 0, 0, 0, 7, 7, 0, 0, 8, 0, 0, 0, 7]);
    metrics.extend([
        1, 2, 3, 4, 0, 80, 0, 40, 0, 20, 0, 120, 0xed, 0xc4, 0x7f, 16, 90, 127, 40, 41, 0, 0, 0, 60,
    ]);
    metrics.extend([0, 60, 1, 44]);
    vec![whole, report, metrics]
}

/// Reads bytes as a stream of telephone-event payloads, each with its timestamp and marker before it: a key is released
/// once for each time that it goes down.
pub(crate) fn telephone_events(bytes: &[u8]) {
    let mut detector = PressDetector::default();
    let (mut now, mut down) = (Instant::from_millis(1), false);
    for (n, piece) in (0..).zip(bytes.chunks(7)) {
        let Some((&[marker, timestamp, wait], payload)) = piece.split_first_chunk() else { return };
        let Some(block) = EventBlock::parse(payload) else { return };
        now += Duration::from_millis(wait.into());
        let mut packet = [0x80, 101 | marker & 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, marker & 1];
        packet[2..4].copy_from_slice(&u16::to_be_bytes(n));
        packet[4..8].copy_from_slice(&(u32::from(timestamp) * 160).to_be_bytes());
        let header = Header::parse(&packet).expect("it is one");
        match detector.receive(now, &header, block) {
            Press::Started => down = !block.end,
            Press::Held => assert!(down, "held, and never pressed"),
            Press::Released(_) => assert!(std::mem::take(&mut down), "released, and not down"),
            Press::Repeated => {}
        }
    }
}

pub(crate) fn telephone_event_seeds() -> Vec<Vec<u8>> {
    let press = |key: u8, timestamp: u8| {
        let mut packets = vec![0x80, timestamp, 20, key, 10, 0, 160];
        packets.extend([0, timestamp, 20, key, 10, 1, 64]);
        packets.extend([0, timestamp, 20, key, 0x8a, 1, 224].repeat(3));
        packets
    };
    let restarted = [press(1, 1), [0x81, 9, 20, 2, 10, 0, 160].to_vec()].concat();
    vec![press(5, 1), [press(11, 1), press(11, 4)].concat(), restarted]
}
