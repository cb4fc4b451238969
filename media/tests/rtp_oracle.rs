//! RTP headers against the `rtp` crate, an implementation that is not ours.

use bytes::Bytes;
use proptest::prelude::*;
use rtp::header::{Extension, Header as Theirs};
use rtp::packet::Packet;
use tandem_media::rtp::{Header, Stamp};
use webrtc_util::marshal::{Marshal, Unmarshal};

fn packet() -> impl Strategy<Value = Packet> {
    let numbers = (any::<bool>(), 0u8..128, any::<u16>(), any::<u32>(), any::<u32>());
    let extra = (prop::collection::vec(any::<u32>(), 0..16), prop::collection::vec(any::<u8>(), 0..17));
    (numbers, extra, prop::collection::vec(any::<u8>(), 0..400)).prop_map(|(numbers, extra, payload)| {
        let (marker, payload_type, sequence_number, timestamp, ssrc) = numbers;
        let (csrc, extension) = extra;
        let mut header = Theirs {
            version: 2,
            marker,
            payload_type,
            sequence_number,
            timestamp,
            ssrc,
            csrc,
            ..Theirs::default()
        };
        if !extension.is_empty() {
            header.extension = true;
            header.extension_profile = 0xbede;
            header.extensions = vec![Extension { id: 5, payload: Bytes::from(extension) }];
            header.extensions[0].payload.truncate(16);
        }
        Packet { header, payload: payload.into() }
    })
}

proptest! {
    #[test]
    fn what_they_write_we_read(packet in packet()) {
        let bytes = packet.marshal().expect("room for the packet");
        let ours = Header::parse(&bytes).expect("a packet of theirs");
        prop_assert_eq!(ours.marker, packet.header.marker);
        prop_assert_eq!(ours.payload_type, packet.header.payload_type);
        prop_assert_eq!(ours.sequence, packet.header.sequence_number);
        prop_assert_eq!(ours.timestamp, packet.header.timestamp);
        prop_assert_eq!(ours.ssrc, packet.header.ssrc);
        prop_assert_eq!(&bytes[ours.payload()], &packet.payload);
    }

    #[test]
    fn what_we_rewrite_they_read_with_all_else_as_it_was(
        packet in packet(),
        marker: bool,
        payload_type in 0u8..128,
        sequence: u16,
        timestamp: u32,
        ssrc: u32,
    ) {
        let mut bytes = packet.marshal().expect("room for the packet").to_vec();
        Stamp { marker, payload_type, sequence, timestamp, ssrc }.rewrite(&mut bytes);
        let theirs = Packet::unmarshal(&mut bytes.as_slice()).expect("a packet");
        let mut meant = Packet::unmarshal(&mut packet.marshal().expect("room for the packet")).expect("a packet");
        meant.header = Theirs { marker, payload_type, sequence_number: sequence, timestamp, ssrc, ..meant.header };
        prop_assert_eq!(theirs, meant);
    }

    /// Whatever they refuse for its lengths, we refuse too; of the rest we read the same payload.
    #[test]
    fn of_any_bytes_we_accept_no_more_than_they_do(mut bytes in prop::collection::vec(any::<u8>(), 0..80), plain: bool) {
        if let Some(first) = bytes.first_mut() {
            *first = (*first & 0x3f) | 0x80;
            if plain {
                *first &= !0x10; // their reader of extensions also checks what is inside them
            }
        }
        let theirs = Packet::unmarshal(&mut bytes.as_slice());
        match (Header::parse(&bytes), theirs) {
            (Some(ours), Ok(theirs)) => prop_assert_eq!(&bytes[ours.payload()], &theirs.payload),
            (Some(_), Err(error)) => prop_assert!(!plain, "{}", error),
            (None, _) => {}
        }
    }
}
