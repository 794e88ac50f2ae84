//! How good predictions are: [`Classification`] for classes, [`Regression`] for values.
//!
//! Both are computed in f64 from f32 predictions, by the definitions of scikit-learn (`sklearn.metrics`), so that a number
//! printed here is the number that a notebook gets from the same predictions. Both `Display` as an aligned text report.

mod classification;
mod confusion;
mod regression;
mod report;

pub use classification::{Averages, ClassScores, Classification, predicted_class};
pub use confusion::ConfusionMatrix;
pub use regression::{OutputScores, Regression};
