//! Losses of a row: against f64 formulas and central differences for every loss with every activation, on every
//! instruction set; saturation; what counts as a hit; which combinations are refused.

use mlp_core::nn::loss::{Loss, RowLoss, loss_backward, loss_forward};
use mlp_core::nn::target::Target;
use mlp_core::rng::Rng;
use mlp_core::tensor::activation::{Activation, activation_forward};
use mlp_core::tensor::{LINE, padded};
use mlp_core::{Isa, Kind};
use oracle::ulp::{all_same, near, same};
use pulp::{Simd, WithSimd};

const ACTIVATIONS: [Activation; 9] = [
    Activation::Identity,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Relu,
    Activation::LeakyRelu(0.1),
    Activation::Elu(1.0),
    Activation::Gelu,
    Activation::Silu,
    Activation::Softmax,
];

/// Every loss with every activation that goes with it.
fn pairs() -> Vec<(Loss, Activation)> {
    let mut pairs = vec![
        (Loss::BinaryCrossEntropy, Activation::Sigmoid),
        (Loss::CrossEntropy, Activation::Softmax),
    ];
    for loss in [Loss::Mse, Loss::Mae, Loss::Huber(0.7)] {
        pairs.extend(ACTIVATIONS.map(|act| (loss, act)));
    }
    pairs
}

/// What the output layer does with z before the loss, then the loss: evaluation, or training with its gradient.
struct Run<'a> {
    loss: Loss,
    act: Activation,
    z: &'a [f32],
    cols: usize,
    target: Target<'a>,
    train: bool,
}

impl WithSimd for Run<'_> {
    type Output = (RowLoss, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (RowLoss, Vec<f32>) {
        let Self {
            loss,
            act,
            z,
            cols,
            target,
            train,
        } = self;
        let mut row = z.to_vec();
        if !loss.from_logits() {
            activation_forward(simd, act, &mut row, cols);
        }
        let result = if train {
            let mut saved = if act.needs_preactivation() {
                z.to_vec()
            } else if loss.from_logits() || act == Activation::Identity {
                Vec::new()
            } else {
                vec![f32::NAN; row.len()]
            };
            loss_backward(simd, loss, act, &mut row, cols, target, &mut saved)
        } else {
            loss_forward(simd, loss, &mut row, cols, target)
        };
        (result, row)
    }
}

fn outputs(act: Activation, z: &[f64]) -> Vec<f64> {
    let f = |f: &dyn Fn(f64) -> f64| z.iter().map(|&z| f(z)).collect();
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    match act {
        Activation::Identity => f(&|z| z),
        Activation::Sigmoid => f(&sigmoid),
        Activation::Tanh => f(&f64::tanh),
        Activation::Relu => f(&|z| z.max(0.0)),
        Activation::LeakyRelu(a) => f(&|z| if z > 0.0 { z } else { f64::from(a) * z }),
        Activation::Elu(a) => f(&|z| {
            if z > 0.0 {
                z
            } else {
                f64::from(a) * z.exp_m1()
            }
        }),
        Activation::Gelu => f(&|z| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (z + 0.044_715 * z * z * z);
            0.5 * z * (1.0 + u.tanh())
        }),
        Activation::Silu => f(&|z| z * sigmoid(z)),
        Activation::Softmax => {
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            f(&|z| z.exp() / sum)
        }
    }
}

/// The loss of a row in f64, straight from its definition.
fn exact(loss: Loss, act: Activation, z: &[f64], y: &[f64]) -> f64 {
    let p = outputs(act, z);
    let n = p.len() as f64;
    let over = |f: &dyn Fn(f64, f64) -> f64| p.iter().zip(y).map(|(&p, &y)| f(p, y)).sum::<f64>();
    match loss {
        Loss::Mse => over(&|p, y| (p - y).powi(2)) / n,
        Loss::Mae => over(&|p, y| (p - y).abs()) / n,
        Loss::Huber(d) => {
            let d = f64::from(d);
            let one = |e: f64| {
                if e <= d {
                    e * e / 2.0
                } else {
                    d * (e - d / 2.0)
                }
            };
            over(&|p, y| one((p - y).abs())) / n
        }
        Loss::BinaryCrossEntropy => -over(&|p, y| y * p.ln() + (1.0 - y) * (1.0 - p).ln()) / n,
        Loss::CrossEntropy => -over(&|p, y| if y == 0.0 { 0.0 } else { y * p.ln() }),
    }
}

fn gradient(loss: Loss, act: Activation, z: &[f64], y: &[f64]) -> Vec<f64> {
    let h = 1e-5;
    (0..z.len())
        .map(|i| {
            let (mut up, mut down) = (z.to_vec(), z.to_vec());
            up[i] += h;
            down[i] -= h;
            (exact(loss, act, &up, y) - exact(loss, act, &down, y)) / (2.0 * h)
        })
        .collect()
}

fn uniform(rng: &mut Rng, cols: usize, low: f64, high: f64) -> Vec<f32> {
    (0..cols)
        .map(|_| (low + rng.uniform() * (high - low)) as f32)
        .collect()
}

/// A padded row of logits, away from the kinks at 0.
fn logits(rng: &mut Rng, cols: usize, size: f64) -> Vec<f32> {
    let mut z = uniform(rng, cols, -size, size);
    for z in &mut z {
        *z += 0.01_f32.copysign(*z);
    }
    z.resize(padded(cols), 0.0);
    z
}

fn widened(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&x| f64::from(x)).collect()
}

/// The targets of a class as values.
fn one_hot(class: u32, cols: usize) -> Vec<f32> {
    if cols == 1 {
        return vec![class as f32];
    }
    (0..cols).map(|j| f32::from(j == class as usize)).collect()
}

#[test]
fn losses_and_gradients_are_their_definitions() {
    let mut rng = Rng::new(11);
    for (loss, act) in pairs() {
        for cols in [1, 2, 3, 10, 16, 17, 40] {
            if act == Activation::Softmax && cols == 1 {
                continue;
            }
            for round in 0..6 {
                let z = logits(&mut rng, cols, 4.0);
                // Soft targets that do not sum to 1, to see the sum in cross-entropy's gradient; and classes.
                let values = uniform(&mut rng, cols, 0.05, 0.95);
                let class = (rng.next_u64() % cols.max(2) as u64) as u32;
                let one_hot = one_hot(class, cols);
                let (target, y) = if round < 3 {
                    (Target::Values(&values), &values)
                } else {
                    (Target::Class(class), &one_hot)
                };
                let (z64, y64) = (widened(&z[..cols]), widened(y));
                let want = exact(loss, act, &z64, &y64);
                let want_d = gradient(loss, act, &z64, &y64);
                for isa in Isa::available() {
                    let op = |train| Run {
                        loss,
                        act,
                        z: &z,
                        cols,
                        target,
                        train,
                    };
                    let (result, d) = isa.dispatch(op(true));
                    let what = format!("{loss:?} of {act:?}, {cols} outputs, {target:?}, {isa}");
                    assert!(
                        near(result.loss, want, 2e-6, 0.1),
                        "{} not {want}: {what}",
                        result.loss
                    );
                    for (i, (&d, &want)) in d.iter().zip(&want_d).enumerate() {
                        // A target that happens to lie on the absolute error's kink has no difference quotient.
                        let on_kink = (outputs(act, &z64)[i] - y64[i]).abs() < 1e-3;
                        assert!(
                            on_kink || near(d, want, 2e-6, 1.0),
                            "{d} not {want} at {i}: {what}"
                        );
                    }
                    assert!(
                        d[cols..].iter().all(|&d| d.to_bits() == 0),
                        "padding: {what}"
                    );
                }
            }
        }
    }
}

#[test]
fn evaluation_gives_the_bits_of_training_and_of_the_activation() {
    let mut rng = Rng::new(12);
    for (loss, act) in pairs() {
        for cols in [2, 10, 50] {
            for round in 0..4 {
                let z = logits(&mut rng, cols, [1.0, 10.0, 100.0, 1e6][round]);
                let values = uniform(&mut rng, cols, 0.0, 1.0);
                for target in [Target::Class(1), Target::Values(&values)] {
                    let op = |train| Run {
                        loss,
                        act,
                        z: &z,
                        cols,
                        target,
                        train,
                    };
                    let (want, want_d) = Isa::SCALAR.dispatch(op(true));
                    let mut want_p = z.clone();
                    Isa::SCALAR.dispatch(Forward(act, &mut want_p, cols));
                    let mut runs: Vec<_> = Isa::available()
                        .into_iter()
                        .map(|isa| (isa.dispatch(op(true)), isa.dispatch(op(false))))
                        .collect();
                    // Sixteen lanes, on any CPU.
                    let wide = pulp::Scalar512b;
                    runs.push((wide.vectorize(op(true)), wide.vectorize(op(false))));
                    for ((trained, d), (evaluated, p)) in runs {
                        assert_eq!(trained.correct, evaluated.correct);
                        assert!(same(trained.loss, want.loss), "{loss:?} of {act:?}");
                        assert!(same(evaluated.loss, want.loss), "{loss:?} of {act:?}");
                        assert!(all_same(&d, &want_d), "{loss:?} of {act:?}, gradient");
                        assert!(all_same(&p, &want_p), "{loss:?} of {act:?}, outputs");
                    }
                }
            }
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

#[test]
fn no_finite_logit_gives_nan() {
    let extremes = [
        f32::MAX,
        1e20,
        1e4,
        90.0,
        17.0,
        0.0,
        1e-40,
        -17.0,
        -90.0,
        -1e4,
        -1e20,
        f32::MIN,
    ];
    let mut rng = Rng::new(13);
    for (loss, act) in pairs() {
        for _ in 0..200 {
            let mut z = vec![0.0; LINE];
            for z in &mut z[..3] {
                *z = extremes[(rng.next_u64() % extremes.len() as u64) as usize];
            }
            for target in [
                Target::Class(0),
                Target::Class(2),
                Target::Values(&[0.0, 1.0, 0.0]),
                Target::Values(&[0.2, 0.3, 0.5]),
            ] {
                for isa in Isa::available() {
                    let run = Run {
                        loss,
                        act,
                        z: &z,
                        cols: 3,
                        target,
                        train: true,
                    };
                    let (result, d) = isa.dispatch(run);
                    let what = format!("{loss:?} of {act:?}, {target:?}, {:?}, {isa}", &z[..3]);
                    assert!(!result.loss.is_nan(), "loss: {what}");
                    assert!(d.iter().all(|d| !d.is_nan()), "{d:?}: {what}");
                    if loss.from_logits() {
                        assert!(result.loss >= 0.0, "{}: {what}", result.loss);
                        assert!(d.iter().all(|d| d.abs() <= 1.0), "{d:?}: {what}");
                    }
                }
            }
        }
    }
}

#[test]
fn saturated_cross_entropy_is_linear_in_the_logit() {
    let run = |isa: Isa, loss, act, z: &[f32], target| {
        let mut row = z.to_vec();
        row.resize(LINE, 0.0);
        isa.dispatch(Run {
            loss,
            act,
            z: &row,
            cols: z.len(),
            target,
            train: true,
        })
    };
    for isa in Isa::available() {
        let z = [300.0, -200.0];
        let (result, d) = run(
            isa,
            Loss::CrossEntropy,
            Activation::Softmax,
            &z,
            Target::Class(1),
        );
        assert_eq!((result.loss, d[0], d[1]), (500.0, 1.0, -1.0), "{isa}");
        let binary = |z: &[f32], target| {
            run(
                isa,
                Loss::BinaryCrossEntropy,
                Activation::Sigmoid,
                z,
                target,
            )
        };
        let (result, d) = binary(&z, Target::Values(&[0.0, 1.0]));
        assert_eq!((result.loss, d[0], d[1]), (250.0, 0.5, -0.5), "{isa}");
        // A right and certain answer costs next to nothing, but not a rounded nothing.
        let (result, _) = binary(&[10.0], Target::Class(1));
        assert!(
            near(result.loss, (-10.0_f64).exp().ln_1p(), 1e-6, 0.0),
            "{isa}"
        );
    }
}

#[test]
fn a_hit_is_the_first_greatest_output() {
    let nan = f32::NAN;
    let cases: &[(&[f32], u32, bool)] = &[
        (&[0.1, 0.7, 0.2], 1, true),
        (&[0.1, 0.7, 0.2], 0, false),
        (&[0.5, 0.5, 0.2], 0, true),
        (&[0.5, 0.5, 0.2], 1, false),
        (&[0.1, 0.2, 0.2], 2, false),
        (&[0.1, nan, 0.2], 2, false),
        (&[nan, nan, nan], 0, false),
        (&[0.5], 1, true),
        (&[0.5], 0, false),
        (&[0.49], 0, true),
        (&[nan], 0, false),
        (&[nan], 1, false),
    ];
    for isa in Isa::available() {
        for &(p, class, want) in cases {
            let mut z = p.to_vec();
            z.resize(LINE, 0.0);
            let run = Run {
                loss: Loss::Mse,
                act: Activation::Identity,
                z: &z,
                cols: p.len(),
                target: Target::Class(class),
                train: true,
            };
            assert_eq!(
                isa.dispatch(run).0.correct,
                want,
                "{p:?}, class {class}, {isa}"
            );
        }
        // Two logits so near that their probabilities are equal: the first is the prediction, as it is in the outputs.
        let mut z = vec![0.0; LINE];
        z[..2].copy_from_slice(&[0.0, 1e-9]);
        for (class, want) in [(0, true), (1, false)] {
            let run = Run {
                loss: Loss::CrossEntropy,
                act: Activation::Softmax,
                z: &z,
                cols: 2,
                target: Target::Class(class),
                train: true,
            };
            assert_eq!(isa.dispatch(run).0.correct, want, "class {class}, {isa}");
        }
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    use Activation::{Identity, Relu, Sigmoid, Softmax, Tanh};
    let good = [
        (Loss::CrossEntropy, Softmax, 10, Some(10)),
        (Loss::CrossEntropy, Softmax, 3, None),
        (Loss::BinaryCrossEntropy, Sigmoid, 1, Some(2)),
        (Loss::BinaryCrossEntropy, Sigmoid, 5, Some(5)),
        (Loss::Mse, Softmax, 4, Some(4)),
        (Loss::Mae, Tanh, 1, Some(2)),
        (Loss::Huber(1.0), Identity, 1, None),
    ];
    for (loss, output, outputs, classes) in good {
        loss.check(output, outputs, classes).expect("goes together");
    }
    let bad = [
        (Loss::CrossEntropy, Sigmoid, 10, Some(10), "needs `softmax`"),
        (
            Loss::BinaryCrossEntropy,
            Relu,
            1,
            Some(2),
            "needs `sigmoid`",
        ),
        (Loss::CrossEntropy, Softmax, 1, Some(2), "always 1"),
        (
            Loss::CrossEntropy,
            Softmax,
            9,
            Some(10),
            "10 classes need 10 outputs, not 9",
        ),
        (
            Loss::BinaryCrossEntropy,
            Sigmoid,
            1,
            Some(3),
            "3 classes need 3 outputs, not 1",
        ),
        (Loss::Huber(-1.0), Identity, 1, None, "positive distance"),
        (
            Loss::Huber(f32::NAN),
            Identity,
            1,
            None,
            "positive distance",
        ),
    ];
    for (loss, output, outputs, classes, part) in bad {
        let error = loss.check(output, outputs, classes).expect_err(part);
        assert_eq!(error.kind(), Kind::Setting);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn names_go_round_and_wrong_ones_are_explained() {
    let all = [
        Loss::Mse,
        Loss::Mae,
        Loss::Huber(0.25),
        Loss::BinaryCrossEntropy,
        Loss::CrossEntropy,
    ];
    for loss in all {
        assert_eq!(Loss::parse(&loss.name()).expect("its own name"), loss);
    }
    for name in Loss::NAMES {
        assert!(Loss::parse(name).is_ok(), "{name}");
    }
    for (text, part) in [
        ("l2", "mse, mae, huber"),
        ("mse:2", "takes no number"),
        ("huber:0", "positive distance"),
        ("huber:", "is not a number"),
    ] {
        let error = Loss::parse(text).expect_err(text);
        assert_eq!(error.kind(), Kind::Setting);
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
    assert_eq!(Loss::default_for(Activation::Softmax), Loss::CrossEntropy);
    assert_eq!(
        Loss::default_for(Activation::Sigmoid),
        Loss::BinaryCrossEntropy
    );
    assert_eq!(Loss::default_for(Activation::Tanh), Loss::Mse);
}
