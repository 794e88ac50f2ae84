//! An allocator that counts: how often memory was asked for, how much is held, how much was held at most.
//!
//! A test program that wants to know declares it: `#[global_allocator] static ALLOCATOR: Meter = Meter;`.
#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; this one passes everything on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static KEPT: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting.
#[derive(Debug)]
pub struct Meter;

fn taken(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    let held = HELD.fetch_add(bytes, Ordering::Relaxed);
    PEAK.fetch_max(held + bytes, Ordering::Relaxed);
    KEPT.fetch_max(held, Ordering::Relaxed);
}

fn given_back(bytes: usize) {
    HELD.fetch_sub(bytes, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments; counting allocates nothing.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        given_back(layout.size());
        taken(size);
        // SAFETY: the caller keeps the contract of `realloc`, which is the same, and `block` came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`, which is the same, and `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often memory was asked for so far, on all threads.
pub fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// The bytes that are held, on all threads.
pub fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// The most bytes that `work` held above those held before it, with what it returns.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = held();
    PEAK.store(before, Ordering::Relaxed);
    let result = work();
    (PEAK.load(Ordering::Relaxed).saturating_sub(before), result)
}

/// The same, of what was held when something more was asked for: a block that is given back at once, by which somebody
/// tries whether there is room, is not counted.
pub fn kept_peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = held();
    KEPT.store(before, Ordering::Relaxed);
    let result = work();
    drop(std::hint::black_box(Box::new(1_u8)));
    (KEPT.load(Ordering::Relaxed).saturating_sub(before), result)
}
