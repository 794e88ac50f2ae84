//! Softmax, cross-entropy and its gradient of several rows at a time, each of one line and with a class for its target.
//!
//! One such row is a chain of operations that wait for each other, most of them for a single number. Here rows are the
//! lanes: the same operations in the same order for each, so the bits of [`loss_backward`](super::loss_backward).

use pulp::{Simd, WithSimd};

use super::RowLoss;
use super::row::clip_lows;
use crate::isa::apart;
use crate::tensor::LINE;
use crate::tensor::math::{exp_nonpositive, log};
use crate::tensor::reduce::{Lanes, tree};

/// As [`loss_backward`](super::loss_backward) for softmax and cross-entropy: the loss of each line of `cols` logits z, which
/// becomes dL/dz. One class and one result for each line.
#[inline(always)]
pub fn class_losses_backward<S: Simd>(
    simd: S,
    lines: &mut [Lanes],
    cols: usize,
    classes: impl Fn(usize) -> u32,
    results: &mut [RowLoss],
) {
    debug_assert!(
        (2..=LINE).contains(&cols) && lines.len() == results.len(),
        "lines, and a result for each"
    );
    let parts = lines.chunks_mut(LINE).zip(results.chunks_mut(LINE));
    for (part, (lines, results)) in parts.enumerate() {
        let mut of_lines = [0; LINE];
        for (i, class) in of_lines[..lines.len()].iter_mut().enumerate() {
            *class = classes(part * LINE + i);
        }
        apart(
            simd,
            ClassRows {
                lines,
                cols,
                classes: of_lines,
                results,
            },
        );
    }
}

/// At most [`LINE`] rows.
struct ClassRows<'a> {
    lines: &'a mut [Lanes],
    cols: usize,
    classes: [u32; LINE],
    results: &'a mut [RowLoss],
}

/// What comes of the rows beside the probabilities.
struct Outcome {
    loss: Lanes,
    /// The first greatest of the probabilities.
    first: Lanes,
    top: Lanes,
}

impl WithSimd for ClassRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            lines,
            cols,
            classes,
            results,
        } = self;
        // What is not there stays 0.
        let (mut rows, mut chosen) = ([[0.0; LINE]; LINE], [0.0; LINE]);
        rows[..lines.len()].copy_from_slice(lines);
        for ((z, row), &class) in chosen.iter_mut().zip(&rows).zip(&classes) {
            *z = row[class as usize];
        }
        // One line for each output, of all rows.
        let mut columns = [[0.0; LINE]; LINE];
        for (j, column) in columns[..cols].iter_mut().enumerate() {
            pick(&rows, j, column);
        }
        let outcome = probabilities(simd, &mut columns[..cols], &chosen);
        for (r, (line, result)) in lines.iter_mut().zip(results).enumerate() {
            pick(&columns, r, line);
            let class = classes[r];
            line[class as usize] -= 1.0;
            *result = RowLoss {
                loss: outcome.loss[r],
                correct: (outcome.first[r] == class as f32) & !outcome.top[r].is_nan(),
            };
        }
    }
}

/// Number `at` of each line.
#[inline(always)]
fn pick(lines: &[Lanes; LINE], at: usize, picked: &mut Lanes) {
    for (x, line) in picked.iter_mut().zip(lines) {
        *x = line[at];
    }
}

/// The logits become probabilities; `chosen` are those of the classes.
#[inline(always)]
fn probabilities<S: Simd>(simd: S, columns: &mut [Lanes], chosen: &Lanes) -> Outcome {
    let mut outcome = Outcome {
        loss: [0.0; LINE],
        first: [0.0; LINE],
        top: [0.0; LINE],
    };
    let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    let low = simd.splat_f32s(f32::NEG_INFINITY);
    for v in 0..LINE / S::F32_LANES {
        let mut lanes = [low; LINE];
        for (lane, column) in lanes.iter_mut().zip(&*columns) {
            *lane = greater(simd, low, S::as_simd_f32s(column).0[v]);
        }
        let max = tree(
            lanes,
            #[inline(always)]
            |a, b| greater(simd, a, b),
        );
        let mut lanes = [zero; LINE];
        for (lane, column) in lanes.iter_mut().zip(&mut *columns) {
            let z = &mut S::as_mut_simd_f32s(column).0[v];
            *z = exp_nonpositive(simd, simd.sub_f32s(*z, max));
            *lane = *z;
        }
        let sum = tree(
            lanes,
            #[inline(always)]
            |a, b| simd.add_f32s(a, b),
        );
        let factor = simd.div_f32s(one, sum);
        let (mut first, mut top) = (zero, low);
        for (j, column) in columns.iter_mut().enumerate() {
            let p = &mut S::as_mut_simd_f32s(column).0[v];
            *p = simd.mul_f32s(*p, factor);
            let above = simd.greater_than_f32s(*p, top);
            first = simd.select_f32s(above, simd.splat_f32s(j as f32), first);
            // A NaN is in all outputs of a row or in none.
            top = if j == 0 {
                *p
            } else {
                simd.select_f32s(above, *p, top)
            };
        }
        let shifted = simd.sub_f32s(S::as_simd_f32s(chosen).0[v], max);
        let shifted = clip_lows(simd, shifted);
        S::as_mut_simd_f32s(&mut outcome.loss).0[v] = simd.sub_f32s(log(simd, sum), shifted);
        S::as_mut_simd_f32s(&mut outcome.first).0[v] = first;
        S::as_mut_simd_f32s(&mut outcome.top).0[v] = top;
    }
    outcome
}

/// The greater of each two; a where b is NaN.
#[inline(always)]
fn greater<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.select_f32s(simd.greater_than_f32s(b, a), b, a)
}
