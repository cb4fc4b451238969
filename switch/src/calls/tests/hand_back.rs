//! Two calls of one carrier that were transferred to each other: the carrier joins them, or they go on through us.

use tandem_control_api::{CallFact, CallId, Command, Event, LegId, TransferTo};
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::SessionId;

use super::bench::{Bench, Session, config};
use crate::SwitchConfig;

struct Scene {
    bench: Bench,
    call: CallId,
    /// The transferee, in whose call the carrier is asked.
    caller: (SessionId, LegId),
    /// The party that the agent has consulted, in another call.
    party: (SessionId, LegId),
}

/// An agent has put two callers of carrier-a together, who talk to each other.
fn together(trunks: &[&str]) -> Scene {
    let refer_out_attended = trunks.iter().map(|trunk| (*trunk).to_owned()).collect();
    let mut bench = Bench::with(SwitchConfig { refer_out_attended, workers: 1, ..config() });
    let (session, call, transferee) = bench.answered();
    let (_, agent) = bench.dialled(call);
    bench.command(Command::Bridge { a: transferee, b: agent });
    let (other, second, party) = bench.answered();
    let (_, consulted_on) = bench.dialled(second);
    bench.command(Command::Bridge { a: party, b: consulted_on });
    bench.asked.clear();
    let to = TransferTo::Party { leg: party, consulted_on };
    let command = bench.command(Command::Transfer { leg: agent, transferee, to });
    assert_eq!(bench.ending(command), "transferred");
    bench.close_all();
    Scene { bench, call, caller: (session, transferee), party: (other, party) }
}

impl Scene {
    fn carrier_says(&mut self, status: u16) {
        self.bench.session_event(ua::Event::Referred { session: self.caller.0, status });
    }

    fn asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.bench.asked)
    }

    /// They hear each other, and another transfer is possible.
    fn assert_talking(&mut self) {
        let (a, b) = (self.caller.1, self.party.1);
        let command = self.bench.command(Command::Bridge { a, b });
        assert_eq!((self.bench.ending(command).as_str(), self.asked().len()), ("ok", 0));
        self.bench.session_event(super::bench::transfer_asked(self.caller.0, None));
        assert!(matches!(self.bench.told.last(), Some(Event::TransferAsked { .. })));
    }

    /// Everybody goes; what the record has of the carrier, and how the two legs ended.
    fn wind_up(mut self) -> (Vec<String>, [String; 2]) {
        for session in self.bench.sessions.keys().copied().collect::<Vec<_>>() {
            if self.bench.sessions.get(&session) == Some(&Session::Up) {
                self.bench.peer_ends(session, 200);
            }
        }
        self.bench.close_all();
        self.bench.release_all();
        self.bench.assert_at_rest();
        let record = self.bench.records.iter().find(|record| record.id == self.call).expect("a record");
        let outcomes = record.timeline.iter().filter_map(|entry| match &entry.fact {
            CallFact::Referred { leg, outcome } if *leg == self.caller.1 => Some(outcome.clone()),
            _ => None,
        });
        let cause = |id| record.legs.iter().find(|leg| leg.id == id).expect("its leg").end.cause.clone();
        (outcomes.collect(), [cause(self.caller.1), cause(self.party.1)])
    }
}

fn words(outcomes: &[&str], causes: [&str; 2]) -> (Vec<String>, [String; 2]) {
    (outcomes.iter().map(|it| (*it).to_owned()).collect(), causes.map(str::to_owned))
}

/// RFC 5589 §7.3: the transferor hangs up when it hears of success.
#[test]
fn the_carrier_joins_them() {
    let mut scene = together(&["carrier-a"]);
    let party = scene.party.0.index;
    let asked = scene.asked();
    let referred = asked.iter().position(|it| *it == format!("refer to the party of {party}"));
    let bridged = asked.iter().position(|it| it == "bridge");
    assert!(bridged.is_some() && bridged < referred, "they talk before anybody is asked: {asked:?}");
    scene.carrier_says(202);
    scene.carrier_says(180);
    assert_eq!(scene.asked(), Vec::<String>::new());
    scene.carrier_says(200);
    assert_eq!(scene.asked()[..3], ["unbridge", "hang up: transferred", "hang up: transferred"]);
    assert_eq!(scene.wind_up(), words(&["taken"], ["transferred"; 2]));
}

/// RFC 3891 §3: the call that was replaced gets BYE, before or after the word on the other one.
#[test]
fn the_replaced_call_ends_first() {
    let mut scene = together(&["carrier-a"]);
    scene.carrier_says(202);
    scene.bench.peer_ends(scene.party.0, 200);
    scene.carrier_says(200);
    assert_eq!(scene.wind_up(), words(&["taken"], ["transferred"; 2]));
}

/// Refused, failed, no word, 491 while an offer of theirs is open: they talk on.
#[test]
fn the_carrier_does_not() {
    let cases = [
        (&[405][..], "refused 405"),
        (&[491], "refused 491"),
        (&[202, 503], "refused 503"),
        (&[202, 408], "no word"),
        (&[408], "no word"),
    ];
    for (says, word) in cases {
        let mut scene = together(&["carrier-a"]);
        scene.asked();
        for status in says {
            scene.carrier_says(*status);
        }
        scene.assert_talking();
        assert_eq!(scene.wind_up(), words(&[word], ["normal"; 2]), "{says:?}");
    }
}

/// Somebody hangs up in the middle: before the carrier has agreed that is an end like any other; after that it is the
/// carrier who joins them, and says no more.
#[test]
fn somebody_leaves_in_the_middle() {
    let mut scene = together(&["carrier-a"]);
    scene.bench.peer_ends(scene.caller.0, 200);
    assert_eq!(scene.wind_up(), words(&["no word"], ["normal"; 2]));
    let mut scene = together(&["carrier-a"]);
    scene.carrier_says(202);
    scene.bench.peer_ends(scene.caller.0, 200);
    assert_eq!(scene.wind_up().0, ["accepted"]);
    // The other one had hung up itself, so that there was nobody to join: the caller is still ours.
    let mut scene = together(&["carrier-a"]);
    scene.carrier_says(202);
    scene.bench.peer_ends(scene.party.0, 200);
    scene.asked();
    scene.carrier_says(481);
    let command = scene.bench.command(super::bench::play(scene.caller.1));
    assert_eq!((scene.bench.ending(command).as_str(), scene.asked()), ("none", vec!["play".to_owned()]));
    assert_eq!(scene.wind_up().0, ["refused 481"]);
}

/// The carrier wants to transfer one of them itself meanwhile (RFC 3261 §21.4.27).
#[test]
fn two_transfers_at_a_time() {
    let mut scene = together(&["carrier-a"]);
    scene.asked();
    scene.bench.session_event(super::bench::transfer_asked(scene.party.0, None));
    assert_eq!(scene.asked(), ["refuse transfer 491"]);
    scene.wind_up();
}

/// Only a carrier that takes it, and only when both are its.
#[test]
fn others_are_not_asked() {
    let mut scene = together(&["carrier-b"]);
    assert!(!scene.asked().iter().any(|it| it.starts_with("refer")));
    scene.assert_talking();
    assert_eq!(scene.wind_up(), words(&[], ["normal"; 2]));
}
