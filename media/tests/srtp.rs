//! SRTP as a peer sees it, and against `webrtc-srtp`, an implementation that is not ours.

use proptest::prelude::*;
use tandem_media::srtp::{Failure, MAX_TRAILER_LEN, MasterKey, Receiver, Sender, Suite};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

fn key_of(suite: Suite, octets: &[u8]) -> MasterKey {
    MasterKey::new(suite, &octets[..suite.key_len() + suite.salt_len()]).expect("the suite's length")
}

fn key(suite: Suite, fill: u8) -> MasterKey {
    key_of(suite, &[fill; 46])
}

fn theirs(suite: Suite, octets: &[u8]) -> Context {
    let profile = match suite {
        Suite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    let (key, rest) = octets.split_at(suite.key_len());
    Context::new(key, &rest[..suite.salt_len()], profile, None, None).expect("a context")
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([1, 2, 3, 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn receiver_report(ssrc: u32, words: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1 + words];
    packet.extend(ssrc.to_be_bytes());
    packet.extend(std::iter::repeat_n(0x5a, 4 * usize::from(words)));
    packet
}

fn protect(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + MAX_TRAILER_LEN, 0);
    let len = sender.protect_rtp(&mut buffer, packet.len()).expect("an index that was not used");
    buffer.truncate(len);
    buffer
}

fn protect_report(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + MAX_TRAILER_LEN, 0);
    let len = sender.protect_rtcp(&mut buffer, packet.len()).expect("an index that was not used");
    buffer.truncate(len);
    buffer
}

fn unprotect(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut buffer = packet.to_vec();
    let len = receiver.unprotect_rtp(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

fn suite() -> impl Strategy<Value = Suite> {
    prop::sample::select(&Suite::ALL[..])
}

proptest! {
    #[test]
    fn what_we_protect_they_read(
        suite in suite(),
        octets: [u8; 32],
        salt: [u8; 14],
        ssrc: u32,
        first in 0u16..0x8000,
        steps in prop::collection::vec(1u16..3_000, 1..60),
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let octets = [&octets[..], &salt].concat();
        let (mut ours, mut theirs) = (Sender::new(&key_of(suite, &octets)), theirs(suite, &octets));
        let mut sequence = first;
        for step in steps {
            let packet = rtp(ssrc, sequence, &payload);
            prop_assert_eq!(theirs.decrypt_rtp(&protect(&mut ours, &packet)).expect("ours"), packet);
            let report = receiver_report(ssrc, (step % 9) as u8);
            prop_assert_eq!(theirs.decrypt_rtcp(&protect_report(&mut ours, &report)).expect("ours"), report);
            sequence = sequence.wrapping_add(step);
        }
    }

    #[test]
    fn what_they_protect_we_read(
        suite in suite(),
        octets: [u8; 32],
        salt: [u8; 14],
        ssrcs in prop::collection::vec(any::<u32>(), 1..4),
        first in 0u16..0x8000,
        steps in prop::collection::vec(1u16..3_000, 1..60),
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let octets = [&octets[..], &salt].concat();
        let (mut ours, mut theirs) = (Receiver::new(&key_of(suite, &octets)), theirs(suite, &octets));
        let mut sequence = first;
        for step in steps {
            for ssrc in std::collections::BTreeSet::from_iter(&ssrcs) {
                let packet = rtp(*ssrc, sequence, &payload);
                let protected = theirs.encrypt_rtp(&packet).expect("a packet");
                prop_assert_eq!(unprotect(&mut ours, &protected), Ok(packet));
                prop_assert_eq!(unprotect(&mut ours, &protected), Err(Failure::Replayed));
                let report = receiver_report(*ssrc, (step % 9) as u8);
                let mut protected = theirs.encrypt_rtcp(&report).expect("a report").to_vec();
                let len = ours.unprotect_rtcp(&mut protected);
                prop_assert_eq!(len.map(|len| &protected[..len]), Ok(&report[..]));
            }
            sequence = sequence.wrapping_add(step);
        }
    }

    /// Header, payload, tag, index: nothing of a packet can be changed unnoticed, nor does anything panic.
    #[test]
    fn a_packet_with_a_changed_bit_is_refused(suite in suite(), at: prop::sample::Index, bit in 0u8..8) {
        let mut sender = Sender::new(&key(suite, 3));
        let mut packet = protect(&mut sender, &rtp(9, 77, &[5; 40]));
        *at.get_mut(&mut packet) ^= 1 << bit;
        prop_assert!(Receiver::new(&key(suite, 3)).unprotect_rtp(&mut packet).is_err());
        let mut report = protect_report(&mut sender, &receiver_report(9, 6));
        *at.get_mut(&mut report) ^= 1 << bit;
        // Its first four octets too are authenticated.
        prop_assert!(Receiver::new(&key(suite, 3)).unprotect_rtcp(&mut report).is_err());
    }

    #[test]
    fn any_octets_are_refused_without_a_panic(suite in suite(), mut octets in prop::collection::vec(any::<u8>(), 0..90)) {
        let mut receiver = Receiver::new(&key(suite, 3));
        prop_assert!(receiver.unprotect_rtp(&mut octets).is_err());
        prop_assert!(receiver.unprotect_rtcp(&mut octets).is_err());
        let len = octets.len();
        let _ = Sender::new(&key(suite, 3)).protect_rtp(&mut octets, len);
        let _ = Sender::new(&key(suite, 3)).protect_rtcp(&mut octets, len);
    }
}

/// RFC 3711 §3.3.1: three rollovers, with loss and reordering around each.
#[test]
fn both_sides_count_rollovers_alike() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = (Sender::new(&key(suite, 1)), Receiver::new(&key(suite, 1)));
        let mut held = None;
        for n in 0..200_000u32 {
            let near = (n % 65_536).min(65_535 - n % 65_536) < 150;
            if !near && !n.is_multiple_of(499) {
                continue;
            }
            let packet = rtp(7, n as u16, &n.to_be_bytes());
            let protected = protect(&mut sender, &packet);
            match n % 5 {
                0 => {} // lost
                1 if near => held = Some((packet, protected)),
                _ => {
                    assert_eq!(unprotect(&mut receiver, &protected), Ok(packet), "{suite:?}, packet {n}");
                    if let Some((packet, protected)) = held.take() {
                        assert_eq!(unprotect(&mut receiver, &protected), Ok(packet), "late, before {n}");
                    }
                }
            }
        }
    }
}

/// RFC 3711 §9.1, RFC 7714 §8.1: two packets under one index would lay each other open.
#[test]
fn an_index_is_never_used_twice() {
    for suite in Suite::ALL {
        let mut sender = Sender::new(&key(suite, 1));
        let mut buffer = [0; 64];
        for (sequence, fits) in
            [(5, true), (5, false), (7, true), (6, true), (6, false), (300, true), (8, false)]
        {
            buffer[..20].copy_from_slice(&rtp(7, sequence, &[1; 8]));
            assert_eq!(sender.protect_rtp(&mut buffer, 20).is_some(), fits, "{sequence}");
        }
    }
}

#[test]
fn a_packet_without_room_for_its_trailer_is_not_sent() {
    for suite in Suite::ALL {
        let tag_len = protect(&mut Sender::new(&key(suite, 1)), &rtp(7, 1, &[1; 8])).len() - 20;
        let mut sender = Sender::new(&key(suite, 1));
        let mut packet = rtp(7, 1, &[1; 8]);
        packet.resize(20 + tag_len - 1, 0);
        assert_eq!(sender.protect_rtp(&mut packet, 20), None);
        packet.push(0);
        assert_eq!(sender.protect_rtp(&mut packet, 20), Some(20 + tag_len));
    }
}

/// RFC 3711 §3.4: the index counts from 0, and the E bit says that the packet is encrypted.
#[test]
fn an_rtcp_packet_bears_its_index_and_the_e_bit() {
    let mut sender = Sender::new(&key(Suite::AesCm128HmacSha1_32, 1));
    let report = receiver_report(9, 2);
    for index in 0..3u8 {
        let protected = protect_report(&mut sender, &report);
        assert_eq!(protected.len(), 16 + 4 + 10, "80 bits of tag, whatever RTP has (RFC 4568 §6.2.2)");
        assert_eq!(protected[..8], report[..8], "header and SSRC stay readable");
        assert_ne!(protected[8..16], report[8..16]);
        assert_eq!(protected[16..20], [0x80, 0, 0, index]);
    }
    let mut sender = Sender::new(&key(Suite::AeadAes128Gcm, 1));
    let protected = protect_report(&mut sender, &report);
    assert_eq!(protected[32..], [0x80, 0, 0, 0], "the index is last (RFC 7714 §9.1)");
}

#[test]
fn an_rtcp_packet_is_good_once() {
    let mut receiver = Receiver::new(&key(Suite::AeadAes256Gcm, 1));
    let packet = protect_report(&mut Sender::new(&key(Suite::AeadAes256Gcm, 1)), &receiver_report(9, 2));
    assert_eq!(receiver.unprotect_rtcp(&mut packet.clone()), Ok(16));
    assert_eq!(receiver.unprotect_rtcp(&mut packet.clone()), Err(Failure::Replayed));
}

/// A party that changes its key may go on counting rollovers, as RFC 3711 §3.3.1 wants, or start at 0, as many do.
#[test]
fn a_party_that_changes_its_key_is_understood_however_it_counts() {
    for suite in Suite::ALL {
        for counts_on in [true, false] {
            let mut receiver = Receiver::new(&key(suite, 1));
            let mut old = Sender::new(&key(suite, 1));
            for sequence in [30_000, 60_000, 20_000] {
                assert!(unprotect(&mut receiver, &protect(&mut old, &rtp(7, sequence, &[1]))).is_ok());
            }
            let under_way = protect(&mut old, &rtp(7, 20_001, &[1]));
            let too_late = protect(&mut old, &rtp(7, 20_002, &[1]));
            let mut new = Sender::new(&key(suite, 2));
            if counts_on {
                for sequence in [30_000, 60_000] {
                    protect(&mut new, &rtp(7, sequence, &[1]));
                }
            }
            let mut receiver = receiver.rekeyed(&key(suite, 2));
            assert!(unprotect(&mut receiver, &under_way).is_ok(), "it was under way");
            assert_eq!(unprotect(&mut receiver, &under_way), Err(Failure::Replayed));
            for sequence in [20_003, 20_004] {
                let packet = rtp(7, sequence, &[2]);
                assert_eq!(unprotect(&mut receiver, &protect(&mut new, &packet)), Ok(packet));
            }
            assert_eq!(unprotect(&mut receiver, &too_late), Err(Failure::Forged), "the new key is in use");
        }
    }
}

#[test]
fn a_key_has_its_suites_length_and_is_never_shown() {
    for suite in Suite::ALL {
        let len = suite.key_len() + suite.salt_len();
        assert!(MasterKey::new(suite, &[0xab; 46][..len]).is_some());
        assert!(MasterKey::new(suite, &[0xab; 46][..len - 1]).is_none());
        assert!(MasterKey::new(suite, &[0xab; 46][..=len]).is_none());
        let shown = format!("{:?} {:?}", key(suite, 0xab), Sender::new(&key(suite, 0xab)));
        assert!(!shown.contains("171") && !shown.to_lowercase().contains("ab,"), "{shown}");
    }
}
