//! STUN on the port of SIP, by which phones keep their NAT's mapping and notice when it has changed (RFC 5626 §3.5.2,
//! §8; RFC 8489 §6.3.1), and so do we with carriers (§4.4.2).
//!
//! Owner thread: the signalling core. This module must not know sockets; it makes an answer of what came. Nobody proves who
//! he is here: all that is told is what the asker's own datagram says.

use std::net::{IpAddr, SocketAddr};

const HEADER_LEN: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const BINDING_ERROR: [u8; 2] = [0x01, 0x11];

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// Attributes from here on may be passed over by who does not know them (RFC 8489 §14).
const OPTIONAL_FROM: u16 = 0x8000;

/// The most attributes of a request; more is no keep-alive.
const ATTRIBUTES_MAX: usize = 16;

/// Whether a datagram is STUN's by its first octet (RFC 7983 §7): SIP begins with a letter, or with an end of line.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_LEN && datagram.first().is_some_and(|first| *first <= 3)
}

/// The answer to a binding request: where it came from, or which of its attributes nobody knows (420). None to anything
/// else.
pub(crate) fn answer(request: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let (header, attributes) = request.split_first_chunk::<HEADER_LEN>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC_COOKIE || attributes.len() != length {
        return None;
    }
    let unknown = unknown_attributes(attributes)?;
    let transaction = &header[4..];
    if unknown.is_empty() {
        let mapped = mapped_address(source, transaction);
        return Some(message(BINDING_SUCCESS, transaction, &[(XOR_MAPPED_ADDRESS, mapped)]));
    }
    let code = [0, 0, 4, 20].into_iter().chain(*b"Unknown Attribute").collect();
    let unknown = unknown.into_iter().flat_map(u16::to_be_bytes).collect();
    Some(message(BINDING_ERROR, transaction, &[(ERROR_CODE, code), (UNKNOWN_ATTRIBUTES, unknown)]))
}

/// A binding request.
pub(crate) fn request(id: [u8; 12]) -> Vec<u8> {
    message(BINDING_REQUEST, &[&MAGIC_COOKIE[..], &id].concat(), &[])
}

/// Which request is answered, and where it came from; no address when it was refused, or the answer says none. None of what
/// is no answer.
pub(crate) fn answered(response: &[u8]) -> Option<([u8; 12], Option<SocketAddr>)> {
    let (header, attributes) = response.split_first_chunk::<HEADER_LEN>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let is_answer = header[..2] == BINDING_SUCCESS || header[..2] == BINDING_ERROR;
    if !is_answer || header[4..8] != MAGIC_COOKIE || attributes.len() != length {
        return None;
    }
    let id = header.last_chunk::<12>().copied()?;
    let is_success = header[..2] == BINDING_SUCCESS;
    let mapped = attribute(attributes, XOR_MAPPED_ADDRESS).filter(|_| is_success);
    Some((id, mapped.and_then(|value| address_in(value, &header[4..]))))
}

fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    for _ in 0..ATTRIBUTES_MAX {
        let (head, after) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if u16::from_be_bytes([head[0], head[1]]) == wanted {
            return after.get(..length);
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// What [`mapped_address`] writes.
fn address_in(value: &[u8], mask: &[u8]) -> Option<SocketAddr> {
    let (head, masked) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([head[2] ^ *mask.first()?, head[3] ^ *mask.get(1)?]);
    let octets: Vec<u8> = masked.iter().zip(mask).map(|(octet, mask)| octet ^ mask).collect();
    let ip = match head[1] {
        1 => IpAddr::from(<[u8; 4]>::try_from(octets).ok().filter(|_| masked.len() == 4)?),
        2 => IpAddr::from(<[u8; 16]>::try_from(octets).ok().filter(|_| masked.len() == 16)?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Those that must be understood, and are not; none when it is no list of attributes. Credentials are nothing that a
/// keep-alive needs, and no secret is shared that they could be checked by.
fn unknown_attributes(mut rest: &[u8]) -> Option<Vec<u16>> {
    let mut unknown = Vec::new();
    for _ in 0..ATTRIBUTES_MAX {
        let Some((head, after)) = rest.split_first_chunk::<4>() else {
            return rest.is_empty().then_some(unknown);
        };
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]])).next_multiple_of(4);
        rest = after.get(length..)?;
        if kind < OPTIONAL_FROM && ![USERNAME, MESSAGE_INTEGRITY].contains(&kind) {
            unknown.push(kind);
        }
    }
    rest.is_empty().then_some(unknown)
}

/// RFC 8489 §14.2: family, port and address, masked with the cookie and the transaction's id.
fn mapped_address(source: SocketAddr, mask: &[u8]) -> Vec<u8> {
    let (family, octets) = match source.ip().to_canonical() {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let masked =
        |octets: &[u8]| octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask).collect::<Vec<u8>>();
    [vec![0, family], masked(&source.port().to_be_bytes()), masked(&octets)].concat()
}

fn message(kind: [u8; 2], transaction: &[u8], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend_from_slice(&kind.to_be_bytes());
        body.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        body.extend_from_slice(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&kind[..], &length, transaction, &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 12] = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";

    fn request(attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        message(BINDING_REQUEST, &[&MAGIC_COOKIE[..], &ID].concat(), attributes)
    }

    /// RFC 5769 §2.2 and §2.3: these addresses are written so under this transaction's id.
    #[test]
    fn the_address_is_that_of_the_published_vectors() {
        for (source, expected) in [
            ("192.0.2.1:32853", "0001a147e112a643"),
            ("[2001:db8:1234:5678:11:2233:4455:6677]:32853", "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),
        ] {
            let answer = answer(&request(&[]), source.parse().expect("an address")).expect("an answer");
            assert_eq!(answer[..2], BINDING_SUCCESS);
            assert_eq!(answer[8..20], ID);
            let value: String = answer[24..].iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(value, expected);
        }
    }

    /// What we ask we understand the answer to, of either family, with other attributes before and behind; one that refuses, or
    /// says nothing, names no address.
    #[test]
    fn an_answer_says_where_we_are() {
        for source in ["192.0.2.1:32853", "[2001:db8::7]:5060"] {
            let source: SocketAddr = source.parse().expect("an address");
            let answer = answer(&super::request(ID), source).expect("an answer");
            assert_eq!(answered(&answer), Some((ID, Some(source))));
            let transaction = &answer[4..20];
            let mapped = (XOR_MAPPED_ADDRESS, mapped_address(source, transaction));
            let among = [(0x8022, b"server".to_vec()), mapped, (0x8028, vec![0; 4])];
            assert_eq!(answered(&message(BINDING_SUCCESS, transaction, &among)), Some((ID, Some(source))));
            assert_eq!(answered(&message(BINDING_SUCCESS, transaction, &[])), Some((ID, None)));
            assert_eq!(answered(&message(BINDING_ERROR, transaction, &among)), Some((ID, None)));
            for length in 0..answer.len() {
                assert_eq!(answered(&answer[..length]), None, "{length} octets");
            }
        }
        assert_eq!(answered(&super::request(ID)), None, "a question");
    }

    /// RFC 8489 §6.3.1: 420 names what must be understood and is not; the rest is passed over.
    #[test]
    fn unknown_attributes_are_named() {
        let source = "192.0.2.1:32853".parse().expect("an address");
        let known = [(0x8022, b"softphone".to_vec()), (USERNAME, b"me".to_vec())];
        assert_eq!(answer(&request(&known), source).expect("an answer")[..2], BINDING_SUCCESS);
        let unknown = answer(&request(&[(0x0003, vec![0, 0, 0, 6])]), source).expect("an answer");
        assert_eq!(unknown[..2], BINDING_ERROR);
        assert!(unknown.ends_with(&[0x00, 0x0A, 0, 2, 0x00, 0x03, 0, 0]), "{unknown:?}");
        assert_eq!(unknown.len() % 4, 0);
    }

    #[test]
    fn what_is_no_binding_request_has_no_answer() {
        let source = "192.0.2.1:32853".parse().expect("an address");
        let sound = request(&[(0x8022, b"softphone".to_vec())]);
        for at in 0..8 {
            let mut other = sound.clone();
            other[at] ^= 0x11;
            assert_eq!(answer(&other, source), None, "octet {at}");
        }
        for length in 0..sound.len() {
            assert_eq!(answer(&sound[..length], source), None, "{length} octets");
        }
        let many = vec![(0x8022, Vec::new()); ATTRIBUTES_MAX];
        assert!(answer(&request(&many), source).is_some());
        assert!(answer(&request(&[many, vec![(0x8022, Vec::new())]].concat()), source).is_none());
    }
}
