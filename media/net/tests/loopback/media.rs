//! What parties hear.

use std::sync::Arc;

use tandem_media::codec::g711::Law;
use tandem_media::{Audio, Command, Event, PlayEnd, PlayId, Segment};

use crate::node::{Node, Party, endpoint, with_every_io};

#[test]
fn a_play_is_heard_whole_and_in_order() {
    with_every_io(|| {
        const FRAMES: u16 = 10;
        let mut node = Node::start();
        let (phone, endpoint) = (Party::new(1), endpoint(0, 1));
        let local = node.open(endpoint, &phone);
        // A ramp, so that every sample has its place.
        let samples: Vec<i16> = (0..160 * FRAMES as i16).map(|n| n * 20).collect();
        let audio = Arc::new(Audio::from_samples(samples.clone()));
        let segments: Arc<[Segment]> = Arc::new([Segment::Audio(audio)]);
        let play = PlayId(7);
        node.send(Command::Play {
            endpoint,
            play,
            segments,
            times: Some(1),
            barge_in: tandem_media::BargeIn::Never,
        });

        let heard: Vec<_> = (0..FRAMES).map(|_| phone.hear()).collect();
        let first = &heard[0].1;
        for (number, (from, packet)) in heard.iter().enumerate() {
            let number = number as u16;
            assert_eq!(*from, local);
            assert_eq!(packet.sequence, first.sequence.wrapping_add(number));
            assert_eq!(packet.timestamp, first.timestamp.wrapping_add(160 * u32::from(number)));
            let expected: Vec<u8> = samples[160 * usize::from(number)..][..160]
                .iter()
                .map(|sample| Law::Pcmu.encode(*sample))
                .collect();
            assert_eq!(packet.payload, expected);
        }
        assert_eq!(node.event(), Event::PlayEnded { endpoint, play, end: PlayEnd::Finished });
    });
}

#[test]
fn both_parties_of_a_bridge_hear_each_other() {
    with_every_io(|| {
        let mut node = Node::start();
        let (alice, bob) = (Party::new(0xa), Party::new(0xb));
        let (a, b) = (endpoint(0, 1), endpoint(1, 1));
        let (to_alice, to_bob) = (node.open(a, &alice), node.open(b, &bob));
        node.send(Command::Bridge { a, b });
        node.settle();
        for number in 0..20 {
            alice.speak(to_alice, number, 0x11);
            bob.speak(to_bob, number, 0x22);
            let (from, heard) = bob.hear();
            assert_eq!((from, heard.payload), (to_bob, vec![0x11; 160]));
            let (from, heard) = alice.hear();
            assert_eq!((from, heard.payload), (to_alice, vec![0x22; 160]));
        }
        node.until(|counters| counters.rtp_sent == 40);
        let counters = node.counters();
        assert_eq!((counters.packets_received, counters.packets_sent), (40, 40));
    });
}

#[test]
fn an_endpoint_bridged_to_itself_hears_itself() {
    with_every_io(|| {
        let mut node = Node::start();
        let (phone, a) = (Party::new(1), endpoint(0, 1));
        let local = node.open(a, &phone);
        node.send(Command::Bridge { a, b: a });
        node.settle();
        phone.speak(local, 0, 0x33);
        assert_eq!(phone.hear().1.payload, vec![0x33; 160]);
    });
}

#[test]
fn a_stranger_is_not_relayed_and_counted() {
    with_every_io(|| {
        let mut node = Node::start();
        let (alice, bob, stranger) = (Party::new(0xa), Party::new(0xb), Party::new(0xc));
        let (a, b) = (endpoint(0, 1), endpoint(1, 1));
        let to_alice = node.open(a, &alice);
        node.open(b, &bob);
        node.send(Command::Bridge { a, b });
        node.settle();
        stranger.speak(to_alice, 0, 0xee);
        alice.speak(to_alice, 0, 0x11);
        assert_eq!(bob.hear().1.payload, vec![0x11; 160]);
        node.until(|counters| counters.packets_received == 2);
        let refused: u64 = node.handle.counters().refused().map(|(_, count)| count).sum();
        assert_eq!(refused, 1);
    });
}
