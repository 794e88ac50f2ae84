//! What a scaling is fitted from: the range, the mean and the deviation of each column, row by row in f64.

use crate::dataset::Inputs;
use crate::error::{Error, Kind};

/// The least number of columns that `auto` takes for an image: 8 x 8.
pub const IMAGE_COLUMNS: usize = 64;

/// Whether `auto` takes the inputs for images.
pub(super) fn is_image(inputs: &Inputs) -> bool {
    if inputs.cols() < IMAGE_COLUMNS {
        return false;
    }
    if let Some(bytes) = inputs.bytes() {
        return bytes.iter().any(|&byte| byte >= 128);
    }
    let mut row = vec![0.0; inputs.cols()];
    let mut greatest = 0.0_f32;
    for r in 0..inputs.rows() {
        inputs.raw_row(r, &mut row);
        for &x in &row {
            if !(0.0..=255.0).contains(&x) || x.fract() != 0.0 {
                return false;
            }
            greatest = greatest.max(x);
        }
    }
    greatest >= 128.0
}

/// The least and the greatest value of each column.
pub(super) struct Range {
    pub(super) least: Vec<f32>,
    pub(super) greatest: Vec<f32>,
}

impl Range {
    /// # Errors
    /// When a value is not finite, or a column's values are so far apart that f32 has no such number.
    pub(super) fn of(inputs: &Inputs) -> Result<Self, Error> {
        let mut row = vec![0.0; inputs.cols()];
        let mut least = vec![f32::INFINITY; inputs.cols()];
        let mut greatest = vec![f32::NEG_INFINITY; inputs.cols()];
        for r in 0..inputs.rows() {
            inputs.raw_row(r, &mut row);
            let mut odd = false;
            for (j, &x) in row.iter().enumerate() {
                least[j] = least[j].min(x);
                greatest[j] = greatest[j].max(x);
                odd |= !(greatest[j] - least[j]).is_finite() | x.is_nan();
            }
            if odd {
                let far =
                    |&(j, x): &(usize, &f32)| x.is_nan() || !(greatest[j] - least[j]).is_finite();
                let (j, x) = row.iter().enumerate().find(far).unwrap_or((0, &row[0]));
                return Err(Error::new(
                    Kind::Data,
                    format!(
                        "row {}, column {} is {x:?}, which cannot be scaled: f32 has no number for the column's width",
                        r + 1,
                        j + 1
                    ),
                ));
            }
        }
        Ok(Self { least, greatest })
    }

    /// 1 / `spread` in f32, or 1 for a column that is constant, or so nearly that f32 has no such number.
    pub(super) fn scale(&self, j: usize, spread: f64) -> f32 {
        let scale = (1.0 / spread) as f32;
        if self.least[j] == self.greatest[j] || !scale.is_finite() {
            1.0
        } else {
            scale
        }
    }
}

/// The mean and the standard deviation of each column, by two passes: sum(x) / n, then sqrt(sum((x - mean)^2) / n).
pub(in crate::dataset) fn moments(inputs: &Inputs) -> (Vec<f64>, Vec<f64>) {
    let n = inputs.rows() as f64;
    let mut row = vec![0.0; inputs.cols()];
    let mut mean = vec![0.0; inputs.cols()];
    for r in 0..inputs.rows() {
        inputs.raw_row(r, &mut row);
        for (sum, &x) in mean.iter_mut().zip(&row) {
            *sum += f64::from(x);
        }
    }
    for sum in &mut mean {
        *sum /= n;
    }
    let mut deviation = vec![0.0; inputs.cols()];
    for r in 0..inputs.rows() {
        inputs.raw_row(r, &mut row);
        for ((sum, &x), &mean) in deviation.iter_mut().zip(&row).zip(&mean) {
            let difference = f64::from(x) - mean;
            *sum += difference * difference;
        }
    }
    for sum in &mut deviation {
        *sum = (*sum / n).sqrt();
    }
    (mean, deviation)
}
