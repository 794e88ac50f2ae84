//! What becomes of the rows of a product before anybody else sees them, while they are in a near cache.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::isa::apart;
use crate::tensor::activation::{Activation, Forward, activation_backward_rows};
use crate::tensor::{LINE, padded};

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
    /// What follows in the way back, which has neither of those.
    pub back: Option<Back<'a>>,
}

/// c = c f', and the rows once more in panels.
#[derive(Debug)]
pub struct Back<'a> {
    /// f.
    pub activation: Activation,
    /// f(z), or z if f needs that, in rows of the same stride as C.
    pub saved: &'a [f32],
    /// `[panel, row, 16]`, or nothing.
    pub panels: &'a mut [[f32; LINE]],
    /// The rows of a panel.
    pub all: usize,
    /// Whether C is read again, where there are panels.
    pub rows_too: bool,
}

impl Back<'_> {
    /// What f' is at and below 0, if it is 1 above: all is then done line by line.
    pub(super) fn slope(&self) -> Option<f32> {
        match self.activation {
            Activation::Relu => Some(0.0),
            Activation::LeakyRelu(slope) => Some(slope),
            Activation::Identity | Activation::StraightThroughRelu => Some(1.0),
            _ => None,
        }
    }

    /// Lines q of these rows of C, of which `line` makes what they are before from what is there: in the panel and, if
    /// they are read again, in C.
    #[inline(always)]
    pub(super) fn lines<S: Simd>(
        &mut self,
        simd: S,
        slope: S::f32s,
        (c, stride): (&mut [f32], usize),
        (q, rows): (usize, Range<usize>),
        line: impl Fn(usize, &[f32; LINE]) -> [f32; LINE],
    ) {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        let panel = self.panels.get_mut(q * self.all..).unwrap_or_default();
        let (c, saved) = (c.as_chunks_mut().0, self.saved.as_chunks::<LINE>().0);
        let mut at = rows.start * stride / LINE + q;
        for r in rows {
            let mut d = line(r, &c[at]);
            let y = S::as_simd_f32s(&saved[at]).0.iter();
            for (d, y) in S::as_mut_simd_f32s(&mut d).0.iter_mut().zip(y) {
                let low = simd.less_than_or_equal_f32s(*y, zero);
                *d = simd.mul_f32s(*d, simd.select_f32s(low, slope, one));
            }
            let again = panel.get_mut(r);
            if again.is_none() || self.rows_too {
                c[at] = d;
            }
            if let Some(again) = again {
                *again = d;
            }
            at += stride / LINE;
        }
    }
}

/// It, of these rows of C, n columns and their padding, `stride` apart.
struct GoBack<'a, 'b> {
    back: &'a mut Back<'b>,
    c: &'a mut [f32],
    stride: usize,
    n: usize,
    rows: Range<usize>,
}

impl WithSimd for GoBack<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            back,
            c,
            stride,
            n,
            rows,
        } = self;
        if let Some(slope) = back.slope() {
            let slope = simd.splat_f32s(slope);
            for q in 0..n.div_ceil(LINE) {
                let c = (&mut *c, stride);
                back.lines(simd, slope, c, (q, rows.clone()), |_, line| *line);
            }
            return;
        }
        let at = rows.start * stride..(rows.end - 1) * stride + padded(n);
        let saved = &back.saved[at.clone()];
        activation_backward_rows(simd, back.activation, (saved, &mut c[at], stride), n);
        spread((c, stride), n, rows, (back.panels, back.all));
    }
}

/// These rows of C, `stride` apart, n columns and their padding, as lines of panels of `all` rows, if there are any. (By index:
/// iterators beside each other would ask how many chunks there are, a division each.)
#[inline(always)]
pub(crate) fn spread(
    (c, stride): (&[f32], usize),
    n: usize,
    rows: Range<usize>,
    (panels, all): (&mut [[f32; LINE]], usize),
) {
    if panels.is_empty() {
        return;
    }
    let (c, stride) = (c.as_chunks::<LINE>().0, stride / LINE);
    for j in 0..padded(n) / LINE {
        let mut at = rows.start * stride + j;
        for line in &mut panels[j * all..][rows.clone()] {
            *line = c[at];
            at += stride;
        }
    }
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
