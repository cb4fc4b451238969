use std::time::Duration;

use super::*;

mod codecs;

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 10));

fn local(codecs: &[AudioCodec]) -> LocalMedia {
    LocalMedia {
        rtp: "127.0.0.1:20000".parse().expect("an address"),
        codecs: codecs.to_vec(),
        preferred: None,
        ptime: Duration::from_millis(20),
    }
}

fn rng() -> ChaCha8Rng {
    rand::SeedableRng::seed_from_u64(7)
}

fn negotiation() -> Negotiation {
    negotiation_under(SrtpPolicy::Off)
}

fn negotiation_under(srtp: SrtpPolicy) -> Negotiation {
    Negotiation::new(84, local(&[AudioCodec::Pcmu, AudioCodec::Pcma]), &profile(srtp), None)
}

fn profile(srtp: SrtpPolicy) -> Profile {
    Profile { srtp, ..Profile::default() }
}

fn description(lines: &[&str]) -> Vec<u8> {
    let head = ["v=0", "o=peer 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"];
    let mut text = String::new();
    for line in head.iter().chain(lines) {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.into_bytes()
}

fn answer_to(lines: &[&str]) -> (String, Arc<NegotiatedAudio>) {
    let (answer, audio) = negotiation().answer(&description(lines), SOURCE, &mut rng()).expect("an answer");
    (String::from_utf8(answer).expect("text"), audio)
}

/// §5: what we offer.
#[test]
fn our_offer() {
    let offer = negotiation().offer(&mut rng());
    assert_eq!(
        String::from_utf8(offer).expect("text"),
        "v=0\r\no=- 42 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

/// §6.1: the offerer's order decides, and its payload types are used both ways.
#[test]
fn the_offerers_first_codec_of_ours_wins_with_its_numbers() {
    let (answer, audio) = answer_to(&[
        "m=audio 4000 RTP/AVP 18 96 0 97",
        "a=rtpmap:96 pcma/8000",
        "a=rtpmap:97 telephone-event/8000",
        "a=ptime:30",
    ]);
    assert_eq!(audio.codec, AudioCodec::Pcma);
    assert_eq!((audio.send_payload_type, audio.receive_payload_type), (96, 96));
    assert_eq!((audio.send_event_payload_type, audio.receive_event_payload_type), (Some(97), Some(97)));
    assert_eq!(audio.remote_rtp, "192.0.2.1:4000".parse().expect("an address"));
    assert_eq!(audio.remote_rtcp, "192.0.2.1:4001".parse().expect("an address"));
    assert_eq!(audio.ptime, Duration::from_millis(30));
    assert_eq!(audio.signalling_source, SOURCE);
    assert!(answer.contains("m=audio 20000 RTP/AVP 96 97\r\na=rtpmap:96 PCMA/8000\r\n"), "{answer}");
}

/// §5.1: in an answer, the numbers are the answerer's for what we send and ours for what we receive.
#[test]
fn an_answer_may_use_other_numbers_than_our_offer() {
    let mut negotiation = negotiation();
    negotiation.offer(&mut rng());
    let answer = description(&[
        "m=audio 4000 RTP/AVP 98 99",
        "a=rtpmap:98 PCMA/8000",
        "a=rtpmap:99 telephone-event/8000",
    ]);
    let audio = negotiation.accept_answer(&answer, SOURCE).expect("agreed");
    assert_eq!((audio.send_payload_type, audio.receive_payload_type), (98, 8));
    assert_eq!((audio.send_event_payload_type, audio.receive_event_payload_type), (Some(99), Some(101)));
}

/// §6: refused streams keep their place and get port 0; a second audio stream is refused.
#[test]
fn other_streams_are_refused_in_their_place() {
    let (answer, audio) = answer_to(&[
        "m=video 5000 RTP/AVP 31",
        "m=audio 4000 RTP/AVP 0",
        "m=audio 4002 RTP/AVP 0",
        "m=image 6000 udptl t38",
    ]);
    assert_eq!(audio.remote_rtp.port(), 4000);
    let lines: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        ["m=video 0 RTP/AVP 31", "m=audio 20000 RTP/AVP 0", "m=audio 0 RTP/AVP 0", "m=image 0 udptl t38"]
    );
}

/// §8: a later offer of ours keeps the streams that were refused.
#[test]
fn a_later_offer_keeps_every_stream() {
    let mut negotiation = negotiation();
    let offer = description(&["m=video 5000 RTP/AVP 31", "m=audio 4000 RTP/AVP 8"]);
    negotiation.answer(&offer, SOURCE, &mut rng()).expect("agreed");
    let offer = String::from_utf8(negotiation.offer(&mut rng())).expect("text");
    let lines: Vec<&str> = offer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 31", "m=audio 20000 RTP/AVP 0 8 101"]);
    let answer = description(&["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 0"]);
    assert_eq!(negotiation.accept_answer(&answer, SOURCE).map(|audio| audio.codec), Ok(AudioCodec::Pcmu));
}

#[test]
fn nothing_in_common() {
    let lines: [&[&str]; 7] = [
        &["m=audio 4000 RTP/AVP 18"],
        &["m=audio 0 RTP/AVP 0"],
        &["m=audio 4000 RTP/SAVP 0"],
        &["m=video 4000 RTP/AVP 31"],
        &["m=audio 4000 RTP/AVP 0", "c=IN IP4 media.example.com"],
        &["m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"],
        &["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMU/16000"],
    ];
    for lines in lines {
        let offer = description(lines);
        assert_eq!(
            negotiation().answer(&offer, SOURCE, &mut rng()),
            Err(Disagreement::NothingInCommon),
            "{lines:?}"
        );
        assert!(!is_acceptable(&offer, &profile(SrtpPolicy::Off), None), "{lines:?}");
    }
    assert!(is_acceptable(&description(&["m=audio 4000 RTP/AVP 0"]), &profile(SrtpPolicy::Off), None));
    assert_eq!(negotiation().answer(b"hello", SOURCE, &mut rng()), Err(Disagreement::Malformed));
}

#[test]
fn another_address_family_is_out_of_reach() {
    let offer = description(&["m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::1"]);
    assert_eq!(negotiation().answer(&offer, SOURCE, &mut rng()), Err(Disagreement::NothingInCommon));
    let mut sixth = local(&[AudioCodec::Pcmu]);
    sixth.rtp = "[2001:db8::2]:20000".parse().expect("an address");
    let (answer, audio) = Negotiation::new(1, sixth, &Profile::default(), None)
        .answer(&offer, SOURCE, &mut rng())
        .expect("agreed");
    assert_eq!(audio.remote_rtp, "[2001:db8::1]:4000".parse().expect("an address"));
    assert!(String::from_utf8(answer).expect("text").contains("c=IN IP6 2001:db8::2\r\n"));
}

/// RFC 6157 §3.1: with an address of each family the answer is of the offer's, and what we offer of the peer's signalling.
#[test]
fn each_peer_is_told_the_address_that_it_can_reach() {
    let sixth: IpAddr = "2001:db8::2".parse().expect("an address");
    let both = |is_ipv4| negotiation().also_at(Some(sixth), is_ipv4);
    let connection = |text: Vec<u8>| {
        let text = String::from_utf8(text).expect("text");
        text.lines().find(|line| line.starts_with("c=")).expect("a connection").to_owned()
    };
    assert_eq!(connection(both(true).offer(&mut rng())), "c=IN IP4 127.0.0.1");
    assert_eq!(connection(both(false).offer(&mut rng())), "c=IN IP6 2001:db8::2");
    let of_six = description(&["m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::1"]);
    let of_four = description(&["m=audio 4000 RTP/AVP 0"]);
    let mut talking = both(true);
    for (offer, answer) in [(&of_six, "c=IN IP6 2001:db8::2"), (&of_four, "c=IN IP4 127.0.0.1")] {
        let (text, audio) = talking.answer(offer, SOURCE, &mut rng()).expect("agreed");
        assert_eq!(connection(text), answer);
        assert_eq!(audio.remote_rtp.is_ipv6(), answer.contains("IP6"));
    }
    // A hold of RFC 2543 has no family; who is told of one cannot answer with the other.
    talking.answer(&of_six, SOURCE, &mut rng()).expect("agreed");
    let hold = description(&["m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"]);
    let (text, audio) = talking.answer(&hold, SOURCE, &mut rng()).expect("agreed");
    assert_eq!(
        (connection(text).as_str(), audio.direction),
        ("c=IN IP6 2001:db8::2", MediaDirection::ReceiveOnly)
    );
    let mut offering = both(true);
    offering.offer(&mut rng());
    assert_eq!(offering.accept_answer(&of_six, SOURCE), Err(Disagreement::NothingInCommon));
}

/// A change to other media of ours stays with the family that was agreed, also when it is refused.
#[test]
fn a_change_keeps_the_family() {
    let sixth: IpAddr = "2001:db8::2".parse().expect("an address");
    let mut talking = negotiation().also_at(Some(sixth), false);
    talking.offer(&mut rng());
    let mut moved = local(&[AudioCodec::Pcmu]);
    moved.rtp.set_port(20_010);
    talking.change(&Reoffer { media: Some(moved), ..Reoffer::default() });
    let offer = String::from_utf8(talking.offer(&mut rng())).expect("text");
    assert!(offer.contains("c=IN IP6 2001:db8::2\r\n") && offer.contains("m=audio 20010 "), "{offer}");
    talking.undo();
    let offer = String::from_utf8(talking.offer(&mut rng())).expect("text");
    assert!(offer.contains("c=IN IP6 2001:db8::2\r\n") && offer.contains("m=audio 20000 "), "{offer}");
}

/// RFC 8445 §5.1.1.1: a host candidate for each address, the offer's family preferred.
#[test]
fn each_address_is_a_candidate() {
    let profile = Profile { ice: true, ..Profile::default() };
    let by_ipv4 = description(&[
        "m=audio 9 RTP/AVP 0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789012345678901",
        "a=rtcp-mux",
    ]);
    let by_ipv6 =
        String::from_utf8(by_ipv4.clone()).expect("text").replace("IP4 192.0.2.1", "IP6 2001:db8::9");
    let addresses = ["127.0.0.1", "2001:db8::2"];
    for (offer, [first, second]) in
        [(by_ipv4, addresses), (by_ipv6.into_bytes(), [addresses[1], addresses[0]])]
    {
        let mut answering = Negotiation::new(84, local(&[AudioCodec::Pcmu]), &profile, None)
            .also_at("2001:db8::2".parse().ok(), false);
        let (text, _) = answering.answer(&offer, SOURCE, &mut rng()).expect("agreed");
        let text = String::from_utf8(text).expect("text");
        let candidates: Vec<&str> = text.lines().filter(|line| line.starts_with("a=candidate")).collect();
        assert_eq!(
            candidates,
            [
                format!("a=candidate:1 1 UDP 2130706431 {first} 20000 typ host"),
                format!("a=candidate:2 1 UDP 2130706175 {second} 20000 typ host")
            ]
        );
    }
}

#[test]
fn an_answer_that_refuses_or_misses_our_stream_agrees_nothing() {
    for lines in [&["m=audio 0 RTP/AVP 0"][..], &["m=audio 4000 RTP/AVP 18"], &[]] {
        let mut negotiation = negotiation();
        negotiation.offer(&mut rng());
        let answer = description(lines);
        assert_eq!(negotiation.accept_answer(&answer, SOURCE), Err(Disagreement::NothingInCommon));
    }
}

/// §6.1 and §8.4: every direction, and the hold of RFC 2543.
#[test]
fn directions_are_mirrored() {
    for (theirs, address, ours, line) in [
        ("sendrecv", "192.0.2.1", MediaDirection::SendReceive, "a=sendrecv"),
        ("sendonly", "192.0.2.1", MediaDirection::ReceiveOnly, "a=recvonly"),
        ("recvonly", "192.0.2.1", MediaDirection::SendOnly, "a=sendonly"),
        ("inactive", "192.0.2.1", MediaDirection::Inactive, "a=inactive"),
        ("sendrecv", "0.0.0.0", MediaDirection::ReceiveOnly, "a=recvonly"),
        ("recvonly", "0.0.0.0", MediaDirection::Inactive, "a=inactive"),
    ] {
        let connection = format!("c=IN IP4 {address}");
        let direction = format!("a={theirs}");
        let (answer, audio) = answer_to(&["m=audio 4000 RTP/AVP 0", &connection, &direction]);
        assert_eq!(audio.direction, ours, "{theirs} {address}");
        assert!(answer.contains(line), "{answer}");
    }
}

/// §8: the version grows when something changed, and only then.
#[test]
fn the_version_counts_changes() {
    let mut negotiation = negotiation();
    let talk = description(&["m=audio 4000 RTP/AVP 0"]);
    let hold = description(&["m=audio 4000 RTP/AVP 0", "a=sendonly"]);
    let mut version = |offer: &[u8]| {
        let (answer, _) = negotiation.answer(offer, SOURCE, &mut rng()).expect("agreed");
        SessionDescription::parse(&answer).expect("a description").origin.session_version
    };
    assert_eq!([version(&talk), version(&talk), version(&hold), version(&talk)], [0, 0, 1, 2]);
}

/// RFC 3605.
#[test]
fn rtcp_may_go_elsewhere() {
    let (_, audio) = answer_to(&["m=audio 4000 RTP/AVP 0", "a=rtcp:5007 IN IP4 192.0.2.9"]);
    assert_eq!(audio.remote_rtcp, "192.0.2.9:5007".parse().expect("an address"));
    let (_, audio) = answer_to(&["m=audio 4000 RTP/AVP 0", "a=rtcp:5007"]);
    assert_eq!(audio.remote_rtcp, "192.0.2.1:5007".parse().expect("an address"));
    let (_, audio) = answer_to(&["m=audio 65535 RTP/AVP 0"]);
    assert_eq!(audio.remote_rtcp.port(), 65535);
}

#[test]
fn packet_times_are_kept_within_reason() {
    for (asked, kept_ms) in [
        ("ptime:20", 20),
        ("ptime:0", 20),
        ("ptime:9", 10),
        ("ptime:200", 200),
        ("ptime:201", 200),
        ("maxptime:10", 10),
    ] {
        let (_, audio) = answer_to(&["m=audio 4000 RTP/AVP 0", &format!("a={asked}")]);
        assert_eq!(audio.ptime, Duration::from_millis(kept_ms), "{asked}");
    }
}

/// RFC 4568.
mod srtp {
    use super::*;

    const KEY_80: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    const KEY_GCM: &str = "inline:AAECAwQFBgcICQoLDA0OD1F1aWQgcHJvIHF1bw==";

    fn answered(srtp: SrtpPolicy, lines: &[&str]) -> Option<(String, Option<SrtpKeys>)> {
        let offer = description(lines);
        let answer = negotiation_under(srtp).answer(&offer, SOURCE, &mut rng());
        assert_eq!(is_acceptable(&offer, &profile(srtp), None), answer.is_ok());
        let (answer, audio) = answer.ok()?;
        Some((String::from_utf8(answer).expect("text"), audio.security.sdes().cloned()))
    }

    fn crypto_lines(description: &str) -> Vec<&str> {
        description.lines().filter(|line| line.starts_with("a=crypto:")).collect()
    }

    /// Which profiles each policy takes, and whether media is protected then.
    #[test]
    fn what_is_taken_under_each_policy() {
        let line = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY_80}");
        let secure: &[&str] = &["m=audio 4000 RTP/SAVP 0", &line];
        let either: &[&str] = &["m=audio 4000 RTP/AVP 0", &line];
        let plain: &[&str] = &["m=audio 4000 RTP/AVP 0"];
        let keyless: &[&str] = &["m=audio 4000 RTP/SAVP 0"];
        let (taken, protected, refused) = (Some(false), Some(true), None);
        for (policy, offer, expected) in [
            (SrtpPolicy::Off, secure, refused),
            (SrtpPolicy::Off, either, taken),
            (SrtpPolicy::Off, plain, taken),
            (SrtpPolicy::Offered, secure, protected),
            (SrtpPolicy::Offered, either, protected),
            (SrtpPolicy::Offered, plain, taken),
            (SrtpPolicy::Offered, keyless, refused),
            (SrtpPolicy::Required, secure, protected),
            (SrtpPolicy::Required, either, refused),
            (SrtpPolicy::Required, plain, refused),
            (SrtpPolicy::Required, keyless, refused),
        ] {
            let answer = answered(policy, offer);
            assert_eq!(answer.as_ref().map(|(_, keys)| keys.is_some()), expected, "{policy:?} {offer:?}");
            if let Some((text, keys)) = answer {
                let profile = offer[0].split(' ').nth(2).expect("a profile");
                assert!(text.contains(&format!("m=audio 20000 {profile} 0")), "{text}");
                assert_eq!(crypto_lines(&text).len(), usize::from(keys.is_some()), "{text}");
            }
        }
    }

    /// §5.1.2: the first line we can keep to, with its tag and suite, and a key of our own.
    #[test]
    fn the_first_line_we_can_keep_to_is_taken() {
        let (answer, keys) = answered(
            SrtpPolicy::Required,
            &[
                "m=audio 4000 RTP/SAVP 0",
                "a=crypto:1 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm",
                &format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 {KEY_80}|2^20|1:4"),
                &format!("a=crypto:3 AES_CM_128_HMAC_SHA1_80 {KEY_80} UNENCRYPTED_SRTCP"),
                &format!("a=crypto:4 AES_CM_128_HMAC_SHA1_80 {KEY_80} KDR=1"),
                &format!("a=crypto:5 AES_CM_128_HMAC_SHA1_80 {KEY_80};{KEY_80}"),
                &format!("a=crypto:6 AEAD_AES_128_GCM {KEY_80}"),
                &format!("a=crypto:7 AEAD_AES_128_GCM {KEY_GCM}|2^31 WSH=128 -NEW"),
                &format!("a=crypto:8 AES_CM_128_HMAC_SHA1_80 {KEY_80}"),
            ],
        )
        .expect("the seventh line is good");
        let keys = keys.expect("keys");
        assert_eq!(keys.receive.suite(), SrtpSuite::AeadAes128Gcm);
        assert_eq!(&keys.receive.octets()[16..], b"Quid pro quo");
        let lines = crypto_lines(&answer);
        assert!(lines[0].starts_with("a=crypto:7 AEAD_AES_128_GCM inline:"), "{answer}");
        let ours = Crypto::parse(&lines[0]["a=crypto:".len()..]).expect("a line of ours");
        assert_eq!(ours.key, keys.send);
        assert_ne!(keys.send, keys.receive);
    }

    /// The lifetime alone is no reason to decline, nor is missing padding.
    #[test]
    fn a_lifetime_is_taken_as_it_comes() {
        for key in [format!("{KEY_GCM}|2^20"), format!("{KEY_GCM}|1048576"), KEY_GCM.replace('=', "")] {
            assert!(Crypto::parse(&format!("1 AEAD_AES_128_GCM {key}")).is_some(), "{key}");
        }
        for key in [format!("{KEY_GCM}|"), format!("{KEY_GCM}|2^x"), format!("{KEY_GCM}|1:1")] {
            assert_eq!(Crypto::parse(&format!("1 AEAD_AES_128_GCM {key}")), None, "{key}");
        }
    }

    #[test]
    fn each_suite_is_offered_with_a_key_of_its_own() {
        for (policy, profile) in [(SrtpPolicy::Offered, "RTP/AVP"), (SrtpPolicy::Required, "RTP/SAVP")] {
            let offer = String::from_utf8(negotiation_under(policy).offer(&mut rng())).expect("text");
            assert!(offer.contains(&format!("m=audio 20000 {profile} 0 8 101")), "{offer}");
            let lines: Vec<Crypto> = crypto_lines(&offer)
                .iter()
                .map(|line| Crypto::parse(&line["a=crypto:".len()..]).expect("a line of ours"))
                .collect();
            let suites: Vec<_> = lines.iter().map(|line| (line.tag, line.key.suite())).collect();
            assert_eq!(suites, (1..).zip(SrtpSuite::ALL).collect::<Vec<_>>());
            let keys: std::collections::BTreeSet<_> = lines.iter().map(|line| line.key.octets()).collect();
            assert_eq!(keys.len(), 4);
        }
    }

    /// §5.1.3: an answer names one of our lines and has its suite.
    #[test]
    fn an_answer_takes_one_of_our_lines() {
        let gcm = format!("a=crypto:3 AEAD_AES_128_GCM {KEY_GCM}");
        for (policy, lines, suite) in [
            (SrtpPolicy::Required, ["m=audio 4000 RTP/SAVP 0", &gcm], Ok(Some(SrtpSuite::AeadAes128Gcm))),
            (SrtpPolicy::Offered, ["m=audio 4000 RTP/AVP 0", &gcm], Ok(Some(SrtpSuite::AeadAes128Gcm))),
            (SrtpPolicy::Offered, ["m=audio 4000 RTP/AVP 0", ""], Ok(None)),
            (SrtpPolicy::Required, ["m=audio 4000 RTP/SAVP 0", ""], Err(Disagreement::NothingInCommon)),
            (SrtpPolicy::Required, ["m=audio 4000 RTP/AVP 0", &gcm], Err(Disagreement::NothingInCommon)),
            (
                SrtpPolicy::Required,
                ["m=audio 4000 RTP/SAVP 0", &gcm.replace(":3", ":2")],
                Err(Disagreement::NothingInCommon),
            ),
            (
                SrtpPolicy::Required,
                ["m=audio 4000 RTP/SAVP 0", &gcm.replace(":3", ":5")],
                Err(Disagreement::NothingInCommon),
            ),
        ] {
            let mut negotiation = negotiation_under(policy);
            let offer = String::from_utf8(negotiation.offer(&mut rng())).expect("text");
            let audio = negotiation.accept_answer(&description(&lines), SOURCE);
            let keys = audio.map(|audio| audio.security.sdes().cloned());
            assert_eq!(keys.clone().map(|it| it.map(|it| it.send.suite())), suite, "{policy:?} {lines:?}");
            if let Ok(Some(keys)) = keys {
                let ours = Attribute::from(&Crypto { tag: 3, key: keys.send }).value.expect("a value");
                assert!(offer.contains(&ours), "our key is the one we offered");
            }
        }
    }

    /// §7.1.4: a session that is refreshed keeps its keys; a peer that changes its key gets a new one of ours.
    #[test]
    fn keys_change_when_the_peers_key_does() {
        let mut rng = rng();
        let mut negotiation = negotiation_under(SrtpPolicy::Offered);
        let offer = |key: &str| {
            description(&["m=audio 4000 RTP/SAVP 0", &format!("a=crypto:1 AEAD_AES_128_GCM {key}")])
        };
        let (_, first) = negotiation.answer(&offer(KEY_GCM), SOURCE, &mut rng).expect("agreed");
        let (_, refreshed) = negotiation.answer(&offer(KEY_GCM), SOURCE, &mut rng).expect("agreed");
        assert_eq!(first, refreshed);
        let other = KEY_GCM.replace("AAEC", "AAED");
        let (_, changed) = negotiation.answer(&offer(&other), SOURCE, &mut rng).expect("agreed");
        let (first, changed) = (first.security.sdes().expect("keys"), changed.security.sdes().expect("keys"));
        assert!(first.send != changed.send && first.receive != changed.receive);
        let offer = String::from_utf8(negotiation.offer(&mut rng)).expect("text");
        let ours = Attribute::from(&Crypto { tag: 3, key: changed.send.clone() }).value.expect("a value");
        assert!(offer.contains(&ours), "an offer of ours keeps the key in use");
    }

    #[test]
    fn keys_are_not_shown() {
        let mut negotiation = negotiation_under(SrtpPolicy::Offered);
        negotiation.offer(&mut rng());
        let line = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY_80}");
        negotiation.accept_answer(&description(&["m=audio 4000 RTP/AVP 0", &line]), SOURCE).expect("agreed");
        let shown = format!("{negotiation:?}");
        assert!(!shown.contains("inline:") && !shown.contains(KEY_80), "{shown}");
        assert!(!shown.contains("octets"), "{shown}");
    }
}

/// RFC 5763, RFC 8839.
mod handshakes {
    use super::*;
    use crate::user_agent::Keying;

    const OURS: Fingerprint = Fingerprint([1; 32]);
    const THEIRS: Fingerprint = Fingerprint([2; 32]);

    fn negotiation(profile: &Profile) -> Negotiation {
        Negotiation::new(84, local(&[AudioCodec::Pcmu]), profile, Some(OURS))
    }

    fn browser() -> Profile {
        Profile { srtp_keys: Keying::Dtls, ice: true, ..profile(SrtpPolicy::Required) }
    }

    fn offer(setup: &str, more: &[&str]) -> Vec<u8> {
        let fingerprint = format!("a=fingerprint:{THEIRS}");
        let setup = format!("a=setup:{setup}");
        let lines = ["m=audio 4000 UDP/TLS/RTP/SAVPF 0", fingerprint.as_str(), setup.as_str()];
        description(&[&lines, more].concat())
    }

    fn answered(profile: &Profile, offer: &[u8]) -> Option<(String, Arc<NegotiatedAudio>)> {
        let (answer, audio) = negotiation(profile).answer(offer, SOURCE, &mut rng()).ok()?;
        Some((String::from_utf8(answer).expect("text"), audio))
    }

    /// RFC 5763 §5: the peer says what it can be, the answer what both are.
    #[test]
    fn the_peers_setup_decides_who_begins() {
        for (setup, role, ours) in [
            ("actpass", DtlsRole::Server, "a=setup:passive"),
            ("active", DtlsRole::Server, "a=setup:passive"),
            ("passive", DtlsRole::Client, "a=setup:active"),
        ] {
            let (answer, audio) =
                answered(&profile(SrtpPolicy::Offered), &offer(setup, &[])).expect("agreed");
            let association = DtlsAssociation { role, fingerprints: vec![THEIRS] };
            assert_eq!(audio.security, MediaSecurity::Dtls(association), "{setup}");
            assert!(answer.contains("m=audio 20000 UDP/TLS/RTP/SAVPF 0\r\n"), "{answer}");
            assert!(answer.contains(ours) && answer.contains(&format!("a=fingerprint:{OURS}")), "{answer}");
            assert!(!answer.contains("rtcp-mux") && !answer.contains("ice-"), "nobody asked: {answer}");
        }
    }

    #[test]
    fn a_handshake_needs_a_policy_a_certificate_and_a_fingerprint() {
        let with_dtls = offer("actpass", &[]);
        assert!(answered(&profile(SrtpPolicy::Off), &with_dtls).is_none());
        assert!(!is_acceptable(&with_dtls, &profile(SrtpPolicy::Required), None));
        assert!(answered(&browser(), &description(&["m=audio 4000 UDP/TLS/RTP/SAVP 0"])).is_none());
    }

    /// RFC 8445 §2.5, RFC 8839 §5.3: lite, with one candidate, and the same side for as long as the peer's stays.
    #[test]
    fn a_peer_that_asks_for_ice_gets_the_lite_side() {
        let asked = offer("actpass", &["a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", "a=rtcp-mux"]);
        let (mut negotiation, mut rng) = (negotiation(&browser()), rng());
        let (answer, audio) = negotiation.answer(&asked, SOURCE, &mut rng).expect("agreed");
        let answer = String::from_utf8(answer).expect("text");
        for line in
            ["a=ice-lite\r\n", "a=candidate:1 1 UDP 2130706431 127.0.0.1 20000 typ host\r\n", "a=rtcp-mux"]
        {
            assert!(answer.contains(line), "{line} is missing: {answer}");
        }
        let ice = audio.ice.as_ref().expect("our side of ICE");
        let (_, again) = negotiation.answer(&asked, SOURCE, &mut rng).expect("agreed");
        assert_eq!(again.ice.as_ref(), Some(ice), "no restart");
        let restarted = String::from_utf8(asked).expect("text").replace("abcd", "efgh");
        let (_, anew) = negotiation.answer(restarted.as_bytes(), SOURCE, &mut rng).expect("agreed");
        assert!(anew.ice.as_ref().is_some_and(|anew| anew != ice), "a restart (RFC 8445 §9)");
    }

    /// RFC 8839 §4.3.1: 0.0.0.0 and port 9 say that no address is known yet, and are no hold.
    #[test]
    fn a_peer_without_an_address_yet_is_not_on_hold() {
        let text =
            String::from_utf8(offer("actpass", &["a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901"]));
        let text = text.expect("text").replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0").replace("4000", "9");
        let (_, audio) = answered(&browser(), text.as_bytes()).expect("agreed");
        assert_eq!(audio.direction, MediaDirection::SendReceive);
    }

    #[test]
    fn our_offer_to_a_browser_and_what_its_answer_makes_of_it() {
        let mut negotiation = negotiation(&browser());
        let offered = String::from_utf8(negotiation.offer(&mut rng())).expect("text");
        for line in ["UDP/TLS/RTP/SAVPF", "a=setup:actpass", "a=rtcp-mux", "a=ice-lite", "a=ice-ufrag:"] {
            assert!(offered.contains(line), "{line} is missing: {offered}");
        }
        assert!(!offered.contains("a=crypto"), "{offered}");
        let more = ["a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", "a=rtcp-mux"];
        let audio = negotiation.accept_answer(&offer("active", &more), SOURCE).expect("agreed");
        let association = DtlsAssociation { role: DtlsRole::Server, fingerprints: vec![THEIRS] };
        assert_eq!(audio.security, MediaSecurity::Dtls(association));
        assert!(audio.rtcp_mux && audio.ice.is_some());
    }
}
