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
//! | `zeros` | 0 | |
//! | `auto` | `he-normal` before relu and its kin, else `glorot-uniform` | |
//!
//! Biases start at zero. An initialiser is added here and nowhere else.

use crate::choice;
use crate::error::{Error, Kind};
use crate::rng::Rng;
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
    Normal(f32),
    /// U(-a, a), a given.
    Uniform(f32),
    /// All zero.
    Zeros,
}

impl Init {
    /// All names; `normal` and `uniform` take a number: "normal:0.01".
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
            Self::Zeros => "zeros".into(),
        }
    }

    /// The initialiser of that [`name`](Self::name); without a number, `normal` and `uniform` take 1.
    ///
    /// # Errors
    /// When there is no such name, or the number is not positive.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let what = "initialiser";
        let (name, number) = choice::parse(what, Self::NAMES, text)?;
        let init = match (name, number) {
            ("normal", s) => Self::Normal(s.unwrap_or(1.0)),
            ("uniform", a) => Self::Uniform(a.unwrap_or(1.0)),
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
    /// When it is not positive and finite.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Self::Normal(x) | Self::Uniform(x) if !(x > 0.0 && x.is_finite()) => Err(Error::new(
                Kind::Setting,
                format!("initialiser `{}` needs a positive number", self.name()),
            )),
            _ => Ok(()),
        }
    }

    /// The weights `[outputs, inputs]` of a layer with that activation, drawn row by row.
    pub(super) fn draw(
        self,
        inputs: usize,
        outputs: usize,
        activation: Activation,
        rng: &mut Rng,
    ) -> Matrix {
        let (fan_in, both) = (inputs as f64, (inputs + outputs) as f64);
        let normal = |rng: &mut Rng, variance: f64| (variance.sqrt() * rng.normal()) as f32;
        let uniform = |rng: &mut Rng, variance: f64| {
            let limit = (3.0 * variance).sqrt();
            rng.between(-limit, limit) as f32
        };
        let init = match self {
            Self::Auto => match activation {
                Activation::Relu
                | Activation::LeakyRelu(_)
                | Activation::Elu(_)
                | Activation::Gelu
                | Activation::Silu => Self::HeNormal,
                _ => Self::GlorotUniform,
            },
            other => other,
        };
        Matrix::from_fn(outputs, inputs, |_, _| match init {
            Self::HeNormal => normal(rng, 2.0 / fan_in),
            Self::HeUniform => uniform(rng, 2.0 / fan_in),
            Self::GlorotNormal => normal(rng, 2.0 / both),
            Self::GlorotUniform | Self::Auto => uniform(rng, 2.0 / both),
            Self::LecunNormal => normal(rng, 1.0 / fan_in),
            Self::LecunUniform => uniform(rng, 1.0 / fan_in),
            Self::Normal(s) => normal(rng, f64::from(s) * f64::from(s)),
            Self::Uniform(a) => rng.between(-f64::from(a), f64::from(a)) as f32,
            Self::Zeros => 0.0,
        })
    }
}
