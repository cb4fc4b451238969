//! The most of everything in a message.

/// Bytes in a message, on datagrams and on streams alike. Offsets are 16 bits wide.
pub const MAX_MESSAGE: usize = 65_535;
/// Header lines in a message; folded lines count once.
pub const MAX_HEADERS: usize = 128;
/// Bytes of one header, from its name to the line end that closes it, folds included; and of the start line.
pub const MAX_HEADER: usize = 8_192;
/// Bytes of a header's name.
pub const MAX_HEADER_NAME: usize = 255;
/// Via values in a message: Max-Forwards begins at 70 (RFC 3261 §8.1.1.6).
pub const MAX_VIAS: usize = 70;
/// Parameters of one URI.
pub const MAX_URI_PARAMS: usize = 32;
/// Parts of a multipart body.
pub const MAX_BODY_PARTS: usize = 16;
