//! How far two roundings of the same number may lie apart.

use crate::gemm::KB;

/// The componentwise bound on |C - C*| for one element of C = A B computed in f32 by chains of at most [`KB`] fused
/// multiply-adds whose sums are added in order, C* being exact and `sum_abs` the sum of |a||b| over the k terms:
///
/// (`k_block` + k / `k_block` + 2) 2^-24 `sum_abs`
///
/// Every term passes through at most `k_block` roundings in its block and one for each later block; 2 covers the
/// terms of second order and one addition to what was there before (Higham, Accuracy and Stability, section 3.1).
pub fn gemm_bound(k: usize, sum_abs: f64) -> f64 {
    let block = k.clamp(1, KB);
    (block + k.div_ceil(block) + 2) as f64 * 2.0_f64.powi(-24) * sum_abs
}

/// The same for a sum of k products in any order, products and sums rounded: (k + 2) 2^-24 `sum_abs`.
pub fn sum_bound(k: usize, sum_abs: f64) -> f64 {
    (k + 2) as f64 * 2.0_f64.powi(-24) * sum_abs
}

/// |a - b| over the larger of the two magnitudes, both taken as at least `floor`: near zero the error becomes absolute,
/// in units of `floor`.
pub fn relative_error(a: f64, b: f64, floor: f64) -> f64 {
    (a - b).abs() / a.abs().max(b.abs()).max(floor)
}

#[cfg(test)]
mod tests {
    use super::{gemm_bound, relative_error};
    use crate::gemm::{gemm_chain, gemm_f64};
    use crate::rng::Rng;

    #[test]
    fn the_bound_holds_and_is_not_idle() {
        let mut rng = Rng::new(11);
        let mut worst: f64 = 0.0;
        for k in [1, 2, 7, 511, 512, 513, 1030, 4096] {
            // All of one sign: the sums grow, so that every step rounds.
            let a = rng.uniform(8 * k, 0.5, 1.0);
            let b = rng.uniform(k * 8, 0.5, 1.0);
            let (at_a, at_b) = (|i, p| a[i * k + p], |p, j| b[p * 8 + j]);
            let c = gemm_chain([8, 8, k], at_a, at_b, None);
            let exact = gemm_f64([8, 8, k], at_a, at_b, None);
            for (&c, exact) in c.iter().zip(&exact) {
                let share = (f64::from(c) - exact.value).abs() / gemm_bound(k, exact.sum_abs);
                assert!(share <= 1.0, "k = {k}: {share} of the bound");
                worst = worst.max(share);
            }
        }
        assert!(worst > 0.05, "the worst error was {worst} of the bound");
    }

    #[test]
    fn the_bound_catches_a_dropped_term() {
        let k = 1030;
        let ones = vec![1.0; k];
        let at = |_, p: usize| ones[p];
        let exact = &gemm_f64([1, 1, k], at, |p, _| ones[p], None)[0];
        let dropped = &gemm_f64([1, 1, k - 1], at, |p, _| ones[p], None)[0];
        assert!((exact.value - dropped.value).abs() > gemm_bound(k, exact.sum_abs));
    }

    #[test]
    fn relative_error_is_symmetric_and_absolute_near_zero() {
        assert_eq!(relative_error(2.0, 1.0, 1e-3), 0.5);
        assert_eq!(relative_error(1.0, 2.0, 1e-3), 0.5);
        assert_eq!(relative_error(0.0, 1e-6, 1e-3), 1e-3);
    }
}
