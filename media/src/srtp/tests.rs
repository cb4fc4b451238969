//! What only the inside shows: what is remembered, and where keys end.

use super::*;

pub(super) fn key(suite: Suite, fill: u8) -> MasterKey {
    MasterKey::new(suite, &vec![fill; suite.key_len() + suite.salt_len()]).unwrap()
}

fn rtp_packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x55; 160]);
    packet
}

/// RFC 3711 §3.3 keeps the check of the tag before the update of state; some keep state for each SSRC they see.
#[test]
fn forged_packets_leave_nothing_behind() {
    for suite in Suite::ALL {
        let mut receiver = Receiver::new(&key(suite, 1));
        let before = receiver.known_sources();
        for ssrc in 0..200_000 {
            let mut packet = rtp_packet(ssrc, 7);
            packet.truncate(40);
            assert_eq!(receiver.unprotect_rtp(&mut packet), Err(Failure::Forged));
            packet[..8].copy_from_slice(&[0x80, 201, 0, 9, 0, 0, 0, 0]);
            packet[4..8].copy_from_slice(&ssrc.to_be_bytes());
            assert_eq!(receiver.unprotect_rtcp(&mut packet), Err(Failure::Forged));
        }
        assert_eq!(receiver.known_sources(), before);
    }
}

#[test]
fn a_party_has_so_many_sources_and_no_more() {
    let mut receiver = Receiver::new(&key(Suite::AesCm128HmacSha1_80, 1));
    let room = receiver.known_sources().1;
    for ssrc in 0..=MAX_SOURCES as u32 {
        let mut packet = rtp_packet(ssrc, 7);
        packet.resize(200, 0);
        let len = Sender::new(&key(Suite::AesCm128HmacSha1_80, 1)).protect_rtp(&mut packet, 172).unwrap();
        let expected = if ssrc < MAX_SOURCES as u32 { Ok(172) } else { Err(Failure::TooManySources) };
        assert_eq!(receiver.unprotect_rtp(&mut packet[..len]), expected);
    }
    assert_eq!(receiver.known_sources(), (MAX_SOURCES, room), "without further memory");
}

/// RFC 3711 §9.2.
#[test]
fn the_last_rtcp_packet_of_a_key_is_the_last() {
    let mut sender = Sender::new(&key(Suite::AeadAes128Gcm, 1));
    sender.set_next_rtcp_index((1 << 31) - 1);
    let mut report = [0u8; 64];
    report[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 9]);
    assert_eq!(sender.protect_rtcp(&mut report, 8), Some(28));
    assert_eq!(sender.protect_rtcp(&mut report, 8), None);
}
