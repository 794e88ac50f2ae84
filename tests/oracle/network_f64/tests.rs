//! The oracle's own gradients against central differences, and its values against numbers worked by hand.

use super::{Activation, Layer, Loss, Network};
use crate::rng::Rng;
use crate::tolerance::relative_error;

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

fn random_rows(rng: &mut Rng, rows: usize, cols: usize, low: f64, high: f64) -> Vec<Vec<f64>> {
    (0..rows)
        .map(|_| (0..cols).map(|_| rng.between(low, high)).collect())
        .collect()
}

fn network(rng: &mut Rng, hidden: Activation, output: Activation, loss: Loss) -> Network {
    let sizes = [3, 4, 2];
    let layers = [hidden, output]
        .into_iter()
        .enumerate()
        .map(|(l, activation)| {
            let (inputs, outputs) = (sizes[l], sizes[l + 1]);
            Layer {
                inputs,
                outputs,
                activation,
                weight: random_rows(rng, 1, inputs * outputs, -1.0, 1.0).remove(0),
                bias: random_rows(rng, 1, outputs, -1.0, 1.0).remove(0),
            }
        });
    Network {
        layers: layers.collect(),
        loss,
        l2: 0.01,
    }
}

/// Every parameter of the network against its central difference.
fn check(net: &Network, inputs: &[Vec<f64>], targets: &[Vec<f64>]) {
    for (l, gradient) in net.gradients(inputs, targets).iter().enumerate() {
        for (i, &d) in gradient.d_weight.iter().enumerate() {
            let slope =
                net.central_difference(inputs, targets, 1e-5, |n| &mut n.layers[l].weight[i]);
            let error = relative_error(d, slope, 1e-3);
            assert!(error < 1e-6, "{net:?}, weight {l} {i}: {d}, slope {slope}");
        }
        for (i, &d) in gradient.d_bias.iter().enumerate() {
            let slope = net.central_difference(inputs, targets, 1e-5, |n| &mut n.layers[l].bias[i]);
            let error = relative_error(d, slope, 1e-3);
            assert!(error < 1e-6, "{net:?}, bias {l} {i}: {d}, slope {slope}");
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let mut rng = Rng::new(5);
    let inputs = random_rows(&mut rng, 3, 3, -1.0, 1.0);
    let values = random_rows(&mut rng, 3, 2, -1.0, 1.0);
    let shares: Vec<Vec<f64>> = random_rows(&mut rng, 3, 1, 0.1, 0.9)
        .iter()
        .map(|y| vec![y[0], 1.0 - y[0]])
        .collect();
    for hidden in ACTIVATIONS {
        for output in ACTIVATIONS {
            for loss in [Loss::Mse, Loss::Mae, Loss::Huber(0.5)] {
                check(&network(&mut rng, hidden, output, loss), &inputs, &values);
            }
        }
        let fused = [
            (Activation::Sigmoid, Loss::BinaryCrossEntropy),
            (Activation::Softmax, Loss::CrossEntropy),
        ];
        for (output, loss) in fused {
            check(&network(&mut rng, hidden, output, loss), &inputs, &shares);
        }
    }
}

#[test]
fn losses_worked_by_hand() {
    let (p, y) = ([0.5, 0.25], [1.0, 1.0]);
    let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    close(Loss::Mse.value(&p, &y), f64::midpoint(0.25, 0.5625));
    close(Loss::SquaredError.value(&p, &y), 0.8125);
    close(Loss::HalfSquaredError.value(&p, &y), 0.406_25);
    close(Loss::Mae.value(&p, &y), 0.625);
    close(Loss::Huber(0.5).value(&p, &y), f64::midpoint(0.125, 0.25));
    close(
        Loss::BinaryCrossEntropy.value(&p, &y),
        1.5 * std::f64::consts::LN_2,
    );
    close(
        Loss::CrossEntropy.value(&p, &[0.0, 1.0]),
        2.0 * std::f64::consts::LN_2,
    );
}

#[test]
fn activations_at_known_points() {
    let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-6, "{got} is not {want}");
    close(Activation::Sigmoid.forward(&[1.0])[0], 0.731_058_6);
    close(Activation::Tanh.forward(&[1.0])[0], 0.761_594_2);
    close(Activation::Silu.forward(&[1.0])[0], 0.731_058_6);
    // The tanh form; the exact normal distribution would give 0.841345.
    close(Activation::Gelu.forward(&[1.0])[0], 0.841_192_0);
    close(Activation::Elu(2.0).forward(&[-1.0])[0], -1.264_241_1);
    close(Activation::LeakyRelu(0.1).forward(&[-3.0])[0], -0.3);
    close(Activation::Relu.forward(&[-3.0])[0], 0.0);
    close(Activation::StraightThroughRelu.forward(&[-3.0])[0], 0.0);
    close(
        Activation::StraightThroughRelu.backward(&[-3.0], &[2.0])[0],
        2.0,
    );
    let softmax = Activation::Softmax.forward(&[1000.0, 1000.0 - 3.0_f64.ln()]);
    close(softmax[0], 0.75);
    close(softmax[1], 0.25);
}
