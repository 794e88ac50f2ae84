//! Gathering: random rows of a dataset, widened and scaled, into the aligned batch that the first layer reads.
//!
//! ```text
//! for each index i:  out[i][j] = (x[indices[i]][j] - shift[j]) * scale[j],  0 in the padding
//! ```
//! Exactly two f32 operations a value, never fused, on every instruction set and for bytes and f32 alike, so the same
//! values give the same bits. pulp has no conversion from bytes; the loops are plain loops over slices, which the
//! compiler vectorises for the instruction set that the caller's body is compiled for (`vpmovzxbd`, `vcvtdq2ps`).
//! One shift and scale for all columns (pixels / 255) stays in registers instead of being streamed from two arrays.

use pulp::{Simd, WithSimd};

use crate::dataset::Inputs;
use crate::dataset::inputs::Row;
use crate::dataset::scaling::Affine;
use crate::isa::Isa;
use crate::tensor::{MatMut, padded};

/// How many rows before its turn the beginning of a row is asked for. Rows are far apart in memory, and short ones are
/// over before the cache has seen where they go.
const AHEAD: usize = 4;

impl Inputs {
    /// Writes the rows `indices`, scaled, into the consecutive rows of `out`, `[indices.len(), cols]`, and zeros into the
    /// padding of each, in code for that instruction set. Does not allocate.
    ///
    /// # Panics
    /// When the shape of `out` is another, or there is no such row.
    #[track_caller]
    pub fn gather_on(
        &self,
        isa: Isa,
        mut indices: impl ExactSizeIterator<Item = usize> + Clone,
        out: MatMut<'_>,
    ) {
        self.check_shape(indices.len(), &out);
        isa.dispatch(Gather {
            inputs: self,
            ahead: &mut indices.clone().skip(AHEAD),
            indices: &mut indices,
            out,
        });
    }

    #[track_caller]
    fn check_shape(&self, rows: usize, out: &MatMut<'_>) {
        assert!(
            out.rows() == rows && out.cols() == self.cols(),
            "{rows} rows of {} columns do not go into a {} x {} matrix",
            self.cols(),
            out.rows(),
            out.cols()
        );
    }

    /// Row `from` of the inputs into row `to` of `out`. `_simd` is the proof that the caller is compiled for `S`.
    #[inline(always)]
    fn write_row<S: Simd>(&self, _simd: S, from: usize, to: usize, out: &mut MatMut<'_>) {
        let (cols, stride) = (self.cols(), out.row_stride());
        // The padding of the last row may lie past the end of the view; a wide stride is not all ours to zero.
        let data = &mut out.data()[to * stride..];
        let end = padded(cols).min(stride).min(data.len());
        let (row, padding) = data[..end].split_at_mut(cols);
        let affine = Affine::of(self.scaling());
        match self.row(from) {
            Row::Bytes(bytes) => scale(row, bytes, f32::from, &affine),
            Row::Floats(floats) => scale(row, floats, |x| x, &affine),
            Row::Stored(floats) => scale(row, floats, f32::from_le_bytes, &affine),
        }
        padding.fill(0.0);
    }
}

/// One row, widened and scaled.
#[inline(always)]
fn scale<T: Copy>(row: &mut [f32], values: &[T], widen: impl Fn(T) -> f32, affine: &Affine<'_>) {
    match *affine {
        Affine::Uniform { shift, scale } => {
            for (x, &value) in row.iter_mut().zip(values) {
                *x = (widen(value) - shift) * scale;
            }
        }
        Affine::Columns { shift, scale } => {
            let cols = row.len();
            let affine = shift[..cols].iter().zip(&scale[..cols]);
            for ((x, &value), (&shift, &scale)) in row.iter_mut().zip(values).zip(affine) {
                *x = (widen(value) - shift) * scale;
            }
        }
    }
}

struct Gather<'a> {
    inputs: &'a Inputs,
    indices: &'a mut dyn Iterator<Item = usize>,
    /// Those of [`AHEAD`] rows later.
    ahead: &'a mut dyn Iterator<Item = usize>,
    out: MatMut<'a>,
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for (r, index) in self.indices.enumerate() {
            if let Some(next) = self.ahead.next() {
                self.inputs.fetch(next, 0);
            }
            self.inputs.write_row(simd, index, r, &mut self.out);
        }
    }
}
