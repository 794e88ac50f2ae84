//! The baseline's training against the f64 oracle's.

use super::{Hidden, Network, Optimizer, Order};
use crate::network_f64::{Activation, Layer, Loss};
use crate::optim::{Optimizer as Rule, State};
use crate::rng::Rng;
use crate::tolerance::relative_error;

fn in_f64(net: &Network) -> crate::network_f64::Network {
    let layers = net.layers.iter().enumerate().map(|(l, layer)| Layer {
        inputs: layer.inputs,
        outputs: layer.outputs,
        activation: match (l + 1 == net.layers.len(), net.hidden) {
            (true, _) => Activation::Softmax,
            (false, Hidden::Relu) => Activation::Relu,
            (false, Hidden::Sigmoid) => Activation::Sigmoid,
        },
        weight: (0..layer.outputs * layer.inputs)
            .map(|x| (x / layer.inputs, x % layer.inputs))
            .map(|(o, i)| f64::from(layer.weight.w[i * layer.outputs + o]))
            .collect(),
        bias: layer.bias.w.iter().copied().map(f64::from).collect(),
    });
    crate::network_f64::Network {
        layers: layers.collect(),
        loss: Loss::CrossEntropy,
        l2: 0.0,
    }
}

/// Ten steps in f32 and in f64 side by side.
fn ten_losses_agree(hidden: Hidden, order: Order, optimizer: Optimizer, rule: Rule) {
    let mut net = Network::new(&[6, 9, 5, 4], hidden, optimizer, order, 3);
    let mut exact = in_f64(&net);
    let mut rng = Rng::new(4);
    let x = rng.uniform(8 * 6, -1.0, 1.0);
    let labels = rng.labels(8, 4);
    let rows: Vec<Vec<f64>> = x
        .chunks(6)
        .map(|row| row.iter().copied().map(f64::from).collect())
        .collect();
    let one_hot = |&label: &u32| (0..4).map(|c| f64::from(u8::from(c == label))).collect();
    let targets: Vec<Vec<f64>> = labels.iter().map(one_hot).collect();
    let mut states: Vec<[State; 2]> = exact
        .layers
        .iter()
        .map(|layer| [&layer.weight, &layer.bias].map(|w| State::new(rule, w.len())))
        .collect();
    for step in 0..10 {
        let want = exact.mean_loss(&rows, &targets);
        let got = f64::from(net.train_batch(&x, &labels));
        let error = relative_error(got, want, 1e-3);
        assert!(error < 1e-5, "step {step}: {got} is not {want}");
        let gradients = exact.gradients(&rows, &targets);
        for ((layer, state), gradient) in exact.layers.iter_mut().zip(&mut states).zip(&gradients) {
            state[0].step(&mut layer.weight, &gradient.d_weight);
            state[1].step(&mut layer.bias, &gradient.d_bias);
        }
    }
}

#[test]
fn training_follows_the_f64_oracle() {
    for order in [Order::DotProducts, Order::Rows] {
        for hidden in [Hidden::Relu, Hidden::Sigmoid] {
            ten_losses_agree(
                hidden,
                order,
                Optimizer::Sgd { lr: 0.5 },
                Rule::Sgd { lr: 0.5 },
            );
            let (lr, beta) = (0.5, 0.9);
            ten_losses_agree(
                hidden,
                order,
                Optimizer::EmaMomentum {
                    lr: lr as f32,
                    beta: beta as f32,
                },
                Rule::EmaMomentum { lr, beta },
            );
            ten_losses_agree(
                hidden,
                order,
                Optimizer::Adam { lr: 0.01 },
                Rule::Adam {
                    lr: 0.01,
                    beta1: 0.9,
                    beta2: 0.999,
                    eps: 1e-8,
                },
            );
        }
    }
}

#[test]
fn an_epoch_is_its_batches_in_that_order() {
    let new = || {
        let optimizer = Optimizer::Sgd { lr: 0.1 };
        Network::new(&[3, 4, 2], Hidden::Relu, optimizer, Order::Rows, 1)
    };
    let x = Rng::new(6).uniform(5 * 3, -1.0, 1.0);
    let (mut whole, mut parts) = (new(), new());
    let loss = whole.train_epoch(&x, &[0, 1, 1, 0, 1], &[4, 2, 0, 1, 3], 3);
    let pick = |rows: &[usize]| -> Vec<f32> {
        rows.iter()
            .flat_map(|row| x[row * 3..][..3].to_vec())
            .collect()
    };
    let first = parts.train_batch(&pick(&[4, 2, 0]), &[1, 1, 0]);
    let second = parts.train_batch(&pick(&[1, 3]), &[1, 0]);
    assert_eq!(loss, (3.0 * first + 2.0 * second) / 5.0);
    assert_eq!(whole.weight(0), parts.weight(0));
    assert_ne!(whole.weight(0), new().weight(0));
}
