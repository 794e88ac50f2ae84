//! The core's matrix products against the oracle: the same bits on every instruction set, in every form, at every
//! shape, on any number of threads; nothing read that should not be, nothing written beside C.

use mlp_core::Isa;
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::gemm::{Operand, Output, gemm};
use mlp_core::tensor::{LINE, MatMut, MatRef, Matrix};
use oracle::gemm::{gemm_chain, gemm_f64};
use oracle::network_f64;
use oracle::rng::Rng;
use oracle::tolerance::{gemm_bound, relative_error};

/// Which operands are stored transposed: A B, A^T B, A B^T, A^T B^T.
const FORMS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// Rows around every register tile (4, 6 and 8), the strip of 48 and the chunk of 192.
const ROWS: [usize; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 47, 48, 49, 97, 193];
/// Columns around one and three panels, and around a block that fills half of a small second-level cache.
const COLS: [usize; 10] = [0, 1, 10, 15, 16, 17, 47, 48, 49, 129];
/// Steps around the blocks of the reduction.
const STEPS: [usize; 8] = [0, 1, 2, 7, 511, 512, 513, 1030];

/// A rows x cols matrix whose rows are `gap` further apart than they are long, NaN lying between.
struct Stored {
    data: Vec<f32>,
    rows: usize,
    cols: usize,
    gap: usize,
}

impl Stored {
    /// As `values` has it row by row, or its transpose so stored. The slice ends with the last element.
    fn new(values: &[f32], rows: usize, cols: usize, transposed: bool, gap: usize) -> Self {
        let (height, width) = if transposed {
            (cols, rows)
        } else {
            (rows, cols)
        };
        let mut data = Vec::new();
        for r in 0..height {
            for c in 0..width {
                data.push(if transposed {
                    values[c * cols + r]
                } else {
                    values[r * cols + c]
                });
            }
            if r + 1 < height {
                data.extend(vec![f32::NAN; gap]);
            }
        }
        Self {
            data,
            rows: height,
            cols: width,
            gap,
        }
    }

    fn operand(&self, transposed: bool) -> Operand<'_> {
        let view = MatRef::new(&self.data, self.rows, self.cols, self.cols + self.gap);
        if transposed {
            Operand::Transposed(view)
        } else {
            Operand::Plain(view)
        }
    }
}

/// One product: its shape, its values row by row, how it is stored.
struct Case {
    shape: [usize; 3],
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
    bias: Vec<f32>,
    form: (bool, bool),
    gap: usize,
}

impl Case {
    fn new(
        shape: [usize; 3],
        form: (bool, bool),
        gap: usize,
        fill: impl FnMut(usize) -> Vec<f32>,
    ) -> Self {
        let ([m, n, k], mut fill) = (shape, fill);
        Self {
            shape,
            a: fill(m * k),
            b: fill(k * n),
            c: fill(m * n),
            bias: fill(n),
            form,
            gap,
        }
    }

    fn uniform(shape: [usize; 3], form: (bool, bool), gap: usize) -> Self {
        let [m, n, k] = shape;
        let mut rng = Rng::new((m * 1_000_003 + n * 1009 + k) as u64);
        Self::new(shape, form, gap, |len| rng.uniform(len, -1.0, 1.0))
    }

    /// What the contract says, added to C where `accumulate`.
    fn chain(&self, accumulate: bool) -> Vec<f32> {
        let [_, n, k] = self.shape;
        gemm_chain(
            self.shape,
            |i, p| self.a[i * k + p],
            |p, j| self.b[p * n + j],
            accumulate.then_some(&self.c),
        )
    }

    /// What the core gives. C is a view with something between its rows that must stay, or a padded matrix.
    fn run(&self, isa: Isa, threads: usize, output: Output<'_>) -> Vec<f32> {
        let [m, n, k] = self.shape;
        let a = Stored::new(&self.a, m, k, self.form.0, self.gap);
        let b = Stored::new(&self.b, k, n, self.form.1, self.gap);
        let (a, b) = (a.operand(self.form.0), b.operand(self.form.1));
        // What is overwritten must not be read.
        let old = |at: usize| match output {
            Output::Accumulate => self.c[at],
            _ => f32::NAN,
        };
        if self.gap == 0 {
            let mut c = Matrix::from_fn(m, n, |i, j| old(i * n + j));
            gemm(isa, threads, a, b, c.view_mut(), output);
            let padding_is_zero = c
                .view()
                .data()
                .chunks(c.row_stride().max(1))
                .all(|row| row[n..].iter().all(|&x| x == 0.0));
            assert!(
                padding_is_zero,
                "{self} on {isa}: the padding of C is not zero"
            );
            return c.to_vec();
        }
        let stride = n + self.gap;
        let mut data: Vec<f32> = (0..m * stride)
            .map(|at| {
                let (i, j) = (at / stride, at % stride);
                if j < n { old(i * n + j) } else { SENTINEL }
            })
            .collect();
        data.truncate(data.len().saturating_sub(self.gap));
        gemm(
            isa,
            threads,
            a,
            b,
            MatMut::new(&mut data, m, n, stride),
            output,
        );
        let mut c = Vec::new();
        for row in data.chunks(stride) {
            c.extend_from_slice(&row[..n]);
            assert!(
                row[n..].iter().all(|&x| x == SENTINEL),
                "{self} on {isa} wrote between the rows of C"
            );
        }
        c
    }

    /// The same bits as `want`, on that instruction set and number of threads.
    fn check(&self, isa: Isa, threads: usize, output: Output<'_>, want: &[f32]) {
        let got = self.run(isa, threads, output);
        for (at, (got, want)) in got.iter().zip(want).enumerate() {
            assert_eq!(
                got.to_bits(),
                want.to_bits(),
                "{self} on {isa}, {threads} threads, {output:?}: element {at} is {got:e}, not {want:e}"
            );
        }
        assert_eq!(got.len(), want.len());
    }
}

const SENTINEL: f32 = 12345.0;

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [m, n, k] = self.shape;
        let name = |transposed| if transposed { "^T" } else { "" };
        write!(
            f,
            "A{} B{} of m {m}, n {n}, k {k}, gap {}",
            name(self.form.0),
            name(self.form.1),
            self.gap
        )
    }
}

/// Overwriting and accumulating, on every instruction set.
fn check_everywhere(shape: [usize; 3]) {
    for form in FORMS {
        for gap in [0, 5] {
            let case = Case::uniform(shape, form, gap);
            let (fresh, added) = (case.chain(false), case.chain(true));
            for isa in Isa::available() {
                case.check(isa, 1, Output::Overwrite, &fresh);
                case.check(isa, 1, Output::Accumulate, &added);
            }
        }
    }
}

#[test]
fn every_edge_of_the_tiles() {
    for m in ROWS {
        for n in COLS {
            check_everywhere([m, n, 3]);
        }
    }
}

#[test]
fn every_edge_of_the_blocks_of_the_reduction() {
    for k in STEPS {
        for [m, n] in [[1, 1], [1, 17], [7, 16], [9, 49], [13, 10]] {
            check_everywhere([m, n, k]);
        }
    }
}

#[test]
fn wide_outputs_and_long_reductions_together() {
    check_everywhere([50, 300, 530]);
    check_everywhere([200, 130, 20]);
}

#[test]
fn integers_and_powers_of_two_are_exact() {
    let mut rng = Rng::new(2);
    for shape in [[64, 48, 600], [33, 17, 1500]] {
        for form in FORMS {
            let case = Case::new(shape, form, 0, |len| rng.small_integers(len, 8));
            let [_, n, k] = shape;
            let exact = gemm_f64(
                shape,
                |i, p| case.a[i * k + p],
                |p, j| case.b[p * n + j],
                None,
            );
            let want: Vec<f32> = exact.iter().map(|exact| exact.value as f32).collect();
            for isa in Isa::available() {
                assert_eq!(case.run(isa, 1, Output::Overwrite), want, "{case} on {isa}");
            }
        }
    }
    // One step: a product of powers of two, exact in any arithmetic.
    let case = Case::new([9, 35, 1], (false, false), 3, |len| {
        rng.powers_of_two(len, 20)
    });
    let want: Vec<f32> = case
        .a
        .iter()
        .flat_map(|a| case.b.iter().map(move |b| a * b))
        .collect();
    for isa in Isa::available() {
        assert_eq!(case.run(isa, 1, Output::Overwrite), want, "{case} on {isa}");
    }
}

#[test]
fn long_reductions_stay_within_the_bound() {
    let shape = [3, 18, 20_000];
    let [_, n, k] = shape;
    for form in FORMS {
        let case = Case::uniform(shape, form, 0);
        let exact = gemm_f64(
            shape,
            |i, p| case.a[i * k + p],
            |p, j| case.b[p * n + j],
            None,
        );
        for isa in Isa::available() {
            let got = case.run(isa, 1, Output::Overwrite);
            for (&got, exact) in got.iter().zip(&exact) {
                let error = (f64::from(got) - exact.value).abs();
                let bound = gemm_bound(k, exact.sum_abs);
                assert!(error <= bound, "{case} on {isa}: {error:e} above {bound:e}");
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    // Enough work for each of eight threads to be used; neither side a multiple of any tile.
    let shape = [203, 167, 523];
    for form in FORMS {
        for gap in [0, 5] {
            let case = Case::uniform(shape, form, gap);
            let (fresh, added) = (case.chain(false), case.chain(true));
            for isa in Isa::available() {
                for threads in [1, 2, 3, 8] {
                    case.check(isa, threads, Output::Overwrite, &fresh);
                }
                case.check(isa, 3, Output::Accumulate, &added);
            }
        }
    }
}

#[test]
fn more_threads_than_rows_are_no_harm() {
    let case = Case::uniform([2, 4000, 1030], (false, false), 0);
    let want = case.chain(false);
    for isa in Isa::available() {
        case.check(isa, 8, Output::Overwrite, &want);
    }
}

#[test]
fn bias_and_exact_activations_have_the_bits_of_the_formula() {
    for shape in [[1, 10, 784], [13, 17, 30], [50, 64, 520]] {
        for (form, gap) in [(FORMS[0], 0), (FORMS[0], 5), (FORMS[1], 0), (FORMS[2], 5)] {
            let case = Case::uniform(shape, form, gap);
            let n = shape[1];
            let z: Vec<f32> = case
                .chain(false)
                .iter()
                .enumerate()
                .map(|(at, c)| c + case.bias[at % n])
                .collect();
            for isa in Isa::available() {
                for threads in [1, 3] {
                    let check = |activation, f: fn(f32) -> f32| {
                        let want: Vec<f32> = z.iter().map(|&z| f(z)).collect();
                        let output = Output::Activate(&case.bias, activation);
                        case.check(isa, threads, output, &want);
                    };
                    check(Activation::Identity, |z| z);
                    check(Activation::Relu, |z| if z <= 0.0 { 0.0 } else { z });
                    check(Activation::LeakyRelu(0.25), |z| {
                        if z <= 0.0 { 0.25 * z } else { z }
                    });
                }
            }
        }
    }
}

#[test]
fn the_other_activations_are_near_the_oracle() {
    let pairs = [
        (Activation::Sigmoid, network_f64::Activation::Sigmoid),
        (Activation::Tanh, network_f64::Activation::Tanh),
        (Activation::Elu(0.5), network_f64::Activation::Elu(0.5)),
        (Activation::Gelu, network_f64::Activation::Gelu),
        (Activation::Silu, network_f64::Activation::Silu),
        (Activation::Softmax, network_f64::Activation::Softmax),
    ];
    for gap in [0, 3] {
        let case = Case::uniform([21, 37, 50], FORMS[0], gap);
        let n = 37;
        let mut z: Vec<f64> = case.chain(false).iter().copied().map(f64::from).collect();
        for (at, z) in z.iter_mut().enumerate() {
            *z += f64::from(case.bias[at % n]);
        }
        for isa in Isa::available() {
            for (activation, exact) in pairs {
                let got = case.run(isa, 1, Output::Activate(&case.bias, activation));
                let want = z.chunks(n).flat_map(|row| exact.forward(row));
                for (&got, want) in got.iter().zip(want) {
                    let error = relative_error(f64::from(got), want, 1e-3);
                    assert!(error < 2e-5, "{activation:?} on {isa}: {got} for {want}");
                }
            }
        }
    }
}

#[test]
fn nan_and_infinity_go_where_they_belong() {
    // Row 1 of A has a NaN, column 2 of B an infinity: C shows them there and nowhere else.
    let (m, n, k) = (7, 20, LINE + 3);
    let a = Matrix::from_fn(m, k, |i, p| if (i, p) == (1, 4) { f32::NAN } else { 1.0 });
    let b = Matrix::from_fn(
        k,
        n,
        |p, j| if (p, j) == (9, 2) { f32::INFINITY } else { 1.0 },
    );
    for isa in Isa::available() {
        let mut c = Matrix::zeros(m, n);
        let (a, b) = (Operand::Plain(a.view()), Operand::Plain(b.view()));
        gemm(isa, 1, a, b, c.view_mut(), Output::Overwrite);
        for i in 0..m {
            for j in 0..n {
                let got = c.row(i)[j];
                if i == 1 {
                    assert!(got.is_nan(), "{isa}: {got} at row {i}, column {j}");
                } else {
                    let want = if j == 2 { f32::INFINITY } else { k as f32 };
                    assert_eq!(got, want, "{isa}: row {i}, column {j}");
                }
            }
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_told_with_both_shapes() {
    let (a, b, mut c) = (
        Matrix::zeros(2, 3),
        Matrix::zeros(4, 5),
        Matrix::zeros(2, 5),
    );
    let product = move || {
        let (a, b) = (Operand::Plain(a.view()), Operand::Plain(b.view()));
        gemm(Isa::SCALAR, 1, a, b, c.view_mut(), Output::Overwrite);
    };
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(product));
    let message = panic.expect_err("2 x 3 times 4 x 5 has no product");
    let message = message
        .downcast_ref::<String>()
        .expect("the message is text");
    assert!(
        message.contains("2 x 3") && message.contains("4 x 5"),
        "{message}"
    );
}
