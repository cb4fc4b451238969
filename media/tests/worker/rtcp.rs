//! Reports sent and received (RFC 3550 §6).

use std::time::Duration;

use tandem_media::rtcp::{MAX_COMPOUND_LEN, Packet, ReportBlock, SenderInfo};
use tandem_media::*;

use crate::support::*;

fn reports(bench: &Bench) -> Vec<&Sent> {
    bench.sent.iter().filter(|sent| sent.channel == Channel::Rtcp).collect()
}

/// The report a compound begins with.
fn report(sent: &Sent) -> (u32, Option<SenderInfo>, Option<ReportBlock>) {
    let mut packets = tandem_media::rtcp::parse(&sent.bytes).expect("a compound");
    match packets.next() {
        Some(Packet::Report { ssrc, sender, mut blocks }) => (ssrc, sender, blocks.next()),
        other => panic!("{other:?}"),
    }
}

fn party_sends(bench: &mut Bench, endpoint: EndpointId, source: &mut Source, packets: usize) {
    for _ in 0..packets {
        bench.packet(endpoint, party(0), &source.audio(&[1; 160]));
        bench.run(PTIME);
    }
}

/// An endpoint's party reports on what it is sent.
fn party_reports(bench: &mut Bench, endpoint: EndpointId, block: ReportBlock) {
    let cname = b"0123456789abcdef";
    let compound =
        tandem_media::rtcp::Compound { ssrc: 5, sender: None, block: Some(block), cname, goodbye: false };
    let mut buffer = [0; MAX_COMPOUND_LEN];
    let len = compound.write(&mut buffer);
    bench.packet_on(Channel::Rtcp, endpoint, rtcp_of(party(endpoint.index)), &buffer[..len]);
}

/// §6.2, §6.3.1: 5 s ± half, over e − 3/2; the first after half of that.
#[test]
fn reports_come_every_few_seconds_at_random() {
    let mut bench = Bench::new(1);
    bench.open(0, stream(0));
    let opened = bench.now;
    bench.run(Duration::from_secs(1_000));
    let times: Vec<_> = reports(&bench).iter().map(|sent| sent.at).collect();
    let first = times[0] - opened;
    assert!((MS * 1_000..MS * 3_100).contains(&first), "{first:?}");
    let intervals: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(intervals.iter().all(|interval| (MS * 2_050..MS * 6_160).contains(interval)));
    let mean = intervals.iter().sum::<Duration>() / intervals.len() as u32;
    assert!((MS * 3_800..MS * 4_400).contains(&mean), "{mean:?}");
}

#[test]
fn who_sends_reports_as_a_sender_and_who_does_not_as_a_receiver() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.run(MS * 10_000);
    let receiver = reports(&bench).pop().unwrap().clone();
    assert_eq!(receiver.destination, rtcp_of(party(0)));
    assert_eq!(&receiver.bytes[..4], [0x80, 201, 0, 1], "RR without a block: nothing was received");
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(20_000))]));
    bench.run(MS * 20_000);
    let report_sent = reports(&bench).pop().unwrap().clone();
    let before = report_sent.at;
    let (ssrc, sender, _) = report(&report_sent);
    let rtp = bench.sent.iter().rfind(|sent| sent.channel == Channel::Rtp && sent.at <= before).unwrap();
    let sender = sender.unwrap();
    assert_eq!(ssrc, rtp.rtp().header.ssrc);
    let sent = bench.sent.iter().filter(|sent| sent.channel == Channel::Rtp && sent.at <= before).count();
    assert_eq!((sender.packets as usize, sender.octets as usize), (sent, sent * 160));
    let since = (before - rtp.at).as_micros() as u32 * 8 / 1_000;
    assert_eq!(sender.rtp_timestamp, rtp.rtp().header.timestamp.wrapping_add(since));
    let ended = bench.now;
    bench.run(MS * 30_000);
    let after: Vec<bool> =
        reports(&bench).iter().filter(|sent| sent.at > ended).map(|sent| report(sent).1.is_some()).collect();
    assert_eq!(after[..4], [true, true, false, false], "a sender for two more reports (§6.4)");
}

#[test]
fn a_report_names_us_and_tells_what_was_lost_since_the_last_one() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let mut source = Source::new(0xabcd, 0);
    source.sequence = 65_500;
    for _ in 0..16 {
        party_sends(&mut bench, endpoint, &mut source, 12);
        for _ in 0..4 {
            source.audio(&[0; 160]);
        }
        bench.run(PTIME * 4);
    }
    let last = reports(&bench).pop().unwrap().clone();
    let (_, _, block) = report(&last);
    let reception = block.unwrap().reception;
    assert_eq!(reception.ssrc, 0xabcd);
    assert!((48..=80).contains(&reception.fraction_lost), "a quarter: {reception:?}");
    assert!(reception.highest_sequence > 65_536, "one cycle: {reception:?}");
    let cname = &last.bytes[last.bytes.len() - 20..];
    assert_eq!(&cname[..2], [1, 16]);
    assert!(cname[2..18].iter().all(|octet| octet.is_ascii_alphanumeric() || b"+/".contains(octet)));
}

/// A party's report block about our stream: loss, and the round trip from our sender report (§6.4.1).
#[test]
fn the_partys_report_gives_its_loss_and_the_round_trip() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(30_000))]));
    bench.run(MS * 10_000);
    let ours = reports(&bench).pop().unwrap().clone();
    let (ssrc, sender, _) = report(&ours);
    let first = bench.sent.iter().find(|sent| sent.channel == Channel::Rtp).unwrap().rtp();
    bench.run(MS * 580);
    let held = (bench.now - ours.at) - MS * 80;
    let block = ReportBlock {
        reception: reception::ReceptionReport {
            ssrc,
            fraction_lost: 0,
            cumulative_lost: 20,
            highest_sequence: u32::from(first.header.sequence_number) + 199,
            jitter: 0,
        },
        last_sender_report: (sender.unwrap().ntp >> 16) as u32,
        delay_since_last: (held.as_secs_f64() * 65_536.0) as u32,
    };
    party_reports(&mut bench, endpoint, block);
    bench.command(Command::Close { endpoint });
    bench.run(MS);
    let events = bench.take_events();
    let Some(Event::Closed { statistics, .. }) = events.last() else { panic!("{events:?}") };
    let trip = statistics.round_trip_us.unwrap();
    assert!((79_000..=81_000).contains(&trip), "{trip}");
    assert_eq!(statistics.remote_loss_percent, Some(10.0));
}

/// What the party says of our stream, twice: the quality of what it is sent is told by that and that of what it sends by
/// what comes, each for its time.
#[test]
fn each_direction_has_its_quality_over_time() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(30_000))]));
    let mut party_speaks = Source::new(9, 0);
    let opened = bench.now;
    let report_on = |bench: &mut Bench, cumulative_lost: i32, sent: u32| {
        let first = bench.sent.iter().find(|sent| sent.channel == Channel::Rtp).unwrap().rtp();
        let reception = reception::ReceptionReport {
            ssrc: first.header.ssrc,
            fraction_lost: 0,
            cumulative_lost,
            highest_sequence: u32::from(first.header.sequence_number) + sent - 1,
            jitter: 80,
        };
        let block = ReportBlock { reception, last_sender_report: 0, delay_since_last: 0 };
        party_reports(bench, endpoint, block);
    };
    party_sends(&mut bench, endpoint, &mut party_speaks, 200);
    report_on(&mut bench, 0, 150);
    party_sends(&mut bench, endpoint, &mut party_speaks, 100);
    report_on(&mut bench, 15, 300);
    party_sends(&mut bench, endpoint, &mut party_speaks, 225);
    bench.command(Command::Close { endpoint });
    bench.run(MS);
    let events = bench.take_events();
    let Some(Event::Closed { statistics, .. }) = events.last() else { panic!("{events:?}") };
    let [first, second, rest] = &statistics.quality[..] else { panic!("{:?}", statistics.quality) };
    assert_eq!((first.at - opened, second.at - opened), (MS * 5_000, MS * 10_000));
    assert_eq!((rest.at - opened, rest.sent), (MS * 10_500, None), "no report came since");
    for point in [first, second, rest] {
        let received = point.received.expect("it speaks");
        assert!(received.loss_percent == 0.0 && received.mos > 4.35, "{received:?}");
    }
    let [before, after] = [first, second].map(|point| point.sent.expect("it reported"));
    assert!(before.loss_percent == 0.0 && before.mos > 4.3 && before.jitter_us == 10_000, "{before:?}");
    assert!(after.loss_percent == 10.0 && after.mos < 3.6, "{after:?}");
    let (all, theirs) = (statistics.remote_mos.unwrap(), statistics.mos.unwrap());
    assert!(after.mos < all && all < before.mos && theirs > 4.35, "{all}, {theirs}");
}

/// A relayed source's losses are gaps in our numbers: a report that counts them is believed.
#[test]
fn a_report_on_a_stream_with_gaps_is_believed() {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    bench.command(Command::Bridge { a, b });
    let mut speaker = Source::new(9, 0);
    let mut relayed = vec![];
    for number in 0..100 {
        let packet = speaker.audio(&[1; 160]);
        if number % 4 != 1 {
            relayed.extend(bench.packet(a, party(0), &packet));
        }
        bench.run(PTIME);
    }
    let [first, last] =
        [relayed.first(), relayed.last()].map(|sent| sent.expect("it was relayed").rtp().header);
    let reception = reception::ReceptionReport {
        ssrc: first.ssrc,
        fraction_lost: 64,
        cumulative_lost: 25,
        highest_sequence: last.sequence_number.into(),
        jitter: 0,
    };
    let block = ReportBlock { reception, last_sender_report: 0, delay_since_last: 0 };
    party_reports(&mut bench, b, block);
    bench.command(Command::Close { endpoint: b });
    bench.run(MS);
    let events = bench.take_events();
    let Some(Event::Closed { statistics, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(statistics.remote_loss_percent, Some(25.0));
}

#[test]
fn a_delay_since_their_sender_report_is_told() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let info = SenderInfo { ntp: 0x1234_5678_9abc_def0, rtp_timestamp: 0, packets: 1, octets: 1 };
    let mut buffer = [0; MAX_COMPOUND_LEN];
    let compound = tandem_media::rtcp::Compound {
        ssrc: 5,
        sender: Some(info),
        block: None,
        cname: b"0123456789abcdef",
        goodbye: false,
    };
    let len = compound.write(&mut buffer);
    bench.packet_on(Channel::Rtcp, endpoint, rtcp_of(party(0)), &buffer[..len]);
    let received = bench.now;
    party_sends(&mut bench, endpoint, &mut Source::new(9, 0), 200);
    let last = reports(&bench).pop().unwrap();
    let block = report(last).2.unwrap();
    assert_eq!(block.last_sender_report, 0x5678_9abc);
    let delay = (last.at - received).as_secs_f64() * 65_536.0;
    assert!((f64::from(block.delay_since_last) - delay).abs() <= 2.0);
}

/// A receiver report of the party's, and an extended one (RFC 3611) with that block.
fn extended(block: &[u8]) -> Vec<u8> {
    let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 5];
    compound.extend([0x80, 207, 0, (block.len() / 4 + 1) as u8, 0, 0, 0, 5]);
    compound.extend(block);
    compound
}

/// The octets of the extended report in a compound of ours.
fn extended_in(sent: &Sent) -> Option<&[u8]> {
    let mut rest = &sent.bytes[..];
    while rest.len() >= 4 {
        let len = 4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1);
        let (packet, after) = rest.split_at(len);
        if packet[1] == 207 {
            return Some(packet);
        }
        rest = after;
    }
    None
}

/// RFC 3611 §4.4, §4.5, §4.7: who asks for its round trip has it, and is told how it is heard; nobody else is.
#[test]
fn extended_reports_are_for_who_writes_them() {
    for speaks in [false, true] {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, stream(0));
        party_sends(&mut bench, endpoint, &mut Source::new(9, 0), 50);
        let asked = bench.now;
        if speaks {
            let reference = extended(&[4, 0, 0, 2, 0, 0, 0x11, 0x22, 0x33, 0x44, 0, 0]);
            bench.packet_on(Channel::Rtcp, endpoint, rtcp_of(party(0)), &reference);
        }
        party_sends(&mut bench, endpoint, &mut Source::new(9, 0), 400);
        let told: Vec<_> = reports(&bench).into_iter().filter(|sent| sent.at > asked).collect();
        assert!(told.iter().all(|sent| tandem_media::rtcp::parse(&sent.bytes).is_some()));
        let first = extended_in(told[0]);
        assert_eq!(first.is_some(), speaks);
        let Some(packet) = first else { continue };
        assert_eq!(&packet[8..20], [5, 0, 0, 3, 0, 0, 0, 5, 0x11, 0x22, 0x33, 0x44], "whose time it was");
        let held = f64::from(u32::from_be_bytes([packet[20], packet[21], packet[22], packet[23]])) / 65_536.0;
        assert!((held - (told[0].at - asked).as_secs_f64()).abs() < 0.001, "{held} s");
        let metrics = &packet[24..];
        assert_eq!((metrics[..8].to_vec(), metrics[8]), (vec![7, 0, 0, 8, 0, 0, 0, 9], 0), "nothing is lost");
        assert!((42..=45).contains(&metrics[26]), "a good line: {}", metrics[26]);
        let later = extended_in(told[1]).expect("again");
        assert_eq!(later[8], 7, "a time is answered once");
    }
}

/// RFC 3611 §4.7: a party knows best how it hears us.
#[test]
fn the_score_that_a_party_gives_us_is_kept() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(1_000))]));
    bench.run(MS * 1_000);
    let ssrc = bench.sent.iter().find(|sent| sent.channel == Channel::Rtp).unwrap().rtp().header.ssrc;
    for (whose, score) in [(ssrc, 31), (ssrc, 127), (ssrc ^ 1, 42)] {
        let mut block = [[7, 0, 0, 8], whose.to_be_bytes()].concat();
        block.resize(36, 0);
        block[26] = score;
        bench.packet_on(Channel::Rtcp, endpoint, rtcp_of(party(0)), &extended(&block));
    }
    bench.command(Command::Close { endpoint });
    bench.run(MS);
    let events = bench.take_events();
    let Some(Event::Closed { statistics, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(statistics.remote_mos, Some(3.1), "not what is unknown, nor of another");
}

/// The VoIP metrics of the latest report (RFC 3611 §4.7), from their block type on.
fn metrics(bench: &Bench) -> Option<Vec<u8>> {
    let latest = reports(bench).pop()?.bytes.clone();
    let at = latest.windows(4).position(|head| head == [7, 0, 0, 8])?;
    Some(latest[at..][..36].to_vec())
}

/// RFC 3611 §5: who has asked is told, also when it tells nothing itself; who must not be told is not.
#[test]
fn metrics_are_told_to_who_asks() {
    for (extended_reports, is_told) in
        [(ExtendedReports::Off, false), (ExtendedReports::InReturn, false), (ExtendedReports::Asked, true)]
    {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, StreamParameters { extended_reports, ..stream(0) });
        party_sends(&mut bench, endpoint, &mut Source::new(5, 0), 500);
        assert_eq!(metrics(&bench).is_some(), is_told, "{extended_reports:?}");
    }
}

/// §4.7.1: the discard rate is of packets that came too late to be heard, where they wait in a jitter buffer.
#[test]
fn packets_too_late_to_be_heard_are_told_as_discarded() {
    let asked = |stream| StreamParameters { extended_reports: ExtendedReports::Asked, ..stream };
    let discard_rate = |codec_of_other: StreamParameters| {
        let mut bench = Bench::new(2);
        let [a, b] = [bench.open(0, asked(stream(0))), bench.open(1, codec_of_other)];
        bench.command(Command::Bridge { a, b });
        let mut source = Source::new(5, 0);
        let mut waiting = Vec::new();
        for n in 0..1_000 {
            let packet = source.audio(&[0x55; 160]);
            // Every tenth comes half a second late.
            if n % 10 == 5 {
                waiting.push((n + 25, packet))
            } else {
                drop(bench.packet(a, party(0), &packet))
            }
            for (_, packet) in waiting.extract_if(.., |(due, _)| *due == n) {
                bench.packet(a, party(0), &packet);
            }
            bench.run(PTIME);
        }
        metrics(&bench).expect("told")[9]
    };
    let opus = codec::OpusParameters::default();
    let transcoded = StreamParameters { codec: Codec::Opus(opus), event_clock_hz: 48_000, ..stream(1) };
    let rate = discard_rate(transcoded);
    assert!((18..=26).contains(&rate), "a tenth of 256: {rate}");
    assert_eq!(discard_rate(stream(1)), 0, "who is relayed waits nowhere");
}
