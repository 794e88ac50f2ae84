//! The loss of one row and its gradient: the two matches of the table in the [module](super).

use pulp::{Simd, WithSimd};

use super::super::target::{Target, each, sum_over};
use super::{Loss, RowLoss};
use crate::isa::apart;
use crate::tensor::activation::{Activation, activation_backward};
use crate::tensor::math::{log, sigmoid_log1p};
use crate::tensor::reduce::{Lanes, fill_padding, max16, tree_sum};
use crate::tensor::softmax::{scale, softmax_exp};
use crate::tensor::{LINE, padded};

/// The loss of one row, which becomes the final outputs p.
///
/// On entry `row` is z where [`Loss::from_logits`], else f(z); on exit it is p = f(z) in both cases, padded with zeros.
#[inline(always)]
pub fn loss_forward<S: Simd>(
    simd: S,
    loss: Loss,
    row: &mut [f32],
    cols: usize,
    target: Target<'_>,
) -> RowLoss {
    debug_assert_eq!(row.len(), padded(cols), "a padded row");
    apart(
        simd,
        Forward {
            loss,
            row,
            cols,
            target,
        },
    )
}

struct Forward<'a> {
    loss: Loss,
    row: &'a mut [f32],
    cols: usize,
    target: Target<'a>,
}

impl WithSimd for Forward<'_> {
    type Output = RowLoss;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> RowLoss {
        let Self {
            loss,
            row,
            cols,
            target,
        } = self;
        let terms = Terms {
            loss,
            row: &mut *row,
            cols,
            target,
        };
        let loss = match loss {
            Loss::CrossEntropy => cross_entropy(simd, row, cols, target),
            _ => loss.of_sum(tree_sum(apart(simd, terms)), cols),
        };
        RowLoss {
            loss,
            correct: target.is_hit(&row[..cols]),
        }
    }
}

impl Loss {
    /// The loss of a row of so many outputs whose [`Terms`] have that sum.
    #[inline(always)]
    pub(super) fn of_sum(self, sum: f32, outputs: usize) -> f32 {
        match self {
            Self::SquaredError => sum,
            Self::HalfSquaredError => 0.5 * sum,
            _ => sum / outputs as f32,
        }
    }

    /// Whether dL/dz is dL/dp through the slope of that activation.
    #[inline(always)]
    pub(super) fn passes(self, output: Activation) -> bool {
        !self.from_logits() && output != Activation::Identity
    }
}

/// The terms of a loss that is a sum over the outputs, lane by lane, the row becoming the final outputs p.
pub(super) struct Terms<'a> {
    pub(super) loss: Loss,
    pub(super) row: &'a mut [f32],
    pub(super) cols: usize,
    pub(super) target: Target<'a>,
}

impl WithSimd for Terms<'_> {
    type Output = Lanes;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Lanes {
        let Self {
            loss,
            row,
            cols,
            target,
        } = self;
        match loss {
            // Not such a sum: nobody asks for its terms.
            Loss::CrossEntropy => [f32::NAN; LINE],
            Loss::BinaryCrossEntropy => {
                let zero = simd.splat_f32s(0.0);
                // A logit at which the sigmoid and the loss are exactly 0, as padding must be.
                fill_padding(simd, row, cols, -1000.0);
                sum_over(
                    simd,
                    row,
                    cols,
                    target,
                    #[inline(always)]
                    |z, y| {
                        // -y log p - (1 - y) log(1 - p) = max(z, 0) - y z + log(1 + e^-|z|)
                        let (p, log1p) = sigmoid_log1p(simd, z);
                        let top = simd.select_f32s(simd.greater_than_f32s(z, zero), z, zero);
                        (p, simd.add_f32s(simd.negate_mul_add_f32s(y, z, top), log1p))
                    },
                )
            }
            Loss::Mse | Loss::SquaredError | Loss::HalfSquaredError => sum_over(
                simd,
                row,
                cols,
                target,
                #[inline(always)]
                |p, y| {
                    let e = simd.sub_f32s(p, y);
                    (p, simd.mul_f32s(e, e))
                },
            ),
            Loss::Mae => sum_over(
                simd,
                row,
                cols,
                target,
                #[inline(always)]
                |p, y| (p, simd.abs_f32s(simd.sub_f32s(p, y))),
            ),
            Loss::Huber(distance) => {
                let half = simd.splat_f32s(0.5);
                let far = simd.splat_f32s(distance);
                sum_over(
                    simd,
                    row,
                    cols,
                    target,
                    #[inline(always)]
                    |p, y| {
                        let e = simd.abs_f32s(simd.sub_f32s(p, y));
                        let near = simd.mul_f32s(half, simd.mul_f32s(e, e));
                        let linear = simd.mul_f32s(far, simd.negate_mul_add_f32s(half, far, e));
                        let beyond = simd.greater_than_f32s(e, far);
                        (p, simd.select_f32s(beyond, linear, near))
                    },
                )
            }
        }
    }
}

/// The loss of one row, which becomes dL/dz (of this row alone, not divided by the batch), padded with zeros.
///
/// On entry `row` is z where [`Loss::from_logits`], else f(z) for the activation `output`. `saved` is as long as `row`;
/// it holds z where `output` [needs the pre-activation](Activation::needs_preactivation), and is otherwise scratch whose
/// content is of no account. For the losses from logits, and for the identity, it is not touched and may be empty.
#[inline(always)]
pub fn loss_backward<S: Simd>(
    simd: S,
    loss: Loss,
    output: Activation,
    row: &mut [f32],
    cols: usize,
    target: Target<'_>,
    saved: &mut [f32],
) -> RowLoss {
    let result = loss_forward(simd, loss, row, cols, target);
    if loss.passes(output) && !output.needs_preactivation() {
        saved.copy_from_slice(row);
    }
    apart(
        simd,
        DOutput {
            loss,
            row,
            cols,
            outputs: cols,
            target,
        },
    );
    if loss.passes(output) {
        activation_backward(simd, output, saved, row, cols);
    }
    result
}

/// p -> dL/dp, or dL/dz for the losses from logits. Of `outputs` to a row, which are `cols` where there is but one row.
pub(super) struct DOutput<'a> {
    pub(super) loss: Loss,
    pub(super) row: &'a mut [f32],
    pub(super) cols: usize,
    pub(super) outputs: usize,
    pub(super) target: Target<'a>,
}

impl WithSimd for DOutput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            loss,
            row,
            cols,
            outputs,
            target,
        } = self;
        let n = outputs as f32;
        match loss {
            Loss::CrossEntropy => match target {
                Target::Class(class) => row[class as usize] -= 1.0,
                Target::Values(_) => {
                    let total = simd.splat_f32s(target.sum(simd, cols));
                    each(
                        simd,
                        row,
                        cols,
                        target,
                        #[inline(always)]
                        |p, y| simd.mul_add_f32s(p, total, simd.neg_f32s(y)),
                    );
                }
            },
            Loss::BinaryCrossEntropy | Loss::Mse | Loss::SquaredError | Loss::HalfSquaredError => {
                let factor = match loss {
                    Loss::Mse => 2.0 / n,
                    Loss::SquaredError => 2.0,
                    Loss::HalfSquaredError => 1.0,
                    _ => 1.0 / n,
                };
                let factor = simd.splat_f32s(factor);
                each(
                    simd,
                    row,
                    cols,
                    target,
                    #[inline(always)]
                    |p, y| simd.mul_f32s(factor, simd.sub_f32s(p, y)),
                );
            }
            Loss::Mae => {
                let (up, down) = (simd.splat_f32s(1.0 / n), simd.splat_f32s(-1.0 / n));
                let zero = simd.splat_f32s(0.0);
                each(
                    simd,
                    row,
                    cols,
                    target,
                    #[inline(always)]
                    |p, y| {
                        let e = simd.sub_f32s(p, y);
                        // 0 stays 0, and NaN NaN.
                        let d = simd.select_f32s(simd.less_than_f32s(e, zero), down, e);
                        simd.select_f32s(simd.greater_than_f32s(e, zero), up, d)
                    },
                );
            }
            Loss::Huber(distance) => {
                let (far, minus_far) = (simd.splat_f32s(distance), simd.splat_f32s(-distance));
                let factor = simd.splat_f32s(1.0 / n);
                each(
                    simd,
                    row,
                    cols,
                    target,
                    #[inline(always)]
                    |p, y| {
                        let e = simd.sub_f32s(p, y);
                        let e = simd.select_f32s(simd.greater_than_f32s(e, far), far, e);
                        let e = simd.select_f32s(simd.less_than_f32s(e, minus_far), minus_far, e);
                        simd.mul_f32s(factor, e)
                    },
                );
            }
        }
    }
}

/// Cross-entropy of softmax(z), the row of logits z becoming the probabilities.
#[inline(always)]
fn cross_entropy<S: Simd>(simd: S, row: &mut [f32], cols: usize, target: Target<'_>) -> f32 {
    // -sum_j y_j log p_j = sum(y) log sum_k e^(z_k - max) - sum_j y_j (z_j - max)
    let (total, shifted, sum) = match target {
        Target::Class(class) => {
            let z = row[class as usize];
            let (max, sum) = softmax_exp(simd, row, cols);
            (1.0, clip_low(z - max), sum)
        }
        Target::Values(_) => {
            fill_padding(simd, row, cols, f32::NEG_INFINITY);
            let max = simd.splat_f32s(max16(simd, row));
            fill_padding(simd, row, cols, 0.0);
            // The row is not changed by this pass: each vector of it is written back as it was.
            let dot = tree_sum(sum_over(
                simd,
                row,
                cols,
                target,
                #[inline(always)]
                |z, y| {
                    let s = clip_lows(simd, simd.sub_f32s(z, max));
                    (z, simd.mul_f32s(y, s))
                },
            ));
            let (_, sum) = softmax_exp(simd, row, cols);
            (target.sum(simd, cols), dot, sum)
        }
    };
    scale(simd, row, cols, 1.0 / sum);
    total * log_of(simd, sum) - shifted
}

/// The lowest finite number in place of -inf, which times a target of 0 would be NaN.
#[inline(always)]
fn clip_low(x: f32) -> f32 {
    if x < f32::MIN { f32::MIN } else { x }
}

/// The same of each.
#[inline(always)]
pub(super) fn clip_lows<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let floor = simd.splat_f32s(f32::MIN);
    simd.select_f32s(simd.less_than_f32s(x, floor), floor, x)
}

/// The logarithm of one number, by the vector function.
#[inline(always)]
fn log_of<S: Simd>(simd: S, x: f32) -> f32 {
    let mut line: Lanes = [0.0; LINE];
    S::as_mut_simd_f32s(&mut line).0[0] = log(simd, simd.splat_f32s(x));
    line[0]
}
