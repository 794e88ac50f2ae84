//! A network layer by layer.

use super::init::{Fan, Numbers};
use super::{DrawOrder, Init, Layer, Network};
use crate::error::{Error, Kind};
use crate::isa::Isa;
use crate::rng::{LegacyRandom, Rng};
use crate::tensor::activation::Activation;
use crate::tensor::padded;

/// More of anything than this is taken for a mistake.
const MOST_UNITS: usize = 1 << 24;
const MOST_WEIGHTS: usize = 1 << 31;

/// The layers of a network to be, in order; see [`Network::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    inputs: usize,
    layers: Vec<Plan>,
    /// The dropout of the layer that comes next, and its own initialiser.
    dropout: f32,
    next_init: Option<Init>,
    init: Init,
    bias_init: Init,
    order: DrawOrder,
    seed: u64,
    isa: Option<Isa>,
}

#[derive(Clone, Debug)]
struct Plan {
    units: usize,
    activation: Activation,
    bias: bool,
    dropout: f32,
    init: Option<Init>,
}

impl Builder {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            inputs,
            layers: Vec::new(),
            dropout: 0.0,
            next_init: None,
            init: Init::Auto,
            bias_init: Init::Zeros,
            order: DrawOrder::OutIn,
            seed: 1,
            isa: None,
        }
    }

    /// A dense layer: f(W x + b).
    #[must_use]
    pub fn dense(self, units: usize, activation: Activation) -> Self {
        self.layer(units, activation, true)
    }

    /// A dense layer without bias: f(W x).
    #[must_use]
    pub fn dense_no_bias(self, units: usize, activation: Activation) -> Self {
        self.layer(units, activation, false)
    }

    fn layer(mut self, units: usize, activation: Activation, bias: bool) -> Self {
        let dropout = std::mem::take(&mut self.dropout);
        let init = self.next_init.take();
        self.layers.push(Plan {
            units,
            activation,
            bias,
            dropout,
            init,
        });
        self
    }

    /// Dropout of the outputs of the layer before, or of the inputs if there is none: in training each is zero with
    /// probability `rate` and else divided by 1 - `rate` (Srivastava et al. 2014, inverted).
    #[must_use]
    pub fn dropout(mut self, rate: f32) -> Self {
        self.dropout = rate;
        self
    }

    /// The distribution of the first weights of all layers.
    #[must_use]
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// The distribution of the first weights of the layer that comes next, in place of the one for all.
    #[must_use]
    pub fn next_init(mut self, init: Init) -> Self {
        self.next_init = Some(init);
        self
    }

    /// The distribution of the first biases of all layers (zeros unless said).
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> Self {
        self.bias_init = init;
        self
    }

    /// The order in which the weights of a layer are drawn.
    #[must_use]
    pub fn draw_order(mut self, order: DrawOrder) -> Self {
        self.order = order;
        self
    }

    /// The seed of the first weights (1 unless said).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The instruction set to run on (the best of this CPU unless said); it does not change results.
    #[must_use]
    pub fn isa(mut self, isa: Isa) -> Self {
        self.isa = Some(isa);
        self
    }

    /// The network, its weights drawn.
    ///
    /// # Errors
    /// When there is no layer, one without inputs or units or too many, a dropout rate outside 0 <= rate < 1 or after
    /// the last layer, a bad number of an activation or initialiser, a bad `MLP_FAST_ISA`, or no memory for the weights.
    pub fn build(self) -> Result<Network, Error> {
        let mut random = Rng::stream(self.seed, "init");
        self.draw(&mut random)
    }

    /// The network, its weights drawn from `NumPy`'s legacy generator: layer by layer, the weights in the
    /// [`draw_order`](Self::draw_order), then the biases. Zeros and constants take no draw; the seed is of no account.
    ///
    /// # Errors
    /// As those of [`build`](Self::build).
    pub fn build_from(self, random: &mut LegacyRandom) -> Result<Network, Error> {
        self.draw(random)
    }

    fn draw(self, random: &mut dyn Numbers) -> Result<Network, Error> {
        // All of it before the first weight is drawn: a fault in the last layer is told at once.
        self.check()?;
        let isa = self.isa.map_or_else(Isa::detect, Ok)?;
        let mut inputs = self.inputs;
        let mut layers = Vec::with_capacity(self.layers.len());
        for plan in self.layers {
            let fan = Fan {
                inputs,
                outputs: plan.units,
                activation: plan.activation,
            };
            let init = plan.init.unwrap_or(self.init);
            let weight = init.weights(fan, self.order, random);
            let bias = plan.bias.then(|| self.bias_init.biases(fan, random));
            layers.push(Layer::new(&weight, bias, plan.activation, plan.dropout));
            inputs = plan.units;
        }
        Ok(Network { layers, isa })
    }

    fn check(&self) -> Result<(), Error> {
        let fault = |message: String| Err(Error::new(Kind::Setting, message));
        if self.layers.is_empty() {
            return fault("a network needs at least one layer".into());
        }
        if self.dropout != 0.0 {
            return fault("dropout after the last layer would only blur the answer".into());
        }
        if self.next_init.is_some() {
            return fault("there is no layer after the last to draw weights for".into());
        }
        let own = self.layers.iter().filter_map(|plan| plan.init);
        for init in own.chain([self.init, self.bias_init]) {
            init.check()?;
        }
        let mut inputs = self.inputs;
        let mut floats = 0_usize;
        for (l, plan) in self.layers.iter().enumerate() {
            for (count, what) in [(inputs, "inputs"), (plan.units, "units")] {
                if count == 0 || count > MOST_UNITS {
                    return fault(format!(
                        "layer {} cannot have {count} {what}: 1 to {MOST_UNITS}",
                        l + 1
                    ));
                }
            }
            if inputs.saturating_mul(plan.units) > MOST_WEIGHTS {
                return fault(format!(
                    "layer {} would have {inputs} x {} weights: too many",
                    l + 1,
                    plan.units
                ));
            }
            check_dropout(plan.dropout)?;
            plan.activation.check()?;
            // Panels of whole lines; while a layer is made its weights exist three times.
            floats = floats.saturating_add(inputs.saturating_mul(3 * padded(plan.units)));
            inputs = plan.units;
        }
        Error::unless_room_for(
            floats.saturating_mul(size_of::<f32>()),
            "a network of this size",
        )
    }
}

/// Whether so large a share can be dropped.
pub(super) fn check_dropout(rate: f32) -> Result<(), Error> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Setting,
        format!("dropout must be at least 0 and less than 1, not {rate}"),
    ))
}
