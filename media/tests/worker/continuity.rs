//! One stream to the party whatever feeds it: players and bridges in any order (RFC 3550 §5.1).

use proptest::prelude::*;
use tandem_media::*;

use crate::support::*;

#[derive(Clone, Debug)]
enum Step {
    Play { ms: usize },
    Stop,
    BridgeTo(usize),
    Unbridge,
    Hold,
    Agree,
    Pass { ms: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1usize..300).prop_map(|ms| Step::Play { ms }),
        Just(Step::Stop),
        (1usize..4).prop_map(Step::BridgeTo),
        Just(Step::Unbridge),
        Just(Step::Hold),
        Just(Step::Agree),
        (1u32..400).prop_map(|ms| Step::Pass { ms }),
        (1u32..400).prop_map(|ms| Step::Pass { ms }),
    ]
}

struct Scene {
    bench: Bench,
    endpoints: Vec<EndpointId>,
    sources: Vec<Source>,
    passed_ms: u32,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut bench = Bench::seeded(4, seed);
        let endpoints = (0..4).map(|index| bench.open(index, stream(index))).collect();
        let sources = (0..4).map(|n| Source::new(0x1234_5678u32.wrapping_mul(n + seed as u32), 0)).collect();
        Self { bench, endpoints, sources, passed_ms: 0 }
    }

    fn take(&mut self, step: &Step) {
        let hub = self.endpoints[0];
        match *step {
            Step::Play { ms } => self.bench.command(play(hub, 1, vec![Segment::Audio(audio_of_ms(ms))])),
            Step::Stop => self.bench.command(Command::Stop { endpoint: hub }),
            Step::BridgeTo(other) => self.bench.command(Command::Bridge { a: hub, b: self.endpoints[other] }),
            Step::Unbridge => self.bench.command(Command::Unbridge { endpoint: hub }),
            Step::Hold => self.agree(Direction::Inactive),
            Step::Agree => self.agree(Direction::SendReceive),
            Step::Pass { ms } => self.pass(ms),
        }
    }

    fn agree(&mut self, direction: Direction) {
        let stream = StreamParameters { direction, ..stream(0) };
        self.bench.command(Command::Configure { endpoint: self.endpoints[0], stream });
    }

    /// Each party sends every 20 ms, each at its own offset.
    fn pass(&mut self, ms: u32) {
        for _ in 0..ms {
            for (n, source) in self.sources.iter_mut().enumerate().skip(1) {
                if self.passed_ms % 20 == 3 * n as u32 {
                    let packet = source.audio(&[n as u8; 160]);
                    self.bench.packet(self.endpoints[n], party(n as u32), &packet);
                }
            }
            self.bench.run(MS);
            self.passed_ms += 1;
        }
    }
}

proptest! {
    #[test]
    fn the_party_sees_one_source_without_a_jump(seed: u64, steps in prop::collection::vec(step(), 1..30)) {
        let mut scene = Scene::new(seed);
        let mut switches = 1;
        for step in &steps {
            switches += u32::from(!matches!(step, Step::Pass { .. }));
            scene.take(step);
        }
        let sent = scene.bench.take_rtp(scene.endpoints[0]);
        let markers = sent.iter().filter(|sent| sent.rtp().header.marker).count();
        prop_assert!(markers as u32 <= 2 * switches, "a marker only at a switch, and at the end of a play");
        prop_assert!(sent.first().is_none_or(|sent| sent.rtp().header.marker));
        for pair in sent.windows(2) {
            let (before, after) = (pair[0].rtp().header, pair[1].rtp().header);
            let elapsed = (pair[1].at - pair[0].at).as_millis() as u32 * 8;
            prop_assert_eq!(after.ssrc, before.ssrc);
            prop_assert_eq!(after.sequence_number, before.sequence_number.wrapping_add(1));
            prop_assert_eq!(after.timestamp.wrapping_sub(before.timestamp), elapsed.max(160));
        }
    }
}
