//! What becomes of the rows of a product before anybody else sees them, while they are in a near cache.

mod back;
mod in_tile;

pub use back::Back;
use back::GoBack;
pub(crate) use back::spread;
pub(super) use in_tile::{InTile, store_last};

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::isa::apart;
use crate::tensor::activation::{Activation, Forward};
use crate::tensor::padded;

/// Rows that go through it together.
const TOGETHER: usize = 8;

/// What happens to a finished row of C: c = f(c + bias), each part if it is there. Needs padded rows.
#[derive(Debug, Default)]
pub struct Epilogue<'a> {
    /// One value a column, and possibly zeros after them.
    pub bias: Option<&'a [f32]>,
    /// Where c + bias is kept, in rows of the same stride as C.
    pub preactivation: Option<&'a mut [f32]>,
    /// f.
    pub activation: Option<Activation>,
    /// What follows in the way back, which has neither of those.
    pub back: Option<Back<'a>>,
}

impl<'a> Epilogue<'a> {
    /// Takes out what tiles do.
    pub(super) fn take_in_tile(&mut self) -> Option<InTile<'a>> {
        let bias = self.bias.take()?;
        let relu = matches!(
            self.activation,
            Some(Activation::Relu | Activation::StraightThroughRelu)
        );
        if relu || self.activation == Some(Activation::Identity) {
            self.activation = None;
        }
        Some(InTile { bias, relu })
    }

    /// Applies it to `rows` of C, n columns and their padding, `stride` apart. (Apart: the same for all products.)
    #[inline(always)]
    pub(super) fn apply<S: Simd>(
        &mut self,
        simd: S,
        c: &mut [f32],
        stride: usize,
        n: usize,
        rows: Range<usize>,
    ) {
        let forward =
            self.bias.is_some() || self.preactivation.is_some() || self.activation.is_some();
        if !forward && self.back.is_none() {
            return;
        }
        // A few at a time, while they are near.
        for first in rows.clone().step_by(TOGETHER) {
            let end = rows.end.min(first + TOGETHER);
            if let Some(back) = &mut self.back {
                let rows = first..end;
                let c = &mut *c;
                apart(
                    simd,
                    GoBack {
                        back,
                        c,
                        stride,
                        n,
                        rows,
                    },
                );
                continue;
            }
            let all = first * stride..(end - 1) * stride + padded(n);
            let kept = self.preactivation.as_deref_mut();
            let forward = Forward {
                act: self.activation.unwrap_or(Activation::Identity),
                bias: self.bias,
                kept: kept.map(|kept| &mut kept[all.clone()]),
                rows: &mut c[all],
                stride,
                cols: n,
            };
            apart(simd, forward);
        }
    }
}

/// Rows of a product that is there already, on which only what follows is done.
#[derive(Debug)]
pub struct Finish<'a> {
    /// How many rows of C there are.
    pub rows: usize,
    /// They, padded to whole lines.
    pub c: &'a mut [f32],
    /// The distance between them.
    pub c_stride: usize,
    /// Their columns.
    pub n: usize,
    /// What follows.
    pub epilogue: Epilogue<'a>,
}

impl WithSimd for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.epilogue
            .apply(simd, self.c, self.c_stride, self.n, 0..self.rows);
    }
}
