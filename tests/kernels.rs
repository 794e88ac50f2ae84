//! Reductions, activations and softmax: against naive loops and f64, on every instruction set, with the same bits.

#[path = "twin/activation.rs"]
mod exact;

use mlp_core::isa::pulp::{self, Simd, WithSimd};
use mlp_core::rng::Rng;
use mlp_core::tensor::activation::{Activation, activation_backward, activation_forward};
use mlp_core::tensor::reduce::{dot16, max16, sum16};
use mlp_core::tensor::{LINE, padded};
use mlp_core::{Isa, Kind};
use oracle::fused::mul_add;
use oracle::ulp::{all_same, near, same, ulps};

const WIDTHS: [usize; 9] = [1, 2, 10, 15, 16, 17, 33, 64, 100];

const ACTIVATIONS: [Activation; 11] = [
    Activation::Identity,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Relu,
    Activation::LeakyRelu(0.01),
    Activation::LeakyRelu(0.0),
    Activation::Elu(1.0),
    Activation::Elu(0.3),
    Activation::Gelu,
    Activation::Silu,
    Activation::Softmax,
];

#[derive(Clone, Copy)]
enum Reduction {
    Sum,
    Max,
    Dot,
}

struct Reduce<'a>(Reduction, &'a [f32], &'a [f32]);

impl WithSimd for Reduce<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        match self.0 {
            Reduction::Sum => sum16(simd, self.1),
            Reduction::Max => max16(simd, self.1),
            Reduction::Dot => dot16(simd, self.1, self.2),
        }
    }
}

struct Forward<'a>(Activation, &'a mut [f32], usize);

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        activation_forward(simd, self.0, self.1, self.2);
    }
}

struct Backward<'a>(Activation, &'a [f32], &'a mut [f32], usize);

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        activation_backward(simd, self.0, self.1, self.2, self.3);
    }
}

/// A row of `cols` values in (-size, size) and garbage behind them.
fn row(rng: &mut Rng, cols: usize, size: f64) -> Vec<f32> {
    let mut row: Vec<f32> = (0..cols)
        .map(|_| ((rng.uniform() * 2.0 - 1.0) * size) as f32)
        .collect();
    row.resize(padded(cols), 77.0);
    row
}

/// The contract's reduction, one element at a time.
fn naive(reduction: Reduction, a: &[f32], b: &[f32]) -> f32 {
    let start = match reduction {
        Reduction::Max => f32::NEG_INFINITY,
        Reduction::Sum | Reduction::Dot => 0.0,
    };
    let greater = |x: f32, y: f32| if y > x { y } else { x };
    let mut lanes = [start; LINE];
    for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
        let lane = &mut lanes[i % LINE];
        *lane = match reduction {
            Reduction::Sum => *lane + a,
            Reduction::Max => greater(*lane, a),
            Reduction::Dot => mul_add(a, b, *lane),
        };
    }
    for half in [8, 4, 2, 1] {
        for j in 0..half {
            lanes[j] = match reduction {
                Reduction::Max => greater(lanes[j], lanes[j + half]),
                Reduction::Sum | Reduction::Dot => lanes[j] + lanes[j + half],
            };
        }
    }
    lanes[0]
}

#[test]
fn reductions_follow_the_lanes_and_the_tree_to_the_bit() {
    let mut rng = Rng::new(1);
    for lines in [0, 1, 2, 3, 7, 64] {
        for size in [1.0, 1e30] {
            let a = row(&mut rng, lines * LINE, size);
            let b = row(&mut rng, lines * LINE, 1.0);
            for reduction in [Reduction::Sum, Reduction::Max, Reduction::Dot] {
                let want = naive(reduction, &a, &b);
                for isa in Isa::available() {
                    let got = isa.dispatch(Reduce(reduction, &a, &b));
                    assert!(same(got, want), "{got} for {want}, {lines} lines, {isa}");
                }
                // Sixteen lanes, on any CPU.
                let got = pulp::Scalar512b.vectorize(Reduce(reduction, &a, &b));
                assert!(same(got, want), "{got} for {want}, {lines} lines, 512 bits");
            }
        }
    }
}

#[test]
fn the_maximum_passes_over_nan_and_the_sum_does_not() {
    let mut a = vec![1.0_f32; 48];
    a[20] = f32::NAN;
    a[47] = 3.0;
    for isa in Isa::available() {
        assert_eq!(isa.dispatch(Reduce(Reduction::Max, &a, &a)), 3.0, "{isa}");
        assert!(
            isa.dispatch(Reduce(Reduction::Sum, &a, &a)).is_nan(),
            "{isa}"
        );
    }
}

fn widened(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn forward_is_the_definition_and_zeroes_the_padding() {
    let mut rng = Rng::new(2);
    for act in ACTIVATIONS
        .into_iter()
        .chain([Activation::StraightThroughRelu])
    {
        for cols in WIDTHS {
            for size in [0.1, 3.0, 30.0] {
                let z = row(&mut rng, cols, size);
                let want = exact::of(act).forward(&widened(&z[..cols]));
                for isa in Isa::available() {
                    let mut y = z.clone();
                    isa.dispatch(Forward(act, &mut y, cols));
                    for (j, (&y, &want)) in y.iter().zip(&want).enumerate() {
                        let good = match act {
                            // 1 + tanh u of the definition has lost the left tail even in f64; and the argument's
                            // rounding is magnified by its size.
                            Activation::Gelu => near(y, want, 4e-7 * (1.0 + size), 1e-7),
                            Activation::Softmax => near(y, want, 1e-6 * (1.0 + size), 1e-30),
                            _ => ulps(y, want) <= 4.0,
                        };
                        assert!(good, "{act:?}({}) = {y}, not {want}, on {isa}", z[j]);
                    }
                    assert!(
                        y[cols..].iter().all(|&x| x.to_bits() == 0),
                        "{act:?} padding"
                    );
                }
            }
        }
    }
}

#[test]
fn backward_is_the_central_difference() {
    let mut rng = Rng::new(3);
    for act in ACTIVATIONS {
        for cols in WIDTHS {
            // Away from the kinks at 0.
            let mut z = row(&mut rng, cols, 6.0);
            for z in &mut z[..cols] {
                *z += 0.01_f32.copysign(*z);
            }
            z[cols..].fill(0.0);
            let mut d = row(&mut rng, cols, 1.0);
            d[cols..].fill(0.0);
            // sum_j d_j f_j(z) by z_i
            let total = |z: &[f64]| -> f64 {
                exact::of(act)
                    .forward(z)
                    .iter()
                    .zip(&d)
                    .map(|(f, &d)| f * f64::from(d))
                    .sum()
            };
            let h = 1e-5;
            let want: Vec<f64> = (0..cols)
                .map(|i| {
                    let mut up = widened(&z[..cols]);
                    let mut down = up.clone();
                    up[i] += h;
                    down[i] -= h;
                    (total(&up) - total(&down)) / (2.0 * h)
                })
                .collect();
            for isa in Isa::available() {
                let mut saved = z.clone();
                if !act.needs_preactivation() {
                    isa.dispatch(Forward(act, &mut saved, cols));
                }
                let mut got = d.clone();
                isa.dispatch(Backward(act, &saved, &mut got, cols));
                for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
                    let z = z[i];
                    assert!(
                        near(got, want, 1e-6, 1.0),
                        "{act:?} at {z}: {got}, not {want}, {isa}"
                    );
                }
                assert!(got[cols..].iter().all(|&x| x == 0.0), "{act:?} padding");
            }
        }
    }
}

#[test]
fn straight_through_a_gradient_stays_as_it_is() {
    let mut rng = Rng::new(9);
    for cols in WIDTHS {
        let mut d = row(&mut rng, cols, 1.0);
        d[cols..].fill(0.0);
        for isa in Isa::available() {
            let mut saved = row(&mut rng, cols, 1.0);
            isa.dispatch(Forward(Activation::StraightThroughRelu, &mut saved, cols));
            let mut got = d.clone();
            isa.dispatch(Backward(
                Activation::StraightThroughRelu,
                &saved,
                &mut got,
                cols,
            ));
            assert_eq!(got, d, "on {isa}");
        }
    }
}

#[test]
fn activations_have_the_same_bits_on_every_instruction_set() {
    let mut rng = Rng::new(4);
    for act in ACTIVATIONS {
        for cols in [1, 10, 100, 784] {
            for size in [1e-3, 5.0, 200.0] {
                let z = row(&mut rng, cols, size);
                let d = row(&mut rng, cols, 1.0);
                let mut want = z.clone();
                Isa::SCALAR.dispatch(Forward(act, &mut want, cols));
                let mut want_d = d.clone();
                let saved = if act.needs_preactivation() { &z } else { &want };
                if act == Activation::Softmax {
                    want_d[cols..].fill(0.0);
                }
                let d = want_d.clone();
                Isa::SCALAR.dispatch(Backward(act, saved, &mut want_d, cols));
                for isa in Isa::available() {
                    let (mut y, mut got) = (z.clone(), d.clone());
                    isa.dispatch(Forward(act, &mut y, cols));
                    isa.dispatch(Backward(act, saved, &mut got, cols));
                    assert!(
                        all_same(&y, &want),
                        "{act:?} forward, {cols} columns, {isa}"
                    );
                    assert!(
                        all_same(&got, &want_d),
                        "{act:?} backward, {cols} columns, {isa}"
                    );
                }
                let (mut y, mut got) = (z.clone(), d.clone());
                pulp::Scalar512b.vectorize(Forward(act, &mut y, cols));
                pulp::Scalar512b.vectorize(Backward(act, saved, &mut got, cols));
                assert!(all_same(&y, &want), "{act:?} forward, 512 bits");
                assert!(all_same(&got, &want_d), "{act:?} backward, 512 bits");
            }
        }
    }
}

#[test]
fn huge_arguments_give_no_nan_and_nan_stays_nan() {
    let extremes = [
        f32::MAX,
        1e30,
        1e10,
        90.0,
        0.0,
        -0.0,
        1e-40,
        -90.0,
        -1e10,
        -1e30,
        f32::MIN,
    ];
    for isa in Isa::available() {
        for act in ACTIVATIONS {
            for &z in &extremes {
                // The extreme beside an ordinary value, for softmax.
                let mut y = [0.0; LINE];
                y[..2].copy_from_slice(&[z, 1.0]);
                let saved_z = y;
                isa.dispatch(Forward(act, &mut y, 2));
                assert!(!y[0].is_nan() && !y[1].is_nan(), "{act:?}({z}) on {isa}");
                let saved = if act.needs_preactivation() {
                    saved_z
                } else {
                    y
                };
                let mut d = [0.0; LINE];
                d[..2].fill(1.0);
                isa.dispatch(Backward(act, &saved, &mut d, 2));
                assert!(d.iter().all(|d| d.is_finite()), "{act:?}'({z}) on {isa}");
            }
            let mut y = [0.0; LINE];
            y[0] = f32::NAN;
            isa.dispatch(Forward(act, &mut y, 2));
            assert!(y[0].is_nan(), "{act:?}(NaN) on {isa}");
            assert!(
                y[2..].iter().all(|&y| y == 0.0),
                "{act:?} padding beside NaN"
            );
        }
    }
}

#[test]
fn softmax_survives_infinities_as_nan_and_sums_to_one() {
    let mut rng = Rng::new(5);
    for isa in Isa::available() {
        let mut y = row(&mut rng, 10, 1000.0);
        isa.dispatch(Forward(Activation::Softmax, &mut y, 10));
        let sum: f64 = widened(&y).iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum} on {isa}");
        let mut y = [0.0; LINE];
        y[1] = f32::INFINITY;
        isa.dispatch(Forward(Activation::Softmax, &mut y, 3));
        assert!(y[..3].iter().all(|y| y.is_nan()), "not hidden, on {isa}");
        assert!(y[3..].iter().all(|&y| y == 0.0), "padding, on {isa}");
    }
}

#[test]
fn names_go_round_and_wrong_ones_are_explained() {
    for act in ACTIVATIONS
        .into_iter()
        .chain([Activation::StraightThroughRelu])
    {
        let name = act.name();
        assert_eq!(Activation::parse(&name).expect(&name), act);
        let first = name.split(':').next().expect("a name");
        assert!(Activation::NAMES.contains(&first), "{first} is listed");
    }
    for name in Activation::NAMES {
        assert!(Activation::parse(name).is_ok(), "{name}");
    }
    for (text, part) in [
        ("relo", "identity, sigmoid, tanh"),
        ("", "identity, sigmoid, tanh"),
        ("relu:1", "takes no number"),
        ("elu:x", "`x` is not a number"),
        ("elu:-1", "not negative"),
        ("leaky-relu:nan", "not negative"),
        ("leaky-relu:inf", "finite"),
    ] {
        let error = Activation::parse(text).expect_err(text);
        assert_eq!(error.kind(), Kind::Setting);
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}
