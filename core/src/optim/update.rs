//! One step of each optimiser: its scalars, made in f64, and its arithmetic on vectors.

use pulp::{Simd, WithSimd};

use super::sweep::{
    MeanSquare, flush, flush_all, forget, is_zero, quotient, sweep0, sweep1, sweep2,
};
use super::{Optimizer, Penalty};

/// The scalars of one step, in f32, ready for a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    rule: Rule,
    /// Times the gradient.
    pub(super) scale: f32,
    /// l1 and l2, unless both are 0.
    pub(super) penalty: Option<(f32, f32)>,
}

impl Update {
    /// The step, if it is plain gradient descent without a penalty: a zero gradient then leaves every weight as it is.
    pub fn descent(&self) -> Option<Descent> {
        let scale = self.scale;
        match self.rule {
            Rule::Sgd { lr } if self.penalty.is_none() => Some(Descent { lr, scale }),
            _ => None,
        }
    }

    /// The same step for gradients that are still to be multiplied by `factor`: 1 / batch for a sum over the batch.
    #[must_use]
    pub fn scaled(mut self, factor: f32) -> Self {
        self.scale = factor;
        self
    }
}

/// Plain gradient descent: w - lr (scale g), a product and a fused addition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// The learning rate.
    pub lr: f32,
    /// Times the gradient.
    pub scale: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Sgd {
        lr: f32,
    },
    /// m = keep m + add g; w -= lr m
    Momentum {
        lr: f32,
        keep: f32,
        add: f32,
    },
    Nesterov {
        lr: f32,
        momentum: f32,
    },
    RmsProp {
        lr: f32,
        keep: f32,
        add: f32,
        eps: f32,
    },
    /// w = shrink w - step m / (root sqrt v + eps)
    Adam {
        shrink: f32,
        step: f32,
        root: f32,
        eps: f32,
        keep: (f32, f32),
        add: (f32, f32),
    },
}

impl Optimizer {
    /// The scalars of step `t`, which counts from 1 over the whole training and not per epoch.
    pub fn at_step(&self, t: u64, penalty: Penalty) -> Update {
        debug_assert!(t > 0, "steps count from 1");
        let rule = match *self {
            Self::Sgd { lr } => Rule::Sgd { lr: lr as f32 },
            Self::EmaMomentum { lr, beta } => Rule::Momentum {
                lr: lr as f32,
                keep: beta as f32,
                add: (1.0 - beta) as f32,
            },
            Self::Momentum { lr, momentum } => Rule::Momentum {
                lr: lr as f32,
                keep: momentum as f32,
                add: 1.0,
            },
            Self::Nesterov { lr, momentum } => Rule::Nesterov {
                lr: lr as f32,
                momentum: momentum as f32,
            },
            Self::RmsProp { lr, rho, eps } => Rule::RmsProp {
                lr: lr as f32,
                keep: rho as f32,
                add: (1.0 - rho) as f32,
                eps: eps as f32,
            },
            Self::Adam {
                lr,
                beta1,
                beta2,
                eps,
            } => adam(lr, (beta1, beta2), eps, 1.0, t),
            Self::AdamW {
                lr,
                beta1,
                beta2,
                eps,
                weight_decay,
            } => adam(lr, (beta1, beta2), eps, 1.0 - lr * weight_decay, t),
        };
        let Penalty { l1, l2 } = penalty;
        Update {
            rule,
            scale: 1.0,
            penalty: (l1 != 0.0 || l2 != 0.0).then_some((l1 as f32, l2 as f32)),
        }
    }
}

fn adam(lr: f64, beta: (f64, f64), eps: f64, shrink: f64, t: u64) -> Rule {
    Rule::Adam {
        shrink: shrink as f32,
        step: (lr / (1.0 - power(beta.0, t))) as f32,
        root: (1.0 / (1.0 - power(beta.1, t)).sqrt()) as f32,
        eps: eps as f32,
        keep: (beta.0 as f32, beta.1 as f32),
        add: ((1.0 - beta.0) as f32, (1.0 - beta.1) as f32),
    }
}

/// x^n by squaring: the same products, so the same bits, on every platform.
fn power(mut x: f64, mut n: u64) -> f64 {
    let mut result = 1.0;
    while n > 0 {
        if n % 2 == 1 {
            result *= x;
        }
        x *= x;
        n /= 2;
    }
    result
}

/// One step over equally long slices, a multiple of 16 floats.
///
/// A new m with |m| < 2^-100 and a new v below 2^-126 are stored as 0, and to v no square is added that is, with its
/// factor, below 2^-126. A w with |w| < 2^-100 has no penalty. Where w, g and the moments are 0 they stay so, so padding
/// stays padding. Nothing is allocated, and elements do not see each other: any split of the slices gives the same.
#[derive(Debug)]
pub struct Step<'a> {
    /// The scalars of the step.
    pub update: &'a Update,
    /// Weights.
    pub w: &'a mut [f32],
    /// Gradients.
    pub g: &'a [f32],
    /// First moments; empty if the optimiser keeps none.
    pub m: &'a mut [f32],
    /// Second moments; empty if the optimiser keeps none.
    pub v: &'a mut [f32],
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { update, w, g, m, v } = self;
        match update.rule {
            Rule::Sgd { lr } => {
                let minus_lr = simd.splat_f32s(-lr);
                sweep0(
                    simd,
                    update,
                    w,
                    g,
                    #[inline(always)]
                    |w, g| simd.mul_add_f32s(minus_lr, g, w),
                );
            }
            Rule::Momentum { lr, keep, add } => {
                let (minus_lr, keep, add) = (
                    simd.splat_f32s(-lr),
                    simd.splat_f32s(keep),
                    simd.splat_f32s(add),
                );
                sweep1(
                    simd,
                    update,
                    w,
                    g,
                    m,
                    #[inline(always)]
                    |w, g, m| {
                        let m = simd.mul_add_f32s(keep, m, simd.mul_f32s(add, g));
                        (simd.mul_add_f32s(minus_lr, m, w), flush(simd, m))
                    },
                );
            }
            Rule::Nesterov { lr, momentum } => {
                let (minus_lr, momentum) = (simd.splat_f32s(-lr), simd.splat_f32s(momentum));
                sweep1(
                    simd,
                    update,
                    w,
                    g,
                    m,
                    #[inline(always)]
                    |w, g, m| {
                        let m = simd.mul_add_f32s(momentum, m, g);
                        let ahead = simd.mul_add_f32s(momentum, m, g);
                        (simd.mul_add_f32s(minus_lr, ahead, w), flush(simd, m))
                    },
                );
            }
            Rule::RmsProp { lr, keep, add, eps } => {
                forget(m, keep);
                let (minus_lr, eps) = (simd.splat_f32s(-lr), simd.splat_f32s(eps));
                let mean_square = MeanSquare::new(simd, [keep, add]);
                let one = simd.splat_f32s(1.0);
                sweep1(
                    simd,
                    update,
                    w,
                    g,
                    m,
                    #[inline(always)]
                    |w, g, v| {
                        let v = mean_square.next(simd, v, g);
                        let q = quotient(simd, (g, is_zero(simd, g)), v, [one, eps]);
                        (simd.mul_add_f32s(minus_lr, q, w), v)
                    },
                );
            }
            Rule::Adam {
                shrink,
                step,
                root,
                eps,
                keep,
                add,
            } => {
                forget(v, keep.1);
                let (minus_step, root) = (simd.splat_f32s(-step), simd.splat_f32s(root));
                let (keep1, add1) = (simd.splat_f32s(keep.0), simd.splat_f32s(add.0));
                let mean_square = MeanSquare::new(simd, [keep.1, add.1]);
                // Without decay this is a product with 1, which changes no bit and costs nothing beside the root.
                let (shrink, eps) = (simd.splat_f32s(shrink), simd.splat_f32s(eps));
                sweep2(
                    simd,
                    update,
                    w,
                    g,
                    (m, v),
                    #[inline(always)]
                    |w, g, m, v| {
                        let m = simd.mul_add_f32s(keep1, m, simd.mul_f32s(add1, g));
                        let (m, is_zero) = flush_all(simd, m);
                        let v = mean_square.next(simd, v, g);
                        let q = quotient(simd, (m, is_zero), v, [root, eps]);
                        let w = simd.mul_add_f32s(minus_step, q, simd.mul_f32s(shrink, w));
                        (w, m, v)
                    },
                );
            }
        }
    }
}
