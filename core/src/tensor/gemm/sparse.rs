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
//! side by side. Where all that becomes of the product is an addition, it takes only the pairs that are not zero.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::KB;
use super::epilogue::Epilogue;
use super::macrokernel::{Segment, Sink, Sums, overlap};
use super::microkernel::{self, Acc};
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
            16 => self.run::<S, 1, 4>(simd),
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
                    let mut panels: [&[[f32; LINE]]; NP] = [&[]; NP];
                    for (q, panel) in panels.iter_mut().enumerate() {
                        let j = j + q.min(count - 1);
                        *panel = &segment.lines[j * segment.len..][..segment.len];
                    }
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
    rows * panels
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
        if rows == 1 && self.sink.in_place().is_some_and(|sums| sums.scale == 1.0) {
            return self.outer_product::<S, PV>(simd);
        }
        let grouped = self.panels / NP * NP;
        self.copy_lines(grouped, NP);
        for j in (0..grouped).step_by(NP) {
            self.tile::<S, PV, NP>(simd, j, rows);
        }
        if const { NP > 1 } {
            for j in grouped..self.panels {
                self.tile::<S, PV, 1>(simd, j, rows);
            }
        }
    }

    /// One row of A, of the only piece that has one, by one of B, times 1, added to what the sink has.
    #[inline(always)]
    fn outer_product<S: Simd, const PV: usize>(&mut self, simd: S) {
        let (Some(sums), Some(piece)) = (
            self.sink.in_place(),
            self.pieces.iter().find(|piece| piece.len == 1),
        ) else {
            return;
        };
        let Sums { lines, rows, .. } = sums;
        let (zero, factor) = (simd.splat_f32s(0.0), simd.splat_f32s(sums.factor));
        // Backwards: what the forward product has read last is still near, and what it will read first will be.
        for &pair in piece.a.found().iter().rev() {
            let pair = usize::from(pair);
            let ([(_, x), ..], true) = (piece.a.pair(pair), rows.contains(&(2 * pair))) else {
                continue;
            };
            let x = x.map(|x| simd.splat_f32s(x));
            let at = 2 * pair - rows.start;
            for (b, lines) in piece.lines.iter().zip(lines.chunks_exact_mut(rows.len())) {
                let b = microkernel::line::<S, PV>(b);
                for (c, x) in lines[at..].iter_mut().zip(x) {
                    let c = S::as_mut_simd_f32s(c).0;
                    for v in 0..PV {
                        // As it is stored elsewhere: no sum is -0.
                        let sum = simd.add_f32s(zero, simd.mul_f32s(x, b[v]));
                        c[v] = simd.mul_add_f32s(factor, sum, c[v]);
                    }
                }
            }
        }
    }

    /// NP panels from j on of B, of so many rows, for all columns.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const NP: usize>(&mut self, simd: S, j: usize, rows: usize) {
        let room = std::mem::take(self.room);
        let b = room[j * rows..][..rows * NP].as_chunks::<NP>().0;
        if self.sink.in_place().is_some() {
            self.additions::<S, PV, NP>(simd, j, b);
        } else {
            self.strips::<S, PV, NP>(simd, j, b);
        }
        *self.room = room;
    }

    /// Strips of all columns.
    #[inline(always)]
    fn strips<S: Simd, const PV: usize, const NP: usize>(
        &mut self,
        simd: S,
        j: usize,
        b: &[[[f32; LINE]; NP]],
    ) {
        let mut strips = [[[0.0; LINE]; STRIP]; NP];
        for first in self.columns.clone().step_by(STRIP) {
            let width = STRIP.min(self.columns.end - first);
            for i in (0..width).step_by(2) {
                let acc = self.pair::<S, PV, NP>(simd, 0, first / 2 + i / 2, b);
                for (i, acc) in (i..).zip(acc) {
                    for (strip, acc) in strips.iter_mut().zip(acc) {
                        microkernel::store::<S, PV>(simd, acc, &mut strip[i], false);
                    }
                }
            }
            for (q, strip) in strips.iter_mut().enumerate() {
                self.sink.take(simd, first, j + q, &mut strip[..width]);
            }
        }
    }

    /// The sums of those pairs that have cells, added to what the sink has.
    #[inline(always)]
    fn additions<S: Simd, const PV: usize, const NP: usize>(
        &mut self,
        simd: S,
        j: usize,
        b: &[[[f32; LINE]; NP]],
    ) {
        for (p, piece) in self.pieces.iter().enumerate() {
            for &pair in piece.a.found() {
                let pair = usize::from(pair);
                let before = &self.pieces[..p];
                if !self.columns.contains(&(2 * pair))
                    || before.iter().any(|piece| !piece.a.pair(pair).is_empty())
                {
                    continue;
                }
                let acc = self.pair::<S, PV, NP>(simd, p, pair, b);
                let Some(sums) = self.sink.in_place() else {
                    return;
                };
                let Sums { lines, rows, .. } = sums;
                let (scale, factor) = (simd.splat_f32s(sums.scale), simd.splat_f32s(sums.factor));
                let at = 2 * pair - rows.start;
                for (q, lines) in lines[j * rows.len()..]
                    .chunks_exact_mut(rows.len())
                    .take(NP)
                    .enumerate()
                {
                    for (c, acc) in lines[at..].iter_mut().zip(&acc) {
                        microkernel::add(simd, acc[q], c, scale, factor);
                    }
                }
            }
        }
    }

    /// The sums of one pair of columns, which has no cell in the pieces before the first one asked for.
    #[inline(always)]
    fn pair<S: Simd, const PV: usize, const NP: usize>(
        &self,
        simd: S,
        first: usize,
        pair: usize,
        b: &[[[f32; LINE]; NP]],
    ) -> Acc<S::f32s, 2, NP, PV> {
        let mut acc = microkernel::zeros::<S, 2, NP, PV>(simd);
        let mut start = 0;
        for (p, piece) in self.pieces.iter().enumerate() {
            if p >= first {
                let cells = piece.a.pair(pair);
                microkernel::listed(simd, cells, &b[start..][..piece.len], &mut acc);
            }
            start += piece.len;
        }
        acc
    }

    /// B as it is read: of `np` panels at a time, row by row, the lines; panels from `grouped` on one by one.
    #[inline(always)]
    fn copy_lines(&mut self, grouped: usize, np: usize) {
        self.room.clear();
        let groups = (0..grouped).step_by(np).map(|j| j..j + np);
        for js in groups.chain((grouped..self.panels).map(|j| j..j + 1)) {
            for piece in self.pieces {
                for r in 0..piece.len {
                    let lines = js.clone().map(|j| piece.lines[j * piece.len + r]);
                    self.room.extend(lines);
                }
            }
        }
    }
}
