//! Numbers that an optimiser moves.

use pulp::{Simd, WithSimd};

use super::{Needs, Part};
use crate::isa::apart;
use crate::optim::{Step, Update};
use crate::tensor::matrix::Aligned;

/// Numbers that an optimiser moves, with all it keeps about them.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) value: Aligned,
    pub(super) m: Aligned,
    pub(super) v: Aligned,
    /// The gradient of the parts of the batch so far; empty where a batch has one part.
    pub(super) sum: Aligned,
    /// The values of the best epoch; empty where nobody asks.
    pub(super) best: Aligned,
}

impl Parameters {
    pub(super) fn new(value: Aligned, needs: Needs) -> Self {
        let room = |wanted: bool| Aligned::zeroed(if wanted { value.len() } else { 0 });
        Self {
            m: room(needs.moments >= 1),
            v: room(needs.moments >= 2),
            sum: room(needs.parts),
            best: room(needs.best),
            value,
        }
    }

    /// The bytes that a step reads and writes.
    pub(super) fn size(&self) -> usize {
        (self.value.len() + self.m.len() + self.v.len()) * size_of::<f32>()
    }

    /// Takes the gradient of one part of the batch for the values from `at` on; after the last part, the step.
    #[inline(always)]
    pub(super) fn step<S: Simd>(
        &mut self,
        simd: S,
        at: usize,
        gradient: &mut [f32],
        part: Part,
        step: &Update,
    ) {
        let parameters = self;
        apart(
            simd,
            Taken {
                parameters,
                at,
                gradient,
                part,
                step,
            },
        );
    }
}

/// [`Parameters::step`].
struct Taken<'a> {
    parameters: &'a mut Parameters,
    at: usize,
    gradient: &'a mut [f32],
    part: Part,
    step: &'a Update,
}

impl WithSimd for Taken<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            parameters,
            gradient,
            part,
            ..
        } = self;
        let at = self.at..self.at + gradient.len();
        if !part.is_all() {
            let sum = &mut parameters.sum[at.clone()];
            if !part.first {
                for (gradient, sum) in gradient.iter_mut().zip(&*sum) {
                    *gradient += sum;
                }
            }
            if !part.last {
                sum.copy_from_slice(gradient);
                return;
            }
        }
        let some = |moments: &Aligned| if moments.is_empty() { 0..0 } else { at.clone() };
        let (of_m, of_v) = (some(&parameters.m), some(&parameters.v));
        let step = Step {
            update: self.step,
            w: &mut parameters.value[at],
            g: gradient,
            m: &mut parameters.m[of_m],
            v: &mut parameters.v[of_v],
        };
        step.with_simd(simd);
    }
}
