//! Any bytes as SRTP and SRTCP.

use tandem_media::srtp::{MAX_TRAILER_LEN, MasterKey, Receiver, Sender, Suite};

/// Reads bytes as packets of the suite that the first one names, and as reports: nothing forged is let in, and what is
/// let in is no longer than it was.
pub(crate) fn read(bytes: &[u8]) {
    let Some((suite, packet)) = bytes.split_first() else { return };
    let suite = Suite::ALL[usize::from(*suite) % Suite::ALL.len()];
    let mut receiver = Receiver::new(&key(suite));
    let mut once = packet.to_vec();
    if let Ok(len) = receiver.unprotect_rtp(&mut once) {
        assert!(len < packet.len(), "a tag is taken off");
        assert!(receiver.unprotect_rtp(&mut packet.to_vec()).is_err(), "and is good once");
        // Whoever does not know the key cannot have made it otherwise than we do.
        assert!(protected().iter().any(|known| known.1 == packet), "forged: {}", packet.escape_ascii());
    }
    let mut report = packet.to_vec();
    if let Ok(len) = receiver.unprotect_rtcp(&mut report) {
        assert!(len < packet.len());
        assert!(receiver.unprotect_rtcp(&mut packet.to_vec()).is_err());
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    protected().into_iter().map(|(suite, packet)| [&[suite][..], &packet].concat()).collect()
}

/// A packet and a report of each suite.
fn protected() -> Vec<(u8, Vec<u8>)> {
    let rtp = [&[0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7][..], &[0x55; 160]].concat();
    let report = [&[0x80, 201, 0, 7, 0, 0, 0, 7][..], &[0x5a; 24]].concat();
    (0..)
        .zip(Suite::ALL)
        .flat_map(|(n, suite)| {
            let mut sender = Sender::new(&key(suite));
            let mut protect = |packet: &[u8], is_rtp| {
                let mut buffer = packet.to_vec();
                buffer.resize(packet.len() + MAX_TRAILER_LEN, 0);
                let len = match is_rtp {
                    true => sender.protect_rtp(&mut buffer, packet.len()),
                    false => sender.protect_rtcp(&mut buffer, packet.len()),
                };
                buffer.truncate(len.expect("an index that was not used"));
                (n, buffer)
            };
            [protect(&rtp, true), protect(&report, false)]
        })
        .collect()
}

fn key(suite: Suite) -> MasterKey {
    let octets: Vec<u8> = (1..).take(suite.key_len() + suite.salt_len()).collect();
    MasterKey::new(suite, &octets).expect("the suite's length")
}
