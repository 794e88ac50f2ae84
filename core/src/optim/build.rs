//! Short forms: `Adam::new(1e-3)`, `Sgd::new(0.1).momentum(0.9)`. Each turns [`into`](Into::into) an [`Optimizer`].

use super::Optimizer;

/// Gradient descent; with [`momentum`](Self::momentum), [`nesterov`](Self::nesterov) or [`ema`](Self::ema) on demand.
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    lr: f64,
    optimizer: Optimizer,
}

impl Sgd {
    /// Plain gradient descent.
    pub fn new(lr: f64) -> Self {
        let optimizer = Optimizer::Sgd { lr };
        Self { lr, optimizer }
    }

    /// With the heavy ball; 0.9 is usual.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        let lr = self.lr;
        let optimizer = Optimizer::Momentum { lr, momentum };
        Self { lr, optimizer }
    }

    /// With Nesterov's momentum; 0.9 is usual.
    #[must_use]
    pub fn nesterov(self, momentum: f64) -> Self {
        let lr = self.lr;
        let optimizer = Optimizer::Nesterov { lr, momentum };
        Self { lr, optimizer }
    }

    /// Along an exponential moving average of the gradients; 0.9 is usual.
    #[must_use]
    pub fn ema(self, beta: f64) -> Self {
        let lr = self.lr;
        let optimizer = Optimizer::EmaMomentum { lr, beta };
        Self { lr, optimizer }
    }
}

/// `RMSProp`: rho 0.99, eps 1e-8.
#[derive(Clone, Copy, Debug)]
pub struct RmsProp {
    lr: f64,
    rho: f64,
    eps: f64,
}

impl RmsProp {
    /// With rho 0.99 and eps 1e-8.
    pub fn new(lr: f64) -> Self {
        Self {
            lr,
            rho: 0.99,
            eps: 1e-8,
        }
    }

    /// Another share of the old mean square.
    #[must_use]
    pub fn rho(self, rho: f64) -> Self {
        Self { rho, ..self }
    }

    /// Another eps.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }
}

/// Adam: beta1 0.9, beta2 0.999, eps 1e-8.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
}

impl Adam {
    /// With beta1 0.9, beta2 0.999 and eps 1e-8; 1e-3 is the usual learning rate.
    pub fn new(lr: f64) -> Self {
        Self {
            lr,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        }
    }

    /// Other decays of the two moments.
    #[must_use]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Self {
            beta1,
            beta2,
            ..self
        }
    }

    /// Another eps.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }
}

/// `AdamW`: as [`Adam`], weight decay 0.01.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    adam: Adam,
    weight_decay: f64,
}

impl AdamW {
    /// With Adam's usual settings and weight decay 0.01.
    pub fn new(lr: f64) -> Self {
        Self {
            adam: Adam::new(lr),
            weight_decay: 0.01,
        }
    }

    /// Another weight decay.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Self {
            weight_decay,
            ..self
        }
    }

    /// Other decays of the two moments.
    #[must_use]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Self {
            adam: self.adam.betas(beta1, beta2),
            ..self
        }
    }

    /// Another eps.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self {
            adam: self.adam.eps(eps),
            ..self
        }
    }
}

impl From<Sgd> for Optimizer {
    fn from(sgd: Sgd) -> Self {
        sgd.optimizer
    }
}

impl From<RmsProp> for Optimizer {
    fn from(RmsProp { lr, rho, eps }: RmsProp) -> Self {
        Self::RmsProp { lr, rho, eps }
    }
}

impl From<Adam> for Optimizer {
    fn from(
        Adam {
            lr,
            beta1,
            beta2,
            eps,
        }: Adam,
    ) -> Self {
        Self::Adam {
            lr,
            beta1,
            beta2,
            eps,
        }
    }
}

impl From<AdamW> for Optimizer {
    fn from(AdamW { adam, weight_decay }: AdamW) -> Self {
        Self::AdamW {
            lr: adam.lr,
            beta1: adam.beta1,
            beta2: adam.beta2,
            eps: adam.eps,
            weight_decay,
        }
    }
}
