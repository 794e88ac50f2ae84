//! Losses of one row: a number to minimise, and its gradient by the output layer's pre-activations z.
//!
//! With p the outputs, y the targets, n the number of outputs:
//!
//! | name | loss of a row | dL/dp |
//! |---|---|---|
//! | `mse` | mean of (p - y)^2 | 2 (p - y) / n |
//! | `mae` | mean of \|p - y\| | sign(p - y) / n, 0 at 0 |
//! | `huber:d` | mean of (p - y)^2 / 2, or d (\|p - y\| - d / 2) further out than d | clamp(p - y, -d, d) / n |
//! | `binary-cross-entropy` | mean of -y log p - (1 - y) log(1 - p), p = sigmoid(z) | by z: (p - y) / n |
//! | `cross-entropy` | -sum of y log p, p = softmax(z) | by z: p sum(y) - y, that is p - y |
//!
//! **The two that go with their activation** (binary cross-entropy with sigmoid, cross-entropy with softmax;
//! [`Loss::from_logits`]) take the logits z and apply the activation themselves: log p never sees a p that rounded to 0,
//! and the two derivatives collapse into p - y. No finite logit gives NaN. All others take f(z) and go with every
//! activation; their gradient is carried through f' here, softmax's full Jacobian included.
//!
//! **A row's way.** [`loss_forward`] turns the row that the output layer handed over into the final outputs p and tells
//! the loss; [`loss_backward`] is the same call and then turns p into dL/dz. So evaluation gives the bits of training,
//! and p those of `activation_forward`. The gradient is of this row alone, not divided by the batch.
//!
//! Rows are whole lines, padded with zeros on the way in and out. Sums run in the order of `tensor::reduce`.
//! References: Huber 1964; Bishop 2006, sections 4.3.6 and 5.2 (canonical links).
//!
//! A loss is added here and nowhere else: a variant, a name, a line in `name`, `parse`, `check`, and the two `match`es.

use pulp::Simd;

use super::target::{Target, each, sum_over};
use crate::choice;
use crate::error::{Error, Kind};
use crate::tensor::activation::{Activation, activation_backward};
use crate::tensor::math::{log, sigmoid_log1p};
use crate::tensor::reduce::{Lanes, fill_padding, max16};
use crate::tensor::softmax::{scale, softmax_exp};
use crate::tensor::{LINE, padded};

/// What training makes small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// The mean squared error over the outputs (without a factor 1/2).
    Mse,
    /// The mean absolute error over the outputs.
    Mae,
    /// Squared (halved) within this distance, linear beyond; the mean over the outputs.
    Huber(f32),
    /// Cross-entropy of independent yes-or-no outputs, from logits; the mean over the outputs. With sigmoid.
    BinaryCrossEntropy,
    /// Cross-entropy of one choice among the outputs, from logits. With softmax.
    CrossEntropy,
}

/// What one row came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLoss {
    /// The loss of this row, not divided by the batch.
    pub loss: f32,
    /// Whether the prediction is the target's class: the first greatest output, or, of a single output, p >= 1/2
    /// being class 1. Always false for targets that are values, and where NaN is involved.
    pub correct: bool,
}

impl Loss {
    /// All names, as [`parse`](Self::parse) takes them; `huber` also with a number.
    pub const NAMES: &[&str] = &[
        "mse",
        "mae",
        "huber",
        "binary-cross-entropy",
        "cross-entropy",
    ];

    /// The name, with its number if it has one: "huber:1".
    pub fn name(self) -> String {
        match self {
            Self::Mse => "mse".into(),
            Self::Mae => "mae".into(),
            Self::Huber(distance) => format!("huber:{distance}"),
            Self::BinaryCrossEntropy => "binary-cross-entropy".into(),
            Self::CrossEntropy => "cross-entropy".into(),
        }
    }

    /// The loss of that [`name`](Self::name). Without a number `huber` has the distance 1.
    ///
    /// # Errors
    /// When there is no such name, or the distance is not a positive number.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let what = "loss";
        let (name, number) = choice::parse(what, Self::NAMES, text)?;
        let loss = match (name, number) {
            ("huber", distance) => Self::Huber(distance.unwrap_or(1.0)),
            (_, Some(_)) => return Err(choice::no_number(what, text)),
            ("mse", _) => Self::Mse,
            ("mae", _) => Self::Mae,
            ("binary-cross-entropy", _) => Self::BinaryCrossEntropy,
            ("cross-entropy", _) => Self::CrossEntropy,
            _ => return Err(choice::unknown(what, Self::NAMES, text)),
        };
        loss.check_number()?;
        Ok(loss)
    }

    /// The loss that an output activation is usually trained with.
    pub fn default_for(output: Activation) -> Self {
        match output {
            Activation::Softmax => Self::CrossEntropy,
            Activation::Sigmoid => Self::BinaryCrossEntropy,
            _ => Self::Mse,
        }
    }

    /// Whether the output layer hands over its logits z, the loss applying the activation itself.
    pub fn from_logits(self) -> bool {
        matches!(self, Self::BinaryCrossEntropy | Self::CrossEntropy)
    }

    /// Whether the loss goes with an output layer of that activation and width, and with targets of that many classes
    /// (`None`: the targets are values, `outputs` to a row).
    ///
    /// # Errors
    /// When cross-entropy is without softmax or binary cross-entropy without sigmoid, when there is not one output per
    /// class (a single one may stand for two classes), when softmax has a single output, or the Huber distance is bad.
    pub fn check(
        self,
        output: Activation,
        outputs: usize,
        classes: Option<usize>,
    ) -> Result<(), Error> {
        self.check_number()?;
        let fault = |message| Err(Error::new(Kind::Setting, message));
        let partner = match self {
            Self::BinaryCrossEntropy => Some(Activation::Sigmoid),
            Self::CrossEntropy => Some(Activation::Softmax),
            Self::Mse | Self::Mae | Self::Huber(_) => None,
        };
        if let Some(partner) = partner.filter(|&partner| partner != output) {
            return fault(format!(
                "loss `{}` needs `{}` as the last layer's activation, not `{}`",
                self.name(),
                partner.name(),
                output.name()
            ));
        }
        if output == Activation::Softmax && outputs < 2 {
            return fault(format!(
                "softmax over {outputs} output is always 1; take `sigmoid` for one output, or one output per class"
            ));
        }
        match classes {
            Some(classes) if classes != outputs && !(outputs == 1 && classes == 2) => {
                fault(format!(
                    "{classes} classes need {classes} outputs, not {outputs} (two classes may have one)"
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_number(self) -> Result<(), Error> {
        match self {
            Self::Huber(distance) if !(distance > 0.0 && distance.is_finite()) => Err(Error::new(
                Kind::Setting,
                format!("loss `{}` needs a positive distance", self.name()),
            )),
            _ => Ok(()),
        }
    }
}

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
    let n = cols as f32;
    let loss = match loss {
        Loss::CrossEntropy => cross_entropy(simd, row, cols, target),
        Loss::BinaryCrossEntropy => {
            let zero = simd.splat_f32s(0.0);
            // A logit at which the sigmoid and the loss are exactly 0, as padding must be.
            fill_padding(simd, row, cols, -1000.0);
            let sum = sum_over(
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
            );
            sum / n
        }
        Loss::Mse => {
            let sum = sum_over(
                simd,
                row,
                cols,
                target,
                #[inline(always)]
                |p, y| {
                    let e = simd.sub_f32s(p, y);
                    (p, simd.mul_f32s(e, e))
                },
            );
            sum / n
        }
        Loss::Mae => {
            let sum = sum_over(
                simd,
                row,
                cols,
                target,
                #[inline(always)]
                |p, y| (p, simd.abs_f32s(simd.sub_f32s(p, y))),
            );
            sum / n
        }
        Loss::Huber(distance) => {
            let half = simd.splat_f32s(0.5);
            let far = simd.splat_f32s(distance);
            let sum = sum_over(
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
            );
            sum / n
        }
    };
    RowLoss {
        loss,
        correct: target.is_hit(&row[..cols]),
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
    let through_activation = !loss.from_logits() && output != Activation::Identity;
    if through_activation && !output.needs_preactivation() {
        saved.copy_from_slice(row);
    }
    d_output(simd, loss, row, cols, target);
    if through_activation {
        activation_backward(simd, output, saved, row, cols);
    }
    result
}

/// p -> dL/dp, or dL/dz for the losses from logits.
#[inline(always)]
fn d_output<S: Simd>(simd: S, loss: Loss, row: &mut [f32], cols: usize, target: Target<'_>) {
    let n = cols as f32;
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
        Loss::BinaryCrossEntropy | Loss::Mse => {
            let factor = if loss == Loss::Mse { 2.0 / n } else { 1.0 / n };
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
            let floor = simd.splat_f32s(f32::MIN);
            // The row is not changed by this pass: each vector of it is written back as it was.
            let dot = sum_over(
                simd,
                row,
                cols,
                target,
                #[inline(always)]
                |z, y| {
                    let s = simd.sub_f32s(z, max);
                    let s = simd.select_f32s(simd.less_than_f32s(s, floor), floor, s);
                    (z, simd.mul_f32s(y, s))
                },
            );
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

/// The logarithm of one number, by the vector function.
#[inline(always)]
fn log_of<S: Simd>(simd: S, x: f32) -> f32 {
    let mut line: Lanes = [0.0; LINE];
    S::as_mut_simd_f32s(&mut line).0[0] = log(simd, simd.splat_f32s(x));
    line[0]
}
