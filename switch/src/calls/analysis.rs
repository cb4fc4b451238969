//! What answers a leg: call-progress analysis by its endpoint, and what is told and kept of it.

use tandem_control_api::{
    CallFact, CommandError, Event, Evidence, EvidenceKind, LegId, ProgressReport, ProgressRules,
    SpecialInformation, Verdict,
};
use tandem_media as media;
use tandem_media::EndpointId;
use tandem_media::progress as heard;
use tandem_time::Instant;

use super::commands::{Begun, wrong_state};
use super::leg::LegState;
use super::{Calls, Progress};
use crate::WorkerIndex;

/// An analysis that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Analysis {
    rules: ProgressRules,
    told: Told,
}

/// What its worker was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// There is no media yet.
    Nothing,
    /// To listen to a party that has not answered.
    Rings,
    /// That it has.
    Answered,
}

impl Calls {
    pub(super) fn analyse(&mut self, leg_id: LegId, rules: ProgressRules) -> Begun {
        let (state, call) = self.commanded(leg_id)?;
        let is_heard = match state {
            LegState::Offered { .. }
            | LegState::Preparing { .. }
            | LegState::Progressing { .. }
            | LegState::Accepting { .. }
            | LegState::Ending { .. }
            | LegState::Ended { .. } => false,
            other => other.endpoint().is_some(),
        };
        if !is_heard {
            return Err(wrong_state("analyse", &state));
        }
        self.attend(call);
        let leg = self.legs.get_mut(leg_id).ok_or(CommandError::UnknownLeg)?;
        leg.analysis = Some(Box::new(Analysis { rules, told: Told::Nothing }));
        if leg.audio.is_some() {
            self.listen(leg_id);
        }
        Ok(Progress::Done)
    }

    /// Tells the worker to listen to a leg whose audio is agreed, and that it is answered once it is.
    pub(super) fn listen(&mut self, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let (Some(analysis), Some(endpoint)) = (&mut leg.analysis, leg.state.endpoint()) else { return };
        let is_answered = leg.answered.is_some();
        let before = analysis.told;
        analysis.told = if is_answered { Told::Answered } else { Told::Rings };
        let rules = rules(&analysis.rules);
        match (before, is_answered) {
            (Told::Nothing, _) => self.command_endpoint(endpoint, |endpoint| media::Command::Analyse {
                endpoint,
                rules,
                is_answered,
            }),
            (Told::Rings, true) => {
                self.command_endpoint(endpoint, |endpoint| media::Command::Answered { endpoint });
            }
            (Told::Rings, false) | (Told::Answered, _) => {}
        }
    }

    pub(super) fn progress_found(
        &mut self,
        now: Instant,
        worker: WorkerIndex,
        endpoint: EndpointId,
        finding: heard::Finding,
        evidence: &[heard::Evidence],
    ) -> Option<()> {
        let leg_id = self.endpoints.leg_of(endpoint, worker)?;
        let leg = self.legs.get(leg_id).filter(|leg| !leg.state.is_ended())?;
        let call_id = leg.call;
        let (fact, event) = match finding {
            heard::Finding::Verdict { verdict, after } => {
                let verdict = self::verdict(verdict);
                *self.counters.verdicts.entry(verdict.name()).or_default() += 1;
                let evidence = evidence.iter().map(piece).collect();
                let report = Box::new(ProgressReport { verdict, after, evidence });
                let fact = CallFact::ProgressFound { leg: leg_id, report: report.clone() };
                (fact, Event::ProgressFound { call: call_id, leg: leg_id, report })
            }
            heard::Finding::Beep { .. } | heard::Finding::NoBeep => {
                let heard = matches!(finding, heard::Finding::Beep { .. });
                let fact = CallFact::BeepAwaited { leg: leg_id, heard };
                (fact, Event::BeepAwaited { call: call_id, leg: leg_id, heard })
            }
        };
        self.calls.get_mut(call_id)?.add_fact(now, fact);
        self.tell(event);
        Some(())
    }
}

const fn rules(rules: &ProgressRules) -> heard::ProgressRules {
    heard::ProgressRules {
        tells_machines: rules.tells_machines,
        awaits_beep: rules.awaits_beep,
        min_silence: rules.min_silence,
        analysis_period: rules.analysis_period,
        live_voice: rules.live_voice,
        min_speech: rules.min_speech,
        max_time: rules.max_time,
        max_beep: rules.max_beep,
        max_ringing: rules.max_ringing,
    }
}

const fn verdict(verdict: heard::Verdict) -> Verdict {
    match verdict {
        heard::Verdict::LiveVoice => Verdict::LiveVoice,
        heard::Verdict::AnsweringMachine => Verdict::AnsweringMachine,
        heard::Verdict::Fax => Verdict::Fax,
        heard::Verdict::Busy => Verdict::Busy,
        heard::Verdict::Reorder => Verdict::Reorder,
        heard::Verdict::SpecialInformation(kind) => Verdict::SpecialInformation(match kind {
            heard::SpecialInformation::Intercept => SpecialInformation::Intercept,
            heard::SpecialInformation::VacantCode => SpecialInformation::VacantCode,
            heard::SpecialInformation::Reorder => SpecialInformation::Reorder,
            heard::SpecialInformation::NoCircuit => SpecialInformation::NoCircuit,
            heard::SpecialInformation::Other => SpecialInformation::Other,
        }),
        heard::Verdict::Ringback => Verdict::Ringback,
        heard::Verdict::Silence => Verdict::Silence,
        heard::Verdict::Unsure => Verdict::Unsure,
    }
}

const fn piece(piece: &heard::Evidence) -> Evidence {
    Evidence {
        at: piece.at,
        lasted: piece.lasted,
        level_dbm0: piece.level_dbm0,
        kind: match piece.kind {
            heard::EvidenceKind::Silence => EvidenceKind::Silence,
            heard::EvidenceKind::Tone { low_hz, high_hz } => EvidenceKind::Tone { low_hz, high_hz },
            heard::EvidenceKind::Speech => EvidenceKind::Speech,
            heard::EvidenceKind::Noise => EvidenceKind::Noise,
        },
    }
}

const _: () = assert!(heard::MAX_EVIDENCE == ProgressReport::MAX_EVIDENCE);
