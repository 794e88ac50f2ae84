//! How the learning rate goes over a run.

use crate::choice;
use crate::error::Error;

/// The learning rate of step t of T, as a share of the one given.
///
/// | name | share |
/// | --- | --- |
/// | `constant` | 1 |
/// | `linear` | 1 - (t - 1) / T |
///
/// T is the number of steps of all epochs asked for, whether or not the run ends before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// The same throughout.
    #[default]
    Constant,
    /// Down to nothing in a straight line: the last epochs settle what the first have found.
    Linear,
}

impl Schedule {
    /// All names.
    pub const NAMES: &[&str] = &["constant", "linear"];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
        }
    }

    /// The schedule of that [`name`](Self::name).
    ///
    /// # Errors
    /// When there is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "constant" => Ok(Self::Constant),
            "linear" => Ok(Self::Linear),
            _ => Err(choice::unknown("schedule", Self::NAMES, text)),
        }
    }

    /// The share at step `t`, from 1, of `steps`.
    pub(super) fn share(self, t: u64, steps: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - (t - 1) as f64 / steps as f64,
        }
    }
}
