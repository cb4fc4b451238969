//! An allocator that tells of each allocation, for tests that count them; each is alone in its process.
#![allow(unsafe_code, reason = "a counting allocator has to implement the unsafe trait GlobalAlloc")]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator; calls the function, which must not allocate, with each allocation.
pub(crate) struct Counting(pub(crate) fn());

// SAFETY: every call goes on to the system's allocator unchanged; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0();
        // SAFETY: the caller's promises are the ones asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.0();
        // SAFETY: the caller's promises are the ones asked for.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the ones asked for.
        unsafe { System.dealloc(block, layout) }
    }
}
