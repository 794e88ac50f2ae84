//! Where inputs are not zero: a list of columns for each row, for products that skip the zeros.

use pulp::{Simd, WithSimd};

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

/// Most columns that a list can name.
pub(crate) const MOST_COLUMNS: usize = 1 << 16;

/// Numbers that are looked at together.
const RUN: usize = 8;

/// For each set of places in a run, as the bits of a byte, these places in ascending order.
const PLACES: [[u16; RUN]; 1 << RUN] = {
    let mut places = [[0; RUN]; 1 << RUN];
    let mut set = 0;
    while set < 1 << RUN {
        let (mut count, mut place) = (0, 0);
        while place < RUN {
            if set >> place & 1 == 1 {
                places[set][count] = place as u16;
                count += 1;
            }
            place += 1;
        }
        set += 1;
    }
    places
};

/// Room for the list of a row: whole runs are written.
pub(crate) const fn room_for_list(cols: usize) -> usize {
    cols.next_multiple_of(RUN)
}

/// Writes the columns of a row that are not zero (of whatever sign), in ascending order, to the front of `columns` and
/// gives their number; what follows them there is overwritten.
///
/// `columns` has [`room_for_list`], and the row at most [`MOST_COLUMNS`].
#[derive(Debug)]
pub(crate) struct ListNonZeros<'a> {
    pub(crate) row: &'a [f32],
    pub(crate) columns: &'a mut [u16],
}

impl WithSimd for ListNonZeros<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let Self { row, columns } = self;
        assert!(
            row.len() <= MOST_COLUMNS && room_for_list(row.len()) <= columns.len(),
            "the columns of {} numbers in {} places",
            row.len(),
            columns.len()
        );
        let (runs, rest) = row.as_chunks();
        let mut count = 0;
        for (i, run) in runs.iter().enumerate() {
            count += list_run(i * RUN, run, &mut columns[count..]);
        }
        if !rest.is_empty() {
            let mut run = [0.0; RUN];
            run[..rest.len()].copy_from_slice(rest);
            count += list_run(runs.len() * RUN, &run, &mut columns[count..]);
        }
        count
    }
}

/// The same for one run, of columns from `first` on.
#[inline(always)]
fn list_run(first: usize, run: &[f32; RUN], columns: &mut [u16]) -> usize {
    // As wide as the numbers, so that it is done in one vector.
    let mut bits = [0_u32; RUN];
    for ((place, bit), x) in bits.iter_mut().enumerate().zip(run) {
        *bit = u32::from(x.to_bits() << 1 != 0) << place;
    }
    let set = bits.iter().fold(0, |set, bit| set | bit) as usize;
    // All places are written, those of the set counted: no branch to mispredict.
    for (column, place) in columns[..RUN].iter_mut().zip(PLACES[set]) {
        *column = first as u16 + place;
    }
    set.count_ones() as usize
}

impl Inputs {
    /// The lists, if at most the share `density` of the numbers is other than zero (judged by some rows spread over all)
    /// and there are at most 65 536 columns; a list costs two bytes a number.
    pub fn non_zeros(&self, isa: Isa, density: f64) -> Option<NonZeros> {
        let (rows, cols) = (self.rows(), self.cols());
        if rows == 0 || cols > MOST_COLUMNS {
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
            columns.resize(first + room_for_list(cols), 0);
            let count = isa.dispatch(ListNonZeros {
                row: &line[..cols],
                columns: &mut columns[first..],
            });
            columns.truncate(first + count);
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
        columns.reserve_exact(expected + expected / 16 + room_for_list(cols));
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
    use super::{ListNonZeros, MOST_COLUMNS};
    use crate::dataset::{Inputs, Scaling, ScalingKind};
    use crate::isa::Isa;
    use crate::tensor::Matrix;

    #[test]
    fn a_list_names_what_is_not_zero() {
        let list = |row: &[f32], columns: &mut [u16]| {
            let counts: Vec<usize> = Isa::available()
                .iter()
                .map(|isa| isa.dispatch(ListNonZeros { row, columns }))
                .collect();
            assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
            counts[0]
        };
        let mut columns = [0; 24];
        for (row, want) in [
            (&[][..], &[][..]),
            (&[0.0, -0.0, 1.0], &[2]),
            (&[f32::NAN; 9], &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
            (&[0.0; 24], &[]),
            (
                &[0., 1e-45, 0., 0., 0., 0., 0., -2., 0., f32::INFINITY, 0.],
                &[1, 7, 9],
            ),
        ] {
            let count = list(row, &mut columns);
            assert_eq!(&columns[..count], want, "{row:?}");
        }
        // The last column that a list can name.
        let mut row = vec![0.0; MOST_COLUMNS];
        row[MOST_COLUMNS - 1] = 1.0;
        let mut columns = vec![0; MOST_COLUMNS];
        assert_eq!(list(&row, &mut columns), 1);
        assert_eq!(usize::from(columns[0]), MOST_COLUMNS - 1);
    }

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
