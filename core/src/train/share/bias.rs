//! The step of a layer's bias.

use pulp::{Simd, WithSimd};

use super::{Parameters, Part};
use crate::optim::{Descent, Update};
use crate::tensor::LINE;
use crate::tensor::gemm::Rows;

/// The bias gradient, sums of the rows in ascending order, and the step.
pub(super) struct BiasStep<'a> {
    pub(super) bias: &'a mut Parameters,
    pub(super) pieces: &'a [Rows<'a>],
    pub(super) part: Part,
    pub(super) step: &'a Update,
}

impl WithSimd for BiasStep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let descent = self.step.descent().filter(|_| self.part.is_all());
        for j in 0..self.bias.value.len() / LINE {
            let mut sum = [0.0; LINE];
            for piece in self.pieces {
                for line in &piece.lines[j * piece.len..][..piece.len] {
                    for (sum, x) in sum.iter_mut().zip(line) {
                        *sum += x;
                    }
                }
            }
            let Some(Descent { lr, scale }) = descent else {
                self.bias
                    .step(simd, j * LINE, &mut sum, self.part, self.step);
                continue;
            };
            // The same step, in place: of one row it is most of the work to get there.
            let (scale, factor) = (simd.splat_f32s(scale), simd.splat_f32s(-lr));
            let value = &mut self.bias.value[j * LINE..][..LINE];
            for (w, &g) in S::as_mut_simd_f32s(value)
                .0
                .iter_mut()
                .zip(S::as_simd_f32s(&sum).0)
            {
                *w = simd.mul_add_f32s(factor, simd.mul_f32s(scale, g), *w);
            }
        }
    }
}
