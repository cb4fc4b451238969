//! STUN as an ICE-lite endpoint needs it: binding requests checked and answered where they lie (RFC 8489, RFC 8445
//! §7.3).
//!
//! ```text
//!  0                   1                   2                   3
//! |0 0|     STUN Message Type     |         Message Length        |
//! |                         Magic Cookie                          |
//! |                     Transaction ID (96 bits)                  |
//! ```

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::IceCredentials;
use crate::counters::Refusal;

const HEADER_LEN: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_A442;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;

/// What FINGERPRINT is masked with, "STUN" (RFC 8489 §14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554E;

const ATTRIBUTE_HEADER_LEN: usize = 4;
const INTEGRITY_LEN: usize = 20;
const FINGERPRINT_LEN: usize = 4;

/// Octets of the longest answer: a mapped IPv6 address, integrity and fingerprint.
pub(crate) const MAX_ANSWER_LEN: usize = HEADER_LEN
    + (ATTRIBUTE_HEADER_LEN + 20)
    + (ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN)
    + (ATTRIBUTE_HEADER_LEN + FINGERPRINT_LEN);

/// A check of the party's that proved to be its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// Whether it chooses the pair it came on (RFC 8445 §7.3.1.5).
    pub(crate) nominates: bool,
    /// Octets of our answer at the start of the buffer.
    pub(crate) answer_len: usize,
}

/// Whether a packet is STUN's by its first octet (RFC 7983 §7).
pub(crate) const fn is_stun(first: u8) -> bool {
    first <= 3
}

/// Checks the binding request of `len` octets at the start of `buffer`, and writes the answer over it.
pub(crate) fn answer(
    ice: &IceCredentials,
    source: SocketAddr,
    buffer: &mut [u8],
    len: usize,
) -> Result<Check, Refusal> {
    let request = buffer.get(..len).ok_or(Refusal::Malformed)?;
    let nominates = check(ice, request)?;
    let answer_len = write_answer(ice, source, buffer).ok_or(Refusal::Malformed)?;
    Ok(Check { nominates, answer_len })
}

/// RFC 8445 §7.3: a binding request with our name and our password's integrity; whether it nominates.
fn check(ice: &IceCredentials, request: &[u8]) -> Result<bool, Refusal> {
    let body_len = usize::from(u16_at(request, 2).ok_or(Refusal::Malformed)?);
    let is_request = u16_at(request, 0) == Some(BINDING_REQUEST)
        && request.get(4..8) == Some(&MAGIC_COOKIE.to_be_bytes()[..])
        && request.len() == HEADER_LEN + body_len;
    if !is_request {
        return Err(Refusal::Malformed);
    }
    let (mut is_named, mut nominates) = (false, false);
    let mut at = HEADER_LEN;
    while at < request.len() {
        let (kind, value) = attribute(request, at).ok_or(Refusal::Malformed)?;
        match kind {
            USERNAME => is_named = names(ice, value),
            USE_CANDIDATE => nominates = true,
            // Nothing that follows the integrity counts but the fingerprint (RFC 8489 §14.5).
            MESSAGE_INTEGRITY if is_named => return verify(ice, request, at, value).map(|()| nominates),
            MESSAGE_INTEGRITY => return Err(Refusal::Forged),
            _ => {}
        }
        at += ATTRIBUTE_HEADER_LEN + value.len().next_multiple_of(4);
    }
    Err(Refusal::Forged)
}

/// RFC 8445 §7.2.2: our fragment, a colon, and the party's.
fn names(ice: &IceCredentials, username: &[u8]) -> bool {
    username.strip_prefix(ice.local_fragment.as_bytes()).is_some_and(|rest| rest.first() == Some(&b':'))
}

/// RFC 8489 §14.5: the HMAC over all that precedes it, with a length that ends with it.
fn verify(ice: &IceCredentials, request: &[u8], at: usize, claimed: &[u8]) -> Result<(), Refusal> {
    let mut mac = integrity(ice).ok_or(Refusal::Forged)?;
    let ends_at = at + ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN;
    let length = u16::try_from(ends_at - HEADER_LEN).map_err(|_| Refusal::Malformed)?;
    mac.update(request.get(..2).ok_or(Refusal::Malformed)?);
    mac.update(&length.to_be_bytes());
    mac.update(request.get(4..at).ok_or(Refusal::Malformed)?);
    mac.verify_slice(claimed).map_err(|_| Refusal::Forged)
}

fn integrity(ice: &IceCredentials) -> Option<Hmac<Sha1>> {
    Hmac::new_from_slice(ice.local_password.as_bytes()).ok()
}

/// The kind and value of the attribute at `at`.
fn attribute(message: &[u8], at: usize) -> Option<(u16, &[u8])> {
    let len = usize::from(u16_at(message, at + 2)?);
    let starts_at = at + ATTRIBUTE_HEADER_LEN;
    Some((u16_at(message, at)?, message.get(starts_at..starts_at.checked_add(len)?)?))
}

fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?))
}

/// The success response (RFC 8445 §7.3.1.2), with the transaction's id that the buffer has; its length.
fn write_answer(ice: &IceCredentials, source: SocketAddr, buffer: &mut [u8]) -> Option<usize> {
    let answer = buffer.first_chunk_mut::<MAX_ANSWER_LEN>()?;
    let mut mapped = [0; 20];
    let mapped = mapped_address(source, answer.get(4..HEADER_LEN)?, &mut mapped)?;
    answer[..2].copy_from_slice(&BINDING_SUCCESS.to_be_bytes());
    let at = put(answer, HEADER_LEN, XOR_MAPPED_ADDRESS, mapped)?;
    set_length(answer, at + ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN)?;
    let mut mac = integrity(ice)?;
    mac.update(answer.get(..at)?);
    let at = put(answer, at, MESSAGE_INTEGRITY, &mac.finalize().into_bytes())?;
    set_length(answer, at + ATTRIBUTE_HEADER_LEN + FINGERPRINT_LEN)?;
    let checksum = crc32fast::hash(answer.get(..at)?) ^ FINGERPRINT_MASK;
    put(answer, at, FINGERPRINT, &checksum.to_be_bytes())
}

/// RFC 8489 §14.2: family, port and address, masked with cookie and transaction id.
fn mapped_address<'a>(source: SocketAddr, mask: &[u8], value: &'a mut [u8; 20]) -> Option<&'a [u8]> {
    let port = source.port() ^ (MAGIC_COOKIE >> 16) as u16;
    value[2..4].copy_from_slice(&port.to_be_bytes());
    let mut write = |family: u8, octets: &[u8]| {
        value[1] = family;
        for ((to, octet), mask) in value.iter_mut().skip(4).zip(octets).zip(mask) {
            *to = octet ^ mask;
        }
        4 + octets.len()
    };
    let len = match source.ip() {
        IpAddr::V4(address) => write(1, &address.octets()),
        IpAddr::V6(address) => write(2, &address.octets()),
    };
    value.get(..len)
}

/// Writes an attribute whose value needs no padding; where the next one begins.
fn put(message: &mut [u8], at: usize, kind: u16, value: &[u8]) -> Option<usize> {
    let starts_at = at + ATTRIBUTE_HEADER_LEN;
    let len = u16::try_from(value.len()).ok()?;
    message.get_mut(at..at + 2)?.copy_from_slice(&kind.to_be_bytes());
    message.get_mut(at + 2..starts_at)?.copy_from_slice(&len.to_be_bytes());
    message.get_mut(starts_at..starts_at + value.len())?.copy_from_slice(value);
    Some(starts_at + value.len())
}

fn set_length(message: &mut [u8], ends_at: usize) -> Option<()> {
    let length = u16::try_from(ends_at - HEADER_LEN).ok()?;
    message.get_mut(2..4)?.copy_from_slice(&length.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 §2.1 and §2.2: a request, and the response to it, both with this password.
    const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74\
        002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5\
        b2d3f249c1b571a280280004e57a3bcf";
    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    fn octets(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let digit = |octet: u8| char::from(octet).to_digit(16).expect("a digit") as u8;
        digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    fn ice() -> IceCredentials {
        IceCredentials { local_fragment: "evtj".into(), local_password: PASSWORD.into() }
    }

    fn answered(request: &[u8]) -> (Result<Check, Refusal>, Vec<u8>) {
        let mut buffer = vec![0; 1_500];
        buffer[..request.len()].copy_from_slice(request);
        let source = "192.0.2.1:32853".parse().expect("an address");
        let check = answer(&ice(), source, &mut buffer, request.len());
        buffer.truncate(check.map_or(0, |check| check.answer_len));
        (check, buffer)
    }

    /// RFC 5769 §2.1: its integrity is right, and our answer has the mapped address of §2.2.
    #[test]
    fn the_request_of_rfc_5769_is_answered_with_the_address_it_came_from() {
        let (check, answer) = answered(&octets(REQUEST));
        assert_eq!(check, Ok(Check { nominates: false, answer_len: 64 }));
        assert_eq!(answer[..8], octets("0101002c2112a442"));
        assert_eq!(answer[8..20], octets("b7e7a701bc34d686fa87dfae"));
        assert_eq!(answer[20..32], octets("002000080001a147e112a643"), "XOR-MAPPED-ADDRESS of §2.2");
        let crc = crc32fast::hash(&answer[..56]) ^ FINGERPRINT_MASK;
        assert_eq!(answer[60..64], crc.to_be_bytes());
    }

    #[test]
    fn a_request_with_another_password_or_name_or_a_changed_octet_is_forged() {
        let request = octets(REQUEST);
        let mut changed = request.clone();
        changed[30] ^= 1;
        assert_eq!(answered(&changed).0, Err(Refusal::Forged));
        let mut buffer = request.clone();
        buffer.resize(1_500, 0);
        let source = "192.0.2.1:1".parse().expect("an address");
        for wrong in [
            IceCredentials { local_password: "another".into(), ..ice() },
            IceCredentials { local_fragment: "evt".into(), ..ice() },
        ] {
            assert_eq!(answer(&wrong, source, &mut buffer, request.len()), Err(Refusal::Forged));
        }
    }

    #[test]
    fn what_is_no_whole_request_is_malformed() {
        let request = octets(REQUEST);
        for len in 0..request.len() {
            assert!(answered(&request[..len]).0.is_err(), "{len}");
        }
        let mut response = request.clone();
        response[0] = 1;
        assert_eq!(answered(&response).0, Err(Refusal::Malformed));
    }

    #[test]
    fn ipv6_is_masked_with_the_transaction_too() {
        let mut buffer = octets(REQUEST);
        let len = buffer.len();
        buffer.resize(1_500, 0);
        let source = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().expect("an address");
        let check = answer(&ice(), source, &mut buffer, len).expect("a check");
        assert_eq!(check.answer_len, MAX_ANSWER_LEN);
        // RFC 5769 §2.3.
        assert_eq!(buffer[20..44], octets("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"));
    }
}
