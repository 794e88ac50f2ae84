//! Activations: f over a row of pre-activations z, and the factor f' on the way back.
//!
//! | name | f(z) | f' |
//! |---|---|---|
//! | `identity` | z | 1 |
//! | `sigmoid` | 1 / (1 + e^-z) | y (1 - y) |
//! | `tanh` | tanh z | 1 - y^2 |
//! | `relu` | z, 0 where z <= 0 | 1, 0 where y <= 0 |
//! | `straight-through-relu` | z, 0 where z <= 0 | 1 |
//! | `leaky-relu:a` | z, a z where z <= 0 | 1, a where y <= 0 |
//! | `elu:a` | z, a (e^z - 1) where z <= 0 | 1, y + a where y <= 0 |
//! | `gelu` | z s, s = sigmoid(2 u), u = sqrt(2 / pi) (z + 0.044715 z^3) | s + z s (1 - s) 2 u' |
//! | `silu` | z s, s = sigmoid(z) | s + z s (1 - s) |
//! | `softmax` | `e^z[j] / sum over k of e^z[k]` | the whole row: `y (d - sum over k of d[k] y[k])` |
//!
//! All but gelu and silu know f' from the output y, so that z need not be kept. `gelu` is the tanh form of Hendrycks &
//! Gimpel 2016 (what `PyTorch` calls `approximate='tanh'`), written with 1 + tanh u = 2 sigmoid(2 u), which keeps the
//! left tail accurate; it is not the form with erf. `elu` is Clevert et al. 2016, `silu` Elfwing et al. 2018 (swish).
//! `straight-through-relu` takes the gradient of the output for that of z, the straight-through estimator of Bengio et al.
//! 2013: a unit that is off still learns.
//!
//! `ReLU` and its family are selects on z <= 0, not maxima, so NaN passes, on every instruction set alike.
//!
//! An activation is added here and nowhere else: a variant, a name, a line in `name`, `parse`, `check`, forward, backward.

mod rows;

use crate::choice;
use crate::error::{Error, Kind};

pub use rows::{Forward, activation_backward, activation_backward_rows, activation_forward};

/// What a layer does with its weighted sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// f(z) = z.
    Identity,
    /// f(z) = 1 / (1 + e^-z).
    Sigmoid,
    /// f(z) = tanh z.
    Tanh,
    /// f(z) = z, or 0 where z <= 0.
    Relu,
    /// f(z) = z, or 0 where z <= 0, with a derivative taken to be 1 everywhere.
    StraightThroughRelu,
    /// f(z) = z, or this slope times z where z <= 0.
    LeakyRelu(f32),
    /// f(z) = z, or this size times (e^z - 1) where z <= 0.
    Elu(f32),
    /// f(z) = z sigmoid(2 u), u = sqrt(2 / pi) (z + 0.044715 z^3).
    Gelu,
    /// f(z) = z sigmoid(z).
    Silu,
    /// `f(z)[j] = e^z[j] / sum over k of e^z[k]`: probabilities.
    Softmax,
}

impl Activation {
    /// All names, as [`parse`](Self::parse) takes them; `leaky-relu` and `elu` also with a number.
    pub const NAMES: &[&str] = &[
        "identity",
        "sigmoid",
        "tanh",
        "relu",
        "straight-through-relu",
        "leaky-relu",
        "elu",
        "gelu",
        "silu",
        "softmax",
    ];

    /// Whether a number of its output depends on the whole row, not on one number alone.
    pub(crate) fn is_of_rows(self) -> bool {
        self == Self::Softmax
    }

    /// The name, with its number if it has one: "leaky-relu:0.01".
    pub fn name(self) -> String {
        match self {
            Self::Identity => "identity".into(),
            Self::Sigmoid => "sigmoid".into(),
            Self::Tanh => "tanh".into(),
            Self::Relu => "relu".into(),
            Self::StraightThroughRelu => "straight-through-relu".into(),
            Self::LeakyRelu(slope) => format!("leaky-relu:{slope}"),
            Self::Elu(size) => format!("elu:{size}"),
            Self::Gelu => "gelu".into(),
            Self::Silu => "silu".into(),
            Self::Softmax => "softmax".into(),
        }
    }

    /// The activation of that [`name`](Self::name). Without a number `leaky-relu` has the slope 0.01 and `elu` the size 1.
    ///
    /// # Errors
    /// When there is no such name, or the number is not one that [`check`](Self::check) lets pass.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let what = "activation";
        let (name, number) = choice::parse(what, Self::NAMES, text)?;
        let number = number.map(|number| number as f32);
        let activation = match (name, number) {
            ("leaky-relu", slope) => Self::LeakyRelu(slope.unwrap_or(0.01)),
            ("elu", size) => Self::Elu(size.unwrap_or(1.0)),
            (_, Some(_)) => return Err(choice::no_number(what, text)),
            ("identity", _) => Self::Identity,
            ("sigmoid", _) => Self::Sigmoid,
            ("tanh", _) => Self::Tanh,
            ("relu", _) => Self::Relu,
            ("straight-through-relu", _) => Self::StraightThroughRelu,
            ("gelu", _) => Self::Gelu,
            ("silu", _) => Self::Silu,
            ("softmax", _) => Self::Softmax,
            _ => return Err(choice::unknown(what, Self::NAMES, text)),
        };
        activation.check()?;
        Ok(activation)
    }

    /// Whether its number makes sense.
    ///
    /// # Errors
    /// When a slope or size is negative, infinite or NaN: the derivative could not be told from the output.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Self::LeakyRelu(a) | Self::Elu(a) if !(a >= 0.0 && a.is_finite()) => Err(Error::new(
                Kind::Setting,
                format!(
                    "activation `{}` needs a finite number that is not negative",
                    self.name()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Whether the derivative is taken from z rather than from the output, so that z must be kept.
    pub fn needs_preactivation(self) -> bool {
        matches!(self, Self::Gelu | Self::Silu)
    }
}
