//! What rogues get: the responses that the RFC has for them, and nothing that they want.

use std::collections::BTreeSet;

use tandem_sbc::user_agent::Protection;

use super::Judge;
use crate::rogue::{ACCOMPLICE, FIRST_CSEQ, GUESSER, MAX_CALLS, Misdeed, ROGUE, Rogue};
use crate::tap::{Kind, Seen, Way};
use crate::world::Observed;

/// A dialog is its peer's (RFC 3261 §12.2.2: "outside a dialog" for everybody else), a request out of order is
/// refused with 500, a stray ACK is answered by nobody (§17.2.1), a trunk's limits hold in a storm, and who guesses
/// passwords is heard up to the threshold.
pub(super) fn rogues_get_nowhere(run: &Observed, judge: &mut Judge) {
    let misdeed = |seen: &Seen| {
        let rogue = Rogue::number_of(&seen.call_id)?;
        run.scenario.rogues.get(rogue).map(|plan| plan.misdeed)
    };
    let (mut guesses, mut storm) = (0, BTreeSet::new());
    for seen in run.sip.iter().filter(|seen| seen.way == Way::Out) {
        let Kind::Response { status } = seen.kind else { continue };
        let mut wrong = |what: &str| judge_response(judge, seen, what);
        match (misdeed(seen), seen.peer) {
            (_, ACCOMPLICE) => wrong(if status < 300 { "somebody else's dialog obeys" } else { "" }),
            (_, GUESSER) => {
                guesses += 1;
                wrong(if status < 300 { "a guess was right" } else { "" });
            }
            (Some(Misdeed::WrongCseq), ROGUE) if seen.cseq < FIRST_CSEQ => {
                wrong(if status == 500 { "" } else { "a request out of order is not 500" });
            }
            (Some(Misdeed::StrayAcks), ROGUE) => {
                wrong(if seen.method == "ACK" { "an ACK is answered" } else { "" });
            }
            (Some(Misdeed::NumberSweep), ROGUE) => {
                wrong(if (200..300).contains(&status) { "a number that does not exist answers" } else { "" });
            }
            (Some(Misdeed::CallStorm), ROGUE) if seen.method == "INVITE" && (200..300).contains(&status) => {
                storm.insert(&seen.call_id);
            }
            _ => {}
        }
    }
    // The first answer is the challenge; each nonce may be asked for anew once.
    let most = 2 * Protection::default().authentication_failures + 1;
    if guesses > most {
        judge.fail(format!("the guesser got {guesses} answers"));
    }
    let storms = run.scenario.rogues.iter().filter(|it| it.misdeed == Misdeed::CallStorm).count();
    if storm.len() > storms * 2 * MAX_CALLS as usize {
        judge.fail(format!("{} calls of {storms} storms were answered", storm.len()));
    }
}

/// `what` is wrong with a response; nothing when empty.
fn judge_response(judge: &mut Judge, seen: &Seen, what: &str) {
    judge.looked();
    if !what.is_empty() {
        judge.fail(format!("{what}: {:?} to {} for {} {}", seen.kind, seen.peer, seen.method, seen.call_id));
    }
}
