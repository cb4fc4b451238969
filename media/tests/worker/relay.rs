//! Packets between two parties.

use tandem_media::*;

use crate::support::*;

#[test]
fn bridged_parties_hear_each_other_under_our_ssrc_and_payload_types() {
    let mut bench = Bench::new(2);
    let a = bench.open(0, stream(0));
    let b = bench.open(1, StreamParameters { send_payload_type: 96, ..stream(1) });
    bench.command(Command::Bridge { a, b });
    let mut alice = Source::new(0xa11ce, 0);
    let mut last = None;
    for payload in [[1; 160], [2; 160], [3; 160]] {
        let source = alice.clone();
        let sent = bench.packet(a, party(0), &alice.audio(&payload)).unwrap();
        assert_eq!((sent.endpoint, sent.destination), (b, party(1)));
        let packet = sent.rtp();
        assert_eq!(packet.payload, payload.as_slice());
        assert_eq!(packet.header.payload_type, 96);
        assert_ne!(packet.header.ssrc, source.ssrc);
        let offset = packet.header.sequence_number.wrapping_sub(source.sequence);
        let shift = packet.header.timestamp.wrapping_sub(source.timestamp);
        assert_eq!(
            *last.get_or_insert((packet.header.ssrc, offset, shift)),
            (packet.header.ssrc, offset, shift)
        );
        bench.run(PTIME);
    }
    let mut bob = Source::new(0xb0b, 0);
    let back = bench.packet(b, party(1), &bob.audio(&[9; 160])).unwrap();
    assert_eq!((back.endpoint, back.destination, back.rtp().header.payload_type), (a, party(0), 0));
}

#[test]
fn different_laws_are_transcoded_both_ways() {
    let mut bench = Bench::new(2);
    let a = bench.open(0, stream(0));
    let b = bench.open(1, alaw_stream(1));
    bench.command(Command::Bridge { a, b });
    let (mut alice, mut bob) = (Source::new(1, 0), Source::new(2, 8));
    let speech: Vec<i16> = (0..160).map(|n| n * 180 - 14_000).collect();
    let encoded = |codec: Law| speech.iter().map(|sample| codec.encode(*sample)).collect::<Vec<_>>();
    let near = |heard: Vec<i16>| {
        heard.iter().zip(&speech).all(|(heard, said)| (heard - said).abs() <= 16 + said.abs() / 12)
    };
    let to_bob = bench.packet(a, party(0), &alice.audio(&encoded(Law::Pcmu))).unwrap();
    assert_eq!(to_bob.rtp().header.payload_type, 8);
    assert!(near(decode(Law::Pcma, &[to_bob])));
    let to_alice = bench.packet(b, party(1), &bob.audio(&encoded(Law::Pcma))).unwrap();
    assert!(near(decode(Law::Pcmu, &[to_alice])));
}

#[test]
fn an_endpoint_bridged_to_itself_hears_itself_and_its_keys() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, StreamParameters { send_event_payload_type: Some(96), ..stream(0) });
    bench.command(Command::Bridge { a: endpoint, b: endpoint });
    let mut caller = Source::new(1, 0);
    let audio = bench.packet(endpoint, party(0), &caller.audio(&[5; 160])).unwrap();
    assert_eq!((audio.destination, audio.rtp().payload.to_vec()), (party(0), vec![5; 160]));
    let sent: Vec<_> =
        caller.press('7', 3).iter().filter_map(|p| bench.packet(endpoint, party(0), p)).collect();
    assert_eq!(sent.len(), 6);
    let timestamps: Vec<u32> = sent.iter().map(|sent| sent.rtp().header.timestamp).collect();
    let first = audio.rtp().header.timestamp.wrapping_add(160);
    assert_eq!(timestamps, [first; 6], "all packets of an event bear its start (RFC 4733 §2.2)");
    assert!(sent.iter().all(|sent| sent.rtp().header.payload_type == 96 && sent.rtp().payload[0] == 7));
}

#[test]
fn keys_are_not_relayed_to_a_party_that_cannot_take_them() {
    let mut bench = Bench::new(2);
    let a = bench.open(0, stream(0));
    let b = bench.open(1, StreamParameters { send_event_payload_type: None, ..stream(1) });
    bench.command(Command::Bridge { a, b });
    let mut caller = Source::new(1, 0);
    press(&mut bench, a, party(0), &mut caller, '7');
    assert_eq!(bench.take_rtp(b).len(), 0);
    assert_eq!(bench.worker.counters().not_relayed, 7);
    let digit = Digit::from_char('7').unwrap();
    assert!(bench.take_events().contains(&Event::Digit { endpoint: a, digit }), "but they are told");
}

#[test]
fn loss_reordering_and_duplicates_of_the_source_stay_visible() {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    bench.command(Command::Bridge { a, b });
    let mut caller = Source::new(1, 0);
    let packets: Vec<_> = (0..10).map(|n| caller.audio(&[n; 160])).collect();
    let order = [0, 1, 4, 3, 3, 8, 9];
    for index in order {
        bench.packet(a, party(0), &packets[index]);
    }
    let sent = bench.take_rtp(b);
    let first = sent[0].rtp().header.sequence_number;
    let relative: Vec<_> =
        sent.iter().map(|sent| sent.rtp().header.sequence_number.wrapping_sub(first)).collect();
    assert_eq!(relative, [0, 1, 4, 3, 3, 8, 9]);
    let payloads: Vec<_> = sent.iter().map(|sent| usize::from(sent.rtp().payload[0])).collect();
    assert_eq!(payloads, order);
}

#[test]
fn a_packet_from_before_the_switch_is_not_relayed_after_it() {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    let mut caller = Source::new(1, 0);
    let late = caller.audio(&[1; 160]);
    bench.command(Command::Bridge { a, b });
    assert!(bench.packet(a, party(0), &caller.audio(&[2; 160])).is_some());
    assert!(bench.packet(a, party(0), &late).is_none(), "its number was used by what b heard before");
    assert_eq!(bench.worker.counters().not_relayed, 1);
}

#[test]
fn a_source_that_changes_its_ssrc_goes_on_in_our_stream() {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    bench.command(Command::Bridge { a, b });
    let mut sources = [Source::new(11, 0), Source::new(9_999, 0)];
    for source in &mut sources {
        for _ in 0..3 {
            bench.packet(a, party(0), &source.audio(&[2; 160]));
            bench.run(PTIME);
        }
    }
    let headers: Vec<_> = bench.take_rtp(b).iter().map(|sent| sent.rtp().header).collect();
    for pair in headers.windows(2) {
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
        assert_eq!(pair[1].sequence_number, pair[0].sequence_number.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
    assert_eq!(
        headers.iter().map(|h| h.marker).collect::<Vec<_>>(),
        [true, false, false, true, false, false]
    );
}

/// RFC 3550 §A.1: a jump is believed when its successor follows.
#[test]
fn a_source_that_restarts_its_numbers_goes_on_in_our_stream() {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    bench.command(Command::Bridge { a, b });
    let mut source = Source::new(11, 0);
    bench.packet(a, party(0), &source.audio(&[2; 160]));
    source.sequence = source.sequence.wrapping_add(20_000);
    assert!(bench.packet(a, party(0), &source.audio(&[2; 160])).is_none());
    assert_eq!(bench.refused(Refusal::SequenceJump), 1);
    assert!(bench.packet(a, party(0), &source.audio(&[2; 160])).is_some());
    let numbers: Vec<_> = bench.take_rtp(b).iter().map(|sent| sent.rtp().header.sequence_number).collect();
    assert_eq!(numbers[1], numbers[0].wrapping_add(1));
}

#[test]
fn nothing_flows_against_the_agreed_direction() {
    for (direction, hears, is_heard) in [
        (Direction::SendReceive, true, true),
        (Direction::SendOnly, true, false),
        (Direction::ReceiveOnly, false, true),
        (Direction::Inactive, false, false),
    ] {
        let mut bench = Bench::new(2);
        let a = bench.open(0, StreamParameters { direction, ..stream(0) });
        let b = bench.open(1, stream(1));
        bench.command(Command::Bridge { a, b });
        let from_a = bench.packet(a, party(0), &Source::new(1, 0).audio(&[1; 160]));
        let to_a = bench.packet(b, party(1), &Source::new(2, 0).audio(&[1; 160]));
        assert_eq!((to_a.is_some(), from_a.is_some()), (hears, is_heard), "{direction:?}");
        assert_eq!(bench.refused(Refusal::Direction), u64::from(!is_heard));
        bench.command(play(a, 1, vec![Segment::Audio(audio_of_ms(20))]));
        bench.run(PTIME * 2);
        assert_eq!(
            bench.take_rtp(a).len(),
            if hears { 2 } else { 0 },
            "{direction:?}: the relayed and the played"
        );
    }
}

#[test]
fn what_was_not_agreed_is_refused_by_reason() {
    let mut bench = Bench::new(2);
    let endpoint = EndpointId { index: 1, generation: 1 };
    bench.command(Command::Open { endpoint, local: local(1) });
    bench.worker.handle_bound(bench.now, endpoint, true);
    bench.packet(endpoint, party(1), &Source::new(1, 0).audio(&[1; 160]));
    assert_eq!(bench.refused(Refusal::NotAgreed), 1);
    let endpoint = bench.open(0, stream(0));
    bench.packet(endpoint, party(0), &Source::new(1, 9).audio(&[1; 160]));
    bench.packet(endpoint, party(0), &[0x80; 11]);
    let mut cut_event = Source::new(1, EVENT_PT);
    bench.packet(endpoint, party(0), &cut_event.audio(&[1, 2, 3]));
    assert_eq!((bench.refused(Refusal::PayloadType), bench.refused(Refusal::Malformed)), (1, 2));
    bench.command(Command::Close { endpoint });
    bench.run(MS);
    let events = bench.take_events();
    let Some(Event::Closed { statistics, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!((statistics.packets_received, statistics.packets_refused), (0, 3));
}

#[test]
fn a_play_to_a_bridged_party_replaces_the_peer_for_as_long_as_it_lasts() {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    bench.command(Command::Bridge { a, b });
    bench.command(play(b, 1, vec![Segment::Tone(Tone::Beep)]));
    let mut caller = Source::new(1, 0);
    assert!(bench.packet(a, party(0), &caller.audio(&[1; 160])).is_none());
    bench.run(MS * 1_000);
    assert!(bench.packet(a, party(0), &caller.audio(&[1; 160])).is_some());
}
