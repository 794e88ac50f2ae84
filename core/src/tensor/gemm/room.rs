//! Room for a packed B, which a thread keeps for its next product: to have it made anew, all zeros, takes as long as some of
//! what is then written there.

use std::cell::Cell;

use crate::tensor::matrix::{Aligned, LINE};

/// Lines that are kept: a MiB. More are made anew for each product, and leave what is kept alone.
const MOST: usize = 1 << 14;

thread_local! {
    static KEPT: Cell<Option<Aligned>> = const { Cell::new(None) };
}

/// Does that with room for so many lines, in which there is whatever.
pub(super) fn with_room<T>(lines: usize, work: impl FnOnce(&mut [[f32; LINE]]) -> T) -> T {
    // A thread that ends has none.
    let kept = (lines <= MOST).then(|| KEPT.try_with(Cell::take).ok().flatten());
    let is_kept = kept.is_some();
    let mut room = kept
        .flatten()
        .filter(|room| room.len() >= lines * LINE)
        .unwrap_or_else(|| Aligned::zeroed(lines * LINE));
    let done = work(&mut room.as_chunks_mut().0[..lines]);
    if is_kept {
        let _ = KEPT.try_with(|kept| kept.set(Some(room)));
    }
    done
}
