//! Which way of giving packets to the kernel is used, and why.

use std::fmt;
use std::io;

use crate::sys::SendRing;

/// Which way is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IoChoice {
    /// [`Io::IoUring`] where it can be had.
    #[default]
    Auto,
    /// [`Io::Mmsg`].
    Mmsg,
    /// [`Io::IoUring`], or no start.
    IoUring,
}

/// A way of giving packets to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// A system call for those that leave by one socket: send, sendto or sendmmsg.
    Mmsg,
    /// A system call for those of a turn: io_uring.
    IoUring,
}

/// The way that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoInUse {
    /// Which.
    pub io: Io,
    /// Why it is that one, to be read by operators.
    pub reason: String,
}

impl fmt::Display for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mmsg => "mmsg",
            Self::IoUring => "io_uring",
        })
    }
}

/// Decides, and opens a ring for each thread where rings are used.
pub(crate) fn choose(choice: IoChoice, threads: usize) -> io::Result<(IoInUse, Vec<SendRing>)> {
    let used = |io, reason: &str| IoInUse { io, reason: reason.to_owned() };
    if choice == IoChoice::Mmsg {
        return Ok((used(Io::Mmsg, "it is configured"), Vec::new()));
    }
    let rings = (0..threads).map(|_| SendRing::open()).collect::<io::Result<Vec<_>>>();
    match (rings, choice) {
        (Ok(rings), IoChoice::IoUring) => Ok((used(Io::IoUring, "it is configured"), rings)),
        (Ok(rings), _) => Ok((used(Io::IoUring, "the kernel allows it"), rings)),
        (Err(error), IoChoice::IoUring) => {
            Err(io::Error::new(error.kind(), format!("io_uring cannot be had: {}", why(&error))))
        }
        (Err(error), _) => {
            Ok((used(Io::Mmsg, &format!("io_uring cannot be had: {}", why(&error))), Vec::new()))
        }
    }
}

/// What an operator may look at.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("{error}; see the sysctl kernel.io_uring_disabled and the unit's SystemCallFilter")
        }
        io::ErrorKind::Unsupported => format!("{error}; it takes Linux 5.6 with io_uring"),
        io::ErrorKind::OutOfMemory => format!("{error}; see LimitMEMLOCK of the unit"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_told_where_to_look() {
        for (errno, place) in [
            (libc::EPERM, "kernel.io_uring_disabled"),
            (libc::EACCES, "SystemCallFilter"),
            (libc::ENOSYS, "Linux 5.6"),
            (libc::ENOMEM, "LimitMEMLOCK"),
            (libc::EMFILE, "Too many open files"),
        ] {
            let told = why(&io::Error::from_raw_os_error(errno));
            assert!(told.contains(place), "{told}");
        }
    }
}
