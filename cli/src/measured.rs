//! What a model is worth on some rows, whichever kind of answers they have.

use mlp_core::dataset::Targets;
use mlp_core::metrics::{Classification, Regression};
use mlp_core::tensor::Matrix;
use serde_json::Value;

use crate::failure::Failure;
use crate::print;

/// The metrics that go with the answers.
#[derive(Debug)]
pub(crate) enum Measured {
    Classes(Classification),
    Values(Regression),
}

impl Measured {
    /// Compares the outputs of a network with the true answers.
    pub(crate) fn new(targets: &Targets, outputs: &Matrix) -> Result<Self, Failure> {
        Ok(match targets {
            Targets::Classes { labels, names } => {
                Self::Classes(Classification::new(names, labels, outputs)?)
            }
            Targets::Values { values, names } => {
                Self::Values(Regression::new(names, values, outputs)?)
            }
        })
    }

    /// The one number (or two) that people ask for first, of the rows so called: `test accuracy 97.86 %`.
    pub(crate) fn headline(&self, rows: &str) -> String {
        match self {
            Self::Classes(classes) => {
                format!("{rows} accuracy {}", print::percent(classes.accuracy))
            }
            Self::Values(values) => {
                format!("{rows} rmse {:.6}, r2 {:.4}", values.rmse, values.r2)
            }
        }
    }

    /// The full text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Classes(classes) => classes.to_string(),
            Self::Values(values) => values.to_string(),
        }
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Classes(classes) => classes.to_json(),
            Self::Values(values) => values.to_json(),
        }
    }
}
