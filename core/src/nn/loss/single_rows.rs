//! Loss and gradient of several rows at a time, each of a single output: regression of one number, a yes or no.
//!
//! One such row is one number in a line of sixteen. Here rows are the lanes: the same operations for each, so the bits of
//! [`loss_backward`](super::loss_backward).

use pulp::{Simd, WithSimd};

use super::row::{DOutput, Terms};
use super::{Loss, RowLoss};
use crate::isa::apart;
use crate::nn::Target;
use crate::tensor::LINE;
use crate::tensor::activation::{Activation, activation_backward};
use crate::tensor::reduce::Lanes;

/// As [`loss_backward`](super::loss_backward) for each line, whose first number is the output, z where
/// [`Loss::from_logits`], else f(z), and becomes dL/dz. One target and one result for each line, and where the activation
/// [needs the pre-activation](Activation::needs_preactivation) one of `preactivation`, which is else not looked at. Not for
/// softmax.
#[inline(always)]
pub fn single_losses_backward<'t, S: Simd>(
    simd: S,
    (loss, output): (Loss, Activation),
    lines: &mut [Lanes],
    preactivation: &[Lanes],
    targets: impl Fn(usize) -> Target<'t>,
    results: &mut [RowLoss],
) {
    debug_assert!(
        output != Activation::Softmax && lines.len() == results.len(),
        "lines, and a result for each"
    );
    let parts = lines.chunks_mut(LINE).zip(results.chunks_mut(LINE));
    for (part, (lines, results)) in parts.enumerate() {
        let first = part * LINE;
        let mut of_lines = [0.0; LINE];
        let mut are_classes = false;
        for (r, y) in of_lines[..lines.len()].iter_mut().enumerate() {
            let target = targets(first + r);
            are_classes = matches!(target, Target::Class(_));
            *y = target.line(0, 1)[0];
        }
        let preactivation = output
            .needs_preactivation()
            .then(|| &preactivation[first..][..lines.len()]);
        apart(
            simd,
            SingleRows {
                loss,
                output,
                lines,
                preactivation,
                targets: of_lines,
                are_classes,
                results,
            },
        );
    }
}

/// At most [`LINE`] rows.
struct SingleRows<'a> {
    loss: Loss,
    output: Activation,
    lines: &'a mut [Lanes],
    preactivation: Option<&'a [Lanes]>,
    targets: Lanes,
    are_classes: bool,
    results: &'a mut [RowLoss],
}

impl WithSimd for SingleRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            loss,
            output,
            lines,
            preactivation,
            targets,
            are_classes,
            results,
        } = self;
        let (cols, target) = (lines.len(), Target::Values(&targets));
        let mut row = firsts(lines);
        let terms = Terms {
            loss,
            row: &mut row,
            cols,
            target,
        };
        let terms = apart(simd, terms);
        for ((result, &term), (&p, &y)) in
            results.iter_mut().zip(&terms).zip(row.iter().zip(&targets))
        {
            *result = RowLoss {
                loss: loss.of_sum(term, 1),
                correct: are_classes && Target::Class(y as u32).is_hit(&[p]),
            };
        }
        let saved = preactivation.map_or(row, firsts);
        let d_output = DOutput {
            loss,
            row: &mut row,
            cols,
            outputs: 1,
            target,
        };
        apart(simd, d_output);
        if loss.passes(output) {
            activation_backward(simd, output, &saved, &mut row, cols);
        }
        for (line, d) in lines.iter_mut().zip(row) {
            line[0] = d;
        }
    }
}

/// The first number of each line, then zeros.
#[inline(always)]
fn firsts(lines: &[Lanes]) -> Lanes {
    let mut firsts = [0.0; LINE];
    for (first, line) in firsts.iter_mut().zip(lines) {
        *first = line[0];
    }
    firsts
}
