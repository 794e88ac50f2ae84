//! One row, step by step: what [`Network::predict`] and training compute, with every number between kept to be looked at.
//!
//! For a layer with inputs a: z = W a + b, y = f(z). On the way back, from `dL/dp` at the outputs p:
//!
//! | number | formula |
//! |---|---|
//! | `d_z` of the last layer | `dL/dp f'(z)`; at once for the losses from logits: p - y, or (p - y) / n |
//! | `d_z` of a layer before | `f'(z)` times the sum over the next layer's units k of `W[k] d_z[k]` |
//! | `d_weight` | `d_z[unit] a[input]` |
//! | `d_bias` | `d_z[unit]` |
//!
//! Activations and losses are the kernels of training; sums run in ascending order, one row at a time: for a few units,
//! not for speed. Dropout plays no part.

use pulp::{Simd, WithSimd};

use super::loss::loss_backward;
use super::{Loss, Network, Target};
use crate::error::{Error, Kind};
use crate::isa::{Isa, mul_add};
use crate::tensor::activation::{Activation, activation_forward};
use crate::tensor::curve::Curve;
use crate::tensor::{Matrix, padded};

/// All numbers on a row's way through a network and back.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The layers, from the inputs on.
    pub layers: Vec<Step>,
    /// The loss of the row.
    pub loss: f32,
    /// dL/dp, for each output p; empty for a loss [from logits](Loss::from_logits), which starts at `d_z`.
    pub d_output: Vec<f32>,
}

/// The numbers of one layer, one for each unit where nothing else is said.
#[derive(Clone, Debug)]
pub struct Step {
    /// What came in, one for each input: a.
    pub inputs: Vec<f32>,
    /// W, `[outputs, inputs]`.
    pub weight: Matrix,
    /// b; empty if there is none.
    pub bias: Vec<f32>,
    /// z = W a + b.
    pub z: Vec<f32>,
    /// y = f(z).
    pub y: Vec<f32>,
    /// f'(z); empty for softmax, whose derivative is a matrix.
    pub slope: Vec<f32>,
    /// dL/dz.
    pub d_z: Vec<f32>,
    /// dL/dW, `[outputs, inputs]`.
    pub d_weight: Matrix,
    /// dL/db; empty if the layer has no bias.
    pub d_bias: Vec<f32>,
}

impl Step {
    /// How y of that unit follows its weight for that input: `dy/dw = f'(z) a`; `None` for softmax.
    ///
    /// # Panics
    /// When there is no such unit or input.
    pub fn by_weight(&self, unit: usize, input: usize) -> Option<f32> {
        (!self.slope.is_empty()).then(|| self.slope[unit] * self.inputs[input])
    }

    /// How y of that unit follows that input: `dy/da = f'(z) w`; `None` for softmax.
    ///
    /// # Panics
    /// When there is no such unit or input.
    pub fn by_input(&self, unit: usize, input: usize) -> Option<f32> {
        (!self.slope.is_empty()).then(|| self.slope[unit] * self.weight.row(unit)[input])
    }
}

impl Network {
    /// Takes one row of inputs, as the network takes them, to the loss and back.
    ///
    /// # Errors
    /// When the row or the target does not fit, or the loss does not go with the last activation.
    pub fn walk(&self, row: &[f32], target: Target<'_>, loss: Loss) -> Result<Walk, Error> {
        self.check_walk(row, target, loss)?;
        let target = match target {
            // What is behind them is of no account.
            Target::Values(values) => Target::Values(&values[..self.outputs()]),
            Target::Class(_) => target,
        };
        let mut layers = Vec::with_capacity(self.layers.len());
        let mut inputs = row.to_vec();
        for layer in &self.layers {
            let weight = layer.weight();
            let z: Vec<f32> = (0..layer.outputs())
                .map(|unit| {
                    let bias = layer.bias().get(unit).copied().unwrap_or_default();
                    let products = weight.row(unit).iter().zip(&inputs);
                    products.fold(0.0_f32, |sum, (w, a)| mul_add(*w, *a, sum)) + bias
                })
                .collect();
            let y = Isa::SCALAR.dispatch(Forward {
                activation: layer.activation(),
                z: &z,
            });
            let slope = match layer.activation() {
                Activation::Softmax => Vec::new(),
                one => Curve::of(one, &z)?.slope,
            };
            let next = y.clone();
            layers.push(Step {
                inputs,
                weight,
                bias: layer.bias().to_vec(),
                d_z: vec![0.0; z.len()],
                d_weight: Matrix::zeros(layer.outputs(), layer.inputs()),
                d_bias: vec![0.0; layer.bias().len()],
                z,
                y,
                slope,
            });
            inputs = next;
        }
        let activation = self.output_activation();
        let last = &layers[layers.len() - 1];
        let back = |activation| {
            Isa::SCALAR.dispatch(Backward {
                loss,
                activation,
                step: last,
                target,
            })
        };
        let (value, mut d_z) = back(activation);
        let d_output = if loss.from_logits() {
            Vec::new()
        } else {
            // Through the identity, dL/dz is dL/dp.
            back(Activation::Identity).1
        };
        for l in (0..layers.len()).rev() {
            let step = &mut layers[l];
            for (unit, &d) in d_z.iter().enumerate() {
                for (out, a) in step.d_weight.row_mut(unit).iter_mut().zip(&step.inputs) {
                    *out = d * a;
                }
            }
            if !step.d_bias.is_empty() {
                step.d_bias.copy_from_slice(&d_z);
            }
            step.d_z = d_z;
            d_z = match l.checked_sub(1) {
                Some(before) => through(&layers[l], &layers[before]),
                None => Vec::new(),
            };
        }
        Ok(Walk {
            layers,
            loss: value,
            d_output,
        })
    }

    fn check_walk(&self, row: &[f32], target: Target<'_>, loss: Loss) -> Result<(), Error> {
        let fault = |message| Err(Error::new(Kind::Data, message));
        let (inputs, outputs) = (self.inputs(), self.outputs());
        if row.len() != inputs {
            return fault(format!(
                "a network of {inputs} inputs was given a row of {}",
                row.len()
            ));
        }
        let classes = match target {
            Target::Class(class) if class as usize >= outputs.max(2) => {
                return fault(format!("there is no class {class} of {}", outputs.max(2)));
            }
            Target::Class(_) => Some(outputs.max(2)),
            Target::Values(values) if values.len() < outputs => {
                return fault(format!(
                    "{outputs} outputs were given {} target values",
                    values.len()
                ));
            }
            Target::Values(_) => None,
        };
        let hidden = &self.layers[..self.layers.len() - 1];
        if hidden
            .iter()
            .any(|layer| layer.activation() == Activation::Softmax)
        {
            return fault("softmax in a hidden layer has no slope of its own to walk by".into());
        }
        loss.check(self.output_activation(), outputs, classes)
    }
}

/// dL/dz of the layer `before`, from that of the layer `after` it.
fn through(after: &Step, before: &Step) -> Vec<f32> {
    before
        .slope
        .iter()
        .enumerate()
        .map(|(input, slope)| {
            let terms = after.d_z.iter().enumerate();
            let d_y = terms.fold(0.0_f32, |sum, (unit, d)| {
                mul_add(after.weight.row(unit)[input], *d, sum)
            });
            d_y * slope
        })
        .collect()
}

struct Forward<'a> {
    activation: Activation,
    z: &'a [f32],
}

impl WithSimd for Forward<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let cols = self.z.len();
        let mut row = vec![0.0; padded(cols)];
        row[..cols].copy_from_slice(self.z);
        activation_forward(simd, self.activation, &mut row, cols);
        row.truncate(cols);
        row
    }
}

struct Backward<'a> {
    loss: Loss,
    activation: Activation,
    step: &'a Step,
    target: Target<'a>,
}

impl WithSimd for Backward<'_> {
    type Output = (f32, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f32, Vec<f32>) {
        let cols = self.step.z.len();
        let mut row = vec![0.0; padded(cols)];
        let mut saved = row.clone();
        let start = if self.loss.from_logits() {
            &self.step.z
        } else {
            &self.step.y
        };
        row[..cols].copy_from_slice(start);
        saved[..cols].copy_from_slice(&self.step.z);
        let (loss, activation, target) = (self.loss, self.activation, self.target);
        let told = loss_backward(simd, loss, activation, &mut row, cols, target, &mut saved);
        row.truncate(cols);
        (told.loss, row)
    }
}
