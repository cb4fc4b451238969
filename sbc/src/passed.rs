//! Session descriptions that are passed from one leg to the other, because the media does not pass us.
//!
//! Owner thread: the signalling core. What the two ends say of their streams is theirs and goes through untouched, be
//! it a codec or an address that we do not know; only who made the description is us (RFC 7092 §3.1.1: a signalling
//! back-to-back user agent), since version numbers of `o=` count in the dialog they are sent in (RFC 3264 §8).

use std::net::IpAddr;

/// What stands in `o=` towards one peer, and what it was told last.
#[derive(Clone, Debug)]
pub(crate) struct PassedOrigin {
    id: u64,
    version: u64,
    address: IpAddr,
    /// Empty while it was told nothing.
    said: Vec<u8>,
}

impl PassedOrigin {
    /// `id` names the session; `address` is ours, as the peer knows it.
    pub(crate) const fn new(id: u64, address: IpAddr) -> Self {
        // Some peers read the numbers of `o=` as signed 64 bits.
        Self { id: id >> 1, version: 0, address, said: Vec::new() }
    }

    /// The other leg's description as this peer is told it. Lines about people, pages and programs of the other side
    /// (RFC 8866 §5.4 to §5.6, §6.3) are left out.
    pub(crate) fn pass(&mut self, description: &[u8]) -> Vec<u8> {
        let told = self.rewritten(description);
        if self.said.is_empty() || self.said == told {
            self.said.clone_from(&told);
            return told;
        }
        self.version += 1;
        self.said = self.rewritten(description);
        self.said.clone()
    }

    /// What it was told last; empty when nothing.
    pub(crate) fn said(&self) -> &[u8] {
        &self.said
    }

    fn rewritten(&self, description: &[u8]) -> Vec<u8> {
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let origin = format!("o=- {} {} IN {family} {}", self.id, self.version, self.address);
        let mut told = Vec::with_capacity(description.len() + origin.len());
        let mut in_session = true;
        for line in description.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            in_session &= !line.starts_with(b"m=");
            let line = match line.first() {
                None => continue,
                Some(b'o') if in_session => origin.as_bytes(),
                Some(b's') if in_session => b"s=-",
                Some(b'i' | b'u' | b'e' | b'p') if in_session => continue,
                Some(b'a') if in_session && line.starts_with(b"a=tool:") => continue,
                Some(_) => line,
            };
            told.extend_from_slice(line);
            told.extend_from_slice(b"\r\n");
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &[u8] = b"v=0\r\no=alice 7 8 IN IP4 10.1.1.1\r\ns=Sales desk\r\ni=about\r\nu=http://inner\r\n\
        e=alice@inner\r\np=+15550100\r\na=tool:desk 7\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18 101\r\ni=kept\r\n\
        a=rtpmap:18 G729/8000\r\n";

    fn origin() -> PassedOrigin {
        PassedOrigin::new(24, "192.0.2.1".parse().expect("an address"))
    }

    #[test]
    fn only_who_made_it_is_changed() {
        let told = String::from_utf8(origin().pass(OFFER)).expect("text");
        assert_eq!(
            told,
            "v=0\r\no=- 12 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18 101\r\n\
             i=kept\r\na=rtpmap:18 G729/8000\r\n"
        );
    }

    /// RFC 3264 §8: the version goes up by one when something changed, and stays when nothing did.
    #[test]
    fn versions_count_what_this_peer_was_told() {
        let mut origin = origin();
        let first = origin.pass(OFFER);
        assert_eq!(origin.pass(OFFER), first);
        let held: Vec<u8> = [OFFER, b"a=sendonly\r\n"].concat();
        let second = String::from_utf8(origin.pass(&held)).expect("text");
        assert!(second.contains("o=- 12 1 IN"), "{second}");
        assert_eq!(origin.said(), second.as_bytes());
    }
}
