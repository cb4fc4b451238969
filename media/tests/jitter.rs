//! The jitter buffer on generated paths: nothing out of order, nothing twice, nothing later than its bound, and hardly
//! anything missed.

use std::time::Duration;

use proptest::prelude::*;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tandem_media::codec::g711::Law;
use tandem_media::codec::{Codec, Rate};
use tandem_media::jitter::{DelayLimits, Kind, Playout, Tally};
use tandem_media::rtp::{HEADER_LEN, Header, Stamp};
use tandem_time::Instant;

const FRAME: usize = 160;
const PTIME_US: u64 = 20_000;
/// When the first packet is sent.
const START_US: u64 = 1_000_000;
/// So many packets can be told apart by what is in them.
const LEVELS: u64 = 64;

/// When a packet of a stream comes; none when it is lost.
type Arrivals = Vec<(u64, Option<u64>)>;

/// A packet whose samples say which one it is: each has a constant level of its own, and a cross-over is one of two.
fn packet(number: u64) -> (Vec<u8>, u8) {
    let octet = 0x80 | (number % LEVELS) as u8;
    let mut packet = vec![0; HEADER_LEN];
    let stamp = Stamp {
        marker: false,
        payload_type: 0,
        sequence: number as u16,
        timestamp: number as u32 * 160,
        ssrc: 1,
    };
    stamp.write(&mut packet);
    packet.extend([octet; FRAME]);
    (packet, octet)
}

struct Listened {
    frames: Vec<Frame>,
    tally: Tally,
}

/// What was pulled: when, in microseconds, its samples, and how late they were.
struct Frame {
    at_us: u64,
    samples: Vec<i16>,
    delay_ms: Option<i32>,
}

/// Plays a stream whose packets come at these times, in microseconds; pulls every 20 ms.
fn listen(arrivals: &Arrivals, limits: DelayLimits) -> Listened {
    let mut playout = Playout::new(Codec::Pcmu, Rate::Narrowband, limits);
    let mut events: Vec<(u64, u64)> =
        arrivals.iter().filter_map(|(number, at)| at.map(|at| (at, *number))).collect();
    events.sort_unstable();
    let start = events.first().map_or(0, |(at, _)| *at);
    let end = events.last().map_or(0, |(at, _)| *at) + 500_000;
    let mut events = events.into_iter().peekable();
    let mut frames = vec![];
    for turn in (start..end).step_by(PTIME_US as usize) {
        while let Some((at, number)) = events.next_if(|(at, _)| *at <= turn) {
            let (packet, _) = packet(number);
            let header = Header::parse(&packet).expect("a packet");
            let payload = &packet[header.payload()];
            playout.insert(Instant::from_nanos(at * 1_000), &header, false, Kind::Audio, payload);
        }
        let now = Instant::from_nanos(turn * 1_000);
        let mut samples = vec![0; FRAME];
        if playout.pull(now, &mut samples) {
            frames.push(Frame { at_us: turn, samples, delay_ms: playout.delay_ms(now) });
        }
    }
    Listened { frames, tally: *playout.tally() }
}

/// Which packets are heard, in the order in which they are, and when: by the levels that stand for a while. A level is
/// that of the latest packet which bears it and was sent by then, since none is heard so late that there is another.
fn heard(frames: &[Frame]) -> Vec<(u64, u64)> {
    let all = frames.iter().flat_map(|frame| frame.samples.iter().map(|sample| (frame.at_us, *sample)));
    let mut runs: Vec<(u64, i16, usize)> = vec![];
    for (at_us, sample) in all {
        match runs.last_mut() {
            Some((end_us, level, count)) if *level == sample => (*end_us, *count) = (at_us, *count + 1),
            _ => runs.push((at_us, sample, 1)),
        }
    }
    let mut numbers = vec![];
    for (at_us, level, _) in runs.into_iter().filter(|(_, _, count)| *count >= 81) {
        let octet = (0x80..=0xbf).find(|octet| Law::Pcmu.decode(*octet) == level);
        let Some(residue) = octet.map(|octet| u64::from(octet) % LEVELS) else { continue };
        // A clock that is off by 200 millionths is ahead by less than a packet.
        let latest = (at_us - START_US) / PTIME_US + 1;
        numbers.extend(
            (latest.saturating_sub(LEVELS - 1)..=latest)
                .find(|it| it % LEVELS == residue)
                .map(|it| (it, at_us)),
        );
    }
    numbers.dedup_by_key(|(number, _)| *number);
    numbers
}

/// A path: a queue that comes and goes, loss in bursts, spikes, and a clock that is off by so many millionths.
fn path(
    seed: u64,
    packets: u64,
    jitter_us: u64,
    loss_percent: u32,
    spike_us: u64,
    drift_ppm: i64,
) -> Arrivals {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |limit: u64| (u64::from(rng.next_u32()) * limit.max(1)) >> 32;
    let mut stalled_until = 0;
    let mut is_bad = false;
    let mut last = 0;
    (0..packets)
        .map(|number| {
            let sent = (number * PTIME_US) as i64;
            let sent = (START_US as i64 + sent + sent * drift_ppm / 1_000_000) as u64;
            if spike_us > 0 && below(250) == 0 {
                stalled_until = sent + spike_us;
            }
            is_bad = if is_bad { below(3) > 0 } else { below(100) < u64::from(loss_percent) / 2 };
            let is_lost = is_bad && loss_percent > 0;
            let jitter = below(jitter_us) * below(jitter_us) / jitter_us.max(1);
            // A queue keeps its order, most of the time.
            let at = (sent + jitter).max(stalled_until).max(if below(50) == 0 { 0 } else { last });
            last = at.max(last);
            (number, (!is_lost).then_some(at))
        })
        .collect()
}

#[test]
fn on_a_good_path_all_is_heard_as_it_was_said_and_soon() {
    let arrivals = path(1, 500, 2_000, 0, 0, 0);
    let Listened { frames, tally } = listen(&arrivals, DelayLimits::default());
    assert_eq!((tally.played, tally.concealed, tally.late, tally.skipped), (500, 0, 0, 0), "{tally:?}");
    let heard = heard(&frames[..500]);
    assert!(heard.len() >= 490, "but for a few that were shortened: {}", heard.len());
    let step = |pair: &[(u64, u64)]| pair[1].0.wrapping_sub(pair[0].0);
    assert!(heard.windows(2).all(|pair| (1..=2).contains(&step(pair))), "{heard:?}");
    let latest = frames[250..480].iter().filter_map(|frame| frame.delay_ms).max();
    assert!(latest.is_some_and(|ms| ms <= 45), "{latest:?} ms");
}

#[test]
fn a_delay_that_is_no_longer_needed_is_given_up() {
    let mut arrivals = path(2, 500, 120_000, 0, 0, 0);
    let quiet = (500..2_500).map(|number| (number, Some(START_US + number * PTIME_US + 1_000)));
    arrivals.extend(quiet);
    let Listened { frames, tally } = listen(&arrivals, DelayLimits::default());
    let delay = |at: usize| frames[at].delay_ms.unwrap_or_default();
    assert!(delay(450) > 50, "{} ms while packets are up to 120 ms late", delay(450));
    assert!(delay(2_400) < 45, "{} ms when they are not any more", delay(2_400));
    assert!(tally.shortened > 0);
}

/// Clocks that differ by 200 millionths are 72 ms apart after 6 minutes: samples are added or left out, never packets.
#[test]
fn clocks_that_differ_are_made_up_for() {
    for drift in [-200, 200] {
        let arrivals = path(3, 18_000, 4_000, 0, 0, drift);
        let Listened { frames, tally } = listen(&arrivals, DelayLimits::default());
        assert_eq!((tally.concealed, tally.late, tally.skipped), (0, 0, 0), "{drift}: {tally:?}");
        let delays = frames[100..17_900].iter().filter_map(|frame| frame.delay_ms);
        let (least, most) = delays.fold((i32::MAX, 0), |(a, b), it| (a.min(it), b.max(it)));
        assert!(least >= -20 && most <= 30, "{drift}: {least} to {most} ms");
    }
}

#[test]
fn a_spike_is_waited_for_and_nothing_is_missed() {
    let spike =
        |number: u64| if (300..310).contains(&number) { 310 * PTIME_US - 1 } else { number * PTIME_US };
    let arrivals: Arrivals = (0..600).map(|number| (number, Some(START_US + spike(number)))).collect();
    let Listened { frames, tally } = listen(&arrivals, DelayLimits::default());
    assert_eq!((tally.played, tally.late, tally.skipped), (600, 0, 0), "{tally:?}");
    let latest = frames[320..580].iter().filter_map(|frame| frame.delay_ms).max();
    assert!(latest.is_some_and(|ms| ms < 220), "{latest:?} ms");
}

/// What is lost is not late: the delay is that of the path, and what is missing is concealed where it belongs.
#[test]
fn bursts_of_loss_do_not_raise_the_delay() {
    let with = path(4, 2_000, 5_000, 10, 0, 0);
    let without = path(4, 2_000, 5_000, 0, 0, 0);
    let [with, without] = [with, without].map(|arrivals| {
        let frames = listen(&arrivals, DelayLimits::default()).frames;
        let delays: Vec<i32> = frames.iter().skip(200).filter_map(|frame| frame.delay_ms).collect();
        delays.iter().sum::<i32>() / delays.len() as i32
    });
    assert!(with <= without + 15, "{with} ms with loss, {without} ms without");
}

#[test]
fn one_delay_that_is_demanded_is_kept_to() {
    let limits = DelayLimits { min: Duration::from_millis(100), max: Duration::from_millis(100) };
    let Listened { frames, tally } = listen(&path(5, 500, 20_000, 0, 0, 0), limits);
    assert_eq!((tally.played, tally.late, tally.skipped), (500, 0, 0), "{tally:?}");
    let delays = frames[50..480].iter().filter_map(|frame| frame.delay_ms);
    let (least, most) = delays.fold((i32::MAX, 0), |(a, b), it| (a.min(it), b.max(it)));
    assert!(least >= 80 && most <= 160, "{least} to {most} ms");
}

/// A source whose timestamps stand still while it says nothing, which RFC 3550 §5.1 does not allow: it is heard at once
/// when it goes on.
#[test]
fn a_source_whose_clock_stood_still_is_heard_when_it_goes_on() {
    for pause_us in [400_000, 1_500_000, 60_000_000] {
        let at = |number: u64| START_US + number * PTIME_US + if number < 200 { 0 } else { pause_us };
        let arrivals: Arrivals = (0..400).map(|number| (number, Some(at(number)))).collect();
        let Listened { frames, tally } = listen(&arrivals, DelayLimits::default());
        assert_eq!((tally.played, tally.late, tally.skipped), (400, 0, 0), "{pause_us}: {tally:?}");
        let again = frames.iter().find(|frame| frame.at_us >= at(200)).expect("it is heard again").at_us;
        assert!(again - at(200) <= 60_000, "after {} µs", again - at(200));
    }
}

/// What holds on any path.
fn check(arrivals: &Arrivals) -> Result<(), TestCaseError> {
    let came = arrivals.iter().filter(|(_, at)| at.is_some()).count() as u64;
    let Listened { frames, tally } = listen(arrivals, DelayLimits::default());
    prop_assert_eq!(tally.played + tally.late + tally.skipped, came, "each packet has one fate");
    let bound = DelayLimits::MAX.as_millis() as i32 + 60;
    let latest = frames.iter().filter_map(|frame| frame.delay_ms).max();
    prop_assert!(latest.unwrap_or(0) <= bound, "{latest:?} ms");
    let heard = heard(&frames);
    for (number, at_us) in &heard {
        let came_at = arrivals.get(*number as usize).and_then(|(_, came_at)| *came_at);
        prop_assert!(came_at.is_some_and(|came_at| came_at <= *at_us), "{number} came at {came_at:?}");
    }
    for pair in heard.windows(2) {
        prop_assert!(pair[0].0 < pair[1].0, "{} after {}", pair[1].0, pair[0].0);
    }
    Ok(())
}

/// Two stalls of 0.6 s overlap: for more than a second nothing comes, then all of it at once.
#[test]
fn after_a_stall_of_a_second_the_order_is_kept() {
    check(&path(6_799_426_455_048_963_915, 800, 0, 8, 600_000, -1)).expect("what holds on any path");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn packets_are_heard_in_order_once_and_within_the_bound(
        seed: u64,
        jitter_us in 0u64..150_000,
        loss in 0u32..20,
        spike_us in prop::sample::select(vec![0u64, 200_000, 600_000]),
        drift in -200i64..=200,
    ) {
        check(&path(seed, 800, jitter_us, loss, spike_us, drift))?;
    }

    /// Whatever numbers and times packets bear.
    #[test]
    fn no_packet_breaks_it(
        packets in prop::collection::vec((any::<u16>(), any::<u32>(), 0usize..300, 0u64..40_000, 0u8..4), 1..200),
    ) {
        let mut playout = Playout::new(Codec::Pcmu, Rate::Wideband, DelayLimits::default());
        let mut now = Instant::from_millis(1_000);
        for (sequence, timestamp, len, wait, kind) in packets {
            let mut packet = vec![0; HEADER_LEN + len];
            Stamp { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1 }.write(&mut packet);
            let header = Header::parse(&packet).expect("a packet");
            let kind = [Kind::Audio, Kind::Muted, Kind::ComfortNoise, Kind::Skipped][usize::from(kind)];
            playout.insert(now, &header, false, kind, &packet[header.payload()]);
            now += Duration::from_micros(wait);
            playout.pull(now, &mut [0; 320]);
        }
    }
}
