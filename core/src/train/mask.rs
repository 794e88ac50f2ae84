//! Dropout: which units are dropped for which row, and what becomes of the others.

use pulp::{Simd, WithSimd};

use crate::rng::{cell_hash, cell_key};
use crate::tensor::sparse::Pair;

/// Where in training rows are met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    /// The seed and the epoch, for dropout.
    pub(super) seed: u64,
    pub(super) epoch: usize,
    /// Where in the epoch's order the first row stands.
    pub(super) position: usize,
}

/// Which outputs of a layer are dropped: a hash of seed, epoch, row and unit, so that no split can change it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    draw: Draw,
    layer: usize,
    /// Hashes below are dropped.
    threshold: u32,
    scale: f32,
}

impl Mask {
    pub(super) fn new(draw: Draw, layer: usize, rate: f32) -> Self {
        Self {
            draw,
            layer,
            threshold: (f64::from(rate) * 4_294_967_296.0) as u32,
            scale: 1.0 / (1.0 - rate),
        }
    }

    /// x = 0 where dropped, else x / (1 - rate), for the r-th row.
    #[inline(always)]
    pub(super) fn apply(&self, r: usize, row: &mut [f32]) {
        self.apply_to(r, (0..).zip(row));
    }

    /// The same for a row of which only these pairs of units are there.
    pub(super) fn apply_to_pairs(&self, r: usize, indices: &[u16], pairs: &mut [Pair]) {
        let units = indices.iter().flat_map(|&i| {
            let unit = 2 * u32::from(i);
            [unit, unit + 1]
        });
        self.apply_to(r, units.zip(pairs.as_flattened_mut()));
    }

    #[inline(always)]
    fn apply_to<'a>(&self, r: usize, units: impl Iterator<Item = (u32, &'a mut f32)>) {
        let Draw {
            seed,
            epoch,
            position,
        } = self.draw;
        let key = cell_key(seed, self.layer as u64, epoch as u64, (position + r) as u64);
        for (unit, x) in units {
            *x = if cell_hash(key, unit) < self.threshold {
                0.0
            } else {
                *x * self.scale
            };
        }
    }
}

/// [`Mask::apply`].
pub(super) struct MaskRow<'a> {
    pub(super) mask: Mask,
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
