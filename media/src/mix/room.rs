//! One conference: its members, who hears whom, and the turn of each frame.

use std::sync::Arc;

use tandem_time::Instant;

use super::saturation::saturate;
use super::{Audience, ConferenceId, FRAME, FRAME_SAMPLES, Frame, Gain};
use crate::codec::Rate;
use crate::codec::resampler::Resampler;
use crate::correlation::power;
use crate::player::Player;
use crate::schedule::{Schedule, Tick};
use crate::{BargeIn, EndpointId, PlayId, Segment};

/// With more members than this only so many are mixed at a time, the loudest: what everybody breathes and types would
/// drown who speaks.
pub(crate) const MAX_VOICES: usize = 8;

/// Who was mixed last stays so until somebody is twice as powerful, so that two alike do not cut each other up.
const STAYS: u64 = 2;

/// Part of a level that stays from one turn to the next, in eighths: words are louder than the gaps between them.
const DECAY_EIGHTHS: u64 = 7;

/// Samples that are added up at a time: few enough to stay in the processor's nearest cache.
const BLOCK: usize = Rate::Narrowband.samples_in(FRAME);

/// A conference.
#[derive(Debug)]
pub(crate) struct Room {
    id: ConferenceId,
    members: Vec<Member>,
    /// By hearer, then by speaker: the edges of who hears whom.
    gains: Vec<Gain>,
    rate: Rate,
    schedule: Schedule,
    announcement: Option<Box<Announcement>>,
}

/// Something for everybody to hear, brought to the rate of the room.
#[derive(Debug)]
struct Announcement {
    player: Player,
    resampler: Option<Resampler>,
}

#[derive(Debug)]
struct Member {
    endpoint: EndpointId,
    audience: Audience,
    /// For those without a gain of their own.
    gain: Gain,
    own_gains: Vec<(EndpointId, Gain)>,
    /// Of its latest frames.
    level: u64,
    is_mixed: bool,
}

/// What a turn needs beside the room, shared by all rooms of a worker: frames by member.
#[derive(Debug)]
pub(crate) struct Scratch {
    said: Box<[Frame; ConferenceId::MAX_MEMBERS]>,
    sounds: [bool; ConferenceId::MAX_MEMBERS],
    announced: Option<Frame>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            said: Box::new([[0; FRAME_SAMPLES]; ConferenceId::MAX_MEMBERS]),
            sounds: [false; ConferenceId::MAX_MEMBERS],
            announced: None,
        }
    }

    /// Where a member puts so many samples of what it says.
    pub(crate) fn voice(&mut self, member: usize, count: usize) -> Option<(&mut [i16], &mut bool)> {
        self.said.get_mut(member)?.get_mut(..count).zip(self.sounds.get_mut(member))
    }
}

impl Room {
    pub(crate) const fn new(id: ConferenceId, now: Instant) -> Self {
        Self {
            id,
            members: Vec::new(),
            gains: Vec::new(),
            rate: Rate::Narrowband,
            schedule: Schedule::new(now),
            announcement: None,
        }
    }

    pub(crate) const fn id(&self) -> ConferenceId {
        self.id
    }

    pub(crate) const fn tick_at(&self) -> Instant {
        self.schedule.tick_at()
    }

    pub(crate) const fn rate(&self) -> Rate {
        self.rate
    }

    /// It mixes at this rate from now on.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        if let Some(announcement) = self.announcement.as_mut().filter(|_| rate != self.rate) {
            announcement.resampler = Resampler::new(Rate::Narrowband, rate);
        }
        self.rate = rate;
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn has(&self, endpoint: EndpointId) -> bool {
        self.members.iter().any(|member| member.endpoint == endpoint)
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.members.len() >= ConferenceId::MAX_MEMBERS
    }

    /// Somebody sits down, or is heard by others than before.
    pub(crate) fn seat(&mut self, endpoint: EndpointId, audience: Audience) {
        match self.member(endpoint) {
            Some(member) => member.audience = audience,
            None => self.members.push(Member {
                endpoint,
                audience,
                gain: Gain::UNITY,
                own_gains: Vec::new(),
                level: 0,
                is_mixed: false,
            }),
        }
        self.draw_edges();
    }

    /// Somebody leaves, and nothing of it stays.
    pub(crate) fn unseat(&mut self, endpoint: EndpointId) {
        self.members.retain(|member| member.endpoint != endpoint);
        for member in &mut self.members {
            member.own_gains.retain(|(hearer, _)| *hearer != endpoint);
        }
        self.draw_edges();
    }

    /// How loud somebody is for all, or for one; none when either is not here.
    pub(crate) fn set_gain(&mut self, from: EndpointId, to: Option<EndpointId>, gain: Gain) -> Option<()> {
        if to.is_some_and(|to| !self.has(to) || to == from) {
            return None;
        }
        let member = self.member(from)?;
        match to {
            Some(to) => {
                member.own_gains.retain(|(hearer, _)| *hearer != to);
                member.own_gains.push((to, gain));
            }
            None => {
                member.gain = gain;
                member.own_gains.clear();
            }
        }
        self.draw_edges();
        Some(())
    }

    /// Everybody hears this along with what is said. Music is heard once from its beginning: what goes on for ever, and is
    /// coded once for all who wait, is for those who hear nothing else.
    pub(crate) fn announce(&mut self, segments: Arc<[Segment]>) {
        let heard_once = |segment: &Segment| match segment {
            Segment::Music(audio) => Segment::Audio(Arc::clone(audio)),
            other => other.clone(),
        };
        let segments: Arc<[Segment]> = segments.iter().map(heard_once).collect();
        let player = Player::new(PlayId(0), segments, Some(1), BargeIn::Never, self.rate);
        let resampler = Resampler::new(player.rate(), self.rate);
        self.announcement = Some(Box::new(Announcement { player, resampler }));
    }

    /// The members, by their places.
    pub(crate) fn members(&self) -> impl ExactSizeIterator<Item = EndpointId> {
        self.members.iter().map(|member| member.endpoint)
    }

    /// It is time.
    pub(crate) fn turn(&mut self, now: Instant) -> Tick {
        self.schedule.tick(now, FRAME)
    }

    /// The time of a frame that is to be made now.
    pub(crate) fn next_turn(&mut self) -> Option<Instant> {
        self.schedule.take_frame(FRAME)
    }

    /// Takes what everybody said: chooses whom to mix, and has the announcement ready.
    pub(crate) fn listen(&mut self, scratch: &mut Scratch) {
        scratch.announced = self.announcement.as_mut().and_then(|announcement| announcement.next_frame());
        if scratch.announced.is_none() {
            self.announcement = None;
        }
        self.choose_voices(scratch);
    }

    /// What one member hears of the others.
    pub(crate) fn mix(&self, hearer: usize, scratch: &Scratch, out: &mut [i16]) {
        let count = self.members.len();
        let row = self.gains.get(hearer * count..(hearer + 1) * count).unwrap_or_default();
        let said = scratch.said.iter().zip(&self.members).zip(row);
        let mut heard = said
            .filter(|((_, member), gain)| member.is_mixed && gain.is_heard())
            .map(|((frame, _), gain)| (frame, *gain))
            .chain(scratch.announced.iter().map(|frame| (frame, Gain::UNITY)));
        let Some(first) = heard.next() else { return out.fill(0) };
        let Some(second) = heard.next() else { return alone(first, out) };
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let mut sums = [0; BLOCK];
            for (frame, gain) in [first, second].into_iter().chain(heard.clone()) {
                gain.add(frame.get(block * BLOCK..).unwrap_or_default(), &mut sums);
            }
            saturate(&sums, out);
        }
    }

    /// Everybody who says something; when that could be too many, the loudest. Who is heard by one only does not
    /// count: to that one it matters.
    fn choose_voices(&mut self, scratch: &Scratch) {
        let sounds = |place: usize| scratch.sounds.get(place).copied().unwrap_or(false);
        if self.members.len() <= MAX_VOICES {
            for (place, member) in self.members.iter_mut().enumerate() {
                member.is_mixed = sounds(place);
            }
            return;
        }
        let count = self.rate.samples_in(FRAME);
        let mut ranks = [(0, 0); ConferenceId::MAX_MEMBERS];
        let mut voices = 0;
        for (place, member) in self.members.iter_mut().enumerate() {
            let said = scratch.said.get(place).and_then(|frame| frame.get(..count));
            let power = said.filter(|_| sounds(place)).map_or(0, power);
            member.level = power.max(member.level / 8 * DECAY_EIGHTHS);
            let counts = member.audience == Audience::Everybody && sounds(place);
            if let Some(rank) = ranks.get_mut(voices).filter(|_| counts) {
                *rank = (member.level * if member.is_mixed { STAYS } else { 1 }, place);
                voices += 1;
            }
            member.is_mixed = sounds(place) && !counts;
        }
        let ranks = ranks.get_mut(..voices).unwrap_or_default();
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        for (_, place) in ranks.iter().take(MAX_VOICES) {
            if let Some(member) = self.members.get_mut(*place) {
                member.is_mixed = true;
            }
        }
    }

    fn member(&mut self, endpoint: EndpointId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.endpoint == endpoint)
    }

    fn draw_edges(&mut self) {
        let Self { members, gains, .. } = self;
        gains.clear();
        for hearer in members.iter() {
            gains.extend(members.iter().map(|speaker| speaker.edge_to(hearer.endpoint)));
        }
    }
}

impl Announcement {
    fn next_frame(&mut self) -> Option<Frame> {
        if self.player.is_over() {
            return None;
        }
        let mut frame = [0; FRAME_SAMPLES];
        let mut played = [0; Rate::Wideband.samples_in(FRAME)];
        let played = played.get_mut(..self.player.rate().samples_in(FRAME))?;
        self.player.fill(played);
        match &mut self.resampler {
            Some(resampler) => {
                resampler.process(played, &mut frame);
            }
            None => frame.iter_mut().zip(played).for_each(|(to, from)| *to = *from),
        }
        Some(frame)
    }
}

impl Member {
    /// How loud it is for a hearer; never for itself.
    fn edge_to(&self, hearer: EndpointId) -> Gain {
        let is_heard = match self.audience {
            Audience::Everybody => true,
            Audience::One(one) => one == hearer,
            Audience::Nobody => false,
        };
        if !is_heard || hearer == self.endpoint {
            return Gain::MUTED;
        }
        let own = self.own_gains.iter().find(|(endpoint, _)| *endpoint == hearer);
        own.map_or(self.gain, |(_, gain)| *gain)
    }
}

/// Somebody whom nobody else is mixed with.
fn alone((frame, gain): (&Frame, Gain), out: &mut [i16]) {
    let samples = frame.get(..out.len()).unwrap_or_default();
    if gain == Gain::UNITY {
        return out.copy_from_slice(samples);
    }
    for (samples, out) in samples.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let mut louder = [0; BLOCK];
        gain.add(samples, &mut louder);
        if gain.is_at_most_unity() {
            out.iter_mut().zip(&louder).for_each(|(sample, sum)| *sample = *sum as i16);
        } else {
            saturate(&louder, out);
        }
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
