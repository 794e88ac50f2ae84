//! The gradients of the core's networks, read off one step of plain gradient descent, against central differences of the
//! loss in f64: every activation with every loss it goes with.

mod twin;

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::nn::{Loss, Network};
use mlp_core::optim::Sgd;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Reduction, Trainer};
use oracle::rng::Rng;
use oracle::tolerance::relative_error;

const ACTIVATIONS: [Activation; 9] = [
    Activation::Identity,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Relu,
    Activation::LeakyRelu(0.1),
    Activation::Elu(0.7),
    Activation::Gelu,
    Activation::Silu,
    Activation::Softmax,
];

/// The step size: large, so that the rounding of the new weight matters little; a power of two, so that dividing by it
/// is exact.
const LR: f64 = 64.0;

/// Below this size of a gradient, its error is measured against this.
const FLOOR: f64 = 1e-4;

const ROWS: usize = 7;
const INPUTS: usize = 5;

fn inputs(rng: &mut Rng) -> Inputs {
    Inputs::from_matrix(Matrix::from_vec(
        ROWS,
        INPUTS,
        &rng.uniform(ROWS * INPUTS, -1.0, 1.0),
    ))
}

/// Targets that any real output may have.
fn values(rng: &mut Rng, width: usize) -> Dataset {
    let targets = Matrix::from_vec(ROWS, width, &rng.uniform(ROWS * width, -1.0, 1.0));
    Dataset::values(inputs(rng), targets).expect("a data set of values")
}

fn classes(rng: &mut Rng, count: u32) -> Dataset {
    let mut labels = rng.labels(ROWS, count);
    for class in 0..count {
        labels[class as usize] = class;
    }
    let names = (0..count).map(|class| class.to_string()).collect();
    Dataset::classes(inputs(rng), labels, names).expect("a data set of classes")
}

/// Hidden layer of 6, then the output; every parameter random, biases too.
fn network(rng: &mut Rng, hidden: Activation, output: Activation, width: usize) -> Network {
    let mut net = Network::builder(INPUTS)
        .dense(6, hidden)
        .dense(width, output)
        .build()
        .expect("a network");
    randomise(rng, &mut net);
    net
}

fn randomise(rng: &mut Rng, net: &mut Network) {
    for l in 0..net.layers().len() {
        let (inputs, outputs) = (net.layers()[l].inputs(), net.layers()[l].outputs());
        let weight = Matrix::from_vec(outputs, inputs, &rng.uniform(outputs * inputs, -1.0, 1.0));
        net.set_weight(l, &weight);
        if net.layers()[l].has_bias() {
            net.set_bias(l, &rng.uniform(outputs, -1.0, 1.0));
        }
    }
}

/// What was subtracted in one step over all rows, by LR: the gradient, as (weights, biases) of each layer.
fn gradient(net: &Network, trainer: Trainer<'_>, data: &Dataset) -> Vec<[Vec<f64>; 2]> {
    let mut stepped = net.clone();
    let _ = trainer
        .full_batch()
        .epochs(1)
        .threads(1)
        .shuffle(false)
        .fit(&mut stepped, data, None)
        .expect("one step");
    let moved = |before: &[f32], after: &[f32]| {
        before
            .iter()
            .zip(after)
            .map(|(&before, &after)| (f64::from(before) - f64::from(after)) / LR)
            .collect()
    };
    net.layers()
        .iter()
        .zip(stepped.layers())
        .map(|(before, after)| {
            [
                moved(&before.weight().to_vec(), &after.weight().to_vec()),
                moved(before.bias(), after.bias()),
            ]
        })
        .collect()
}

/// The gradient that the core computes against central differences, times `scale`.
fn check(net: &Network, loss: Loss, data: &Dataset, trainer: Trainer<'_>, (l2, scale): (f64, f64)) {
    let exact = twin::twin(net, loss, l2);
    let x = twin::input_rows(data.inputs());
    let y = twin::target_rows(data.targets(), net.outputs());
    for (l, [weight, bias]) in gradient(net, trainer, data).iter().enumerate() {
        for (i, &got) in weight.iter().enumerate() {
            let want =
                scale * exact.central_difference(&x, &y, 1e-5, |n| &mut n.layers[l].weight[i]);
            let error = relative_error(got, want, FLOOR);
            assert!(
                error < 1e-3,
                "{exact:?}\nlayer {l}, weight {i}: {got}, not {want}"
            );
        }
        for (i, &got) in bias.iter().enumerate() {
            let want = scale * exact.central_difference(&x, &y, 1e-5, |n| &mut n.layers[l].bias[i]);
            let error = relative_error(got, want, FLOOR);
            assert!(
                error < 1e-3,
                "{exact:?}\nlayer {l}, bias {i}: {got}, not {want}"
            );
        }
    }
}

fn trainer(loss: Loss) -> Trainer<'static> {
    Trainer::new(Sgd::new(LR)).loss(loss)
}

#[test]
fn losses_of_values_with_every_pair_of_activations() {
    let mut rng = Rng::new(21);
    for hidden in ACTIVATIONS {
        for output in ACTIVATIONS {
            for loss in [
                Loss::Mse,
                Loss::SquaredError,
                Loss::HalfSquaredError,
                Loss::Mae,
                Loss::Huber(0.5),
            ] {
                let net = network(&mut rng, hidden, output, 3);
                let data = values(&mut rng, 3);
                check(&net, loss, &data, trainer(loss), (0.0, 1.0));
            }
        }
    }
}

#[test]
fn losses_of_values_on_classes() {
    let mut rng = Rng::new(22);
    for output in ACTIVATIONS {
        // The absolute error's kink, at an output of exactly 0 or 1, is met by relu.
        for loss in [Loss::Mse, Loss::Huber(0.3)] {
            let net = network(&mut rng, Activation::Tanh, output, 3);
            let data = classes(&mut rng, 3);
            check(&net, loss, &data, trainer(loss), (0.0, 1.0));
            // Two classes told by one output.
            if output != Activation::Softmax {
                let net = network(&mut rng, Activation::Tanh, output, 1);
                let data = classes(&mut rng, 2);
                check(&net, loss, &data, trainer(loss), (0.0, 1.0));
            }
        }
    }
}

#[test]
fn cross_entropies_with_every_hidden_activation() {
    let mut rng = Rng::new(23);
    for hidden in ACTIVATIONS {
        let net = network(&mut rng, hidden, Activation::Softmax, 4);
        let loss = Loss::CrossEntropy;
        check(&net, loss, &classes(&mut rng, 4), trainer(loss), (0.0, 1.0));
        let loss = Loss::BinaryCrossEntropy;
        let net = network(&mut rng, hidden, Activation::Sigmoid, 1);
        check(&net, loss, &classes(&mut rng, 2), trainer(loss), (0.0, 1.0));
        let net = network(&mut rng, hidden, Activation::Sigmoid, 3);
        check(&net, loss, &classes(&mut rng, 3), trainer(loss), (0.0, 1.0));
    }
}

#[test]
fn many_layers_of_odd_sizes_with_and_without_bias() {
    let mut rng = Rng::new(24);
    let mut net = Network::builder(INPUTS)
        .dense(17, Activation::Gelu)
        .dense_no_bias(16, Activation::Sigmoid)
        .dense(1, Activation::Tanh)
        .dense_no_bias(33, Activation::Silu)
        .dense(3, Activation::Softmax)
        .build()
        .expect("a network");
    randomise(&mut rng, &mut net);
    let loss = Loss::CrossEntropy;
    check(&net, loss, &classes(&mut rng, 3), trainer(loss), (0.0, 1.0));
}

#[test]
fn penalties_and_reductions() {
    let mut rng = Rng::new(25);
    let net = network(&mut rng, Activation::Tanh, Activation::Identity, 2);
    let data = values(&mut rng, 2);
    let loss = Loss::Mse;
    check(&net, loss, &data, trainer(loss).l2(0.25), (0.25, 1.0));
    let sum = trainer(loss).reduction(Reduction::Sum);
    check(&net, loss, &data, sum, (0.0, ROWS as f64));
    // L1 adds its sign to the gradient of every weight and of no bias.
    let without = gradient(&net, trainer(loss), &data);
    let with = gradient(&net, trainer(loss).l1(0.25), &data);
    for (l, layer) in net.layers().iter().enumerate() {
        for (i, w) in layer.weight().to_vec().iter().enumerate() {
            let added = with[l][0][i] - without[l][0][i];
            let want = 0.25 * f64::from(w.signum());
            assert!((added - want).abs() < 1e-5, "{added}, not {want}");
        }
        assert_eq!(with[l][1], without[l][1]);
    }
}
