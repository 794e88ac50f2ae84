//! Packed panels: the one layout in which a kernel reads its vector operand.
//!
//! A k x n matrix B becomes ceil(n / 16) panels, panel j holding columns 16 j .. 16 j + 16 as k consecutive lines of 16
//! floats; columns past n are zero. A panel is read once, forward, line by line.

use std::ops::Range;

use crate::isa::Isa;
use crate::tensor::matrix::{Aligned, LINE, MatRef, padded};
use crate::tensor::turn::Transpose;

/// One operand of a product: a matrix, or its transpose without moving it.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// The matrix as it lies.
    Plain(MatRef<'a>),
    /// Its transpose.
    Transposed(MatRef<'a>),
}

impl Operand<'_> {
    /// The number of rows, of the transpose where it is one.
    pub fn rows(&self) -> usize {
        match self {
            Self::Plain(x) => x.rows(),
            Self::Transposed(x) => x.cols(),
        }
    }

    /// The number of columns, of the transpose where it is one.
    pub fn cols(&self) -> usize {
        match self {
            Self::Plain(x) => x.cols(),
            Self::Transposed(x) => x.rows(),
        }
    }
}

/// A k x n matrix in panels of 16 columns.
#[derive(Clone, Debug)]
pub struct Panels {
    data: Aligned,
    k: usize,
    n: usize,
}

impl Panels {
    /// k x n zeros.
    pub fn zeros(k: usize, n: usize) -> Self {
        Self {
            data: Aligned::zeroed(k * n.next_multiple_of(LINE)),
            k,
            n,
        }
    }

    /// The panels of that operand.
    pub fn pack(b: Operand<'_>) -> Self {
        let mut panels = Self::zeros(b.rows(), b.cols());
        pack_into(Isa::SCALAR, b, 0..b.rows(), 0..b.cols(), panels.lines_mut());
        panels
    }

    /// The number of rows, the reduction's length.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The number of columns, without the padding.
    pub fn n(&self) -> usize {
        self.n
    }

    /// All lines, panel after panel.
    pub fn lines(&self) -> &[[f32; LINE]] {
        self.data.as_chunks().0
    }

    /// All lines, to write; what lies past column n must stay zero.
    pub fn lines_mut(&mut self) -> &mut [[f32; LINE]] {
        self.data.as_chunks_mut().0
    }

    /// Element (p, j).
    ///
    /// # Panics
    /// When there is no such element.
    #[track_caller]
    pub fn get(&self, p: usize, j: usize) -> f32 {
        let (k, n) = (self.k, self.n);
        assert!(p < k && j < n, "element ({p}, {j}) of {k} x {n}");
        self.lines()[j / LINE * self.k + p][j % LINE]
    }
}

/// Panels that are filled together: a row of B gives that many lines at a time.
const TOGETHER: usize = 4;

/// Writes rows `ks` and columns `ns` of `b` as panels into the first ceil(|ns| / 16) * |ks| lines of `out`.
pub(super) fn pack_into(
    isa: Isa,
    b: Operand<'_>,
    ks: Range<usize>,
    ns: Range<usize>,
    out: &mut [[f32; LINE]],
) {
    let k = ks.len();
    if k == 0 {
        return;
    }
    let groups = ns.clone().step_by(TOGETHER * LINE);
    for (first, out) in groups.zip(out.chunks_mut(TOGETHER * k)) {
        let width = (TOGETHER * LINE).min(ns.end - first);
        match b {
            Operand::Plain(b) => {
                for (p, step) in ks.clone().enumerate() {
                    let row = &b.data()[step * b.row_stride() + first..][..width];
                    let (lines, rest) = row.as_chunks::<LINE>();
                    for (q, line) in lines.iter().enumerate() {
                        out[q * k + p] = *line;
                    }
                    if !rest.is_empty() {
                        // All in one, if there is as much: a copy of some numbers takes as long as many.
                        let all = b.data()[step * b.row_stride() + first + width - rest.len()..]
                            .first_chunk::<LINE>();
                        let line = &mut out[lines.len() * k + p];
                        if let Some(all) = all {
                            *line =
                                core::array::from_fn(|i| if i < rest.len() { all[i] } else { 0.0 });
                        } else {
                            line[..rest.len()].copy_from_slice(rest);
                            line[rest.len()..].fill(0.0);
                        }
                    }
                }
            }
            Operand::Transposed(b) => {
                for (j, lines) in (0..width).step_by(LINE).zip(out.chunks_exact_mut(k)) {
                    isa.dispatch(Transpose {
                        from: b.data_from(first + j, ks.start),
                        from_stride: b.row_stride(),
                        rows: LINE.min(width - j),
                        columns: k,
                        to: lines.as_flattened_mut(),
                        to_stride: LINE,
                    });
                }
            }
        }
    }
}

/// The distance between rows that [`rows_into`] makes of so many steps: whole lines and one more, lest the rows of a block of
/// KB steps contend for the same places in a cache.
pub(super) fn stride_of_rows(steps: usize) -> usize {
    padded(steps) + LINE
}

/// Writes so many steps of some rows of a transposed matrix, columns of `a`, into `out`, row after row.
pub(super) fn rows_into(
    isa: Isa,
    a: MatRef<'_>,
    rows: Range<usize>,
    steps: Range<usize>,
    out: &mut [f32],
) {
    if rows.is_empty() || steps.is_empty() {
        return;
    }
    isa.dispatch(Transpose {
        from: a.data_from(steps.start, rows.start),
        from_stride: a.row_stride(),
        rows: steps.len(),
        columns: rows.len(),
        to: out,
        to_stride: stride_of_rows(steps.len()),
    });
}

/// The rows of `b`, each with what is needed to make `width` numbers of it: whatever.
pub(super) fn rows_of(b: Operand<'_>, width: usize) -> Vec<f32> {
    let mut rows = vec![0.0; b.rows() * width];
    for (p, row) in rows.chunks_exact_mut(width).enumerate() {
        match b {
            Operand::Plain(b) => {
                // All in one, if there is as much: a copy of some numbers takes as long as many.
                let from = b.data_from(p, 0);
                let len = if from.len() < width { b.cols() } else { width };
                row[..len].copy_from_slice(&from[..len]);
            }
            Operand::Transposed(b) => {
                for (j, x) in row.iter_mut().take(b.rows()).enumerate() {
                    *x = b.row(j)[p];
                }
            }
        }
    }
    rows
}
