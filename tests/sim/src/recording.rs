//! Who writes recordings, played by the simulator: it reads their rings now and then, and keeps both sides at 8 kHz.

use std::time::Duration;

use tandem_media::codec::Rate;
use tandem_media::recorder::{Recorder, Sides};
use tandem_phone::{Heard, heard_in};
use tandem_switch::NewRecording;

use crate::voices;

/// A writer comes by so often.
const EVERY: Duration = Duration::from_millis(200);

/// What is to be heard in a recording.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The SIP Call-ID of the leg.
    pub sip_call_id: String,
    /// What its party said.
    pub said: Heard,
    /// What it heard.
    pub heard: Heard,
    /// Frames that found no room.
    pub lost: u64,
}

/// All recordings of a run.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    tapes: Vec<Tape>,
    next_at: Duration,
}

#[derive(Debug)]
struct Tape {
    recording: NewRecording,
    recorder: Recorder,
    pulled: Vec<i16>,
    /// What was said, what was heard.
    sides: [Vec<i16>; 2],
}

impl Writer {
    pub(crate) fn begin(&mut self, recording: NewRecording) {
        let recorder = Recorder::new(Sides::Stereo);
        self.tapes.push(Tape { recording, recorder, pulled: Vec::new(), sides: Default::default() });
    }

    pub(crate) fn come_by(&mut self, now: Duration) {
        if now >= self.next_at {
            self.next_at = now + EVERY;
            self.tapes.iter_mut().for_each(Tape::read);
        }
    }

    /// What there is at the end of a run.
    pub(crate) fn finish(mut self) -> Vec<Recorded> {
        self.tapes.iter_mut().for_each(Tape::read);
        self.tapes.into_iter().filter_map(Tape::into_recorded).collect()
    }
}

impl Tape {
    fn read(&mut self) {
        while let Some(entry) = self.recording.reader.next_entry() {
            self.recorder.take(entry);
        }
        if self.recording.reader.is_closed() {
            self.recorder.end();
        }
        let Some(rate) = self.recorder.rate() else { return };
        let each = (rate.hz() / Rate::Narrowband.hz()) as usize;
        self.recorder.pull(&mut self.pulled);
        let whole = self.pulled.len() / (2 * each) * (2 * each);
        for piece in self.pulled.drain(..whole).as_slice().chunks(2 * each) {
            for (side, place) in self.sides.iter_mut().zip(0..) {
                let sum: i32 = piece.iter().skip(place).step_by(2).map(|sample| i32::from(*sample)).sum();
                side.push((sum / each as i32) as i16);
            }
        }
    }

    fn into_recorded(self) -> Option<Recorded> {
        let began = self.recorder.begun()?.since_start();
        let lost = self.recorder.frames_lost();
        let [said, heard] = self.sides.map(|side| heard_in(&side, began, &voices::all_frequencies()));
        Some(Recorded { sip_call_id: self.recording.sip_call_id, said, heard, lost })
    }
}
