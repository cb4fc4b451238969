//! What is spoken with a peer: keys of a profile, and their mistakes.

#[path = "support/mod.rs"]
mod support;

use support::{SAMPLE, changed, parse};
use tandem_config::{Codec, Opus};

#[test]
fn a_trunk_names_its_codecs_and_what_it_wants_of_opus() {
    let text = SAMPLE
        .replacen("# codecs = [\"PCMU\", \"opus\"]", "codecs = [\"G722\", \"OPUS\", \"pcma\"]", 1)
        .replacen("opus_fec = true", "opus_fec = false", 1)
        .replacen("# opus_max_bitrate = 32000", "opus_max_bitrate = 6000", 1)
        .replacen("opus_max_playback_rate_hz = 48000", "opus_max_playback_rate_hz = 16000", 1)
        .replacen("comfort_noise = false", "comfort_noise = true", 1)
        .replacen("codec_change = false", "codec_change = true", 1);
    let config = parse(&text).expect("a configuration");
    let profile = &config.trunks[0].profile;
    assert_eq!(profile.codecs, [Codec::G722, Codec::Opus, Codec::Pcma]);
    let wanted = Opus { fec: false, dtx: false, max_bitrate: Some(6_000), max_playback_rate_hz: 16_000 };
    assert_eq!((profile.opus, profile.comfort_noise, profile.codec_change), (wanted, true, true));
}

#[test]
fn each_mistake_says_what_to_write() {
    for (from, to, said) in [
        ("# opus_max_bitrate = 32000", "opus_max_bitrate = 5999", "opus_max_bitrate"),
        ("# opus_max_bitrate = 32000", "opus_max_bitrate = 510001", "510000"),
        (
            "opus_max_playback_rate_hz = 48000",
            "opus_max_playback_rate_hz = 44100",
            "trunk.carrier-a.opus_max_playback_rate_hz: found 44100; write 8000, 12000, 16000, 24000 or 48000",
        ),
        ("opus_dtx = false", "opus_dtx = 1", "opus_dtx"),
        ("comfort_noise = false", "comfort_noise = \"no\"", "comfort_noise"),
        ("codec_change = false", "codec_change = 1", "codec_change"),
        (
            "rtcp_xr = \"accept\"",
            "rtcp_xr = \"on\"",
            "trunk.carrier-a.rtcp_xr: found \"on\"; write off, accept or offer",
        ),
    ] {
        let problem = parse(&changed(from, to)).expect_err("a problem").to_string();
        assert!(problem.contains(said), "{to}: {problem}");
    }
}
