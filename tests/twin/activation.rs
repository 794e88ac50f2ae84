//! The activation of the oracle for one of the core.

use mlp_core::tensor::activation::Activation;
use oracle::network_f64;

pub(crate) fn of(activation: Activation) -> network_f64::Activation {
    match activation {
        Activation::Identity => network_f64::Activation::Identity,
        Activation::Sigmoid => network_f64::Activation::Sigmoid,
        Activation::Tanh => network_f64::Activation::Tanh,
        Activation::Relu => network_f64::Activation::Relu,
        Activation::StraightThroughRelu => network_f64::Activation::StraightThroughRelu,
        Activation::LeakyRelu(slope) => network_f64::Activation::LeakyRelu(f64::from(slope)),
        Activation::Elu(alpha) => network_f64::Activation::Elu(f64::from(alpha)),
        Activation::Gelu => network_f64::Activation::Gelu,
        Activation::Silu => network_f64::Activation::Silu,
        Activation::Softmax => network_f64::Activation::Softmax,
    }
}
