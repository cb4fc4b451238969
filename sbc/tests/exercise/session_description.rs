//! Any bytes as a session description.

use tandem_sbc::sdp::SessionDescription;

/// Reads bytes as a session description; what is written of it reads back the same.
pub(crate) fn read(bytes: &[u8]) {
    let Ok(description) = SessionDescription::parse(bytes) else { return };
    for media in &description.media {
        _ = (description.connection_of(media), description.direction_of(media));
        _ = (
            media.ptime(),
            media.maxptime(),
            media.rtcp(),
            media.rtpmaps().count(),
            media.payload_types().count(),
        );
        _ = media.formats.first().and_then(|format| media.fmtp(format));
    }
    let written = description.to_string();
    let read = SessionDescription::parse(written.as_bytes()).expect("what was written can be read");
    assert_eq!(read.media.len(), description.media.len());
    assert_eq!(read.to_string(), written, "writing is stable");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let files: [&[u8]; 4] = [
        include_bytes!("../../../tests/fuzz/seeds/sdp/addresses-by-section.sdp"),
        include_bytes!("../../../tests/fuzz/seeds/sdp/audio-and-video.sdp"),
        include_bytes!("../../../tests/fuzz/seeds/sdp/everything.sdp"),
        include_bytes!("../../../tests/fuzz/seeds/sdp/ipv6.sdp"),
    ];
    files.map(<[u8]>::to_vec).to_vec()
}
