//! Layers and the network they make. Weights live in packed panels, ready for the kernels; at the door they are
//! `[outputs, inputs]`, as `PyTorch` has them.

use super::Builder;
use super::builder::check_dropout;
use crate::error::{Error, Kind};
use crate::isa::Isa;
use crate::tensor::activation::Activation;
use crate::tensor::gemm::{Operand, Panels};
use crate::tensor::{LINE, Matrix};

/// A dense layer: y = f(W x + b), W being `[outputs, inputs]`.
#[derive(Clone, Debug)]
pub struct Layer {
    /// W transposed, `[inputs, outputs]`, in panels of outputs.
    pub(crate) panels: Panels,
    pub(crate) bias: Option<Vec<f32>>,
    /// Whether all of W was finite when it was set. Training leaves no other weights behind.
    finite: bool,
    activation: Activation,
    dropout: f32,
}

impl Layer {
    pub(super) fn new(
        weight: &Matrix,
        bias: Option<Vec<f32>>,
        activation: Activation,
        dropout: f32,
    ) -> Self {
        let panels = Panels::pack(Operand::Transposed(weight.view()));
        Self {
            finite: is_finite(&panels),
            panels,
            bias,
            activation,
            dropout,
        }
    }

    /// How many numbers go in.
    pub fn inputs(&self) -> usize {
        self.panels.k()
    }

    /// How many units it has.
    pub fn outputs(&self) -> usize {
        self.panels.n()
    }

    /// f.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The rate at which this layer's inputs are dropped in training.
    pub fn dropout(&self) -> f32 {
        self.dropout
    }

    /// Whether there is a b.
    pub fn has_bias(&self) -> bool {
        self.bias.is_some()
    }

    /// Whether all of W is finite, so that a zero among its inputs may be skipped.
    pub(super) fn is_finite(&self) -> bool {
        self.finite
    }

    /// W, `[outputs, inputs]`: a copy.
    pub fn weight(&self) -> Matrix {
        Matrix::from_fn(self.outputs(), self.inputs(), |o, i| self.panels.get(i, o))
    }

    /// b, one for each output; empty if there is none.
    pub fn bias(&self) -> &[f32] {
        self.bias.as_deref().unwrap_or_default()
    }

    /// The number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.inputs() * self.outputs() + self.bias().len()
    }
}

fn is_finite(panels: &Panels) -> bool {
    panels.lines().as_flattened().iter().all(|x| x.is_finite())
}

/// A multi-layer perceptron: layers of which each takes the outputs of the one before.
///
/// It is `Send` and `Sync`, holds no global state, and starts threads only within a call.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) layers: Vec<Layer>,
    pub(crate) isa: Isa,
}

impl Network {
    /// Begins a network of that many inputs.
    pub fn builder(inputs: usize) -> Builder {
        Builder::new(inputs)
    }

    /// How many numbers go in.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs()
    }

    /// How many numbers come out.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs()
    }

    /// The layers, from the inputs on.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The activation of the last layer.
    pub fn output_activation(&self) -> Activation {
        self.layers[self.layers.len() - 1].activation
    }

    /// The instruction set it runs on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The same network on another instruction set; results are the same to the bit.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// The number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(Layer::parameters).sum()
    }

    /// Multiplications and additions to predict one row: two for each weight.
    pub fn flops_per_row(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| 2 * layer.inputs() * layer.outputs())
            .sum()
    }

    /// Gives layer `l` (from 0) own weights, `[outputs, inputs]`.
    ///
    /// # Panics
    /// When there is no such layer or the shape is another.
    #[track_caller]
    pub fn set_weight(&mut self, l: usize, weight: &Matrix) {
        let layer = &mut self.layers[l];
        assert_eq!(
            (weight.rows(), weight.cols()),
            (layer.outputs(), layer.inputs()),
            "the weights of layer {l} are [{}, {}], not [{}, {}]",
            layer.outputs(),
            layer.inputs(),
            weight.rows(),
            weight.cols()
        );
        layer.panels = Panels::pack(Operand::Transposed(weight.view()));
        layer.finite = is_finite(&layer.panels);
    }

    /// Gives layer `l` (from 0) own biases, one for each output.
    ///
    /// # Panics
    /// When there is no such layer, it has no biases, or another number of them.
    #[track_caller]
    pub fn set_bias(&mut self, l: usize, bias: &[f32]) {
        let layer = &mut self.layers[l];
        assert_eq!(
            bias.len(),
            layer.bias().len(),
            "layer {l} has {} biases, not {}",
            layer.bias().len(),
            bias.len()
        );
        if let Some(own) = &mut layer.bias {
            own.copy_from_slice(bias);
        }
    }

    /// Gives layer `l` (from 0) another rate at which its inputs are dropped in training.
    ///
    /// # Errors
    /// When the rate is not at least 0 and less than 1.
    ///
    /// # Panics
    /// When there is no such layer.
    #[track_caller]
    pub fn set_dropout(&mut self, l: usize, rate: f32) -> Result<(), Error> {
        check_dropout(rate)?;
        self.layers[l].dropout = rate;
        Ok(())
    }

    /// Makes each output y of the last layer `scale y + shift`, by its weights and biases: a network that was trained on
    /// (t - shift) / scale then gives t, but for roundings.
    ///
    /// # Errors
    /// When the last layer has an activation other than `identity`, or no biases.
    ///
    /// # Panics
    /// When there are not as many scales and shifts as outputs.
    #[track_caller]
    pub fn rescale_outputs(&mut self, scale: &[f64], shift: &[f64]) -> Result<(), Error> {
        let last = self.layers.len() - 1;
        let layer = &self.layers[last];
        let outputs = layer.outputs();
        assert_eq!(
            [scale.len(), shift.len()],
            [outputs; 2],
            "a scale and a shift for each of {outputs} outputs"
        );
        if layer.activation != Activation::Identity || !layer.has_bias() {
            return Err(Error::new(
                Kind::Setting,
                "outputs are scaled by a last layer that has biases and no activation",
            ));
        }
        let weight = layer.weight();
        let weight = Matrix::from_fn(outputs, layer.inputs(), |o, i| {
            (scale[o] * f64::from(weight.row(o)[i])) as f32
        });
        let bias = layer.bias().iter().zip(scale).zip(shift);
        let bias: Vec<f32> = bias
            .map(|((&bias, scale), shift)| (scale * f64::from(bias) + shift) as f32)
            .collect();
        self.set_weight(last, &weight);
        self.set_bias(last, &bias);
        Ok(())
    }

    /// The greatest number of lines that a row of any layer's outputs takes.
    pub(crate) fn widest(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| layer.outputs().div_ceil(LINE))
            .max()
            .unwrap_or(1)
    }
}
