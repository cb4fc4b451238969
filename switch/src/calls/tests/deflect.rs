//! A caller who is transferred by its own carrier (RFC 3515), or by us when that comes to nothing.

use std::time::Duration;

use tandem_control_api::{CallFact, CallId, Command, CommandId, DialTarget, LegId, Prompt, Tone, TransferTo};
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::SessionId;

use super::bench::{Bench, Session, audio, config, transfer_asked};
use crate::SwitchConfig;

struct Scene {
    bench: Bench,
    call: CallId,
    caller: (SessionId, LegId),
    agent: (SessionId, LegId),
    command: CommandId,
}

/// An agent has transferred a caller of carrier-a to a number over `trunk`.
fn transferred_over(trunk: &str) -> Scene {
    let refer_out = ["carrier-a".to_owned()].into();
    let mut bench = Bench::with(SwitchConfig { refer_out, ..config() });
    let (session, call, leg) = bench.answered();
    let agent = bench.dialled(call);
    bench.command(Command::Bridge { a: leg, b: agent.1 });
    bench.session_event(transfer_asked(agent.0, None));
    bench.asked.clear();
    let target = DialTarget::Trunk { trunk: trunk.to_owned(), number: "+15550177".to_owned() };
    let prompts = vec![Prompt::Tone(Tone::Ringback)];
    let to = TransferTo::Dial { target, caller_id: None, ring_timeout: Duration::from_secs(20), prompts };
    let command = bench.command(Command::Transfer { leg: agent.1, transferee: leg, to });
    Scene { bench, call, caller: (session, leg), agent, command }
}

impl Scene {
    fn carrier_says(&mut self, status: u16) {
        self.bench.session_event(ua::Event::Referred { session: self.caller.0, status });
    }

    fn asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.bench.asked)
    }

    fn wind_up(mut self) {
        for session in self.bench.sessions.keys().copied().collect::<Vec<_>>() {
            if self.bench.sessions.get(&session) == Some(&Session::Up) {
                self.bench.peer_ends(session, 200);
            }
        }
        self.bench.open_all();
        self.bench.close_all();
        self.bench.release_all();
        self.bench.assert_at_rest();
    }
}

/// Both legs go: the call is the carrier's.
#[test]
fn the_carrier_transfers() {
    let mut scene = transferred_over("carrier-a");
    assert_eq!(scene.asked(), ["unbridge", "stop", "play", "accept transfer", "refer to +15550177"]);
    for (status, report) in [(202, None), (180, Some("report 180")), (200, Some("report 200"))] {
        scene.carrier_says(status);
        assert_eq!(scene.asked().first().map(String::as_str), report);
    }
    assert_eq!(scene.bench.ending(scene.command), "transferred");
    let causes = scene.bench.told.iter().filter_map(|event| match event {
        tandem_control_api::Event::LegEnded { end, .. } => Some(end.cause.clone()),
        _ => None,
    });
    assert_eq!(causes.collect::<Vec<_>>(), ["transferred", "transferred"]);
    scene.wind_up();
}

/// Refused, busy, silent: the target is dialled, and all goes on as if nobody had been asked.
#[test]
fn the_carrier_does_not_and_we_do() {
    for says in [&[403][..], &[202, 486], &[202, 480], &[408]] {
        let mut scene = transferred_over("carrier-a");
        scene.asked();
        for status in says {
            scene.carrier_says(*status);
        }
        let target = scene.bench.created();
        scene.bench.open_all();
        assert_eq!(scene.asked(), ["open", "invite"], "{says:?}");
        let session = scene.bench.last_session();
        scene.bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
        scene.bench.session_event(ua::Event::Answered { session });
        assert_eq!(scene.bench.ending(scene.command), "transferred");
        let asked = scene.asked();
        assert!(
            asked.contains(&"bridge".to_owned()) && asked.contains(&"report 200".to_owned()),
            "{asked:?}"
        );
        scene.bench.peer_ends(scene.caller.0, 200);
        let unbridged = scene.bench.command(Command::Unbridge { leg: target });
        assert_eq!(scene.bench.ending(unbridged), "wrong-state", "parted by the caller's end");
        scene.wind_up();
    }
}

/// And when our own call is not answered either, the caller is the agent's again.
#[test]
fn nobody_transfers() {
    let mut scene = transferred_over("carrier-a");
    scene.carrier_says(403);
    scene.bench.open_all();
    scene.asked();
    let session = scene.bench.last_session();
    scene.bench.peer_ends(session, 486);
    assert_eq!(scene.asked(), ["report 486", "stop", "bridge", "close"]);
    assert_eq!(scene.bench.ending(scene.command), "not answered: busy");
    scene.wind_up();
}

/// A carrier hangs up its own call: transferred, if it had said that it would try; else the caller has gone.
#[test]
fn the_caller_s_leg_ends_first() {
    for (is_accepted, ending, report) in
        [(true, "transferred", "report 200"), (false, "leg-ended", "report 487")]
    {
        let mut scene = transferred_over("carrier-a");
        if is_accepted {
            scene.carrier_says(202);
        }
        scene.asked();
        scene.bench.peer_ends(scene.caller.0, 200);
        assert_eq!(scene.bench.ending(scene.command), ending);
        let asked = scene.asked();
        assert!(asked.contains(&report.to_owned()), "{asked:?}");
        assert_eq!(asked.contains(&"hang up: transferred".to_owned()), is_accepted, "the agent's leg");
        scene.wind_up();
    }
}

/// The agent hangs up as soon as its REFER is accepted; the transfer goes on, and another one meanwhile is refused.
#[test]
fn the_transferor_leaves_and_comes_too_late() {
    let mut scene = transferred_over("carrier-a");
    scene.asked();
    scene.bench.session_event(transfer_asked(scene.caller.0, None));
    assert_eq!(scene.asked(), ["refuse transfer 491"]);
    scene.bench.peer_ends(scene.agent.0, 200);
    scene.asked();
    scene.carrier_says(200);
    assert_eq!(scene.asked(), ["report 200", "hang up: transferred", "close"]);
    assert_eq!(scene.bench.ending(scene.command), "transferred");
    scene.bench.close_all();
    assert_eq!(scene.bench.records.len(), 1);
    let record = &scene.bench.records[0];
    assert_eq!(record.id, scene.call);
    let taken = CallFact::Referred { leg: scene.caller.1, outcome: "taken".to_owned() };
    assert_eq!(record.timeline.iter().map(|entry| &entry.fact).collect::<Vec<_>>(), [&taken]);
    scene.wind_up();
}

/// Only a number over the caller's own trunk is its carrier's business, and only where the operator says so.
#[test]
fn others_are_not_asked() {
    let mut scene = transferred_over("carrier-b");
    let asked = scene.asked();
    assert!(
        asked.contains(&"open".to_owned()) && !asked.iter().any(|it| it.starts_with("refer")),
        "{asked:?}"
    );
    scene.wind_up();
}
