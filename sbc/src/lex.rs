//! Byte classes and scanners of RFC 3261 §25.1, shared by every parser of this crate.
//!
//! Must not allocate and must not know what the bytes mean.

/// `token` (RFC 3261 §25.1).
pub(crate) const TOKEN: u8 = 1;
/// SP, HTAB, CR, LF: inside a header value a line end is always part of folding.
pub(crate) const LWS: u8 = 2;
/// `word` as used by `callid`.
pub(crate) const WORD: u8 = 4;
/// What a URI may hold: `unreserved`, `escaped`, `reserved`, plus the brackets of an IPv6 reference.
pub(crate) const URI: u8 = 8;
/// `user` and `password` after unescaping is left aside.
pub(crate) const USER: u8 = 16;
/// What may stand in a `host`, brackets and scoped addresses aside.
pub(crate) const HOST: u8 = 32;
/// `uri-parameter` names and values: `paramchar`.
pub(crate) const URI_PARAM: u8 = 64;
/// `generic-param` values that are neither quoted nor in brackets: token or host.
pub(crate) const PARAM_VALUE: u8 = 128;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let alphanumeric = b.is_ascii_alphanumeric();
        let mark = is_one_of(b, b"-_.!~*'()");
        let mut class = 0;
        if alphanumeric || is_one_of(b, b"-.!%*_+`'~") {
            class |= TOKEN | WORD | PARAM_VALUE;
        }
        if is_one_of(b, b" \t\r\n") {
            class |= LWS;
        }
        if is_one_of(b, b"()<>:\\\"/[]?{}@") {
            class |= WORD;
        }
        if alphanumeric || mark || is_one_of(b, b"%;/?:@&=+$,[]") {
            class |= URI;
        }
        if alphanumeric || mark || is_one_of(b, b"%&=+$,;?/") {
            class |= USER;
        }
        if alphanumeric || is_one_of(b, b"-._") {
            class |= HOST;
        }
        if alphanumeric || mark || is_one_of(b, b"%[]/:&+$") {
            class |= URI_PARAM;
        }
        // A host in brackets, and what phones put there unquoted against the grammar.
        if is_one_of(b, b"[]:/@$&?(){}#^|=") || b >= 0x80 {
            class |= PARAM_VALUE;
        }
        table[byte] = class;
        byte += 1;
    }
    table
}

const fn is_one_of(byte: u8, set: &[u8]) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == byte {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether `byte` is of one of the classes.
#[inline]
pub(crate) const fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// How many leading bytes are of the class.
#[inline]
pub(crate) fn span(bytes: &[u8], class: u8) -> usize {
    bytes.iter().position(|&b| !is(b, class)).unwrap_or(bytes.len())
}

/// Whether there is at least one byte and all are of the class.
#[inline]
pub(crate) fn all(bytes: &[u8], class: u8) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is(b, class))
}

/// Without leading white space, folds included.
#[inline]
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    bytes.get(span(bytes, LWS)..).unwrap_or_default()
}

/// Without trailing white space, folds included.
#[inline]
pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&b| !is(b, LWS)).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// Without white space at either end.
#[inline]
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// The text of bytes that were checked to be ASCII; empty if they are not.
#[inline]
pub(crate) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The length of the quoted string that `bytes` begins with, quotes included; `None` when it does not end.
#[inline]
pub(crate) fn quoted_len(bytes: &[u8]) -> Option<usize> {
    debug_assert_eq!(bytes.first(), Some(&b'"'));
    let mut at = 1;
    loop {
        let rest = bytes.get(at..)?;
        let hit = memchr::memchr2(b'"', b'\\', rest)?;
        if rest[hit] == b'"' {
            return Some(at + hit + 1);
        }
        at += hit + 2;
    }
}

/// A decimal number that fits `u32`. Leading zeros are allowed, signs are not.
#[inline]
pub(crate) fn decimal(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() {
        return None;
    }
    let mut value = 0u32;
    for &b in bytes {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u32::from(digit))?;
    }
    Some(value)
}

/// A port number.
#[inline]
pub(crate) fn port(bytes: &[u8]) -> Option<u16> {
    decimal(bytes).and_then(|n| u16::try_from(n).ok())
}

/// Removes the quotes and backslashes of a quoted string; other bytes come back as they are.
pub(crate) fn unquote(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let Some(inner) = bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return bytes.into();
    };
    if memchr::memchr(b'\\', inner).is_none() {
        return inner.into();
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&b) = bytes.next() {
        plain.extend(if b == b'\\' { bytes.next() } else { Some(&b) });
    }
    plain.into()
}

/// Decodes `%HH`; what is no such escape stays.
pub(crate) fn unescape(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if memchr::memchr(b'%', bytes).is_none() {
        return bytes.into();
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        if let (b'%', Some(decoded)) = (first, tail.get(..2).and_then(hex_pair)) {
            plain.push(decoded);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            plain.push(first);
            rest = tail;
        }
    }
    plain.into()
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let &[high, low] = bytes else { return None };
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Whether every `%` begins an escape.
pub(crate) fn escapes_are_whole(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'%', bytes)
        .all(|at| bytes.get(at + 1..at + 3).is_some_and(|b| hex_pair(b).is_some()))
}

/// Splits at the first `separator` that stands outside quotes and angle brackets. `Err` when a quote or a bracket
/// is left open.
pub(crate) fn split_outside(bytes: &[u8], separator: u8) -> Result<(&[u8], Option<&[u8]>), Unbalanced> {
    let mut at = 0;
    let mut bracket = false;
    while let Some(&b) = bytes.get(at) {
        match b {
            b'"' if !bracket => at += quoted_len(&bytes[at..]).ok_or(Unbalanced(at))?,
            b'<' => {
                bracket = true;
                at += 1;
            }
            b'>' => {
                bracket = false;
                at += 1;
            }
            _ if b == separator && !bracket => return Ok((&bytes[..at], Some(&bytes[at + 1..]))),
            _ => at += 1,
        }
    }
    if bracket { Err(Unbalanced(bytes.len())) } else { Ok((bytes, None)) }
}

/// A quote or an angle bracket that is never closed, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unbalanced(pub(crate) usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings_end_at_the_first_unescaped_quote() {
        assert_eq!(quoted_len(br#""a\"b" c"#), Some(6));
        assert_eq!(quoted_len(br#""\\""#), Some(4));
        assert_eq!(quoted_len(br#""a\""#), None);
        assert_eq!(quoted_len(br#""a\"#), None);
        assert_eq!(&*unquote(br#""J Rosenberg \\\"""#), br#"J Rosenberg \""#);
    }

    #[test]
    fn escapes_decode_and_what_is_none_stays() {
        assert_eq!(&*unescape(b"%75se%72"), b"user");
        assert_eq!(&*unescape(b"%Z%45%"), b"%ZE%");
        assert!(escapes_are_whole(b"a%20b"));
        assert!(!escapes_are_whole(b"a%2"));
    }

    #[test]
    fn lists_split_outside_quotes_and_brackets() {
        let (first, rest) = split_outside(br#""a,b" <sip:x,y@z>, c"#, b',').unwrap();
        assert_eq!(first, br#""a,b" <sip:x,y@z>"#);
        assert_eq!(rest, Some(&b" c"[..]));
        assert_eq!(split_outside(br#"x, "open"#, b',').unwrap().0, b"x");
        assert_eq!(split_outside(br#""open"#, b','), Err(Unbalanced(0)));
        assert!(split_outside(b"<sip:a, b", b',').is_err());
    }

    #[test]
    fn decimals_stop_at_u32() {
        assert_eq!(decimal(b"0004294967295"), Some(u32::MAX));
        assert_eq!(decimal(b"4294967296"), None);
        assert_eq!(decimal(b"-1"), None);
        assert_eq!(decimal(b""), None);
    }
}
