//! Packed panels: the one layout in which a kernel reads its vector operand.
//!
//! A k x n matrix B becomes ceil(n / 16) panels, panel j holding columns 16 j .. 16 j + 16 as k consecutive lines of 16
//! floats; columns past n are zero. A panel is read once, forward, line by line.

use std::ops::Range;

use crate::tensor::matrix::{Aligned, LINE, MatRef};

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
        let mut lines = Vec::new();
        pack_into(b, 0..panels.k, 0..panels.n, &mut lines);
        panels.lines_mut().copy_from_slice(&lines);
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
    pub fn get(&self, p: usize, j: usize) -> f32 {
        self.lines()[j / LINE * self.k + p][j % LINE]
    }
}

/// Writes rows `ks` and columns `ns` of `b` as panels into `out`, which becomes ceil(|ns| / 16) * |ks| lines.
pub(super) fn pack_into(
    b: Operand<'_>,
    ks: Range<usize>,
    ns: Range<usize>,
    out: &mut Vec<[f32; LINE]>,
) {
    let k = ks.len();
    out.resize(ns.len().div_ceil(LINE) * k, [0.0; LINE]);
    for (first, lines) in ns.clone().step_by(LINE).zip(out.chunks_exact_mut(k.max(1))) {
        let width = LINE.min(ns.end - first);
        match b {
            Operand::Plain(b) => {
                for (line, p) in lines.iter_mut().zip(ks.clone()) {
                    let row = &b.data()[p * b.row_stride() + first..][..width];
                    if let (Some(row), LINE) = (row.first_chunk::<LINE>(), width) {
                        *line = *row;
                    } else {
                        line[..width].copy_from_slice(row);
                        line[width..].fill(0.0);
                    }
                }
            }
            Operand::Transposed(b) => {
                for j in 0..width {
                    let row = &b.data()[(first + j) * b.row_stride() + ks.start..][..k];
                    for (line, x) in lines.iter_mut().zip(row) {
                        line[j] = *x;
                    }
                }
                for line in lines {
                    line[width..].fill(0.0);
                }
            }
        }
    }
}
