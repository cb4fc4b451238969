//! Where offers and answers of one dialog stand, and what the next message may do about it.

/// The patterns of RFC 6337 §2.2, table 1, from both sides, as states between the messages that carry them.
///
/// | pattern | offer | answer | the machine's way |
/// |---|---|---|---|
/// | 1 | INVITE | 2xx of INVITE | Stable, Calling, Stable; or Stable, Called, Accepted, Stable |
/// | 2 | 2xx of INVITE | ACK | Stable, Invited, AcceptedOffering, Stable |
/// | 3 | INVITE | reliable 1xx | Calling, CallingAgreed; or Called, Answering, CalledAgreed |
/// | 4 | reliable 1xx | PRACK | Invited, Offering, CalledAgreed |
/// | 5 | PRACK | 2xx of PRACK | answered at once, in Answering or CalledAgreed |
/// | 6 | UPDATE | 2xx of UPDATE | ours in the Updating states; theirs answered at once |
///
/// An INVITE of ours always has an offer, and a PRACK of ours never has one. What each step does in each state is
/// rendered by the snapshot `offer_answer/snapshots`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exchange {
    /// No INVITE is under way and no offer is out.
    #[default]
    Stable,
    /// The offer of our UPDATE is out.
    Updating,
    /// The offer of our INVITE is out.
    Calling,
    /// A reliable 1xx answered our INVITE's offer.
    CallingAgreed,
    /// The same, and the offer of our UPDATE is out.
    CallingUpdating,
    /// The offer of their INVITE waits for our answer.
    Called,
    /// Their INVITE waits for our offer.
    Invited,
    /// Our answer is in a reliable 1xx, its PRACK is not here.
    Answering,
    /// Our offer is in a reliable 1xx, its PRACK is to answer.
    Offering,
    /// Answered, and their INVITE still waits for its final response.
    CalledAgreed,
    /// The same, and the offer of our UPDATE is out.
    CalledUpdating,
    /// Our 2xx is out, its ACK is not here.
    Accepted,
    /// Our offer is in the 2xx, its ACK is to answer.
    AcceptedOffering,
}

/// What is to be sent, or came. A step with a description names that it has one; those without it concern the
/// machine only where that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// We would send an INVITE with an offer.
    SendInvite,
    /// We would send an UPDATE with an offer.
    SendUpdate,
    /// We would send a reliable 1xx with our description.
    SendReliable,
    /// We would answer their INVITE with 2xx.
    SendSuccess,
    /// We refuse their INVITE.
    SendFailure,
    /// Their INVITE came, with or without an offer.
    Invite { offer: bool },
    /// Their UPDATE came with an offer.
    Update,
    /// A 1xx that is not reliable came with a description.
    Provisional,
    /// A reliable 1xx came with a description.
    Reliable,
    /// The 2xx of our INVITE came.
    Success { description: bool },
    /// Our INVITE was refused.
    Failure,
    /// The PRACK of our reliable 1xx came.
    Prack { description: bool },
    /// The ACK of our 2xx came.
    Ack { description: bool },
    /// The 2xx of our UPDATE came.
    Updated { description: bool },
    /// Our UPDATE was refused.
    UpdateFailed,
}

/// What is to be done about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes, or is taken, and no description matters.
    Plain,
    /// What we send has our offer.
    Offer,
    /// What we send has our answer, be it the message itself or the response to what came.
    Answer,
    /// Theirs is the answer to ours.
    Take,
    /// Theirs is what the answer will be, unless another comes.
    Preview,
    /// Theirs is no part of an exchange.
    Ignore,
    /// It cannot be sent now.
    Wait,
    /// Refused with that status; 500 has a Retry-After (RFC 3261 §14.2, RFC 3311 §5.2).
    Refuse(u16),
    /// Our offer is as if it had never been made (RFC 3261 §14.1).
    Undo,
    /// An answer that must be here is not.
    Fail,
}

impl Exchange {
    /// One step of the table.
    #[must_use]
    pub(crate) fn step(self, step: Step) -> (Self, Verdict) {
        use Step as S;
        match step {
            S::SendInvite | S::SendUpdate => self.send_offer(step),
            S::SendReliable | S::SendSuccess | S::SendFailure => self.answer_invite(step),
            S::Invite { .. } | S::Update => self.take_request(step),
            S::Provisional | S::Reliable | S::Success { .. } | S::Failure => self.take_response(step),
            S::Prack { description } => self.take_prack(description),
            S::Ack { description } => self.take_ack(description),
            S::Updated { .. } | S::UpdateFailed => self.take_update_response(step),
        }
    }

    const fn send_offer(self, step: Step) -> (Self, Verdict) {
        match (self, step) {
            (Self::Stable, Step::SendInvite) => (Self::Calling, Verdict::Offer),
            (Self::Stable, Step::SendUpdate) => (Self::Updating, Verdict::Offer),
            (Self::CallingAgreed, Step::SendUpdate) => (Self::CallingUpdating, Verdict::Offer),
            (Self::CalledAgreed, Step::SendUpdate) => (Self::CalledUpdating, Verdict::Offer),
            _ => (self, Verdict::Wait),
        }
    }

    /// RFC 3262 §5: one description at a time is unacknowledged, and a 2xx waits for it.
    const fn answer_invite(self, step: Step) -> (Self, Verdict) {
        match (self, step) {
            (Self::Called, Step::SendReliable) => (Self::Answering, Verdict::Answer),
            (Self::Invited, Step::SendReliable) => (Self::Offering, Verdict::Offer),
            (Self::CalledAgreed, Step::SendReliable) => (self, Verdict::Plain),
            (Self::Called, Step::SendSuccess) => (Self::Accepted, Verdict::Answer),
            (Self::Invited, Step::SendSuccess) => (Self::AcceptedOffering, Verdict::Offer),
            (Self::CalledAgreed, Step::SendSuccess) => (Self::Accepted, Verdict::Plain),
            (
                Self::Called
                | Self::Invited
                | Self::Answering
                | Self::Offering
                | Self::CalledAgreed
                | Self::CalledUpdating,
                Step::SendFailure,
            ) => (Self::Stable, Verdict::Plain),
            _ => (self, Verdict::Wait),
        }
    }

    /// RFC 3261 §14.2 and RFC 3311 §5.2: 491 when our offer is out, 500 when theirs waits.
    const fn take_request(self, step: Step) -> (Self, Verdict) {
        match (self, step) {
            (Self::Stable, Step::Invite { offer: true }) => (Self::Called, Verdict::Answer),
            (Self::Stable, Step::Invite { offer: false }) => (Self::Invited, Verdict::Offer),
            (
                Self::Called
                | Self::Invited
                | Self::Answering
                | Self::Offering
                | Self::CalledAgreed
                | Self::CalledUpdating,
                Step::Invite { .. },
            ) => (self, Verdict::Refuse(500)),
            (
                Self::Stable | Self::CallingAgreed | Self::Answering | Self::CalledAgreed | Self::Accepted,
                Step::Update,
            ) => (self, Verdict::Answer),
            (Self::Called | Self::Invited, Step::Update) => (self, Verdict::Refuse(500)),
            _ => (self, Verdict::Refuse(491)),
        }
    }

    /// RFC 3261 §13.2.1: the first description in a reliable response is the answer, and later ones are nothing.
    const fn take_response(self, step: Step) -> (Self, Verdict) {
        match (self, step) {
            (Self::Calling, Step::Provisional) => (self, Verdict::Preview),
            (Self::Calling, Step::Reliable) => (Self::CallingAgreed, Verdict::Take),
            (Self::Calling, Step::Success { description: true }) => (Self::Stable, Verdict::Take),
            (Self::Calling, Step::Success { description: false }) => (Self::Stable, Verdict::Fail),
            (Self::CallingAgreed, Step::Success { .. }) => (Self::Stable, Verdict::Plain),
            (Self::CallingUpdating, Step::Success { .. }) => (Self::Updating, Verdict::Plain),
            (Self::Calling | Self::CallingAgreed | Self::CallingUpdating, Step::Failure) => {
                (Self::Stable, Verdict::Undo)
            }
            _ => (self, Verdict::Ignore),
        }
    }

    const fn take_prack(self, description: bool) -> (Self, Verdict) {
        match (self, description) {
            (Self::Answering, false) => (Self::CalledAgreed, Verdict::Plain),
            (Self::Answering | Self::CalledAgreed, true) => (Self::CalledAgreed, Verdict::Answer),
            (Self::Offering, true) => (Self::CalledAgreed, Verdict::Take),
            (Self::Offering, false) => (self, Verdict::Fail),
            (_, false) => (self, Verdict::Plain),
            (_, true) => (self, Verdict::Ignore),
        }
    }

    const fn take_ack(self, description: bool) -> (Self, Verdict) {
        match (self, description) {
            (Self::Accepted, _) => (Self::Stable, Verdict::Plain),
            (Self::AcceptedOffering, true) => (Self::Stable, Verdict::Take),
            (Self::AcceptedOffering, false) => (Self::Stable, Verdict::Fail),
            _ => (self, Verdict::Ignore),
        }
    }

    const fn take_update_response(self, step: Step) -> (Self, Verdict) {
        let verdict = match step {
            Step::Updated { description: true } => Verdict::Take,
            _ => Verdict::Undo,
        };
        match self {
            Self::Updating => (Self::Stable, verdict),
            Self::CallingUpdating => (Self::CallingAgreed, verdict),
            Self::CalledUpdating => (Self::CalledAgreed, verdict),
            _ => (self, Verdict::Ignore),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;

    const STEPS: [Step; 20] = [
        Step::SendInvite,
        Step::SendUpdate,
        Step::SendReliable,
        Step::SendSuccess,
        Step::SendFailure,
        Step::Invite { offer: true },
        Step::Invite { offer: false },
        Step::Update,
        Step::Provisional,
        Step::Reliable,
        Step::Success { description: true },
        Step::Success { description: false },
        Step::Failure,
        Step::Prack { description: true },
        Step::Prack { description: false },
        Step::Ack { description: true },
        Step::Ack { description: false },
        Step::Updated { description: true },
        Step::Updated { description: false },
        Step::UpdateFailed,
    ];

    /// Every state that any order of messages leads to, with what each message does there.
    #[test]
    fn every_state_has_an_answer_to_every_message() {
        let mut states = BTreeSet::from([Exchange::Stable]);
        let mut open = vec![Exchange::Stable];
        while let Some(state) = open.pop() {
            for (next, _) in STEPS.map(|step| state.step(step)) {
                if states.insert(next) {
                    open.push(next);
                }
            }
        }
        let mut table = String::new();
        for state in states {
            writeln!(table, "{state:?}").unwrap();
            for step in STEPS {
                let (next, verdict) = state.step(step);
                let step = format!("{step:?}").replace(" { ", " (").replace(" }", ")");
                let next = if next == state { String::new() } else { format!("-> {next:?}") };
                writeln!(table, "{}", format!("  {step:30} {verdict:?} {next}").trim_end()).unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }

    /// RFC 3264 §4: "an offerer must not make another offer before the first is answered or rejected", nor while it
    /// has one to answer.
    #[test]
    fn no_two_offers_are_open_at_once() {
        for state in [
            Exchange::Updating,
            Exchange::Calling,
            Exchange::CallingUpdating,
            Exchange::Called,
            Exchange::Invited,
            Exchange::Offering,
            Exchange::CalledUpdating,
            Exchange::AcceptedOffering,
        ] {
            for step in [Step::SendInvite, Step::SendUpdate] {
                assert_eq!(state.step(step), (state, Verdict::Wait), "{state:?}");
            }
            for step in [Step::Invite { offer: true }, Step::Update] {
                assert!(matches!(state.step(step).1, Verdict::Refuse(491 | 500)), "{state:?}");
            }
        }
    }
}
