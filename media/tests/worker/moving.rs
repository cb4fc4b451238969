//! An endpoint goes from one worker to another: its stream, its play and its totals go on.

use std::time::Duration;

use tandem_media::*;

use crate::support::*;

/// Hands it over and takes it over at another worker, which can bind its port or not.
fn moved(from: &mut Bench, endpoint: EndpointId, is_bound: bool) -> Bench {
    from.events.clear();
    from.command(Command::HandOver { endpoint });
    assert_eq!(from.requests, [IoRequest::Unbind { endpoint }], "closed before anybody is told");
    let Some(Event::HandedOver { endpoint: named, parcel }) = from.events.pop() else {
        panic!("not handed over")
    };
    assert_eq!((named, from.worker.endpoints()), (endpoint, 0));
    let mut to = Bench::seeded(4, 2);
    to.now = from.now;
    to.command(Command::TakeOver { endpoint, local: local(endpoint.index), parcel });
    assert_eq!(to.requests, [IoRequest::Bind { endpoint, local: local(endpoint.index) }]);
    to.worker.handle_bound(to.now, endpoint, is_bound);
    to.drain();
    to
}

#[test]
fn a_stream_and_its_play_go_on() {
    let mut here = Bench::new(4);
    let endpoint = here.open(2, stream(2));
    here.command(play(endpoint, 7, vec![Segment::Audio(audio_of_ms(1_000))]));
    let mut caller = Source::new(9, 0);
    here.packet(endpoint, party(2), &caller.audio(&[0; 160]));
    here.run(Duration::from_millis(500));
    let mut sent = here.take_rtp(endpoint);
    let mut there = moved(&mut here, endpoint, true);
    assert_eq!(there.take_events(), [Event::Opened { endpoint }]);
    there.packet(endpoint, party(2), &caller.audio(&[0; 160]));
    there.run(Duration::from_millis(600));
    sent.extend(there.take_rtp(endpoint));
    let headers: Vec<_> = sent.iter().map(|sent| sent.rtp().header).collect();
    assert!((50..=51).contains(&headers.len()), "{} packets of a second", headers.len());
    for pair in headers.windows(2) {
        assert_eq!(pair[0].ssrc, pair[1].ssrc);
        assert_eq!(pair[1].sequence_number, pair[0].sequence_number.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
    let end = Event::PlayEnded { endpoint, play: PlayId(7), end: PlayEnd::Finished };
    assert_eq!(there.take_events(), [end], "told by who has it");
    there.command(Command::Close { endpoint });
    there.run(Duration::ZERO);
    let Some(Event::Closed { statistics, .. }) = there.events.pop() else { panic!("not closed") };
    assert_eq!((statistics.packets_received, statistics.packets_sent), (2, headers.len() as u64));
}

/// Keys stay where they were: no packet is sent twice under one index, and the peer's are still authentic.
#[test]
fn srtp_goes_on_under_its_keys() {
    let key = |octet| srtp::MasterKey::new(srtp::Suite::AesCm128HmacSha1_80, &[octet; 30]).expect("a key");
    let keys = srtp::SrtpKeys { send: key(1), receive: key(2) };
    let mut here = Bench::new(4);
    let security = Security::Keys(Box::new(keys));
    let endpoint = here.open(2, StreamParameters { security, ..stream(2) });
    let mut theirs = srtp::Sender::new(&key(2));
    let mut caller = Source::new(9, 0);
    let mut protected = || {
        let mut packet = caller.audio(&[0; 160]);
        let len = packet.len();
        packet.resize(len + srtp::MAX_TRAILER_LEN, 0);
        let len = theirs.protect_rtp(&mut packet, len).expect("protected");
        packet.truncate(len);
        packet
    };
    let first = protected();
    here.packet(endpoint, party(2), &first);
    let mut there = moved(&mut here, endpoint, true);
    there.packet(endpoint, party(2), &protected());
    there.packet(endpoint, party(2), &first);
    assert_eq!(there.worker.counters().rtp_received, 1);
    assert_eq!(there.refused(Refusal::Replayed), 1, "what was heard before is known here too");
}

/// The port was taken meanwhile: it is closed, with its totals.
#[test]
fn an_endpoint_that_cannot_be_bound_again_is_closed() {
    let mut here = Bench::new(4);
    let endpoint = here.open(2, stream(2));
    here.packet(endpoint, party(2), &Source::new(9, 0).audio(&[0; 160]));
    let mut there = moved(&mut here, endpoint, false);
    let events = there.take_events();
    assert!(
        matches!(&events[..], [Event::Closed { statistics, .. }] if statistics.packets_received == 1),
        "{events:?}"
    );
    assert_eq!(there.worker.endpoints(), 0);
}

/// A bridge does not reach from one worker to another.
#[test]
fn a_bridge_ends_where_an_endpoint_leaves() {
    let mut here = Bench::new(4);
    let (a, b) = (here.open(0, stream(0)), here.open(1, stream(1)));
    here.command(Command::Bridge { a, b });
    here.requests.clear();
    here.command(Command::HandOver { endpoint: b });
    assert!(here.packet(a, party(0), &Source::new(9, 0).audio(&[0; 160])).is_none());
    // What still comes for it is ignored.
    here.command(Command::Stop { endpoint: b });
    here.command(Command::HandOver { endpoint: b });
    assert_eq!(here.worker.counters().commands_ignored, 2);
}
