//! Large pages of memory: rows met in random order are each on a page of their own, and with small pages finding out where
//! that page is takes as long as reading the row.

/// Bytes of a large page, where there are such.
const LARGE: usize = 2 << 20;

/// Memory of fewer bytes is found by the processor itself.
const MANY: usize = 2 * LARGE;

/// Moves what lies here to large pages, as far as the system can and will; that takes about as long as copying it.
pub(super) fn make_large<T>(memory: &[T]) {
    let size = size_of_val(memory);
    if size >= MANY {
        let start = memory.as_ptr().addr();
        let [first, end] = [
            start.next_multiple_of(LARGE),
            (start + size) / LARGE * LARGE,
        ];
        collapse(first, end - first);
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
#[expect(
    unsafe_code,
    reason = "no safe call tells the system what memory is for; small pages cost 784-64-10 6 % of an epoch of MNIST \
              (Zen 5, 2026-11-27, the fits of `cargo bench --bench epoch`)"
)]
fn collapse(address: usize, size: usize) {
    use std::ffi::{c_int, c_void};

    /// `MADV_COLLAPSE` of Linux 6.1, see madvise(2).
    const COLLAPSE: c_int = 25;

    unsafe extern "C" {
        fn madvise(address: *mut c_void, size: usize, advice: c_int) -> c_int;
    }

    // SAFETY: these are whole pages of memory that is lent to the caller. The system changes where they are kept, never
    // what any address holds, and a system that does not know this advice refuses it and does nothing; that and every
    // other refusal leave all as it was, so the answer does not matter. The C library that std itself stands on has this
    // function, of this type.
    unsafe { madvise(std::ptr::without_provenance_mut(address), size, COLLAPSE) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn collapse(_: usize, _: usize) {}

#[cfg(test)]
mod tests {
    use super::{LARGE, make_large};

    #[test]
    fn what_lies_in_memory_stays() {
        let value = |i: usize| (i as u32).wrapping_mul(2_654_435_761);
        for size in [0, 1, 2 * LARGE - 1, 2 * LARGE, 3 * LARGE + 7] {
            let memory: Vec<u32> = (0..size / 4).map(value).collect();
            let tail = &memory[memory.len().min(3)..];
            make_large(tail);
            make_large(&memory);
            assert!(memory.iter().enumerate().all(|(i, &x)| x == value(i)));
        }
    }
}
