//! Losses of a row at their limits: saturated outputs, what counts as a hit, which combinations and names are refused.

mod row_loss;

use mlp_core::nn::loss::Loss;
use mlp_core::nn::target::Target;
use mlp_core::rng::Rng;
use mlp_core::tensor::LINE;
use mlp_core::tensor::activation::Activation;
use mlp_core::{Isa, Kind};
use oracle::ulp::near;
use row_loss::{Run, pairs};

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
        Loss::SquaredError,
        Loss::HalfSquaredError,
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
        ("l2", "mse, squared-error, half-squared-error, mae, huber"),
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
