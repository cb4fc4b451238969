//! What can be proved of a flow before a call meets it.

use std::collections::BTreeSet;

use tandem_control_api::Prompt;

use super::{Activity, Flow, FlowError, FlowProblem, Kind, Utterance};
use crate::say::{Grammars, Manner};

/// What flows may name.
#[derive(Clone, Copy, Debug)]
pub struct Inventory<'a> {
    /// The names of the node's queues.
    pub queues: &'a BTreeSet<String>,
    /// … of its prompts.
    pub prompts: &'a BTreeSet<String>,
    /// Its grammars.
    pub grammars: &'a Grammars,
    /// Whether it speaks words that are not recorded.
    pub speech: bool,
    /// Whether it keeps recordings.
    pub recording: bool,
}

impl Flow {
    /// Holds the flow against what the node has.
    ///
    /// # Errors
    /// The first queue, prompt, grammar or other thing that does not exist.
    pub fn check(&self, inventory: Inventory<'_>) -> Result<(), FlowError> {
        self.activities.iter().try_for_each(|activity| {
            let problem = match &activity.kind {
                Kind::Play { prompts, .. } | Kind::Menu { prompts, .. } | Kind::Collect { prompts, .. } => {
                    prompts.iter().find_map(|utterance| utterance.problem(inventory))
                }
                Kind::Queue { queue } if !inventory.queues.contains(queue) => {
                    let known = inventory.queues.iter().cloned().collect();
                    Some(FlowProblem::UnknownQueue { name: queue.clone(), known })
                }
                Kind::Record { .. } if !inventory.recording => Some(FlowProblem::Unrecorded),
                _ => None,
            };
            problem.map_or(Ok(()), |problem| Err(self.error(activity, problem)))
        })
    }

    fn error(&self, activity: &Activity, problem: FlowProblem) -> FlowError {
        FlowError {
            flow: self.name.clone(),
            line: activity.line,
            activity: Some(activity.name.clone()),
            problem: Box::new(problem),
        }
    }
}

impl Utterance {
    fn problem(&self, inventory: Inventory<'_>) -> Option<FlowProblem> {
        match self {
            Self::Prompt(Prompt::Named(name) | Prompt::Music(name) | Prompt::Part { name, .. }) => {
                let known = || inventory.prompts.iter().cloned().collect();
                let is_known = inventory.prompts.contains(name);
                (!is_known).then(|| FlowProblem::UnknownPrompt { name: name.clone(), known: known() })
            }
            Self::Prompt(_) => None,
            Self::Speak { .. } => (!inventory.speech).then_some(FlowProblem::Speechless),
            // A language that a variable names is known when the call is there.
            Self::Say { manner, language, .. } => {
                let language = language.literal()?;
                let Some(grammar) = inventory.grammars.get(language) else {
                    let known = inventory.grammars.keys().cloned().collect();
                    return Some(FlowProblem::UnknownLanguage { name: language.to_owned(), known });
                };
                let missing = match manner {
                    Manner::Money(code) if grammar.has(manner) && !grammar.has_currency(code) => {
                        format!("currency `{code}`")
                    }
                    manner if !grammar.has(manner) => manner.plural().to_owned(),
                    _ => return None,
                };
                Some(FlowProblem::Wordless { language: language.to_owned(), what: missing })
            }
        }
    }
}

/// Every activity can be reached from the start.
pub(super) fn check_graph(flow: &Flow) -> Result<(), FlowError> {
    let mut reached = BTreeSet::from([flow.start]);
    let mut frontier = vec![flow.start];
    while let Some(index) = frontier.pop() {
        for target in flow.activities[index].exits.values() {
            if reached.insert(*target) {
                frontier.push(*target);
            }
        }
    }
    match flow.activities.iter().enumerate().find(|(index, _)| !reached.contains(index)) {
        None => Ok(()),
        Some((_, activity)) => Err(flow.error(activity, FlowProblem::Unreachable)),
    }
}
