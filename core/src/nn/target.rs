//! What one row of the output should have been, and the walk over a row beside it.

use pulp::Simd;

use crate::tensor::LINE;
use crate::tensor::reduce::{Lanes, fill_padding, lines_mut, tree_sum};

/// What one row of the output should have been: y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target<'a> {
    /// A class: y is 1 at that output and 0 at the others; of a single output, y is the class itself, 0 or 1.
    Class(u32),
    /// The values y of all outputs, and possibly zeros after them.
    Values(&'a [f32]),
}

impl Target<'_> {
    /// The targets of line `i` of a row of `cols` outputs, zero past the last.
    #[inline(always)]
    pub fn line(self, i: usize, cols: usize) -> Lanes {
        let mut line = [0.0; LINE];
        match self {
            Self::Class(class) if cols == 1 => line[0] = class as f32,
            Self::Class(class) => {
                if class as usize / LINE == i {
                    line[class as usize % LINE] = 1.0;
                }
            }
            Self::Values(values) => {
                let values = &values[i * LINE..];
                // A whole line is one copy of known length, and no call.
                match values.first_chunk::<LINE>() {
                    Some(whole) => line = *whole,
                    None => line[..values.len()].copy_from_slice(values),
                }
            }
        }
        line
    }

    /// The sum of the targets of a row of `cols` outputs, in the order of `tensor::reduce`.
    #[inline(always)]
    pub fn sum<S: Simd>(self, simd: S, cols: usize) -> f32 {
        let mut lanes: Lanes = [0.0; LINE];
        for i in 0..cols.div_ceil(LINE) {
            let line = self.line(i, cols);
            let sums = S::as_mut_simd_f32s(&mut lanes).0;
            for (sum, &y) in sums.iter_mut().zip(S::as_simd_f32s(&line).0) {
                *sum = simd.add_f32s(*sum, y);
            }
        }
        tree_sum(lanes)
    }

    /// Whether the outputs p predict the class: the first greatest is its, or, of a single output, p >= 1/2 is class 1.
    #[inline(always)]
    pub fn is_hit(self, outputs: &[f32]) -> bool {
        match (self, outputs) {
            (Self::Values(_), _) => false,
            (Self::Class(class), &[p]) => !p.is_nan() && (p >= 0.5) == (class == 1),
            (Self::Class(class), _) => {
                let (before, after) = outputs.split_at(class as usize);
                let p = after[0];
                // NaN fails every comparison.
                holds_for_all(
                    before,
                    #[inline(always)]
                    |q| q < p,
                ) && holds_for_all(
                    after,
                    #[inline(always)]
                    |q| q <= p,
                )
            }
        }
    }
}

/// Whether the condition holds for all; whole lines at once, without branches inside.
#[inline(always)]
fn holds_for_all(xs: &[f32], condition: impl Fn(f32) -> bool) -> bool {
    let (lines, rest) = xs.as_chunks::<LINE>();
    lines
        .iter()
        .all(|line| line.iter().fold(true, |all, &x| all & condition(x)))
        && rest.iter().all(|&x| condition(x))
}

/// Replaces every vector x of the row by the first of f(x, y), y being the targets; gives the sums of the second, lane by
/// lane.
#[inline(always)]
pub(super) fn sum_over<S: Simd>(
    simd: S,
    row: &mut [f32],
    cols: usize,
    target: Target<'_>,
    f: impl Fn(S::f32s, S::f32s) -> (S::f32s, S::f32s),
) -> Lanes {
    let mut lanes: Lanes = [0.0; LINE];
    for (i, line) in lines_mut(row).iter_mut().enumerate() {
        let targets = target.line(i, cols);
        let sums = S::as_mut_simd_f32s(&mut lanes).0.iter_mut();
        let xs = S::as_mut_simd_f32s(line).0.iter_mut();
        for ((x, &y), sum) in xs.zip(S::as_simd_f32s(&targets).0).zip(sums) {
            let term;
            (*x, term) = f(*x, y);
            *sum = simd.add_f32s(*sum, term);
        }
    }
    fill_padding(simd, row, cols, 0.0);
    lanes
}

/// Replaces every vector x of the row by f(x, y), y being the targets.
#[inline(always)]
pub(super) fn each<S: Simd>(
    simd: S,
    row: &mut [f32],
    cols: usize,
    target: Target<'_>,
    f: impl Fn(S::f32s, S::f32s) -> S::f32s,
) {
    for (i, line) in lines_mut(row).iter_mut().enumerate() {
        let targets = target.line(i, cols);
        let xs = S::as_mut_simd_f32s(line).0.iter_mut();
        for (x, &y) in xs.zip(S::as_simd_f32s(&targets).0) {
            *x = f(*x, y);
        }
    }
    fill_padding(simd, row, cols, 0.0);
}
