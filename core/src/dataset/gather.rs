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
use crate::tensor::{LINE, MatMut, padded};

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

    /// Row `from` of the inputs into row `to` of `out`.
    #[inline(always)]
    fn write_row<S: Simd>(
        &self,
        simd: S,
        (affine, last): (&Affine<'_>, &LastLine),
        [from, to]: [usize; 2],
        out: &mut MatMut<'_>,
    ) {
        let (cols, stride) = (self.cols(), out.row_stride());
        // The padding of the last row may lie past the end of the view; a wide stride is not all ours to zero.
        let data = &mut out.data()[to * stride..];
        let end = padded(cols).min(stride).min(data.len());
        if let Some(lines) = self.padded_row(from)
            && end == lines.len()
        {
            return scale_lines(simd, &mut data[..end], lines, (affine, last));
        }
        let (row, padding) = data[..end].split_at_mut(cols);
        match self.row(from) {
            Row::Bytes(bytes) => scale(row, bytes, f32::from, affine),
            Row::Floats(floats) => scale(row, floats, std::convert::identity, affine),
            Row::Stored(floats) => scale(row, floats, f32::from_le_bytes, affine),
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

/// The shift and scale of the last line of columns, zeros past the last: what is 0 there stays 0.
struct LastLine {
    shift: [f32; LINE],
    scale: [f32; LINE],
}

impl LastLine {
    fn of(affine: &Affine<'_>, cols: usize) -> Self {
        let first = cols.saturating_sub(1) / LINE * LINE;
        let line = |of: &dyn Fn(usize) -> f32| {
            std::array::from_fn(|j| if first + j < cols { of(first + j) } else { 0.0 })
        };
        match *affine {
            Affine::Uniform { shift, scale } => Self {
                shift: line(&|_| shift),
                scale: line(&|_| scale),
            },
            Affine::Columns { shift, scale } => Self {
                shift: line(&|j| shift[j]),
                scale: line(&|j| scale[j]),
            },
        }
    }
}

/// The same of f32 in whole lines: many a table is narrower than what the compiler's loops are made for.
#[inline(always)]
fn scale_lines<S: Simd>(
    simd: S,
    row: &mut [f32],
    values: &[f32],
    (affine, last): (&Affine<'_>, &LastLine),
) {
    let Some(full) = row.len().checked_sub(LINE) else {
        return;
    };
    let (row, row_last) = row.split_at_mut(full);
    let (values, values_last) = values.split_at(full);
    let (x, v) = (
        S::as_mut_simd_f32s(row).0.iter_mut(),
        S::as_simd_f32s(values).0,
    );
    match *affine {
        Affine::Uniform { shift, scale } => {
            let (shift, scale) = (simd.splat_f32s(shift), simd.splat_f32s(scale));
            for (x, &v) in x.zip(v) {
                *x = scaled(simd, v, shift, scale);
            }
        }
        Affine::Columns { shift, scale } => {
            let shift = S::as_simd_f32s(&shift[..full]).0;
            let scale = S::as_simd_f32s(&scale[..full]).0;
            for (((x, &v), &shift), &scale) in x.zip(v).zip(shift).zip(scale) {
                *x = scaled(simd, v, shift, scale);
            }
        }
    }
    let (x, v) = (
        S::as_mut_simd_f32s(row_last).0.iter_mut(),
        S::as_simd_f32s(values_last).0,
    );
    let (shift, scale) = (
        S::as_simd_f32s(&last.shift).0,
        S::as_simd_f32s(&last.scale).0,
    );
    for (((x, &v), &shift), &scale) in x.zip(v).zip(shift).zip(scale) {
        *x = scaled(simd, v, shift, scale);
    }
}

#[inline(always)]
fn scaled<S: Simd>(simd: S, v: S::f32s, shift: S::f32s, scale: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.sub_f32s(v, shift), scale)
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
        let affine = Affine::of(self.inputs.scaling());
        let last = LastLine::of(&affine, self.inputs.cols());
        for (r, index) in self.indices.enumerate() {
            if let Some(next) = self.ahead.next() {
                self.inputs.fetch(next, 0);
            }
            self.inputs
                .write_row(simd, (&affine, &last), [index, r], &mut self.out);
        }
    }
}
