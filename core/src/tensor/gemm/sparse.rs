//! The products of `macrokernel` where most of A is zero, as images, one-hot columns and counts are.
//!
//! A term whose factor from A is zero adds a zero to its chain, which changes nothing but, perhaps, the sign of a zero:
//! and the sum of a block is added to +0 before it is stored, so that no sign is left of it. The bits are those of the
//! dense products, as long as B is finite (0 times infinity is not 0); [`SparseColumnsByPanels`] is therefore not to be
//! used where B is not, as its tiles, and with them what is skipped, depend on the number of threads.
//!
//! [`SparseRowsByPanels`] takes each row of A with the list of its columns that are not zero, one broadcast for as many
//! vectors of B as there are accumulators; it is bound by reading B from the second-level cache.
//! [`SparseColumnsByPanels`] packs, for each tile of MR columns of A, the rows in which they are not all zero, and runs
//! the register tile down those.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::KB;
use super::epilogue::Epilogue;
use super::macrokernel::{Rows, Segment, Sink, overlap, tiles};
use super::microkernel;
use crate::team::MOST_THREADS;
use crate::tensor::LINE;

/// Which columns of which rows are not zero, in ascending order.
pub trait NonZeroColumns {
    /// Those of the r-th row of A.
    fn row(&self, r: usize) -> &[u16];
}

/// C = A B for rows of A of which most columns are zero.
#[derive(Debug)]
pub struct SparseRowsByPanels<'a, N> {
    /// Rows of A, `a_stride` apart.
    pub a: &'a [f32],
    /// The distance between rows of A.
    pub a_stride: usize,
    /// The number of rows.
    pub rows: usize,
    /// The columns that may be other than zero.
    pub columns: N,
    /// B in pieces, in ascending order of the reduction.
    pub segments: &'a [Segment<'a>],
    /// Rows of C, padded to whole lines.
    pub c: &'a mut [f32],
    /// The distance between rows of C.
    pub c_stride: usize,
    /// Columns of C.
    pub n: usize,
    /// What follows.
    pub epilogue: Epilogue<'a>,
}

impl<N: NonZeroColumns> WithSimd for SparseRowsByPanels<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 8>(simd),
            8 => self.run::<S, 2, 4>(simd),
            4 => self.run::<S, 4, 4>(simd),
            _ => self.run::<S, 16, 1>(simd),
        }
    }
}

impl<N: NonZeroColumns> SparseRowsByPanels<'_, N> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const NP: usize>(mut self, simd: S) {
        let panels = self.n.div_ceil(LINE);
        for r in 0..self.rows {
            let grouped = panels / NP * NP;
            for j in (0..grouped).step_by(NP) {
                self.tile::<S, PV, NP>(simd, r, j);
            }
            for j in grouped..panels {
                self.tile::<S, PV, 1>(simd, r, j);
            }
        }
        self.epilogue
            .apply(simd, self.c, self.c_stride, self.n, 0..self.rows);
    }

    /// Panels `j..j + NP` of row r, over all blocks.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const NP: usize>(&mut self, simd: S, r: usize, j: usize) {
        let a = &self.a[r * self.a_stride..][..self.a_stride];
        let mut columns = self.columns.row(r);
        let k = self
            .segments
            .iter()
            .map(|segment| segment.len)
            .sum::<usize>();
        for pc in (0..k).step_by(KB) {
            let mut acc = microkernel::zeros::<S, 1, NP, PV>(simd);
            let mut start = 0;
            for segment in self.segments {
                if let Some((_, to)) = overlap(start, segment.len, pc, pc + KB) {
                    let end = start + to;
                    let count = columns.partition_point(|&column| usize::from(column) < end);
                    let (here, rest) = columns.split_at(count);
                    let panels = std::array::from_fn(|q| {
                        &segment.lines[(j + q) * segment.len..][..segment.len]
                    });
                    microkernel::picked(simd, a, here, start, panels, &mut acc);
                    columns = rest;
                }
                start += segment.len;
            }
            let [acc] = acc;
            for (q, acc) in acc.into_iter().enumerate() {
                let c = &mut self.c[r * self.c_stride + (j + q) * LINE..];
                microkernel::store(simd, acc, c, pc > 0);
            }
        }
    }
}

/// C = A^T B by strips of MR columns of A, of which most are zero in most rows; at most [`KB`] rows.
#[derive(Debug)]
pub struct SparseColumnsByPanels<'a, K> {
    /// A and B in pieces, in ascending order of the reduction; B finite.
    pub pieces: &'a [Rows<'a>],
    /// Columns of A, rows of C, to do.
    pub columns: Range<usize>,
    /// Panels of B, all of them done.
    pub panels: usize,
    /// Room for the rows kept of a tile: [`super::GROUP`] floats for each row.
    pub packed: &'a mut [f32],
    /// Where the strips go.
    pub sink: K,
}

impl<K: Sink> WithSimd for SparseColumnsByPanels<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 8>(simd),
            8 => self.run::<S, 2, 6>(simd),
            4 => self.run::<S, 4, 6>(simd),
            _ => self.run::<S, 16, 4>(simd),
        }
    }
}

impl<K: Sink> SparseColumnsByPanels<'_, K> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MR: usize>(mut self, simd: S) {
        let k = self.pieces.iter().map(|piece| piece.len).sum::<usize>();
        assert!(k <= KB, "{k} rows are more than one block of {KB}");
        let mut kept = [0; KB];
        let first = self.columns.start;
        for (i, size) in tiles(self.columns.len(), MR) {
            match size {
                1 => self.tile::<S, PV, 1>(simd, first + i, &mut kept),
                2 => self.tile::<S, PV, 2>(simd, first + i, &mut kept),
                4 => self.tile::<S, PV, 4>(simd, first + i, &mut kept),
                _ => self.tile::<S, PV, MR>(simd, first + i, &mut kept),
            }
        }
    }

    /// Columns `first..first + MR` of A by all panels.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize>(
        &mut self,
        simd: S,
        first: usize,
        kept: &mut [u16; KB],
    ) {
        let packed = self.packed.as_chunks_mut::<MR>().0;
        let mut ends = [0; MOST_THREADS];
        let mut count = 0;
        for (piece, end) in self.pieces.iter().zip(&mut ends) {
            for (r, row) in piece.a.chunks(piece.stride).take(piece.len).enumerate() {
                let mut cells = [0.0; MR];
                cells.copy_from_slice(&row[first..first + MR]);
                // Written in any case, counted if not all are zero (of whatever sign): no branch to mispredict.
                packed[count] = cells;
                kept[count] = r as u16;
                let bits = cells.iter().fold(0, |bits, x| bits | x.to_bits());
                count += usize::from(bits << 1 != 0);
            }
            *end = count;
        }
        if count == 0 && self.sink.ignores_zeros() {
            return;
        }
        let mut strip = [[0.0; LINE]; MR];
        for j in 0..self.panels {
            let add = self.sink.begin(first, j, &mut strip);
            let mut acc = microkernel::zeros::<S, MR, 1, PV>(simd);
            let mut start = 0;
            for (piece, &end) in self.pieces.iter().zip(&ends) {
                let lines = &piece.lines[j * piece.len..][..piece.len];
                microkernel::listed(
                    simd,
                    &packed[start..end],
                    &kept[start..end],
                    lines,
                    &mut acc,
                );
                start = end;
            }
            for (line, [acc]) in strip.iter_mut().zip(acc) {
                microkernel::store(simd, acc, line, add);
            }
            self.sink.take(simd, first, j, &mut strip);
        }
    }
}
