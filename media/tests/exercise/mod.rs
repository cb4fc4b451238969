//! What the mutation test and the fuzz targets do with any bytes: read them in every way there is, and hold what must
//! hold of whatever could be read.

mod datagram;
mod file;
mod packet;
mod srtp;

/// A door that bytes of strangers come in by.
pub(crate) struct Entry {
    /// Its fuzz target.
    pub(crate) name: &'static str,
    read: fn(&[u8]),
    /// What makes sense there.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub(crate) const ENTRIES: [Entry; 7] = [
    Entry { name: "rtp", read: packet::rtp, seeds: packet::rtp_seeds },
    Entry { name: "rtcp", read: packet::rtcp, seeds: packet::rtcp_seeds },
    Entry { name: "telephone_event", read: packet::telephone_events, seeds: packet::telephone_event_seeds },
    Entry { name: "srtp", read: srtp::read, seeds: srtp::seeds },
    Entry { name: "datagram", read: datagram::read, seeds: datagram::seeds },
    Entry { name: "wav", read: file::wav, seeds: file::wav_seeds },
    Entry { name: "ogg_opus", read: file::ogg_opus, seeds: file::ogg_opus_seeds },
];

/// Lets bytes in by the door of that name.
pub(crate) fn read(name: &str, bytes: &[u8]) {
    let entry = ENTRIES.iter().find(|entry| entry.name == name).expect("an entry point of that name");
    (entry.read)(bytes);
}
