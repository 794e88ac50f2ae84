//! C = A^T B, one unit of columns of A or two at a time.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::blocking::KB;
use super::super::columns::Rows;
use super::super::macrokernel::{Sink, Sums};
use super::super::microkernel::{self, Acc};
use super::{MOST_PANELS, ones};
use crate::isa::apart;
use crate::tensor::LINE;
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::{Bytes, Floats, GROUP, Numbers, SparseRows, Strip, UNITS};

/// Columns of A whose strips go to the sink together.
const TAKEN: usize = 32;

/// What goes to the sink, on lines of the cache.
#[repr(align(64))]
struct Strips<const NP: usize>([[[f32; LINE]; TAKEN]; NP]);

/// C = A^T B for a sparse A, by strips of some columns of A; at most [`KB`] rows.
#[derive(Debug)]
pub struct SparseColumnsByPanels<'a, K, const U: usize = 2> {
    /// A in pieces, in ascending order of the reduction, their masks turned; all are kept as bytes of one meaning, or all
    /// as floats.
    pub a: &'a [&'a SparseRows<U>],
    /// B in pieces, of as many rows in all; what they have of a dense A is not looked at.
    pub pieces: &'a [Rows<'a>],
    /// Columns of A, rows of C, to do; the first is a multiple of four.
    pub columns: Range<usize>,
    /// Panels of B, all of them done.
    pub panels: usize,
    /// Room for lines of B: [`room_for_lines`].
    pub room: &'a mut Aligned,
    /// Where the strips go.
    pub sink: K,
}

/// Floats of room that a [`SparseColumnsByPanels`] of so many rows needs: whole groups can be looked at from each group's
/// first row on.
pub fn room_for_lines(rows: usize) -> usize {
    (rows + GROUP) * MOST_PANELS * LINE
}

impl<K: Sink, const U: usize> WithSimd for SparseColumnsByPanels<'_, K, U> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let rows: usize = self.a.iter().map(|a| a.rows()).sum();
        let lines: usize = self.pieces.iter().map(|piece| piece.len).sum();
        assert!(rows <= KB, "{rows} rows are more than one block of {KB}");
        assert_eq!(rows, lines, "rows of A and of B");
        let Some(a) = self.a.iter().find(|a| a.rows() > 0) else {
            return;
        };
        // Hidden units are no bytes.
        if const { U > 1 } && a.is_of_bytes() {
            self.by_lanes(simd, Bytes(a.table()));
        } else {
            self.by_lanes(simd, Floats);
        }
    }
}

impl<K: Sink, const U: usize> SparseColumnsByPanels<'_, K, U> {
    #[inline(always)]
    fn by_lanes<S: Simd, N: Numbers>(&mut self, simd: S, numbers: N) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 4, N>(simd, numbers),
            8 if const { U == 1 } => self.run::<S, 2, 4, N>(simd, numbers),
            8 => self.run::<S, 2, 2, N>(simd, numbers),
            4 => self.run::<S, 4, 1, N>(simd, numbers),
            _ => self.run::<S, 16, 1, N>(simd, numbers),
        }
    }

    #[inline(always)]
    fn run<S: Simd, const PV: usize, const NP: usize, N: Numbers>(&mut self, simd: S, numbers: N) {
        // The scalar set is for its bits, not for speed.
        if const { U > 1 && S::F32_LANES > 1 }
            && let Some(row) = self.lone_row()
        {
            // Nothing is summed: sixteen registers have room for more of B.
            if const { PV == 2 } {
                self.lone::<S, PV, 4, N>(simd, numbers, row);
            } else {
                self.lone::<S, PV, NP, N>(simd, numbers, row);
            }
            return;
        }
        for j in (0..self.panels).step_by(NP) {
            let left = self.panels - j;
            if const { NP > 1 } && left == 1 {
                self.tile::<S, PV, 1, N>(simd, numbers, j, 1);
            } else if const { NP > 2 } && left == 2 {
                self.tile::<S, PV, 2, N>(simd, numbers, j, 2);
            } else {
                self.tile::<S, PV, NP, N>(simd, numbers, j, left.min(NP));
            }
        }
    }

    /// `count` panels from j on of B, for all columns; where there are fewer than NP the last one is there more than once.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const NP: usize, N: Numbers>(
        &mut self,
        simd: S,
        numbers: N,
        j: usize,
        count: usize,
    ) {
        let side_by_side = SideBySide {
            pieces: self.pieces,
            j,
            count,
            across: NP,
            places: self.room.as_chunks_mut().0,
        };
        apart(simd, side_by_side);
        // The scalar set is for its bits, not for speed.
        if const { U == 2 && S::F32_LANES > 1 } && self.sink.in_place().is_some() {
            self.additions::<S, PV, NP, N>(simd, numbers, j, count);
        } else {
            // Sixteen registers have room for eight sums and what is added.
            if const { U * NP * PV <= 4 || S::F32_LANES == 16 } {
                self.strips::<S, PV, NP, 2, N>(simd, numbers, j, count);
            } else {
                self.strips::<S, PV, NP, 1, N>(simd, numbers, j, count);
            }
        }
    }

    /// Strips of all columns.
    #[inline(always)]
    fn strips<S: Simd, const PV: usize, const NP: usize, const W: usize, N: Numbers>(
        &mut self,
        simd: S,
        numbers: N,
        j: usize,
        count: usize,
    ) {
        let Strips(strips) = &mut Strips([[[0.0; LINE]; TAKEN]; NP]);
        for first in self.columns.clone().step_by(TAKEN) {
            let width = TAKEN.min(self.columns.end - first);
            // A group of rows at a time: what there is of B for it, the strips and the rows of A then are in the first-level
            // cache together, which they are not of all rows.
            let mut is_first = true;
            self.each_group::<NP>(|a, g, lines| {
                for i in (0..width).step_by(W * U) {
                    let mut acc = [microkernel::zeros::<S, U, NP, PV>(simd); W];
                    if is_first {
                        let rows = first + i..first + width.min(i + W * U);
                        self.sink.expect(rows, j..j + count);
                    } else {
                        for w in 0..W {
                            for u in 0..U {
                                for q in 0..NP {
                                    let line = &strips[q][i + w * U + u];
                                    acc[w][u][q] = microkernel::line::<S, PV>(line);
                                }
                            }
                        }
                    }
                    Self::add_group(simd, numbers, (a, g, lines), (first + i) / U, &mut acc);
                    for (w, acc) in acc.into_iter().enumerate() {
                        for (u, acc) in acc.into_iter().enumerate() {
                            for (strip, acc) in strips.iter_mut().zip(acc) {
                                let line = &mut strip[i + w * U + u];
                                microkernel::store::<S, PV>(simd, acc, line, false);
                            }
                        }
                    }
                }
                is_first = false;
            });
            for (q, strip) in strips[..count].iter_mut().enumerate() {
                self.sink.take(simd, first, j + q, &mut strip[..width]);
            }
        }
    }

    /// The sums of those pairs of columns that any row has, added to what the sink has.
    #[inline(always)]
    fn additions<S: Simd, const PV: usize, const NP: usize, N: Numbers>(
        &mut self,
        simd: S,
        numbers: N,
        j: usize,
        count: usize,
    ) {
        let pairs = self.columns.start.div_ceil(2)..self.columns.end.div_ceil(2);
        for strip in pairs.start / UNITS..pairs.end.div_ceil(UNITS) {
            let first = strip * UNITS;
            let mut bits = ones(pairs.end - first) & !ones(pairs.start.saturating_sub(first));
            bits &= self.a.iter().fold(0, |all, a| all | a.found_in(strip));
            while bits != 0 {
                let pair = first + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let mut sums = [microkernel::zeros::<S, U, NP, PV>(simd)];
                self.each_group::<NP>(|a, g, lines| {
                    Self::add_group(simd, numbers, (a, g, lines), pair, &mut sums);
                });
                let [acc] = sums;
                let Some(sums) = self.sink.in_place() else {
                    return;
                };
                let Sums { lines, rows, .. } = sums;
                let (scale, factor) = (simd.splat_f32s(sums.scale), simd.splat_f32s(sums.factor));
                let at = 2 * pair - rows.start;
                for (q, lines) in lines[j * rows.len()..]
                    .chunks_exact_mut(rows.len())
                    .take(count)
                    .enumerate()
                {
                    for (c, acc) in lines[at..].iter_mut().zip(&acc) {
                        microkernel::add(simd, acc[q], c, scale, factor);
                    }
                }
            }
        }
    }

    /// Calls `f` with each group of rows of A, its number in that piece, and what there is of B for it.
    #[inline(always)]
    fn each_group<const NP: usize>(
        &self,
        mut f: impl FnMut(&SparseRows<U>, usize, &[[[f32; LINE]; NP]; GROUP]),
    ) {
        let mut places = self.room.as_chunks::<LINE>().0.as_chunks::<NP>().0;
        for a in self.a {
            let mut here = places;
            places = places.get(a.rows()..).unwrap_or_default();
            for g in 0..a.groups() {
                let Some((lines, rest)) = here.split_first_chunk() else {
                    return;
                };
                here = rest;
                f(a, g, lines);
            }
        }
    }

    /// Adds what a group of rows has to the sums of one unit, or of two side by side: of one alone an addition would wait
    /// for the one before.
    #[inline(always)]
    fn add_group<S: Simd, const PV: usize, const NP: usize, const W: usize, N: Numbers>(
        simd: S,
        numbers: N,
        (a, g, lines): (&SparseRows<U>, usize, &[[[f32; LINE]; NP]; GROUP]),
        first: usize,
        acc: &mut [Acc<S::f32s, U, NP, PV>; W],
    ) {
        assert!(first.is_multiple_of(W), "a unit from {first} on");
        // Two units are of one strip, for the first of them is even.
        let strip = a.strip(numbers, g, first / UNITS);
        let (one, other) = ((strip, first % UNITS), (strip, (first + 1) % UNITS));
        let mut bits = a.rows_with(g, first);
        if const { W == 2 } {
            let mut others = a.rows_with(g, first + 1);
            while bits != 0 && others != 0 {
                next_row(simd, numbers, &mut bits, one, lines, &mut acc[0]);
                next_row(simd, numbers, &mut others, other, lines, &mut acc[1]);
            }
            while others != 0 {
                next_row(simd, numbers, &mut others, other, lines, &mut acc[1]);
            }
        }
        while bits != 0 {
            next_row(simd, numbers, &mut bits, one, lines, &mut acc[0]);
        }
    }
}

/// What the next row that has a unit adds to its sums, taken out of its bits.
#[inline(always)]
fn next_row<S: Simd, const PV: usize, const U: usize, const NP: usize, N: Numbers>(
    simd: S,
    numbers: N,
    bits: &mut u64,
    (strip, at): (&Strip<U, N::Kept>, usize),
    group: &[[[f32; LINE]; NP]; GROUP],
    acc: &mut [[[S::f32s; PV]; NP]; U],
) {
    // Below 64, for there is a bit: told to the compiler.
    let r = bits.trailing_zeros() as usize % GROUP;
    *bits &= *bits - 1;
    for (acc, &x) in acc.iter_mut().zip(&strip[r].0[at]) {
        let x = simd.splat_f32s(numbers.widen(x));
        for q in 0..NP {
            let b = microkernel::line::<S, PV>(&group[r][q]);
            for v in 0..PV {
                acc[q][v] = simd.mul_add_f32s(x, b[v], acc[q][v]);
            }
        }
    }
}

/// Copies panels of B side by side.
struct SideBySide<'a> {
    pieces: &'a [Rows<'a>],
    /// The first of them, and how many there are;
    j: usize,
    count: usize,
    /// the last one is there more than once, that there are so many.
    across: usize,
    /// Lines that lie `across` apart for each panel.
    places: &'a mut [[f32; LINE]],
}

impl WithSimd for SideBySide<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for q in 0..self.across {
            let panel = self.j + q.min(self.count - 1);
            let mut at = q;
            for piece in self.pieces {
                for line in &piece.lines[panel * piece.len..][..piece.len] {
                    self.places[at] = *line;
                    at += self.across;
                }
            }
        }
    }
}
