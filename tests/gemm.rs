//! The core's matrix products against the oracle: the same bits on every instruction set, in every form, at every
//! shape; nothing read that should not be, nothing written beside C.

mod product;

use mlp_core::Isa;
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::gemm::{Epilogue, Operand, Output, Panels, RowsByPanels, Segment, gemm};
use mlp_core::tensor::{LINE, Matrix};
use oracle::gemm::{gemm_chain, gemm_f64};
use oracle::network_f64;
use oracle::rng::Rng;
use oracle::tolerance::{gemm_bound, relative_error};
use product::Case;

/// Which operands are stored transposed: A B, A^T B, A B^T, A^T B^T.
const FORMS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// Rows around every register tile (4, 6 and 8), and around the numbers up to which B is read where it lies.
const ROWS: [usize; 18] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 24, 25, 64, 65, 97];
/// Around the 256 rows of one pass over a packed B, by itself and after the 1, 6 or 8 rows that pack it.
const ROWS_OF_A_PASS: [usize; 8] = [255, 256, 257, 258, 262, 263, 264, 265];
/// Columns around the narrow form, around one panel and three, and around the columns that are packed at a time.
const COLS: [usize; 12] = [0, 1, 10, 11, 15, 16, 17, 47, 48, 49, 240, 241];
/// Steps around the blocks of the reduction.
const STEPS: [usize; 8] = [0, 1, 2, 7, 511, 512, 513, 1030];

/// Overwriting and accumulating, on every instruction set.
fn check_on_each_isa(case: &Case) {
    let (fresh, added) = (case.chain(false), case.chain(true));
    for isa in Isa::available() {
        case.check(isa, 1, Output::Overwrite, &fresh);
        case.check(isa, 1, Output::Accumulate, &added);
    }
}

/// In every form, with gaps between rows and without.
fn check_everywhere(shape: [usize; 3]) {
    for form in FORMS {
        for gap in [0, 5] {
            check_on_each_isa(&Case::uniform(shape, form, gap));
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
    for m in ROWS_OF_A_PASS {
        for n in [16, 17, 49] {
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
    check_everywhere([70, 1030, 530]);
    check_everywhere([200, 130, 20]);
    // Rows so few that B, though not near, is read where it lies if the first-level cache is large.
    check_everywhere([21, 570, 530]);
    // More rows than one pass over B has, and more columns than are packed at a time.
    check_everywhere([271, 517, 30]);
    check_everywhere([270, 2055, 9]);
    // A transposed A that is brought into rows in several parts.
    check_everywhere([203, 20, 700]);
}

#[test]
fn small_right_sides_are_read_where_they_lie() {
    check_everywhere([61, 50, 130]);
    check_everywhere([41, 35, 700]);
    // Four lines of columns, and what is left of tiles of 6 rows.
    for m in [9, 14, 24, 45] {
        check_everywhere([m, 64, 20]);
        check_everywhere([m, 70, 515]);
    }
}

#[test]
fn lone_rows() {
    // Around pieces of 1, 2, 4, 8 and 16 lines, and what is left of them.
    for lines in [1, 2, 3, 4, 5, 7, 8, 12, 16, 19] {
        for n in [0, 1, 2, 13].map(|more| lines * LINE - 1 + more) {
            check_everywhere([1, n, 5]);
            check_everywhere([1, n, 515]);
        }
    }
}

#[test]
fn few_rows_by_a_b_from_afar() {
    for [m, n] in [[1, 2077], [2, 2077], [3, 2043], [4, 2048], [5, 2077]] {
        check_everywhere([m, n, 530]);
    }
}

#[test]
fn lone_rows_by_a_large_b_of_whole_lines() {
    // Wherever in a line B begins; around the ends of the reduction's blocks.
    for [n, k] in [[128, 784], [128, 1025], [128, 1536], [256, 511]] {
        let mut rng = Rng::new(k as u64);
        let mut case = Case::new([1, n, k], FORMS[0], 0, |len| rng.uniform(len, -1.0, 1.0));
        for (row, column) in [(0, 3), (511, n - 1), (k - 1, n - 2)] {
            case.b[row.min(k - 1) * n + column] = f32::INFINITY;
        }
        for begin in 0..LINE {
            case.b_begins = Some(begin);
            check_on_each_isa(&case);
        }
    }
}

#[test]
fn few_columns_of_many_rows() {
    // Around the tiles of 6 and 10 columns, and of 8 and 32 rows; whole fours of steps and rests, one block and more.
    for n in [1, 5, 6, 7, 10, 11] {
        for [m, k] in [[31, 9], [32, 4], [33, 7], [64, 512], [70, 515], [45, 1026]] {
            check_everywhere([m, n, k]);
        }
    }
}

#[test]
fn zeros_have_the_signs_of_their_sums() {
    // Products so small that they round to a zero of either sign, added to zeros of either sign.
    let mut rng = Rng::new(4);
    let mut tiny = |len: usize| -> Vec<f32> {
        let choice = rng.small_integers(len, 2);
        choice
            .iter()
            .map(|x| [-1e-25, -0.0, 0.0, 1e-25, 2e-25][(x + 2.0) as usize])
            .collect()
    };
    for [m, n] in [
        [1, 64],
        [5, 20],
        [21, 33],
        [40, 6],
        [41, 10],
        [40, 9],
        [60, 50],
        [200, 300],
    ] {
        for form in FORMS {
            check_on_each_isa(&Case::new([m, n, 4], form, 0, &mut tiny));
        }
    }
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
    // Powers of two near one: 600 products of 2^-6 to 2^6 add up to less than 2^24 times the least of them.
    for form in FORMS {
        let shape = [33, 50, 600];
        let case = Case::new(shape, form, 3, |len| rng.powers_of_two(len, 3));
        let (a, b) = (&case.a, &case.b);
        let exact = gemm_f64(shape, |i, p| a[i * 600 + p], |p, j| b[p * 50 + j], None);
        let want: Vec<f32> = exact.iter().map(|exact| exact.value as f32).collect();
        for isa in Isa::available() {
            assert_eq!(case.run(isa, 1, Output::Overwrite), want, "{case} on {isa}");
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
fn bias_and_exact_activations_have_the_bits_of_the_formula() {
    // The last one in several blocks of columns.
    for shape in [[1, 10, 784], [13, 17, 30], [50, 64, 520], [70, 300, 40]] {
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
fn deep_products_of_packed_panels_have_the_bits_of_the_chain() {
    // Three blocks of the reduction, in which pieces of B end; several blocks of columns; rows of C so far from each other that
    // no second-level cache holds them.
    let (m, n, pieces) = (21, 250, [600, 813]);
    let (k, c_stride) = (pieces.iter().sum::<usize>(), 1 << 17);
    let mut rng = Rng::new(3);
    let mut matrix =
        |rows, cols| Matrix::from_vec(rows, cols, &rng.uniform(rows * cols, -1.0, 1.0));
    let (a, b, old) = (matrix(m, k), matrix(k, n), matrix(m, n));
    let old: Vec<f32> = (0..m).flat_map(|i| old.row(i).to_vec()).collect();
    let mut first = 0;
    let packed = pieces.map(|len| {
        first += len;
        let part = Matrix::from_fn(len, n, |p, j| b.row(first - len + p)[j]);
        Panels::pack(Operand::Plain(part.view()))
    });
    let segments = [0, 1].map(|piece| Segment {
        len: pieces[piece],
        lines: packed[piece].lines(),
    });
    for add in [false, true] {
        let start = add.then_some(&old[..]);
        let want = gemm_chain([m, n, k], |i, p| a.row(i)[p], |p, j| b.row(p)[j], start);
        for isa in Isa::available() {
            let mut c = vec![7.0; (m - 1) * c_stride + n];
            for (row, old) in c.chunks_mut(c_stride).zip(old.chunks(n)) {
                row[..n].copy_from_slice(old);
            }
            isa.dispatch(RowsByPanels {
                a: a.view().data(),
                a_stride: a.row_stride(),
                rows: m,
                segments: &segments,
                c: &mut c,
                c_stride,
                n,
                padded: false,
                add,
                epilogue: Epilogue::default(),
            });
            for (i, (row, want)) in c.chunks(c_stride).zip(want.chunks(n)).enumerate() {
                assert_eq!(&row[..n], want, "{isa}, add {add}, row {i}");
                let beside = &row[n..];
                assert!(beside.iter().all(|&x| x == 7.0), "{isa}, beside row {i}");
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
fn what_was_packed_before_is_forgotten() {
    // A thread keeps the room that a B is packed in: all of it holds NaN, then a B of other widths and depths is.
    let of_nan = Case::new([16, 240, 1023], (false, false), 0, |len| {
        vec![f32::NAN; len]
    });
    for shape in [[17, 250, 600], [16, 241, 1023], [40, 100, 1500]] {
        for form in [(false, false), (true, false), (false, true)] {
            let case = Case::uniform(shape, form, 0);
            let want = case.chain(false);
            for isa in Isa::available() {
                let _ = of_nan.run(isa, 1, Output::Overwrite);
                case.check(isa, 1, Output::Overwrite, &want);
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
