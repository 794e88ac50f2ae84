//! The optimiser steps in f64, each as its formula stands.
//!
//! w: parameters, g: their gradient, t: the number of the step from 1. The moments start from zero.

/// Which rule, with its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// w -= lr g
    Sgd {
        /// The step size.
        lr: f64,
    },
    /// v = beta v + (1 - beta) g; w -= lr v
    EmaMomentum {
        /// The step size.
        lr: f64,
        /// The share of the old average.
        beta: f64,
    },
    /// v = momentum v + g; w -= lr v (Polyak 1964)
    Momentum {
        /// The step size.
        lr: f64,
        /// The share of the old velocity.
        momentum: f64,
    },
    /// v = momentum v + g; w -= lr (g + momentum v) (Nesterov 1983, in the form of Sutskever et al. 2013 as `PyTorch` has it)
    Nesterov {
        /// The step size.
        lr: f64,
        /// The share of the old velocity.
        momentum: f64,
    },
    /// s = rho s + (1 - rho) g^2; w -= lr g / (sqrt(s) + eps) (Tieleman & Hinton 2012)
    RmsProp {
        /// The step size.
        lr: f64,
        /// The share of the old mean square.
        rho: f64,
        /// Keeps the division finite.
        eps: f64,
    },
    /// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
    /// w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) (Kingma & Ba 2015)
    Adam {
        /// The step size.
        lr: f64,
        /// The share of the old mean.
        beta1: f64,
        /// The share of the old mean square.
        beta2: f64,
        /// Keeps the division finite.
        eps: f64,
    },
    /// w -= lr decay w, then the step of Adam (Loshchilov & Hutter 2019)
    AdamW {
        /// The step size.
        lr: f64,
        /// The share of the old mean.
        beta1: f64,
        /// The share of the old mean square.
        beta2: f64,
        /// Keeps the division finite.
        eps: f64,
        /// The decay of the parameters, in units of lr.
        decay: f64,
    },
}

/// An optimiser and its moments for one run of parameters.
#[derive(Clone, Debug)]
pub struct State {
    optimizer: Optimizer,
    t: i32,
    m: Vec<f64>,
    v: Vec<f64>,
}

impl State {
    /// Before the first step of `len` parameters.
    pub fn new(optimizer: Optimizer, len: usize) -> Self {
        Self {
            optimizer,
            t: 0,
            m: vec![0.0; len],
            v: vec![0.0; len],
        }
    }

    /// One step.
    ///
    /// # Panics
    /// When the lengths are not those of the state.
    pub fn step(&mut self, w: &mut [f64], g: &[f64]) {
        assert!(
            w.len() == self.m.len() && g.len() == self.m.len(),
            "{} parameters, {} gradients, {} moments",
            w.len(),
            g.len(),
            self.m.len()
        );
        self.t += 1;
        for (i, &g) in g.iter().enumerate() {
            let (w, m, v) = (&mut w[i], &mut self.m[i], &mut self.v[i]);
            match self.optimizer {
                Optimizer::Sgd { lr } => *w -= lr * g,
                Optimizer::EmaMomentum { lr, beta } => {
                    *v = beta * *v + (1.0 - beta) * g;
                    *w -= lr * *v;
                }
                Optimizer::Momentum { lr, momentum } => {
                    *v = momentum * *v + g;
                    *w -= lr * *v;
                }
                Optimizer::Nesterov { lr, momentum } => {
                    *v = momentum * *v + g;
                    *w -= lr * (g + momentum * *v);
                }
                Optimizer::RmsProp { lr, rho, eps } => {
                    *v = rho * *v + (1.0 - rho) * g * g;
                    *w -= lr * g / (v.sqrt() + eps);
                }
                Optimizer::Adam {
                    lr,
                    beta1,
                    beta2,
                    eps,
                } => *w -= lr * adam(self.t, [beta1, beta2, eps], g, m, v),
                Optimizer::AdamW {
                    lr,
                    beta1,
                    beta2,
                    eps,
                    decay,
                } => {
                    *w -= lr * decay * *w;
                    *w -= lr * adam(self.t, [beta1, beta2, eps], g, m, v);
                }
            }
        }
    }
}

/// Moves Adam's moments and gives its direction.
fn adam(t: i32, [beta1, beta2, eps]: [f64; 3], g: f64, m: &mut f64, v: &mut f64) -> f64 {
    *m = beta1 * *m + (1.0 - beta1) * g;
    *v = beta2 * *v + (1.0 - beta2) * g * g;
    let mean = *m / (1.0 - beta1.powi(t));
    let square = *v / (1.0 - beta2.powi(t));
    mean / (square.sqrt() + eps)
}

#[cfg(test)]
mod tests {
    use super::{Optimizer, State};

    /// The parameter after each of the steps with these gradients, from 1.
    fn path<const N: usize>(optimizer: Optimizer, gradients: [f64; N]) -> [f64; N] {
        let mut state = State::new(optimizer, 1);
        let mut w = [1.0];
        gradients.map(|g| {
            state.step(&mut w, &[g]);
            w[0]
        })
    }

    fn assert_close<const N: usize>(got: [f64; N], want: [f64; N]) {
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "{got} is not {want}");
        }
    }

    // The numbers are worked by hand.
    #[test]
    fn two_steps_of_each_rule() {
        let gradients = [1.0, 2.0];
        assert_close(path(Optimizer::Sgd { lr: 0.1 }, gradients), [0.9, 0.7]);
        let (lr, momentum, beta) = (0.1, 0.5, 0.5);
        // v = 0.5, 1.25
        assert_close(
            path(Optimizer::EmaMomentum { lr, beta }, gradients),
            [0.95, 0.825],
        );
        // v = 1, 2.5
        assert_close(
            path(Optimizer::Momentum { lr, momentum }, gradients),
            [0.9, 0.65],
        );
        // g + momentum v = 1.5, 3.25
        assert_close(
            path(Optimizer::Nesterov { lr, momentum }, gradients),
            [0.85, 0.525],
        );
        // s = 0.25, then 0.75 * 0.25 + 0.25 * 4 = 1.1875
        let (rho, eps) = (0.75, 0.5);
        assert_close(
            path(Optimizer::RmsProp { lr, rho, eps }, gradients),
            [0.9, 0.9 - 0.2 / (1.1875_f64.sqrt() + 0.5)],
        );
    }

    #[test]
    fn two_steps_of_adam_and_adamw() {
        let (lr, beta1, beta2, eps) = (0.1, 0.5, 0.75, 0.0);
        // m = 0.5, 1.25; m hat = 1, 5/3. v = 0.25, 1.1875; v hat = 1, 1.1875 / 0.4375 = 19/7.
        let second = 0.1 * (5.0 / 3.0) / (19.0_f64 / 7.0).sqrt();
        let adam = Optimizer::Adam {
            lr,
            beta1,
            beta2,
            eps,
        };
        assert_close(path(adam, [1.0, 2.0]), [0.9, 0.9 - second]);
        let adam_w = Optimizer::AdamW {
            lr,
            beta1,
            beta2,
            eps,
            decay: 0.5,
        };
        // Each step first shrinks w by 1 - 0.1 * 0.5.
        assert_close(path(adam_w, [1.0, 2.0]), [0.85, 0.85 * 0.95 - second]);
    }
}
