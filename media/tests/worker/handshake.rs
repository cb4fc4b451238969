//! Keys by a handshake (RFC 5764), whose outcomes come from another thread and may cross what is agreed meanwhile.

use tandem_media::srtp::{MasterKey, SrtpKeys, Suite};
use tandem_media::*;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

use crate::support::*;

const SUITE: Suite = Suite::AesCm128HmacSha1_80;

fn asks_for(fingerprint: u8) -> StreamParameters {
    let parameters =
        DtlsParameters { role: DtlsRole::Server, fingerprints: vec![Fingerprint([fingerprint; 32])] };
    StreamParameters { security: Security::Dtls(Box::new(parameters)), ..stream(0) }
}

fn octets(fill: u8) -> Vec<u8> {
    vec![fill; SUITE.key_len() + SUITE.salt_len()]
}

fn keys(fill: u8) -> Box<SrtpKeys> {
    let key = MasterKey::new(SUITE, &octets(fill)).expect("the suite's length");
    Box::new(SrtpKeys { send: key.clone(), receive: key })
}

/// A packet of a party that has those keys.
fn says(source: &mut Source, fill: u8) -> Vec<u8> {
    let octets = octets(fill);
    let (key, salt) = octets.split_at(SUITE.key_len());
    let mut context = Context::new(key, salt, ProtectionProfile::Aes128CmHmacSha1_80, None, None);
    let context = context.as_mut().expect("a context");
    context.encrypt_rtp(&source.audio(&[1; 160])).expect("a packet").to_vec()
}

/// RFC 5763 §6.6: another certificate is another association, and keys agreed on with the one before are nothing to it,
/// also when they arrive afterwards.
#[test]
fn keys_of_a_handshake_that_was_begun_anew_are_not_taken() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, asks_for(1));
    bench.command(Command::Bridge { a: endpoint, b: endpoint });
    let (first, _) = bench.worker.handshake(endpoint).expect("a handshake");
    bench.command(Command::Configure { endpoint, stream: asks_for(2) });
    let (second, parameters) = bench.worker.handshake(endpoint).expect("a handshake");
    assert_ne!(first, second);
    assert_eq!(parameters.fingerprints, [Fingerprint([2; 32])]);
    assert_eq!(bench.requests, [IoRequest::Handshake { endpoint }, IoRequest::Handshake { endpoint }]);
    bench.worker.handle_handshake(bench.now, endpoint, first, Ok(keys(1)));
    let mut source = Source::new(7, 0);
    assert!(bench.packet(endpoint, party(0), &says(&mut source, 1)).is_none(), "the older keys");
    bench.worker.handle_handshake(bench.now, endpoint, second, Ok(keys(2)));
    assert!(bench.packet(endpoint, party(0), &says(&mut source, 1)).is_none(), "the older keys");
    assert!(bench.packet(endpoint, party(0), &says(&mut source, 2)).is_some(), "the keys of this one");
    bench.worker.handle_handshake(bench.now, endpoint, first, Err(HandshakeFailed));
    bench.drain();
    assert_eq!(bench.events.iter().filter(|it| matches!(it, Event::HandshakeFailed { .. })).count(), 0);
    assert!(bench.packet(endpoint, party(0), &says(&mut source, 2)).is_some(), "it goes on");
}
