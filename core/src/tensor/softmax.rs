//! Softmax of a row: `y[j] = exp(z[j] - max z) / sum over k of exp(z[k] - max z)`.
//!
//! The maximum goes out first, so that no exponential overflows. The backward pass is `y (d - sum d y)`; with
//! cross-entropy after it the two collapse into y - target (see `nn::loss`), which is why the pieces are apart here.

use pulp::Simd;

use super::math::exp_nonpositive;
use super::reduce::{dot16, fill_padding, lines_mut, max16, tree_sum};
use super::{LINE, padded};

/// Writes exp(z - max z) over the row's logits z, zeros over its padding; gives (max z, the sum of what was written).
#[inline(always)]
pub fn softmax_exp<S: Simd>(simd: S, row: &mut [f32], cols: usize) -> (f32, f32) {
    debug_assert_eq!(row.len(), padded(cols), "a padded row");
    // -inf is neutral in the maximum, and its exponential is the zero that the padding must be.
    fill_padding(simd, row, cols, f32::NEG_INFINITY);
    let max = max16(simd, row);
    let shift = simd.splat_f32s(max);
    let mut lanes = [0.0; LINE];
    for line in lines_mut(row) {
        let sums = S::as_mut_simd_f32s(&mut lanes).0;
        for (z, sum) in S::as_mut_simd_f32s(line).0.iter_mut().zip(sums) {
            *z = exp_nonpositive(simd, simd.sub_f32s(*z, shift));
            *sum = simd.add_f32s(*sum, *z);
        }
    }
    (max, tree_sum(lanes))
}

/// Multiplies the row by `factor`; zeros over its padding, even where the factor is NaN.
#[inline(always)]
pub fn scale<S: Simd>(simd: S, row: &mut [f32], cols: usize, factor: f32) {
    let factor = simd.splat_f32s(factor);
    for x in S::as_mut_simd_f32s(row).0 {
        *x = simd.mul_f32s(*x, factor);
    }
    fill_padding(simd, row, cols, 0.0);
}

/// Softmax of `cols` logits in place. A NaN or +inf among them makes the whole row NaN.
#[inline(always)]
pub fn softmax_forward<S: Simd>(simd: S, row: &mut [f32], cols: usize) {
    let (_, sum) = softmax_exp(simd, row, cols);
    scale(simd, row, cols, 1.0 / sum);
}

/// `d = y (d - sum d y)`: the gradient by the logits from the one by the probabilities y; both padded with zeros.
#[inline(always)]
pub fn softmax_backward<S: Simd>(simd: S, y: &[f32], d: &mut [f32]) {
    let mean = simd.splat_f32s(dot16(simd, d, y));
    for (d, &y) in S::as_mut_simd_f32s(d)
        .0
        .iter_mut()
        .zip(S::as_simd_f32s(y).0)
    {
        *d = simd.mul_f32s(y, simd.sub_f32s(*d, mean));
    }
}
