//! Parties of different codecs who have one in common: one of the two is asked for it.

use tandem_control_api::{Command, LegId};
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::{AudioCodec, MediaDirection, NegotiatedAudio, SessionId};

use super::bench::{Bench, audio};

/// What is agreed of a party that speaks other codecs, too.
fn also(codec: AudioCodec, others: &[AudioCodec]) -> NegotiatedAudio {
    NegotiatedAudio { others: others.to_vec(), ..audio(codec) }
}

struct Scene {
    bench: Bench,
    caller: (SessionId, LegId),
    agent: (SessionId, LegId),
}

/// A carrier's caller and a phone, each of which speaks something; they do not talk yet.
fn apart(caller: &NegotiatedAudio, agent: &NegotiatedAudio) -> Scene {
    let mut bench = Bench::new();
    let (session, call, leg) = bench.answered();
    let other = bench.dialled(call);
    bench.session_event(ua::Event::Media { session, audio: caller.clone().into() });
    bench.session_event(ua::Event::Media { session: other.0, audio: agent.clone().into() });
    bench.asked.clear();
    Scene { bench, caller: (session, leg), agent: other }
}

fn bridged(caller: &NegotiatedAudio, agent: &NegotiatedAudio) -> Scene {
    let mut scene = apart(caller, agent);
    scene.bridge();
    scene
}

impl Scene {
    fn bridge(&mut self) {
        self.bench.command(Command::Bridge { a: self.caller.1, b: self.agent.1 });
    }

    /// Who is asked for what.
    fn asks(&mut self) -> Vec<String> {
        let asked = std::mem::take(&mut self.bench.asked);
        asked.into_iter().filter(|it| it.starts_with("ask ")).collect()
    }

    fn says(&mut self, session: SessionId, status: u16, audio: Option<NegotiatedAudio>) {
        if let Some(audio) = audio {
            self.bench.session_event(ua::Event::Media { session, audio: audio.into() });
        }
        self.bench.session_event(ua::Event::Reoffered { session, status });
    }
}

#[test]
fn a_caller_who_has_named_the_agent_s_codec_is_asked_for_it() {
    let caller = also(AudioCodec::Pcmu, &[AudioCodec::Pcma, AudioCodec::G722]);
    let mut scene = bridged(&caller, &audio(AudioCodec::G722));
    let session = scene.caller.0;
    assert_eq!(scene.asks(), [format!("ask {} for Some(G722)", session.index)]);
    let changed = also(AudioCodec::G722, &[AudioCodec::Pcmu, AudioCodec::Pcma]);
    scene.says(session, 200, Some(changed));
    assert_eq!(scene.asks(), [""; 0], "nothing is transcoded any more");
    assert_eq!(scene.bench.calls.counters().codecs_asked, 1);
}

#[test]
fn of_two_who_could_change_the_phone_is_asked_first_and_the_carrier_when_it_declines() {
    let caller = also(AudioCodec::Pcmu, &[AudioCodec::G722]);
    let agent = also(AudioCodec::G722, &[AudioCodec::Pcmu]);
    let mut scene = bridged(&caller, &agent);
    let (of_caller, of_agent) = (scene.caller.0, scene.agent.0);
    assert_eq!(scene.asks(), [format!("ask {} for Some(Pcmu)", of_agent.index)]);
    scene.says(of_agent, 488, None);
    assert_eq!(scene.asks(), [format!("ask {} for Some(G722)", of_caller.index)]);
    // It agrees, and speaks on as it did.
    scene.says(of_caller, 200, None);
    assert_eq!(scene.asks(), [""; 0], "both have declined");
    scene.bench.command(Command::Unbridge { leg: scene.caller.1 });
    scene.bridge();
    assert_eq!(scene.asks(), [""; 0], "nobody is asked twice");
}

#[test]
fn nobody_is_asked_without_need() {
    use AudioCodec::{G722, Pcma, Pcmu};
    let held = NegotiatedAudio { direction: MediaDirection::ReceiveOnly, ..also(Pcmu, &[G722]) };
    for (caller, agent) in [
        (also(Pcmu, &[G722]), also(Pcmu, &[G722])),
        (also(Pcmu, &[]), also(G722, &[])),
        (also(Pcmu, &[Pcma]), also(G722, &[Pcma])),
        (held, also(G722, &[])),
    ] {
        let mut scene = bridged(&caller, &agent);
        assert_eq!(scene.asks(), [""; 0], "{caller:?} {agent:?}");
    }
    let mut scene = apart(&also(Pcmu, &[G722]), &also(G722, &[Pcmu]));
    assert_eq!(scene.asks(), [""; 0], "they do not talk to each other");
}

/// A party that cannot be asked now, since something else is being changed, may be when it next begins to talk.
#[test]
fn who_could_not_be_asked_may_be_asked_later() {
    let caller = also(AudioCodec::Pcmu, &[AudioCodec::G722]);
    let mut scene = bridged(&caller, &audio(AudioCodec::G722));
    assert_eq!(scene.asks().len(), 1);
    scene.bench.calls.codec_not_asked(scene.caller.0);
    scene.bench.command(Command::Unbridge { leg: scene.caller.1 });
    scene.bridge();
    assert_eq!(scene.asks().len(), 1);
}
