//! Inputs that are mostly zero, without their zeros: for products that skip them.

use std::hint::black_box;

use pulp::{Simd, WithSimd};

use crate::dataset::Inputs;
use crate::dataset::inputs::Values;
use crate::dataset::scaling::Affine;
use crate::isa::Isa;
use crate::tensor::sparse::SparseRows;
use crate::tensor::{MatMut, padded};

/// The pairs of columns of which not both are zero once scaled, row by row, as they were before: 4 bytes each where the
/// inputs are bytes, else 10.
#[derive(Clone, Debug)]
pub struct NonZeros {
    /// Row i has pairs `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    indices: Vec<u16>,
    kept: Kept,
    longest: usize,
}

#[derive(Clone, Debug)]
enum Kept {
    Bytes(Vec<[u8; 2]>),
    Floats(Vec<[f32; 2]>),
}

impl NonZeros {
    /// The most pairs that a row has.
    pub fn longest_row(&self) -> usize {
        self.longest
    }

    /// Which pairs row `i` has.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, i: usize) -> &[u16] {
        &self.indices[self.starts[i]..self.starts[i + 1]]
    }
}

/// Numbers or pairs of two bytes in a line of the cache.
const PAIRS_PER_LINE: usize = 32;

/// Rows whose zeros are counted before all are listed.
const SAMPLE: usize = 256;

/// Most columns whose pairs can be numbered.
pub(crate) const MOST_COLUMNS: usize = 1 << 17;

/// Pairs that are looked at together.
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

/// Room for the pairs of a row: whole runs are written.
pub(crate) const fn room_for_pairs(cols: usize) -> usize {
    cols.div_ceil(2).next_multiple_of(RUN)
}

/// Writes the numbers of a row's pairs of which not both are zero (of whatever sign), ascending, to the front of `indices`
/// and gives how many there are; what follows them there is overwritten.
///
/// `indices` has [`room_for_pairs`], and the row at most [`MOST_COLUMNS`].
#[derive(Debug)]
pub(crate) struct ListPairs<'a> {
    pub(crate) row: &'a [f32],
    pub(crate) indices: &'a mut [u16],
}

impl WithSimd for ListPairs<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let Self { row, indices } = self;
        assert!(
            row.len() <= MOST_COLUMNS && room_for_pairs(row.len()) <= indices.len(),
            "the pairs of {} numbers in {} places",
            row.len(),
            indices.len()
        );
        let (runs, rest) = row.as_chunks();
        let mut count = 0;
        for (i, run) in runs.iter().enumerate() {
            count += list_run(i * RUN, run, &mut indices[count..]);
        }
        if !rest.is_empty() {
            let mut run = [0.0; 2 * RUN];
            run[..rest.len()].copy_from_slice(rest);
            count += list_run(runs.len() * RUN, &run, &mut indices[count..]);
        }
        count
    }
}

/// The same for one run, of pairs from `first` on.
#[inline(always)]
fn list_run(first: usize, run: &[f32; 2 * RUN], indices: &mut [u16]) -> usize {
    // As wide as the pairs, so that it is done in vectors.
    let mut bits = [0_u64; RUN];
    for ((place, bit), [x, y]) in bits.iter_mut().enumerate().zip(run.as_chunks::<2>().0) {
        *bit = u64::from((x.to_bits() | y.to_bits()) << 1 != 0) << place;
    }
    let set = bits.iter().fold(0, |set, bit| set | bit) as usize;
    // All places are written, those of the set counted: no branch to mispredict.
    for (index, place) in indices[..RUN].iter_mut().zip(PLACES[set]) {
        *index = first as u16 + place;
    }
    set.count_ones() as usize
}

impl Inputs {
    /// Their pairs, if at most the share `density` of all is other than zero (judged by some rows spread over all) and
    /// there are at most 2^17 columns.
    pub fn non_zeros(&self, isa: Isa, density: f64) -> Option<NonZeros> {
        let (rows, cols) = (self.rows(), self.cols());
        let all = cols.div_ceil(2);
        if rows == 0 || cols > MOST_COLUMNS {
            return None;
        }
        let mut line = vec![0.0; padded(cols)];
        let mut list = |row: usize, indices: &mut Vec<u16>| {
            self.gather_on(
                isa,
                std::iter::once(row),
                MatMut::new(&mut line, 1, cols, padded(cols)),
            );
            let first = indices.len();
            indices.resize(first + room_for_pairs(cols), 0);
            let count = isa.dispatch(ListPairs {
                row: &line[..cols],
                indices: &mut indices[first..],
            });
            indices.truncate(first + count);
        };
        let mut indices = Vec::new();
        let sample = SAMPLE.min(rows);
        for i in 0..sample {
            list(i * (rows / sample), &mut indices);
        }
        let found = indices.len() as f64 / (sample * all) as f64;
        if found > density {
            return None;
        }
        indices.clear();
        let expected = (found * (rows * all) as f64) as usize;
        let room = expected + expected / 16 + room_for_pairs(cols);
        indices.reserve_exact(room);
        let mut kept = match &self.values {
            Values::Bytes(_) => Kept::Bytes(Vec::with_capacity(room)),
            Values::Floats(_) => Kept::Floats(Vec::with_capacity(room)),
        };
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        let mut longest = 0;
        for row in 0..rows {
            let first = indices.len();
            list(row, &mut indices);
            let found = &indices[first..];
            longest = longest.max(found.len());
            starts.push(indices.len());
            match (&mut kept, &self.values) {
                (Kept::Bytes(kept), Values::Bytes(bytes)) => {
                    let bytes = &bytes[row * cols..][..cols];
                    kept.extend(found.iter().map(|&i| pair_of(bytes, i)));
                }
                (Kept::Floats(kept), Values::Floats(matrix)) => {
                    kept.extend(found.iter().map(|&i| pair_of(matrix.row(row), i)));
                }
                _ => {}
            }
        }
        Some(NonZeros {
            starts,
            indices,
            kept,
            longest,
        })
    }

    /// Makes `out` the rows `indices` of these inputs, scaled, without the pairs that `non_zeros`, made of them, leaves
    /// out; bit for bit the numbers of [`gather_on`](Self::gather_on).
    ///
    /// # Panics
    /// When there is no such row.
    pub fn gather_sparse_on(
        &self,
        isa: Isa,
        non_zeros: &NonZeros,
        rows: impl Iterator<Item = usize> + Clone,
        out: &mut SparseRows,
    ) {
        out.clear();
        isa.dispatch(Gather {
            affine: Affine::of(self.scaling()),
            cols: self.cols(),
            non_zeros,
            rows,
            out,
        });
    }
}

/// Columns 2 i and 2 i + 1 of a row, which may end between them.
pub(crate) fn pair_of<T: Copy + Default>(row: &[T], i: u16) -> [T; 2] {
    let i = usize::from(i) * 2;
    [row[i], row.get(i + 1).copied().unwrap_or_default()]
}

struct Gather<'a, I> {
    affine: Affine<'a>,
    cols: usize,
    non_zeros: &'a NonZeros,
    rows: I,
    out: &'a mut SparseRows,
}

impl<I: Iterator<Item = usize> + Clone> WithSimd for Gather<'_, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let NonZeros {
            starts,
            indices,
            kept,
            ..
        } = self.non_zeros;
        // The rows are far apart in memory. One look at every line of theirs first, none waiting for another, has the
        // cache fetch many at a time.
        let seen = self.rows.clone().fold(0, |seen, i| seen ^ starts[i]);
        let seen = self.rows.clone().fold(seen, |seen, i| {
            let lines = (starts[i]..starts[i + 1]).step_by(PAIRS_PER_LINE);
            lines.fold(seen, |seen, at| {
                let pair = match kept {
                    Kept::Bytes(bytes) => usize::from(bytes[at][0]),
                    Kept::Floats(floats) => floats[at][0].to_bits() as usize,
                };
                seen ^ usize::from(indices[at]) ^ pair
            })
        });
        black_box(seen);
        for i in self.rows {
            let entries = starts[i]..starts[i + 1];
            let indices = &indices[entries.clone()];
            match kept {
                Kept::Bytes(bytes) => {
                    let pairs = bytes[entries].iter().map(|pair| pair.map(f32::from));
                    push(self.out, indices, pairs, &self.affine, self.cols);
                }
                Kept::Floats(floats) => {
                    let pairs = floats[entries].iter().copied();
                    push(self.out, indices, pairs, &self.affine, self.cols);
                }
            }
        }
    }
}

/// One more row, scaled by the two operations of the dense gathering.
#[inline(always)]
fn push(
    out: &mut SparseRows,
    indices: &[u16],
    pairs: impl ExactSizeIterator<Item = [f32; 2]>,
    affine: &Affine<'_>,
    cols: usize,
) {
    match *affine {
        Affine::Uniform { shift, scale } => {
            out.push(indices, pairs.map(|pair| pair.map(|x| (x - shift) * scale)));
            // What stands in for the column after the last is zero, scaled or not.
            if !cols.is_multiple_of(2) {
                out.end_at(cols);
            }
        }
        Affine::Columns { shift, scale } => {
            let at = |x: f32, column: usize| match (shift.get(column), scale.get(column)) {
                (Some(shift), Some(scale)) => (x - shift) * scale,
                _ => 0.0,
            };
            let scaled = pairs.zip(indices).map(|([x, y], &i)| {
                let column = usize::from(i) * 2;
                [at(x, column), at(y, column + 1)]
            });
            out.push(indices, scaled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ListPairs, MOST_COLUMNS};
    use crate::dataset::{Inputs, Scaling, ScalingKind};
    use crate::isa::Isa;
    use crate::tensor::Matrix;

    #[test]
    fn pairs_that_are_not_zero_are_listed() {
        let list = |row: &[f32], indices: &mut [u16]| {
            let counts: Vec<usize> = Isa::available()
                .iter()
                .map(|isa| isa.dispatch(ListPairs { row, indices }))
                .collect();
            assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
            counts[0]
        };
        let mut indices = [0; 16];
        for (row, want) in [
            (&[][..], &[][..]),
            (&[0.0, -0.0, 1.0], &[1]),
            (&[f32::NAN; 17], &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
            (&[0.0; 32], &[]),
            (
                &[0., 1e-45, 0., 0., 0., 0., 0., -2., 0., f32::INFINITY, 0.],
                &[0, 3, 4],
            ),
        ] {
            let count = list(row, &mut indices);
            assert_eq!(&indices[..count], want, "{row:?}");
        }
        // The last pair that can be numbered.
        let mut row = vec![0.0; MOST_COLUMNS];
        row[MOST_COLUMNS - 1] = 1.0;
        let mut indices = vec![0; MOST_COLUMNS / 2];
        assert_eq!(list(&row, &mut indices), 1);
        assert_eq!(usize::from(indices[0]), MOST_COLUMNS / 2 - 1);
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
            .non_zeros(Isa::SCALAR, 0.45)
            .expect("two pairs in five have one of a fifth that is not zero");
        for r in 0..300 {
            let is_there = |c: usize| c < 37 && value(r, c) != 0.0;
            let want: Vec<u16> = (0..19)
                .filter(|&i| is_there(2 * i) || is_there(2 * i + 1))
                .map(|i| i as u16)
                .collect();
            assert_eq!(lists.row(r), want);
        }
        assert!(inputs.non_zeros(Isa::SCALAR, 0.1).is_none());
        // A shift leaves no zero where one was.
        let scaling = Scaling::fit(&ScalingKind::Standard, &inputs).expect("finite numbers");
        let scaled = Inputs::from(matrix)
            .with_scaling(scaling)
            .expect("its own scaling");
        assert!(scaled.non_zeros(Isa::SCALAR, 0.45).is_none());
    }
}
