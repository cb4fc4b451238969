//! Wakes the core's thread, which otherwise waits for datagrams.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Rung by whoever has something for the core's thread, however often; heard by that thread alone.
#[derive(Debug)]
pub struct Bell {
    event: EventFd,
    /// Whether it was rung and not yet heard: then there is nothing to add.
    is_rung: AtomicBool,
}

impl Bell {
    /// A bell that nobody has rung.
    ///
    /// # Errors
    /// When the process may open no more files.
    pub fn new() -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Self { event, is_rung: AtomicBool::new(false) })
    }

    /// Ends the wait of the core's thread, or its next one. What was put somewhere before is found after it.
    pub fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            // It fails when it counts beyond 64 bits only.
            let _ = self.event.write(1);
        }
    }

    /// To be called when a wait was ended by it, before looking for what there is: what is rung from now on ends the
    /// next wait. In this order, since a bell that is silent and yet counts as rung would never be rung again.
    pub(crate) fn hear(&self) {
        let _ = self.event.read();
        self.is_rung.swap(false, Ordering::AcqRel);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
