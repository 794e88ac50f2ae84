//! Room for what a product makes of its operands, which a thread keeps for its next one: to have it made anew, all zeros,
//! takes as long as some of what is then written there.

use std::cell::Cell;
use std::thread::LocalKey;

use crate::tensor::matrix::{Aligned, LINE};

/// Lines that are kept: a MiB. More are made anew for each product, and leave what is kept alone.
const MOST: usize = 1 << 14;

/// What is kept, unless it is in use.
type Kept = Cell<Option<Aligned>>;

thread_local! {
    /// For rows of A,
    pub(super) static OF_A: Kept = const { Cell::new(None) };
    /// and for panels of B.
    pub(super) static OF_B: Kept = const { Cell::new(None) };
}

/// Does that with room for so many lines, in which there is whatever.
pub(super) fn with_room<T>(
    kept: &'static LocalKey<Kept>,
    lines: usize,
    work: impl FnOnce(&mut [[f32; LINE]]) -> T,
) -> T {
    // A thread that ends has none.
    let found = (lines <= MOST).then(|| kept.try_with(Cell::take).ok().flatten());
    let is_kept = found.is_some();
    let mut room = found
        .flatten()
        .filter(|room| room.len() >= lines * LINE)
        .unwrap_or_else(|| Aligned::zeroed(lines * LINE));
    let done = work(&mut room.as_chunks_mut().0[..lines]);
    if is_kept {
        let _ = kept.try_with(|kept| kept.set(Some(room)));
    }
    done
}
