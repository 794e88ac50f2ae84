//! Any network of ours in f64: forward, loss and gradients by the chain rule, one row and one formula at a time.
//!
//! Layer l computes z = W x + b and y = f(z); the loss of a row compares the last y with its target; the loss of a batch
//! is the mean over its rows. Losses and activations are differentiated apart and multiplied, also where the core
//! fuses them (softmax with cross-entropy, sigmoid with binary cross-entropy): what is checked is that the fusion
//! gives the same number.

/// The function a layer applies to z, W x + b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// z
    Identity,
    /// 1 / (1 + exp(-z))
    Sigmoid,
    /// tanh z
    Tanh,
    /// max(z, 0)
    Relu,
    /// max(z, 0), its derivative taken for 1
    StraightThroughRelu,
    /// z, times the slope where z <= 0
    LeakyRelu(f64),
    /// z, or alpha (exp(z) - 1) where z <= 0
    Elu(f64),
    /// z / 2 (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3)))
    Gelu,
    /// z / (1 + exp(-z))
    Silu,
    /// exp(z) / sum exp(z), over the row
    Softmax,
}

/// How a row of outputs p is judged against its target y; means are over the outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// mean (p - y)^2
    Mse,
    /// sum (p - y)^2
    SquaredError,
    /// sum (p - y)^2 / 2
    HalfSquaredError,
    /// mean |p - y|
    Mae,
    /// mean of r^2 / 2 where r = |p - y| <= delta, else delta (r - delta / 2)
    Huber(f64),
    /// mean of -y ln p - (1 - y) ln(1 - p)
    BinaryCrossEntropy,
    /// -sum y ln p
    CrossEntropy,
}

/// One layer; the weights are row-major `[outputs][inputs]`.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The number of inputs.
    pub inputs: usize,
    /// The number of outputs.
    pub outputs: usize,
    /// What is applied to W x + b.
    pub activation: Activation,
    /// W.
    pub weight: Vec<f64>,
    /// b.
    pub bias: Vec<f64>,
}

/// The layers and the loss.
#[derive(Clone, Debug)]
pub struct Network {
    /// From the input to the output.
    pub layers: Vec<Layer>,
    /// Compares the last layer's outputs with the targets.
    pub loss: Loss,
    /// The penalty l2 / 2 times the sum of squared weights (not biases), added to the mean loss.
    pub l2: f64,
}

/// The derivatives of the mean loss by one layer's parameters, shaped like them.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// By W.
    pub d_weight: Vec<f64>,
    /// By b.
    pub d_bias: Vec<f64>,
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn gelu_inner(z: f64) -> f64 {
    (2.0 / std::f64::consts::PI).sqrt() * (z + 0.044_715 * z.powi(3))
}

impl Activation {
    /// f(z) of a row.
    pub fn forward(self, z: &[f64]) -> Vec<f64> {
        if self == Self::Softmax {
            let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = z.iter().map(|z| (z - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            return powers.iter().map(|power| power / sum).collect();
        }
        z.iter().map(|&z| self.value(z)).collect()
    }

    fn value(self, z: f64) -> f64 {
        match self {
            Self::Identity => z,
            Self::Sigmoid => sigmoid(z),
            Self::Tanh => z.tanh(),
            Self::Relu | Self::StraightThroughRelu => z.max(0.0),
            Self::LeakyRelu(slope) => z * if z > 0.0 { 1.0 } else { slope },
            Self::Elu(alpha) => {
                if z > 0.0 {
                    z
                } else {
                    alpha * z.exp_m1()
                }
            }
            Self::Gelu => 0.5 * z * (1.0 + gelu_inner(z).tanh()),
            Self::Silu => z * sigmoid(z),
            Self::Softmax => unreachable!("softmax needs the row"),
        }
    }

    fn derivative(self, z: f64) -> f64 {
        match self {
            Self::Identity | Self::StraightThroughRelu => 1.0,
            Self::Sigmoid => sigmoid(z) * (1.0 - sigmoid(z)),
            Self::Tanh => 1.0 - z.tanh().powi(2),
            Self::Relu => f64::from(u8::from(z > 0.0)),
            Self::LeakyRelu(slope) => {
                if z > 0.0 {
                    1.0
                } else {
                    slope
                }
            }
            Self::Elu(alpha) => {
                if z > 0.0 {
                    1.0
                } else {
                    alpha * z.exp()
                }
            }
            Self::Gelu => {
                let t = gelu_inner(z).tanh();
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (1.0 + 3.0 * 0.044_715 * z * z);
                0.5 * (1.0 + t) + 0.5 * z * (1.0 - t * t) * inner
            }
            Self::Silu => sigmoid(z) * (1.0 + z * (1.0 - sigmoid(z))),
            Self::Softmax => unreachable!("softmax needs the row"),
        }
    }

    /// From dL/dy of a row to its dL/dz.
    pub fn backward(self, z: &[f64], d_y: &[f64]) -> Vec<f64> {
        if self == Self::Softmax {
            // dy_i/dz_j = y_i ([i = j] - y_j)
            let y = self.forward(z);
            let mean: f64 = y.iter().zip(d_y).map(|(y, d)| y * d).sum();
            return y.iter().zip(d_y).map(|(y, d)| y * (d - mean)).collect();
        }
        z.iter()
            .zip(d_y)
            .map(|(&z, d)| d * self.derivative(z))
            .collect()
    }
}

impl Loss {
    /// The loss of a row of outputs.
    pub fn value(self, p: &[f64], y: &[f64]) -> f64 {
        let terms = p.iter().zip(y).map(|(&p, &y)| match self {
            Self::Mse | Self::SquaredError => (p - y).powi(2),
            Self::HalfSquaredError => 0.5 * (p - y).powi(2),
            Self::Mae => (p - y).abs(),
            Self::Huber(delta) => {
                let r = (p - y).abs();
                if r <= delta {
                    0.5 * r * r
                } else {
                    delta * (r - 0.5 * delta)
                }
            }
            Self::BinaryCrossEntropy => -y * p.ln() - (1.0 - y) * (1.0 - p).ln(),
            // 0 ln 0 is 0.
            Self::CrossEntropy if y == 0.0 => 0.0,
            Self::CrossEntropy => -y * p.ln(),
        });
        terms.sum::<f64>() / self.terms(p.len())
    }

    /// dL/dp of a row.
    pub fn derivative(self, p: &[f64], y: &[f64]) -> Vec<f64> {
        let derivative = |(&p, &y): (&f64, &f64)| match self {
            Self::Mse | Self::SquaredError => 2.0 * (p - y),
            Self::HalfSquaredError => p - y,
            Self::Mae if p == y => 0.0,
            Self::Mae => (p - y).signum(),
            Self::Huber(delta) => (p - y).clamp(-delta, delta),
            Self::BinaryCrossEntropy => (p - y) / (p * (1.0 - p)),
            Self::CrossEntropy => -y / p,
        };
        let terms = self.terms(p.len());
        p.iter()
            .zip(y)
            .map(|pair| derivative(pair) / terms)
            .collect()
    }

    /// What the sum over the outputs is divided by.
    fn terms(self, outputs: usize) -> f64 {
        match self {
            Self::SquaredError | Self::HalfSquaredError | Self::CrossEntropy => 1.0,
            _ => outputs as f64,
        }
    }
}

impl Layer {
    fn z(&self, x: &[f64]) -> Vec<f64> {
        let mut z = self.bias.clone();
        for (o, z) in z.iter_mut().enumerate() {
            for (i, x) in x.iter().enumerate() {
                *z += self.weight[o * self.inputs + i] * x;
            }
        }
        z
    }
}

impl Network {
    /// The outputs for one row of inputs.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        self.layers.iter().fold(x.to_vec(), |x, layer| {
            layer.activation.forward(&layer.z(&x))
        })
    }

    /// The mean loss over the rows, without the penalty.
    pub fn mean_loss(&self, inputs: &[Vec<f64>], targets: &[Vec<f64>]) -> f64 {
        let losses = inputs
            .iter()
            .zip(targets)
            .map(|(x, y)| self.loss.value(&self.forward(x), y));
        losses.sum::<f64>() / inputs.len() as f64
    }

    /// l2 / 2 times the sum of squared weights.
    pub fn penalty(&self) -> f64 {
        let weights = self.layers.iter().flat_map(|layer| &layer.weight);
        self.l2 / 2.0 * weights.map(|w| w * w).sum::<f64>()
    }

    /// The derivatives of mean loss plus penalty, layer by layer.
    pub fn gradients(&self, inputs: &[Vec<f64>], targets: &[Vec<f64>]) -> Vec<Gradient> {
        let mut gradients: Vec<Gradient> = self
            .layers
            .iter()
            .map(|layer| Gradient {
                d_weight: layer.weight.iter().map(|w| self.l2 * w).collect(),
                d_bias: vec![0.0; layer.outputs],
            })
            .collect();
        for (x, y) in inputs.iter().zip(targets) {
            self.add_row(x, y, 1.0 / inputs.len() as f64, &mut gradients);
        }
        gradients
    }

    /// Adds one row's derivatives times `share`.
    fn add_row(&self, x: &[f64], y: &[f64], share: f64, gradients: &mut [Gradient]) {
        // What each layer was given, and its z.
        let (mut given, mut zs) = (vec![x.to_vec()], Vec::new());
        for (l, layer) in self.layers.iter().enumerate() {
            zs.push(layer.z(&given[l]));
            given.push(layer.activation.forward(&zs[l]));
        }
        let mut d_y = self.loss.derivative(&given[self.layers.len()], y);
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let d_z = layer.activation.backward(&zs[l], &d_y);
            d_y = vec![0.0; layer.inputs];
            for (o, d) in d_z.iter().enumerate() {
                gradients[l].d_bias[o] += share * d;
                for (i, x) in given[l].iter().enumerate() {
                    gradients[l].d_weight[o * layer.inputs + i] += share * d * x;
                    d_y[i] += d * layer.weight[o * layer.inputs + i];
                }
            }
        }
    }

    /// The derivative of mean loss plus penalty by the parameter that `of` picks, as the slope between two points
    /// a step of `h` away on either side.
    pub fn central_difference(
        &self,
        inputs: &[Vec<f64>],
        targets: &[Vec<f64>],
        h: f64,
        of: impl Fn(&mut Self) -> &mut f64,
    ) -> f64 {
        let at = |step: f64| {
            let mut moved = self.clone();
            *of(&mut moved) += step;
            moved.mean_loss(inputs, targets) + moved.penalty()
        };
        (at(h) - at(-h)) / (2.0 * h)
    }
}

#[cfg(test)]
mod tests;
