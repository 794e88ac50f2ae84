//! The f64 twin of a network of the core: the same weights in the oracle's loops.

mod activation;
mod loss;

use mlp_core::dataset::{Inputs, Targets};
use mlp_core::nn::{Loss, Network};
use mlp_core::tensor::Matrix;
use oracle::network_f64;

/// The oracle's network with the parameters that `net` has now.
pub(crate) fn twin(net: &Network, loss: Loss, l2: f64) -> network_f64::Network {
    let layers = net.layers().iter().map(|layer| network_f64::Layer {
        inputs: layer.inputs(),
        outputs: layer.outputs(),
        activation: activation::of(layer.activation()),
        weight: wide(&layer.weight().to_vec()),
        bias: if layer.has_bias() {
            wide(layer.bias())
        } else {
            vec![0.0; layer.outputs()]
        },
    });
    network_f64::Network {
        layers: layers.collect(),
        loss: loss::of(loss),
        l2,
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// The rows of a matrix.
fn rows(matrix: &Matrix) -> Vec<Vec<f64>> {
    (0..matrix.rows()).map(|r| wide(matrix.row(r))).collect()
}

/// The rows that the network is given.
pub(crate) fn input_rows(inputs: &Inputs) -> Vec<Vec<f64>> {
    rows(&inputs.to_matrix())
}

/// The rows that its outputs are compared with: values, classes as ones among zeros, or two classes as 0 and 1.
pub(crate) fn target_rows(targets: &Targets, outputs: usize) -> Vec<Vec<f64>> {
    match targets {
        Targets::Values { values, .. } => rows(values),
        Targets::Classes { labels, .. } if outputs == 1 => {
            labels.iter().map(|&label| vec![f64::from(label)]).collect()
        }
        Targets::Classes { labels, .. } => labels
            .iter()
            .map(|&label| {
                (0..outputs)
                    .map(|class| f64::from(u8::from(class == label as usize)))
                    .collect()
            })
            .collect(),
    }
}
