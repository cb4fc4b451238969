use proptest::prelude::*;

use super::*;

/// At 8 kHz.
const COUNT: usize = Rate::Narrowband.samples_in(FRAME);

type Frame = [i16; COUNT];

const START: Instant = Instant::from_millis(1_000);

fn endpoint(index: u32) -> EndpointId {
    EndpointId { index, generation: 1 }
}

fn room(members: u32) -> Room {
    let mut room = Room::new(ConferenceId(1), START);
    (0..members).for_each(|index| room.seat(endpoint(index), Audience::Everybody));
    room
}

/// One turn: what each member hears, by what each says.
fn turn(room: &mut Room, says: impl Fn(EndpointId) -> Option<Frame>) -> Vec<(EndpointId, Frame)> {
    let mut scratch = Scratch::new();
    let members: Vec<EndpointId> = room.members().collect();
    for (place, member) in members.iter().enumerate() {
        let (frame, sounds) = scratch.voice(place, COUNT).unwrap();
        *sounds = says(*member).map(|said| frame.copy_from_slice(&said)).is_some();
    }
    room.listen(&mut scratch);
    let hear = |(place, member)| {
        let mut heard = [0; COUNT];
        room.mix(place, &scratch, &mut heard);
        (member, heard)
    };
    members.into_iter().enumerate().map(hear).collect()
}

/// What is said in a frame in which nothing but one value is.
fn heard_by(heard: &[(EndpointId, Frame)], index: u32) -> i16 {
    let (_, frame) = heard.iter().find(|(member, _)| *member == endpoint(index)).unwrap();
    assert!(frame.iter().all(|sample| *sample == frame[0]));
    frame[0]
}

/// A power of two for each of the first eight, so that every sum says who is in it.
fn bit(member: EndpointId) -> Option<Frame> {
    Some([1 << member.index; COUNT])
}

fn tone(hertz: f64, peak: f64) -> Frame {
    let phase = std::f64::consts::TAU * hertz / 8_000.0;
    std::array::from_fn(|n| (peak * (phase * n as f64).sin()) as i16)
}

fn energy(frame: &Frame) -> f64 {
    frame.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

#[test]
fn who_listens_is_not_heard_and_who_whispers_is_heard_by_one() {
    let mut room = room(2);
    room.seat(endpoint(2), Audience::Nobody);
    room.seat(endpoint(3), Audience::One(endpoint(1)));
    let heard = turn(&mut room, bit);
    let sums: Vec<i16> = (0..4).map(|index| heard_by(&heard, index)).collect();
    assert_eq!(sums, [0b0010, 0b1001, 0b0011, 0b0011]);
    // The one who whispered joins in; who listened leaves.
    room.seat(endpoint(3), Audience::Everybody);
    room.unseat(endpoint(2));
    let heard = turn(&mut room, bit);
    assert_eq!([0, 1, 3].map(|index| heard_by(&heard, index)), [0b1010, 0b1001, 0b0011]);
}

#[test]
fn gains_are_for_all_or_for_one() {
    let mut room = room(3);
    let say = |_: EndpointId| Some([1_000; COUNT]);
    let by_ten = Gain::from_decibels(20).unwrap();
    assert_eq!(room.set_gain(endpoint(0), Some(endpoint(1)), by_ten), Some(()));
    let heard = turn(&mut room, say);
    assert_eq!([0, 1, 2].map(|index| heard_by(&heard, index)), [2_000, 11_000, 2_000]);
    assert_eq!(room.set_gain(endpoint(0), None, Gain::MUTED), Some(()));
    let heard = turn(&mut room, say);
    assert_eq!([0, 1, 2].map(|index| heard_by(&heard, index)), [2_000, 1_000, 1_000]);
    for (from, to) in [(0, Some(0)), (0, Some(7)), (7, None), (7, Some(0))] {
        assert_eq!(room.set_gain(endpoint(from), to.map(endpoint), Gain::UNITY), None, "{from} to {to:?}");
    }
}

#[test]
fn one_voice_alone_is_heard_as_it_is() {
    let mut room = room(3);
    let loud = tone(440.0, 32_767.0);
    let heard = turn(&mut room, |member| (member == endpoint(0)).then_some(loud));
    assert_eq!(heard[1].1, loud);
    assert_eq!(heard[0].1, [0; COUNT]);
}

#[test]
fn loud_voices_together_do_not_wrap() {
    let mut room = room(4);
    let heard = turn(&mut room, |_| Some([i16::MAX; COUNT]));
    assert!(heard.iter().all(|(_, frame)| frame.iter().all(|sample| *sample > 28_000)));
    let heard = turn(&mut room, |_| Some([i16::MIN; COUNT]));
    assert!(heard.iter().all(|(_, frame)| frame.iter().all(|sample| *sample < -28_000)));
}

#[test]
fn an_announcement_is_heard_by_all_and_ends() {
    let mut room = room(2);
    let silence = Segment::Silence(FRAME);
    let audio = crate::Audio::from_samples(vec![500; COUNT]);
    room.announce(Arc::new([Segment::Audio(Arc::new(audio)), silence]));
    let heard = turn(&mut room, bit);
    assert_eq!([0, 1].map(|index| heard_by(&heard, index)), [502, 501]);
    for _ in 0..2 {
        let heard = turn(&mut room, bit);
        assert_eq!([0, 1].map(|index| heard_by(&heard, index)), [2, 1]);
    }
}

/// At the limit everybody is mixed; with one more, the loudest are, and who was heard is not pushed out by his like.
#[test]
fn of_many_the_loudest_are_heard() {
    let many = MAX_VOICES as u32;
    let mut at_limit = room(many);
    let heard = turn(&mut at_limit, bit);
    assert_eq!(heard_by(&heard, 0), 0b1111_1110);

    let mut room = room(many + 2);
    let loudness = |member: EndpointId| Some([100 + 10 * member.index as i16; COUNT]);
    let heard = turn(&mut room, loudness);
    let sum = |members: std::ops::Range<u32>| members.map(|n| 100 + 10 * n as i16).sum::<i16>();
    assert_eq!(heard_by(&heard, 0), sum(2..many + 2), "the two most quiet ones are not heard");
    assert_eq!(heard_by(&heard, many + 1), sum(2..many + 1));
    // The first becomes louder than some, and twice as powerful as none of those who are heard.
    let louder = |member: EndpointId| {
        let index = if member.index == 0 { 6 } else { member.index };
        Some([100 + 10 * index as i16; COUNT])
    };
    assert_eq!(heard_by(&turn(&mut room, louder), 1), sum(2..many + 2));
    // It shouts.
    let shouting = |member: EndpointId| {
        if member.index == 0 { Some([5_000; COUNT]) } else { loudness(member) }
    };
    assert_eq!(heard_by(&turn(&mut room, shouting), 1), 5_000 + sum(3..many + 2));
}

/// A whisper is not one of the loud, and is not lost among them.
#[test]
fn a_whisper_is_heard_whoever_shouts() {
    let many = MAX_VOICES as u32 + 3;
    let mut room = room(many);
    room.seat(endpoint(many), Audience::One(endpoint(0)));
    let heard = turn(&mut room, |member| Some([if member.index == many { 1 } else { 1_000 }; COUNT]));
    assert_eq!(heard_by(&heard, 0) % 1_000, 1);
    assert_eq!(heard_by(&heard, 1) % 1_000, 0);
}

#[test]
fn a_room_has_a_limit() {
    let mut room = room(ConferenceId::MAX_MEMBERS as u32 - 1);
    assert!(!room.is_full());
    room.seat(endpoint(100), Audience::Everybody);
    assert!(room.is_full());
    let heard = turn(&mut room, |_| Some([1; COUNT]));
    assert_eq!(heard.len(), ConferenceId::MAX_MEMBERS);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Join(u32, Audience),
    Leave(u32),
    Gain(u32, Option<u32>, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let member = 0..8_u32;
    let audience = prop_oneof![
        4 => Just(Audience::Everybody),
        1 => Just(Audience::Nobody),
        1 => (0..8_u32).prop_map(|one| Audience::One(endpoint(one))),
    ];
    prop_oneof![
        3 => (member.clone(), audience).prop_map(|(member, audience)| Step::Join(member, audience)),
        2 => member.clone().prop_map(Step::Leave),
        1 => (member, prop::option::of(0..8_u32), any::<bool>())
            .prop_map(|(from, to, muted)| Step::Gain(from, to, muted)),
    ]
}

proptest! {
    /// After any joins, leaves and mutes: each hears all who are there and may be heard by it, nobody else, never
    /// itself, and nothing of who has left.
    #[test]
    fn everybody_hears_exactly_the_others(steps in prop::collection::vec(step(), 1..60)) {
        let mut room = room(0);
        // Audience, muted for all, muted or not for one.
        type Model = std::collections::BTreeMap<u32, (Audience, bool, std::collections::BTreeMap<u32, bool>)>;
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Join(member, audience) => {
                    room.seat(endpoint(member), audience);
                    model.entry(member).or_insert_with(|| (audience, false, Default::default())).0 = audience;
                }
                Step::Leave(member) => {
                    room.unseat(endpoint(member));
                    model.remove(&member);
                    model.values_mut().for_each(|(_, _, own)| { own.remove(&member); });
                }
                Step::Gain(from, to, muted) => {
                    let gain = if muted { Gain::MUTED } else { Gain::UNITY };
                    let fits = model.contains_key(&from)
                        && to.is_none_or(|to| to != from && model.contains_key(&to));
                    let set = room.set_gain(endpoint(from), to.map(endpoint), gain);
                    prop_assert_eq!(set.is_some(), fits);
                    if let Some((_, all, own)) = model.get_mut(&from).filter(|_| fits) {
                        match to {
                            Some(to) => { own.insert(to, muted); }
                            None => { *all = muted; own.clear(); }
                        }
                    }
                }
            }
            let heard = turn(&mut room, bit);
            prop_assert_eq!(heard.len(), model.len());
            for hearer in model.keys() {
                let may_be_heard = |(speaker, (audience, all, own)): (&u32, &(Audience, bool, _))| {
                    let own: &std::collections::BTreeMap<u32, bool> = own;
                    let is_muted = own.get(hearer).copied().unwrap_or(*all);
                    let reaches = match audience {
                        Audience::Everybody => true,
                        Audience::One(one) => *one == endpoint(*hearer),
                        Audience::Nobody => false,
                    };
                    (speaker != hearer && reaches && !is_muted).then_some(1_i16 << speaker)
                };
                let expected: i16 = model.iter().filter_map(may_be_heard).sum();
                prop_assert_eq!(heard_by(&heard, *hearer), expected, "{} hears", hearer);
            }
        }
    }

    /// Each voice as loud as it was set, all of them added to the last bit; what is too loud is bent, never wrapped.
    #[test]
    fn a_mix_is_the_sum_of_voices_as_loud_as_they_were_set(
        voices in prop::collection::vec((any::<i16>(), -40..=20_i8, prop::option::of(-40..=20_i8)), 2..=MAX_VOICES),
    ) {
        const KNEE: i32 = 24_576;
        let mut room = room(voices.len() as u32);
        let gain = |decibels: i8| Gain::from_decibels(decibels).expect("within the limits");
        for (index, (_, to_all, to_first)) in (0..).zip(&voices) {
            room.set_gain(endpoint(index), None, gain(*to_all));
            if let Some(to_first) = to_first.filter(|_| index > 0) {
                room.set_gain(endpoint(index), Some(endpoint(0)), gain(to_first));
            }
        }
        let heard = turn(&mut room, |member| Some([voices[member.index as usize].0; COUNT]));
        for hearer in 0..voices.len() {
            let mut sum = [0];
            let others = voices.iter().enumerate().filter(|(index, _)| *index != hearer);
            for (_, (said, to_all, to_first)) in others {
                let decibels = to_first.filter(|_| hearer == 0).unwrap_or(*to_all);
                gain(decibels).add(&[*said], &mut sum);
            }
            let (heard, [sum]) = (i32::from(heard_by(&heard, hearer as u32)), sum);
            if sum.abs() <= KNEE {
                prop_assert_eq!(heard, sum);
            } else {
                prop_assert_eq!(heard.signum(), sum.signum());
                let is_alone = voices.len() == 2 && heard == sum;
                prop_assert!(is_alone || (KNEE..=sum.abs()).contains(&heard.abs()), "{} of {}", heard, sum);
            }
        }
    }

    /// Where somebody sits makes no difference to anybody, nor when it came.
    #[test]
    fn any_order_of_coming_sounds_the_same(
        said in prop::sample::subsequence((1..2_000_i16).collect::<Vec<_>>(), 2..3 * MAX_VOICES).prop_shuffle(),
        order in any::<prop::sample::Index>(),
    ) {
        let count = said.len() as u32;
        let mut one = room(count);
        let mut other = room(0);
        let first = order.index(count as usize) as u32;
        for index in (first..count).chain(0..first).rev() {
            other.seat(endpoint(index), Audience::Everybody);
        }
        let says = |member: EndpointId| Some([said[member.index as usize]; COUNT]);
        let (mut one, mut other) = (turn(&mut one, says), turn(&mut other, says));
        one.sort_unstable_by_key(|(member, _)| *member);
        other.sort_unstable_by_key(|(member, _)| *member);
        prop_assert_eq!(one, other);
    }

    /// Of those who begin at once just the loudest are heard, as many as there are places.
    #[test]
    fn just_the_loudest_are_heard(
        said in prop::sample::subsequence((1..900_i16).collect::<Vec<_>>(), MAX_VOICES + 1..40).prop_shuffle(),
    ) {
        let mut room = room(said.len() as u32);
        let listener = endpoint(100);
        room.seat(listener, Audience::Nobody);
        let heard = turn(&mut room, |member| said.get(member.index as usize).map(|said| [*said; COUNT]));
        let mut loudest = said;
        loudest.sort_unstable_by(|a, b| b.cmp(a));
        let expected: i16 = loudest[..MAX_VOICES].iter().sum();
        prop_assert_eq!(heard_by(&heard, listener.index), expected);
    }

    /// Voices that have nothing in common add their energies.
    #[test]
    fn energies_add_up(peaks in prop::collection::vec(100.0..2_000.0_f64, 2..8)) {
        let mut room = room(peaks.len() as u32 + 1);
        // Whole periods in a frame: sines of different frequencies are orthogonal.
        let said = |index: usize| tone(50.0 * (index as f64 * 3.0 + 5.0), peaks[index]);
        let heard = turn(&mut room, |member| peaks.get(member.index as usize).map(|_| said(member.index as usize)));
        let expected: f64 = (0..peaks.len()).map(|index| energy(&said(index))).sum();
        let (_, mix) = heard.last().unwrap();
        prop_assert!((energy(mix) / expected - 1.0).abs() < 0.05, "{} of {expected}", energy(mix));
    }
}
