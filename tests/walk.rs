//! A row's walk through a network: the same numbers as prediction and training, and slopes that are slopes.

use mlp_core::nn::{Loss, Target};
use mlp_core::tensor::curve::Curve;
use mlp_core::{Activation, Dataset, Init, Inputs, Matrix, Network, Sgd, Trainer};

const ROW: [f32; 3] = [0.5, -1.25, 2.0];

fn network(hidden: Activation, output: Activation, outputs: usize) -> Network {
    Network::builder(3)
        .init(Init::Normal(0.7))
        .bias_init(Init::Normal(0.3))
        .seed(5)
        .dense(4, hidden)
        .dense(outputs, output)
        .build()
        .expect("a network")
}

fn close(ours: f32, other: f32, what: &str) {
    let bound = 2e-6 * ours.abs().max(1.0);
    assert!((ours - other).abs() <= bound, "{what}: {ours} and {other}");
}

#[test]
fn outputs_are_those_of_prediction() {
    let inputs = Inputs::from_matrix(Matrix::from_vec(1, 3, &ROW));
    for hidden in [
        Activation::Tanh,
        Activation::Relu,
        Activation::Gelu,
        Activation::Silu,
    ] {
        for output in [
            Activation::Sigmoid,
            Activation::Softmax,
            Activation::Identity,
        ] {
            let network = network(hidden, output, 3);
            let walk = network
                .walk(&ROW, Target::Values(&[0.0; 3]), Loss::Mse)
                .expect("a walk");
            let predicted = network.predict(&inputs);
            let told = &walk.layers.last().expect("layers").y;
            for (ours, other) in told.iter().zip(predicted.row(0)) {
                close(*ours, *other, &format!("{hidden:?}, {output:?}"));
            }
        }
    }
}

/// One step of gradient descent at rate 1 takes the gradient off the weights.
#[test]
fn gradients_are_those_of_training() {
    let cases = [
        (Activation::Tanh, Activation::Sigmoid, Loss::Mse, false),
        (
            Activation::Silu,
            Activation::Identity,
            Loss::Huber(0.5),
            false,
        ),
        (Activation::Relu, Activation::Softmax, Loss::Mse, false),
        (
            Activation::Sigmoid,
            Activation::Softmax,
            Loss::CrossEntropy,
            true,
        ),
    ];
    for (hidden, output, loss, classes) in cases {
        let mut network = network(hidden, output, 3);
        let answer = [0.9, 0.1, -0.4];
        let inputs = Inputs::from_matrix(Matrix::from_vec(1, 3, &ROW));
        let (data, target) = if classes {
            let names = ["a", "b", "c"].map(str::to_owned).to_vec();
            let data = Dataset::classes(inputs, vec![1], names).expect("data");
            (data, Target::Class(1))
        } else {
            let data = Dataset::values(inputs, Matrix::from_vec(1, 3, &answer)).expect("data");
            (data, Target::Values(&answer))
        };
        let walk = network.walk(&ROW, target, loss).expect("a walk");
        assert_eq!(walk.d_output.is_empty(), loss.from_logits());
        let before = network.clone();
        let history = Trainer::new(Sgd::new(1.0))
            .loss(loss)
            .full_batch()
            .epochs(1)
            .fit(&mut network, &data, None)
            .expect("a step");
        let what = format!("{hidden:?}, {output:?}, {loss:?}");
        close(walk.loss, history.epochs[0].loss as f32, &what);
        for (l, step) in walk.layers.iter().enumerate() {
            let (old, new) = (&before.layers()[l], &network.layers()[l]);
            for unit in 0..old.outputs() {
                for input in 0..old.inputs() {
                    let taken = old.weight().row(unit)[input] - new.weight().row(unit)[input];
                    close(step.d_weight.row(unit)[input], taken, &what);
                }
                close(
                    step.d_bias[unit],
                    old.bias()[unit] - new.bias()[unit],
                    &what,
                );
            }
        }
    }
}

/// The links of the chain rule, multiplied, are the gradient.
#[test]
fn links_make_the_chain() {
    let network = network(Activation::Tanh, Activation::Sigmoid, 1);
    let walk = network
        .walk(&ROW, Target::Values(&[1.0]), Loss::Mse)
        .expect("a walk");
    let [hidden, output] = &walk.layers[..] else {
        panic!("two layers");
    };
    for unit in 0..4 {
        let through = walk.d_output[0] * output.by_input(0, unit).expect("a slope");
        for input in 0..3 {
            let chain = through * hidden.by_weight(unit, input).expect("a slope");
            close(hidden.d_weight.row(unit)[input], chain, "the chain");
        }
    }
    let softmax = self::network(Activation::Tanh, Activation::Softmax, 3);
    let walk = softmax
        .walk(&ROW, Target::Class(0), Loss::CrossEntropy)
        .expect("a walk");
    assert_eq!(walk.layers[1].by_weight(0, 0), None);
}

#[test]
fn what_does_not_fit_is_told() {
    let network = network(Activation::Tanh, Activation::Softmax, 3);
    for (row, target, loss, word) in [
        (&ROW[..2], Target::Class(0), Loss::CrossEntropy, "3 inputs"),
        (&ROW[..], Target::Class(3), Loss::CrossEntropy, "class 3"),
        (
            &ROW[..],
            Target::Values(&[0.0]),
            Loss::Mse,
            "1 target values",
        ),
        (
            &ROW[..],
            Target::Class(0),
            Loss::BinaryCrossEntropy,
            "sigmoid",
        ),
    ] {
        let told = network
            .walk(row, target, loss)
            .expect_err("a fault")
            .to_string();
        assert!(told.contains(word), "{told}");
    }
    let odd = self::network(Activation::Softmax, Activation::Identity, 1);
    let told = odd
        .walk(&ROW, Target::Values(&[0.0]), Loss::Mse)
        .expect_err("a fault");
    assert!(told.to_string().contains("softmax"), "{told}");
}

#[test]
fn curves_and_their_slopes() {
    let z: Vec<f32> = (-40..=40).map(|i| i as f32 / 8.0 + 0.03).collect();
    for name in Activation::NAMES {
        let activation = Activation::parse(name).expect("a name");
        if activation == Activation::Softmax {
            assert!(Curve::of(activation, &z).is_err());
            continue;
        }
        let curve = Curve::of(activation, &z).expect("a curve");
        assert_eq!((curve.y.len(), curve.slope.len()), (z.len(), z.len()));
        // The straight-through estimator's derivative is no slope, by design.
        if activation == Activation::StraightThroughRelu {
            assert!(curve.slope.iter().all(|&slope| slope == 1.0));
            continue;
        }
        let h = 1.0 / 256.0;
        let moved = |by: f32| {
            let z: Vec<f32> = z.iter().map(|z| z + by).collect();
            Curve::of(activation, &z).expect("a curve").y
        };
        for (((up, down), slope), z) in moved(h).iter().zip(moved(-h)).zip(&curve.slope).zip(&z) {
            let difference = (up - down) / (2.0 * h);
            assert!(
                (difference - slope).abs() < 1e-3,
                "{name} at {z}: {slope}, {difference}"
            );
        }
    }
    assert_eq!(
        Curve::of(Activation::Relu, &[-1.0, 2.0])
            .expect("a curve")
            .y,
        [0.0, 2.0]
    );
}
