//! An allocator that counts, for tests and benchmarks that say how often the node asks for memory and how much of it
//! stays.

#![allow(unsafe_code, reason = "an allocator cannot be written without; it passes every call on unchanged")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// To be made the `#[global_allocator]` of a test or benchmark.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn grow(bytes: usize) {
    LIVE_BYTES.set(LIVE_BYTES.get().wrapping_add_unsigned(bytes));
}

fn shrink(bytes: usize) {
    LIVE_BYTES.set(LIVE_BYTES.get().wrapping_sub_unsigned(bytes));
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        grow(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        shrink(layout.size());
        grow(new_size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// How often `work` asked for memory on this thread, and what it gave.
pub fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

/// The bytes that this thread has asked for and not given back.
#[must_use]
pub fn live_bytes() -> isize {
    LIVE_BYTES.get()
}
