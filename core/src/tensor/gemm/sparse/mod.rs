//! The products of `macrokernel` where much of A is zero: images, one-hot columns, counts, and the outputs and gradients
//! of hidden units.
//!
//! A term whose factor from A is zero adds a zero to its chain, which changes nothing but, perhaps, the sign of a zero:
//! and the sum of a block is added to +0 before it is stored, so that no sign is left of it. The bits are those of the
//! dense products, as long as B is finite. Where it is not (0 times infinity is not 0), they still depend on nothing but
//! A and B: every unit of zeros is skipped, however the work is split. (A unit is a pair of columns, or one: see
//! [`sparse`](crate::tensor::sparse).)
//!
//! Both kernels broadcast the numbers of a unit of A, each for NP panels of B, whose sums stay in registers.
//! [`SparseRowsByPanels`] takes a strip of columns of A for many rows at a time, whose part of B then is in the first-level
//! cache, and two rows side by side: the chain of one alone would wait for its last sum. [`SparseColumnsByPanels`] takes one
//! unit or two at a time, for one group of rows after the other, whose NP panels of B, copied side by side, then are in
//! that cache. Where all that becomes of the product is an addition, it takes only the pairs that are not zero.
//! One row alone has ways of its own: forward two blocks of the reduction go side by side, and its outer product is added
//! line by line where the sums lie.

mod alone;
mod columns;
mod outer;
mod rows;

pub use columns::{SparseColumnsByPanels, room_for_lines};
pub use rows::{Meanwhile, Span, SparseRowsByPanels, room_for_rows};

/// Panels of B that are read together, at most.
const MOST_PANELS: usize = 4;

/// The lowest bits, so many; at most all.
#[inline(always)]
fn ones(count: usize) -> u64 {
    if count < 64 {
        !(u64::MAX << count)
    } else {
        u64::MAX
    }
}
