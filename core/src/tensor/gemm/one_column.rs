//! The weight gradient of a lone unit, c = A^T b: the numbers of c are the lanes, where a tile of `columns` would have a line
//! of zeros for each. The same chains, so the same bits.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::KB;
use super::columns::Rows;
use super::macrokernel::{Sink, overlap};
use super::microkernel;
use crate::tensor::LINE;

/// c = A^T b by strips of [`LINE`] columns of A.
#[derive(Debug)]
pub struct ColumnsByOne<'a, K> {
    /// A and b in pieces, in ascending order of the reduction; b is the first number of each line.
    pub pieces: &'a [Rows<'a>],
    /// Columns of A, rows of c, to do.
    pub columns: Range<usize>,
    /// Where the strips go.
    pub sink: K,
}

impl<K: Sink> WithSimd for ColumnsByOne<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // PV, N: four chains or more.
        match S::F32_LANES {
            16 => self.run::<S, 1, 4>(simd),
            8 => self.run::<S, 2, 4>(simd),
            4 => self.run::<S, 4, 1>(simd),
            _ => self.run::<S, 16, 1>(simd),
        }
    }
}

impl<K: Sink> ColumnsByOne<'_, K> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const N: usize>(mut self, simd: S) {
        let Range { mut start, end } = self.columns;
        while start < end {
            if start + N * LINE <= end {
                self.lines::<S, PV, N>(simd, start);
                start += N * LINE;
            } else {
                self.lines::<S, PV, 1>(simd, start);
                start += LINE;
            }
        }
    }

    /// N lines of columns, over all blocks of the reduction.
    #[inline(always)]
    fn lines<S: Simd, const PV: usize, const N: usize>(&mut self, simd: S, first: usize) {
        let k = self.pieces.iter().map(|piece| piece.len).sum::<usize>();
        let width = LINE.min(self.columns.end - first);
        let mut strip = [[0.0; LINE]; LINE];
        let mut sums = [[0.0; LINE]; N];
        for pc in (0..k).step_by(KB) {
            let [mut acc] = microkernel::zeros::<S, 1, N, PV>(simd);
            let mut start = 0;
            for piece in self.pieces {
                if let Some((from, to)) = overlap(start, piece.len, pc, pc + KB) {
                    let rows = piece.a[from * piece.stride..].chunks(piece.stride);
                    for (row, line) in rows.zip(&piece.lines[from..to]) {
                        let b = simd.splat_f32s(line[0]);
                        // A row need not go on behind the last column.
                        let mut last = [[0.0; LINE]];
                        let row = if width < LINE {
                            last[0][..width].copy_from_slice(&row[first..][..width]);
                            &last
                        } else {
                            row[first..][..N * LINE].as_chunks::<LINE>().0
                        };
                        for (acc, row) in acc.iter_mut().zip(row) {
                            let a = microkernel::line::<S, PV>(row);
                            for v in 0..PV {
                                acc[v] = simd.mul_add_f32s(a[v], b, acc[v]);
                            }
                        }
                    }
                }
                start += piece.len;
            }
            for (acc, sums) in acc.iter().zip(&mut sums) {
                microkernel::store(simd, *acc, sums, pc > 0);
            }
        }
        for (q, sums) in sums.iter().enumerate() {
            into(&mut strip, sums);
            let at = first + q * LINE;
            self.sink.take(simd, at, 0, &mut strip[..width]);
        }
    }
}

/// Lines of which these are the first numbers, then zeros.
#[inline(never)]
fn into(strip: &mut [[f32; LINE]; LINE], sums: &[f32; LINE]) {
    *strip = [[0.0; LINE]; LINE];
    for (line, sum) in strip.iter_mut().zip(sums) {
        line[0] = *sum;
    }
}
