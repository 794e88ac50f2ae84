//! Inputs of which most numbers are zero: whether they are such, and their rows for the products that skip the zeros.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::dataset::Inputs;
use crate::dataset::inputs::Row;
use crate::dataset::scaling::Affine;
use crate::isa::{Isa, prefetch};
use crate::tensor::sparse::{SparseRows, UNITS};

/// Bytes in a line of the cache.
const LINE_OF_BYTES: usize = 64;

/// Columns of a strip.
const STRIP: usize = 2 * UNITS;

/// Rows of which the numbers that are not zero are counted.
const SAMPLE: usize = 256;

impl Inputs {
    /// Whether at most the share `density` of all pairs of columns is other than zero once scaled, judged by some rows
    /// spread over all.
    pub fn are_sparse(&self, isa: Isa, density: f64) -> bool {
        let (rows, pairs) = (self.rows(), self.cols().div_ceil(2));
        let sample = SAMPLE.min(rows);
        let mut row = SparseRows::<2>::of_floats(1, self.cols());
        let found = (0..sample).map(|i| {
            let i = std::iter::once(i * (rows / sample));
            self.gather_sparse_on(isa, i, 0..self.cols(), &mut row);
            row.count(0)
        });
        sample * pairs > 0 && found.sum::<usize>() as f64 <= density * (sample * pairs) as f64
    }

    /// What each byte stands for, if they are bytes all scaled alike, and 0 and no other stands for zero.
    pub fn byte_table(&self) -> Option<[f32; 256]> {
        let Affine::Uniform { shift, scale } = Affine::of(self.scaling()) else {
            return None;
        };
        // As it is gathered: two operations.
        let table = std::array::from_fn(|byte| (f32::from(byte as u8) - shift) * scale);
        let zeros = table.iter().filter(|x| **x == 0.0).count();
        (self.are_bytes() && table[0] == 0.0 && zeros == 1).then_some(table)
    }

    /// Has the cache fetch strip `strip` of row `i`, which will soon be gathered: rows are far apart in memory.
    #[inline]
    pub fn fetch(&self, i: usize, strip: usize) {
        match self.row(i) {
            Row::Bytes(bytes) => fetch_lines(bytes, strip),
            Row::Floats(floats) => fetch_lines(floats, strip),
            Row::Stored(floats) => fetch_lines(floats, strip),
        }
    }

    /// Makes `out` these columns of the rows `indices` of these inputs, scaled: bit for bit the numbers of
    /// [`gather_on`](Self::gather_on). Rows kept as bytes must stand for this [`byte_table`](Self::byte_table).
    ///
    /// # Panics
    /// When there is no such row or column, or no room for all.
    pub fn gather_sparse_on(
        &self,
        isa: Isa,
        mut indices: impl Iterator<Item = usize>,
        columns: Range<usize>,
        out: &mut SparseRows,
    ) {
        out.clear();
        isa.dispatch(Gather {
            inputs: self,
            indices: &mut indices,
            columns,
            out,
        });
    }
}

/// The lines of a strip of a row.
fn fetch_lines<T>(row: &[T], strip: usize) {
    let mut strips = row.chunks(STRIP).skip(strip);
    for line in strips
        .next()
        .unwrap_or_default()
        .chunks(LINE_OF_BYTES / size_of::<T>())
    {
        prefetch(line);
    }
    if strips.len() == 0 {
        // A row that does not begin with a line has part of one more.
        prefetch(&row[row.len().saturating_sub(1)..]);
    }
}

struct Gather<'a> {
    inputs: &'a Inputs,
    indices: &'a mut dyn Iterator<Item = usize>,
    columns: Range<usize>,
    out: &'a mut SparseRows,
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            inputs,
            indices,
            columns,
            out,
        } = self;
        let affine = Affine::of(inputs.scaling()).of_columns(columns.clone());
        for i in indices {
            match inputs.row(i) {
                Row::Bytes(bytes) => {
                    let bytes = &bytes[columns.clone()];
                    if out.is_of_bytes() {
                        out.push_bytes(simd, bytes);
                    } else {
                        scale(simd, out, bytes, f32::from, &affine);
                    }
                }
                Row::Floats(floats) => scale(simd, out, &floats[columns.clone()], |x| x, &affine),
                Row::Stored(floats) => {
                    scale(
                        simd,
                        out,
                        &floats[columns.clone()],
                        f32::from_le_bytes,
                        &affine,
                    );
                }
            }
        }
    }
}

/// One more row, scaled by the two operations of the dense gathering.
#[inline(always)]
fn scale<S: Simd, T: Copy>(
    simd: S,
    out: &mut SparseRows,
    values: &[T],
    widen: impl Fn(T) -> f32,
    affine: &Affine<'_>,
) {
    out.push_floats(simd, values, |first, part, kept| match *affine {
        Affine::Uniform { shift, scale } => {
            for (kept, &x) in kept.iter_mut().zip(part) {
                *kept = (widen(x) - shift) * scale;
            }
        }
        Affine::Columns { shift, scale } => {
            let affine = shift[first..].iter().zip(&scale[first..]);
            for ((kept, &x), (shift, scale)) in kept.iter_mut().zip(part).zip(affine) {
                *kept = (widen(x) - shift) * scale;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::dataset::shared::{Block, Layout};
    use crate::dataset::{Inputs, Scaling, ScalingKind};
    use crate::isa::Isa;
    use crate::tensor::Matrix;
    use crate::tensor::sparse::SparseRows;

    const ROWS: usize = 300;
    const COLS: usize = 37;

    /// Two pairs in five have one of a fifth that is not zero.
    fn value(r: usize, c: usize) -> u8 {
        if (r * 7 + c * 3).is_multiple_of(5) {
            1 + (r * c % 255) as u8
        } else {
            0
        }
    }

    fn bytes() -> Vec<u8> {
        let rows = (0..ROWS).flat_map(|r| (0..COLS).map(move |c| value(r, c)));
        rows.collect()
    }

    /// The same numbers as floats, as bytes, and elsewhere as both.
    fn inputs() -> [Inputs; 3] {
        let floats = Matrix::from_fn(ROWS, COLS, |r, c| f32::from(value(r, c)));
        let mut block = bytes();
        for byte in block.split_off(ROWS / 2 * COLS) {
            block.extend(f32::from(byte).to_le_bytes());
        }
        let layout = Layout {
            offset: 0,
            rows: ROWS,
            byte_rows: ROWS / 2,
            cols: COLS,
        };
        let block: Block = Arc::new(block);
        [
            Inputs::from(floats),
            Inputs::from_bytes(bytes(), ROWS, COLS).expect("as many bytes"),
            Inputs::from_block(block, layout).expect("as the block is"),
        ]
    }

    fn scaled(inputs: Inputs, kind: &ScalingKind) -> Inputs {
        let scaling = Scaling::fit(kind, &inputs).expect("finite numbers");
        inputs.with_scaling(scaling).expect("its own scaling")
    }

    #[test]
    fn some_rows_tell_whether_all_are_sparse() {
        for inputs in inputs() {
            assert!(inputs.are_sparse(Isa::SCALAR, 0.45));
            assert!(!inputs.are_sparse(Isa::SCALAR, 0.1));
            // A shift leaves no zero where one was.
            let scaled = scaled(inputs, &ScalingKind::Standard);
            assert!(!scaled.are_sparse(Isa::SCALAR, 0.45));
        }
        for nothing in [Matrix::zeros(0, 3), Matrix::zeros(3, 0)] {
            assert!(!Inputs::from(nothing).are_sparse(Isa::SCALAR, 1.0));
        }
    }

    #[test]
    fn bytes_have_a_table_where_0_alone_is_zero() {
        let [floats, bytes, elsewhere] = inputs();
        assert!(floats.byte_table().is_none() && elsewhere.byte_table().is_none());
        let table = bytes.byte_table().expect("bytes as they are");
        assert!((0..).zip(table).all(|(byte, x)| x == f32::from(byte as u8)));
        let table = |kind| scaled(bytes.clone(), &kind).byte_table();
        assert!(table(ScalingKind::Unit).is_some());
        assert!(table(ScalingKind::Shift(vec![9.0])).is_none());
        assert!(table(ScalingKind::Standard).is_none());
    }

    #[test]
    fn rows_are_gathered_as_they_are_however_they_are_kept() {
        for isa in Isa::available() {
            for inputs in inputs() {
                let inputs = scaled(inputs, &ScalingKind::Unit);
                let all = inputs.to_matrix();
                let mut kept = vec![SparseRows::<2>::of_floats(100, COLS)];
                let table = inputs.byte_table();
                kept.extend(table.map(|table| SparseRows::of_bytes(100, COLS, table)));
                for rows in &mut kept {
                    inputs.gather_sparse_on(isa, (0..100).map(|i| i * 3), 0..COLS, rows);
                    for r in 0..100 {
                        let pairs = (0..COLS.div_ceil(2)).filter(|pair| {
                            let row = &all.row(3 * r)[2 * pair..];
                            row.iter().take(2).any(|x| *x != 0.0)
                        });
                        assert_eq!(rows.count(r), pairs.count(), "row {r}");
                        if !rows.is_of_bytes() {
                            for (column, x) in rows.row_mut(r).filter(|(c, _)| *c < COLS as u32) {
                                assert_eq!(*x, all.row(3 * r)[column as usize]);
                            }
                        }
                    }
                }
            }
        }
    }
}
