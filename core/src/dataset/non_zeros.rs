//! Inputs that are mostly zero, without their zeros: for products that skip them.

use std::hint::black_box;

use pulp::{Simd, WithSimd};

use crate::dataset::Inputs;
use crate::dataset::inputs::Values;
use crate::dataset::scaling::Affine;
use crate::isa::Isa;
use crate::tensor::sparse::{MOST_COLUMNS, SparseRows, pair_of};
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

impl Inputs {
    /// Their pairs, if at most the share `density` of all is other than zero (judged by some rows spread over all) and
    /// there are at most 2^17 columns. Inputs that are kept elsewhere have none: it would be a copy of them.
    pub fn non_zeros(&self, isa: Isa, density: f64) -> Option<NonZeros> {
        let (rows, cols) = (self.rows(), self.cols());
        if rows == 0 || cols > MOST_COLUMNS || matches!(self.values, Values::Shared(_)) {
            return None;
        }
        let all = cols.div_ceil(2);
        let mut line = vec![0.0; padded(cols)];
        let mut sparse = SparseRows::for_dense(1, cols);
        let mut list = |row: usize, indices: &mut Vec<u16>| {
            let out = MatMut::new(&mut line, 1, cols, padded(cols));
            self.gather_on(isa, std::iter::once(row), out);
            sparse.clear();
            sparse.push_dense(isa, &line[..cols]);
            indices.extend_from_slice(sparse.row(0).0);
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
        let room = expected + expected / 16 + all.next_multiple_of(8);
        indices.reserve_exact(room);
        let mut kept = match &self.values {
            Values::Bytes(_) => Kept::Bytes(Vec::with_capacity(room)),
            Values::Floats(_) => Kept::Floats(Vec::with_capacity(room)),
            Values::Shared(_) => return None,
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
        mut rows: impl Iterator<Item = usize> + Clone,
        out: &mut SparseRows,
    ) {
        out.clear();
        let (mut again, mut once_more) = (rows.clone(), rows.clone());
        isa.dispatch(Gather {
            affine: Affine::of(self.scaling()),
            cols: self.cols(),
            non_zeros,
            rows: [&mut rows, &mut again, &mut once_more],
            out,
        });
    }
}

struct Gather<'a> {
    affine: Affine<'a>,
    cols: usize,
    non_zeros: &'a NonZeros,
    /// The same rows three times over.
    rows: [&'a mut dyn Iterator<Item = usize>; 3],
    out: &'a mut SparseRows,
}

impl WithSimd for Gather<'_> {
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
        let [starting, touched, taken] = self.rows;
        let seen = starting.fold(0, |seen, i| seen ^ starts[i]);
        let seen = touched.fold(seen, |seen, i| {
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
        for i in taken {
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
