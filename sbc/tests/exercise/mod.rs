//! What the mutation test and the fuzz targets do with any bytes: read them in every way there is, and hold what must
//! hold of whatever could be read.

mod message;
mod rules;
mod session_description;
mod stream;

/// A door that bytes of strangers come in by.
pub(crate) struct Entry {
    /// Its fuzz target.
    pub(crate) name: &'static str,
    read: fn(&[u8]),
    /// What makes sense there.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub(crate) const ENTRIES: [Entry; 4] = [
    Entry { name: "sip_message", read: message::read, seeds: messages },
    Entry { name: "sip_stream", read: stream::read, seeds: stream::seeds },
    Entry { name: "sdp", read: session_description::read, seeds: session_description::seeds },
    Entry { name: "rules", read: rules::read, seeds: messages },
];

/// Lets bytes in by the door of that name.
pub(crate) fn read(name: &str, bytes: &[u8]) {
    let entry = ENTRIES.iter().find(|entry| entry.name == name).expect("an entry point of that name");
    (entry.read)(bytes);
}

fn messages() -> Vec<Vec<u8>> {
    MESSAGES.iter().map(|message| message.to_vec()).collect()
}

macro_rules! corpus {
    ($($path:literal)*) => { &[$(include_bytes!(concat!("../torture/", $path, ".sip"))),*] };
}

/// Messages of RFC 4475 and RFC 5118.
pub(crate) const MESSAGES: &[&[u8]] = corpus! {
    "rfc4475/wsinv" "rfc4475/intmeth" "rfc4475/esc01" "rfc4475/escnull" "rfc4475/esc02" "rfc4475/longreq"
    "rfc4475/dblreq" "rfc4475/semiuri" "rfc4475/transports" "rfc4475/mpart01" "rfc4475/unreason" "rfc4475/noreason"
    "rfc4475/badinv01" "rfc4475/clerr" "rfc4475/scalar02" "rfc4475/quotbal" "rfc4475/lwsruri" "rfc4475/badaspec"
    "rfc4475/baddn" "rfc4475/badvers" "rfc4475/unksm2" "rfc4475/bext01" "rfc4475/regaut01" "rfc4475/multi01"
    "rfc4475/regescrt" "rfc4475/inv2543" "rfc5118/ipv6-in-sdp" "rfc5118/mult-ip-in-header" "rfc5118/mult-ip-in-sdp"
    "rfc5118/ipv4-mapped-ipv6" "rfc5118/ipv6-bug-abnf-3-colons" "rfc5118/via-received-param-with-delim"
};
