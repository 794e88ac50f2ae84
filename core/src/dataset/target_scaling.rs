//! Targets that are values, brought to mean 0 and deviation 1 for training: a fresh network gives numbers of about that
//! size, and a loss far from it moves the weights too far or, by Adam, too slowly.
//!
//! Afterwards [`Network::rescale_outputs`](crate::nn::Network::rescale_outputs) has the last layer give the targets
//! themselves, so that nothing of the scaling is left to be remembered.

use super::scaling::moments;
use super::{Dataset, Inputs, Targets};
use crate::tensor::Matrix;

/// The mean and the deviation of each target: t becomes (t - mean) / deviation.
///
/// ```
/// use mlp_core::dataset::TargetScaling;
/// use mlp_core::{Activation, Adam, Dataset, Matrix, Network, Trainer};
///
/// # fn main() -> Result<(), mlp_core::Error> {
/// let inputs = Matrix::from_fn(20, 1, |r, _| r as f32 / 10.0);
/// let prices = Matrix::from_fn(20, 1, |r, _| 100_000.0 + 5000.0 * r as f32);
/// let data = Dataset::values(inputs.into(), prices)?;
/// let scaling = TargetScaling::fit(&data).expect("values");
/// let mut net = Network::builder(1).dense(1, Activation::Identity).build()?;
/// Trainer::new(Adam::new(0.05)).epochs(200).batch_size(5).fit(&mut net, &scaling.apply(data.clone()), None)?;
/// net.rescale_outputs(scaling.deviation(), scaling.mean())?;
/// assert!((net.predict(data.inputs()).row(0)[0] - 100_000.0).abs() < 1000.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TargetScaling {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl TargetScaling {
    /// That of these targets, sqrt(sum((t - mean)^2) / rows) being the deviation, and 1 where it would be 0; nothing for
    /// classes, or without rows.
    pub fn fit(data: &Dataset) -> Option<Self> {
        let Targets::Values { values, .. } = data.targets() else {
            return None;
        };
        if values.rows() == 0 {
            return None;
        }
        let (mean, mut deviation) = moments(&Inputs::from_matrix(values.clone()));
        for deviation in &mut deviation {
            if *deviation == 0.0 {
                *deviation = 1.0;
            }
        }
        Some(Self { mean, deviation })
    }

    /// The mean of each target.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The deviation of each target, never 0.
    pub fn deviation(&self) -> &[f64] {
        &self.deviation
    }

    /// The same rows, as (t - mean) / deviation; classes stay as they are.
    ///
    /// # Panics
    /// When the data have more targets than the scaling was fitted on.
    #[must_use]
    pub fn apply(&self, mut data: Dataset) -> Dataset {
        if let Targets::Values { values, .. } = &mut data.targets {
            *values = Matrix::from_fn(values.rows(), values.cols(), |r, c| {
                ((f64::from(values.row(r)[c]) - self.mean[c]) / self.deviation[c]) as f32
            });
        }
        data
    }
}
