use super::*;

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 10));

fn local(codecs: &[AudioCodec]) -> LocalMedia {
    LocalMedia {
        rtp: "127.0.0.1:20000".parse().expect("an address"),
        codecs: codecs.to_vec(),
        ptime: Duration::from_millis(20),
    }
}

fn negotiation() -> Negotiation {
    Negotiation::new(84, local(&[AudioCodec::Pcmu, AudioCodec::Pcma]))
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

fn answer_to(lines: &[&str]) -> (String, NegotiatedAudio) {
    let (answer, audio) = negotiation().answer(&description(lines), SOURCE).expect("an answer");
    (String::from_utf8(answer).expect("text"), audio)
}

/// §5: what we offer.
#[test]
fn our_offer() {
    let offer = negotiation().offer();
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
    negotiation.offer();
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
    negotiation.answer(&offer, SOURCE).expect("agreed");
    let offer = String::from_utf8(negotiation.offer()).expect("text");
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
        assert_eq!(negotiation().answer(&offer, SOURCE), Err(Disagreement::NothingInCommon), "{lines:?}");
        assert!(!is_acceptable(&offer), "{lines:?}");
    }
    assert!(is_acceptable(&description(&["m=audio 4000 RTP/AVP 0"])));
    assert_eq!(negotiation().answer(b"hello", SOURCE), Err(Disagreement::Malformed));
}

#[test]
fn another_address_family_is_out_of_reach() {
    let offer = description(&["m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::1"]);
    assert_eq!(negotiation().answer(&offer, SOURCE), Err(Disagreement::NothingInCommon));
    let mut sixth = local(&[AudioCodec::Pcmu]);
    sixth.rtp = "[2001:db8::2]:20000".parse().expect("an address");
    let (answer, audio) = Negotiation::new(1, sixth).answer(&offer, SOURCE).expect("agreed");
    assert_eq!(audio.remote_rtp, "[2001:db8::1]:4000".parse().expect("an address"));
    assert!(String::from_utf8(answer).expect("text").contains("c=IN IP6 2001:db8::2\r\n"));
}

#[test]
fn an_answer_that_refuses_or_misses_our_stream_agrees_nothing() {
    for lines in [&["m=audio 0 RTP/AVP 0"][..], &["m=audio 4000 RTP/AVP 18"], &[]] {
        let mut negotiation = negotiation();
        negotiation.offer();
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
        let (answer, _) = negotiation.answer(offer, SOURCE).expect("agreed");
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
