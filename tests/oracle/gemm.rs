//! Matrix products C = A B, m x n from m x k and k x n, in loops anybody can check.
//!
//! The operands are functions of (row, column), so that strides and transposed storage are the caller's one line:
//! `|i, p| a[i * stride + p]` reads A as it lies, `|i, p| a[p * stride + i]` reads it transposed.
//! C is dense and row-major. Shapes are written `[m, n, k]`.

use crate::fused::mul_add;

/// The length of a block of the reduction. It is part of the definition of a result, not a tuning constant.
pub const KB: usize = 512;

/// The textbook triple loop in f32: `c[i][j]` = sum over p of `a[i][p] b[p][j]`, each sum in ascending p, each product
/// rounded before it is added. `c` is overwritten. This is the baseline of the benches.
///
/// # Panics
/// When `c` is not m * n long.
pub fn gemm_naive(
    [m, n, k]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
    c: &mut [f32],
) {
    assert_eq!(c.len(), m * n, "C has {m} x {n} elements");
    for i in 0..m {
        for j in 0..n {
            let mut sum = 0.0;
            for p in 0..k {
                sum += a(i, p) * b(p, j);
            }
            c[i * n + j] = sum;
        }
    }
}

/// The same sums in the same ascending p, the two inner loops exchanged so that both B and C are walked along their
/// rows and a compiler can vectorise: the second baseline of the benches. `b(p)` is row p of B.
///
/// # Panics
/// When `c` is not m * n long.
pub fn gemm_naive_by_rows<'b>(
    [m, n, k]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize) -> &'b [f32],
    c: &mut [f32],
) {
    assert_eq!(c.len(), m * n, "C has {m} x {n} elements");
    for i in 0..m {
        let c = &mut c[i * n..][..n];
        c.fill(0.0);
        for p in 0..k {
            let a = a(i, p);
            for (c, b) in c.iter_mut().zip(b(p)) {
                *c += a * b;
            }
        }
    }
}

/// The contract: the bits that every GEMM of the core must give.
///
/// An element is a chain of fused multiply-adds in ascending p that starts from +0.0 and is restarted every [`KB`]
/// steps; the sums of the blocks are added in ascending order to zero, or to the element of `start` where there is one ("accumulate").
///
/// # Panics
/// When `start` is not m * n long.
pub fn gemm_chain(
    [m, n, k]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
    start: Option<&[f32]>,
) -> Vec<f32> {
    if let Some(start) = start {
        assert_eq!(start.len(), m * n, "C has {m} x {n} elements");
    }
    let mut c = Vec::with_capacity(m * n);
    for i in 0..m {
        for j in 0..n {
            let mut value = start.map(|start| start[i * n + j]);
            for first in (0..k).step_by(KB) {
                let mut block = 0.0_f32;
                for p in first..k.min(first + KB) {
                    block = mul_add(a(i, p), b(p, j), block);
                }
                value = Some(value.unwrap_or(0.0) + block);
            }
            c.push(value.unwrap_or(0.0));
        }
    }
    c
}

/// One element in f64: products of f32 are exact in it, so only its sum rounds, at 2^-53.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exact {
    /// The sum of a b over p.
    pub value: f64,
    /// The sum of |a| |b| over p: what the error of any order of summation is measured by.
    pub sum_abs: f64,
}

/// The product in f64, added to `start` where there is one.
pub fn gemm_f64(
    [m, n, k]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
    start: Option<&[f32]>,
) -> Vec<Exact> {
    let mut c = Vec::with_capacity(m * n);
    for i in 0..m {
        for j in 0..n {
            let mut value = start.map_or(0.0, |start| f64::from(start[i * n + j]));
            let mut sum_abs = value.abs();
            for p in 0..k {
                let product = f64::from(a(i, p)) * f64::from(b(p, j));
                value += product;
                sum_abs += product.abs();
            }
            c.push(Exact { value, sum_abs });
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::{Exact, KB, gemm_chain, gemm_f64, gemm_naive, gemm_naive_by_rows};
    use crate::rng::Rng;

    #[test]
    fn a_product_worked_by_hand_in_all_four_ways() {
        // [1 2 3; 4 5 6] [7 8; 9 10; 11 12]
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        let want = [58.0, 64.0, 139.0, 154.0];
        let (at_a, at_b) = (|i, p| a[i * 3 + p], |p, j| b[p * 2 + j]);
        let mut c = [f32::NAN; 4];
        gemm_naive([2, 2, 3], at_a, at_b, &mut c);
        assert_eq!(c, want);
        c.fill(f32::NAN);
        gemm_naive_by_rows([2, 2, 3], at_a, |p| &b[p * 2..][..2], &mut c);
        assert_eq!(c, want);
        assert_eq!(gemm_chain([2, 2, 3], at_a, at_b, None), want);
        let exact = gemm_f64([2, 2, 3], at_a, at_b, Some(&[1.0, 1.0, 1.0, 1.0]));
        assert_eq!(
            exact[3],
            Exact {
                value: 155.0,
                sum_abs: 155.0
            }
        );
    }

    #[test]
    fn integers_are_exact_in_every_order_and_every_form() {
        let mut rng = Rng::new(1);
        let [m, n, k] = [5, 7, 2 * KB + 3];
        let a = rng.small_integers(m * k, 8);
        let b = rng.small_integers(k * n, 8);
        // The same matrices stored transposed.
        let a_t: Vec<f32> = (0..k * m).map(|x| a[(x % m) * k + x / m]).collect();
        let b_t: Vec<f32> = (0..n * k).map(|x| b[(x % k) * n + x / k]).collect();
        let (at_a, at_b) = (|i, p| a[i * k + p], |p, j| b[p * n + j]);
        let mut naive = vec![f32::NAN; m * n];
        gemm_naive([m, n, k], at_a, at_b, &mut naive);
        assert_eq!(gemm_chain([m, n, k], at_a, at_b, None), naive);
        assert_eq!(
            gemm_chain([m, n, k], |i, p| a_t[p * m + i], at_b, None),
            naive
        );
        assert_eq!(
            gemm_chain([m, n, k], at_a, |p, j| b_t[j * k + p], None),
            naive
        );
        let exact = gemm_f64([m, n, k], at_a, at_b, None);
        assert!(
            exact
                .iter()
                .zip(&naive)
                .all(|(exact, &c)| exact.value == f64::from(c))
        );
    }

    #[test]
    fn a_chain_fuses_and_restarts_where_it_says() {
        let tiny = 2.0_f32.powi(-24);
        // Fused: (1 + 2^-12)^2 - 1 keeps the 2^-24 that a rounded product would lose.
        let x = 1.0 + 2.0_f32.powi(-12);
        let fused = gemm_chain([1, 1, 2], |_, p| [-1.0, x][p], |p, _| [1.0, x][p], None);
        assert_eq!(fused, [2.0_f32.powi(-11) + tiny]);
        // 1, then 2^-24 a thousand times: in one chain each is lost, in a block of its own they add up.
        let column = |p: usize| if p == 0 { 1.0 } else { tiny };
        let chain = |k| gemm_chain([1, 1, k], |_, p| column(p), |_, _| 1.0, None)[0];
        assert_eq!(chain(KB), 1.0);
        assert_eq!(chain(2 * KB), 1.0 + 512.0 * tiny);
        // Accumulating adds block after block to what was there: 2^-24 each time, lost beside 1.
        let single = |p: usize| if p.is_multiple_of(KB) { tiny } else { 0.0 };
        let shape = [1, 1, 3 * KB];
        assert_eq!(
            gemm_chain(shape, |_, p| single(p), |_, _| 1.0, Some(&[1.0])),
            [1.0]
        );
        assert_eq!(
            gemm_chain(shape, |_, p| single(p), |_, _| 1.0, None),
            [3.0 * tiny]
        );
    }

    #[test]
    fn no_steps_give_zero_or_what_was_there() {
        let nothing = |_, _| f32::NAN;
        assert_eq!(gemm_chain([1, 2, 0], nothing, nothing, None), [0.0, 0.0]);
        assert_eq!(
            gemm_chain([1, 2, 0], nothing, nothing, Some(&[3.0, 4.0])),
            [3.0, 4.0]
        );
        assert_eq!(gemm_chain([0, 2, 3], nothing, nothing, None), [0.0; 0]);
    }
}
