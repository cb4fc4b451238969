//! What calls to a trunk are listened to for. The ranges are those that campaign managers have.

use crate::model::CallProgress;
use crate::reader::Section;

/// `Some(None)` when they are not listened to, `None` when it is wrong.
pub(super) fn read_call_progress(section: &Section<'_, '_>) -> Option<Option<CallProgress>> {
    section.know(&["call_progress"]);
    if !section.has("call_progress") {
        return Some(None);
    }
    let section = section.table("call_progress");
    let machines = section.boolean_or("machines", true);
    let beep = section.boolean_or("beep", machines.unwrap_or(true));
    let min_silence = section.millis_or("min_silence_ms", 100..=1_000, 608);
    let analysis_period = section.millis_or("analysis_period_ms", 1_000..=10_000, 2_500);
    let live_voice = section.millis_or("live_voice_ms", 100..=10_000, 1_800);
    let min_speech = section.millis_or("min_speech_ms", 50..=500, 112);
    let max_time = section.millis_or("max_time_ms", 1_000..=10_000, 3_000);
    let max_beep = section.millis_or("max_beep_ms", 1_000..=60_000, 30_000);
    let max_ringing = section.seconds_or("max_ringing_s", 10..=180, 60);
    if beep == Some(true) && machines == Some(false) {
        let message = "beep = true waits for machines, which are not told from people".to_owned();
        section.problem_here(message, "write machines = true, or beep = false".to_owned());
    }
    if let (Some(person), Some(machine)) = (live_voice, analysis_period)
        && person > machine
    {
        let (person_ms, machine_ms) = (person.as_millis(), machine.as_millis());
        let message = format!("live_voice_ms ({person_ms}) is longer than analysis_period_ms ({machine_ms})");
        section
            .problem_here(message, "write a shorter live_voice_ms or a longer analysis_period_ms".to_owned());
    }
    section.finish();
    Some(Some(CallProgress {
        machines: machines?,
        beep: beep?,
        min_silence: min_silence?,
        analysis_period: analysis_period?,
        live_voice: live_voice?,
        min_speech: min_speech?,
        max_time: max_time?,
        max_beep: max_beep?,
        max_ringing: max_ringing?,
    }))
}
