//! How weights start: each drawn from one distribution whose width depends on the layer's shape.
//!
//! With `n_in` inputs and `n_out` outputs of a layer:
//!
//! | name | distribution | reference |
//! | --- | --- | --- |
//! | `he-normal`, `he-uniform` | variance 2 / `n_in` | He et al. 2015 |
//! | `glorot-normal`, `glorot-uniform` | variance 2 / (`n_in` + `n_out`) | Glorot & Bengio 2010 |
//! | `lecun-normal`, `lecun-uniform` | variance 1 / `n_in` | `LeCun` et al. 1998 |
//! | `normal:s` | N(0, s^2) | |
//! | `uniform:a` | U(-a, a) | |
//! | `constant:c` | c | |
//! | `zeros` | 0 | |
//! | `auto` | `he-normal` before relu and its kin, else `glorot-uniform` | |
//!
//! The normal ones are s times a standard normal number, the uniform ones low + (high - low) times one of [0, 1), in f64;
//! then they are rounded to f32. Biases start at zero unless told otherwise; `n_in` and `n_out` are their layer's.
//!
//! An initialiser is added here and nowhere else.

use crate::choice;
use crate::error::{Error, Kind};
use crate::rng::{LegacyRandom, Rng};
use crate::tensor::Matrix;
use crate::tensor::activation::Activation;

/// The distribution of the first weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Init {
    /// [`HeNormal`](Self::HeNormal) before relu and its kin, else [`GlorotUniform`](Self::GlorotUniform).
    #[default]
    Auto,
    /// N(0, 2 / `n_in`).
    HeNormal,
    /// Uniform of variance 2 / `n_in`.
    HeUniform,
    /// N(0, 2 / (`n_in` + `n_out`)).
    GlorotNormal,
    /// Uniform of variance 2 / (`n_in` + `n_out`).
    GlorotUniform,
    /// N(0, 1 / `n_in`).
    LecunNormal,
    /// Uniform of variance 1 / `n_in`.
    LecunUniform,
    /// N(0, s^2), s given.
    Normal(f64),
    /// U(-a, a), a given.
    Uniform(f64),
    /// All this number.
    Constant(f64),
    /// All zero.
    Zeros,
}

impl Init {
    /// All names; `normal`, `uniform` and `constant` take a number: "normal:0.01".
    pub const NAMES: &[&str] = &[
        "auto",
        "he-normal",
        "he-uniform",
        "glorot-normal",
        "glorot-uniform",
        "lecun-normal",
        "lecun-uniform",
        "normal",
        "uniform",
        "constant",
        "zeros",
    ];

    /// The name, with its number if it has one.
    pub fn name(self) -> String {
        match self {
            Self::Auto => "auto".into(),
            Self::HeNormal => "he-normal".into(),
            Self::HeUniform => "he-uniform".into(),
            Self::GlorotNormal => "glorot-normal".into(),
            Self::GlorotUniform => "glorot-uniform".into(),
            Self::LecunNormal => "lecun-normal".into(),
            Self::LecunUniform => "lecun-uniform".into(),
            Self::Normal(s) => format!("normal:{s}"),
            Self::Uniform(a) => format!("uniform:{a}"),
            Self::Constant(c) => format!("constant:{c}"),
            Self::Zeros => "zeros".into(),
        }
    }

    /// The initialiser of that [`name`](Self::name); without a number, `normal`, `uniform` and `constant` take 1.
    ///
    /// # Errors
    /// When there is no such name, or the number cannot be used.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let what = "initialiser";
        let (name, number) = choice::parse(what, Self::NAMES, text)?;
        let init = match (name, number) {
            ("normal", s) => Self::Normal(s.unwrap_or(1.0)),
            ("uniform", a) => Self::Uniform(a.unwrap_or(1.0)),
            ("constant", c) => Self::Constant(c.unwrap_or(1.0)),
            (_, Some(_)) => return Err(choice::no_number(what, text)),
            ("auto", _) => Self::Auto,
            ("he-normal", _) => Self::HeNormal,
            ("he-uniform", _) => Self::HeUniform,
            ("glorot-normal", _) => Self::GlorotNormal,
            ("glorot-uniform", _) => Self::GlorotUniform,
            ("lecun-normal", _) => Self::LecunNormal,
            ("lecun-uniform", _) => Self::LecunUniform,
            ("zeros", _) => Self::Zeros,
            _ => return Err(choice::unknown(what, Self::NAMES, text)),
        };
        init.check()?;
        Ok(init)
    }

    /// Whether the number, if there is one, can be used.
    ///
    /// # Errors
    /// When it is not a finite f32, or, of a width, not positive.
    pub fn check(self) -> Result<(), Error> {
        let fault = |need| {
            Err(Error::new(
                Kind::Setting,
                format!("initialiser `{}` needs {need}", self.name()),
            ))
        };
        match self {
            Self::Normal(x) | Self::Uniform(x) if !(x > 0.0 && (x as f32).is_finite()) => {
                fault("a positive number")
            }
            Self::Constant(c) if !(c as f32).is_finite() => fault("a finite number"),
            _ => Ok(()),
        }
    }

    /// The weights `[outputs, inputs]` of a layer.
    pub(super) fn weights(self, fan: Fan, order: DrawOrder, random: &mut dyn Numbers) -> Matrix {
        let Fan {
            inputs, outputs, ..
        } = fan;
        let mut draw = || self.number(fan, random) as f32;
        match order {
            DrawOrder::OutIn => Matrix::from_fn(outputs, inputs, |_, _| draw()),
            DrawOrder::InOut => {
                let drawn = Matrix::from_fn(inputs, outputs, |_, _| draw());
                Matrix::from_fn(outputs, inputs, |o, i| drawn.row(i)[o])
            }
        }
    }

    /// The biases of a layer, one for each output.
    pub(super) fn biases(self, fan: Fan, random: &mut dyn Numbers) -> Vec<f32> {
        let draw = |_| self.number(fan, random) as f32;
        (0..fan.outputs).map(draw).collect()
    }

    fn number(self, fan: Fan, random: &mut dyn Numbers) -> f64 {
        let Fan {
            inputs,
            outputs,
            activation,
        } = fan;
        let (inputs, both) = (inputs as f64, (inputs + outputs) as f64);
        // Half the width of a uniform distribution of that variance.
        let limit = |variance: f64| (3.0 * variance).sqrt();
        let init = match self {
            Self::Auto => match activation {
                Activation::Relu
                | Activation::StraightThroughRelu
                | Activation::LeakyRelu(_)
                | Activation::Elu(_)
                | Activation::Gelu
                | Activation::Silu => Self::HeNormal,
                _ => Self::GlorotUniform,
            },
            other => other,
        };
        let (normal, width) = match init {
            Self::HeNormal => (true, (2.0 / inputs).sqrt()),
            Self::GlorotNormal => (true, (2.0 / both).sqrt()),
            Self::LecunNormal => (true, (1.0 / inputs).sqrt()),
            Self::Normal(s) => (true, s),
            Self::HeUniform => (false, limit(2.0 / inputs)),
            Self::GlorotUniform | Self::Auto => (false, limit(2.0 / both)),
            Self::LecunUniform => (false, limit(1.0 / inputs)),
            Self::Uniform(a) => (false, a),
            Self::Constant(c) => return c,
            Self::Zeros => return 0.0,
        };
        if normal {
            width * random.normal()
        } else {
            random.between(-width, width)
        }
    }
}

/// The shape of a layer, and what becomes of its sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fan {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) activation: Activation,
}

/// The order in which the weights of a layer are drawn. It decides which number becomes which weight, nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrawOrder {
    /// As a matrix `[outputs, inputs]`, row by row: the weights of the first unit, then those of the second.
    /// `randn(n_out, n_in)` in `NumPy`.
    #[default]
    OutIn,
    /// As a matrix `[inputs, outputs]`, row by row: the weights of the first input to all units, then those of the second.
    /// `randn(n_in, n_out)` in `NumPy`.
    InOut,
}

/// Where the numbers come from.
pub(super) trait Numbers {
    /// Uniform in [low, high).
    fn between(&mut self, low: f64, high: f64) -> f64;
    /// Standard normal.
    fn normal(&mut self) -> f64;
}

impl Numbers for Rng {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        Self::between(self, low, high)
    }

    fn normal(&mut self) -> f64 {
        Self::normal(self)
    }
}

impl Numbers for LegacyRandom {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.uniform(low, high)
    }

    fn normal(&mut self) -> f64 {
        self.randn()
    }
}
