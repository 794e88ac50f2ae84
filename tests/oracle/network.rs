//! A network as one would write it in an afternoon: flat f32 vectors, loops over rows, units and inputs, no tricks.
//!
//! A rectifier or sigmoid in the hidden layers, softmax and cross-entropy at the end, mini-batches, three optimisers. The
//! weights are row-major `[inputs][outputs]`, as in most tutorials. This is the baseline that the benches measure the core
//! against, compiled by the same compiler with the same flags. [`Order`] says in which order its loops run.

use crate::gemm::{gemm_naive, gemm_naive_by_rows};
use crate::rng::Rng;

/// The order of the loops in the matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// For each row, for each unit, the dot product over the inputs: the textbook.
    DotProducts,
    /// For each row, for each input, its share of all units: the same sums, along memory, which a compiler can
    /// vectorise in two of the three products.
    Rows,
}

/// The hidden layers' activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// max(z, 0)
    Relu,
    /// 1 / (1 + exp(-z))
    Sigmoid,
}

/// The rule of the step: the formulas of [`crate::optim`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// w -= lr g
    Sgd {
        /// The step size.
        lr: f32,
    },
    /// v = beta v + (1 - beta) g; w -= lr v
    EmaMomentum {
        /// The step size.
        lr: f32,
        /// The share of the old average.
        beta: f32,
    },
    /// Adam with beta 0.9 and 0.999, eps 1e-8
    Adam {
        /// The step size.
        lr: f32,
    },
}

/// Parameters, their gradient, and the optimiser's two moments of each.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// The parameters.
    pub w: Vec<f32>,
    /// The gradient that the next step follows.
    pub g: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Layer {
    inputs: usize,
    outputs: usize,
    weight: Parameters,
    bias: Parameters,
    /// Activations of the batch, then the loss's derivatives by z.
    y: Vec<f32>,
    d: Vec<f32>,
}

/// A network and everything its training needs.
#[derive(Clone, Debug)]
pub struct Network {
    layers: Vec<Layer>,
    hidden: Hidden,
    optimizer: Optimizer,
    order: Order,
    t: i32,
}

impl Parameters {
    /// These, with gradient and moments zero.
    pub fn new(w: Vec<f32>) -> Self {
        let zeros = vec![0.0; w.len()];
        Self {
            w,
            g: zeros.clone(),
            m: zeros.clone(),
            v: zeros,
        }
    }

    /// Step `t`, from 1.
    pub fn step(&mut self, optimizer: Optimizer, t: i32) {
        let Self { w, g, m, v } = self;
        match optimizer {
            Optimizer::Sgd { lr } => {
                for i in 0..w.len() {
                    w[i] -= lr * g[i];
                }
            }
            Optimizer::EmaMomentum { lr, beta } => {
                for i in 0..w.len() {
                    v[i] = beta * v[i] + (1.0 - beta) * g[i];
                    w[i] -= lr * v[i];
                }
            }
            Optimizer::Adam { lr } => {
                let (c1, c2) = (1.0 - 0.9_f32.powi(t), 1.0 - 0.999_f32.powi(t));
                for i in 0..w.len() {
                    m[i] = 0.9 * m[i] + 0.1 * g[i];
                    v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
                    w[i] -= lr * (m[i] / c1) / ((v[i] / c2).sqrt() + 1e-8);
                }
            }
        }
    }
}

impl Network {
    /// A network of these layer sizes, inputs first; weights uniform in +-sqrt(6 / (inputs + outputs)).
    pub fn new(
        sizes: &[usize],
        hidden: Hidden,
        optimizer: Optimizer,
        order: Order,
        seed: u64,
    ) -> Self {
        let mut rng = Rng::new(seed);
        let layers = sizes.windows(2).map(|size| {
            let (inputs, outputs) = (size[0], size[1]);
            let limit = (6.0 / (inputs + outputs) as f32).sqrt();
            Layer {
                inputs,
                outputs,
                weight: Parameters::new(rng.uniform(inputs * outputs, -limit, limit)),
                bias: Parameters::new(vec![0.0; outputs]),
                y: Vec::new(),
                d: Vec::new(),
            }
        });
        Self {
            layers: layers.collect(),
            hidden,
            optimizer,
            order,
            t: 0,
        }
    }

    /// The weights of layer `l`, row-major `[inputs][outputs]`; its biases start from zero.
    pub fn weight(&self, l: usize) -> &[f32] {
        &self.layers[l].weight.w
    }

    /// The class probabilities of `rows` rows of inputs, row-major.
    pub fn forward(&mut self, x: &[f32], rows: usize) -> &[f32] {
        let (last, order) = (self.layers.len() - 1, self.order);
        for l in 0..self.layers.len() {
            let (before, from) = self.layers.split_at_mut(l);
            let layer = &mut from[0];
            let x = before.last().map_or(x, |layer| &layer.y);
            let (k, n) = (layer.inputs, layer.outputs);
            let w = &layer.weight.w;
            layer.y.resize(rows * n, 0.0);
            let at_x = |i: usize, p: usize| x[i * k + p];
            match order {
                Order::DotProducts => {
                    gemm_naive([rows, n, k], at_x, |p, j| w[p * n + j], &mut layer.y);
                }
                Order::Rows => {
                    gemm_naive_by_rows([rows, n, k], at_x, |p| &w[p * n..][..n], &mut layer.y);
                }
            }
            for row in layer.y.chunks_mut(n) {
                for (z, b) in row.iter_mut().zip(&layer.bias.w) {
                    *z += b;
                }
                if l == last {
                    softmax(row);
                } else {
                    activate(self.hidden, row);
                }
            }
        }
        &self.layers[last].y
    }

    /// One step on a batch; gives its mean cross-entropy before the step.
    ///
    /// # Panics
    /// When `x` is not as many rows as there are labels.
    pub fn train_batch(&mut self, x: &[f32], labels: &[u32]) -> f32 {
        let rows = labels.len();
        assert_eq!(
            x.len(),
            rows * self.layers[0].inputs,
            "inputs of {rows} rows"
        );
        self.forward(x, rows);
        let loss = self.output_derivative(labels);
        self.backward(x, rows);
        self.t += 1;
        for layer in &mut self.layers {
            layer.weight.step(self.optimizer, self.t);
            layer.bias.step(self.optimizer, self.t);
        }
        loss
    }

    /// One pass over the rows of `x` in that order, in batches, the last one smaller; gives the mean cross-entropy, of
    /// each batch before its step.
    pub fn train_epoch(&mut self, x: &[f32], labels: &[u32], order: &[usize], batch: usize) -> f32 {
        let inputs = self.layers[0].inputs;
        let mut sum = 0.0;
        for rows in order.chunks(batch) {
            let mut batch_x = Vec::new();
            let mut batch_labels = Vec::new();
            for &row in rows {
                batch_x.extend_from_slice(&x[row * inputs..][..inputs]);
                batch_labels.push(labels[row]);
            }
            sum += self.train_batch(&batch_x, &batch_labels) * rows.len() as f32;
        }
        sum / order.len() as f32
    }

    /// d = (p - y) / rows at the output, and the mean loss.
    fn output_derivative(&mut self, labels: &[u32]) -> f32 {
        let rows = labels.len() as f32;
        let Some(layer) = self.layers.last_mut() else {
            return 0.0;
        };
        layer.d.clone_from(&layer.y);
        let mut loss = 0.0;
        for (row, &label) in layer.d.chunks_mut(layer.outputs).zip(labels) {
            loss -= row[label as usize].ln();
            row[label as usize] -= 1.0;
            for d in row {
                *d /= rows;
            }
        }
        loss / rows
    }

    /// All gradients, from the last layer to the first.
    fn backward(&mut self, x: &[f32], rows: usize) {
        for l in (0..self.layers.len()).rev() {
            let (before, from) = self.layers.split_at_mut(l);
            let Layer {
                inputs: k,
                outputs: n,
                weight,
                bias,
                d,
                ..
            } = &mut from[0];
            let (k, n) = (*k, *n);
            let given = before.last().map_or(x, |layer| &layer.y);
            // dW = X^T D, k x n
            let at_x = |p: usize, i: usize| given[i * k + p];
            match self.order {
                Order::DotProducts => {
                    gemm_naive([k, n, rows], at_x, |i, j| d[i * n + j], &mut weight.g);
                }
                Order::Rows => {
                    gemm_naive_by_rows([k, n, rows], at_x, |i| &d[i * n..][..n], &mut weight.g);
                }
            }
            bias.g.fill(0.0);
            for row in d.chunks(n) {
                for (g, d) in bias.g.iter_mut().zip(row) {
                    *g += d;
                }
            }
            // The layer below: its d = (D W^T) f'(y)
            if let Some(below) = before.last_mut() {
                let w = &weight.w;
                below.d.resize(rows * k, 0.0);
                gemm_naive(
                    [rows, k, n],
                    |i, j| d[i * n + j],
                    |j, p| w[p * n + j],
                    &mut below.d,
                );
                for (d, y) in below.d.iter_mut().zip(&below.y) {
                    *d *= match self.hidden {
                        Hidden::Relu => f32::from(u8::from(*y > 0.0)),
                        Hidden::Sigmoid => y * (1.0 - y),
                    };
                }
            }
        }
    }
}

/// z becomes f(z), in a row.
pub fn activate(hidden: Hidden, row: &mut [f32]) {
    for z in row {
        *z = match hidden {
            Hidden::Relu => z.max(0.0),
            Hidden::Sigmoid => 1.0 / (1.0 + (-*z).exp()),
        };
    }
}

/// z becomes exp(z) / sum exp(z), in a row.
pub fn softmax(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for z in row.iter_mut() {
        *z = (*z - largest).exp();
        sum += *z;
    }
    for z in row {
        *z /= sum;
    }
}

#[cfg(test)]
mod tests;
