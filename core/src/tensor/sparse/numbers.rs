//! What is kept of the numbers of sparse rows.

use super::{SparseRows, StripRow};

/// How the numbers of rows are kept, and what they are.
pub(in crate::tensor) trait Numbers: Copy {
    /// What is kept of a number.
    type Kept: Copy + 'static;

    /// The rows of all strips, group after group.
    fn strips<const U: usize>(self, rows: &SparseRows<U>) -> &[StripRow<U, Self::Kept>];

    /// The number.
    fn widen(self, kept: Self::Kept) -> f32;
}

/// As f32.
#[derive(Clone, Copy)]
pub(in crate::tensor) struct Floats;

impl Numbers for Floats {
    type Kept = f32;

    #[inline(always)]
    fn strips<const U: usize>(self, rows: &SparseRows<U>) -> &[StripRow<U, f32>] {
        &rows.floats
    }

    #[inline(always)]
    fn widen(self, kept: f32) -> f32 {
        kept
    }
}

/// As bytes, which stand for what is in the table.
#[derive(Clone, Copy)]
pub(in crate::tensor) struct Bytes<'a>(pub(in crate::tensor) &'a [f32; 256]);

impl Numbers for Bytes<'_> {
    type Kept = u8;

    #[inline(always)]
    fn strips<const U: usize>(self, rows: &SparseRows<U>) -> &[StripRow<U, u8>] {
        &rows.bytes
    }

    #[inline(always)]
    fn widen(self, kept: u8) -> f32 {
        self.0[usize::from(kept)]
    }
}
