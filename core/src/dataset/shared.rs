//! Rows in a block of bytes that is kept elsewhere, such as a file that is mapped into memory: looked at, never copied.
//!
//! ```text
//! block:  .. | rows of bytes, 1 byte a value | rows of f32, 4 bytes a value, little-endian | ..
//!            ^ offset
//! ```
//! A part of such rows (a split, a selection) is the same block and the numbers of its rows: 4 bytes a row.

use std::fmt;
use std::ops::Range;
use std::panic::RefUnwindSafe;
use std::sync::Arc;

use crate::dataset::inputs::Row;
use crate::error::{Error, Kind};

/// Bytes that several data sets look at, and whoever is last lets go of.
pub type Block = Arc<dyn AsRef<[u8]> + Send + Sync + RefUnwindSafe>;

/// Where rows lie in a [`Block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The first byte of the first row.
    pub offset: usize,
    /// How many rows there are.
    pub rows: usize,
    /// How many of them, the first ones, are of bytes; the others are of f32.
    pub byte_rows: usize,
    /// The values of a row.
    pub cols: usize,
}

impl Layout {
    /// Which bytes of the block the rows take; nothing if those cannot be counted.
    pub fn range(&self) -> Option<Range<usize>> {
        let floats = self.rows.checked_sub(self.byte_rows)?.checked_mul(4)?;
        let length = self.byte_rows.checked_add(floats)?.checked_mul(self.cols)?;
        Some(self.offset..self.offset.checked_add(length)?)
    }
}

/// Some rows of a block.
#[derive(Clone)]
pub(super) struct Shared {
    block: Block,
    layout: Layout,
    /// Which rows of the block these are, in this order; without it all, as they lie there.
    chosen: Option<Arc<[u32]>>,
}

impl Shared {
    /// All rows of that layout.
    pub(super) fn new(block: Block, layout: Layout) -> Result<Self, Error> {
        let length = (*block).as_ref().len();
        let fits = layout.range().is_some_and(|range| range.end <= length);
        if !fits || u32::try_from(layout.rows).is_err() {
            let Layout {
                rows, cols, offset, ..
            } = layout;
            return Err(Error::new(
                Kind::Data,
                format!(
                    "{rows} rows of {cols} values do not lie in {length} bytes from byte {offset} on"
                ),
            ));
        }
        Ok(Self {
            block,
            layout,
            chosen: None,
        })
    }

    /// One row.
    #[inline(always)]
    #[track_caller]
    pub(super) fn row(&self, row: usize) -> Row<'_> {
        let row = match &self.chosen {
            Some(rows) => rows[row] as usize,
            None => row,
        };
        let Layout {
            offset,
            rows,
            byte_rows,
            cols,
        } = self.layout;
        assert!(row < rows, "row {row} of {rows} rows");
        let block = &(*self.block).as_ref()[offset..];
        match row.checked_sub(byte_rows) {
            None => Row::Bytes(&block[row * cols..][..cols]),
            Some(row) => {
                let floats = &block[byte_rows * cols..][row * 4 * cols..][..4 * cols];
                Row::Stored(floats.as_chunks().0)
            }
        }
    }

    /// Whether all rows of the block are of bytes.
    pub(super) fn are_bytes(&self) -> bool {
        self.layout.byte_rows == self.layout.rows
    }

    /// These of the rows, in this order.
    #[track_caller]
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let held = self.chosen.as_ref().map_or(self.layout.rows, |c| c.len());
        let chosen = rows.iter().map(|&row| {
            assert!(row < held, "row {row} of {held} rows");
            match &self.chosen {
                Some(chosen) => chosen[row],
                // There are no more than u32 counts, see `new`.
                None => row as u32,
            }
        });
        Self {
            block: Arc::clone(&self.block),
            layout: self.layout,
            chosen: Some(chosen.collect()),
        }
    }

    /// Bytes of memory that the numbers of the rows take.
    pub(super) fn size_in_memory(&self) -> usize {
        self.chosen.as_deref().map_or(0, size_of_val)
    }

    /// Bytes of the block that the rows take.
    pub(super) fn size_elsewhere(&self) -> usize {
        let Layout {
            byte_rows, cols, ..
        } = self.layout;
        let width = |&row: &u32| if (row as usize) < byte_rows { 1 } else { 4 };
        match &self.chosen {
            Some(rows) => cols * rows.iter().map(width).sum::<usize>(),
            None => self.layout.range().map_or(0, |range| range.len()),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.layout)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Block, Layout};
    use crate::dataset::Inputs;

    const LAYOUT: Layout = Layout {
        offset: 3,
        rows: 4,
        byte_rows: 2,
        cols: 2,
    };

    fn block() -> Block {
        let floats = [0.5_f32, -1.0, 1e9, 7.0].map(f32::to_le_bytes).concat();
        Arc::new([&[9, 9, 9, 1, 2, 3, 4][..], &floats, &[9]].concat())
    }

    #[test]
    fn rows_of_bytes_and_of_floats_and_parts_of_them() {
        let inputs = Inputs::from_block(block(), LAYOUT).expect("as the block is");
        let rows = |inputs: &Inputs| inputs.to_matrix().to_vec();
        assert_eq!(rows(&inputs), [1.0, 2.0, 3.0, 4.0, 0.5, -1.0, 1e9, 7.0]);
        let part = inputs.select(&[3, 1, 1]);
        assert_eq!(rows(&part), [1e9, 7.0, 3.0, 4.0, 3.0, 4.0]);
        assert_eq!(rows(&part.select(&[2, 0])), [3.0, 4.0, 1e9, 7.0]);
        assert!(part.bytes().is_none() && part.matrix().is_none());
    }

    #[test]
    fn layouts_that_do_not_fit() {
        for layout in [
            Layout {
                offset: 5,
                ..LAYOUT
            },
            Layout { rows: 5, ..LAYOUT },
            Layout { rows: 1, ..LAYOUT },
            Layout { cols: 3, ..LAYOUT },
            Layout {
                rows: 1 << 60,
                ..LAYOUT
            },
            Layout {
                rows: 1 << 33,
                byte_rows: 0,
                cols: 0,
                ..LAYOUT
            },
            Layout {
                cols: usize::MAX,
                ..LAYOUT
            },
        ] {
            let refused = Inputs::from_block(block(), layout);
            assert!(refused.is_err(), "{layout:?}");
        }
    }
}
