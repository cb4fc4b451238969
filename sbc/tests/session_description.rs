//! Session descriptions (RFC 8866): what is read of what phones and carriers send, and what is written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use tandem_sbc::sdp::{
    Address, Attribute, Direction, Media, Origin, RtpMap, SdpError, SdpErrorKind, SessionDescription,
};

const FULL: &str = "v=0\r\n\
    o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\n\
    s=Call to John Smith\r\n\
    i=SDP Offer #1\r\n\
    u=http://www.jdoe.example.com/home.html\r\n\
    e=Jane Doe <jane@jdoe.example.com>\r\n\
    p=+1 617 555-6011\r\n\
    c=IN IP4 198.51.100.1\r\n\
    b=AS:128\r\n\
    t=0 0\r\n\
    a=sendonly\r\n\
    m=audio 49170 RTP/AVP 8 0 101\r\n\
    b=TIAS:64000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15,66\r\n\
    a=ptime:20\r\n\
    a=maxptime:150.5\r\n\
    a=rtcp:53020 IN IP6 2001:db8::2\r\n\
    a=X-odd:kept: as it is\r\n\
    m=audio 49180/2 RTP/SAVP 0\r\n\
    i=Second\r\n\
    c=IN IP6 2001:db8::2\r\n\
    a=inactive\r\n\
    m=video 0 RTP/AVP 99\r\n\
    c=IN IP4 233.252.0.1/127/3\r\n\
    a=rtpmap:99 h263-1998/90000\r\n";

fn parse(text: &str) -> Result<SessionDescription, SdpError> {
    SessionDescription::parse(text.as_bytes())
}

#[test]
fn a_well_formed_description_is_written_as_it_was_read() {
    assert_eq!(parse(FULL).unwrap().to_string(), FULL);
}

#[test]
fn what_audio_needs_is_readable() {
    let description = parse(FULL).unwrap();
    let [audio, second, video] = &description.media[..] else { panic!("three sections") };
    assert_eq!(description.origin.session_version, 3_724_394_405);
    assert_eq!(description.connection_of(audio).unwrap().address.ip(), Some([198, 51, 100, 1].into()));
    assert_eq!(audio.payload_types().collect::<Vec<_>>(), [8, 0, 101]);
    let pcma = RtpMap { payload_type: 8, encoding: "PCMA".into(), clock_rate: 8000, channels: None };
    assert_eq!((audio.rtpmap(8), audio.rtpmap(0)), (Some(pcma), None));
    assert_eq!(audio.fmtp("101"), Some("0-15,66"));
    assert_eq!(audio.ptime(), Some(Duration::from_millis(20)));
    assert_eq!(audio.maxptime(), Some(Duration::from_micros(150_500)));
    let rtcp = audio.rtcp().unwrap();
    assert_eq!((rtcp.port, rtcp.ip()), (53020, Some("2001:db8::2".parse().unwrap())));
    assert_eq!(audio.attribute("X-odd"), Some("kept: as it is"));
    assert_eq!((second.port, second.port_count, second.protocol.as_str()), (49180, Some(2), "RTP/SAVP"));
    assert_eq!(description.connection_of(second).unwrap().address.ip(), Some("2001:db8::2".parse().unwrap()));
    assert_eq!(video.connections[0].multicast.as_deref(), Some("127/3"));
}

/// RFC 8866 §6.7: the section's own direction, else the session's, else both ways.
#[test]
fn direction_is_inherited() {
    let description = parse(FULL).unwrap();
    assert_eq!(description.direction_of(&description.media[0]), Direction::SendOnly);
    assert_eq!(description.direction_of(&description.media[1]), Direction::Inactive);
    let plain = parse(&FULL.replace("a=sendonly\r\n", "")).unwrap();
    assert_eq!(plain.direction_of(&plain.media[0]), Direction::SendRecv);
    assert_eq!(Direction::SendOnly.reversed(), Direction::RecvOnly);
    assert_eq!(Direction::Inactive.reversed(), Direction::Inactive);
}

#[test]
fn reading_is_lenient() {
    let odd = "v=0 \n\
        a=recvonly\n\
        o=- abc 99999999999999999999 IN IP4 pbx.example.com\n\
        c=in ip4 192.0.2.1 \n\
        z=ignored? no: kept\n\
        q=ignored\n\
        \n\
        m=audio  4000  RTP/AVP  0 8\n\
        a=rtpmap:0  PCMU/8000/1\n\
        a=ptime: 30 ";
    let description = parse(odd).unwrap();
    let audio = &description.media[0];
    assert_eq!(description.direction_of(audio), Direction::RecvOnly);
    assert_eq!((description.origin.session_id, description.origin.session_version), (0, 0));
    assert_eq!(
        description.origin.address,
        Address::Name { name: "pbx.example.com".into(), version_6: false }
    );
    assert_eq!(description.connection.as_ref().unwrap().address.ip(), Some([192, 0, 2, 1].into()));
    assert_eq!(audio.rtpmap(0).unwrap().channels, Some(1));
    assert_eq!(audio.ptime(), Some(Duration::from_millis(30)));
    assert_eq!(
        description.to_string(),
        "v=0\r\no=- 0 0 IN IP4 pbx.example.com\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nz=ignored? no: kept\r\n\
         a=recvonly\r\nm=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0  PCMU/8000/1\r\na=ptime: 30\r\n",
        "writing is strict"
    );
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let origin = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
    let cases = [
        ("", SdpErrorKind::Version, 1),
        ("v=1\r\n", SdpErrorKind::Version, 1),
        ("o=- 1 1 IN IP4 192.0.2.1\r\n", SdpErrorKind::Version, 1),
        ("hello", SdpErrorKind::Version, 1),
        ("v=0\r\ns=-\r\n", SdpErrorKind::Origin, 3),
        ("v=0\r\no=- 1 1 IN IP4\r\n", SdpErrorKind::Origin, 2),
        ("v=0\r\no=- 1 1 IN IP5 x\r\n", SdpErrorKind::Origin, 2),
    ];
    for (text, kind, line) in cases {
        assert_eq!(parse(text), Err(SdpError { kind, line }), "{text:?}");
    }
    let third = [
        ("v=0", SdpErrorKind::Version),
        ("nonsense", SdpErrorKind::Line),
        ("m =video 1 RTP/AVP 0", SdpErrorKind::Line),
        ("s=a\0b", SdpErrorKind::Line),
        ("c=IN IP4", SdpErrorKind::Connection),
        ("c=ATM IP4 x", SdpErrorKind::Connection),
        ("b=128", SdpErrorKind::Bandwidth),
        ("t=now 0", SdpErrorKind::Timing),
        ("m=audio", SdpErrorKind::Media),
        ("m=audio 65536 RTP/AVP 0", SdpErrorKind::Media),
        ("m=audio 1/x RTP/AVP 0", SdpErrorKind::Media),
    ];
    for (text, kind) in third {
        assert_eq!(parse(&format!("{origin}{text}\r\n")), Err(SdpError { kind, line: 3 }), "{text:?}");
    }
    let error = parse(&format!("{origin}c=\r\n")).unwrap_err();
    assert_eq!(error.to_string(), "malformed connection in line 3 of the session description");
}

#[test]
fn malformed_attributes_are_kept_and_not_believed() {
    let audio = |attribute: &str| {
        let text =
            format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0 200 x\r\na={attribute}\r\n");
        parse(&text).unwrap().media.remove(0)
    };
    for broken in
        ["rtpmap:0", "rtpmap:0 PCMU", "rtpmap:0 /8000", "rtpmap:128 X/8000", "rtpmap:x X/8000", "rtpmap"]
    {
        assert_eq!(audio(broken).rtpmaps().count(), 0, "{broken}");
    }
    for broken in ["ptime:0", "ptime:-20", "ptime:1e3", "ptime:", "ptime", "ptime:nan", "ptime:99999999"] {
        assert_eq!(audio(broken).ptime(), None, "{broken}");
        assert_eq!(audio(broken).attributes.len(), 1, "{broken} is kept");
    }
    assert_eq!(audio("rtcp:70000").rtcp(), None);
    assert_eq!(audio("fmtp:101").fmtp("101"), None);
    assert_eq!(audio("x").payload_types().collect::<Vec<_>>(), [0], "200 and x are no payload types");
}

#[test]
fn an_offer_is_written_line_by_line() {
    let origin = Origin {
        username: "-".into(),
        session_id: 7,
        session_version: 8,
        address: std::net::IpAddr::from([192, 0, 2, 10]).into(),
    };
    let mut offer = SessionDescription::new(origin);
    offer.connection = Some(std::net::IpAddr::from([192, 0, 2, 10]).into());
    let mut audio = Media::new("audio", 20000, "RTP/AVP");
    audio.formats = vec!["0".into(), "101".into()];
    let event =
        RtpMap { payload_type: 101, encoding: "telephone-event".into(), clock_rate: 8000, channels: None };
    audio.attributes = vec![
        event.into(),
        Attribute::new("fmtp", "101 0-16"),
        Attribute::new("ptime", "20"),
        Direction::SendRecv.into(),
    ];
    offer.media.push(audio);
    let written = offer.to_string();
    assert_eq!(
        written,
        "v=0\r\no=- 7 8 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
    );
    assert_eq!(parse(&written), Ok(offer));
}

/// Whatever is put into a field, it stays in its line and in its place.
#[test]
fn no_value_can_begin_a_line() {
    let mut description = parse(FULL).unwrap();
    let evil = "x\r\nm=audio 1 RTP/AVP 0\r\na=y".to_owned();
    description.name = evil.clone();
    description.origin.username = evil.clone();
    description.media[0].kind = evil.clone();
    description.media[0].formats.push(evil.clone());
    description.media[0].attributes.push(Attribute::new(evil.clone(), evil));
    let read = parse(&description.to_string()).unwrap();
    assert_eq!(read.media.len(), description.media.len());
    assert_eq!(read.media[0].formats.len(), description.media[0].formats.len());
    assert_eq!(read.media[0].attributes.len(), description.media[0].attributes.len());
}
