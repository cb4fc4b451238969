//! What can be proved of a flow before a call meets it.

use std::collections::BTreeSet;

use super::{Activity, Flow, FlowError, FlowProblem, Kind};

impl Flow {
    /// Holds the flow against what the node has.
    ///
    /// # Errors
    /// The first queue or prompt that does not exist.
    pub fn check(&self, queues: &BTreeSet<String>, prompts: &BTreeSet<String>) -> Result<(), FlowError> {
        self.activities.iter().try_for_each(|activity| {
            let named = match &activity.kind {
                Kind::Play { prompts, .. } | Kind::Menu { prompts, .. } | Kind::Collect { prompts, .. } => {
                    prompts.as_slice()
                }
                _ => &[],
            };
            if let Some(name) = named.iter().find(|name| !prompts.contains(*name)) {
                let known = prompts.iter().cloned().collect();
                return Err(self.error(activity, FlowProblem::UnknownPrompt { name: name.clone(), known }));
            }
            match &activity.kind {
                Kind::Queue { queue } if !queues.contains(queue) => {
                    let known = queues.iter().cloned().collect();
                    Err(self.error(activity, FlowProblem::UnknownQueue { name: queue.clone(), known }))
                }
                _ => Ok(()),
            }
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
