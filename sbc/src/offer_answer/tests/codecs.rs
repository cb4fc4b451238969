//! Codecs in descriptions: RFC 7587, RFC 3551 §4.5.2, RFC 3389 and RFC 4733.

use super::*;
use crate::user_agent::PacketTimes;

fn speaking(codecs: &[AudioCodec], profile: Profile) -> Negotiation {
    let profile = Profile { codecs: codecs.to_vec(), ..profile };
    Negotiation::new(7, local(&AudioCodec::ALL), &profile, None)
}

fn answered(negotiation: &mut Negotiation, lines: &[&str]) -> (String, Arc<NegotiatedAudio>) {
    let source = "192.0.2.1".parse().expect("an address");
    let (answer, audio) = negotiation.answer(&description(lines), source, &mut rng()).expect("agreed");
    (String::from_utf8(answer).expect("text"), audio)
}

#[test]
fn offers_have_every_codec_with_its_clock_and_events_of_each_clock() {
    let opus = OpusFormat { dtx: true, max_average_bitrate: Some(24_000), ..Profile::default().opus };
    let profile = Profile { opus, comfort_noise: true, ..Profile::default() };
    let offer = speaking(&[AudioCodec::Opus, AudioCodec::G722, AudioCodec::Pcma], profile).offer(&mut rng());
    let offer = String::from_utf8(offer).expect("text");
    for line in [
        "m=audio 20000 RTP/AVP 111 9 8 13 101 110",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 useinbandfec=1;usedtx=1;maxaveragebitrate=24000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:110 telephone-event/48000",
    ] {
        assert!(offer.contains(&format!("{line}\r\n")), "no {line} in {offer}");
    }
}

#[test]
fn what_the_peer_wants_of_opus_is_read_and_answered_with_what_we_want() {
    let mut negotiation = speaking(&[AudioCodec::Pcmu, AudioCodec::Opus], Profile::default());
    let (answer, audio) = answered(
        &mut negotiation,
        &[
            "m=audio 4000 RTP/AVP 96 0 97 98",
            "a=rtpmap:96 OPUS/48000/2",
            "a=fmtp:96 stereo=0; useinbandfec=1;usedtx=1; maxaveragebitrate=20000 ;maxplaybackrate=16000",
            "a=rtpmap:97 telephone-event/8000",
            "a=rtpmap:98 telephone-event/48000",
        ],
    );
    assert_eq!((audio.codec, audio.send_payload_type), (AudioCodec::Opus, 96));
    assert_eq!((audio.send_event_payload_type, audio.event_clock_hz), (Some(98), 48_000));
    let wanted = OpusFormat {
        in_band_fec: true,
        dtx: true,
        constant_bitrate: false,
        max_average_bitrate: Some(20_000),
        max_playback_rate_hz: 16_000,
    };
    assert_eq!(audio.opus, wanted);
    for line in
        ["m=audio 20000 RTP/AVP 96 98", "a=fmtp:96 useinbandfec=1", "a=rtpmap:98 telephone-event/48000"]
    {
        assert!(answer.contains(&format!("{line}\r\n")), "no {line} in {answer}");
    }
}

/// RFC 7587 §6.1 bounds the bit rate; ours bounds theirs.
#[test]
fn bit_rates_are_kept_within_bounds_and_ours() {
    let rate = |ours, theirs: &str| {
        let opus = OpusFormat { max_average_bitrate: ours, ..OpusFormat::default() };
        let mut negotiation = speaking(&[AudioCodec::Opus], Profile { opus, ..Profile::default() });
        let fmtp = format!("a=fmtp:96 {theirs}");
        let lines = ["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", &fmtp];
        answered(&mut negotiation, &lines).1.opus.max_average_bitrate
    };
    assert_eq!(rate(None, "maxaveragebitrate=6000"), Some(6_000));
    assert_eq!(rate(None, "maxaveragebitrate=5999"), Some(6_000));
    assert_eq!(rate(None, "maxaveragebitrate=510001"), Some(510_000));
    assert_eq!(rate(Some(16_000), "maxaveragebitrate=32000"), Some(16_000));
    assert_eq!(rate(Some(16_000), "usedtx=0"), Some(16_000));
    assert_eq!(rate(None, "maxaveragebitrate=much"), None);
}

#[test]
fn where_no_codec_is_named_others_are_taken_of_who_has_no_g711() {
    let usual = |lines: &[&str]| {
        let media = local(&[AudioCodec::Pcmu, AudioCodec::Pcma]);
        answered(&mut Negotiation::new(7, media, &Profile::default(), None), lines).1.codec
    };
    let opus = "a=rtpmap:96 opus/48000/2";
    assert_eq!(usual(&["m=audio 4000 RTP/AVP 96 9 8", opus]), AudioCodec::Pcma);
    assert_eq!(usual(&["m=audio 4000 RTP/AVP 96 9", opus]), AudioCodec::Opus);
    assert_eq!(usual(&["m=audio 4000 RTP/AVP 9"]), AudioCodec::G722);
}

#[test]
fn the_codec_that_needs_no_transcoding_is_offered_first() {
    let line = |named: &[AudioCodec]| {
        let media = LocalMedia { preferred: Some(AudioCodec::G722), ..local(&[AudioCodec::Pcmu]) };
        let profile = Profile { codecs: named.to_vec(), ..Profile::default() };
        let offer = Negotiation::new(7, media, &profile, None).offer(&mut rng());
        let offer = String::from_utf8(offer).expect("text");
        offer.lines().find(|line| line.starts_with("m=")).map(str::to_owned)
    };
    assert_eq!(line(&[]).as_deref(), Some("m=audio 20000 RTP/AVP 9 0 101"));
    let named = line(&[AudioCodec::Pcma, AudioCodec::G722]);
    assert_eq!(named.as_deref(), Some("m=audio 20000 RTP/AVP 9 8 101"));
    assert_eq!(line(&[AudioCodec::Pcma]).as_deref(), Some("m=audio 20000 RTP/AVP 8 101"));
}

/// RFC 4733 §2.1: events have the clock of the audio beside them; a peer that has them only by another is told keys
/// by that.
#[test]
fn telephone_events_are_of_the_codecs_clock_or_of_any() {
    let mut negotiation = speaking(&[AudioCodec::Opus], Profile::default());
    let lines =
        ["m=audio 4000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000"];
    let (answer, audio) = answered(&mut negotiation, &lines);
    assert_eq!((audio.send_event_payload_type, audio.event_clock_hz), (Some(101), 8_000));
    assert!(answer.contains("a=rtpmap:101 telephone-event/8000\r\n"));
}

#[test]
fn comfort_noise_is_agreed_where_both_want_it() {
    let noise = |ours, theirs: &str| {
        let profile = Profile { comfort_noise: ours, ..Profile::default() };
        let (answer, audio) = answered(&mut speaking(&[AudioCodec::Pcmu], profile), &[theirs]);
        assert_eq!(answer.contains("a=rtpmap:13 CN/8000\r\n"), audio.comfort_noise);
        audio.comfort_noise
    };
    assert!(noise(true, "m=audio 4000 RTP/AVP 0 13"));
    assert!(!noise(true, "m=audio 4000 RTP/AVP 0"));
    assert!(!noise(false, "m=audio 4000 RTP/AVP 0 13"));
}

/// RFC 3611 §5: who asks for the metrics gets them, and is asked in return; our offers ask where that is wanted.
#[test]
fn voip_metrics_are_asked_for_and_told_to_who_asks() {
    use crate::user_agent::ExtendedReports;
    const ASKED: &str = "a=rtcp-xr:voip-metrics rcvr-rtt=all\r\n";
    let speaking_with = |rtcp_xr| speaking(&[AudioCodec::Pcmu], Profile { rtcp_xr, ..Profile::default() });
    let told = |rtcp_xr, theirs: &[&str]| {
        let lines = [&["m=audio 4000 RTP/AVP 0"], theirs].concat();
        let (answer, audio) = answered(&mut speaking_with(rtcp_xr), &lines);
        (answer.contains(ASKED), audio.extended_reports)
    };
    let theirs = ["a=rtcp-xr:pkt-loss-rle voip-metrics"];
    for rtcp_xr in [ExtendedReports::Accept, ExtendedReports::Offer] {
        assert_eq!(told(rtcp_xr, &theirs), (true, Some(true)));
        assert_eq!(told(rtcp_xr, &[]), (false, Some(false)));
        assert_eq!(told(rtcp_xr, &["a=rtcp-xr:stat-summary=loss"]), (false, Some(false)));
        assert_eq!(told(rtcp_xr, &["a=rtcp-xr"]), (false, Some(false)), "nothing asked for");
    }
    assert_eq!(told(ExtendedReports::Off, &theirs), (false, None));
    for (rtcp_xr, asks) in
        [(ExtendedReports::Off, false), (ExtendedReports::Accept, false), (ExtendedReports::Offer, true)]
    {
        let offer = speaking_with(rtcp_xr).offer(&mut rng());
        let offer = String::from_utf8(offer).expect("text");
        assert_eq!(offer.contains(ASKED), asks, "{rtcp_xr:?}");
    }
}

/// RFC 8866 §6.4.
#[test]
fn packets_are_relayed_as_the_profile_has_it() {
    use Repacketise::{Always, Limit, Off};
    let ms = Duration::from_millis;
    for (repacketise, asked, times, made_ms) in [
        (Off, "maxptime:30", PacketTimes::Any, 20),
        (Limit, "ptime:30", PacketTimes::Any, 30),
        (Limit, "maxptime:30", PacketTimes::UpTo(ms(30)), 20),
        (Limit, "maxptime:5", PacketTimes::UpTo(ms(10)), 10),
        (Always, "ptime:30", PacketTimes::Exact, 30),
        (Always, "maxptime:30", PacketTimes::Exact, 30),
        (Always, "sendrecv", PacketTimes::Exact, 40),
    ] {
        let profile = Profile { repacketise, ptime: Some(ms(40)), ..Profile::default() };
        let mut negotiation = speaking(&[AudioCodec::Pcmu], profile);
        let (_, audio) = answered(&mut negotiation, &["m=audio 4000 RTP/AVP 0", &format!("a={asked}")]);
        assert_eq!((audio.packet_times, audio.ptime), (times, ms(made_ms)), "{repacketise:?}, {asked}");
    }
}
