//! Calls under SRTP; the parties protect and read through `webrtc-srtp`, an implementation that is not ours.

use tandem_media::srtp::{MasterKey, SrtpKeys, Suite};
use tandem_media::*;
use webrtc_srtp::context::Context;
use webrtc_srtp::option::srtp_replay_protection;
use webrtc_srtp::protection_profile::ProtectionProfile;

use crate::support::*;

/// One party's two directions.
struct SecureParty {
    /// What it sends.
    out: Context,
    /// What it hears.
    heard: Context,
}

fn octets(suite: Suite, fill: u8) -> Vec<u8> {
    (0..suite.key_len() + suite.salt_len()).map(|n| n as u8 ^ fill).collect()
}

fn context(suite: Suite, fill: u8) -> Context {
    let profile = match suite {
        Suite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    let octets = octets(suite, fill);
    let (key, salt) = octets.split_at(suite.key_len());
    Context::new(key, salt, profile, Some(srtp_replay_protection(64)), None).expect("a context")
}

/// Keys by their fill: the party's and ours.
fn keys(suite: Suite, party: u8, ours: u8) -> Security {
    let key = |fill| MasterKey::new(suite, &octets(suite, fill)).expect("the suite's length");
    Security::Keys(Box::new(SrtpKeys { send: key(ours), receive: key(party) }))
}

impl SecureParty {
    fn new(suite: Suite, party: u8, ours: u8) -> Self {
        Self { out: context(suite, party), heard: context(suite, ours) }
    }

    fn says(&mut self, packet: &[u8]) -> Vec<u8> {
        self.out.encrypt_rtp(packet).expect("a packet").to_vec()
    }

    /// What it makes of a packet of ours.
    fn hears(&mut self, sent: &Sent) -> Sent {
        let bytes = match sent.channel {
            Channel::Rtp => self.heard.decrypt_rtp(&sent.bytes),
            Channel::Rtcp => self.heard.decrypt_rtcp(&sent.bytes),
        };
        Sent { bytes: bytes.expect("an authentic packet").to_vec(), ..sent.clone() }
    }
}

fn secure(index: u32, suite: Suite) -> StreamParameters {
    StreamParameters { security: keys(suite, 1 + index as u8, 101 + index as u8), ..stream(index) }
}

fn secure_party(index: u32, suite: Suite) -> SecureParty {
    SecureParty::new(suite, 1 + index as u8, 101 + index as u8)
}

/// Both bridged ways; digits too.
#[test]
fn a_call_is_relayed_between_srtp_and_rtp() {
    for suite in Suite::ALL {
        let mut bench = Bench::new(2);
        let (a, b) = (bench.open(0, secure(0, suite)), bench.open(1, alaw_stream(1)));
        bench.command(Command::Bridge { a, b });
        let mut phone = secure_party(0, suite);
        let (mut inside, mut outside) = (Source::new(7, 0), Source::new(9, 8));
        for n in 0..60u8 {
            let packet = phone.says(&inside.audio(&[n; 160]));
            let relayed = bench.packet(a, party(0), &packet).expect("relayed in clear");
            assert_eq!(relayed.rtp().payload.len(), 160);
            assert_eq!(relayed.rtp().header.payload_type, 8, "and transcoded");
            let relayed = bench.packet(b, party(1), &outside.audio(&[n; 160])).expect("relayed protected");
            assert!(relayed.bytes.len() > 172 && !relayed.bytes.windows(20).any(|it| it == [n; 20]));
            let expected = Law::Pcmu.encode(Law::Pcma.decode(n));
            assert_eq!(phone.hears(&relayed).rtp().payload[..], [expected; 160], "{suite:?}");
            bench.run(PTIME);
        }
        bench.take_events();
        for packet in inside.press('5', 4) {
            let relayed = bench.packet(a, party(0), &phone.says(&packet)).expect("a key is relayed");
            assert_eq!(relayed.rtp().payload[0], 5);
        }
        let digit = Digit::from_char('5').expect("a digit");
        assert_eq!(bench.take_events(), [Event::Digit { endpoint: a, digit }]);
    }
}

#[test]
fn a_call_is_relayed_between_two_suites() {
    let (one, other) = (Suite::AesCm128HmacSha1_32, Suite::AeadAes256Gcm);
    let mut bench = Bench::new(2);
    let (a, b) = (bench.open(0, secure(0, one)), bench.open(1, secure(1, other)));
    bench.command(Command::Bridge { a, b });
    let (mut left, mut right) = (secure_party(0, one), secure_party(1, other));
    let (mut from_left, mut from_right) = (Source::new(7, 0), Source::new(9, 0));
    for n in 0..60u8 {
        let relayed = bench.packet(a, party(0), &left.says(&from_left.audio(&[n; 160]))).expect("relayed");
        assert_eq!(right.hears(&relayed).rtp().payload[..], [n; 160]);
        let relayed = bench.packet(b, party(1), &right.says(&from_right.audio(&[n; 160]))).expect("relayed");
        assert_eq!(left.hears(&relayed).rtp().payload[..], [n; 160]);
        bench.run(PTIME);
    }
}

/// Prompts and reports are protected, the party's reports are read, and the goodbye is protected too.
#[test]
fn plays_and_reports_are_protected() {
    for suite in Suite::ALL {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, secure(0, suite));
        let mut phone = secure_party(0, suite);
        bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(10_000))]));
        bench.run(MS * 10_100);
        let report = phone.out.encrypt_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 9]).expect("a report");
        bench.packet_on(Channel::Rtcp, endpoint, rtcp_of(party(0)), &report);
        bench.packet_on(Channel::Rtcp, endpoint, rtcp_of(party(0)), &[0x80, 201, 0, 1, 0, 0, 0, 9]);
        assert_eq!(bench.worker.counters().rtcp_received, 1, "and one in clear is refused");
        bench.command(Command::Close { endpoint });
        bench.run(MS);
        let (mut audio, mut reports) = (0, vec![]);
        for sent in &bench.sent {
            let heard = phone.hears(sent);
            match sent.channel {
                Channel::Rtp => audio += heard.rtp().payload.len(),
                Channel::Rtcp => reports.push(heard.bytes),
            }
        }
        assert_eq!(audio, 80_000, "ten seconds of G.711 under {suite:?}");
        assert!(reports.len() >= 2, "{reports:?}");
        assert!(reports.iter().all(|report| rtcp::parse(report).is_some()), "{reports:?}");
        assert!(matches!(
            rtcp::parse(reports.last().unwrap()).unwrap().last(),
            Some(rtcp::Packet::Goodbye { .. })
        ));
    }
}

#[test]
fn what_is_not_authentic_is_refused_and_counted() {
    let mut bench = Bench::new(2);
    let suite = Suite::AesCm128HmacSha1_80;
    let (a, b) = (bench.open(0, secure(0, suite)), bench.open(1, stream(1)));
    bench.command(Command::Bridge { a, b });
    let (mut phone, mut source) = (secure_party(0, suite), Source::new(7, 0));
    assert_eq!(bench.packet(a, party(0), &source.audio(&[1; 160])).map(|it| it.bytes), None, "in clear");
    let packet = phone.says(&source.audio(&[1; 160]));
    assert!(bench.packet(a, party(0), &packet).is_some());
    assert!(bench.packet(a, party(0), &packet).is_none(), "replayed");
    let mut forged = phone.says(&source.audio(&[1; 160]));
    forged[20] ^= 1;
    assert!(bench.packet(a, party(0), &forged).is_none());
    assert_eq!((bench.refused(Refusal::Forged), bench.refused(Refusal::Replayed)), (2, 1));
    assert_eq!(bench.worker.counters().rtp_received, 1);
}

/// A new key of ours has a new SSRC; a key that stays goes on, and so do the totals.
#[test]
fn keys_change_in_a_call() {
    let suite = Suite::AesCm128HmacSha1_80;
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, secure(0, suite));
    bench.command(Command::Bridge { a: endpoint, b: endpoint });
    let (mut phone, mut source) = (secure_party(0, suite), Source::new(7, 0));
    let mut ssrcs = vec![];
    let mut echo = |bench: &mut Bench, phone: &mut SecureParty, n: u8| {
        let heard = bench.packet(endpoint, party(0), &phone.says(&source.audio(&[n; 160]))).expect("an echo");
        let heard = phone.hears(&heard).rtp();
        assert_eq!(heard.payload[..], [n; 160]);
        assert!(heard.header.sequence_number < 0x8000, "the first number of a key is below 2^15");
        ssrcs.push(heard.header.ssrc);
    };
    echo(&mut bench, &mut phone, 1);
    bench.command(Command::Configure { endpoint, stream: secure(0, suite) });
    echo(&mut bench, &mut phone, 2);
    let stream = StreamParameters { security: keys(suite, 51, 151), ..stream(0) };
    bench.command(Command::Configure { endpoint, stream: stream.clone() });
    let mut rekeyed = SecureParty::new(suite, 51, 151);
    // Still under the old key: it was under way.
    let late = bench.packet(endpoint, party(0), &phone.says(&Source::new(7, 0).audio(&[3; 160])));
    assert!(late.is_none(), "a number that was used");
    echo(&mut bench, &mut rekeyed, 4);
    // Only the party's key changes, or ours alone.
    bench.command(Command::Configure {
        endpoint,
        stream: StreamParameters { security: keys(suite, 61, 151), ..stream },
    });
    rekeyed.out = context(suite, 61);
    echo(&mut bench, &mut rekeyed, 5);
    assert_eq!(ssrcs[0], ssrcs[1]);
    assert_ne!(ssrcs[1], ssrcs[2]);
    assert_eq!(ssrcs[2], ssrcs[3]);
    bench.command(Command::Close { endpoint });
    bench.run(MS);
    let statistics = bench.take_events().into_iter().find_map(|event| match event {
        Event::Closed { statistics, .. } => Some(statistics),
        _ => None,
    });
    assert_eq!(statistics.map(|it| (it.packets_sent, it.packets_received)), Some((4, 4)));
}

/// A packet whose protection would not fit in the buffer is not sent.
#[test]
fn a_packet_without_room_for_its_tag_is_not_relayed() {
    let mut bench = Bench::new(2);
    let (a, b) = (bench.open(0, stream(0)), bench.open(1, secure(1, Suite::AeadAes128Gcm)));
    bench.command(Command::Bridge { a, b });
    let mut source = Source::new(7, 0);
    let mut tight = source.audio(&[1; 160]);
    let now = bench.now;
    let len = tight.len();
    let disposition = bench.worker.handle_packet(now, a, Channel::Rtp, party(0), &mut tight, len);
    assert_eq!((disposition, bench.worker.counters().not_relayed), (Disposition::Done, 1));
}
