//! Parties of different codecs: a carrier's caller in G.711, and agents who speak none of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tandem_peers::{
    Baresip, Engine, Node, Scenario, Sipp, Softphone, WebSocketAccount, WebSocketPhone, Wideband,
    share_of_tone,
};
use tandem_phone::{Codec, Manner, Phone};
use tandem_phone_net::LiveLine;

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier, free_tcp, node_with, only_record, runtime, secured, softphone,
};

const AGENT_HZ: u16 = 700;

/// Which codecs each leg of the only record has: the caller's, then the agent's.
fn codecs(node: &mut Node) -> Vec<String> {
    let record = only_record(node);
    for leg in &record.legs {
        assert!(leg.packets_received > 40 && leg.packets_sent > 40, "{leg:#?}");
    }
    record.legs.into_iter().filter_map(|leg| leg.codec).collect()
}

/// What baresip speaks other than G.711, and as records name it.
const WIDEBAND: [(Wideband, &str); 2] = [(Wideband::G722, "G722"), (Wideband::Opus, "opus")];

fn node_of_all_codecs() -> Node {
    let spoken = "codecs = [\"PCMU\", \"G722\", \"opus\"] #";
    node_with(|_, config| config.replace("# codecs = [\"PCMU\"]         #", spoken))
}

fn alice() -> Softphone {
    Softphone {
        user: "1001",
        password: "alice-1001",
        address: Ipv4Addr::new(127, 0, 0, 28),
        tone_hz: AGENT_HZ.into(),
        transport: "udp",
        media_encryption: None,
    }
}

/// RFC 3551 §4.5.2 and RFC 7587, against baresip's own G.722 and Opus.
#[test]
fn a_carriers_caller_and_a_softphone_without_g711_hear_each_other() {
    for (codec, name) in WIDEBAND {
        let mut node = node_of_all_codecs();
        let mut alice =
            Baresip::start_speaking(&alice(), codec, node.ports().sip).expect("baresip registers");
        let runtime = runtime();
        let carrier = carrier(&runtime, &node);
        let call = carrier.call("+15551234", "+15550101", caller()).expect("a call");
        alice.wait_for("Call established").expect("alice is called and answers");
        let talk = Duration::from_secs(2);
        carrier.hears(call, AGENT_HZ, talk, PATIENCE).unwrap_or_else(|error| panic!("{name}: {error}"));
        carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
        carrier.ended(call, PATIENCE).expect("the call ends");
        alice.wait_for("terminated").expect("alice is hung up");
        let heard = alice.heard().expect("alice wrote down what she heard");
        let share = share_of_tone(&heard, f64::from(CALLER_HZ));
        assert!(share > 0.8, "{name}: alice hears the caller's tone in {share} of the time");
        assert_eq!(codecs(&mut node), ["PCMU", name]);
    }
}

/// The same with SIPp as the carrier, whose caller's audio is at the address that it names.
#[test]
fn sipp_with_g711_and_baresip_with_opus_or_g722_hear_each_other() {
    for (codec, name) in WIDEBAND {
        let mut node = node_of_all_codecs();
        let ports = node.ports();
        let mut alice = Baresip::start_speaking(&alice(), codec, ports.sip).expect("baresip registers");
        let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0);
        let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
        let scenario = Scenario {
            pause: Duration::from_secs(5),
            media_ports: vec![audio.port()],
            ..Scenario::once("call", "+15550101")
        };
        let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
        alice.wait_for("Call established").expect("alice is called and answers");
        alice.wait_for("terminated").expect("alice is hung up");
        sipp.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (received, heard) = line.heard();
        let time = heard.time_of_tone(AGENT_HZ);
        assert!(time > Duration::from_secs(2), "{name}: the caller hears alice for {time:?}: {received:?}");
        let heard = alice.heard().expect("alice wrote down what she heard");
        let share = share_of_tone(&heard, f64::from(CALLER_HZ));
        assert!(share > 0.8, "{name}: alice hears the caller's tone in {share} of the time");
        assert_eq!(codecs(&mut node), ["PCMU", name]);
    }
}

/// A caller who is answered with one codec, and then talks to an agent who speaks another one that the caller has named,
/// is asked for that one (RFC 3261 §14.1), and both are relayed.
#[test]
fn a_caller_is_asked_for_the_agents_codec() {
    let mut node = node_with(|_, config| config.replacen("codec_change = false", "codec_change = true", 1));
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let manner = Manner { codecs: vec![Codec::Pcma], ..Manner::polite(AGENT_HZ, Duration::from_millis(200)) };
    let alice = softphone(&runtime, &node, ("1001", "alice"), [127, 0, 0, 24], manner);
    let call = carrier.call("+15551234", "+15550101", caller()).expect("a call");
    let rung = alice.incoming(PATIENCE).expect("alice is rung");
    let talk = Duration::from_secs(2);
    carrier.hears(call, AGENT_HZ, talk, PATIENCE).expect("the caller hears alice");
    alice.hears(rung, CALLER_HZ, talk, PATIENCE).expect("alice hears the caller");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    alice.ended(rung, PATIENCE).expect("alice is hung up");
    assert_eq!(codecs(&mut node), ["PCMA", "PCMA"]);
}

/// RFC 7874 §3: Opus and G.711 are what browsers must have; this one is asked for Opus, under DTLS-SRTP.
#[test]
fn a_carriers_caller_and_an_agent_in_a_browser_who_speaks_opus_hear_each_other() {
    let at = free_tcp([127, 0, 0, 1]);
    let mut node = node_with(|folder, config| {
        let config = config.replace("[browsers]\n", "[browsers]\ncodecs = [\"opus\"]\n");
        secured(folder, &config, at).replace("tls:", "wss:")
    });
    let account = WebSocketAccount {
        engine: Engine::Chromium,
        url: &format!("wss://127.0.0.1:{}", at.port()),
        user: "1001",
        password: "alice-1001",
        realm: "tandem.demo",
        authority: None,
        tone_hz: AGENT_HZ,
        listen_hz: CALLER_HZ,
    };
    let mut alice = WebSocketPhone::start(&account).expect("the page registers");
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551234", "+15550101", caller()).expect("a call");
    alice.wait_for("confirmed").expect("her answer is acknowledged");
    carrier.hears(call, AGENT_HZ, Duration::from_secs(1), PATIENCE).expect("the caller hears alice");
    alice.wait_for("hears the tone").expect("alice hears the caller");
    alice.hang_up().expect("alice hangs up");
    alice.wait_for("ended by local").expect("her BYE is answered");
    carrier.ended(call, PATIENCE).expect("the caller is hung up");
    assert_eq!(codecs(&mut node), ["PCMU", "opus"]);
}
