//! How many files, sockets included, the process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What is open beside media: listeners, TCP connections, the store, HTTP clients.
const BESIDE_MEDIA: u64 = 5_000;

/// Makes room for `endpoints` pairs of RTP and RTCP sockets as far as the system allows; says so when that is less.
pub(super) fn make_room(endpoints: usize) {
    let needed = endpoints as u64 * 2 + BESIDE_MEDIA;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = needed.min(hard).max(soft);
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_err() || wanted < needed {
        tracing::warn!(
            allowed = wanted,
            needed,
            "too few files may be open for every RTP port; raise the limit (LimitNOFILE), or narrow rtp.ports"
        );
    }
}
