//! The step of plain descent on one row: its outer product is added to the weights as they lie, and to their transpose.
//!
//! ```text
//! w -= rate (a x d), and transposed -= rate (d x a)
//! ```
//! These are the sums, one term each, that the gradient's product would make, and the step that would follow; in the
//! transpose the same numbers come out again, and nothing need be turned.

use pulp::{Simd, WithSimd};

use super::Slab;
use crate::isa::Isa;
use crate::optim::Descent;
use crate::tensor::LINE;
use crate::tensor::gemm::Rows;

impl Slab {
    /// Takes the step, if it is such a one: all the batch is one row, whose gradient is not scaled.
    pub(super) fn learn_alone(
        &mut self,
        isa: Isa,
        pieces: &[Rows<'_>],
        descent: Option<Descent>,
    ) -> bool {
        let mut filled = pieces.iter().filter(|piece| piece.len > 0);
        let (Some(row), None, Some(Descent { lr, scale: 1.0 })) =
            (filled.next(), filled.next(), descent)
        else {
            return false;
        };
        if row.len > 1 {
            return false;
        }
        isa.dispatch(LoneStep {
            a: &row.a[self.rows.clone()],
            d: &row.lines[..self.panels.len()],
            weight: self.weight.value.as_chunks_mut().0,
            transposed: self.transposed.as_chunks_mut().0,
            outputs: self.outputs,
            rate: lr,
        });
        true
    }
}

/// The step of some inputs' weights.
struct LoneStep<'a> {
    /// The inputs.
    a: &'a [f32],
    /// dL/dz, a line for each panel of weights.
    d: &'a [[f32; LINE]],
    /// Panels of weights, each of as many lines as there are inputs.
    weight: &'a mut [[f32; LINE]],
    /// Panels of inputs, each of as many lines as there are outputs; or nothing.
    transposed: &'a mut [[f32; LINE]],
    outputs: usize,
    rate: f32,
}

impl WithSimd for LoneStep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            a,
            d,
            weight,
            transposed,
            outputs,
            rate,
        } = self;
        if a.is_empty() {
            return;
        }
        for (panel, d) in weight.chunks_exact_mut(a.len()).zip(d) {
            add(simd, -rate, a, d, panel);
        }
        let d = &d.as_flattened()[..outputs];
        for (panel, a) in transposed.chunks_exact_mut(outputs).zip(a.chunks(LINE)) {
            // What is past the inputs stays zero.
            let mut line = [0.0; LINE];
            line[..a.len()].copy_from_slice(a);
            add(simd, -rate, d, &line, panel);
        }
    }
}

/// Line i of the lines += factor times x of i times b.
#[inline(always)]
fn add<S: Simd>(simd: S, factor: f32, x: &[f32], b: &[f32; LINE], lines: &mut [[f32; LINE]]) {
    let (zero, factor) = (simd.splat_f32s(0.0), simd.splat_f32s(factor));
    for (line, &x) in lines.iter_mut().zip(x) {
        let x = simd.splat_f32s(x);
        let (b, line) = (S::as_simd_f32s(b).0, S::as_mut_simd_f32s(line).0);
        for (c, &b) in line.iter_mut().zip(b) {
            // As it is stored elsewhere: no sum is -0.
            let sum = simd.add_f32s(zero, simd.mul_f32s(x, b));
            *c = simd.mul_add_f32s(factor, sum, *c);
        }
    }
}
