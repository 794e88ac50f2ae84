//! Which numbers of the inputs are not zero, where most are: for products that skip the others.

use std::hint::black_box;

use pulp::{Simd, WithSimd};

use crate::dataset::Inputs;
use crate::dataset::inputs::{Row, Values};
use crate::dataset::scaling::Affine;
use crate::isa::{Isa, prefetch};
use crate::tensor::sparse::{SparseRows, UNITS, mask_of};
use crate::tensor::{MatMut, padded};

/// For each row a bit for each pair of columns, set where not both are zero once scaled.
#[derive(Clone, Debug)]
pub struct NonZeros {
    /// Words of a row.
    words: usize,
    masks: Vec<u64>,
}

impl NonZeros {
    /// The mask of row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &[u64] {
        &self.masks[i * self.words..][..self.words]
    }
}

/// Bytes in a line of the cache.
const LINE_OF_BYTES: usize = 64;

/// Rows whose zeros are counted before all are looked for.
const SAMPLE: usize = 256;

impl Inputs {
    /// Their masks, if at most the share `density` of all pairs is other than zero (judged by some rows spread over all).
    /// Inputs that are kept elsewhere have none: they may be more than there is memory.
    pub fn non_zeros(&self, isa: Isa, density: f64) -> Option<NonZeros> {
        let (rows, cols) = (self.rows(), self.cols());
        if rows == 0 || cols == 0 || matches!(self.values, Values::Shared(_)) {
            return None;
        }
        let words = cols.div_ceil(2 * UNITS);
        let mut line = vec![0.0; padded(cols)];
        let mut find = |row: usize, mask: &mut [u64]| {
            let out = MatMut::new(&mut line, 1, cols, padded(cols));
            self.gather_on(isa, std::iter::once(row), out);
            mask_of::<2>(isa, &line[..cols], mask);
        };
        let sample = SAMPLE.min(rows);
        let (mut mask, mut found) = (vec![0; words], 0);
        for i in 0..sample {
            find(i * (rows / sample), &mut mask);
            found += mask.iter().map(|word| word.count_ones()).sum::<u32>();
        }
        if f64::from(found) > density * (sample * cols.div_ceil(2)) as f64 {
            return None;
        }
        let mut masks = vec![0; rows * words];
        for (row, mask) in masks.chunks_exact_mut(words).enumerate() {
            find(row, mask);
        }
        Some(NonZeros { words, masks })
    }

    /// What each byte stands for, if they are bytes all scaled alike.
    pub fn byte_table(&self) -> Option<[f32; 256]> {
        match (Affine::of(self.scaling()), self.bytes()) {
            (Affine::Uniform { shift, scale }, Some(_)) => {
                // As it is gathered: two operations.
                Some(std::array::from_fn(|byte| {
                    (f32::from(byte as u8) - shift) * scale
                }))
            }
            _ => None,
        }
    }

    /// Has the cache fetch row `i` and its mask, which will soon be gathered.
    #[inline]
    pub fn fetch_sparse(&self, non_zeros: &NonZeros, i: usize) {
        prefetch(non_zeros.row(i));
        match self.row(i) {
            Row::Bytes(bytes) => fetch_lines(bytes),
            Row::Floats(floats) => fetch_lines(floats),
            Row::Stored(_) => {}
        }
    }

    /// Makes `out` the rows `indices` of these inputs, scaled, `non_zeros` being made of them: bit for bit the numbers of
    /// [`gather_on`](Self::gather_on). Rows kept as bytes must stand for this [`byte_table`](Self::byte_table).
    ///
    /// # Panics
    /// When there is no such row, or no room for all.
    pub fn gather_sparse_on(
        &self,
        isa: Isa,
        non_zeros: &NonZeros,
        mut indices: impl Iterator<Item = usize> + Clone,
        out: &mut SparseRows,
    ) {
        out.clear();
        let mut again = indices.clone();
        isa.dispatch(Gather {
            inputs: self,
            non_zeros,
            indices: [&mut indices, &mut again],
            out,
        });
    }
}

/// All lines of a row.
fn fetch_lines<T>(row: &[T]) {
    for line in row.chunks(LINE_OF_BYTES / size_of::<T>()) {
        prefetch(line);
    }
    // A row that does not begin with a line has part of one more.
    prefetch(&row[row.len().saturating_sub(1)..]);
}

struct Gather<'a> {
    inputs: &'a Inputs,
    non_zeros: &'a NonZeros,
    /// The same rows twice.
    indices: [&'a mut dyn Iterator<Item = usize>; 2],
    out: &'a mut SparseRows,
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            inputs,
            non_zeros,
            indices: [touched, taken],
            out,
        } = self;
        // The rows are far apart in memory. One look at every line of theirs first, none waiting for another, has the
        // cache fetch many at a time.
        let seen = touched.fold(0, |seen, i| {
            let seen = seen ^ non_zeros.row(i)[0];
            match inputs.row(i) {
                Row::Bytes(bytes) => {
                    let lines = bytes.iter().step_by(LINE_OF_BYTES);
                    lines.fold(seen, |seen, &byte| seen ^ u64::from(byte))
                }
                Row::Floats(floats) => {
                    let lines = floats.iter().step_by(LINE_OF_BYTES / size_of::<f32>());
                    lines.fold(seen, |seen, x| seen ^ u64::from(x.to_bits()))
                }
                Row::Stored(_) => seen,
            }
        });
        black_box(seen);
        let affine = Affine::of(inputs.scaling());
        for i in taken {
            let mask = non_zeros.row(i);
            match inputs.row(i) {
                Row::Bytes(bytes) if out.is_of_bytes() => out.push_bytes(bytes, mask),
                Row::Bytes(bytes) => scale(out, mask, bytes, f32::from, &affine),
                Row::Floats(floats) => scale(out, mask, floats, |x| x, &affine),
                Row::Stored(floats) => scale(out, mask, floats, f32::from_le_bytes, &affine),
            }
        }
    }
}

/// One more row, scaled by the two operations of the dense gathering.
#[inline(always)]
fn scale<T: Copy>(
    out: &mut SparseRows,
    mask: &[u64],
    values: &[T],
    widen: impl Fn(T) -> f32,
    affine: &Affine<'_>,
) {
    match *affine {
        Affine::Uniform { shift, scale } => {
            out.push_floats(values, mask, |_, part, kept| {
                for (kept, &x) in kept.iter_mut().zip(part) {
                    *kept = (widen(x) - shift) * scale;
                }
            });
        }
        Affine::Columns { shift, scale } => {
            out.push_floats(values, mask, |first, part, kept| {
                let affine = shift[first..].iter().zip(&scale[first..]);
                for ((kept, &x), (shift, scale)) in kept.iter_mut().zip(part).zip(affine) {
                    *kept = (widen(x) - shift) * scale;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dataset::{Inputs, Scaling, ScalingKind};
    use crate::isa::Isa;
    use crate::tensor::Matrix;

    #[test]
    fn masks_are_right_and_only_made_where_they_pay() {
        let value = |r: usize, c: usize| {
            if (r * 7 + c * 3).is_multiple_of(5) {
                r as f32 - 3.0
            } else {
                0.0
            }
        };
        let matrix = Matrix::from_fn(300, 37, value);
        let inputs = Inputs::from(matrix.clone());
        let masks = inputs
            .non_zeros(Isa::SCALAR, 0.45)
            .expect("two pairs in five have one of a fifth that is not zero");
        for r in 0..300 {
            let is_there = |c: usize| c < 37 && value(r, c) != 0.0;
            let want = (0..19).filter(|&i| is_there(2 * i) || is_there(2 * i + 1));
            assert_eq!(masks.row(r), [want.map(|i| 1 << i).sum::<u64>()]);
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
