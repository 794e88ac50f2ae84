//! Memory with pages before and behind it that nobody may touch: an access beyond ends the test program.
#![expect(
    unsafe_code,
    reason = "pages are asked of the system and given back by pointers"
)]

use std::ops::{Deref, DerefMut};
use std::ptr;

/// Where in its pages a buffer lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Against {
    /// It begins where the forbidden page before it ends.
    Front,
    /// It ends where the forbidden page behind it begins.
    Back,
}

/// A buffer of f32 between two forbidden pages.
pub(crate) struct Guarded {
    map: *mut libc::c_void,
    mapped: usize,
    first: *mut f32,
    len: usize,
}

impl Guarded {
    pub(crate) fn new(values: &[f32], against: Against) -> Self {
        let page = page();
        let bytes = size_of_val(values);
        let inner = bytes.next_multiple_of(page).max(page);
        let mapped = inner + 2 * page;
        // SAFETY: a new private mapping at an address of the system's choice touches nothing that is there.
        let map = unsafe {
            libc::mmap(
                ptr::null_mut(),
                mapped,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert!(map != libc::MAP_FAILED, "no pages to be had");
        let offset = match against {
            Against::Front => page,
            Against::Back => page + inner - bytes,
        };
        // SAFETY: both offsets lie inside the mapping just made, of which nobody else knows.
        let (inside, first) = unsafe { (map.byte_add(page), map.byte_add(offset).cast::<f32>()) };
        // SAFETY: these are whole pages of that mapping.
        let opened = unsafe { libc::mprotect(inside, inner, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(opened, 0, "the pages could not be opened");
        let mut guarded = Self {
            map,
            mapped,
            first,
            len: values.len(),
        };
        guarded.copy_from_slice(values);
        guarded
    }
}

/// Reads the number behind a buffer that lies against its back: nobody comes back from here.
pub(crate) fn read_behind(buffer: &Guarded) -> f32 {
    // SAFETY: none; the page behind is mapped and forbidden, and that the system ends the program is what is tested.
    unsafe { buffer.first.add(buffer.len).read_volatile() }
}

fn page() -> usize {
    // SAFETY: it asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).expect("a page has a size")
}

impl Deref for Guarded {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `first` is a multiple of 4 bytes from a page's start or end; `len` numbers from there on are open pages,
        // zeroed by the system or written since, and live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.first, self.len) }
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, as it was made; no slice of it outlives `self`.
        let closed = unsafe { libc::munmap(self.map, self.mapped) };
        debug_assert_eq!(closed, 0);
    }
}
