//! Squared and absolute errors and the share of variance explained, of each output and on the mean.

use crate::error::{Error, Kind};
use crate::tensor::Matrix;

/// How far predicted values lie from the true ones; each score is the plain mean over the outputs, as in scikit-learn.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// The mean squared error.
    pub mse: f64,
    /// The mean over the outputs of the root of the mean squared error, in the unit of the values.
    pub rmse: f64,
    /// The mean absolute error, in the unit of the values.
    pub mae: f64,
    /// The share of variance explained: 1 is perfect, 0 is as good as the mean of the targets, and below 0 is worse.
    /// NaN for fewer than two rows, which have no variance.
    pub r2: f64,
    /// The number of rows that were compared.
    pub rows: u64,
    /// The scores of each output, in the order of the names.
    pub per_output: Vec<OutputScores>,
}

/// The scores of one output, y being the true and p the predicted values.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputScores {
    /// The name of the output.
    pub name: String,
    /// `mean (y - p)^2`
    pub mse: f64,
    /// `sqrt mse`
    pub rmse: f64,
    /// `mean |y - p|`
    pub mae: f64,
    /// `1 - sum (y - p)^2 / sum (y - mean y)^2`; where all y are equal, 1 if all p are right and else 0; NaN for one row.
    pub r2: f64,
}

impl Regression {
    /// Compares `predictions` with the true `targets`: both one row each, and one column for each name.
    ///
    /// # Errors
    /// When there are no rows, or when a value is not finite.
    ///
    /// # Panics
    /// When the shapes of the two matrices differ, or their columns and the names do.
    #[track_caller]
    pub fn new(names: &[String], targets: &Matrix, predictions: &Matrix) -> Result<Self, Error> {
        let (rows, cols) = (targets.rows(), targets.cols());
        assert_eq!(
            (rows, cols),
            (predictions.rows(), predictions.cols()),
            "targets and predictions differ in shape"
        );
        assert_eq!(
            cols,
            names.len(),
            "{cols} columns for {} names",
            names.len()
        );
        if rows == 0 || cols == 0 {
            return Err(Error::new(
                Kind::Data,
                format!("there is nothing to measure: found {rows} rows of {cols} values"),
            ));
        }
        for (what, matrix) in [("target", targets), ("prediction", predictions)] {
            for r in 0..rows {
                if let Some(c) = matrix.row(r).iter().position(|x| !x.is_finite()) {
                    let row = r + 1;
                    let message = format!("the {what} for row {row}, {} is not finite", names[c]);
                    return Err(Error::new(Kind::Data, message));
                }
            }
        }
        let per_output: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(c, name)| {
                let pair = |r| {
                    (
                        f64::from(targets.row(r)[c]),
                        f64::from(predictions.row(r)[c]),
                    )
                };
                score(name, rows, pair)
            })
            .collect();
        let mean = |score: fn(&OutputScores) -> f64| {
            per_output.iter().map(score).sum::<f64>() / cols as f64
        };
        Ok(Self {
            mse: mean(|o| o.mse),
            rmse: mean(|o| o.rmse),
            mae: mean(|o| o.mae),
            r2: mean(|o| o.r2),
            rows: rows as u64,
            per_output,
        })
    }

    /// As JSON: `mse`, `rmse`, `mae`, `r2`, `rows`, and `per_output` (objects with `name` and the four scores). An `r2`
    /// that is not a number is null.
    #[cfg(feature = "files")]
    pub fn to_json(&self) -> serde_json::Value {
        let per_output: Vec<_> = self
            .per_output
            .iter()
            .map(|o| serde_json::json!({"name": o.name, "mse": o.mse, "rmse": o.rmse, "mae": o.mae, "r2": o.r2}))
            .collect();
        serde_json::json!({
            "mse": self.mse,
            "rmse": self.rmse,
            "mae": self.mae,
            "r2": self.r2,
            "rows": self.rows,
            "per_output": per_output,
        })
    }
}

/// The scores of one output whose row r is (true, predicted) = `pair(r)`.
fn score(name: &str, rows: usize, pair: impl Fn(usize) -> (f64, f64)) -> OutputScores {
    let n = rows as f64;
    let pairs = || (0..rows).map(&pair);
    let squared: f64 = pairs().map(|(y, p)| (y - p) * (y - p)).sum();
    let absolute: f64 = pairs().map(|(y, p)| (y - p).abs()).sum();
    let mean = pairs().map(|(y, _)| y).sum::<f64>() / n;
    let variance: f64 = pairs().map(|(y, _)| (y - mean) * (y - mean)).sum();
    let r2 = if rows < 2 {
        f64::NAN
    } else if variance > 0.0 {
        1.0 - squared / variance
    } else {
        f64::from(squared == 0.0)
    };
    OutputScores {
        name: name.to_owned(),
        mse: squared / n,
        rmse: (squared / n).sqrt(),
        mae: absolute / n,
        r2,
    }
}
