//! Dropout: which units are dropped for which row, and what becomes of the others.

use pulp::{Simd, WithSimd};

use super::drawn::DrawnMasks;
use crate::rng::{cell_hash, cell_key};
use crate::tensor::sparse::SparseRows;

/// Where in training rows are met, and what was drawn for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw<'a> {
    /// The seed and the epoch, for dropout.
    pub(super) seed: u64,
    pub(super) epoch: usize,
    /// Where in the epoch's order the first row stands, and where in its batch.
    pub(super) position: usize,
    pub(super) in_batch: usize,
    /// The masks of the batch, if they come from a stream.
    pub(super) masks: Option<&'a DrawnMasks>,
}

/// Which outputs of a layer are dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask<'a> {
    source: Source<'a>,
    scale: f32,
}

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    /// A hash of seed, epoch, row and unit, so that no split can change it; hashes below the threshold are dropped.
    Hash {
        draw: Draw<'a>,
        layer: usize,
        threshold: u32,
    },
    /// For each unit of each row from the first on: 0 is dropped, 1 is kept.
    Drawn(&'a [u8]),
}

impl<'a> Mask<'a> {
    pub(super) fn new(draw: Draw<'a>, layer: usize, rate: f32) -> Self {
        Self {
            source: match draw.masks {
                Some(masks) => Source::Drawn(masks.rows_from(layer, draw.in_batch)),
                None => Source::Hash {
                    draw,
                    layer,
                    threshold: (f64::from(rate) * 4_294_967_296.0) as u32,
                },
            },
            scale: 1.0 / (1.0 - rate),
        }
    }

    /// x = 0 where dropped, else x / (1 - rate), for the r-th row.
    #[inline(always)]
    pub(super) fn apply(&self, r: usize, row: &mut [f32]) {
        let cols = row.len();
        self.apply_to(r, cols, (0..).zip(row));
    }

    /// The same for a row of `cols` units of which only some pairs are there.
    pub(super) fn apply_to_pairs(&self, r: usize, cols: usize, rows: &mut SparseRows) {
        self.apply_to(r, cols, rows.row_mut(r));
    }

    // (`for_each`: of an iterator of iterators it makes loops in loops, where `for` asks each of them for every unit.)
    #[inline(always)]
    fn apply_to<'x>(&self, r: usize, cols: usize, units: impl Iterator<Item = (u32, &'x mut f32)>) {
        match self.source {
            Source::Hash {
                draw,
                layer,
                threshold,
            } => {
                let (epoch, position) = (draw.epoch as u64, (draw.position + r) as u64);
                let key = cell_key(draw.seed, layer as u64, epoch, position);
                units.for_each(|(unit, x)| {
                    *x = if cell_hash(key, unit) < threshold {
                        0.0
                    } else {
                        *x * self.scale
                    };
                });
            }
            Source::Drawn(kept) => {
                let kept = &kept[r * cols..][..cols];
                units.for_each(|(unit, x)| {
                    let kept = kept.get(unit as usize).is_some_and(|&kept| kept != 0);
                    *x = if kept { *x * self.scale } else { 0.0 };
                });
            }
        }
    }
}

/// [`Mask::apply`].
pub(super) struct MaskRow<'a> {
    pub(super) mask: Mask<'a>,
    pub(super) r: usize,
    pub(super) row: &'a mut [f32],
}

impl WithSimd for MaskRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.mask.apply(self.r, self.row);
    }
}
