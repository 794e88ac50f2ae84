//! What becomes of the rows of a product before anybody else sees them, while they are in a near cache.

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
    /// One value a column.
    pub bias: Option<&'a [f32]>,
    /// Where c + bias is kept, in rows of the same stride as C.
    pub preactivation: Option<&'a mut [f32]>,
    /// f.
    pub activation: Option<Activation>,
}

/// The part of it that a tile does with its sums while they are in registers: c + bias, or relu of that.
#[derive(Clone, Copy, Debug)]
pub(super) struct InTile<'a> {
    /// One value a column.
    pub(super) bias: &'a [f32],
    pub(super) relu: bool,
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
}

impl Epilogue<'_> {
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
        let nothing =
            self.bias.is_none() && self.preactivation.is_none() && self.activation.is_none();
        if nothing {
            return;
        }
        // A few at a time, while they are near.
        for first in rows.clone().step_by(TOGETHER) {
            let last = rows.end.min(first + TOGETHER) - 1;
            let all = first * stride..last * stride + padded(n);
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
