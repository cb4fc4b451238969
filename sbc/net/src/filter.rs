//! The allow-list as a classic BPF program, so that the kernel drops what an unlisted source sends.
//!
//! On a UDP socket it saves the wake-up and the copy per datagram. On a listening TCP socket it makes the SYN of an
//! unlisted source vanish: the port does not look closed, it looks absent. An accepted connection keeps the program
//! it was accepted under, and its one peer was listed then.
//!
//! It is a second line: the allow-list is checked again in user space, also because the kernel's own filter is
//! optional. What it drops shows in the last column of `/proc/net/udp`, together with datagrams that found the
//! receive buffer full; for listening TCP sockets the kernel shows it in `ss -m` only.

use std::fmt::{self, Write};
use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{SockFilter, SockRef};
use tandem_sbc::source::IpPrefix;

/// The longest program the kernel takes (BPF_MAXINSNS): room for some 1,000 IPv4 or 400 IPv6 prefixes.
pub(crate) const MAX_INSTRUCTIONS: usize = 4096;

// linux/filter.h and linux/bpf_common.h
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const STORE_X: u16 = 0x07;
const LOAD_X: u16 = 0x87;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// Offsets from here on count from the network header, wherever the socket's own data begins (SKF_NET_OFF).
const NETWORK_HEADER: u32 = (-0x10_0000_i32).cast_unsigned();

/// Where the source address is in an IPv4 header (RFC 791 §3.1).
const IPV4_SOURCE: u32 = 12;
/// Where the source address is in an IPv6 header (RFC 8200 §3).
const IPV6_SOURCE: u32 = 8;

const ACCEPT: u32 = u32::MAX;
const DROP: u32 = 0;

/// One instruction: what socket2's opaque one is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// Whether the kernel filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterState {
    /// It was not asked to.
    Off,
    /// Every listening socket has the program.
    On {
        /// How long it is.
        instructions: usize,
    },
    /// It was asked to and does not; the check in user space stands alone.
    Failed(FilterError),
}

/// Why the kernel does not filter. Nothing is lost but its help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The operator lists more prefixes than a program can hold.
    #[error("the allow-list needs {instructions} instructions, the kernel takes {MAX_INSTRUCTIONS}")]
    TooLong {
        /// How many it would take.
        instructions: usize,
    },
    /// The kernel refused the program.
    #[error("the kernel refused the program: {0}")]
    Refused(String),
}

/// The program for an allow-list.
pub(crate) struct Program {
    instructions: Vec<SockFilter>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("len", &self.len()).finish()
    }
}

impl Program {
    /// Builds it: who is banned is dropped, though listed.
    pub(crate) fn new(prefixes: &[IpPrefix], banned: &[IpPrefix]) -> Result<Self, FilterError> {
        let instructions = assemble(prefixes, banned);
        if instructions.len() > MAX_INSTRUCTIONS {
            return Err(FilterError::TooLong { instructions: instructions.len() });
        }
        let instructions = instructions
            .into_iter()
            .map(|Instruction { code, if_true, if_false, k }| SockFilter::new(code, if_true, if_false, k))
            .collect();
        Ok(Self { instructions })
    }

    /// Gives it to a socket, in the place of an earlier one.
    pub(crate) fn attach(&self, socket: &SockRef<'_>) -> Result<(), FilterError> {
        socket.attach_filter(&self.instructions).map_err(|error| FilterError::Refused(error.to_string()))
    }

    pub(crate) fn len(&self) -> usize {
        self.instructions.len()
    }
}

/// Takes a socket's program away, if it has one.
pub(crate) fn detach(socket: &SockRef<'_>) -> io::Result<()> {
    match socket.detach_filter() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The drop counters of UDP sockets bound to these addresses.
pub(crate) fn kernel_drops(locals: impl Iterator<Item = SocketAddr>) -> io::Result<u64> {
    let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) = locals.partition(SocketAddr::is_ipv4);
    let mut drops = 0;
    for (path, locals) in [("/proc/net/udp", v4), ("/proc/net/udp6", v6)] {
        if !locals.is_empty() {
            drops += sum_drops(&std::fs::read_to_string(path)?, &locals);
        }
    }
    Ok(drops)
}

/// Sums the last column of a table like `/proc/net/udp` over the rows of these addresses.
fn sum_drops(table: &str, locals: &[SocketAddr]) -> u64 {
    let names: Vec<String> = locals.iter().map(|local| proc_name(*local)).collect();
    table
        .lines()
        .skip(1)
        .filter(|row| {
            row.split_whitespace().nth(1).is_some_and(|local| names.iter().any(|name| name == local))
        })
        .filter_map(|row| row.split_whitespace().last()?.parse::<u64>().ok())
        .sum()
}

/// An address as `/proc/net/udp` writes it: each 32-bit word in host order, in hexadecimal.
fn proc_name(local: SocketAddr) -> String {
    let octets = match local.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut name = String::new();
    for word in octets.chunks_exact(4) {
        let word = word.try_into().map_or(0, u32::from_ne_bytes);
        let _ = write!(name, "{word:08X}");
    }
    let _ = write!(name, ":{:04X}", local.port());
    name
}

/// ```text
///        load version; if not 4 jump to six
///        load source; for each banned IPv4 prefix: if source & mask = address drop
///        for each listed IPv4 prefix: if source & mask = address accept
///        drop
/// six:   for each banned IPv6 prefix: if every word of source & mask = address drop
///        for each listed IPv6 prefix: if every word of source & mask = address accept
///        drop
/// ```
fn assemble(listed: &[IpPrefix], banned: &[IpPrefix]) -> Vec<Instruction> {
    let mut four = vec![
        Instruction::plain(LOAD_WORD, NETWORK_HEADER.wrapping_add(IPV4_SOURCE)),
        Instruction::plain(STORE_X, 0),
    ];
    let mut six = Vec::new();
    let dropped = banned.iter().map(|prefix| (prefix, DROP));
    for (prefix, verdict) in dropped.chain(listed.iter().map(|prefix| (prefix, ACCEPT))) {
        match prefix.address.to_canonical() {
            IpAddr::V4(address) => match_v4(&mut four, address.to_bits(), prefix.bits, verdict),
            IpAddr::V6(address) => match_v6(&mut six, address.to_bits(), prefix.bits, verdict),
        }
    }
    four.push(Instruction::plain(RETURN, DROP));
    six.push(Instruction::plain(RETURN, DROP));

    let over_four = u32::try_from(four.len()).unwrap_or(u32::MAX);
    let mut program = vec![
        Instruction::plain(LOAD_BYTE, NETWORK_HEADER),
        Instruction::plain(AND, 0xf0),
        Instruction { code: JUMP_IF_EQUAL, if_true: 1, if_false: 0, k: 0x40 },
        Instruction::plain(JUMP, over_four),
    ];
    program.append(&mut four);
    program.append(&mut six);
    program
}

/// The source is in X.
fn match_v4(program: &mut Vec<Instruction>, address: u32, bits: u8, verdict: u32) {
    let mask = !u32::MAX.checked_shr(bits.into()).unwrap_or(0);
    program.extend([
        Instruction::plain(LOAD_X, 0),
        Instruction::plain(AND, mask),
        Instruction { code: JUMP_IF_EQUAL, if_true: 0, if_false: 1, k: address & mask },
        Instruction::plain(RETURN, verdict),
    ]);
}

/// Compares word by word; the first that differs jumps to the next prefix.
fn match_v6(program: &mut Vec<Instruction>, address: u128, bits: u8, verdict: u32) {
    let mask = !u128::MAX.checked_shr(bits.into()).unwrap_or(0);
    let words: Vec<(u32, u32, u32)> = (0..4_u32)
        .map(|word| {
            let shift = 96 - 32 * word;
            (4 * word, (mask >> shift) as u32, ((address & mask) >> shift) as u32)
        })
        .filter(|(_, mask, _)| *mask != 0)
        .collect();
    for (done, (offset, mask, value)) in words.iter().enumerate() {
        let left = u8::try_from(words.len() - done - 1).unwrap_or(0);
        program.extend([
            Instruction::plain(LOAD_WORD, NETWORK_HEADER.wrapping_add(IPV6_SOURCE + offset)),
            Instruction::plain(AND, *mask),
            Instruction { code: JUMP_IF_EQUAL, if_true: 0, if_false: 3 * left + 1, k: *value },
        ]);
    }
    program.push(Instruction::plain(RETURN, verdict));
}

impl Instruction {
    fn plain(code: u16, k: u32) -> Self {
        Self { code, if_true: 0, if_false: 0, k }
    }
}
