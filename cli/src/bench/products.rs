//! Matrix products: the public one, beside the textbook's three loops, on operands of random numbers. Some rows of each
//! are compared with the oracle before the time is taken.

use std::hint::black_box;
use std::time::Duration;

use mlp_core::Isa;
use mlp_core::rng::Rng;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::gemm::{Operand, Output, gemm};
use oracle::gemm::{gemm_chain, gemm_naive};

use super::clock::fewest_seconds;
use super::table::{Line, Unit};
use crate::failure::Failure;

/// C, m x n, of A, m x k, and B: cubes, then a layer of 784-64 forward, its weight gradient's shape, and an output layer.
pub(super) const SHAPES: [[usize; 3]; 6] = [
    [64, 64, 64],
    [256, 256, 256],
    [1024, 1024, 1024],
    [128, 64, 784],
    [784, 64, 128],
    [128, 10, 64],
];

/// Multiply-adds up to which naive loops are short.
const NAIVE_LIMIT: usize = 256 * 256 * 256;

/// How long each product is repeated.
const BUDGET: Duration = Duration::from_millis(250);

/// Measures one shape on one thread and on `threads`.
pub(super) fn product(
    isa: Isa,
    threads: usize,
    peak: [f64; 2],
    [m, n, k]: [usize; 3],
) -> Result<Line, Failure> {
    let mut rng = Rng::new(1);
    let mut random = |rows, cols| Matrix::from_fn(rows, cols, |_, _| rng.between(-1.0, 1.0) as f32);
    let (a, b) = (random(m, k), random(k, n));
    let mut c = Matrix::zeros(m, n);
    let mut rate = |threads: usize| {
        multiply(isa, threads, [&a, &b], &mut c);
        for row in [0, m / 2, m - 1] {
            let want = gemm_chain([1, n, k], |_, p| a.row(row)[p], |p, j| b.row(p)[j], None);
            if c.row(row) != want {
                return Err(Failure::Failed(format!(
                    "the product of {m} x {k} and {k} x {n} is wrong in row {row} on {isa}, {threads} threads"
                )));
            }
        }
        let seconds = fewest_seconds(BUDGET, || multiply(isa, threads, [&a, &b], &mut c));
        Ok((2 * m * n * k) as f64 / seconds)
    };
    let one = rate(1)?;
    let all = if threads > 1 {
        Some(rate(threads)?)
    } else {
        None
    };
    let naive = (m * n * k <= NAIVE_LIMIT).then(|| {
        let (a, b, mut c) = (a.to_vec(), b.to_vec(), vec![0.0; m * n]);
        let seconds = fewest_seconds(BUDGET, || {
            let (a, b) = (black_box(&a), black_box(&b));
            gemm_naive([m, n, k], |i, p| a[i * k + p], |p, j| b[p * n + j], &mut c);
        });
        (2 * m * n * k) as f64 / seconds
    });
    Ok(Line {
        what: format!("product of {m} x {k} and {k} x {n}"),
        unit: Unit::Flops,
        one,
        all,
        naive,
        peak: Some(peak),
    })
}

/// C = A B.
fn multiply(isa: Isa, threads: usize, operands: [&Matrix; 2], c: &mut Matrix) {
    let [a, b] = black_box(operands).map(|matrix| Operand::Plain(matrix.view()));
    gemm(isa, threads, a, b, c.view_mut(), Output::Overwrite);
}

#[cfg(test)]
mod tests {
    use super::product;
    use mlp_core::Isa;

    #[test]
    fn a_product_is_measured_beside_naive_loops() {
        let line = product(Isa::SCALAR, 2, [1e9, 2e9], [5, 17, 9]).expect("the right product");
        assert_eq!(line.what, "product of 5 x 9 and 9 x 17");
        assert!(line.one > 0.0 && line.all > Some(0.0) && line.naive > Some(0.0));
    }
}
