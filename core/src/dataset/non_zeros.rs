//! Where inputs are not zero: a list of columns for each row, for products that skip the zeros.

use crate::dataset::Inputs;
use crate::isa::Isa;
use crate::tensor::{MatMut, padded};

/// The columns of each row that are not zero once scaled, in ascending order.
#[derive(Clone, Debug)]
pub struct NonZeros {
    /// Row i has columns `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    columns: Vec<u16>,
}

impl NonZeros {
    /// The columns of row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &[u16] {
        &self.columns[self.starts[i]..self.starts[i + 1]]
    }
}

/// Rows whose zeros are counted before all are listed.
const SAMPLE: usize = 256;

impl Inputs {
    /// The lists, if at most the share `density` of the numbers is other than zero (judged by some rows spread over all)
    /// and there are at most 65 536 columns; a list costs two bytes a number.
    pub fn non_zeros(&self, isa: Isa, density: f64) -> Option<NonZeros> {
        let (rows, cols) = (self.rows(), self.cols());
        if rows == 0 || cols > 1 << 16 {
            return None;
        }
        let mut line = vec![0.0; padded(cols)];
        let mut list = |row: usize, columns: &mut Vec<u16>| {
            self.gather_range_on(
                isa,
                row..row + 1,
                MatMut::new(&mut line, 1, cols, padded(cols)),
            );
            let first = columns.len();
            columns.resize(first + cols, 0);
            let mut count = first;
            for (column, x) in line[..cols].iter().enumerate() {
                columns[count] = column as u16;
                count += usize::from(*x != 0.0);
            }
            columns.truncate(count);
        };
        let mut columns = Vec::new();
        let sample = SAMPLE.min(rows);
        for i in 0..sample {
            list(i * (rows / sample), &mut columns);
        }
        let found = columns.len() as f64 / (sample * cols) as f64;
        if found > density {
            return None;
        }
        columns.clear();
        let expected = (found * (rows * cols) as f64) as usize;
        columns.reserve_exact(expected + expected / 16 + cols);
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        for row in 0..rows {
            list(row, &mut columns);
            starts.push(columns.len());
        }
        Some(NonZeros { starts, columns })
    }
}

#[cfg(test)]
mod tests {
    use crate::dataset::{Inputs, Scaling, ScalingKind};
    use crate::isa::Isa;
    use crate::tensor::Matrix;

    #[test]
    fn lists_are_right_and_only_made_where_they_pay() {
        let value = |r: usize, c: usize| {
            if (r * 7 + c * 3).is_multiple_of(5) {
                r as f32 - 3.0
            } else {
                0.0
            }
        };
        let matrix = Matrix::from_fn(300, 37, value);
        let inputs = Inputs::from(matrix.clone());
        let lists = inputs
            .non_zeros(Isa::SCALAR, 0.25)
            .expect("a fifth is not zero");
        for r in 0..300 {
            let want: Vec<u16> = (0..37)
                .filter(|&c| value(r, c) != 0.0)
                .map(|c| c as u16)
                .collect();
            assert_eq!(lists.row(r), want);
        }
        assert!(inputs.non_zeros(Isa::SCALAR, 0.1).is_none());
        // A shift leaves no zero where one was.
        let scaling = Scaling::fit(&ScalingKind::Standard, &inputs).expect("finite numbers");
        let scaled = Inputs::from(matrix)
            .with_scaling(scaling)
            .expect("its own scaling");
        assert!(scaled.non_zeros(Isa::SCALAR, 0.25).is_none());
    }
}
