//! The loss of one row on any instruction set, and the pairs of loss and activation that there are.

use mlp_core::isa::pulp::{Simd, WithSimd};
use mlp_core::nn::loss::{Loss, RowLoss, loss_backward, loss_forward};
use mlp_core::nn::target::Target;
use mlp_core::tensor::activation::{Activation, activation_forward};

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
pub(crate) fn pairs() -> Vec<(Loss, Activation)> {
    let mut pairs = vec![
        (Loss::BinaryCrossEntropy, Activation::Sigmoid),
        (Loss::CrossEntropy, Activation::Softmax),
    ];
    for loss in [
        Loss::Mse,
        Loss::SquaredError,
        Loss::HalfSquaredError,
        Loss::Mae,
        Loss::Huber(0.7),
    ] {
        pairs.extend(ACTIVATIONS.map(|act| (loss, act)));
    }
    pairs
}

/// What the output layer does with z before the loss, then the loss: evaluation, or training with its gradient.
pub(crate) struct Run<'a> {
    pub(crate) loss: Loss,
    pub(crate) act: Activation,
    pub(crate) z: &'a [f32],
    pub(crate) cols: usize,
    pub(crate) target: Target<'a>,
    pub(crate) train: bool,
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
