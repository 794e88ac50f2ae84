//! The loops round the register tile, for the two products that a network needs.
//!
//! [`RowsByPanels`], C = A B with rows of A contiguous along the reduction (forward pass, input gradient):
//! ```text
//! loop 5   ic: chunks of MC rows, so that C and A stay in the second-level cache
//! loop 4   jc: blocks of NC columns, KB x NC of B in half of the second-level cache
//! loop 3   pc: blocks of KB steps, the chains of the contract
//! loop 2   ir: tiles of MR rows, MR x KB of A in the first-level cache
//! loop 1   jr: NP panels at a time
//! ```
//! [`ColumnsByPanels`], C = A^T B with the reduction running down the rows of A (weight gradient):
//! ```text
//! loop 3   groups of GROUP columns of A, a line or two of each row
//! loop 2   jr: panels of B
//! loop 1   tiles of MR columns, over all blocks of KB steps; the finished strip goes to the sink
//! ```
//! The loops are those of Goto & van de Geijn 2008 and Van Zee & van de Geijn 2015, with A not packed.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::{Caches, KB, columns_in_l2};
use super::epilogue::Epilogue;
use super::microkernel;
use crate::tensor::LINE;

/// Rows of C in one pass over B.
const MC: usize = 192;

/// Columns of A in one strip of the weight gradient, also the width to which a strip of A is packed.
pub const GROUP: usize = 24;

/// From this many panels on, packing a strip of A pays for itself.
const PANELS_TO_PACK_FOR: usize = 8;

/// A piece of the reduction of a packed operand: `len` steps of every panel, panel after panel.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Steps of the reduction in this piece.
    pub len: usize,
    /// `len` lines for each panel.
    pub lines: &'a [[f32; LINE]],
}

/// C = A B, or C += A B, and the epilogue.
#[derive(Debug)]
pub struct RowsByPanels<'a> {
    /// Rows of A, `a_stride` apart, at least as long as all segments together.
    pub a: &'a [f32],
    /// The distance between rows of A.
    pub a_stride: usize,
    /// The number of rows.
    pub rows: usize,
    /// B in pieces, in ascending order of the reduction.
    pub segments: &'a [Segment<'a>],
    /// Rows of C.
    pub c: &'a mut [f32],
    /// The distance between rows of C.
    pub c_stride: usize,
    /// Columns of C.
    pub n: usize,
    /// Whether the rows of C are padded to whole lines, which are then written wholly (zeros past column n).
    /// An epilogue needs it.
    pub padded: bool,
    /// Whether the product is added to what C holds.
    pub add: bool,
    /// What follows.
    pub epilogue: Epilogue<'a>,
}

impl WithSimd for RowsByPanels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // MR, NP: 24 accumulators of 32 registers, or 12 of 16; a scalar tile has no good shape, so it has the simplest.
        match S::F32_LANES {
            16 => self.run::<S, 1, 8, 3>(simd),
            8 => self.run::<S, 2, 6, 1>(simd),
            4 => self.run::<S, 4, 6, 1>(simd),
            _ => self.run::<S, 16, 1, 1>(simd),
        }
    }
}

/// Cuts `n` into tiles of `most` (6 or 8), of 4 and of 1, with as few of 1 as can be: (start, size). For `most` = 1, only those.
#[inline(always)]
pub(super) fn tiles(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = n - start;
        let size = match left {
            0 => return None,
            // Two of 4 rather than a 6 and lone ones.
            8 | 9 if most == 6 => 4,
            _ if left >= most => most,
            4.. => 4,
            _ => 1,
        };
        start += size;
        Some((start - size, size))
    })
}

/// The part of a segment that falls in steps `from..to`, `start` being the segment's first step: (from, to) within it.
#[inline(always)]
pub(super) fn overlap(start: usize, len: usize, from: usize, to: usize) -> Option<(usize, usize)> {
    let (low, high) = (from.max(start), to.min(start + len));
    (low < high).then(|| (low - start, high - start))
}

impl RowsByPanels<'_> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MR: usize, const NP: usize>(mut self, simd: S) {
        let panels = self.n.div_ceil(LINE);
        // A tile writes what there is of C: too little is told here.
        let across = if self.padded { panels * LINE } else { self.n };
        assert!(
            self.rows == 0 || (self.rows - 1) * self.c_stride + across <= self.c.len(),
            "{} rows of {across}, {} apart, in {} floats",
            self.rows,
            self.c_stride,
            self.c.len()
        );
        let k = self
            .segments
            .iter()
            .map(|segment| segment.len)
            .sum::<usize>();
        let nc = columns_in_l2(Caches::of_this_machine()) / LINE;
        for ic in (0..self.rows).step_by(MC) {
            let mc = MC.min(self.rows - ic);
            if k == 0 && !self.add {
                for row in self.c.chunks_mut(self.c_stride).skip(ic).take(mc) {
                    row[..self.n].fill(0.0);
                }
            }
            for jc in (0..panels).step_by(nc) {
                let js = jc..panels.min(jc + nc);
                for pc in (0..k).step_by(KB) {
                    let ps = pc..k.min(pc + KB);
                    for (i, size) in tiles(mc, MR) {
                        let at = (ic + i, js.clone(), ps.clone());
                        if size == MR {
                            self.strip::<S, PV, MR, NP>(simd, at);
                        } else if const { MR > 4 } && size == 4 {
                            self.strip::<S, PV, 4, NP>(simd, at);
                        } else if const { MR > 1 } {
                            self.strip::<S, PV, 1, 4>(simd, at);
                        }
                    }
                }
            }
            self.epilogue
                .apply(simd, self.c, self.c_stride, self.n, ic..ic + mc);
        }
    }

    /// One row of tiles: rows `i..i + MR`, panels `js`, steps `ps` of one block.
    #[inline(always)]
    fn strip<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        (i, js, ps): (usize, Range<usize>, Range<usize>),
    ) {
        let grouped = js.start + js.len() / NP * NP;
        for j in (js.start..grouped).step_by(NP) {
            self.tile::<S, PV, MR, NP>(simd, i, j, ps.clone());
        }
        for j in grouped..js.end {
            self.tile::<S, PV, MR, 1>(simd, i, j, ps.clone());
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        i: usize,
        j: usize,
        ps: Range<usize>,
    ) {
        let mut acc = microkernel::zeros::<S, MR, NP, PV>(simd);
        let mut start = 0;
        for segment in self.segments {
            if let Some((from, to)) = overlap(start, segment.len, ps.start, ps.end) {
                let mut rows: [&[f32]; MR] = [&[]; MR];
                for (r, row) in rows.iter_mut().enumerate() {
                    *row = &self.a[(i + r) * self.a_stride + start + from..][..to - from];
                }
                let mut panels: [&[[f32; LINE]]; NP] = [&[]; NP];
                for (q, panel) in panels.iter_mut().enumerate() {
                    *panel = &segment.lines[(j + q) * segment.len..][from..to];
                }
                microkernel::rows(simd, rows, panels, &mut acc);
            }
            start += segment.len;
        }
        let add = self.add || ps.start > 0;
        let c = &mut self.c[i * self.c_stride + j * LINE..];
        let width = self.n - j * LINE;
        if self.padded || width >= NP * LINE {
            for (acc, c) in acc.into_iter().zip(c.chunks_mut(self.c_stride)) {
                for (acc, c) in acc.into_iter().zip(c.as_chunks_mut().0) {
                    microkernel::store(simd, acc, c, add);
                }
            }
        } else {
            let mut lines = [[[0.0; LINE]; NP]; MR];
            for (line, acc) in lines.as_flattened_mut().iter_mut().zip(acc.as_flattened()) {
                S::as_mut_simd_f32s(line).0.copy_from_slice(acc);
            }
            store_some(
                lines.as_flattened().as_flattened(),
                NP * LINE,
                c,
                (self.c_stride, width),
                add,
            );
        }
    }
}

/// The part of a tile, rows of `across` numbers, for which C has columns. (Apart: no tile but the last of a row has need of it.)
#[cold]
#[inline(never)]
fn store_some(
    tile: &[f32],
    across: usize,
    c: &mut [f32],
    (stride, width): (usize, usize),
    add: bool,
) {
    for (sums, c) in tile.chunks_exact(across).zip(c.chunks_mut(stride)) {
        for (c, sum) in c[..width].iter_mut().zip(sums) {
            *c = if add { *c } else { 0.0 } + sum;
        }
    }
}

/// A piece of the reduction of the weight gradient: `len` rows of A, and as many lines of each panel of B.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Rows of A, `stride` apart.
    pub a: &'a [f32],
    /// The distance between rows of A.
    pub stride: usize,
    /// The number of rows.
    pub len: usize,
    /// `len` lines for each panel.
    pub lines: &'a [[f32; LINE]],
}

/// Numbers to which a multiple of a product is added: c += factor (scale sum), a product and a fused addition.
#[derive(Debug)]
pub struct Sums<'a> {
    /// Lines of c, panel after panel.
    pub lines: &'a mut [[f32; LINE]],
    /// The rows of C that they are of.
    pub rows: Range<usize>,
    /// Times the sum.
    pub scale: f32,
    /// Times that.
    pub factor: f32,
}

/// Takes the finished strips of C = A^T B.
pub trait Sink {
    /// Fills the strip with what C holds there, if the product is to be added to it, and tells whether it did.
    #[inline(always)]
    fn begin(&mut self, _i: usize, _j: usize, _strip: &mut [[f32; LINE]]) -> bool {
        false
    }

    /// The numbers of C, if all that becomes of the product is that a multiple of it is added to them: only what is not
    /// zero need be.
    #[inline(always)]
    fn in_place(&mut self) -> Option<Sums<'_>> {
        None
    }

    /// Rows `i..i + strip.len()` of C, columns 16 j .. 16 j + 16; the strip may be overwritten.
    fn take<S: Simd>(&mut self, simd: S, i: usize, j: usize, strip: &mut [[f32; LINE]]);
}

/// C = A^T B by strips.
#[derive(Debug)]
pub struct ColumnsByPanels<'a, K> {
    /// A and B in pieces, in ascending order of the reduction.
    pub pieces: &'a [Rows<'a>],
    /// Columns of A, rows of C, to do.
    pub columns: Range<usize>,
    /// Panels of B, all of them done.
    pub panels: usize,
    /// Room for a packed strip of A: [`GROUP`] floats for each step, or nothing.
    pub packed: &'a mut [f32],
    /// Where the strips go.
    pub sink: K,
}

impl<K: Sink> WithSimd for ColumnsByPanels<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 8>(simd),
            8 => self.run::<S, 2, 6>(simd),
            4 => self.run::<S, 4, 6>(simd),
            _ => self.run::<S, 16, 1>(simd),
        }
    }
}

impl<K: Sink> ColumnsByPanels<'_, K> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MR: usize>(mut self, simd: S) {
        let k = self.pieces.iter().map(|piece| piece.len).sum::<usize>();
        // The last row of a view may end with its last column: only packing gives it a whole stride.
        let whole = |piece: &Rows<'_>| piece.a.len() >= piece.len * piece.stride;
        let pays = self.panels >= PANELS_TO_PACK_FOR || !self.pieces.iter().all(whole);
        let pack = pays && self.packed.len() >= k * GROUP;
        let mut strip = [[0.0; LINE]; GROUP];
        for group in self.columns.clone().step_by(GROUP) {
            let width = GROUP.min(self.columns.end - group);
            if pack {
                let mut packed = self.packed.as_chunks_mut::<GROUP>().0.iter_mut();
                for piece in self.pieces {
                    for (row, packed) in piece
                        .a
                        .chunks(piece.stride)
                        .take(piece.len)
                        .zip(&mut packed)
                    {
                        packed[..width].copy_from_slice(&row[group..group + width]);
                    }
                }
            }
            for j in 0..self.panels {
                let add = self.sink.begin(group, j, &mut strip[..width]);
                for (i, size) in tiles(width, MR) {
                    let strip = &mut strip[i..i + size];
                    let at = (group, i, j, k, pack, add);
                    if size == MR {
                        self.tile::<S, PV, MR>(simd, at, strip);
                    } else if const { MR > 4 } && size == 4 {
                        self.tile::<S, PV, 4>(simd, at, strip);
                    } else if const { MR > 1 } {
                        self.tile::<S, PV, 1>(simd, at, strip);
                    }
                }
                self.sink.take(simd, group, j, &mut strip[..width]);
            }
        }
    }

    /// Columns `group + i..group + i + MR` of A by panel j, over all k steps.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize>(
        &self,
        simd: S,
        (group, i, j, k, pack, add): (usize, usize, usize, usize, bool, bool),
        strip: &mut [[f32; LINE]],
    ) {
        for pc in (0..k).step_by(KB) {
            let mut acc = microkernel::zeros::<S, MR, 1, PV>(simd);
            let mut start = 0;
            for piece in self.pieces {
                if let Some((from, to)) = overlap(start, piece.len, pc, pc + KB) {
                    let panel = &piece.lines[j * piece.len..][from..to];
                    let (a, stride, first) = if pack {
                        (&self.packed[(start + from) * GROUP..], GROUP, i)
                    } else {
                        (&piece.a[from * piece.stride..], piece.stride, group + i)
                    };
                    microkernel::columns(simd, a, stride, first, [panel], &mut acc);
                }
                start += piece.len;
            }
            for (line, [acc]) in strip.iter_mut().zip(acc) {
                microkernel::store(simd, acc, line, add || pc > 0);
            }
        }
    }
}
