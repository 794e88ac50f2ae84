//! The products of `macrokernel` where most of A is zero, as images, one-hot columns and counts are.
//!
//! A term whose factor from A is zero adds a zero to its chain, which changes nothing but, perhaps, the sign of a zero:
//! and the sum of a block is added to +0 before it is stored, so that no sign is left of it. The bits are those of the
//! dense products, as long as B is finite. Where it is not (0 times infinity is not 0), they still depend on nothing but
//! A and B: every zero is skipped, however the work is split.
//!
//! Both kernels broadcast the numbers of A, each for NP panels of B, and are bound by reading B: so each keeps the part of
//! B that it reads in the first-level cache. [`SparseRowsByPanels`] takes a block of columns of A for some rows at a time;
//! and as those come by it turns A to go by columns, for the other, the ends of their lists being in the cache too.
//! [`SparseColumnsByPanels`] takes a pair of columns of A at a time, and has B copied so that the NP lines of a row lie
//! side by side.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::KB;
use super::epilogue::Epilogue;
use super::macrokernel::{Segment, Sink, overlap};
use super::microkernel;
use crate::tensor::LINE;
use crate::tensor::sparse::{SparseColumns, SparseRows};

/// Rows of A that go through the columns together.
const ROWS: usize = 32;

/// Columns of A in one block. Of their lines in 4 panels of B, 32 KiB, a fraction is read: those of columns that are not zero.
const COLUMNS: usize = 128;

/// C = A B for a sparse A.
#[derive(Debug)]
pub struct SparseRowsByPanels<'a> {
    /// A, of no more columns than all segments are long.
    pub a: &'a SparseRows,
    /// A by columns, to be written: empty before.
    pub turned: Option<&'a mut SparseColumns>,
    /// B in pieces of an even length (but for the last), in ascending order of the reduction.
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

impl WithSimd for SparseRowsByPanels<'_> {
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

impl SparseRowsByPanels<'_> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const NP: usize>(mut self, simd: S) {
        let (rows, panels) = (self.a.rows(), self.n.div_ceil(LINE));
        for j in (0..panels).step_by(NP) {
            let at = (j, NP.min(panels - j));
            if rows == 1 {
                // No rows to read a block of columns for again.
                self.tile::<S, PV, NP, 1>(simd, 0..1, at, usize::MAX);
            } else {
                for first in (0..rows).step_by(ROWS) {
                    let rows = first..rows.min(first + ROWS);
                    self.tile::<S, PV, NP, ROWS>(simd, rows, at, COLUMNS);
                }
            }
            self.turned = None;
        }
        self.epilogue
            .apply(simd, self.c, self.c_stride, self.n, 0..rows);
    }

    /// `count` panels from j on of at most R rows, over all blocks of the reduction, so many columns of A at a time.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const NP: usize, const R: usize>(
        &mut self,
        simd: S,
        rows: Range<usize>,
        (j, count): (usize, usize),
        columns: usize,
    ) {
        let mut done = [0; R];
        let k = self.segments.iter().map(|segment| segment.len).sum();
        for pc in (0..k).step_by(KB) {
            let mut sums = [microkernel::zeros::<S, 1, NP, PV>(simd); R];
            let mut start = 0;
            for segment in self.segments {
                if let Some((from, to)) = overlap(start, segment.len, pc, pc + KB) {
                    // Where there are fewer panels than NP the last one is read more than once.
                    let panels = std::array::from_fn(|q| {
                        &segment.lines[(j + q.min(count - 1)) * segment.len..][..segment.len]
                    });
                    for first in (from..to).step_by(columns) {
                        let end = start + to.min(first.saturating_add(columns));
                        for ((r, done), acc) in rows.clone().zip(&mut done).zip(&mut sums) {
                            let (indices, pairs) = self.a.row(r);
                            let entries = (&indices[*done..], &pairs[*done..]);
                            *done += match &mut self.turned {
                                Some(turned) => microkernel::picked(
                                    simd,
                                    entries,
                                    (start, end),
                                    panels,
                                    acc,
                                    #[inline(always)]
                                    |i, pair| turned.push(i, (r as u32, pair)),
                                ),
                                None => microkernel::picked(
                                    simd,
                                    entries,
                                    (start, end),
                                    panels,
                                    acc,
                                    #[inline(always)]
                                    |_, _| {},
                                ),
                            };
                        }
                    }
                }
                start += segment.len;
            }
            for (r, [acc]) in rows.clone().zip(sums) {
                let c = self.c[r * self.c_stride + j * LINE..]
                    .as_chunks_mut::<LINE>()
                    .0;
                for (acc, c) in acc.into_iter().zip(&mut c[..count]) {
                    microkernel::store::<S, PV>(simd, acc, c, pc > 0);
                }
            }
        }
    }
}

/// A piece of the reduction of the weight gradient: some rows of A, and as many lines of each panel of B.
#[derive(Clone, Copy, Debug)]
pub struct SparsePiece<'a> {
    /// A by columns.
    pub a: &'a SparseColumns,
    /// The number of its rows,
    pub len: usize,
    /// and of lines for each panel.
    pub lines: &'a [[f32; LINE]],
}

/// Columns of A whose strips go to the sink together.
const STRIP: usize = 8;

/// C = A^T B for a sparse A, by strips of some columns of A; at most [`KB`] rows.
#[derive(Debug)]
pub struct SparseColumnsByPanels<'a, K> {
    /// A and B in pieces, in ascending order of the reduction.
    pub pieces: &'a [SparsePiece<'a>],
    /// Columns of A, rows of C, to do; the first is even.
    pub columns: Range<usize>,
    /// Panels of B, all of them done.
    pub panels: usize,
    /// Room for B: [`room_for_lines`] of them, not to be allocated here.
    pub room: &'a mut Vec<[f32; LINE]>,
    /// Where the strips go.
    pub sink: K,
}

/// Lines of room that a product of that many rows and panels needs.
pub fn room_for_lines(rows: usize, panels: usize) -> usize {
    rows * panels.next_multiple_of(4)
}

impl<K: Sink> WithSimd for SparseColumnsByPanels<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 4>(simd),
            8 => self.run::<S, 2, 2>(simd),
            4 => self.run::<S, 4, 2>(simd),
            _ => self.run::<S, 16, 1>(simd),
        }
    }
}

impl<K: Sink> SparseColumnsByPanels<'_, K> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const NP: usize>(mut self, simd: S) {
        let rows = self.pieces.iter().map(|piece| piece.len).sum::<usize>();
        assert!(rows <= KB, "{rows} rows are more than one block of {KB}");
        if rows == 0 {
            return;
        }
        self.copy_lines(NP);
        let ignores_zeros = self.sink.ignores_zeros();
        let mut strips = [[[0.0; LINE]; STRIP]; NP];
        let b = self.room.chunks_exact(rows * NP);
        for (j, b) in (0..self.panels).step_by(NP).zip(b) {
            let b = b.as_chunks::<NP>().0;
            for first in self.columns.clone().step_by(STRIP) {
                let width = STRIP.min(self.columns.end - first);
                let pairs = first / 2..(first + width).div_ceil(2);
                let mut pieces = self.pieces.iter();
                if ignores_zeros && pieces.all(|piece| piece.a.are_empty(pairs.clone())) {
                    continue;
                }
                for i in (0..width).step_by(2) {
                    let mut acc = microkernel::zeros::<S, 2, NP, PV>(simd);
                    let mut start = 0;
                    for piece in self.pieces {
                        let cells = piece.a.pair(first / 2 + i / 2);
                        microkernel::listed(simd, cells, &b[start..][..piece.len], &mut acc);
                        start += piece.len;
                    }
                    for (i, acc) in (i..).zip(acc) {
                        for (strip, acc) in strips.iter_mut().zip(acc) {
                            microkernel::store::<S, PV>(simd, acc, &mut strip[i], false);
                        }
                    }
                }
                let real = NP.min(self.panels - j);
                for (q, strip) in strips[..real].iter_mut().enumerate() {
                    self.sink.take(simd, first, j + q, &mut strip[..width]);
                }
            }
        }
    }

    /// B as it is read: of `np` panels at a time, row by row, the lines; zeros where there are no more panels.
    #[inline(always)]
    fn copy_lines(&mut self, np: usize) {
        self.room.clear();
        for j in (0..self.panels).step_by(np) {
            for piece in self.pieces {
                for r in 0..piece.len {
                    let lines = (j..j + np).map(|j| {
                        if j < self.panels {
                            piece.lines[j * piece.len + r]
                        } else {
                            [0.0; LINE]
                        }
                    });
                    self.room.extend(lines);
                }
            }
        }
    }
}
