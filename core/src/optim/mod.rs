//! Optimisers: one fused elementwise step over weights w, gradients g and up to two moments m, v.
//!
//! First g becomes the gradient of what is minimised: g <- `scale` g + `l2` w + `l1` sign(w). Then, at step t = 1, 2, ..:
//!
//! | name | step |
//! |---|---|
//! | `sgd` | w -= lr g |
//! | `ema-momentum` | m = beta m + (1 - beta) g; w -= lr m (no bias correction) |
//! | `momentum` | m = momentum m + g; w -= lr m |
//! | `nesterov` | m = momentum m + g; w -= lr (g + momentum m) |
//! | `rmsprop` | v = rho v + (1 - rho) g^2; w -= lr g / (sqrt v + eps) |
//! | `adam` | m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w -= lr m' / (sqrt v' + eps), m' = m / (1 - beta1^t), v' = v / (1 - beta2^t) |
//! | `adamw` | w -= lr `weight_decay` w, biases too; then as `adam` |
//!
//! `momentum`, `nesterov`, `rmsprop` (eps outside the root), `adam` and `adamw` (decay not through the gradient) are as in
//! `PyTorch`. The scalars of a step, bias corrections included, are made in f64 by products only (no `powf`, whose last
//! bit differs between platforms) and rounded to f32 once; square roots and quotients are IEEE 754's. A moment too small
//! to matter becomes zero, and a weight too small to matter has no penalty ([`Step`]), so that no denormals arise where
//! gradients vanish: on many CPUs products with them are slow.
//!
//! References: Polyak 1964 and Sutskever et al. 2013 (momentum, Nesterov); Tieleman & Hinton 2012, lecture 6.5 (`RMSProp`);
//! Kingma & Ba 2015 (Adam); Loshchilov & Hutter 2019 (`AdamW`).
//!
//! An optimiser is added in this folder and nowhere else: its variant, name and settings in this file, its scalars and its
//! step side by side in `update.rs`. (The short forms in `build.rs` are a courtesy.)

mod build;
mod sweep;
mod update;

pub use build::{Adam, AdamW, RmsProp, Sgd};
pub use sweep::TINY;
pub use update::{Descent, Step, Update};

use crate::choice;
use crate::error::{Error, Kind};

/// How a gradient moves the weights; the formulas are in the [module](self).
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the letters of the formulas")]
pub enum Optimizer {
    /// Gradient descent.
    Sgd { lr: f64 },
    /// Gradient descent along an exponential moving average of the gradients.
    EmaMomentum { lr: f64, beta: f64 },
    /// The heavy ball.
    Momentum { lr: f64, momentum: f64 },
    /// Nesterov's momentum.
    Nesterov { lr: f64, momentum: f64 },
    /// Steps divided by the root of the mean square of the gradients.
    RmsProp { lr: f64, rho: f64, eps: f64 },
    /// Both moments, corrected for their start at zero.
    Adam {
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
    },
    /// Adam with weight decay beside the gradient.
    AdamW {
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
    },
}

/// What is added to the loss for the size of the weights: l1 sum |w| + l2/2 sum w^2.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    /// Times sign(w) in the gradient, 0 at 0.
    pub l1: f64,
    /// Times w in the gradient.
    pub l2: f64,
}

impl Penalty {
    /// Whether both are numbers that make sense.
    ///
    /// # Errors
    /// When one is negative, infinite or NaN.
    pub fn check(self) -> Result<(), Error> {
        in_range("the penalty", "l1", self.l1, Range::NotNegative)?;
        in_range("the penalty", "l2", self.l2, Range::NotNegative)
    }
}

/// What a setting may be.
#[derive(Clone, Copy)]
enum Range {
    NotNegative,
    /// At least 0 and below 1.
    Share,
    /// Above zero: it keeps 0 / 0 out of padding and dead units. So far above that a square which is stored as zero, of a
    /// gradient below 1.1e-19, would have changed no step by more than a thousandth.
    Eps,
}

fn in_range(owner: &str, key: &str, value: f64, range: Range) -> Result<(), Error> {
    let f32_value = value as f32;
    let (good, need) = match range {
        Range::NotNegative => (f32_value >= 0.0, "a finite f32 of 0 or more"),
        Range::Share => (
            value >= 0.0 && f32_value < 1.0,
            "a number from 0 to below 1",
        ),
        Range::Eps => (value >= 1e-16, "a finite f32 of at least 1e-16"),
    };
    if good && f32_value.is_finite() {
        return Ok(());
    }
    // {:?} writes 1e300 as such, and not in 301 digits. Whoever has a better name for the setting puts it in its place.
    let message = format!("expected {need}, found {value:?}");
    Err(Error::new(Kind::Setting, message).at(format!("{key} of {owner}")))
}

impl Optimizer {
    /// All names, as [`parse`](Self::parse) takes them.
    pub const NAMES: &[&str] = &[
        "sgd",
        "ema-momentum",
        "momentum",
        "nesterov",
        "rmsprop",
        "adam",
        "adamw",
    ];

    /// The name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::EmaMomentum { .. } => "ema-momentum",
            Self::Momentum { .. } => "momentum",
            Self::Nesterov { .. } => "nesterov",
            Self::RmsProp { .. } => "rmsprop",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
        }
    }

    /// The optimiser of that [`name`](Self::name) with this learning rate and the usual rest: momentum and beta 0.9, rho
    /// 0.99, beta1 0.9, beta2 0.999, eps 1e-8, weight decay 0.01; [`set`](Self::set) changes it. Without a learning rate
    /// it is one at which that optimiser learns most things: 0.1 for `sgd` and `ema-momentum`, 0.03 for `momentum` and
    /// `nesterov`, 1e-3 for `rmsprop`, 3e-3 for `adam` and `adamw`.
    ///
    /// # Errors
    /// When there is no such name, or the learning rate is negative or not finite.
    pub fn parse(name: &str, lr: impl Into<Option<f64>>) -> Result<Self, Error> {
        let lr = lr.into();
        let or = |usual| lr.unwrap_or(usual);
        let optimizer = match name {
            "sgd" => Sgd::new(or(0.1)).into(),
            "ema-momentum" => Sgd::new(or(0.1)).ema(0.9).into(),
            "momentum" => Sgd::new(or(0.03)).momentum(0.9).into(),
            "nesterov" => Sgd::new(or(0.03)).nesterov(0.9).into(),
            "rmsprop" => RmsProp::new(or(1e-3)).into(),
            "adam" => Adam::new(or(3e-3)).into(),
            "adamw" => AdamW::new(or(3e-3)).into(),
            _ => return Err(choice::unknown("optimizer", Self::NAMES, name)),
        };
        Self::check(&optimizer)?;
        Ok(optimizer)
    }

    /// Its settings by name, the learning rate first.
    pub fn settings(&self) -> Vec<(&'static str, f64)> {
        let mut copy = *self;
        copy.entries()
            .iter()
            .map(|(key, value, _)| (*key, **value))
            .collect()
    }

    /// Changes one of its [`settings`](Self::settings).
    ///
    /// # Errors
    /// When it has no such setting, or the value is out of range.
    pub fn set(&mut self, key: &str, value: f64) -> Result<(), Error> {
        let name = self.name();
        let mut entries = self.entries();
        let Some((_, place, range)) = entries.iter_mut().find(|entry| entry.0 == key) else {
            let keys: Vec<_> = entries.iter().map(|entry| entry.0).collect();
            return Err(Error::new(
                Kind::Setting,
                format!("{name} has no setting `{key}`; it has: {}", keys.join(", ")),
            ));
        };
        in_range(name, key, value, *range)?;
        **place = value;
        Ok(())
    }

    /// Name, place and range of every setting.
    fn entries(&mut self) -> Vec<(&'static str, &mut f64, Range)> {
        use Range::{Eps, NotNegative, Share};
        match self {
            Self::Sgd { lr } => vec![("lr", lr, NotNegative)],
            Self::EmaMomentum { lr, beta } => vec![("lr", lr, NotNegative), ("beta", beta, Share)],
            Self::Momentum { lr, momentum } | Self::Nesterov { lr, momentum } => {
                vec![("lr", lr, NotNegative), ("momentum", momentum, Share)]
            }
            Self::RmsProp { lr, rho, eps } => vec![
                ("lr", lr, NotNegative),
                ("rho", rho, Share),
                ("eps", eps, Eps),
            ],
            Self::Adam {
                lr,
                beta1,
                beta2,
                eps,
            } => vec![
                ("lr", lr, NotNegative),
                ("beta1", beta1, Share),
                ("beta2", beta2, Share),
                ("eps", eps, Eps),
            ],
            Self::AdamW {
                lr,
                beta1,
                beta2,
                eps,
                weight_decay,
            } => vec![
                ("lr", lr, NotNegative),
                ("beta1", beta1, Share),
                ("beta2", beta2, Share),
                ("eps", eps, Eps),
                ("weight_decay", weight_decay, NotNegative),
            ],
        }
    }

    /// Whether all its settings make sense.
    ///
    /// # Errors
    /// When the learning rate or weight decay is negative, a momentum, beta or rho is outside [0, 1), eps is below 1e-16,
    /// or one is infinite or NaN.
    pub fn check(&self) -> Result<(), Error> {
        let name = self.name();
        let mut copy = *self;
        copy.entries()
            .into_iter()
            .try_for_each(|(key, value, range)| in_range(name, key, *value, range))
    }

    /// The learning rate.
    pub fn lr(mut self) -> f64 {
        *self.lr_mut()
    }

    /// The same optimiser at `share` of its learning rate.
    #[must_use]
    pub fn slowed(mut self, share: f64) -> Self {
        *self.lr_mut() *= share;
        self
    }

    fn lr_mut(&mut self) -> &mut f64 {
        match self {
            Self::Sgd { lr }
            | Self::EmaMomentum { lr, .. }
            | Self::Momentum { lr, .. }
            | Self::Nesterov { lr, .. }
            | Self::RmsProp { lr, .. }
            | Self::Adam { lr, .. }
            | Self::AdamW { lr, .. } => lr,
        }
    }

    /// How many moments it keeps: 0, 1 (m; or v of `rmsprop`, kept in m's place) or 2 (m and v).
    pub fn moments(&self) -> usize {
        match self {
            Self::Sgd { .. } => 0,
            Self::EmaMomentum { .. }
            | Self::Momentum { .. }
            | Self::Nesterov { .. }
            | Self::RmsProp { .. } => 1,
            Self::Adam { .. } | Self::AdamW { .. } => 2,
        }
    }
}
