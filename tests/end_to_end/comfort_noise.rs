//! Who describes its pauses, and who hears what of them (RFC 3389).

use std::time::Duration;

use tandem_phone::{Manner, Phone, Window};

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier_whose, node_with, only_record, runtime};

/// The demo's number that goes straight through, and where it leads.
const NUMBER: &str = "+15550111";
const PARTY: &str = "+15550199";
const PARTY_HZ: u16 = 900;
const TALK: Duration = Duration::from_secs(2);

/// Between two who both take descriptions they pass; who takes none hears the noise that was described, and of who describes
/// nothing the node does it.
#[test]
fn pauses_are_described_to_who_takes_that_and_heard_by_who_does_not() {
    for (caller_describes, party_takes) in [(true, true), (true, false), (false, true), (false, false)] {
        let what = format!("{caller_describes} to {party_takes}");
        let mut node = node_with(|_, config| {
            config.replacen("comfort_noise = false       # comfort", "comfort_noise = true # comfort", 1)
        });
        let runtime = runtime();
        let party =
            Manner { comfort_noise: party_takes, ..Manner::polite(PARTY_HZ, Duration::from_millis(200)) };
        let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), party)]);
        let pauses = Some((Duration::from_millis(600), Duration::from_millis(600)));
        let manner = Manner { comfort_noise: caller_describes, pauses, ..caller() };
        let call = carrier.call("+15551111", NUMBER, manner).expect("a call");
        let called = carrier.incoming(PATIENCE).expect("the party is rung");
        carrier.hears(call, PARTY_HZ, TALK * 2, PATIENCE).expect("the caller hears the party");
        carrier.hears(called, CALLER_HZ, TALK, PATIENCE).expect("the party hears the caller");
        carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
        let [caller, party] = [call, called].map(|leg| carrier.ended(leg, PATIENCE).expect("the call ends"));
        assert_eq!([caller.status, party.status], [200; 2], "{what}");

        assert_eq!((party.received.comfort_noise > 0, party.received.unusable), (party_takes, 0), "{what}");
        assert_eq!(
            (caller.received.comfort_noise, caller.received.unusable),
            (0, 0),
            "{what}: it never pauses"
        );
        // A pause has windows between those of speech; the noise is at -60.
        let pause = |window: &&Window| window.samples == 800 && window.tones.is_empty();
        let noisy = |window: &Window| (-66..=-54).contains(&window.level_dbov);
        let pauses: Vec<&Window> = party.heard.windows.iter().filter(pause).collect();
        let noisy = pauses.iter().filter(|window| noisy(window)).count();
        let makes_noise = caller_describes && !party_takes;
        assert_eq!(noisy >= 5, makes_noise, "{what}: {noisy} of {} windows", pauses.len());
        let record = only_record(&mut node);
        assert!(record.legs.iter().all(|leg| leg.codec.as_deref() == Some("PCMU")), "{record:#?}");
        assert!(!record.timeline.iter().any(|fact| fact.kind == "leg-unheard"), "{:?}", record.timeline);
    }
}
